//! When something happened last, to be noted and read without a lock.

use crate::base::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Milliseconds since the process began, and one more; zero for never.
#[derive(Debug, Default)]
pub(super) struct Mark(AtomicU64);

impl Mark {
    pub(super) fn note(&self, now: Moment) {
        let elapsed_ms = u64::try_from(now.since(Moment::START).as_millis()).unwrap_or(u64::MAX - 1);
        self.0.store(elapsed_ms + 1, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Option<Moment> {
        let elapsed_ms = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Moment::after_start(Duration::from_millis(elapsed_ms)))
    }

    /// Whether it happened no longer than this ago.
    pub(super) fn within(&self, time: Duration, now: Moment) -> bool {
        self.last().is_some_and(|last| now.since(last) <= time)
    }
}
