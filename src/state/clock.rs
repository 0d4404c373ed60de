//! The clocks: monotonic for decisions, wall time for people and expiry dates.

use crate::base::clock::Moment;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Reads the time. On tokio's clock, so that tests can pause it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
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

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds() -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}
