//! Secrets: where they are, never what they are.

use crate::base::hash::Digest;
use crate::config::reader::{At, Read, Reader};
use crate::config::section::section;
use crate::config::values::FilePath;
use serde_json::Value as Json;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

type Value<'i> = Spanned<DeValue<'i>>;

/// A secret that is written elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, whose surrounding white space does not count.
    File(PathBuf),
}

section! {
    /// Where a secret is.
    SecretTable {
        /// Environment variable that holds it.
        env: Option<String>,
        /// File that holds it; read again when it changes.
        file: Option<FilePath>,
    }
}

const SECRET_HELP: &str = "write { env = \"NAME_OF_A_VARIABLE\" } or { file = \"path/of/a/file\" }";

impl Read for SecretSource {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if value.get_ref().is_str() {
            reader.error(value, "a secret is never written into the config itself", SECRET_HELP);
            return None;
        }
        let table: SecretTable = whole(value, reader)?;
        Self::of(table.env, table.file, value, reader)
    }

    fn schema() -> Json {
        SecretTable::schema()
    }
}

impl SecretSource {
    fn of(env: Option<String>, file: Option<FilePath>, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match (env, file) {
            (Some(name), None) if is_variable_name(&name) => Some(Self::Env(name)),
            (Some(_), None) => {
                let message = "`env` takes the name of an environment variable: letters, digits and underscores";
                reader.error(value, message, "the secret itself belongs into that variable");
                None
            }
            (None, Some(FilePath(file))) => Some(Self::File(file)),
            (Some(_), Some(_)) => {
                reader.error(value, "a secret has one source, not both `env` and `file`", "remove one of the two");
                None
            }
            (None, None) => {
                reader.error(value, "a secret needs a source", SECRET_HELP);
                None
            }
        }
    }
}

fn is_variable_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// How a key's secret is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySecret {
    /// The secret itself is somewhere.
    Source(SecretSource),
    /// Its SHA-256 in hexadecimal digits is written here: it tells nothing.
    Sha256(Digest),
}

section! {
    /// Where a key's secret is, or its digest.
    KeySecretTable {
        /// Environment variable that holds it.
        env: Option<String>,
        /// File that holds it; read again when it changes.
        file: Option<FilePath>,
        /// SHA-256 of the secret, 64 hexadecimal digits.
        sha256: Option<String>,
    }
}

impl Read for KeySecret {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if value.get_ref().is_str() {
            let help = format!("{SECRET_HELP} or {{ sha256 = \"64 hexadecimal digits\" }}");
            reader.error(value, "a secret is never written into the config itself", help);
            return None;
        }
        let table: KeySecretTable = whole(value, reader)?;
        let Some(hex) = table.sha256 else {
            return SecretSource::of(table.env, table.file, value, reader).map(Self::Source);
        };
        let digest = Digest::from_hex(&hex);
        if digest.is_none() {
            reader.error(
                value,
                "`sha256` takes 64 hexadecimal digits",
                "printf %s \"$SECRET\" | sha256sum prints them",
            );
        }
        if table.env.is_some() || table.file.is_some() {
            reader.error(value, "a secret has one source, `sha256` or another", "remove one of the two");
        }
        digest.map(Self::Sha256)
    }

    fn schema() -> Json {
        KeySecretTable::schema()
    }
}

section! {
    /// One of several credentials.
    CredentialTable {
        /// What metrics and logs call it.
        name: At<String>,
        /// Environment variable that holds it.
        env: Option<String>,
        /// File that holds it; read again when it changes.
        file: Option<FilePath>,
    }
}

/// A credential with a name.
#[derive(Clone, Debug)]
pub struct NamedCredential {
    /// What metrics and logs call it.
    pub name: At<String>,
    /// Where it is.
    pub secret: At<SecretSource>,
}

impl Read for NamedCredential {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let table: CredentialTable = whole(value, reader)?;
        let secret = SecretSource::of(table.env, table.file, value, reader)?;
        let place = reader.place(value.span().start);
        Some(Self { name: table.name, secret: At { value: secret, place } })
    }

    fn schema() -> Json {
        CredentialTable::schema()
    }
}

/// A table in which nothing was wrong: what a half-read one seems to lack is not said.
fn whole<T: Read>(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<T> {
    let found = reader.diagnostics.len();
    T::read(value, reader).filter(|_| reader.diagnostics.len() == found)
}
