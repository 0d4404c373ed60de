//! The part of a stream that one deployment gives: its bytes, the limits that it keeps, and what becomes of it.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::exchange::attempt::{self, Attempts, Served, Work};
use crate::exchange::pump::{Pump, Pumped};
use crate::exchange::recall::{self, Recall};
use crate::exchange::receive::Received;
use crate::exchange::{charge, request, select};
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::state::health::Flight;
use crate::upstream::VendorBody;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// How long a vendor that has told the end of its answer may take for usage and terminator.
pub const LINGER: Duration = Duration::from_secs(5);
/// Content that must come in the time of [`Timeouts::trickle`], in events.
const TRICKLE_EVENTS: u32 = 4;
/// How long a vendor may take to end its body after its terminator, and how much it may still send.
const DRAIN_TIME: Duration = Duration::from_secs(1);
const DRAIN_BYTES: usize = 64 << 10;

/// A stream that flows.
pub(crate) struct Flow {
    work: Box<Work>,
    deployment: Arc<Deployment>,
    flight: Flight,
    timeouts: Timeouts,
    body: VendorBody,
    pump: Box<Pump>,
    first: Bytes,
    complete: bool,
    /// What broke the stream, once the bytes before it have gone out.
    broken: Option<Box<Failure>>,
    read_at: Instant,
    content_at: Instant,
    trickle: Trickle,
    bytes_out: u64,
    recall: Recall,
}

/// What has come since when, for a stream that must not trickle.
struct Trickle {
    since: Instant,
    events: u32,
}

/// What a stream gives next.
pub(crate) enum Step {
    /// Bytes for the client.
    Bytes(Bytes),
    /// Its end.
    Done,
    /// Nothing more, before its end.
    Broke(Box<Failure>),
}

impl Flow {
    /// The stream of an attempt that has content.
    pub(crate) fn begin(mut work: Box<Work>, served: Served) -> Option<Self> {
        let Served { deployment, mut flight, received, took } = served;
        let Received::Stream { body, pump, first, complete, timeouts } = received else { return None };
        flight.succeeded(work.state.clock.now(), Some(took));
        work.settlement.consumed(pump.usage(), pump.heard());
        if pump.told().is_none() {
            // nobody will ask for it again, and streams last
            let ingress = &mut work.ingress;
            (ingress.headers, ingress.body, ingress.asked) = (HeaderMap::new(), Bytes::new(), None);
        }
        let (now, admitted) = (Instant::now(), &work.admitted);
        let recall = recall::watch(&work.state, &admitted.key, &admitted.ask, &deployment, Phase::Content, None);
        Some(Self {
            recall,
            work,
            deployment,
            flight,
            timeouts,
            body,
            pump,
            first,
            complete,
            broken: None,
            read_at: now,
            content_at: now,
            trickle: Trickle { since: now, events: 0 },
            bytes_out: 0,
        })
    }

    /// What comes next.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(self.pass(first));
        }
        loop {
            if self.complete {
                return Poll::Ready(Step::Done);
            }
            if let Poll::Ready(recalled) = self.recall.as_mut().poll(cx) {
                return Poll::Ready(Step::Broke(Box::new(recalled)));
            }
            if let Some(failure) = self.broken.take() {
                return Poll::Ready(Step::Broke(failure));
            }
            let pumped = match ready!(self.body.poll_chunk(cx)) {
                Some(Ok(chunk)) => self.pump.push(chunk),
                Some(Err(failure)) => match self.pump.end() {
                    // a finish reason came before the break: the answer is whole
                    pumped if pumped.complete => pumped,
                    _ => return Poll::Ready(Step::Broke(Box::new(failure))),
                },
                None => self.pump.end(),
            };
            if let Some(step) = self.take(pumped) {
                return Poll::Ready(step);
            }
        }
    }

    fn take(&mut self, pumped: Pumped) -> Option<Step> {
        self.read_at = Instant::now();
        self.work.settlement.consumed(self.pump.usage(), self.pump.heard());
        let Pumped { bytes, content, complete, fault, waits: _ } = pumped;
        if content {
            self.content_at = self.read_at;
            self.trickle.events += 1;
            if self.trickle.events >= TRICKLE_EVENTS {
                self.trickle = Trickle { since: self.read_at, events: 0 };
            }
        }
        self.complete = complete;
        match (bytes.is_empty(), fault.map(Box::new)) {
            (true, None) => None,
            (true, Some(failure)) => Some(Step::Broke(failure)),
            (false, fault) => {
                self.broken = fault;
                Some(self.pass(bytes))
            }
        }
    }

    fn pass(&mut self, bytes: Bytes) -> Step {
        self.bytes_out += bytes.len() as u64;
        Step::Bytes(bytes)
    }

    /// Whether something is held back, so that the client hears nothing while the vendor speaks.
    pub(crate) fn holds(&self) -> bool {
        self.pump.holds()
    }

    /// When the vendor will have been silent for too long.
    pub(crate) fn silent_until(&self) -> Instant {
        let idle = if self.pump.is_finished() { LINGER.min(self.timeouts.idle) } else { self.timeouts.idle };
        let progress = (self.content_at + self.timeouts.progress).min(self.trickle.since + self.timeouts.trickle);
        (self.read_at + idle).min(progress)
    }

    /// What the vendor's silence means, if it has been too long. One that has told its end and lets the connection hang has
    /// ended: the next poll gives the rest.
    pub(crate) fn silence(&mut self) -> Option<Failure> {
        let now = Instant::now();
        if now < self.silent_until() {
            return None;
        }
        if self.pump.is_finished() {
            let ended = self.pump.end();
            match self.take(ended) {
                Some(Step::Bytes(bytes)) => self.first = bytes,
                Some(Step::Broke(failure)) => return Some(*failure),
                Some(Step::Done) | None => {}
            }
            return None;
        }
        let reason = if now >= self.read_at + self.timeouts.idle {
            "idle"
        } else if now >= self.content_at + self.timeouts.progress {
            "no_progress"
        } else {
            "trickle"
        };
        Some(Failure::new(FailureKind::StreamIdle, Phase::Content, reason))
    }

    /// The whole answer has gone out.
    pub(crate) fn finish(mut self) {
        self.account();
        let Self { work, body, .. } = self;
        let weight = request::weight(&work.ingress);
        attempt::deposit(&work.world, &work.admitted.pool, weight, work.state.clock.now());
        work.settlement.served();
        drain(body);
    }

    /// The stream broke: what was delivered is carried on by others.
    ///
    /// # Errors
    /// Gives the work back where that is not safe, or nobody is there.
    pub(crate) fn carry_on(mut self, failure: &Failure) -> Result<Attempts, Box<Work>> {
        let now = self.work.state.clock.now();
        self.flight.failed(failure, now);
        // a vendor may refuse us, or throttle, in the middle of an answer too
        self.work.state.restrictions.failed(&self.deployment, failure, now);
        if let Some(observed) = self.work.world.observed(&self.deployment) {
            observed.account.learn(failure, self.work.demand, now);
        }
        self.account();
        let Self { mut work, pump, deployment, .. } = self;
        work.settlement.attempt_failed(failure);
        let Some(told) = pump.told() else { return Err(work) };
        if let Err(obstacle) = told.may_carry_on(failure.kind) {
            work.note_continuation(obstacle);
            return Err(work);
        }
        let consumed = pump.usage().map(|usage| charge::with_heard(usage, pump.heard()));
        work.told = Some(Box::new(told.after(deployment, consumed.unwrap_or_default())));
        let Some(selection) = select::others(&mut work) else {
            work.note_continuation("nobody_left");
            return Err(work);
        };
        work.deadline = Instant::now() + work.admitted.pool.deadline;
        Ok(Box::pin(attempt::run(work, selection)))
    }

    fn account(&mut self) {
        let bytes_out = self.bytes_out;
        self.work.settlement.note(|record| record.bytes_out += bytes_out);
    }
}

/// Reads what little may follow the terminator, so that the connection can serve again.
fn drain(mut body: VendorBody) {
    let mut context = Context::from_waker(std::task::Waker::noop());
    if matches!(body.poll_chunk(&mut context), Poll::Ready(None | Some(Err(_)))) {
        return;
    }
    tokio::spawn(async move {
        let rest = async {
            let mut read = 0;
            while let Some(Ok(chunk)) = body.chunk().await {
                read += chunk.len();
                if read > DRAIN_BYTES {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
    });
}
