//! HTTP/2: a few connections to one endpoint, each shared by many exchanges.
//!
//! h2 counts what a vendor still sends on streams that we reset, and closes the whole connection when it has forgotten too many
//! of them: 1500 clients that leave at once, or 60 at a time for long enough, would end every other stream on the connection.
//! So it is told to remember as many as can ever be reset within its memory's second, and the streams are spread.

use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::upstream::request::{self, Outbound};
use crate::upstream::stream::Stream;
use crate::upstream::wire::Unanswered;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Most connections to one endpoint.
const LINKS: usize = 8;
/// Most streams on one connection.
const STREAMS: usize = 100;
/// How long to wait for a stream when every connection is full.
const STREAM_WAIT: Duration = Duration::from_secs(1);
/// How long a connection without a stream is kept.
const REST: Duration = Duration::from_secs(55);
/// Resets that are remembered; h2's own 50 are forgotten when one client application restarts.
const RESETS: usize = 4096;
/// Most bytes of a head.
const HEAD_BYTES: u32 = 64 * 1024;
/// Most header lines of a head.
const HEAD_LINES: usize = 200;
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// How often a connection with streams is asked whether it lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(5);

/// The HTTP/2 connections to one endpoint.
pub(super) struct Links {
    /// Most connections.
    links: usize,
    /// Most streams on each.
    streams: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    open: Vec<Arc<Link>>,
    /// Connections that are being opened.
    opening: usize,
    /// Exchanges that wait for a stream.
    waiting: usize,
    /// How many openings failed, and how the last one did.
    failures: u64,
    failure: Option<Failure>,
}

/// hyper's connection, worked by a task of its own.
type Connection = http2::Connection<TokioIo<Stream>, Full<Bytes>, TokioExecutor>;

/// One HTTP/2 connection.
pub(super) struct Link {
    sender: http2::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    /// Streams in use.
    streams: AtomicUsize,
    /// Knows how many streams the vendor allows.
    connection: Arc<Mutex<Connection>>,
    /// Whether a stream was ever in use.
    is_reused: AtomicBool,
    /// Who is told of its loss, and for which deployment it was opened.
    sink: Arc<dyn Sink>,
    deployment: Arc<str>,
    /// Whether its loss was told.
    lost: AtomicBool,
    /// Since when no stream is in use.
    resting: Mutex<Instant>,
}

/// A stream's place on a connection.
pub(super) struct Lease {
    link: Arc<Link>,
    links: Arc<Links>,
    /// Whether the connection had rested before.
    woke: bool,
}

/// Leave to open one connection; dropped without one, the opening has failed.
pub(super) struct Opening {
    links: Arc<Links>,
    failure: Option<Failure>,
}

/// Where an exchange goes.
pub(super) enum Place {
    /// On this stream.
    Stream(Lease),
    /// On a connection that it opens itself.
    Open(Opening),
}

impl Default for Links {
    fn default() -> Self {
        Self::limited(LINKS, STREAMS)
    }
}

impl Links {
    /// No connection yet, and never more than `links` with `streams` each.
    pub(super) fn limited(links: usize, streams: usize) -> Self {
        Self { links, streams, state: Mutex::default(), changed: Notify::new() }
    }

    /// A stream on one of the connections, or leave to open another. `fresh`: rather open another.
    ///
    /// # Errors
    /// Why no connection could be opened, or `overloaded` when every connection stays full.
    pub(super) async fn place(self: &Arc<Self>, fresh: bool) -> Result<Place, Failure> {
        let full = tokio::time::Instant::now() + STREAM_WAIT;
        let failures = self.state().failures;
        let mut waiter = None;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let opening = match self.choose(fresh, failures, waiter.is_some())? {
                Ok(place) => return Ok(place),
                Err(opening) => opening,
            };
            waiter.get_or_insert_with(|| Waiter::new(self));
            if opening {
                changed.await;
            } else if tokio::time::timeout_at(full, changed).await.is_err() {
                return Err(Failure::new(FailureKind::Overloaded, Phase::Connect, "no_free_stream"));
            }
        }
    }

    /// A place if there is one; else whether a connection is being opened.
    fn choose(
        self: &Arc<Self>,
        fresh: bool,
        failures_before: u64,
        waits: bool,
    ) -> Result<Result<Place, bool>, Failure> {
        let mut state = self.state();
        state.open.retain(|link| !link.sender.is_closed());
        let may_open = state.open.len() + state.opening < self.links;
        if !(fresh && may_open)
            && let Some(link) =
                state.open.iter().filter(|link| link.has_room(self.streams)).min_by_key(|link| link.streams())
        {
            return Ok(Ok(Place::Stream(self.lease(link))));
        }
        if waits
            && state.failures > failures_before
            && state.opening == 0
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        // one opening connection is enough for as many exchanges as it will have streams
        let others = state.waiting - usize::from(waits);
        if may_open && (fresh || others >= state.opening.saturating_mul(self.streams)) {
            drop(state);
            return Ok(Ok(Place::Open(self.opening())));
        }
        Ok(Err(state.opening > 0))
    }

    /// Leave to open a connection.
    pub(super) fn opening(self: &Arc<Self>) -> Opening {
        self.state().opening += 1;
        Opening { links: Arc::clone(self), failure: None }
    }

    fn lease(self: &Arc<Self>, link: &Arc<Link>) -> Lease {
        let was_idle = link.streams.fetch_add(1, Ordering::Relaxed) == 0;
        let woke = link.is_reused.swap(true, Ordering::Relaxed) && was_idle;
        Lease { link: Arc::clone(link), links: Arc::clone(self), woke }
    }

    /// Lets go of connections that have rested long enough or lead to an address that is no more; streams on them run on.
    pub(super) fn sweep(&self, now: Instant, unused: bool, is_withdrawn: impl Fn(SocketAddr) -> bool) {
        self.state().open.retain(|link| !unused && !link.is_expired(now) && !is_withdrawn(link.address));
    }

    /// Whether there is any connection.
    pub(super) fn is_empty(&self) -> bool {
        self.state().open.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// An exchange that waits, counted.
struct Waiter<'a>(&'a Links);

impl<'a> Waiter<'a> {
    fn new(links: &'a Links) -> Self {
        links.state().waiting += 1;
        Self(links)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Opening {
    /// The connection is there, and speaks HTTP/2; the first stream is the opener's.
    ///
    /// # Errors
    /// `reset_before_headers` when it is gone already.
    pub(super) async fn done(
        self,
        stream: Stream,
        address: SocketAddr,
        sink: Arc<dyn Sink>,
        deployment: Arc<str>,
    ) -> Result<Lease, Failure> {
        let link = match Link::new(stream, address, sink, deployment).await {
            Ok(link) => Arc::new(link),
            Err(failure) => return Err(self.failed(failure)),
        };
        let lease = self.links.lease(&link);
        self.links.state().open.push(link);
        Ok(lease)
    }

    /// The connection could not be opened: those who waited for it need not try themselves.
    pub(super) fn failed(mut self, failure: Failure) -> Failure {
        self.failure = Some(failure.clone());
        failure
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.links.state();
        state.opening -= 1;
        if let Some(failure) = self.failure.take() {
            state.failures += 1;
            state.failure = Some(failure);
        }
        drop(state);
        self.links.changed.notify_waiters();
    }
}

impl Link {
    async fn new(
        stream: Stream,
        address: SocketAddr,
        sink: Arc<dyn Sink>,
        deployment: Arc<str>,
    ) -> Result<Self, Failure> {
        let made = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_BYTES)
            .max_concurrent_reset_streams(RESETS)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .handshake(TokioIo::new(stream))
            .await;
        let gone = |_| Failure::new(FailureKind::ResetBeforeHeaders, Phase::Connect, "handshake");
        let (sender, connection) = made.map_err(gone)?;
        let connection = Arc::new(Mutex::new(connection));
        let worked = Arc::clone(&connection);
        // how it ends is told to each of its streams
        tokio::spawn(poll_fn(move |cx| Pin::new(&mut *lock(&worked)).poll(cx).map(drop)));
        Ok(Self {
            sender,
            connection,
            address,
            streams: AtomicUsize::new(0),
            is_reused: AtomicBool::new(false),
            sink,
            deployment,
            lost: AtomicBool::new(false),
            resting: Mutex::new(Instant::now()),
        })
    }

    fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn has_room(&self, most: usize) -> bool {
        self.streams() < most.min(lock(&self.connection).current_max_send_streams())
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.streams() == 0 && now.saturating_duration_since(*lock(&self.resting)) >= REST
    }
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// The request itself when it never left, else why there is no answer.
    pub(super) async fn ask(&self, mut request: Outbound, within: Duration) -> Result<Response<Incoming>, Unanswered> {
        request::for_http2(&mut request).map_err(Unanswered::Failed)?;
        let asked = self.link.sender.clone().try_send_request(request);
        let failure = match tokio::time::timeout(within, asked).await {
            Ok(Ok(response)) if response.headers().len() > HEAD_LINES => {
                Failure::new(FailureKind::Malformed, Phase::Headers, "head_too_large")
            }
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut error)) => match error.take_message() {
                Some(mut request) => {
                    request::back_to_http1(&mut request).map_err(Unanswered::Failed)?;
                    return Err(Unanswered::Unsent(Box::new(request)));
                }
                None => self.unanswered(error.error()),
            },
            Err(_) => Failure::new(FailureKind::HeadersTimeout, Phase::Sent, ""),
        };
        Err(Unanswered::Failed(failure))
    }

    fn unanswered(&self, error: &hyper::Error) -> Failure {
        let (kind, reason) = match Cause::of(error) {
            Cause::Refused => (FailureKind::RefusedStream, ""),
            Cause::Reset => (FailureKind::ResetBeforeHeaders, "stream"),
            Cause::GoAway(reason) => (FailureKind::Goaway, reason),
            Cause::Protocol => (FailureKind::Malformed, "http2"),
            Cause::Gone if self.woke => (FailureKind::StaleConn, ""),
            Cause::Gone => (FailureKind::ResetBeforeHeaders, ""),
        };
        self.report(error);
        Failure::new(kind, Phase::Sent, reason)
    }

    /// Why a body broke off.
    pub(super) fn broken(&self, error: &hyper::Error) -> Failure {
        let (kind, reason) = match Cause::of(error) {
            Cause::Refused | Cause::Reset => (FailureKind::Truncated, "stream"),
            Cause::GoAway(_) => (FailureKind::Truncated, "goaway"),
            Cause::Protocol => (FailureKind::Malformed, "http2"),
            Cause::Gone => (FailureKind::Truncated, "closed"),
        };
        self.report(error);
        Failure::new(kind, Phase::Headers, reason)
    }

    /// Tells once that a connection was lost, however many streams it had.
    fn report(&self, error: &hyper::Error) {
        let class = match Cause::of(error) {
            Cause::GoAway(_) => "goaway",
            Cause::Gone => "closed",
            Cause::Protocol => "protocol",
            Cause::Refused | Cause::Reset => return,
        };
        if !self.link.lost.swap(true, Ordering::Relaxed) {
            let deployment = Arc::clone(&self.link.deployment);
            self.link.sink.emit(Event::UpstreamConnectionLost { deployment, class });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *lock(&self.link.resting) = Instant::now();
        self.link.streams.fetch_sub(1, Ordering::Relaxed);
        self.links.changed.notify_one();
    }
}

/// Why a stream ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The vendor never worked on it.
    Refused,
    /// The vendor gave it up.
    Reset,
    /// The vendor gave the connection up before it came to this stream.
    GoAway(&'static str),
    /// What the vendor sent is not HTTP/2.
    Protocol,
    /// The connection broke.
    Gone,
}

impl Cause {
    /// Reads h2's words, since its types are not to be had through hyper; the tests hold them fast.
    fn of(error: &hyper::Error) -> Self {
        let Some(source) = error.source().map(ToString::to_string) else { return Self::Gone };
        if let Some(reason) = source.strip_prefix("stream error received: ") {
            return if reason.starts_with("refused stream") { Self::Refused } else { Self::Reset };
        }
        if let Some(reason) = source.strip_prefix("connection error received: ") {
            return Self::GoAway(match reason {
                reason if reason.starts_with("not a result of an error") => "no_error",
                reason if reason.starts_with("detected excessive load") => "enhance_your_calm",
                reason if reason.starts_with("unspecific protocol error") => "protocol_error",
                _ => "other",
            });
        }
        let detected = ["stream error detected", "connection error detected"];
        if detected.iter().any(|words| source.starts_with(words)) { Self::Protocol } else { Self::Gone }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
