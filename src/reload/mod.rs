//! Floor 7: what changes in files is served a moment later, or refused with the reason while the old generation serves on.
//!
//! Directories are watched, not files: editors replace a file by renaming another over it, and Kubernetes swaps a link
//! two levels up, so that the file's own name never appears. Any event means "maybe": the sources are read again, twice
//! alike, so that a file that is still being written is not taken for what it will be, and compared by content.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::base::event::{Event, Sink};
use crate::base::hash::Digest;
use crate::config::load::load;
use crate::config::sources::{PolicySource, Sources};
use crate::snapshot::Snapshot;
use crate::snapshot::compile;
use crate::state::clock::Clock;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Files must have been quiet, and read alike, for so long.
const QUIET: Duration = Duration::from_millis(100);
/// However busy the directory is, a reload is tried after so long.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Without any event the sources are read so often: network file systems tell nothing.
const SLOW_POLL: Duration = Duration::from_secs(30);

/// What the last reload came to.
#[derive(Clone, Debug)]
pub struct LastReload {
    /// When it was.
    pub at: SystemTime,
    /// Whether it serves.
    pub accepted: bool,
    /// What was found, warnings included.
    pub diagnostics: Vec<String>,
}

/// Why a reload is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// Something changed on disk.
    Maybe,
    /// Somebody asks, by SIGHUP.
    Asked,
    /// The process ends.
    Stop,
}

/// Asks for reloads, and tells how the last one went.
#[derive(Clone)]
pub struct Reloader {
    calls: Sender<Call>,
    last: watch::Receiver<Option<LastReload>>,
}

impl Reloader {
    /// Asks for a reload; many calls at once make one.
    pub fn ask(&self) {
        // the receiver is gone only when the process is ending
        let _ = self.calls.send(Call::Asked);
    }

    /// Ends the watching.
    pub fn stop(&self) {
        let _ = self.calls.send(Call::Stop);
    }

    /// How the last reload went, if there was one.
    #[must_use]
    pub fn last(&self) -> Option<LastReload> {
        self.last.borrow().clone()
    }

    /// The same to wait on: it changes with every reload that was accepted or refused.
    #[must_use]
    pub fn outcomes(&self) -> watch::Receiver<Option<LastReload>> {
        let mut outcomes = self.last.clone();
        outcomes.mark_unchanged();
        outcomes
    }
}

/// Where an accepted snapshot goes.
pub type Install = Box<dyn Fn(Arc<Snapshot>) + Send>;

/// Watches the sources of `config` on a thread of its own, and installs what compiles.
///
/// # Errors
/// The thread cannot be started.
pub fn watch(
    config: PathBuf,
    sources: &Sources,
    served: &Snapshot,
    sink: Arc<dyn Sink>,
    install: Install,
) -> std::io::Result<Reloader> {
    let (calls, inbox) = channel();
    let changed = calls.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = changed.send(Call::Maybe);
        }
    });
    let watcher = watcher
        .inspect_err(|error| tracing::warn!(%error, "files cannot be watched and are read every 30 s; see fs.inotify.max_user_instances"))
        .ok();
    let (outcome, last) = watch::channel(None);
    let mut watch = Watch {
        config,
        watcher,
        watched: HashSet::new(),
        served: sources.digest(),
        policies: folder(sources),
        refused: None,
        stale_at: served.prices_change_at,
        generation: served.generation,
        sink,
        install,
        outcome,
    };
    watch.follow(sources);
    std::thread::Builder::new().name("reload".to_owned()).spawn(move || watch.run(&inbox))?;
    Ok(Reloader { calls, last })
}

struct Watch {
    config: PathBuf,
    /// `None` where the system has none left to give.
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    served: Digest,
    /// The folder of the policies that serve, if they have one.
    policies: Option<PathBuf>,
    /// What was refused last, so that it is said once.
    refused: Option<Vec<Diagnostic>>,
    /// When a price changes by itself that policies have been told: what serves is compiled anew then.
    stale_at: Option<i64>,
    generation: u64,
    sink: Arc<dyn Sink>,
    install: Install,
    outcome: watch::Sender<Option<LastReload>>,
}

/// Sources that were read twice alike, or what stands against them.
enum Read {
    Unchanged,
    Changed(Box<Sources>),
    Wrong(Vec<Diagnostic>),
    StillChanging,
}

impl Watch {
    fn run(&mut self, inbox: &Receiver<Call>) {
        loop {
            let call = match inbox.recv_timeout(self.patience()) {
                Ok(call) => call,
                Err(RecvTimeoutError::Timeout) => Call::Maybe,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if call == Call::Stop || !settle(inbox) {
                return;
            }
            self.reload(call == Call::Asked);
        }
    }

    /// How long nothing need be looked for.
    fn patience(&self) -> Duration {
        let left = self.stale_at.map(|at| at.saturating_sub(Clock::unix_seconds()));
        left.map_or(SLOW_POLL, |left| Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(SLOW_POLL))
    }

    fn reload(&mut self, asked: bool) {
        let began = std::time::Instant::now();
        let mut tried = None;
        let mut stale = self.stale_at.is_some_and(|at| at <= Clock::unix_seconds());
        if stale {
            // whatever comes of it, it is not tried again for the hour alone
            self.stale_at = None;
        }
        loop {
            match self.read(stale) {
                Read::StillChanging if began.elapsed() < LONGEST_WAIT => {}
                Read::StillChanging => return,
                Read::Unchanged => {
                    if self.refused.take().is_some() {
                        self.tell(true, self.served, &[]);
                    } else if asked && tried.is_none() {
                        tracing::info!(generation = self.generation, "nothing has changed");
                    }
                    return;
                }
                Read::Changed(sources) if tried == Some(sources.digest()) => return,
                Read::Changed(sources) => {
                    (tried, stale) = (Some(sources.digest()), false);
                    // also what is refused: its correction may come in a folder that it is the first to name
                    self.follow(&sources);
                    self.compile(&sources);
                    // what changed before its folder was watched made no event: read once more
                }
                Read::Wrong(diagnostics) => return self.refuse(diagnostics),
            }
        }
    }

    /// What is there now; what is `stale` counts as changed.
    fn read(&self, stale: bool) -> Read {
        let environment = |name: &str| crate::app::environment(name);
        let first = load(&self.config, &environment);
        if !stale && first.as_ref().is_ok_and(|sources| sources.digest() == self.served) {
            return Read::Unchanged;
        }
        std::thread::sleep(QUIET);
        match (first, load(&self.config, &environment)) {
            (Ok(first), Ok(second)) if first.digest() == second.digest() => Read::Changed(Box::new(second)),
            (Err(first), Err(second)) if first == second => Read::Wrong(second),
            _ => Read::StillChanging,
        }
    }

    fn compile(&mut self, sources: &Sources) {
        if let (Some(folder), PolicySource::BuiltIn) = (&self.policies, &sources.policies) {
            // the built-in policy may permit more than those that were written: losing them must not widen anything
            let help = "put it back, or restart to serve the built-in base policy";
            let gone = Diagnostic::error(Place::file(folder), "the folder of policies is gone").help(help);
            return self.refuse(vec![gone]);
        }
        match compile(sources, self.generation + 1, Clock::unix_seconds()) {
            Err(diagnostics) => self.refuse(diagnostics),
            Ok((snapshot, warnings)) => {
                self.generation += 1;
                self.served = sources.digest();
                self.policies = folder(sources);
                self.stale_at = snapshot.prices_change_at;
                self.refused = None;
                let digest = snapshot.digest;
                (self.install)(Arc::new(snapshot));
                self.tell(true, digest, &warnings);
            }
        }
    }

    fn refuse(&mut self, diagnostics: Vec<Diagnostic>) {
        if self.refused.as_ref() == Some(&diagnostics) {
            return;
        }
        self.tell(false, self.served, &diagnostics);
        self.refused = Some(diagnostics);
    }

    fn tell(&self, accepted: bool, digest: Digest, diagnostics: &[Diagnostic]) {
        let diagnostics: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let last = LastReload { at: SystemTime::now(), accepted, diagnostics: diagnostics.clone() };
        let digest = digest.short().into();
        self.sink.emit(Event::Reload {
            accepted,
            generation: self.generation,
            digest,
            diagnostics: diagnostics.into(),
        });
        // counted first: whoever waits for the outcome finds it in the metrics
        self.outcome.send_replace(Some(last));
    }

    /// Watches the directories of these sources. One that cannot be watched is polled like all others.
    fn follow(&mut self, sources: &Sources) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: HashSet<PathBuf> = sources.watched().map(Path::to_owned).collect();
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        let mut watched = HashSet::new();
        for directory in wanted {
            // a directory that was replaced has a new inode under the same name: watch it afresh
            let _ = watcher.unwatch(&directory);
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(directory)),
                Err(error) => {
                    tracing::warn!(directory = %directory.display(), %error, "cannot be watched; it is read every 30 s");
                }
            }
        }
        self.watched = watched;
    }
}

/// The folder that the policies come from.
fn folder(sources: &Sources) -> Option<PathBuf> {
    match &sources.policies {
        PolicySource::BuiltIn => None,
        PolicySource::Folder { path, .. } => Some(path.clone()),
    }
}

/// Waits until nothing has happened for a while. `false` when the process ends.
fn settle(inbox: &Receiver<Call>) -> bool {
    let began = std::time::Instant::now();
    loop {
        match inbox.recv_timeout(QUIET) {
            Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(_) if began.elapsed() < LONGEST_WAIT => {}
            Ok(_) | Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}
