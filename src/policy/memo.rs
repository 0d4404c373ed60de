//! Answers that were given, so that they cost tens of nanoseconds the second time.

use crate::policy::question::{Question, QuickHasher};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::{PoisonError, RwLock};

/// Several maps, so that workers seldom wait for each other.
const SHARDS: usize = 16;
/// Most answers of a map: all of 1,000 keys of different facts on 60 deployments. A full one is emptied, since what is
/// asked for now matters more than what was asked for first.
const MAX_ANSWERS: usize = 4096;

type Shard<A> = RwLock<HashMap<Question, A, BuildHasherDefault<QuickHasher>>>;

/// Answers by question.
#[derive(Debug)]
pub(super) struct Memo<A> {
    shards: [Shard<A>; SHARDS],
}

impl<A> Default for Memo<A> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()) }
    }
}

impl<A: Clone> Memo<A> {
    /// The answer, made by `answer` where it is not known.
    pub(super) fn recall(&self, question: Question, answer: impl FnOnce() -> A) -> A {
        let hash = BuildHasherDefault::<QuickHasher>::default().hash_one(question);
        let Some(shard) = self.shards.get((hash >> 32) as usize % SHARDS) else { return answer() };
        let known = shard.read().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        if let Some(answer) = known {
            return answer;
        }
        let answer = answer();
        let mut answers = shard.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MAX_ANSWERS {
            answers.clear();
        }
        answers.insert(question, answer.clone());
        answer
    }
}
