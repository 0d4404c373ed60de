//! `backstay check`: the checker is the loader.

use crate::app::environment;
use crate::base::diagnostic::Diagnostic;
use crate::cli::print;
use crate::config::tables::PriceBook;
use crate::config::{load, schema};
use crate::snapshot::{Snapshot, compile};
use crate::state::clock::Clock;
use std::path::Path;
use std::process::ExitCode;

/// Compiles what `serve` would, and prints what was found.
pub(super) fn run(config: &Path, json: bool) -> ExitCode {
    let loaded = load::load(config, &environment);
    let prices = loaded.as_ref().map(|sources| prices(sources.prices.as_ref())).unwrap_or_default();
    let compiled = loaded.and_then(|sources| compile(&sources, 1, Clock::unix_seconds()));
    let (snapshot, diagnostics) = match compiled {
        Ok((snapshot, warnings)) => (Some(snapshot), warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    if json {
        println!("{:#}", print::as_json(&diagnostics));
    } else {
        print::diagnostics(&diagnostics);
        match &snapshot {
            Some(snapshot) => println!("{}", summary(snapshot, &prices, &diagnostics)),
            None => eprintln!("backstay serve would not start with {}", config.display()),
        }
    }
    if snapshot.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Of which day the prices are.
fn prices(own: Option<&PriceBook>) -> String {
    let day = |book: &PriceBook| book.day().map_or_else(|| "no date".to_owned(), |day| day.to_string());
    let shipped = PriceBook::shipped().map(day).unwrap_or_default();
    match own.map(day) {
        Some(own) => format!("prices of {own}, else shipped ones of {shipped}"),
        None => format!("shipped prices of {shipped}"),
    }
}

/// Prints the JSON Schema of the config file.
pub(super) fn schema() -> ExitCode {
    println!("{:#}", schema::document());
    ExitCode::SUCCESS
}

fn summary(snapshot: &Snapshot, prices: &str, warnings: &[Diagnostic]) -> String {
    let pools = snapshot.pools.iter().filter(|(name, pool)| **name == pool.name).count();
    format!(
        "ok: {} listener(s), {pools} pool(s), {} deployment(s), {} key(s), policies {}, {prices}; {} warning(s)",
        snapshot.listeners.len(),
        snapshot.deployments.len(),
        snapshot.keys.by_name.len(),
        snapshot.policy_digest,
        warnings.len(),
    )
}
