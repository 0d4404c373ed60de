//! How long a breaker stays open: longer from failed trial to failed trial, short early in an outage, and long for who
//! flaps.

use crate::base::clock::Moment;
use crate::snapshot::pool::BreakerSettings;
use std::collections::VecDeque;
use std::time::Duration;

/// Early in an outage the open time stays short, so that a vendor that is back is used again within half a minute.
const EARLY: Duration = Duration::from_secs(300);
const EARLY_CAP: Duration = Duration::from_secs(15);
/// Openings within this time count towards the hold-down.
const FLAPPING: Duration = Duration::from_secs(600);
const FLAPPING_OPENINGS: usize = 3;
/// For each opening from then on it is held down longer by this.
const HOLD_DOWN: Duration = Duration::from_secs(60);
/// The back-off falls by one step for each such time of health.
const FORGIVE: Duration = Duration::from_secs(30);

/// What is remembered of earlier openings.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    /// The open time is `open * 2^steps`.
    steps: u32,
    openings: VecDeque<Moment>,
    outage_since: Moment,
    forgiven_at: Option<Moment>,
}

impl BackOff {
    /// The breaker opens; for how long.
    pub(super) fn opens(&mut self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Duration {
        self.forgive(now);
        if self.steps == 0 {
            self.outage_since = now;
        }
        self.openings.push_back(now);
        while self.openings.front().is_some_and(|first| now.since(*first) > FLAPPING) {
            self.openings.pop_front();
        }
        self.stays_open(now, settings, jitter)
    }

    /// A trial failed: for how long it stays open. That is no new opening.
    pub(super) fn stays_open(&mut self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Duration {
        let early = now.since(self.outage_since) < EARLY;
        let cap = if early { settings.cap.min(EARLY_CAP) } else { settings.cap };
        let backed_off = settings.open.saturating_mul(1 << self.steps.min(16)).min(cap.max(settings.open));
        let beyond = self.recent(now).saturating_sub(FLAPPING_OPENINGS - 1);
        let held = backed_off.max(HOLD_DOWN.saturating_mul(beyond as u32).min(settings.cap));
        self.steps += 1;
        held.mul_f64(jitter.clamp(0.5, 1.5))
    }

    /// The breaker closed.
    pub(super) const fn closes(&mut self, now: Moment) {
        self.forgiven_at = Some(now);
    }

    /// It was healthy for a while.
    pub(super) fn forgive(&mut self, now: Moment) {
        let Some(since) = self.forgiven_at else { return };
        let healthy = u32::try_from(now.since(since).as_secs() / FORGIVE.as_secs()).unwrap_or(u32::MAX);
        if healthy > 0 && self.steps > 0 {
            self.steps = self.steps.saturating_sub(healthy);
            self.forgiven_at = Some(now);
        }
    }

    /// Whether it opened so often of late that it is held down.
    pub(super) fn is_flapping(&self, now: Moment) -> bool {
        self.recent(now) >= FLAPPING_OPENINGS
    }

    fn recent(&self, now: Moment) -> usize {
        self.openings.iter().filter(|opening| now.since(**opening) <= FLAPPING).count()
    }
}
