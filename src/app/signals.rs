//! Signals: SIGTERM and SIGINT drain, the second one ends at once, SIGHUP reloads.

use crate::app::App;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// The signals of a process, kept from the moment at which they are caught until somebody acts on them.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them from now on. Before the first address is open this is due: a SIGHUP that nobody catches ends a process,
    /// and whoever sees that it listens may send one.
    ///
    /// # Errors
    /// They cannot be caught.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Acts on them until the task is aborted.
    pub(super) fn watch(mut self, app: &App) -> JoinHandle<()> {
        let (state, drain, reloader) = (app.state.clone(), app.drain.clone(), app.reloader.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => {}
                    _ = self.interrupt.recv() => {}
                    _ = self.hang_up.recv() => {
                        reloader.ask();
                        continue;
                    }
                }
                state.begin_drain();
                drain.begin();
            }
        })
    }
}
