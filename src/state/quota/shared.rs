//! A headroom that many calls draw on, and what nearly all of them have to know of it: read without the lock.

use super::headroom::{Demand, Headroom};
use super::lock;
use crate::base::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// No glance is believed for longer: windows fill up and readings expire without anybody telling.
const BELIEVED: Duration = Duration::from_secs(1);

/// Where nothing is known of a quota, calls are ordered as if all of it were left.
const UNKNOWN_PERCENT: u32 = 100;

/// A headroom, and the last glance at it.
#[derive(Debug, Default)]
pub(super) struct SharedHeadroom {
    headroom: Mutex<Headroom>,
    glance: AtomicU64,
}

impl SharedHeadroom {
    /// All that is known.
    pub(super) fn look(&self) -> MutexGuard<'_, Headroom> {
        lock(&self.headroom)
    }

    /// The same, to be changed.
    pub(super) fn change(&self) -> MutexGuard<'_, Headroom> {
        let headroom = self.look();
        self.glance.store(0, Ordering::Relaxed);
        headroom
    }

    /// What was left a moment ago, unless it has changed since.
    pub(super) fn glance(&self, now: Moment) -> Glance {
        Glance::read(self.glance.load(Ordering::Relaxed), now).unwrap_or_else(|| {
            let headroom = self.look();
            let percent = headroom.percent(now).unwrap_or(UNKNOWN_PERCENT);
            let glance = Glance { percent, tokens: headroom.carries_up_to(now) };
            self.glance.store(glance.written(now + BELIEVED), Ordering::Relaxed);
            glance
        })
    }
}

/// What nearly every call has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// The share that is left of the scarcest window, in per cent; all of it where nothing is known.
    pub(super) percent: u32,
    /// The size of a call up to which any is carried.
    tokens: u64,
}

/// Until when it counts, in seconds since the process began, in the upper half; then the per cent, and the tokens in parcels,
/// the highest number of which stands for any.
const PARCEL_BITS: u32 = 25;
const MOST_PARCELS: u64 = (1 << PARCEL_BITS) - 1;
const PARCEL_TOKENS: u64 = 256;

impl Glance {
    /// Whether a call of this size is carried for sure; where it is not, the headroom says more.
    pub(super) fn carries(self, demand: Demand) -> bool {
        self.tokens >= demand.total().max(1)
    }

    fn written(self, until: Moment) -> u64 {
        let parcels = (self.tokens / PARCEL_TOKENS).min(MOST_PARCELS);
        seconds(until) << 32 | u64::from(self.percent.min(100)) << PARCEL_BITS | parcels
    }

    fn read(written: u64, now: Moment) -> Option<Self> {
        let parcels = written & MOST_PARCELS;
        let tokens = if parcels == MOST_PARCELS { u64::MAX } else { parcels * PARCEL_TOKENS };
        let percent = (written >> PARCEL_BITS & 0x7f) as u32;
        (seconds(now) < written >> 32).then_some(Self { percent, tokens })
    }
}

/// Rounded down: so a glance counts for less than it might, never for more.
fn seconds(at: Moment) -> u64 {
    at.since(Moment::START).as_secs().min(u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::after_start(Duration::from_millis(ms))
    }

    #[test]
    fn a_glance_says_no_more_than_what_is_so_and_not_for_long() {
        let check = |percent, tokens, read_tokens| {
            let written = Glance { percent, tokens }.written(at(5_000));
            assert_eq!(Glance::read(written, at(4_999)), Some(Glance { percent, tokens: read_tokens }), "{tokens}");
            assert_eq!(Glance::read(written, at(5_000)), None);
        };
        check(100, u64::MAX, u64::MAX);
        check(100, 1 << 40, u64::MAX);
        check(7, 1_000, 768);
        check(0, 255, 0);
        assert_eq!(Glance::read(0, at(0)), None);
        assert!(!Glance { percent: 0, tokens: 0 }.carries(Demand::default()), "nothing is left for anybody");
    }

    #[test]
    fn what_changes_is_seen_at_once() {
        let shared = SharedHeadroom::default();
        assert!(shared.glance(at(0)).carries(Demand::new(1_000_000, 0)));
        shared.change().throttled(Some(Duration::from_secs(2)), 0.0, at(10));
        assert!(!shared.glance(at(10)).carries(Demand::default()));
        assert!(!shared.glance(at(2_009)).carries(Demand::default()));
        assert!(shared.glance(at(3_010)).carries(Demand::default()));
    }
}
