//! A simulated vendor on loopback: it answers any prompt in its dialect, and misbehaves on demand in every way that a
//! vendor on the network can. HTTP/1.1 is written by hand, because a library would not break its own rules.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use backstay::demo::vendor::{Fault, Setup, Vendor};
//! use backstay::dialect::Dialect;
//!
//! let vendor = Vendor::start(Setup::new(Dialect::OpenaiChat)).await?;
//! vendor.set_fault(Fault::Status503);
//! // ... send a call to http://{vendor.address()}/v1/chat/completions ...
//! vendor.log().wait_for(|log| log.calls().count() == 1).await;
//! # Ok(()) }
//! ```

mod anthropic;
mod asked;
mod bedrock;
mod connection;
mod door;
mod fault;
mod gemini;
mod http1;
mod http2;
mod log;
mod misconduct;
mod openai_chat;
mod openai_responses;
mod plan;
mod request;
mod script;
mod speech;
mod wire;

pub use fault::{Fault, Phase, UnknownFault};
pub use log::{CloseKind, Closed, Connection, End, Ended, Entries, Handshake, Log, Request};
pub use script::{Cuts, Recording, RestManner, Script, Setup, Tls};

use crate::base::random::Random;
use crate::dialect::Dialect;
use asked::Asked;
use door::Door;
use plan::{Call, Step};
use script::{Lot, Schedule};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A running vendor; dropping it stops it and breaks its connections.
#[derive(Debug)]
pub struct Vendor {
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// What the vendor's connections share.
#[derive(Debug)]
struct Shared {
    dialect: Dialect,
    door: Door,
    handshakes: connection::Handshakes,
    schedule: Mutex<Schedule>,
    script: Mutex<Arc<Script>>,
    serial: AtomicUsize,
    /// Tells idle connections to close.
    hang_up: Notify,
    log: Log,
}

impl Vendor {
    /// Starts a vendor on loopback.
    ///
    /// # Errors
    /// When its port cannot be had.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            dialect: setup.dialect,
            door: Door::open(setup.port)?,
            handshakes: connection::Handshakes::new(setup.tls, setup.http2),
            schedule: Mutex::new(Schedule::Steady(None)),
            script: Mutex::new(Arc::new(setup.script)),
            serial: AtomicUsize::new(0),
            hang_up: Notify::new(),
            log: Log::default(),
        });
        let accepting = tokio::spawn(connection::accept_all(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.door.address()
    }

    /// What it saw and did.
    #[must_use]
    pub fn log(&self) -> Log {
        self.shared.log.clone()
    }

    /// Misbehaves in this way from now on. A fault that strikes connections also closes those that are idle.
    pub fn set_fault(&self, fault: Fault) {
        self.schedule(Schedule::Steady(Some(fault)));
    }

    /// Behaves from now on.
    pub fn heal(&self) {
        self.schedule(Schedule::Steady(None));
    }

    /// The next calls meet these faults, one each, `None` for none; then it behaves. A fault that strikes connections
    /// meets the next new connection. Where one connection is meant and not all, here and by lot, [`Fault::Refuse`] is a
    /// reset on accept, and with [`Fault::Blackhole`] the connection is made and nothing is read.
    pub fn queue(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.schedule(Schedule::Queue(faults.into_iter().collect()));
    }

    /// Each call meets one of the faults `among` with the probability `rate`; the same `seed` gives the same lots.
    pub fn misbehave_at_random(&self, seed: u64, rate: f64, among: impl IntoIterator<Item = Fault>) {
        self.schedule(Schedule::Random { lots: Random::seeded(seed), rate, among: among.into_iter().collect() });
    }

    /// The steady fault, if there is one.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match *self.shared.schedule() {
            Schedule::Steady(fault) => fault,
            Schedule::Queue(_) | Schedule::Random { .. } => None,
        }
    }

    /// Changes how it answers, from the next request on.
    pub fn change_script(&self, change: impl FnOnce(&mut Script)) {
        change(Arc::make_mut(&mut self.shared.script_lock()));
    }

    /// The text that it answers when neither tools nor a schema are asked for.
    #[must_use]
    pub fn text(&self) -> String {
        let script = self.shared.script();
        speech::words(script.text, script.words).concat()
    }

    fn schedule(&self, schedule: Schedule) {
        let door = &self.shared.door;
        // The port is ours; should the system not give it back, connecting is refused, as with any vendor that is down.
        let _ = match schedule {
            Schedule::Steady(Some(Fault::Refuse)) => {
                door.shut();
                Ok(())
            }
            Schedule::Steady(Some(Fault::Blackhole)) => door.block(),
            _ => door.reopen(),
        };
        *self.shared.schedule() = schedule;
        if self.shared.turns_connections_away() {
            self.shared.hang_up.notify_waiters();
        }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn lot_for_connection(&self) -> Lot {
        self.schedule().for_connection()
    }

    fn fault_for_request(&self, is_call: bool) -> Option<Fault> {
        self.schedule().for_request(is_call)
    }

    /// Whether new connections are met by a fault, so that old ones must not go on.
    fn turns_connections_away(&self) -> bool {
        matches!(*self.schedule(), Schedule::Steady(Some(fault)) if fault.strikes_connection())
    }

    /// What is done about a request.
    fn plan(&self, method: &str, path: &str, body: &[u8], fault: Option<Fault>) -> Vec<Step> {
        let script = self.script();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let dialect = self.dialect_at(path);
        let asked = Asked::read(dialect, body).at(path, query);
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let call = Call { dialect, asked: &asked, script: &script, serial };
        if let Some((text, recording)) = &script.objects_to
            && memchr::memmem::find(body, text.as_bytes()).is_some()
        {
            return plan::replay(recording, script.pause);
        }
        match (method, fault) {
            ("POST", None) if path.ends_with("/count_tokens") || path.ends_with(":countTokens") => {
                plan::token_count(dialect, &asked)
            }
            ("POST", None) if path.ends_with(":embedContent") || path.ends_with(":batchEmbedContents") => {
                plan::embeddings(body)
            }
            ("POST", None) if path.ends_with("/embeddings") => plan::openai_embeddings(body),
            ("POST", fault) if script.replay.is_some() || is_call(dialect, path) => call.plan(fault),
            (_, Some(fault)) if matches!(fault.phase(), Phase::Connection | Phase::BeforeContent) => {
                call.plan(Some(fault))
            }
            ("GET", _) if path.ends_with("/models") => plan::listing(self.dialect, script.model.as_deref()),
            _ => plan::unknown_path(),
        }
    }

    /// A vendor of OpenAI's API speaks both of its dialects, each at its own path.
    fn dialect_at(&self, path: &str) -> Dialect {
        if self.dialect == Dialect::OpenaiChat && is_call(Dialect::OpenaiResponses, path) {
            Dialect::OpenaiResponses
        } else {
            self.dialect
        }
    }

    fn script(&self) -> Arc<Script> {
        Arc::clone(&self.script_lock())
    }

    fn script_lock(&self) -> MutexGuard<'_, Arc<Script>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a call of this dialect goes to this path, whatever prefix its base URL has.
fn is_call(dialect: Dialect, path: &str) -> bool {
    let ends: &[&str] = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => &["/chat/completions"],
        Dialect::OpenaiResponses => &["/responses"],
        // at Google the path names the model and whether to stream
        Dialect::Anthropic | Dialect::AnthropicCount => &["/v1/messages", ":rawPredict", ":streamRawPredict"],
        Dialect::Bedrock => &["/converse", "/converse-stream"],
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => {
            &[":generateContent", ":streamGenerateContent"]
        }
    };
    ends.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests;
