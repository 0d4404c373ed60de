//! Floor 3: the compiled, immutable world that an exchange takes once and keeps to its end.

pub mod audit;
pub mod bounds;
pub mod budget;
mod compile;
pub mod deployment;
pub mod eligibility;
pub mod explain;
pub mod feed;
pub mod key;
pub mod listener;
pub mod narrowing;
pub mod permit;
pub mod policy_test;
pub mod pool;
pub mod proof;
pub mod properties;
pub mod reach;
pub mod standing;
pub mod vendor_path;

pub use compile::{compile, test_policies};

use crate::base::hash::Digest;
use crate::base::secret::Secret;
use crate::snapshot::audit::Audit;
use crate::snapshot::bounds::Bounds;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::feed::Feed;
use crate::snapshot::key::{Key, KeyRing};
use crate::snapshot::listener::{Admin, Listener};
use crate::snapshot::pool::Pool;
use crate::snapshot::standing::Standing;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that was compiled from the files, under one generation number.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts accepted compilations of this process, from 1.
    pub generation: u64,
    /// Digest of all sources.
    pub digest: Digest,
    /// Digest of the policies alone, shortened: what a decision is recorded with.
    pub policy_digest: Arc<str>,
    /// Where clients are accepted.
    pub listeners: Vec<Arc<Listener>>,
    /// Where people are.
    pub admin: Admin,
    /// Bounds of what clients may do.
    pub bounds: Bounds,
    /// The directory of durable state.
    pub state_directory: PathBuf,
    /// The address that alerts are posted to, if there is one.
    pub webhook: Option<Secret>,
    /// How the decision log is kept, if it is.
    pub audit: Option<Audit>,
    /// Virtual keys, found by digest or by certificate.
    pub keys: KeyRing,
    /// Every pool by its public name and aliases.
    pub pools: HashMap<Arc<str>, Arc<Pool>>,
    /// Every deployment of every pool, once, in order of their index.
    pub deployments: Vec<Arc<Deployment>>,
    /// Vendors' status pages.
    pub feeds: Vec<Feed>,
    /// Whether a deployment is taken out when an answer of it does not place it within its declared region.
    pub enforces_observed_region: bool,
    /// Where each deployment stands in law, in order of their index.
    pub standings: Vec<Standing>,
    /// The next second since 1970 at which a deployment's price changes by itself: what was compiled from it is stale then.
    pub prices_change_at: Option<i64>,
    /// The policies, compiled against this inventory.
    pub(crate) policy: crate::policy::Engine,
}

impl Snapshot {
    /// The policies as one text, in Cedar.
    #[must_use]
    pub fn policy_text(&self) -> String {
        self.policy.rules().iter().map(|rule| rule.text() + "\n").collect()
    }

    /// The schema that the policies are checked against, in Cedar's own language.
    #[must_use]
    pub fn policy_schema(&self) -> String {
        crate::policy::schema::text(self.policy.inventory())
    }

    /// What proofs take for granted of every inventory and every call, in Cedar; `properties` is what is to be proved.
    #[must_use]
    pub fn premises(&self, properties: &str) -> String {
        let spoken = self.policy_text() + properties;
        crate::policy::premises::text(self.policy.inventory(), &spoken)
    }

    /// The pools that `key` may ask for, by public name, sorted.
    #[must_use]
    pub fn pools_of(&self, key: &Key) -> Vec<Arc<Pool>> {
        let mut pools: Vec<_> = self
            .pools
            .iter()
            .filter(|(name, pool)| **name == pool.name && key.may_ask(pool))
            .map(|(_, pool)| Arc::clone(pool))
            .collect();
        pools.sort_by(|left, right| left.name.cmp(&right.name));
        pools
    }
}
