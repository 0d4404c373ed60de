//! `backstay import`: another proxy's configuration as one of Backstay's.

use crate::app::environment;
use crate::base::diagnostic::{Diagnostic, Place};
use crate::cli::print;
use crate::import::litellm::{self, Import};
use clap::Subcommand;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Make a config of LiteLLM's config.yaml.
    #[command(
        after_help = "What could not be carried is told on standard error, and in comments of the config. No secret is repeated, and no seat or region is guessed. Variables that hold no secrets, such as the URL of an Azure resource, are looked up: import where LiteLLM runs. Exit code 0 when there is a config, 1 when not.\n\nExamples:\n  backstay import litellm config.yaml > backstay.toml\n  backstay import litellm config.yaml --out backstay.toml && backstay check\n  backstay import litellm config.yaml --json"
    )]
    Litellm {
        /// LiteLLM's configuration.
        file: PathBuf,
        /// Where the config is written; standard output unless given. A file that is there is not replaced.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Print config and findings as JSON.
        #[arg(long, conflicts_with = "out")]
        json: bool,
    },
}

pub(super) fn run(act: &Act) -> ExitCode {
    let Act::Litellm { file, out, json } = act;
    let import = read(file).and_then(|text| litellm::read(file, &text, &environment));
    let (import, findings) = match import {
        Ok(import) => (Some(import.clone()), import.findings),
        Err(findings) => (None, findings),
    };
    if *json {
        let config = import.as_ref().map(|import| import.config.as_str());
        println!("{:#}", serde_json::json!({ "config": config, "findings": print::as_json(&findings) }));
        return if import.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    print::diagnostics(&findings);
    match import.map(|import| write(&import, out.as_deref())) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("no config could be made of {}", file.display());
            ExitCode::FAILURE
        }
    }
}

/// The file's text.
fn read(file: &Path) -> Result<String, Vec<Diagnostic>> {
    let wrong = |message: String, help: &str| vec![Diagnostic::error(Place::file(file), message).help(help)];
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|opened| opened.take(litellm::MOST_BYTES + 1).read_to_end(&mut bytes));
    opened.map_err(|error| wrong(format!("the file cannot be read: {error}"), "name LiteLLM's config.yaml"))?;
    if bytes.len() as u64 > litellm::MOST_BYTES {
        let message = format!("the file is larger than {} MiB", litellm::MOST_BYTES >> 20);
        return Err(wrong(message, "no configuration is so large; name LiteLLM's config.yaml"));
    }
    String::from_utf8(bytes).map_err(|_| wrong("the file is no text in UTF-8".to_owned(), "save it as UTF-8"))
}

/// Writes the config, and says what is in it.
fn write(import: &Import, out: Option<&Path>) -> Result<(), String> {
    match out {
        None => io::stdout().lock().write_all(import.config.as_bytes()).map_err(|error| error.to_string())?,
        Some(out) => {
            let made = File::create_new(out).and_then(|mut file| file.write_all(import.config.as_bytes()));
            made.map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    format!("{} is there already; write to another file, or remove it", out.display())
                }
                _ => format!("{} cannot be written: {error}", out.display()),
            })?;
        }
    }
    let [pools, deployments, endpoints] = import.counts;
    // a closed standard error leaves nobody to tell
    let _ = writeln!(
        io::stderr().lock(),
        "{pools} pool(s), {deployments} deployment(s), {endpoints} endpoint(s); {} finding(s)",
        import.findings.len()
    );
    Ok(())
}
