//! A bucket that fills evenly and holds a minute's worth: the state is one moment, at which it will be full again.

use crate::base::clock::Moment;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long an empty bucket takes to fill.
const FILL_NS: u64 = 60_000_000_000;

/// What may be done in a minute.
#[derive(Debug)]
pub struct Bucket {
    per_minute: NonZeroU64,
    /// Nanoseconds since the process began.
    full_at: AtomicU64,
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What a full one holds.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Until it is full.
    pub full_in: Duration,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(per_minute: NonZeroU64) -> Self {
        Self { per_minute, full_at: AtomicU64::new(0) }
    }

    /// Takes one, where one is there.
    ///
    /// # Errors
    /// When one will be there.
    pub fn take(&self, now: Moment) -> Result<(), Duration> {
        let (now, one) = (nanos(now), self.cost(1));
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let debt = full_at.saturating_sub(now) + one;
            (debt <= FILL_NS).then_some(now + debt)
        });
        taken
            .map(drop)
            .map_err(|full_at| Duration::from_nanos((full_at.saturating_sub(now) + one).saturating_sub(FILL_NS)))
    }

    /// Whether anything is left, for work whose size is known afterwards.
    ///
    /// # Errors
    /// When something will be left.
    pub fn has_any(&self, now: Moment) -> Result<(), Duration> {
        let debt = self.debt(now);
        if debt < FILL_NS { Ok(()) } else { Err(Duration::from_nanos(debt - FILL_NS + self.cost(1).max(1))) }
    }

    /// Takes what was used, there or not: the bucket may owe.
    pub fn charge(&self, amount: u64, now: Moment) {
        let (now, cost) = (nanos(now), self.cost(amount));
        let charged = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        // an update that always has a value never fails
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
    }

    /// How it stands.
    pub fn level(&self, now: Moment) -> Level {
        let debt = self.debt(now);
        let there = u128::from(FILL_NS.saturating_sub(debt)) * u128::from(self.per_minute.get()) / u128::from(FILL_NS);
        Level {
            limit: self.per_minute.get(),
            remaining: u64::try_from(there).unwrap_or(u64::MAX),
            full_in: Duration::from_nanos(debt),
        }
    }

    fn debt(&self, now: Moment) -> u64 {
        self.full_at.load(Ordering::Relaxed).saturating_sub(nanos(now))
    }

    /// The time in which so much flows in, rounded down so that a full bucket holds a whole minute's worth.
    fn cost(&self, amount: u64) -> u64 {
        let cost = u128::from(amount) * u128::from(FILL_NS) / u128::from(self.per_minute.get());
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.since(Moment::START).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    fn bucket(per_minute: u64) -> Bucket {
        Bucket::new(NonZeroU64::new(per_minute).unwrap())
    }

    #[test]
    fn a_minutes_worth_is_there_at_once_and_then_flows_in_evenly() {
        for limit in [1, 7, 60, 61, 999, 4_000_000_000] {
            let bucket = bucket(limit);
            let taken = (0..=limit.min(2_000)).take_while(|_| bucket.take(at(5.0)).is_ok()).count() as u64;
            assert_eq!(taken, limit.min(2_001), "{limit}");
            assert_eq!(bucket.level(at(5.0)).remaining, limit - taken);
            assert_eq!(bucket.level(at(65.0)).remaining, limit);
        }
        let bucket = bucket(60);
        (0..60).for_each(|_| bucket.take(at(0.0)).unwrap());
        assert_eq!(bucket.take(at(0.25)), Err(Duration::from_millis(750)));
        assert_eq!(bucket.take(at(1.0)), Ok(()));
    }

    #[test]
    fn what_is_known_afterwards_may_leave_a_debt_that_time_pays() {
        let bucket = bucket(6_000);
        assert_eq!(bucket.has_any(at(0.0)), Ok(()));
        bucket.charge(9_000, at(0.0));
        assert_eq!(bucket.level(at(0.0)).remaining, 0);
        assert!(bucket.has_any(at(29.9)).is_err(), "3,000 are owed, and 100 flow in a second");
        assert_eq!(bucket.has_any(at(0.0)), Err(Duration::from_millis(30_010)), "when one token is there");
        assert_eq!(bucket.has_any(at(30.1)), Ok(()));
        assert_eq!(bucket.level(at(31.0)).remaining, 100);
    }

    #[test]
    fn f_149_a_gap_in_time_fills_it_once() {
        let bucket = bucket(100);
        bucket.charge(u64::MAX, at(0.0));
        bucket.charge(u64::MAX, at(1.0));
        assert!(bucket.has_any(at(1e9)).is_err(), "an absurd count is owed, and nothing overflows");
        let bucket = self::bucket(100);
        bucket.charge(100, at(0.0));
        assert_eq!(bucket.level(at(3_600.0)).remaining, 100);
    }
}
