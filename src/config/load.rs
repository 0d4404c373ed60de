//! Reads the files and the environment: the only place below the upper floors that does.

use crate::base::diagnostic::{Diagnostic, Place, Severity};
use crate::base::secret::Secret;
use crate::config::defaults;
use crate::config::reader::{At, Reader, Section, Single, TablesOf, resolve};
use crate::config::secrets::{KeySecret, SecretSource};
use crate::config::sources::{Sources, TextFile};
use crate::config::tables::{Config, PriceBook};
use crate::config::values::FilePath;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

mod policies;

/// Looks an environment variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the config at `path` and every file and variable that it names.
///
/// # Errors
/// Diagnostics of a main file or include that is unreadable or not TOML at all. Everything milder is in
/// [`Sources::diagnostics`], so that compiling can add its own findings.
pub fn load(path: &Path, env: Environment<'_>) -> Result<Sources, Vec<Diagnostic>> {
    let mut loader = Loader::default();
    let Some(config) = loader.config(path) else {
        return Err(loader.diagnostics);
    };
    loader.references(&config, env);
    Ok(loader.with_policies(path, config, None))
}

/// The same for tools that look and do not serve, on machines without secrets and certificates: `policies` replaces the
/// config's folder of policies.
///
/// # Errors
/// As [`load`].
pub fn load_dry(path: &Path, policies: Option<&Path>) -> Result<Sources, Vec<Diagnostic>> {
    let mut loader = Loader { dry: true, ..Loader::default() };
    let Some(config) = loader.config(path) else {
        return Err(loader.diagnostics);
    };
    loader.references(&config, &|_| None);
    Ok(loader.with_policies(path, config, policies))
}

/// What diagnostics call the config of a folder of policies alone.
const NO_CONFIG: &str = "(no config)";

/// The policies of a folder over a config that has nothing in it: for tests, which bring their own inventory.
///
/// # Errors
/// None but what cannot happen: the empty config is a config.
pub fn load_policies(folder: &Path) -> Result<Sources, Vec<Diagnostic>> {
    let mut reader = Reader::new(folder, "");
    let Some(config) = reader.document() else { return Err(reader.diagnostics) };
    Ok(Loader { dry: true, ..Loader::default() }.with_policies(Path::new(NO_CONFIG), config, Some(folder)))
}

/// The properties that the policies of a folder must have.
///
/// # Errors
/// What cannot be read.
pub fn load_properties(folder: &Path) -> Result<Vec<TextFile>, Vec<Diagnostic>> {
    let mut loader = Loader { dry: true, ..Loader::default() };
    let files = loader.properties(folder);
    if loader.diagnostics.is_empty() { Ok(files) } else { Err(loader.diagnostics) }
}

#[derive(Default)]
struct Loader {
    diagnostics: Vec<Diagnostic>,
    texts: Vec<TextFile>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    secrets: BTreeMap<SecretSource, Secret>,
    watched: BTreeSet<PathBuf>,
    /// Whether nothing will be served: see [`Sources::dry`].
    dry: bool,
}

impl Loader {
    /// What was read, with the policies of `folder`, or of the config's own.
    fn with_policies(mut self, path: &Path, config: Config, folder: Option<&Path>) -> Sources {
        let policies = self.policies(path, &config, folder);
        let zones = self.zones(&policies);
        let policy_tests = self.policy_tests(&policies);
        let prices = self.prices(path);
        let models = self.models(path);
        Sources {
            path: path.to_owned(),
            config,
            policies,
            zones,
            policy_tests,
            prices,
            models,
            dry: self.dry,
            diagnostics: self.diagnostics,
            texts: self.texts,
            files: self.files,
            secrets: self.secrets,
            watched: self.watched,
        }
    }

    /// The main file with its includes.
    fn config(&mut self, path: &Path) -> Option<Config> {
        let mut config: Config = self.document(path, &Place::file(path))?;
        let mut readable = true;
        for include in std::mem::take(&mut config.include) {
            for file in self.included(&include) {
                if self.texts.iter().any(|text| text.path == file) {
                    self.error(include.place.clone(), format!("{} is included twice", file.display()), "");
                    continue;
                }
                match self.document(&file, &include.place) {
                    Some(part) => self.merge(&mut config, part),
                    None => readable = false,
                }
            }
        }
        readable.then_some(config)
    }

    fn document<T: Section>(&mut self, path: &Path, place: &Place) -> Option<T> {
        let text = self.text(path, place)?;
        let mut reader = Reader::new(path, &text);
        let document = reader.document();
        self.diagnostics.append(&mut reader.diagnostics);
        self.texts.push(TextFile { path: path.to_owned(), text });
        document
    }

    /// The files of one `include`: a file, or the TOML files of a folder in order of their names.
    fn included(&mut self, include: &At<FilePath>) -> Vec<PathBuf> {
        let path = &include.value.0;
        if !path.is_dir() {
            return vec![path.clone()];
        }
        self.watched.insert(path.clone());
        match files_in(path, "toml") {
            Ok(files) => files,
            Err(error) => {
                let message = format!("cannot read the folder {}: {error}", path.display());
                self.error(include.place.clone(), message, "");
                Vec::new()
            }
        }
    }

    fn merge(&mut self, config: &mut Config, part: Config) {
        for include in part.include {
            let help = "list the file in the main config";
            self.error(include.place, "an included file cannot include others", help);
        }
        join(&mut config.listener, part.listener);
        join(&mut config.vendor, part.vendor);
        join(&mut config.endpoint, part.endpoint);
        join(&mut config.deployment, part.deployment);
        join(&mut config.pool, part.pool);
        join(&mut config.team, part.team);
        join(&mut config.key, part.key);
        self.only_one("admin", &mut config.admin, part.admin);
        self.only_one("state", &mut config.state, part.state);
        self.only_one("alerts", &mut config.alerts, part.alerts);
        self.only_one("audit", &mut config.audit, part.audit);
        self.only_one("server", &mut config.server, part.server);
        self.only_one("policy", &mut config.policy, part.policy);
    }

    fn only_one<T>(&mut self, name: &str, slot: &mut Single<T>, further: Single<T>) {
        match (&slot.0, further.0) {
            (Some(first), Some(second)) => {
                let help = format!("the first one is at {}", first.place);
                self.error(second.place, format!("[{name}] is declared twice"), help);
            }
            (None, further @ Some(_)) => slot.0 = further,
            (_, None) => {}
        }
    }

    /// Every certificate, secret and variable that the config names.
    fn references(&mut self, config: &Config, env: Environment<'_>) {
        for listener in config.listener.iter().filter_map(|named| named.body.as_ref()) {
            let several = listener.certificates.iter().map(|both| (&both.chain, &both.key));
            let single = listener.certificate.as_ref().zip(listener.private_key.as_ref());
            for (chain, key) in several.chain(single) {
                self.public(chain);
                self.secret(&key.place, &SecretSource::File(key.value.0.clone()), env);
            }
            self.publics(&listener.client_roots);
            self.publics(&listener.client_crls);
        }
        for vendor in config.vendor.iter().filter_map(|named| named.body.as_ref()) {
            self.publics(&vendor.ca_file);
            let several = vendor.credentials.iter().map(|credential| &credential.secret);
            several.chain(&vendor.credential).for_each(|source| self.secret(&source.place, source, env));
        }
        for endpoint in config.endpoint.iter().filter_map(|named| named.body.as_ref()) {
            self.publics(&endpoint.ca_file);
            let several = endpoint.credentials.iter().map(|credential| &credential.secret);
            several.chain(&endpoint.credential).for_each(|source| self.secret(&source.place, source, env));
        }
        for secret in config.key.iter().filter_map(|named| named.body.as_ref()?.secret.as_ref()) {
            if let KeySecret::Source(source) = &secret.value {
                self.secret(&secret.place, source, env);
            }
        }
        if let Some(operators) = config.admin.as_ref().and_then(|admin| admin.operators.as_ref()) {
            self.secret(&operators.place, operators, env);
        }
        if let Some(webhook) = config.alerts.as_ref().and_then(|alerts| alerts.webhook.as_ref()) {
            self.secret(&webhook.place, webhook, env);
        }
        if let Some(audit) = config.audit.as_ref() {
            let keys = [&audit.signing_key, &audit.hash_key].into_iter().flatten();
            keys.for_each(|source| self.secret(&source.place, source, env));
        }
    }

    fn publics(&mut self, file: &Option<At<FilePath>>) {
        if let Some(file) = file {
            self.public(file);
        }
    }

    fn public(&mut self, file: &At<FilePath>) {
        if self.dry {
            return;
        }
        if let Some(bytes) = self.bytes(&file.value.0, &file.place) {
            self.files.insert(file.value.0.clone(), bytes);
        }
    }

    fn secret(&mut self, place: &Place, source: &SecretSource, env: Environment<'_>) {
        let text = match source {
            // every source its own, so that no two keys look the same
            SecretSource::Env(name) if self.dry => Some(format!("stand-in-for-the-variable-{name}")),
            SecretSource::File(path) if self.dry => Some(format!("stand-in-for-the-file-{}", path.display())),
            SecretSource::Env(name) => {
                let value = env(name);
                if value.is_none() {
                    let help = "set it where the proxy is started, or write { file = \"...\" } instead";
                    self.error(place.clone(), format!("the environment variable {name} is not set"), help);
                }
                value
            }
            SecretSource::File(path) => {
                let text = self.text(path, place);
                if text.is_some() {
                    self.warn_of_readers(path, place);
                }
                text
            }
        };
        if let Some(text) = text {
            self.secrets.insert(source.clone(), Secret::new(text));
        }
    }

    fn prices(&mut self, main: &Path) -> Option<PriceBook> {
        let path = resolve(main, Path::new(defaults::PRICE_FILE));
        if !path.exists() {
            return None;
        }
        self.document(&path, &Place::file(&path))
    }

    fn models(&mut self, main: &Path) -> Option<TextFile> {
        let path = resolve(main, Path::new(defaults::MODELS_FILE));
        if !path.exists() {
            return None;
        }
        let text = self.text(&path, &Place::file(&path))?;
        let file = TextFile { path, text };
        self.texts.push(file.clone());
        Some(file)
    }

    fn text(&mut self, path: &Path, place: &Place) -> Option<String> {
        let bytes = self.bytes(path, place)?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let message = format!("{} is not UTF-8 text (byte {at})", path.display());
                self.error(place.clone(), message, "");
                None
            }
        }
    }

    /// The content of a regular file under the size limit.
    fn bytes(&mut self, path: &Path, place: &Place) -> Option<Vec<u8>> {
        self.watch_folder_of(path);
        match read_bounded(path) {
            Ok(bytes) => Some(bytes),
            Err(problem) => {
                self.error(place.clone(), format!("cannot read {}: {problem}", path.display()), "");
                None
            }
        }
    }

    /// The folder that names the file, and the one where the file is in truth: either may change.
    fn watch_folder_of(&mut self, path: &Path) {
        let folder = |path: &Path| match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        };
        self.watched.insert(folder(path));
        if let Some(target) = fs::canonicalize(path).ok().filter(|_| path.is_symlink()) {
            self.watched.insert(folder(&target));
        }
    }

    /// Warns where others than the owner may read a secret.
    #[cfg(unix)]
    fn warn_of_readers(&mut self, path: &Path, place: &Place) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode()).unwrap_or_default();
        let seen = self.diagnostics.iter().any(|seen| seen.severity == Severity::Warning && seen.place == *place);
        if mode & 0o044 != 0 && !seen {
            let message = format!("{} can be read by others than its owner (mode {:o})", path.display(), mode & 0o777);
            let help = format!("chmod 600 {}", path.display());
            self.diagnostics.push(Diagnostic::warning(place.clone(), message).help(help));
        }
    }

    #[cfg(not(unix))]
    fn warn_of_readers(&mut self, _path: &Path, _place: &Place) {}

    fn error(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(place, message).help(help));
    }
}

fn join<T>(all: &mut TablesOf<T>, part: TablesOf<T>) {
    all.0.extend(part.0);
}

/// Whether the file is, in truth, in the folder: links may lead out of it.
fn is_inside(file: &Path, folder: &Path) -> bool {
    let both = fs::canonicalize(file).ok().zip(fs::canonicalize(folder).ok());
    both.is_none_or(|(file, folder)| file.starts_with(folder))
}

/// The visible files of a folder with this extension, sorted by name.
fn files_in(folder: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    // opening a pipe or device could block for ever
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let limit = defaults::MAX_FILE_BYTES;
    let too_large = || format!("it is larger than {} MiB (limit MAX_FILE_BYTES)", limit >> 20);
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
