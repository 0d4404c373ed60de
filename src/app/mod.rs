//! Floor 7: assembles everything from a config file, and runs it to its end.

mod application;
mod budgets;
mod descriptors;
#[cfg(test)]
mod resilience;
mod shown;
mod signals;
#[cfg(test)]
mod simulation;
mod views;

pub use self::signals::Signals;

use crate::admin;
use crate::base::diagnostic::Diagnostic;
use crate::base::event::Sink;
use crate::config::load::load;
use crate::observe::{Observer, Outputs};
use crate::probe;
use crate::reload::{self, Reloader};
use crate::server::accept::{self, Door};
use crate::server::drain::{Drain, Phase};
use crate::server::{Setting, workers};
use crate::snapshot::bounds::Bounds;
use crate::snapshot::{Snapshot, compile};
use crate::state::clock::Clock;
use crate::state::ids::Ids;
use crate::state::ledger::Ledger;
use crate::state::restrictions::Restrictions;
use crate::state::world::State;
use crate::upstream::{Connections, Reachable, Tokens};
use application::Application;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use views::Live;

/// How often prices are looked at.
const PRICES_EVERY: Duration = Duration::from_secs(1);

/// What to run.
pub struct Options {
    /// The config file.
    pub config: PathBuf,
    /// Where access-log lines go; `None` for none.
    pub access_log: Option<Box<dyn Write + Send>>,
    /// Worker threads; as many as cores are to be had where it is `None`.
    pub workers: Option<usize>,
}

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The files cannot be served.
    #[error("{} error(s) in the configuration", .0.len())]
    Diagnostics(Vec<Diagnostic>),
    /// An address, a thread or a watcher cannot be had.
    #[error("{0}")]
    Start(String),
}

/// A running proxy.
pub struct App {
    /// What is served, and what was observed.
    pub state: Arc<State>,
    /// What was found in the files that serve although it is worth a look.
    pub warnings: Vec<Diagnostic>,
    /// Each listener's name and address.
    pub listeners: Vec<(Arc<str>, SocketAddr)>,
    /// Where people and scrapers are served.
    pub admin: SocketAddr,
    /// Asks for reloads.
    pub reloader: Reloader,
    drain: Drain,
    observer: Arc<Observer>,
    serving: oneshot::Receiver<io::Result<()>>,
    serving_admin: JoinHandle<()>,
    background: Background,
}

/// What runs beside the serving, and ends with it.
struct Background {
    drain: Drain,
    reloader: Reloader,
    probing: JoinHandle<()>,
    pricing: JoinHandle<()>,
}

impl Drop for Background {
    fn drop(&mut self) {
        self.probing.abort();
        self.pricing.abort();
        self.reloader.stop();
        self.drain.begin();
        self.drain.begin();
    }
}

impl App {
    /// Reads the files, opens the addresses and begins to serve.
    ///
    /// # Errors
    /// Every diagnostic of the files at once, or what could not be had.
    pub async fn start(options: Options) -> Result<Self, Fatal> {
        let sources = load(&options.config, &|name| environment(name)).map_err(Fatal::Diagnostics)?;
        let (snapshot, warnings) = compile(&sources, 1, Clock::unix_seconds()).map_err(Fatal::Diagnostics)?;
        let snapshot = Arc::new(snapshot);
        let decisions = snapshot.audit.clone().map(|audit| (audit, snapshot.state_directory.clone()));
        let outputs = Outputs { access_log: options.access_log, decisions, webhook: snapshot.webhook.clone() };
        let observer =
            Observer::with(outputs, Box::new(jiff::Timestamp::now)).map_err(|error| Fatal::Start(error.to_string()))?;
        observer.install(&snapshot);
        let sink: Arc<dyn Sink> = Arc::<Observer>::clone(&observer);
        let restrictions = Restrictions::open(&snapshot.state_directory, Arc::clone(&sink)).map_err(|error| {
            Fatal::Start(format!("{error}; mend the file: without it what is restricted would be asked again"))
        })?;
        let ids =
            Ids::open(&snapshot.state_directory, Arc::clone(&sink)).map_err(|error| Fatal::Start(error.to_string()))?;
        let ledger = Ledger::start(&snapshot.state_directory, seed(), Arc::clone(&sink))
            .map_err(|error| Fatal::Start(format!("the ledger's thread cannot be started: {error}")))?;
        let state = State::new(Arc::clone(&snapshot), restrictions, ledger, Arc::clone(&sink), seed());
        let state = Arc::new(state.with_ids(ids));
        let doors = bind(&snapshot)?;
        let listeners = doors.iter().map(|door| (Arc::clone(&door.name), door.address)).collect();
        let drain = Drain::new();
        let admin_listener = TcpListener::bind(snapshot.admin.address).await.map_err(|error| {
            Fatal::Start(format!(
                "the admin address {} cannot be had: {error}; set [admin] address",
                snapshot.admin.address
            ))
        })?;
        let admin = admin_listener.local_addr().map_err(|error| Fatal::Start(error.to_string()))?;
        let (reachable, follow) = watch::channel(Reachable::default());
        let reloader = reload_into(options.config, &sources, &state, &observer, &sink, reachable)?;
        let views =
            Live::new(Arc::clone(&state), Arc::clone(&observer), reloader.clone(), drain.clone(), Instant::now());
        let ended = drain.clone();
        let serving_admin = tokio::spawn(async move {
            admin::serve(admin_listener, Arc::new(views), async move { ended.reached(Phase::Cut).await }).await
        });
        let tokens = Tokens::new(seed());
        let told = Arc::clone(&sink);
        let connect = move || {
            let connections = Connections::new(Arc::clone(&told), Arc::clone(&tokens));
            connections.follow(follow.clone());
            connections
        };
        let probing = tokio::spawn(probe::run(Arc::clone(&state), connect()));
        let pricing = tokio::spawn(watch_prices(Arc::clone(&state)));
        let serving = serve(doors, options.workers, &state, &drain, sink, connect)?;
        let background = Background { drain: drain.clone(), reloader: reloader.clone(), probing, pricing };
        Ok(Self { state, warnings, listeners, admin, reloader, drain, observer, serving, serving_admin, background })
    }

    /// Begins the drain; a second call cuts what is left.
    pub fn drain(&self) {
        self.state.begin_drain();
        self.drain.begin();
    }

    /// Serves until a signal ends it: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reloads.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn run(self, signals: Signals) -> io::Result<()> {
        let acting = signals.watch(&self);
        let ended = self.ended().await;
        acting.abort();
        ended
    }

    /// Waits until the drain has ended, and writes what is still to be written.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn ended(self) -> io::Result<()> {
        let Self { state, serving, serving_admin, background, observer, .. } = self;
        let ended = serving.await.map_err(io::Error::other)?;
        drop(background);
        let _ = serving_admin.await;
        state.ledger.close();
        observer.flush();
        ended
    }
}

/// Looks again and again at what is charged: a price changes by itself with date and hour.
async fn watch_prices(state: Arc<State>) {
    let mut turns = tokio::time::interval(PRICES_EVERY);
    loop {
        turns.tick().await;
        state.look_at_prices(Clock::unix_seconds());
    }
}

/// Accepts on a thread of its own, which hands connections to the workers.
fn serve(
    doors: Vec<Door>,
    workers: Option<usize>,
    state: &Arc<State>,
    drain: &Drain,
    sink: Arc<dyn Sink>,
    connect: impl Fn() -> Arc<Connections> + Send + Sync + 'static,
) -> Result<oneshot::Receiver<io::Result<()>>, Fatal> {
    let workers = workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let current = {
        let state = Arc::clone(state);
        Arc::new(move |name: &str| {
            state.world().snapshot.listeners.iter().find(|listener| *listener.name == *name).cloned()
        })
    };
    let bounds = server_bounds(&state.world().snapshot.bounds);
    let setting = Setting { bounds, drain: drain.clone(), sink, current };
    let state = Arc::clone(state);
    let application = move |_| Application::new(Arc::clone(&state), connect());
    let (end, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fatal::Start(error.to_string()))?;
    std::thread::Builder::new()
        .name("accept".to_owned())
        .spawn(move || {
            // whoever waited for the end may have gone first
            let _ = end.send(runtime.block_on(workers::serve(doors, setting, workers, application)));
        })
        .map_err(|error| Fatal::Start(error.to_string()))?;
    Ok(ended)
}

/// Serves what the files become; `reachable` is told of whom anybody may call from then on.
fn reload_into(
    config: PathBuf,
    sources: &crate::config::sources::Sources,
    state: &Arc<State>,
    observer: &Arc<Observer>,
    sink: &Arc<dyn Sink>,
    reachable: watch::Sender<Reachable>,
) -> Result<Reloader, Fatal> {
    let served = Arc::clone(&state.world().snapshot);
    let (state, observer) = (Arc::clone(state), Arc::clone(observer));
    let install = Box::new(move |snapshot: Arc<Snapshot>| {
        observer.install(&snapshot);
        state.install(Arc::clone(&snapshot));
        // it serves already: finding out whom no key may call can take a while
        reachable.send_replace(snapshot.reachable().into());
    });
    reload::watch(config, sources, &served, Arc::clone(sink), install).map_err(|error| Fatal::Start(error.to_string()))
}

fn bind(snapshot: &Snapshot) -> Result<Vec<Door>, Fatal> {
    snapshot
        .listeners
        .iter()
        .map(|listener| accept::bind(listener).map_err(|error| Fatal::Start(error.to_string())))
        .collect()
}

fn server_bounds(bounds: &Bounds) -> crate::server::bounds::Bounds {
    crate::server::bounds::Bounds {
        handshake: bounds.handshake,
        head: bounds.head,
        idle: bounds.idle,
        write_stall: bounds.write,
        target_bytes: bounds.max_path_bytes,
        head_bytes: bounds.max_head_bytes,
        headers: bounds.max_headers,
        http2_streams: bounds.max_streams,
        connections: descriptors::client_connections(bounds.max_connections),
        drain_accept: bounds.drain_accept,
        drain: bounds.drain,
        ..crate::server::bounds::Bounds::default()
    }
}

/// The environment, as config files may name it.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A seed that differs from process to process; only jitter and request ids hang on it.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    // without randomness from the system TLS could not start either
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
