//! What a simulated vendor saw and did. Tests wait on it instead of sleeping.

use super::fault::Fault;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// The vendor's log; clones show the same log.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<Entries>,
    changed: Notify,
}

/// Everything so far, in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Connections, by id.
    pub connections: Vec<Connection>,
    /// Requests, by id.
    pub requests: Vec<Request>,
    /// What came that was not HTTP, in the parser's words.
    pub malformed: Vec<String>,
}

/// One accepted connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// When it was accepted.
    pub accepted: Instant,
    /// The fault that met it, if one strikes connections.
    pub fault: Option<Fault>,
    /// How its handshake went; `None` for plain HTTP, and until it has ended.
    pub handshake: Option<Result<Handshake, String>>,
    /// How it ended, once it has.
    pub closed: Option<Closed>,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// The protocol that was agreed on by ALPN.
    pub protocol: Option<String>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Instant,
    /// By whom and how.
    pub kind: CloseKind,
}

/// Who closed a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseKind {
    /// The peer closed it in good order.
    PeerFin,
    /// The peer reset it, or broke it off.
    PeerReset,
    /// The vendor closed it.
    OurFin,
    /// The vendor reset it.
    OurReset,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The connection that it came on.
    pub connection: usize,
    /// When it had been read.
    pub at: Instant,
    /// The head as it came, with every byte; empty on HTTP/2.
    pub head: Bytes,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names, as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub body: Bytes,
    /// The fault that met it.
    pub fault: Option<Fault>,
    /// Bytes of the answer that went out, with its head on HTTP/1.1.
    pub sent: usize,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Instant,
    /// How.
    pub how: End,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The whole answer went out.
    Answered,
    /// The vendor broke it off, as its fault says.
    BrokenOff,
    /// The peer cancelled it.
    Cancelled,
}

impl Request {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether it asks for an answer of the model, rather than for a listing.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.method == "POST"
    }

    /// Whether the peer cancelled it.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.ended.is_some_and(|ended| ended.how == End::Cancelled)
    }
}

impl Entries {
    /// The requests that ask for an answer of the model.
    pub fn calls(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|request| request.is_call())
    }

    /// Connections that are still open.
    pub fn open(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|connection| connection.closed.is_none())
    }
}

impl Log {
    /// A copy of everything so far.
    #[must_use]
    pub fn entries(&self) -> Entries {
        self.lock().clone()
    }

    /// What `question` says about everything so far, without a copy.
    pub fn ask<T>(&self, question: impl FnOnce(&Entries) -> T) -> T {
        question(&self.lock())
    }

    /// Waits until `condition` holds. It is asked at once, and after every change.
    pub async fn wait_for(&self, mut condition: impl FnMut(&Entries) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// How many calls came so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.ask(|entries| entries.calls().count())
    }

    /// Notes an accepted connection and gives it an id.
    pub(super) fn accepted(&self, fault: Option<Fault>) -> usize {
        self.change(|entries| {
            entries.connections.push(Connection { accepted: Instant::now(), fault, handshake: None, closed: None });
            entries.connections.len() - 1
        })
    }

    /// Notes how the handshake went.
    pub(super) fn handshake(&self, connection: usize, outcome: Result<Handshake, String>) {
        self.change(|entries| {
            if let Some(connection) = entries.connections.get_mut(connection) {
                connection.handshake = Some(outcome);
            }
        });
    }

    /// Notes the end of a connection; the first word stands.
    pub(super) fn closed(&self, connection: usize, kind: CloseKind) {
        self.change(|entries| {
            if let Some(connection) = entries.connections.get_mut(connection) {
                connection.closed.get_or_insert(Closed { at: Instant::now(), kind });
            }
        });
    }

    /// Notes a request and gives it an id.
    pub(super) fn request(&self, request: Request) -> usize {
        self.change(|entries| {
            entries.requests.push(request);
            entries.requests.len() - 1
        })
    }

    /// Adds to the bytes that went out.
    pub(super) fn sent(&self, request: usize, bytes: usize) {
        self.change(|entries| {
            if let Some(request) = entries.requests.get_mut(request) {
                request.sent += bytes;
            }
        });
    }

    /// Notes what was not HTTP.
    pub(super) fn malformed(&self, why: &std::io::Error) {
        self.change(|entries| entries.malformed.push(why.to_string()));
    }

    /// Notes the end of a request; the first word stands.
    pub(super) fn ended(&self, request: usize, how: End) {
        self.change(|entries| {
            if let Some(request) = entries.requests.get_mut(request) {
                request.ended.get_or_insert(Ended { at: Instant::now(), how });
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let changed = change(&mut self.lock());
        self.0.changed.notify_waiters();
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
