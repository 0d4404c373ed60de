//! The files that a tool looks at, on a machine that need not have the proxy's secrets.

use crate::app::environment;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::config::load;
use crate::config::sources::{PolicySource, Sources};
use std::path::Path;

/// Reads the config, with the policies of another folder where one is given. Without a config, the folder alone.
///
/// Variables that are not set count as set: nothing here sends anything.
pub(super) fn read(config: &Path, policies: Option<&Path>) -> Result<Sources, Vec<Diagnostic>> {
    match policies {
        None => load::load(config, &any_variable),
        Some(folder) if config.exists() => load::load_with_policies(config, folder, &any_variable),
        Some(folder) => load::load_policies(folder),
    }
}

/// The variable, or something that stands for it and is not the same as another's.
fn any_variable(name: &str) -> Option<String> {
    environment(name).or_else(|| Some(format!("unset-{name}")))
}

/// Those errors that concern policies, their zones and their tests.
pub(super) fn policy_errors(sources: &Sources, found: &[Diagnostic]) -> Vec<Diagnostic> {
    let PolicySource::Folder { path: folder, .. } = &sources.policies else { return Vec::new() };
    let concerns = |found: &&Diagnostic| found.severity == Severity::Error && found.place.file.starts_with(folder);
    found.iter().filter(concerns).cloned().collect()
}
