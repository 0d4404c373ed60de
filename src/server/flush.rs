//! Tells answers when what they said has left us.
//!
//! hyper throws away what it holds when an answer's body breaks. What was said before, such as the error event that
//! explains the break, would be lost; so a break waits until the connection has been flushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest that a break waits: a client that takes no byte for so long does not get the last ones.
const PATIENCE: Duration = Duration::from_millis(250);

/// Counts the flushes of one connection; clones count the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flushes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: AtomicU64,
    flushed: Notify,
}

impl Flushes {
    /// Everything that was written has left.
    pub(crate) fn flushed(&self) {
        self.0.count.fetch_add(1, Ordering::Release);
        self.0.flushed.notify_waiters();
    }

    /// How often that has happened.
    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Ends with the next flush, or when it has taken too long.
    pub(crate) async fn next(self) {
        // Late or in time, the answer breaks now.
        let _ = tokio::time::timeout(PATIENCE, self.0.flushed.notified()).await;
    }
}
