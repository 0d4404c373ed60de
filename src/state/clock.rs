//! The clocks: monotonic for decisions, wall time for people and expiry dates.

use crate::base::clock::Moment;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Reads the time. On tokio's clock, so that tests can pause it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_unix_s: i64,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), start_unix_s: Self::unix_seconds() }
    }

    /// Now, on the monotonic clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    /// The instant that tokio's timers understand.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.since(Moment::START)
    }

    /// Seconds since 1970 by the wall clock of the process's start, counted on by the monotonic clock: for budgets, which
    /// must not begin anew because somebody sets the clock.
    #[must_use]
    pub fn steady_unix_seconds(&self) -> i64 {
        self.start_unix_s.saturating_add_unsigned(self.start.elapsed().as_secs())
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds() -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}
