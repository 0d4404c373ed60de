//! Files to snapshot: pure, and everything that is wrong is said at once.

mod audit;
mod auth;
mod certificates;
mod clouds;
mod deployments;
mod feeds;
mod keys;
mod listeners;
mod policy;
mod policy_tests;
mod pools;
mod prices;
mod quirks;
mod teams;
#[cfg(test)]
mod tests;
mod vendor_paths;
mod vendors;
mod zones;

use crate::base::diagnostic::{Diagnostic, Place, Severity, nearest};
use crate::base::secret::Secret;
use crate::catalog::Catalog;
use crate::config::secrets::SecretSource;
use crate::config::{At, Sources, Tables, defaults, names};
use crate::policy::vocabulary::Vocabulary;
use crate::snapshot::Snapshot;
use crate::snapshot::policy_test::PolicyTestOutcome;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Compiles what was read into the world of one generation. `now_unix` is the time in seconds since 1970, for
/// certificates and keys that expire.
///
/// # Errors
/// All diagnostics, warnings included, when any of them is an error; sorted by place.
pub fn compile(
    sources: &Sources,
    generation: u64,
    now_unix: i64,
) -> Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut compiler = Compiler::new(sources, now_unix);
    let snapshot = compiler.snapshot(generation);
    let mut diagnostics = without_echoes(sources, compiler.diagnostics);
    diagnostics.extend(sources.diagnostics.iter().cloned());
    diagnostics.sort_by(|left, right| (&left.place, &left.message).cmp(&(&right.place, &right.message)));
    diagnostics.dedup();
    match snapshot {
        Some(snapshot) if diagnostics.iter().all(|found| found.severity == Severity::Warning) => {
            Ok((snapshot, diagnostics))
        }
        Some(_) | None => Err(diagnostics),
    }
}

/// Compiles the policies and runs their own tests: what became of each, and what was found in all files.
#[must_use]
pub fn test_policies(sources: &Sources, now_unix: i64) -> (Vec<PolicyTestOutcome>, Vec<Diagnostic>) {
    let mut compiler = Compiler::new(sources, now_unix);
    let _ = compiler.snapshot(1);
    let mut diagnostics = without_echoes(sources, compiler.diagnostics);
    diagnostics.extend(sources.diagnostics.iter().cloned());
    diagnostics.sort_by(|left, right| (&left.place, &left.message).cmp(&(&right.place, &right.message)));
    diagnostics.dedup();
    (compiler.policy_tests, diagnostics)
}

/// Leaves out what follows from something that could not be read: it would send people to the wrong place.
fn without_echoes(sources: &Sources, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let errors = sources.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let lines: HashSet<(&Path, usize)> = errors.map(|found| (found.place.file.as_path(), found.place.line)).collect();
    let spoilt: HashSet<&Place> = sources.config.spoilt().collect();
    found.retain(|found| {
        let same_line = found.place.line > 0 && lines.contains(&(found.place.file.as_path(), found.place.line));
        !same_line && !spoilt.contains(&found.place)
    });
    found
}

/// One compilation.
struct Compiler<'a> {
    sources: &'a Sources,
    now: i64,
    vocabulary: Vocabulary,
    catalog: Cow<'static, Catalog>,
    diagnostics: Vec<Diagnostic>,
    policy_tests: Vec<PolicyTestOutcome>,
}

impl<'a> Compiler<'a> {
    fn new(sources: &'a Sources, now: i64) -> Self {
        Self {
            sources,
            now,
            vocabulary: Vocabulary::shipped(),
            catalog: Cow::Borrowed(Catalog::built_in()),
            diagnostics: Vec::new(),
            policy_tests: Vec::new(),
        }
    }
}

impl Compiler<'_> {
    fn snapshot(&mut self, generation: u64) -> Option<Snapshot> {
        self.extend_vocabulary();
        self.extend_zones();
        self.check_names();
        self.check_price_book();
        self.read_catalog();
        let places = self.places();
        let pools = self.pools(&places);
        let keys = self.keys(&pools);
        self.check_reservations(&pools, &keys.ring);
        let listeners = self.listeners();
        let admin = self.admin();
        let bounds = self.bounds();
        let (webhook, audit) = (self.webhook(), self.audit());
        let standings = self.standings(&pools);
        let feeds = self.feeds(&pools.deployments);
        let engine = self.engine(&pools, &keys);
        if let Some(engine) = &engine {
            self.policy_tests = self.run_policy_tests(engine);
        }
        self.warn_of_unused(&places);
        Some(Snapshot {
            generation,
            digest: self.sources.digest(),
            policy_digest: self.policy_digest(),
            listeners,
            admin: admin?,
            bounds,
            state_directory: self.state_directory(),
            webhook,
            audit,
            enforces_observed_region: self.enforces_observed_region(),
            standings,
            feeds,
            keys: keys.ring,
            pools: pools.by_name,
            prices_change_at: pools.deployments.iter().filter_map(|one| one.rates.next_change(self.now)).min(),
            deployments: pools.deployments,
            policy: engine?,
        })
    }

    /// Checks what things are called, in all tables whose names are free.
    fn check_names(&mut self) {
        let config = &self.sources.config;
        self.check_names_of("listener", &config.listener);
        self.check_names_of("vendor", &config.vendor);
        self.check_names_of("endpoint", &config.endpoint);
        self.check_names_of("pool", &config.pool);
        self.check_names_of("team", &config.team);
        self.check_names_of("key", &config.key);
        self.check_twice("deployment", &config.deployment);
    }

    fn check_names_of<T>(&mut self, kind: &str, tables: &Tables<T>) {
        for name in tables.iter().map(|named| &named.name) {
            if let Some(message) = names::wrong(name) {
                let aliases = if kind == "pool" { "; other names that clients ask for are `aliases`" } else { "" };
                self.error(&name.place, format!("[{kind}]: {message}"), format!("{}{aliases}", names::NAME_HELP));
            }
        }
        self.check_twice(kind, tables);
    }

    /// Within one file TOML itself refuses a name that is used twice; among several files we must.
    fn check_twice<T>(&mut self, kind: &str, tables: &Tables<T>) {
        let mut first: HashMap<&str, &Place> = HashMap::new();
        for name in tables.iter().map(|named| &named.name) {
            if let Some(place) = first.insert(name, &name.place) {
                let message = format!("the {kind} \"{}\" is declared twice", name.value);
                self.error(&name.place, message, format!("the first one is at {place}"));
            }
        }
    }

    /// A list of models beside the config stands in for the one that comes with the program.
    fn read_catalog(&mut self) {
        let Some(file) = &self.sources.models else { return };
        match Catalog::parse(&file.text) {
            Ok(catalog) => self.catalog = Cow::Owned(catalog),
            Err(problem) => {
                let help = "make it with scripts/distil-models.py, or remove it: then the list that ships serves";
                self.error(&Place::file(&file.path), format!("not a list of models: {problem}"), help);
            }
        }
    }

    fn state_directory(&self) -> std::path::PathBuf {
        let config = &self.sources.config;
        let named = config.state.as_ref().and_then(|state| state.directory.as_ref());
        match named {
            Some(directory) => directory.value.0.clone(),
            None => self.sources.path.with_file_name(defaults::STATE_DIRECTORY),
        }
    }

    /// The secret of one line that a header can carry; `None` once what is wrong has been said.
    fn token(&mut self, source: &At<SecretSource>) -> Option<Secret> {
        let found = self.sources.secret(source)?;
        let token = found.expose().trim();
        let problem = if token.is_empty() {
            "the secret is empty"
        } else if token.len() > defaults::MAX_SECRET_BYTES {
            "the secret is longer than 8 KiB"
        } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            "the secret holds blanks, line ends or other characters that no header can carry"
        } else {
            return Some(Secret::new(token.to_owned()));
        };
        let origin = match &source.value {
            SecretSource::Env(name) => format!("the environment variable {name}"),
            SecretSource::File(path) => path.display().to_string(),
        };
        self.error(&source.place, problem, format!("look at {origin}"));
        None
    }

    /// Reports a name that refers to nothing, with the one that was probably meant.
    fn unknown<'n>(&mut self, name: &At<String>, kind: &str, known: impl IntoIterator<Item = &'n str>) {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => format!("no {kind} is declared"),
            None if known.len() <= 12 => format!("there are: {}", known.join(", ")),
            None => String::new(),
        };
        let shown: String = name.chars().take(80).flat_map(char::escape_default).collect();
        self.error(&name.place, format!("there is no {kind} \"{shown}\""), help);
    }

    /// The zone that was named, as policies write it.
    fn zone(&mut self, typed: &At<String>) -> Option<Arc<str>> {
        let zone = self.vocabulary.zone(typed);
        if zone.is_none() {
            let help = match self.vocabulary.nearest_zone(typed) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "zones are countries by their two letters, EU, EEA and the like, and \"any\"".to_owned(),
            };
            self.error(&typed.place, format!("there is no zone \"{}\"", typed.escape_debug()), help);
        }
        zone
    }

    fn error(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(place.clone(), message).help(help));
    }

    fn warning(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(place.clone(), message).help(help));
    }
}
