//! On what terms a key is served: its limits and budgets, and those of its team.

use crate::base::clock::Moment;
use crate::snapshot::budget::Budget;
use crate::snapshot::key::{Key, Limit};
use crate::state::bucket::Level;
use crate::state::limits::{LimitReached, Limiter, Limits, Place};
use crate::state::purse::{Purse, Purses};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much the newest answer weighs in what answers are expected to be: one in so many.
const NEWEST: u64 = 16;

/// How the tightest limits of requests and of tokens stand, where there are any.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    /// Of requests.
    pub requests: Option<Level>,
    /// Of tokens.
    pub tokens: Option<Level>,
}

/// The terms of one key.
pub struct Terms {
    limits: Vec<Arc<Limiter>>,
    purses: Vec<Arc<Purse>>,
    answers: Arc<Answers>,
}

/// How long answers have been, in tokens: a running mean, 0 before the first one.
#[derive(Debug, Default)]
pub struct Answers(AtomicU64);

impl Terms {
    /// The terms of `key`; what was used and spent before is found again by name.
    pub(super) fn of(key: &Key, limits: &Limits, purses: &Purses, answers: Arc<Answers>) -> Self {
        let own = (format!("key/{}", key.name), key.limit, key.budget);
        let team = key.team.as_ref().map(|team| (format!("team/{}", team.name), team.limit, team.budget));
        let accounts: Vec<(Arc<str>, Limit, Option<Budget>)> =
            [Some(own), team].into_iter().flatten().map(|(name, limit, budget)| (name.into(), limit, budget)).collect();
        Self {
            limits: accounts.iter().filter_map(|(account, limit, _)| limits.of(account, *limit)).collect(),
            purses: accounts.iter().filter_map(|(account, _, budget)| Some(purses.of(account, (*budget)?))).collect(),
            answers,
        }
    }

    /// Takes a place for one exchange under every limit.
    ///
    /// # Errors
    /// The limit that is used up.
    pub fn take(&self, now: Moment) -> Result<Vec<Place>, LimitReached> {
        self.limits.iter().map(|limiter| limiter.take(now)).collect()
    }

    /// An attempt has used so many tokens.
    pub fn used(&self, tokens: u64, now: Moment) {
        self.limits.iter().for_each(|limiter| limiter.used(tokens, now));
    }

    /// How the tightest limits of requests and of tokens stand.
    pub fn levels(&self, now: Moment) -> Levels {
        let tightest = |level: fn(&Limiter, Moment) -> Option<Level>| {
            self.limits.iter().filter_map(|limiter| level(limiter, now)).min_by_key(|level| level.remaining)
        };
        Levels { requests: tightest(Limiter::requests), tokens: tightest(Limiter::tokens) }
    }

    /// The budgets that it spends from.
    #[must_use]
    pub fn purses(&self) -> &[Arc<Purse>] {
        &self.purses
    }

    /// How long its answers have been.
    #[must_use]
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
}

impl Answers {
    /// The mean, in tokens, if there has been an answer.
    pub fn mean(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|mean| *mean > 0)
    }

    /// Another answer came.
    pub fn note(&self, tokens: u64) {
        let mean = self.0.load(Ordering::Relaxed);
        let newer = if mean == 0 { tokens } else { (mean * (NEWEST - 1)).saturating_add(tokens).div_ceil(NEWEST) };
        // two at once may forget one of them: it is an expectation, no account
        self.0.store(newer.min(u64::from(u32::MAX)), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_what_came() {
        let answers = Answers::default();
        assert_eq!(answers.mean(), None);
        answers.note(200);
        assert_eq!(answers.mean(), Some(200));
        (0..200).for_each(|_| answers.note(1_000));
        assert!(answers.mean().is_some_and(|mean| (950..=1_000).contains(&mean)), "{answers:?}");
        answers.note(u64::MAX);
        answers.note(0);
        assert!(answers.mean().is_some_and(|mean| mean <= u64::from(u32::MAX)));
    }
}
