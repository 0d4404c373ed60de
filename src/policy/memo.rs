//! Answers that were given, so that they cost tens of nanoseconds the second time.

use crate::policy::question::QuickHasher;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::sync::{PoisonError, RwLock};

/// Several maps, so that workers seldom wait for each other.
const SHARDS: usize = 16;

type Shard<Q, A> = RwLock<HashMap<Q, A, BuildHasherDefault<QuickHasher>>>;

/// Answers by question.
#[derive(Debug)]
pub(super) struct Memo<Q, A> {
    shards: [Shard<Q, A>; SHARDS],
    most: usize,
}

impl<Q: Copy + Eq + Hash, A: Clone> Memo<Q, A> {
    /// Nothing is remembered yet, and about `most` answers will be. A map that is full is emptied, since what is asked for now
    /// matters more than what was asked for first.
    pub(super) fn of(most: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()), most: most / SHARDS }
    }

    /// The answer, made by `answer` where it is not known.
    pub(super) fn recall(&self, question: Q, answer: impl FnOnce() -> A) -> A {
        let hash = BuildHasherDefault::<QuickHasher>::default().hash_one(question);
        let Some(shard) = self.shards.get((hash >> 32) as usize % SHARDS) else { return answer() };
        let known = shard.read().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        if let Some(answer) = known {
            return answer;
        }
        let answer = answer();
        let mut answers = shard.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= self.most {
            answers.clear();
        }
        answers.insert(question, answer.clone());
        answer
    }
}
