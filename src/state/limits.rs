//! The limits of a key, or of a team's keys together: requests and tokens a minute, and exchanges at once.

use crate::base::clock::Moment;
use crate::snapshot::key::Limit;
use crate::state::bucket::{Bucket, Level};
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// When to come back after too many exchanges at once: one of them may end at any time.
const ONE_MAY_END: Duration = Duration::from_secs(1);

/// Limits, and what is used of them.
#[derive(Debug)]
pub struct Limiter {
    limit: Limit,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    concurrent: AtomicU32,
}

/// One exchange's place among those that may be at once; given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Limiter>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.concurrent.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Its name in the config.
    pub limit: &'static str,
    /// When it may be free again.
    pub retry_after: Duration,
}

impl Limiter {
    fn new(limit: Limit) -> Self {
        let requests = limit.requests_per_minute.map(|limit| Bucket::new(NonZeroU64::from(limit)));
        Self { limit, requests, tokens: limit.tokens_per_minute.map(Bucket::new), concurrent: AtomicU32::new(0) }
    }

    /// Takes a place for one exchange. What it takes of the tokens is told afterwards, by [`Self::used`].
    ///
    /// # Errors
    /// The limit that is used up. Of the others nothing was taken then.
    pub fn take(self: &Arc<Self>, now: Moment) -> Result<Place, LimitReached> {
        let others = self.concurrent.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if self.limit.concurrency.is_some_and(|most| others >= most) {
            return Err(LimitReached { limit: "concurrency", retry_after: ONE_MAY_END });
        }
        let reached = |limit| move |retry_after| LimitReached { limit, retry_after };
        if let Some(tokens) = &self.tokens {
            tokens.has_any(now).map_err(reached("tokens_per_minute"))?;
        }
        if let Some(requests) = &self.requests {
            requests.take(now).map_err(reached("requests_per_minute"))?;
        }
        Ok(place)
    }

    /// An exchange has used so many tokens.
    pub fn used(&self, tokens: u64, now: Moment) {
        if let Some(bucket) = &self.tokens {
            bucket.charge(tokens, now);
        }
    }

    /// How the limit of requests stands.
    pub fn requests(&self, now: Moment) -> Option<Level> {
        self.requests.as_ref().map(|bucket| bucket.level(now))
    }

    /// How the limit of tokens stands.
    pub fn tokens(&self, now: Moment) -> Option<Level> {
        self.tokens.as_ref().map(|bucket| bucket.level(now))
    }
}

/// All limits, kept over reloads as long as the limit itself stays the same.
#[derive(Debug, Default)]
pub struct Limits {
    by_owner: Mutex<HashMap<Arc<str>, Arc<Limiter>>>,
}

impl Limits {
    /// The limits of a key or a team; `None` where nothing is limited.
    pub fn of(&self, owner: &Arc<str>, limit: Limit) -> Option<Arc<Limiter>> {
        let mut by_owner = self.by_owner.lock().unwrap_or_else(PoisonError::into_inner);
        if limit == Limit::default() {
            by_owner.remove(owner);
            return None;
        }
        match by_owner.get(owner) {
            Some(known) if known.limit == limit => Some(Arc::clone(known)),
            _ => {
                let fresh = Arc::new(Limiter::new(limit));
                by_owner.insert(Arc::clone(owner), Arc::clone(&fresh));
                Some(fresh)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn limiter(limit: Limit) -> Arc<Limiter> {
        Arc::new(Limiter::new(limit))
    }

    #[test]
    fn a_place_is_free_again_when_its_exchange_ends() {
        let limiter = limiter(Limit { concurrency: Some(1), ..Limit::default() });
        let place = limiter.take(at(0));
        assert_eq!(limiter.take(at(0)).err().map(|reached| reached.limit), Some("concurrency"));
        drop(place);
        assert!(limiter.take(at(0)).is_ok());
    }

    #[test]
    fn requests_a_minute_are_counted_and_the_wait_is_said() {
        let limiter = limiter(Limit { requests_per_minute: NonZeroU32::new(2), ..Limit::default() });
        assert!(limiter.take(at(0)).is_ok() && limiter.take(at(0)).is_ok());
        let expected = LimitReached { limit: "requests_per_minute", retry_after: Duration::from_secs(30) };
        assert_eq!(limiter.take(at(0)).err(), Some(expected));
        assert_eq!(limiter.requests(at(0)).map(|level| (level.limit, level.remaining)), Some((2, 0)));
        assert!(limiter.take(at(30)).is_ok());
    }

    #[test]
    fn tokens_are_paid_afterwards_and_a_refused_request_takes_nothing() {
        let limit = Limit {
            requests_per_minute: NonZeroU32::new(10),
            tokens_per_minute: NonZeroU64::new(600),
            ..Limit::default()
        };
        let limiter = limiter(limit);
        assert!(limiter.take(at(0)).is_ok(), "its size is not known yet");
        limiter.used(1_000, at(0));
        let reached = limiter.take(at(0)).err();
        assert_eq!(reached.map(|reached| reached.limit), Some("tokens_per_minute"));
        assert_eq!(limiter.requests(at(0)).map(|level| level.remaining), Some(9));
        assert!(limiter.take(at(39)).is_err(), "400 are owed");
        assert!(limiter.take(at(41)).is_ok());
    }

    #[test]
    fn a_limit_that_stays_the_same_keeps_its_count_over_reloads() {
        let (limits, owner) = (Limits::default(), Arc::from("key/app"));
        let limit = |most| Limit { requests_per_minute: NonZeroU32::new(most), ..Limit::default() };
        let remaining = |limiter: Arc<Limiter>| limiter.requests(at(0)).map(|level| level.remaining);
        assert!(limits.of(&owner, limit(5)).is_some_and(|limiter| limiter.take(at(0)).is_ok()));
        assert_eq!(limits.of(&owner, limit(5)).and_then(remaining), Some(4));
        assert_eq!(limits.of(&owner, limit(6)).and_then(remaining), Some(6));
        assert!(limits.of(&owner, Limit::default()).is_none());
    }
}
