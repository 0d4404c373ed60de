//! A key's own limits: requests a minute, and exchanges at once.

use crate::snapshot::key::{Key, Limit};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The limits of one key and what is used of them.
pub struct KeyLimits {
    limit: Limit,
    requests: Option<DefaultDirectRateLimiter>,
    concurrent: AtomicU32,
}

/// One exchange's place among those a key may have at once; given back when dropped.
pub struct Place(Arc<KeyLimits>);

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

impl KeyLimits {
    fn new(limit: Limit) -> Self {
        let requests = limit.requests_per_minute.map(|limit| RateLimiter::direct(Quota::per_minute(limit)));
        Self { limit, requests, concurrent: AtomicU32::new(0) }
    }

    /// Takes a place for one exchange.
    ///
    /// # Errors
    /// The limit that is used up.
    pub fn take(self: &Arc<Self>) -> Result<Place, LimitReached> {
        let others = self.concurrent.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if self.limit.concurrency.is_some_and(|most| others >= most) {
            return Err(LimitReached { limit: "concurrency", retry_after: Duration::from_secs(1) });
        }
        if let Some(requests) = &self.requests
            && let Err(until) = requests.check()
        {
            let retry_after = until.wait_time_from(DefaultClock::default().now());
            return Err(LimitReached { limit: "requests_per_minute", retry_after });
        }
        Ok(place)
    }
}

/// The limits of all keys, kept over reloads as long as the limit itself stays the same.
#[derive(Default)]
pub struct Limits {
    keys: Mutex<HashMap<Arc<str>, Arc<KeyLimits>>>,
}

impl Limits {
    /// The limits of `key`.
    pub fn of(&self, key: &Key) -> Arc<KeyLimits> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.get(&key.name) {
            Some(known) if known.limit == key.limit => Arc::clone(known),
            _ => {
                let fresh = Arc::new(KeyLimits::new(key.limit));
                keys.insert(Arc::clone(&key.name), Arc::clone(&fresh));
                fresh
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_place_is_free_again_when_its_exchange_ends() {
        let limits = Arc::new(KeyLimits::new(Limit { requests_per_minute: None, concurrency: Some(1) }));
        let place = limits.take();
        assert_eq!(limits.take().err().map(|reached| reached.limit), Some("concurrency"));
        drop(place);
        assert!(limits.take().is_ok());
    }

    #[test]
    fn requests_a_minute_are_counted_and_the_wait_is_said() {
        let limits = Arc::new(KeyLimits::new(Limit { requests_per_minute: NonZeroU32::new(2), concurrency: None }));
        assert!(limits.take().is_ok() && limits.take().is_ok());
        let reached = limits.take().err();
        assert_eq!(reached.map(|reached| reached.limit), Some("requests_per_minute"));
        assert!(reached.is_some_and(|reached| reached.retry_after > Duration::ZERO));
    }
}
