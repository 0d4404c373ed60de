//! Virtual keys: who a client is and what it may ask for.

use crate::base::hash::Digest;
use crate::base::secret::same_digest;
use crate::snapshot::budget::{Budget, Team};
use crate::snapshot::pool::Pool;
use crate::snapshot::vendor_path::VendorPath;
use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

/// What a key, or the keys of a team together, may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Requests a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens a minute, of prompts and answers together.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Exchanges at once.
    pub concurrency: Option<u32>,
}

/// An id at a vendor that a key may use although it did not create it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedId {
    /// The endpoint that holds it.
    pub endpoint: Arc<str>,
    /// The id, or how it begins.
    pub id: Arc<str>,
    /// Whether every id that begins so is granted.
    pub is_beginning: bool,
}

impl GrantedId {
    /// Whether this is the id, or one of those.
    #[must_use]
    pub fn covers(&self, id: &str) -> bool {
        if self.is_beginning { id.starts_with(&*self.id) } else { *self.id == *id }
    }
}

/// A virtual key.
#[derive(Debug)]
pub struct Key {
    /// Its position among the keys of the snapshot, which policy knows it by.
    pub index: usize,
    /// Its name in the config.
    pub name: Arc<str>,
    /// The models it may ask for, by pool name; empty for all.
    pub models: Vec<Arc<str>>,
    /// Zone whose law its users are under.
    pub jurisdiction: Arc<str>,
    /// Zone where its data must stay, `any` where they may go anywhere.
    pub residency: Arc<str>,
    /// What every call of it is assumed to hold.
    pub data: Vec<Arc<str>>,
    /// Whether its users are screened for export control.
    pub screened: bool,
    /// Its team.
    pub team: Option<Arc<Team>>,
    /// Its limits.
    pub limit: Limit,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// Seconds since 1970 at which it stops working.
    pub expires: Option<i64>,
    /// Time that one exchange may take at most, where narrower than the pool's.
    pub deadline: Option<Duration>,
    /// What it may use of vendors' APIs as they are.
    pub vendor_paths: Vec<VendorPath>,
    /// Ids at vendors that it may use although it did not create them.
    pub server_ids: Vec<GrantedId>,
}

impl Key {
    /// Whether the key may ask for `pool`.
    #[must_use]
    pub fn may_ask(&self, pool: &Pool) -> bool {
        self.models.is_empty() || self.models.contains(&pool.name)
    }
}

/// All keys, found by the digest of their secret or by their certificate's identity.
#[derive(Debug, Default)]
pub struct KeyRing {
    /// By SHA-256 of the secret.
    pub by_digest: HashMap<Digest, Arc<Key>>,
    /// By subject alternative name, as in `uri:spiffe://...` or `dns:...`.
    pub by_certificate: HashMap<Arc<str>, Arc<Key>>,
    /// By name in the config.
    pub by_name: HashMap<Arc<str>, Arc<Key>>,
}

impl KeyRing {
    /// The key whose secret the client presented. The look-up is by digest, so its time tells nothing about the secret;
    /// the digest that was found is compared again in constant time.
    #[must_use]
    pub fn by_secret(&self, presented: &[u8]) -> Option<&Arc<Key>> {
        let digest = Digest::plain(presented);
        let (stored, key) = self.by_digest.get_key_value(&digest)?;
        same_digest(stored, &digest).then_some(key)
    }

    /// The key of that name in the config.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Key>> {
        self.by_name.get(name)
    }

    /// The key of the first of the certificate's names that has one.
    pub fn by_certificate<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<&Arc<Key>> {
        names.into_iter().find_map(|name| self.by_certificate.get(name))
    }
}
