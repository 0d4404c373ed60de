//! The end of a server: no new work, the old work finishes, and what does not finish in time is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, watch};

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not begun.
    Serving,
    /// Clients are asked to go: GOAWAY, `Connection: close`.
    Draining,
    /// What is left is cut.
    Cut,
}

/// The handle that ends a server; clones are the same handle.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    connections: AtomicUsize,
    streams: AtomicUsize,
    empty: Notify,
}

impl Drain {
    /// A handle whose server serves.
    #[must_use]
    pub fn new() -> Self {
        let (phase, _) = watch::channel(Phase::Serving);
        Self(Arc::new(Shared {
            phase,
            connections: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            empty: Notify::new(),
        }))
    }

    /// Begins the drain; the second call does not wait any longer and cuts what is left.
    pub fn begin(&self) {
        self.0.phase.send_modify(|phase| {
            *phase = match *phase {
                Phase::Serving => Phase::Draining,
                Phase::Draining | Phase::Cut => Phase::Cut,
            }
        });
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Exchanges in flight.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.0.streams.load(Ordering::Relaxed)
    }

    /// Connections, idle ones and those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Ends when the drain has come as far as `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut watcher = self.0.phase.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = watcher.wait_for(|now| *now >= phase).await;
    }

    /// Ends when no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let changed = self.0.empty.notified();
            if self.connections() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Cuts what is left, whatever the phase.
    pub(crate) fn cut(&self) {
        self.0.phase.send_replace(Phase::Cut);
    }

    /// Counts a connection while the guard lives.
    pub(crate) fn connection(&self) -> ConnectionCount {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        ConnectionCount(self.clone())
    }

    /// Counts an exchange while the guard lives.
    pub(crate) fn stream(&self) -> StreamCount {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        StreamCount(self.clone())
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

/// One connection, counted.
#[derive(Debug)]
pub(crate) struct ConnectionCount(Drain);

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        if self.0.0.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.0.empty.notify_waiters();
        }
    }
}

/// One exchange, counted.
#[derive(Debug)]
pub(crate) struct StreamCount(Drain);

impl Drop for StreamCount {
    fn drop(&mut self) {
        self.0.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
