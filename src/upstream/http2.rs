//! One HTTP/2 connection and its streams.
//!
//! Two of h2's defences against a hostile peer would, with a friendly vendor and many clients, close the connection under every
//! other stream on it, and the settings below keep both at a distance:
//!
//! - what a vendor still sends on streams that we reset counts against it once h2 has forgotten them: 1500 clients that leave at
//!   once, or 60 at a time for long enough, are too many for the defaults;
//! - DATA frames of less than 256 bytes, which is what streamed tokens are, draw on a budget of half the connection's window
//!   until somebody reads them: a few clients that stop reading use it up where a stream's window is large and the connection's
//!   is not. What comes on a stream that was reset is never given back, so a connection is retired in time.

use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::upstream::payload::Payload;
use crate::upstream::request::{self, Outbound, Unanswered};
use crate::upstream::stream::Stream;
use http::Response;
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

/// How long a connection without a stream is kept.
const REST: Duration = Duration::from_secs(55);
/// Resets that are remembered, and for how long: what the vendor still sends on such a stream may be under way, and we may be
/// too busy to read it. h2's own 50 for a second are used up by one application that restarts.
const RESETS: usize = 4096;
const RESETS_FOR: Duration = Duration::from_secs(10);
/// How often in a connection's life the vendor may send on a stream that is not remembered.
const STRAYS: usize = 16_384;
/// Most bytes of a head.
const HEAD_BYTES: u32 = 64 * 1024;
/// Most header lines of a head.
const HEAD_LINES: usize = 200;
/// What a vendor may send ahead on one stream: in frames of 120 bytes it costs as much again of the budget.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Twice the budget, which has to hold a hundred streams that nobody reads.
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;
/// How many streams a connection carries in its life.
const LIFETIME: usize = 4000;
/// How often a connection with streams is asked whether it lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(5);

/// hyper's connection, worked by a task of its own.
type Connection = http2::Connection<TokioIo<Stream>, Payload, TokioExecutor>;

/// One HTTP/2 connection, shared by many exchanges.
pub(super) struct Link {
    sender: http2::SendRequest<Payload>,
    /// Knows how many streams the vendor allows.
    connection: Arc<Mutex<Connection>>,
    /// Where it leads.
    pub(super) address: SocketAddr,
    /// Streams in use.
    streams: AtomicUsize,
    /// Streams there ever were.
    carried: AtomicUsize,
    /// Whether the last stream to be asked something ran out of time.
    is_suspect: AtomicBool,
    /// Since when no stream is in use.
    resting: Mutex<Instant>,
    /// Whether its loss was told.
    lost: AtomicBool,
    told: Told,
}

/// Who is told of a connection's loss, and for which deployment it was opened.
pub(super) struct Told {
    /// Takes the event.
    pub(super) sink: Arc<dyn Sink>,
    /// The deployment's id.
    pub(super) deployment: Arc<str>,
}

/// A stream's place on a connection.
pub(super) struct Lease {
    link: Arc<Link>,
    /// Whether the connection had rested before.
    woke: bool,
    /// Rung when the place is free again.
    freed: Arc<Notify>,
}

impl Link {
    /// Speaks HTTP/2 on `stream`.
    ///
    /// # Errors
    /// `reset_before_headers` when the connection is gone already.
    pub(super) async fn new(stream: Stream, address: SocketAddr, told: Told) -> Result<Arc<Self>, Failure> {
        let made = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_BYTES)
            .max_concurrent_reset_streams(RESETS)
            .reset_stream_duration(RESETS_FOR)
            .max_local_error_reset_streams(STRAYS)
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
        Ok(Arc::new(Self {
            sender,
            connection,
            address,
            streams: AtomicUsize::new(0),
            carried: AtomicUsize::new(0),
            is_suspect: AtomicBool::new(false),
            resting: Mutex::new(Instant::now()),
            lost: AtomicBool::new(false),
            told,
        }))
    }

    /// Takes a place for a stream; `freed` is rung when it is given back.
    pub(super) fn lease(self: &Arc<Self>, freed: &Arc<Notify>) -> Lease {
        let was_idle = self.streams.fetch_add(1, Ordering::Relaxed) == 0;
        let woke = self.carried.fetch_add(1, Ordering::Relaxed) > 0 && was_idle;
        Lease { link: Arc::clone(self), woke, freed: Arc::clone(freed) }
    }

    /// How many streams are in use.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether another stream may be opened, of `most` that we allow ourselves.
    pub(super) fn has_room(&self, most: usize) -> bool {
        !self.is_suspect() && self.streams() < most.min(lock(&self.connection).current_max_send_streams())
    }

    /// Whether it takes no further stream, ever: closed, worn out, or silent with nobody left to wait for it.
    pub(super) fn is_over(&self) -> bool {
        self.sender.is_closed()
            || self.carried.load(Ordering::Relaxed) >= LIFETIME
            || (self.is_suspect() && self.streams() == 0)
    }

    /// Whether it has rested longer than it may.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.streams() == 0 && now.saturating_duration_since(*lock(&self.resting)) >= REST
    }

    fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    /// Tells once that the connection was lost, however many streams it had.
    fn lose(&self, class: &'static str) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            let deployment = Arc::clone(&self.told.deployment);
            self.told.sink.emit(Event::UpstreamConnectionLost { deployment, class });
        }
    }
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// The request itself when it never left, else why there is no answer.
    pub(super) async fn ask(&self, mut request: Outbound, within: Duration) -> Result<Response<Incoming>, Unanswered> {
        request::for_http2(&mut request).map_err(Unanswered::Failed)?;
        let asked = self.link.sender.clone().try_send_request(*request);
        let failure = match tokio::time::timeout(within, asked).await {
            Ok(Ok(response)) if response.headers().len() > HEAD_LINES => {
                Failure::new(FailureKind::Malformed, Phase::Headers, "head_too_large")
            }
            Ok(Ok(response)) => {
                self.link.is_suspect.store(false, Ordering::Relaxed);
                return Ok(response);
            }
            Ok(Err(mut error)) => match error.take_message() {
                Some(request) => {
                    let mut request = Box::new(request);
                    request::back_to_http1(&mut request).map_err(Unanswered::Failed)?;
                    return Err(Unanswered::Unsent(request));
                }
                None => self.unanswered(error.error()),
            },
            Err(_) => {
                self.link.is_suspect.store(true, Ordering::Relaxed);
                Failure::new(FailureKind::HeadersTimeout, Phase::Sent, "")
            }
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

    /// A failure of the whole connection is told, once.
    fn report(&self, error: &hyper::Error) {
        match Cause::of(error) {
            Cause::GoAway(_) => self.link.lose("goaway"),
            Cause::Gone => self.link.lose("closed"),
            Cause::Protocol => self.link.lose("protocol"),
            Cause::Refused | Cause::Reset => {}
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *lock(&self.link.resting) = Instant::now();
        self.link.streams.fetch_sub(1, Ordering::Relaxed);
        self.freed.notify_one();
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

/// Locks what no panic can have left in disorder.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
