//! What policy says of all deployments of a pool at once.

use crate::policy::ask::Ask;
use crate::policy::inventory::Inventory;
use crate::policy::question::Size;
use crate::policy::verdict::Verdict;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The deployments of each pool.
#[derive(Debug)]
pub(super) struct Pools {
    /// By public name: a number, and the indexes of the deployments, in ascending order.
    by_name: HashMap<Arc<str>, (u32, Vec<usize>)>,
    /// The lengths of prompts, ascending, from which on some deployment charges more.
    lengths: BTreeSet<u64>,
}

impl Pools {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let named = inventory.pools.iter().zip(0..).map(|(name, number)| (Arc::clone(name), (number, Vec::new())));
        let mut by_name: HashMap<_, (u32, Vec<usize>)> = named.collect();
        for (index, deployment) in inventory.deployments.iter().enumerate() {
            for pool in &deployment.pools {
                if let Some((_, members)) = by_name.get_mut(pool) {
                    members.push(index);
                }
            }
        }
        let lengths = inventory.deployments.iter().flat_map(|deployment| &deployment.long_prices);
        Self { by_name, lengths: lengths.map(|(above, _)| *above).collect() }
    }

    /// How large a call is.
    pub(super) fn size(&self, ask: &Ask) -> Size {
        Size { tokens: ask.size(), tier: self.lengths.range(..ask.input_tokens).count() as u64 }
    }

    /// The number of the pool, and its deployments.
    pub(super) fn named(&self, name: &str) -> Option<(u32, &[usize])> {
        self.by_name.get(name).map(|(number, members)| (*number, members.as_slice()))
    }
}

/// What policy says of a call to each deployment of a pool.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// By the deployment's index, in ascending order.
    verdicts: Arc<[(usize, Verdict)]>,
}

impl Verdicts {
    /// What `decide` says of each of the deployments, which come in ascending order.
    pub(super) fn of(deployments: &[usize], decide: impl Fn(usize) -> Verdict) -> Self {
        Self { verdicts: deployments.iter().map(|deployment| (*deployment, decide(*deployment))).collect() }
    }

    /// What policy says of the deployment of this index; `None` where the pool has none of it.
    #[must_use]
    pub fn about(&self, deployment: usize) -> Option<&Verdict> {
        let place = self.verdicts.binary_search_by_key(&deployment, |(index, _)| *index).ok()?;
        self.verdicts.get(place).map(|(_, verdict)| verdict)
    }
}
