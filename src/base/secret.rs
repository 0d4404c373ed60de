//! Secrets that cannot be printed, and keys that are looked up by digest.

use crate::base::hash::Digest;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Text that never appears in a log, metric, error or `Debug`; wiped from memory when the last copy is dropped.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(SecretString::from(text)))
    }

    /// The text itself: only for the header that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The digest under which the secret is looked up.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::plain(self.expose().as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

/// Compares two digests in constant time.
#[must_use]
pub fn same_digest(left: &Digest, right: &Digest) -> bool {
    left.0.ct_eq(&right.0).into()
}
