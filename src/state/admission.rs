//! How much a deployment is asked to carry at once, learnt from what it loses: additive increase, multiplicative decrease
//! (Chiu and Jain 1989; the loss-based half of TCP).
//!
//! When the first vendor fails, its whole load comes to the second, whose own limits nobody knows. Each throttling says
//! that it is carrying too much: the cap falls below what was under way, and grows again by one for each round of
//! successes, more carefully close to where it was lost. A deployment that has lost nothing has no cap: to refuse a client
//! for fear of a limit that was never met would cost more than the throttled attempt that teaches it.

use crate::base::clock::Moment;
use std::time::Duration;

/// The cap begins at twice the recent peak, and at least here.
const START: f64 = 10.0;
const OF_PEAK: f64 = 2.0;
/// What a loss leaves of the cap.
const CUT: f64 = 0.7;
/// No loss takes it below this.
const LEAST: f64 = 4.0;
/// Successes that a step takes at least close to where it was lost last: where each such step is one too many, no more than
/// one attempt in twenty is lost.
const CAREFUL_STEP: f64 = 40.0;
/// After so long without a loss the cap is lifted.
const LIFTED: Duration = Duration::from_secs(300);
/// Half the time over which a peak is remembered.
const PEAK_HALF: Duration = Duration::from_secs(150);

/// What a deployment may carry at once.
#[derive(Debug, Default)]
pub struct AdmissionCap {
    limit: Option<f64>,
    successes: f64,
    lost_at: Moment,
    /// The cap that was cut last.
    lost_with: f64,
    cut_at: Option<Moment>,
    peak: Peak,
}

impl AdmissionCap {
    /// The cap; `None` where nothing was lost of late.
    #[must_use]
    pub fn limit(&self, now: Moment) -> Option<u32> {
        self.limit.filter(|_| now.since(self.lost_at) < LIFTED).map(|limit| limit as u32)
    }

    /// Whether there may be a cap.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        self.limit.is_some()
    }

    /// So many attempts are under way, the new one included.
    pub fn began(&mut self, inflight: u32, now: Moment) {
        self.peak.note(inflight, now);
    }

    /// The most that was under way at once in the last five minutes.
    #[must_use]
    pub fn peak(&self, now: Moment) -> u32 {
        self.peak.recent(now)
    }

    /// An attempt was answered while so many were under way.
    pub fn succeeded(&mut self, inflight: u32, now: Moment) {
        if self.limit.is_some() && now.since(self.lost_at) >= LIFTED {
            self.limit = None;
        }
        let Some(limit) = &mut self.limit else { return };
        // successes of a deployment that is half idle say nothing of what it bears
        if f64::from(inflight) * 2.0 < *limit {
            return;
        }
        self.successes += 1.0;
        let careful = *limit + 1.0 >= self.lost_with;
        if self.successes >= if careful { limit.max(CAREFUL_STEP) } else { *limit } {
            self.successes = 0.0;
            *limit += 1.0;
        }
    }

    /// An attempt was lost to overload while so many were under way. Losses within one `round`, the time that an answer
    /// takes to begin, are one: they were sent before the first of them was known.
    pub fn lost(&mut self, inflight: u32, now: Moment, round: Duration) {
        self.lost_at = now;
        if self.cut_at.is_some_and(|cut| now.since(cut) < round) {
            return;
        }
        self.cut_at = Some(now);
        self.successes = 0.0;
        let start = START.max(OF_PEAK * f64::from(self.peak.recent(now)));
        let carried = self.limit.unwrap_or(start).min(f64::from(inflight).max(LEAST / CUT));
        self.lost_with = self.limit.unwrap_or(carried);
        self.limit = Some((carried * CUT).max(LEAST));
    }
}

/// The highest of the numbers that were noted in the last five minutes.
#[derive(Debug, Default)]
struct Peak {
    /// Number of the present half, its highest, and that of the half before.
    half: u64,
    now: u32,
    before: u32,
}

impl Peak {
    fn note(&mut self, number: u32, now: Moment) {
        let half = now.since(Moment::START).as_secs() / PEAK_HALF.as_secs();
        if half > self.half {
            self.before = if half == self.half + 1 { self.now } else { 0 };
            self.now = 0;
            self.half = half;
        }
        self.now = self.now.max(number);
    }

    fn recent(&self, now: Moment) -> u32 {
        let half = now.since(Moment::START).as_secs() / PEAK_HALF.as_secs();
        match half.saturating_sub(self.half) {
            0 => self.now.max(self.before),
            1 => self.now,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(1);

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn who_has_lost_nothing_has_no_cap() {
        let mut cap = AdmissionCap::default();
        for inflight in 0..1_000 {
            cap.began(inflight, at(1.0));
            cap.succeeded(inflight, at(1.0));
        }
        assert_eq!((cap.limit(at(1.0)), cap.peak(at(1.0))), (None, 999));
    }

    #[test]
    fn one_round_of_losses_is_one_cut_and_it_never_falls_below_four() {
        let check = |losses: &[(f64, u32)], expected: u32| {
            let mut cap = AdmissionCap::default();
            losses.iter().for_each(|(second, inflight)| cap.lost(*inflight, at(*second), ROUND));
            assert_eq!(cap.limit(at(5.0)), Some(expected), "{losses:?}");
        };
        check(&[(0.0, 100)], 7);
        check(&[(0.0, 100), (0.5, 99), (0.9, 98)], 7);
        check(&[(0.0, 100), (1.0, 7)], 4);
        check(&[(0.0, 100), (1.0, 7), (2.0, 4), (3.0, 4)], 4);
        check(&[(0.0, 1)], 4);
    }

    #[test]
    fn a_loss_leaves_less_than_was_under_way() {
        let mut cap = AdmissionCap::default();
        cap.began(100, at(0.0));
        cap.lost(100, at(0.0), ROUND);
        assert_eq!(cap.limit(at(0.0)), Some(70));
        cap.lost(70, at(1.0), ROUND);
        assert_eq!(cap.limit(at(1.0)), Some(49), "a second round of losses cuts again");
    }

    #[test]
    fn it_grows_by_one_for_each_round_of_successes_that_needed_it() {
        let mut cap = AdmissionCap::default();
        cap.began(20, at(0.0));
        cap.lost(20, at(0.0), ROUND);
        assert_eq!(cap.limit(at(0.0)), Some(14));
        (0..14).for_each(|_| cap.succeeded(14, at(1.0)));
        assert_eq!(cap.limit(at(1.0)), Some(15));
        (0..100).for_each(|_| cap.succeeded(3, at(1.0)));
        assert_eq!(cap.limit(at(1.0)), Some(15), "an idle deployment proves nothing");
        (0..15 + 16 + 17 + 18).for_each(|_| cap.succeeded(15, at(1.0)));
        assert_eq!(cap.limit(at(1.0)), Some(19));
        (0..39).for_each(|_| cap.succeeded(19, at(1.0)));
        assert_eq!(cap.limit(at(1.0)), Some(19), "with twenty it was lost");
        cap.succeeded(19, at(1.0));
        assert_eq!(cap.limit(at(1.0)), Some(20));
        assert_eq!(cap.limit(at(301.0)), None, "after five minutes without a loss it is lifted");
    }

    #[test]
    fn a_peak_is_forgotten_after_five_minutes() {
        let mut peak = Peak::default();
        peak.note(50, at(10.0));
        assert_eq!([peak.recent(at(149.0)), peak.recent(at(299.0)), peak.recent(at(301.0))], [50, 50, 0]);
        peak.note(3, at(200.0));
        assert_eq!([peak.recent(at(200.0)), peak.recent(at(320.0))], [50, 3]);
    }
}
