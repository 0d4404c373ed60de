//! Signals: SIGTERM and SIGINT drain, the second one ends at once, SIGHUP reloads.

use crate::app::App;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// Acts on signals until the task is aborted.
pub(super) fn watch(app: &App) -> std::io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (state, drain, reloader) = (app.state.clone(), app.drain.clone(), app.reloader.clone());
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {
                    reloader.ask();
                    continue;
                }
            }
            state.begin_drain();
            drain.begin();
        }
    }))
}
