//! Who may be sent where: every key's ordinary calls, over all of its pools and all data classes.

use crate::call::needs::Needs;
use crate::policy::Ask;
use crate::snapshot::Snapshot;
use crate::snapshot::explain::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The hour of an ordinary call.
const NOON: u32 = 12;

/// One kind of call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Whose it is.
    pub key: Arc<str>,
    /// What it asks for.
    pub pool: Arc<str>,
    /// A data class beside what the key says; `None` for nothing more.
    pub data: Option<Arc<str>>,
}

/// What may be used for one kind of call, by deployment id: nothing stands against it, or these do.
pub type Reach = BTreeMap<Arc<str>, Vec<Reason>>;

impl Snapshot {
    /// Where every kind of call may go, as far as policies and ceilings decide, at this second since 1970.
    #[must_use]
    pub fn reach(&self, at: i64) -> BTreeMap<Kind, Reach> {
        let mut all = BTreeMap::new();
        let keys: BTreeMap<_, _> = self.keys.by_name.iter().collect();
        for (name, key) in keys {
            for pool in self.pools_of(key) {
                for data in std::iter::once(None).chain(self.policy.vocabulary().data.iter().map(Some)) {
                    let classes: BTreeSet<Arc<str>> = key.data.iter().chain(data).cloned().collect();
                    if data.is_some() && classes.len() == key.data.len() {
                        continue;
                    }
                    let ask = Ask {
                        data: classes.into_iter().collect(),
                        residency: Arc::clone(&key.residency),
                        screened: key.screened,
                        needs: Needs::NONE,
                        attempt: 0,
                        depth: 0,
                        input_tokens: 0,
                        output_tokens: 0,
                        hour: NOON,
                    };
                    let reach = pool.deployments().map(|deployment| {
                        let mut against = self.policy_reasons(key, &ask, deployment);
                        if !pool.ceiling().admits(deployment.rates.base(at)) {
                            let reason = "the pool's `max_price`".to_owned();
                            against.push(Reason { code: "price".to_owned(), reason, ..Reason::default() });
                        }
                        (Arc::clone(&deployment.id), against)
                    });
                    let kind = Kind { key: Arc::clone(name), pool: Arc::clone(&pool.name), data: data.cloned() };
                    all.insert(kind, reach.collect());
                }
            }
        }
        all
    }
}
