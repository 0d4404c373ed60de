//! A vendor's answer on its way to the client, as it is.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::dialect::sse::Splitter;
use crate::exchange::answer::{self, Broken};
use crate::exchange::recall::Recall;
use crate::exchange::server_ids::Claimant;
use crate::exchange::settle::Settlement;
use crate::snapshot::deployment::Deployment;
use crate::state::health::Flight;
use crate::state::limits::Place;
use crate::state::world::State;
use crate::upstream::VendorBody;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Response, StatusCode};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What a vendor's headers may say to a client. Cookies, its own ids and addresses are none of them.
const PASSED: [&str; 9] = [
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "cache-control",
];

/// The head of the answer.
pub(super) fn head(
    settlement: &Settlement,
    (status, headers): &(StatusCode, HeaderMap),
    deployment: &Deployment,
    took: Duration,
) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = *status;
    for name in PASSED {
        for value in headers.get_all(name) {
            response.headers_mut().append(HeaderName::from_static(name), value.clone());
        }
    }
    answer::every_answer(response.headers_mut(), settlement);
    answer::served(response.headers_mut(), &deployment.id, took, settlement.elapsed(), None);
    response
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A body on its way.
pub struct Passing {
    state: Arc<State>,
    settlement: Option<Settlement>,
    flight: Flight,
    body: VendorBody,
    recall: Recall,
    idle: Duration,
    silent_until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    bytes_out: u64,
    /// Reads what events create.
    events: Option<(Splitter, Claimant)>,
    /// Held to the end.
    _places: Vec<Place>,
}

impl Passing {
    pub(super) fn new(
        state: Arc<State>,
        settlement: Settlement,
        flight: Flight,
        body: VendorBody,
        (recall, idle, places): (Recall, Duration, Vec<Place>),
    ) -> Self {
        Self {
            state,
            settlement: Some(settlement),
            flight,
            body,
            recall,
            idle,
            silent_until: Instant::now() + idle,
            timer: None,
            bytes_out: 0,
            events: None,
            _places: places,
        }
    }

    /// The same, noting what its events create.
    pub(super) fn claiming(mut self, claimant: Option<Claimant>) -> Self {
        self.events = claimant.map(|claimant| (Splitter::default(), claimant));
        self
    }

    /// Bytes that it has, where the vendor declares them.
    pub(crate) const fn length(&self) -> Option<u64> {
        self.body.length()
    }

    /// The next bytes for the client; an error breaks the connection.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.settlement.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(recalled) = self.recall.as_mut().poll(cx) {
            return self.break_off(&recalled);
        }
        match self.body.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.silent_until = Instant::now() + self.idle;
                self.bytes_out += chunk.len() as u64;
                self.claim(&chunk);
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(Some(Err(failure))) => self.break_off(&Failure { phase: Phase::Content, ..failure }),
            Poll::Ready(None) => {
                self.close(Settlement::served);
                Poll::Ready(None)
            }
            Poll::Pending if self.poll_silence(cx).is_ready() => {
                self.break_off(&Failure::new(FailureKind::StreamIdle, Phase::Content, "idle"))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn claim(&mut self, chunk: &Bytes) {
        let Some((splitter, claimant)) = &mut self.events else { return };
        splitter.push(chunk.clone());
        loop {
            match splitter.take() {
                Ok(Some(event)) if event.is_blank() => {}
                Ok(Some(event)) => {
                    let data: &[u8] = &event.data;
                    // the last event of an answer tells all that it made
                    let is_last = memchr::memmem::find(data, b"completed").is_some();
                    claimant.event(data, is_last);
                }
                Ok(None) => return,
                Err(_) => {
                    self.events = None;
                    return;
                }
            }
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.silent_until;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    fn break_off(&mut self, failure: &Failure) -> Poll<Option<Result<Bytes, Broken>>> {
        self.flight.failed(failure, self.state.clock.now());
        self.close(|settlement| settlement.broke(failure));
        Poll::Ready(Some(Err(Broken)))
    }

    fn close(&mut self, end: impl FnOnce(Settlement)) {
        let Some(mut settlement) = self.settlement.take() else { return };
        let bytes_out = self.bytes_out;
        settlement.note(|record| record.bytes_out = bytes_out);
        end(settlement);
    }
}
