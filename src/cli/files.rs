//! The files that a tool looks at, on a machine that need not have the proxy's secrets.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::cli::print;
use crate::config::load;
use crate::config::sources::{PolicySource, Sources};
use crate::snapshot::{Snapshot, compile};
use crate::state::clock::Clock;
use std::path::Path;

/// Reads the config, with the policies of another folder where one is given. Without a config, the folder alone.
pub(super) fn read(config: &Path, policies: Option<&Path>) -> Result<Sources, Vec<Diagnostic>> {
    match policies {
        Some(folder) if !config.exists() => load::load_policies(folder),
        policies => load::load_dry(config, policies),
    }
}

/// Compiles the config, and prints why it cannot be.
pub(super) fn snapshot(config: &Path, policies: Option<&Path>) -> Option<Snapshot> {
    let compiled = load::load_dry(config, policies).and_then(|sources| compile(&sources, 1, Clock::unix_seconds()));
    match compiled {
        Ok((snapshot, _)) => Some(snapshot),
        Err(diagnostics) => {
            print::diagnostics(&diagnostics);
            None
        }
    }
}

/// Those errors that concern policies, their zones and their tests.
pub(super) fn policy_errors(sources: &Sources, found: &[Diagnostic]) -> Vec<Diagnostic> {
    let PolicySource::Folder { path: folder, .. } = &sources.policies else { return Vec::new() };
    let concerns = |found: &&Diagnostic| found.severity == Severity::Error && found.place.file.starts_with(folder);
    found.iter().filter(concerns).cloned().collect()
}
