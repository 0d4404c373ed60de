//! Floor 7: the command line.

mod audit;
mod check;
mod demo;
mod live;
mod operate;
mod print;
mod serve;

use crate::demo::Options;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A TLS proxy that keeps LLM traffic flowing when a vendor fails, throttles, is restricted by law or becomes too expensive.
#[derive(Debug, Parser)]
#[command(
    name = "backstay",
    version,
    after_help = "Examples:\n  backstay demo\n  backstay check --config backstay.toml\n  backstay serve --config backstay.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy.
    #[command(
        after_help = "SIGHUP reloads, SIGTERM drains and a second one ends at once.\n\nExample:\n  OPENAI_API_KEY=... RESEARCH_KEY=... backstay serve --config backstay.toml"
    )]
    Serve {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// Leave out the access log on standard output.
        #[arg(long)]
        no_access_log: bool,
        /// What to log on standard error, as in `info` or `backstay=debug`.
        #[arg(long, default_value = "info", env = "BACKSTAY_LOG")]
        log: String,
        /// Worker threads; as many as there are cores by default.
        #[arg(long)]
        workers: Option<usize>,
    },
    /// Run the proxy on this machine alone, in front of simulated vendors that can be broken.
    #[command(
        after_help = "It needs no account and no network. Everything that it writes is in one folder, which is yours to edit.\n\nExamples:\n  backstay demo\n  backstay demo --duration 30s --quiet"
    )]
    Demo {
        /// The folder to write and to work in.
        #[arg(long, default_value = "backstay-demo")]
        folder: PathBuf,
        /// The proxy's port; 8443, or a free one if that is taken, unless given. 0 takes free ports for everything.
        #[arg(long)]
        port: Option<u16>,
        /// End by itself after this time, as in `30s`.
        #[arg(long, value_parser = humantime::parse_duration)]
        duration: Option<Duration>,
        /// Break nothing by itself.
        #[arg(long)]
        quiet: bool,
    },
    /// Compile everything that `serve` would, and print every finding.
    #[command(
        after_help = "Exit code 0 when `serve` would start, 1 when it would not.\n\nExamples:\n  backstay check\n  backstay check --json\n  backstay check --schema > backstay.schema.json"
    )]
    Check {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// Print findings as JSON.
        #[arg(long)]
        json: bool,
        /// Print the JSON Schema of the config file, for editors, and nothing else.
        #[arg(long)]
        schema: bool,
    },
    /// Keep a vendor, endpoint, credential, region or model of a running proxy from being asked.
    #[command(
        after_help = "It is in force at once, for calls under way too, and over restarts, until somebody releases it.\n\nExamples:\n  backstay restrict --vendor openai --reason \"order of 12 June\" --token-file secrets/me\n  backstay restrict --region cn-north-1 --model qwen-max --token-file secrets/me"
    )]
    Restrict {
        #[command(flatten)]
        what: operate::What,
        /// Why, for the decision log and the status page.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        operator: operate::Operator,
    },
    /// Lift a restriction of a running proxy.
    #[command(
        after_help = "The status page, the log and the alert name the id.\n\nExample:\n  backstay release 3f9c01ab --token-file secrets/me"
    )]
    Release {
        /// The restriction's id.
        id: String,
        #[command(flatten)]
        operator: operate::Operator,
    },
    /// Check or show a decision log.
    Audit {
        #[command(subcommand)]
        act: audit::Act,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  backstay completions bash > /etc/bash_completion.d/backstay")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Zsh,
    Elvish,
    Powershell,
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { config, no_access_log, log, workers } => serve::run(config, !no_access_log, &log, workers),
        Command::Demo { folder, port, duration, quiet } => {
            demo::run(Options { folder, port, duration, quiet, ..Options::default() })
        }
        Command::Check { schema: true, .. } => check::schema(),
        Command::Check { config, json, .. } => check::run(&config, json),
        Command::Restrict { what, reason, operator } => operate::restrict(&operator, &what, &reason),
        Command::Release { id, operator } => operate::release(&operator, &id),
        Command::Audit { act } => audit::run(act),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> ExitCode {
    use clap_complete::Shell as Known;
    let shell = match shell {
        Shell::Bash => Known::Bash,
        Shell::Fish => Known::Fish,
        Shell::Zsh => Known::Zsh,
        Shell::Elvish => Known::Elvish,
        Shell::Powershell => Known::PowerShell,
    };
    clap_complete::generate(shell, &mut Cli::command(), "backstay", &mut std::io::stdout());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
