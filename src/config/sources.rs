//! Everything that compiling needs, read: plain data, the same bytes whoever looks.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::hash::Digest;
use crate::base::secret::Secret;
use crate::config::secrets::SecretSource;
use crate::config::tables::{Config, PriceBook};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Its path, as diagnostics name it.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// Where the policies come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// There is no folder: the built-in base policy serves.
    BuiltIn,
    /// These files, sorted by name.
    Folder {
        /// The folder, for diagnostics that concern no single file.
        path: PathBuf,
        /// Its policy files.
        files: Vec<TextFile>,
    },
}

/// What was read for one compilation.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The main file, as the user named it.
    pub path: PathBuf,
    /// What main file and includes say together.
    pub config: Config,
    /// The policies.
    pub policies: PolicySource,
    /// Dated prices, where there is such a file.
    pub prices: Option<PriceBook>,
    /// What models can do, where there is such a file; else what comes with the program counts.
    pub models: Option<TextFile>,
    /// What was found while reading: errors here make the compilation fail, together with its own.
    pub diagnostics: Vec<Diagnostic>,
    /// Config files and price book by path.
    pub(super) texts: Vec<TextFile>,
    /// Certificates by path.
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
    /// Secrets by where they are written, private keys among them.
    pub(super) secrets: BTreeMap<SecretSource, Secret>,
    /// Directories whose changes may change any of this.
    pub(super) watched: BTreeSet<PathBuf>,
}

impl Sources {
    /// The content of a certificate file; `None` when it could not be read, which `diagnostics` tell.
    #[must_use]
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A secret as it was found; `None` when it could not be read, which `diagnostics` tell.
    #[must_use]
    pub fn secret(&self, source: &SecretSource) -> Option<&Secret> {
        self.secrets.get(source)
    }

    /// The text of a config file, for diagnostics that quote it.
    #[must_use]
    pub fn text(&self, path: &Path) -> Option<&str> {
        self.texts.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The digest of everything that was read: files, policies, prices, secrets and variables.
    ///
    /// Two equal digests compile to the same snapshot.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let policies = match &self.policies {
            PolicySource::BuiltIn => &[][..],
            PolicySource::Folder { files, .. } => files,
        };
        let mut parts: Vec<(&str, Vec<u8>, &[u8])> = Vec::new();
        let texts = self.texts.iter().map(|file| ("config", file));
        let policies = policies.iter().map(|file| ("policy", file));
        for (kind, file) in texts.chain(policies) {
            parts.push((kind, path_bytes(&file.path), file.text.as_bytes()));
        }
        for (path, content) in &self.files {
            parts.push(("file", path_bytes(path), content));
        }
        for (source, secret) in &self.secrets {
            let (kind, name) = match source {
                SecretSource::Env(name) => ("variable", name.as_bytes().to_vec()),
                SecretSource::File(path) => ("secret", path_bytes(path)),
            };
            parts.push((kind, name, secret.expose().as_bytes()));
        }
        // a file that cannot be read leaves no bytes, but it is news all the same
        let errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        for error in &errors {
            parts.push(("error", Vec::new(), error.as_bytes()));
        }
        Digest::of_parts(parts.iter().flat_map(|(kind, name, content)| [kind.as_bytes(), name, content]))
    }

    /// The directories to watch: an event in any of them may mean a change of any file.
    pub fn watched(&self) -> impl Iterator<Item = &Path> {
        self.watched.iter().map(PathBuf::as_path)
    }
}

fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}
