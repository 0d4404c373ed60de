//! One HTTP/1.1 connection. hyper's connection is not spawned but polled by whoever waits for its answer: no task has to be
//! woken to wake another, and dropping the wire closes the socket at once, which is how a vendor's work is cancelled.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::upstream::guard::{Guard, Turn};
use crate::upstream::payload::Payload;
use crate::upstream::request::{Outbound, Unanswered};
use crate::upstream::stream::Stream;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, Method, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a connection rests where the vendor names no time.
const REST: Duration = Duration::from_secs(55);
/// How much earlier than the vendor we give a connection up.
const MARGIN: Duration = Duration::from_secs(4);
/// hyper's buffers: a head has to fit in.
const BUFFER_BYTES: usize = 128 * 1024;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// hyper's connection.
type Connection = http1::Connection<TokioIo<Guard>, Payload>;

/// One HTTP/1.1 connection.
pub(super) struct Wire {
    sender: http1::SendRequest<Payload>,
    /// `None` once it has ended.
    connection: Option<Connection>,
    turn: Arc<Turn>,
    /// The turn as hyper's waker.
    quiet: Waker,
    /// Where it leads.
    pub(super) address: SocketAddr,
    /// Whether it has carried an exchange before.
    is_reused: bool,
    /// How long it may rest.
    rest: Duration,
    /// Since when it rests.
    resting: Instant,
}

impl Wire {
    /// Speaks HTTP/1.1 on `stream`.
    ///
    /// # Errors
    /// `reset_before_headers` when the connection is gone already.
    pub(super) async fn new(stream: Stream, address: SocketAddr) -> Result<Box<Self>, Failure> {
        let turn = Arc::<Turn>::default();
        let io = TokioIo::new(Guard::new(stream, Arc::clone(&turn)));
        // the guard bounds the header lines; hyper, told of a bound, would allocate for as many with every head
        let made = http1::Builder::new().max_buf_size(BUFFER_BYTES).handshake(io).await;
        let (sender, connection) = made.map_err(|_| reset("handshake", Phase::Connect))?;
        let (quiet, rest, resting) = (Waker::from(Arc::clone(&turn)), REST, Instant::now());
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
            turn,
            quiet,
            address,
            is_reused: false,
            rest,
            resting,
        }))
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// The request itself when it never left, else why there is no answer.
    pub(super) async fn ask(&mut self, request: Outbound, within: Duration) -> Result<Response<Incoming>, Unanswered> {
        self.turn.ask(*request.method() == Method::HEAD);
        let mut answer = pin!(self.sender.try_send_request(*request));
        let mut driven = Driven { connection: &mut self.connection, turn: &self.turn, quiet: &self.quiet };
        let answered = poll_fn(|cx| driven.poll(cx, |cx| answer.as_mut().poll(cx)));
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(response)) => {
                self.rest = rest_of(response.headers());
                Ok(response)
            }
            Ok(Err(error)) => Err(self.unanswered(error)),
            Err(_) => Err(Unanswered::Failed(Failure::new(FailureKind::HeadersTimeout, Phase::Sent, ""))),
        }
    }

    /// The next frame of the answer's body.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let mut driven = Driven { connection: &mut self.connection, turn: &self.turn, quiet: &self.quiet };
        let frame = driven.poll(cx, |cx| Pin::new(&mut *body).poll_frame(cx));
        frame.map(|frame| frame.map(|frame| frame.map_err(|_| self.broken())))
    }

    /// Whether the connection may carry another request, now that an answer was read to its end.
    pub(super) fn is_reusable(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(&self.quiet));
        self.turn.is_answered() && self.connection.is_some() && self.sender.is_ready() && !self.rest.is_zero()
    }

    /// Lays the connection to rest.
    pub(super) fn rest(&mut self) {
        self.turn.rest();
        self.is_reused = true;
        self.resting = Instant::now();
    }

    /// Whether it has rested longer than it may.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.resting) >= self.rest
    }

    /// Whether a connection at rest may be used: it is open, and nothing came that nobody asked for.
    pub(super) fn is_usable(&mut self) -> bool {
        self.turn.inspect();
        drive(&mut self.connection, &mut Context::from_waker(&self.quiet));
        self.connection.is_some() && !self.sender.is_closed()
    }

    fn unanswered(&self, mut error: TrySendError<Request<Payload>>) -> Unanswered {
        if let Some(request) = error.take_message() {
            return Unanswered::Unsent(Box::new(request));
        }
        let failure = match self.turn.fault() {
            Some(fault) => Failure::new(FailureKind::Malformed, Phase::Headers, fault.reason()),
            None if error.error().is_parse() => Failure::new(FailureKind::Malformed, Phase::Headers, "head"),
            None if self.turn.is_unanswered() && self.is_reused => {
                Failure::new(FailureKind::StaleConn, Phase::Sent, "")
            }
            None if self.turn.is_unanswered() => reset("", Phase::Sent),
            None => reset("in_head", Phase::Sent),
        };
        Unanswered::Failed(failure)
    }

    /// Why the body broke off.
    fn broken(&self) -> Failure {
        match self.turn.fault() {
            Some(fault) => Failure::new(FailureKind::Malformed, Phase::Headers, fault.reason()),
            None => Failure::new(FailureKind::Truncated, Phase::Headers, "closed"),
        }
    }
}

/// A new connection that was closed before the request left.
pub(super) fn closed_at_once() -> Failure {
    reset("closed_at_once", Phase::Connect)
}

/// A connection that works while somebody waits for what only it can bring about.
struct Driven<'a> {
    connection: &'a mut Option<Connection>,
    turn: &'a Turn,
    quiet: &'a Waker,
}

impl Driven<'_> {
    /// Nobody but us can wake the connection's other end, and we look there after it has worked; so only the socket gets our
    /// waker, and hyper one that notes whether it wanted to go on at once.
    fn poll<T>(&mut self, cx: &Context<'_>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let mut quiet = Context::from_waker(self.quiet);
        if let ready @ Poll::Ready(_) = poll(&mut quiet) {
            return ready;
        }
        self.turn.wakes(cx.waker());
        drive(self.connection, &mut quiet);
        let polled = poll(&mut quiet);
        if polled.is_pending() && self.turn.is_stirred() {
            cx.waker().wake_by_ref();
        }
        polled
    }
}

/// Lets the connection work, and drops it once it has ended, which answers whoever still waits for it.
fn drive(connection: &mut Option<Connection>, cx: &mut Context<'_>) {
    if let Some(open) = connection
        && Pin::new(open).poll(cx).is_ready()
    {
        *connection = None;
    }
}

fn reset(reason: &'static str, phase: Phase) -> Failure {
    Failure::new(FailureKind::ResetBeforeHeaders, phase, reason)
}

/// How long the connection may rest after this answer: less than the vendor advertises (`keep-alive: timeout=N`).
fn rest_of(headers: &HeaderMap) -> Duration {
    if headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close")) {
        return Duration::ZERO;
    }
    let advertised = headers.get(KEEP_ALIVE).and_then(|value| value.to_str().ok()).and_then(|value| {
        let parameters = value.split(',').filter_map(|parameter| parameter.trim().split_once('='));
        parameters.filter(|(name, _)| name.eq_ignore_ascii_case("timeout")).find_map(|(_, value)| value.parse().ok())
    });
    advertised.map_or(REST, |seconds| Duration::from_secs(seconds).saturating_sub(MARGIN).min(REST))
}
