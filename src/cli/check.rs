//! `backstay check`: the checker is the loader.

use crate::app::environment;
use crate::base::diagnostic::Diagnostic;
use crate::cli::print;
use crate::config::{load, schema};
use crate::snapshot::{Snapshot, compile};
use crate::state::clock::Clock;
use std::path::Path;
use std::process::ExitCode;

/// Compiles what `serve` would, and prints what was found.
pub(super) fn run(config: &Path, json: bool) -> ExitCode {
    let compiled = load::load(config, &environment).and_then(|sources| compile(&sources, 1, Clock::unix_seconds()));
    let (snapshot, diagnostics) = match compiled {
        Ok((snapshot, warnings)) => (Some(snapshot), warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    if json {
        println!("{:#}", print::as_json(&diagnostics));
    } else {
        print::diagnostics(&diagnostics);
        match &snapshot {
            Some(snapshot) => println!("{}", summary(snapshot, &diagnostics)),
            None => eprintln!("backstay serve would not start with {}", config.display()),
        }
    }
    if snapshot.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the JSON Schema of the config file.
pub(super) fn schema() -> ExitCode {
    println!("{:#}", schema::document());
    ExitCode::SUCCESS
}

fn summary(snapshot: &Snapshot, warnings: &[Diagnostic]) -> String {
    let pools = snapshot.pools.iter().filter(|(name, pool)| **name == pool.name).count();
    format!(
        "ok: {} listener(s), {pools} pool(s), {} deployment(s), {} key(s), policies {}; {} warning(s)",
        snapshot.listeners.len(),
        snapshot.deployments.len(),
        snapshot.keys.by_name.len(),
        snapshot.policy_digest,
        warnings.len(),
    )
}
