//! Tokens that were fetched: one for each source, shared by all worker threads, fetched by one at a time and ahead of its end.

use crate::base::failure::Failure;
use crate::base::random::Random;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A token is not sent in the last moments of its life: it might end on the way.
const SAFETY: Duration = Duration::from_secs(10);
/// The part of its life after which a token is fetched anew.
const RENEWED_AFTER: f64 = 0.8;
/// By how much that varies, so that many processes do not ask at once.
const SPREAD: f64 = 0.1;
/// How long after a failure the token is not fetched ahead again; calls that need it ask all the same.
const PAUSE: Duration = Duration::from_secs(30);
/// Most sources that are remembered.
const SOURCES_MAX: usize = 4096;

/// The tokens of a process.
#[derive(Debug)]
pub struct Tokens {
    slots: Mutex<HashMap<Arc<str>, Arc<Slot>>>,
    random: Random,
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// As it is sent.
    pub(super) value: HeaderValue,
    /// When it was fetched.
    pub(super) fetched: Instant,
    /// For how long it is good.
    pub(super) lifetime: Duration,
}

/// The place of one source's token.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Held by whoever fetches.
    pub(super) turn: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    /// When to fetch it anew.
    renew_at: Option<Instant>,
    failed: Option<(Instant, Failure)>,
}

impl Tokens {
    /// None yet; `seed` decides by how much renewals are spread.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::default(), random: Random::seeded(seed) })
    }

    /// The place of a source's token.
    pub(super) fn slot(&self, key: &Arc<str>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SOURCES_MAX && !slots.contains_key(key) {
            // credentials that were rotated away
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(Arc::clone(key)).or_default())
    }

    /// A factor for the next renewal's time.
    pub(super) fn jitter(&self) -> f64 {
        self.random.around_one(SPREAD)
    }
}

impl Slot {
    /// The token, if it can still be sent.
    pub(super) fn good(&self, now: Instant) -> Option<HeaderValue> {
        let kept = self.kept();
        let token = kept.token.as_ref()?;
        let margin = SAFETY.min(token.lifetime / 2);
        (now < token.fetched + token.lifetime.saturating_sub(margin)).then(|| token.value.clone())
    }

    /// Whether it is time to fetch it ahead.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let kept = self.kept();
        let rests = kept.failed.as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) < PAUSE);
        !rests && kept.renew_at.is_none_or(|at| now >= at)
    }

    /// Keeps a token that was fetched; `jitter` varies when the next is.
    pub(super) fn keep(&self, token: Token, jitter: f64) -> HeaderValue {
        let value = token.value.clone();
        let mut kept = self.kept();
        kept.renew_at = Some(token.fetched + token.lifetime.mul_f64(RENEWED_AFTER * jitter));
        kept.token = Some(token);
        kept.failed = None;
        value
    }

    /// Remembers that fetching failed.
    pub(super) fn fail(&self, failure: Failure) {
        self.kept().failed = Some((Instant::now(), failure));
    }

    /// The failure of a fetch that ended after `asked`: whoever waited for it shares it.
    pub(super) fn failed_since(&self, asked: Instant) -> Option<Failure> {
        self.kept().failed.as_ref().filter(|(at, _)| *at >= asked).map(|(_, failure)| failure.clone())
    }

    /// Forgets the token.
    pub(super) fn forget(&self) {
        let mut kept = self.kept();
        (kept.token, kept.renew_at) = (None, None);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::{FailureKind, Phase};

    fn token(fetched: Instant, lifetime_s: u64) -> Token {
        Token { value: HeaderValue::from_static("Bearer t"), fetched, lifetime: Duration::from_secs(lifetime_s) }
    }

    #[test]
    fn f_084_a_token_is_renewed_before_its_end_and_not_sent_after_it() {
        let (slot, start) = (Slot::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(slot.is_due(start) && slot.good(start).is_none());
        slot.keep(token(start, 1000), 1.0);
        for (seconds, due, good) in
            [(0, false, true), (799, false, true), (801, true, true), (989, true, true), (991, true, false)]
        {
            assert_eq!((slot.is_due(at(seconds)), slot.good(at(seconds)).is_some()), (due, good), "{seconds}");
        }
        slot.forget();
        assert!(slot.is_due(start) && slot.good(start).is_none());
    }

    #[test]
    fn a_failure_is_shared_by_those_who_waited_and_pauses_renewals() {
        let slot = Slot::default();
        let asked = Instant::now();
        slot.fail(Failure::new(FailureKind::AuthKey, Phase::Connect, "token_refused"));
        let later = Instant::now() + Duration::from_secs(1);
        assert!(slot.failed_since(asked).is_some() && slot.failed_since(later).is_none());
        assert!(!slot.is_due(later) && slot.is_due(later + PAUSE));
    }

    #[test]
    fn renewals_are_spread() {
        let tokens = Tokens::new(7);
        let factors: Vec<f64> = (0..20).map(|_| tokens.jitter()).collect();
        assert!(factors.iter().all(|factor| (0.9..=1.1).contains(factor)));
        assert!(factors.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
