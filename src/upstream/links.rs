//! The HTTP/2 connections to one endpoint: which of them takes the next stream, and when another is opened.
//!
//! Streams share their connection's fate and its vendor's limit, and an answer takes minutes: so they are spread over several.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::upstream::http2::{Lease, Link, Told, lock};
use crate::upstream::stream::Stream;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// Most connections to one endpoint.
const LINKS: usize = 8;
/// Most streams on one connection.
const STREAMS: usize = 100;
/// How long to wait for a stream when every connection is full.
const STREAM_WAIT: Duration = Duration::from_secs(1);

/// The HTTP/2 connections to one endpoint.
pub(super) struct Links {
    /// Most connections.
    links: usize,
    /// Most streams on each.
    streams: usize,
    state: Mutex<State>,
    /// Rung when a stream is free or an opening has ended.
    changed: Arc<Notify>,
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

/// Where an exchange goes.
pub(super) enum Place {
    /// On this stream.
    Stream(Lease),
    /// On a connection that it opens itself.
    Open(Opening),
}

/// What an exchange that looks for a place finds.
enum Choice {
    Place(Place),
    /// Nothing before an opening has ended.
    WaitForOpening,
    /// Nothing before a stream is free.
    WaitForStream,
    /// The opening that it waited for has failed.
    Fail(Failure),
}

/// Leave to open one connection.
pub(super) struct Opening {
    links: Arc<Links>,
    failure: Option<Failure>,
}

impl Default for Links {
    fn default() -> Self {
        Self::limited(LINKS, STREAMS)
    }
}

impl Links {
    /// No connection yet, and never more than `links` with `streams` each.
    pub(super) fn limited(links: usize, streams: usize) -> Self {
        Self { links, streams, state: Mutex::default(), changed: Arc::default() }
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
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.choose(fresh, failures, waiter.is_some()) {
                Choice::Place(place) => return Ok(place),
                Choice::Fail(failure) => return Err(failure),
                Choice::WaitForOpening => {
                    waiter.get_or_insert_with(|| Waiter::new(self));
                    changed.await;
                }
                Choice::WaitForStream => {
                    waiter.get_or_insert_with(|| Waiter::new(self));
                    if timeout_at(full, changed).await.is_err() {
                        return Err(Failure::new(FailureKind::Overloaded, Phase::Connect, "no_free_stream"));
                    }
                }
            }
        }
    }

    /// Decides for one exchange, which `waits` already or has just come.
    fn choose(self: &Arc<Self>, fresh: bool, failures_before: u64, waits: bool) -> Choice {
        let mut state = self.state();
        state.open.retain(|link| !link.is_over());
        let may_open = state.open.len() + state.opening < self.links;
        let roomy = state.open.iter().filter(|link| link.has_room(self.streams)).min_by_key(|link| link.streams());
        if let Some(link) = roomy
            && !(fresh && may_open)
        {
            return Choice::Place(Place::Stream(link.lease(&self.changed)));
        }
        if waits
            && state.failures > failures_before
            && state.opening == 0
            && let Some(failure) = &state.failure
        {
            return Choice::Fail(failure.clone());
        }
        // one opening connection is enough for as many exchanges as it will have streams
        let others = state.waiting - usize::from(waits);
        if may_open && (fresh || others >= state.opening.saturating_mul(self.streams)) {
            drop(state);
            return Choice::Place(Place::Open(self.opening()));
        }
        if state.opening > 0 { Choice::WaitForOpening } else { Choice::WaitForStream }
    }

    /// Leave to open a connection.
    pub(super) fn opening(self: &Arc<Self>) -> Opening {
        self.state().opening += 1;
        Opening { links: Arc::clone(self), failure: None }
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
    pub(super) async fn done(self, stream: Stream, address: SocketAddr, told: Told) -> Result<Lease, Failure> {
        let link = match Link::new(stream, address, told).await {
            Ok(link) => link,
            Err(failure) => return Err(self.failed(failure)),
        };
        let lease = link.lease(&self.links.changed);
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
