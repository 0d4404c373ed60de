//! `backstay demo`: the same proxy on this machine alone, in front of simulated vendors that can be broken.
//!
//! [`run`] writes a folder with everything that the proxy reads, starts the vendors, lets the proxy serve, sends it a
//! trickle of calls and shows who answered.

pub mod certificates;
mod control;
mod folder;
mod greeting;
mod keys;
mod ports;
mod screen;
mod stage;
mod traffic;
pub mod vendor;

pub use screen::Screen;
pub use traffic::Summary;

use crate::policy;
use certificates::Authority;
use folder::Folder;
use keys::Keyboard;
use screen::Tone;
use stage::Stage;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use traffic::Traffic;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder to work in; `backstay-demo` in the current one unless told otherwise.
    pub folder: PathBuf,
    /// The proxy's port; 8443, or a free one if that is taken, for `None`; free ones for everything for 0.
    pub port: Option<u16>,
    /// Ends by itself after this time.
    pub duration: Option<Duration>,
    /// Breaks nothing by itself.
    pub quiet: bool,
    /// Names and texts of the policies that the folder begins with: those that are built in, unless told otherwise.
    pub policies: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        let folder = PathBuf::from("backstay-demo");
        let policies = vec![("base.cedar".to_owned(), policy::BASE.to_owned())];
        Self { folder, port: None, duration: None, quiet: false, policies }
    }
}

/// What the proxy is given.
#[derive(Debug)]
pub struct Serve {
    /// The config to serve.
    pub config: PathBuf,
    /// To be told when the listeners are open.
    pub ready: oneshot::Sender<()>,
    /// Tells, or is dropped, when it is time to drain and end.
    pub stop: oneshot::Receiver<()>,
}

/// Runs the demonstration around `serve`, the proxy itself, until Ctrl-C, the key `q` or the end of its time.
///
/// # Errors
/// When the folder cannot be written, a port cannot be had, or the proxy ends before its time.
pub async fn run<F, E>(options: Options, screen: Screen, serve: impl FnOnce(Serve) -> F) -> io::Result<Summary>
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let folder = Folder::prepare(&options.folder, options.port, &options.policies)?;
    let authority = Authority::new("Backstay demo vendors")?;
    folder.trust_vendors(&authority)?;
    let stage = Arc::new(Stage::set(&folder.ports, &authority, screen.clone()).await?);
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let proxy = serve(Serve { config: folder.config(), ready, stop: stopped });
    tokio::pin!(proxy);
    tokio::select! {
        ended = &mut proxy => return Err(ended_early(ended)),
        Ok(()) = is_ready => {}
        ended = told_to_end() => return ended.map(|()| Summary::default()),
    }

    let control_port = if options.port == Some(0) { ports::usual(0)? } else { ports::usual(9444)? };
    let keyboard = Keyboard::listen();
    let keys = [("anywhere", folder.secret("anywhere")?), ("europe", folder.secret("europe")?)];
    greeting::greet(&screen, &folder, control_port, &keys, keyboard.is_some().then(|| keys::help(&stage)));
    let mut traffic = Traffic::new(&folder.client_ca(), folder.ports.proxy, keys, screen.clone())?;
    tokio::select! {
        ended = &mut proxy => return Err(ended_early(ended)),
        ended = control::serve(control_port, Arc::clone(&stage)) => ended?,
        () = traffic.trickle() => {}
        () = direct(&stage, &options) => {}
        ended = until_told(keyboard, &stage, &screen, options.duration) => ended?,
    }

    // The proxy may have ended meanwhile, and then needs no telling.
    let _ = stop.send(());
    let ended = tokio::select! {
        ended = &mut proxy => ended.map_err(|error| io::Error::other(error.to_string())),
        // Told twice: it is not to wait for open calls.
        ended = told_to_end() => ended,
    };
    let summary = traffic.summary();
    screen.line(
        Tone::Title,
        format_args!(
            "{} calls, {} answered, {} of them by another vendor than was asked first.",
            summary.calls, summary.answered, summary.rescued
        ),
    );
    ended.map(|()| summary)
}

fn ended_early<E: Display>(ended: Result<(), E>) -> io::Error {
    match ended {
        Ok(()) => io::Error::other("the proxy ended before the demonstration did"),
        Err(error) => io::Error::other(error.to_string()),
    }
}

/// Within the first half minute one vendor breaks and recovers, so that whoever only watches sees what it is about.
async fn direct(stage: &Stage, options: &Options) {
    let half_minute = options.duration.unwrap_or(Duration::from_secs(30)).min(Duration::from_secs(30));
    if !options.quiet {
        tokio::time::sleep(half_minute / 5).await;
        // The names are the stage's own, so neither can fail.
        let _ = stage.break_vendor("openai", "status-503");
        tokio::time::sleep(half_minute / 4).await;
        let _ = stage.heal("openai");
    }
    std::future::pending().await
}

async fn until_told(
    keyboard: Option<Keyboard>,
    stage: &Stage,
    screen: &Screen,
    duration: Option<Duration>,
) -> io::Result<()> {
    let time_is_up = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let quit = async {
        match keyboard {
            Some(mut keyboard) => keyboard.obey(stage, screen).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => Ok(()),
        () = quit => Ok(()),
        ended = told_to_end() => ended,
    }
}

/// Ctrl-C, or SIGTERM.
async fn told_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests;
