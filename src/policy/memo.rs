//! Decisions that were made, so that they cost tens of nanoseconds the second time.

use crate::policy::question::{Question, QuickHasher};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::{Arc, PoisonError, RwLock};

/// A decision: permitted, or the rules that refuse it.
pub(super) type Verdict = Result<(), Arc<[Arc<str>]>>;

/// Several maps, so that workers seldom wait for each other.
const SHARDS: usize = 16;
/// Most decisions of a map: all of 1,000 keys on 60 deployments. A full one is emptied, since what is asked for now
/// matters more than what was asked for first.
const MAX_DECISIONS: usize = 4096;

type Shard = RwLock<HashMap<Question, Verdict, BuildHasherDefault<QuickHasher>>>;

/// Decisions by question.
#[derive(Debug, Default)]
pub(super) struct Memo {
    shards: [Shard; SHARDS],
}

impl Memo {
    /// The decision, made by `decide` where it is not known.
    pub(super) fn recall(&self, question: Question, decide: impl FnOnce() -> Verdict) -> Verdict {
        let hash = BuildHasherDefault::<QuickHasher>::default().hash_one(question);
        let Some(shard) = self.shards.get((hash >> 32) as usize % SHARDS) else { return decide() };
        let known = shard.read().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        if let Some(verdict) = known {
            return verdict;
        }
        let verdict = decide();
        let mut decisions = shard.write().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= MAX_DECISIONS {
            decisions.clear();
        }
        decisions.insert(question, verdict.clone());
        verdict
    }
}
