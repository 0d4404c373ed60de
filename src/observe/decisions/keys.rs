//! What the decision log is signed and its names are hashed with: from the configuration, or made once and kept beside it.

use crate::audit::Signer;
use crate::base::hash::hex;
use crate::base::secret::Secret;
use crate::snapshot::audit::Audit;
use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The key that signs, unless the configuration names one.
const SIGNING_KEY: &str = "signing.key";
/// The key that names are hashed with, unless the configuration names one.
pub const HASH_KEY: &str = "hash.key";
/// The key that auditors check with.
const VERIFIER_KEY: &str = "verifier.key";

/// What the log is signed and its names are hashed with.
pub(super) struct Keys {
    pub(super) origin: String,
    pub(super) signer: Signer,
    hash: hmac::Key,
    /// The hashes of the names of keys, of which there are as many as the configuration has: every record carries one.
    of_keys: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

impl Keys {
    /// Takes the keys that are configured, and finds or makes the others in the log's directory.
    pub(super) fn load(settings: &Audit, directory: &Path) -> io::Result<Self> {
        let signing = directory.join(SIGNING_KEY);
        let signer = match &settings.signing_key {
            Some(key) => parse(key.expose())?,
            None => match fs::read_to_string(&signing) {
                Ok(text) => parse(&text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => made(settings, &signing)?,
                Err(error) => return Err(error),
            },
        };
        let hashing = directory.join(HASH_KEY);
        let hash = match &settings.hash_key {
            Some(key) => key.clone(),
            None => match fs::read_to_string(&hashing) {
                Ok(text) => Secret::new(text.trim().to_owned()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let key = Secret::new(hex(&random()?));
                    write_secret(&hashing, &key)?;
                    key
                }
                Err(error) => return Err(error),
            },
        };
        let verifier = signer.verifier();
        fs::write(directory.join(VERIFIER_KEY), format!("{verifier}\n"))?;
        let origin = settings.origin.clone().unwrap_or_else(|| verifier.name().to_owned());
        Ok(Self { origin, signer, hash: hash_key(&hash), of_keys: Mutex::default() })
    }

    /// The name of a virtual key as the log has it.
    pub(super) fn key(&self, name: &Arc<str>) -> Arc<str> {
        let mut known = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = known.entry(Arc::clone(name)).or_insert_with(|| hashed(&self.hash, "key", name).into());
        Arc::clone(hash)
    }

    /// A person's or a machine's name as the log has it.
    pub(super) fn subject(&self, name: &str) -> String {
        hashed(&self.hash, "subject", name)
    }
}

/// The key behind the text of a hash key.
#[must_use]
pub fn hash_key(text: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, text.expose().trim().as_bytes())
}

/// What the log has for a name of this kind (`key`, `subject`): the first 128 bits of its HMAC-SHA256, in hexadecimal digits.
#[must_use]
pub fn hashed(key: &hmac::Key, kind: &str, name: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    [kind.as_bytes(), b"\n", name.as_bytes()].iter().for_each(|part| context.update(part));
    hex(context.sign().as_ref().get(..16).unwrap_or_default())
}

fn parse(text: &str) -> io::Result<Signer> {
    Signer::parse(text).map_err(|error| io::Error::other(format!("the signing key: {error}")))
}

fn made(settings: &Audit, path: &Path) -> io::Result<Signer> {
    let name = match &settings.origin {
        Some(origin) => origin.clone(),
        None => format!("backstay-{}", hex(random()?.get(..4).unwrap_or_default())),
    };
    let signer = Signer::new(&name, random()?).map_err(io::Error::other)?;
    write_secret(path, &signer.to_secret())?;
    Ok(signer)
}

/// 32 bytes that nobody can guess.
///
/// # Errors
/// The system has none.
pub fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(bytes)
}

/// A file that its owner alone may read, and that was not there before.
fn write_secret(path: &Path, secret: &Secret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()
}
