//! A streamed answer on its way to the client: honest to its end.
//!
//! A relay may begin before any deployment has content: it then keeps the client awake with its dialect's pings while the
//! attempts go on unseen. Once content has gone out and the vendor breaks, another deployment carries the stream on where
//! that is safe; else the client gets its dialect's error event and a broken connection, never a clean end.

use crate::base::failure::{Failure, FailureKind};
use crate::base::rejection::{Rejection, RejectionCode};
use crate::dialect::{Dialect, error};
use crate::exchange::answer::Broken;
use crate::exchange::array::Array;
use crate::exchange::attempt::{Attempts, Served, Work};
use crate::exchange::flow::{Flow, Step};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// After the error event the connection breaks; so long before it, so that the event is flushed.
const FLUSH: Duration = Duration::from_millis(20);

/// A streamed answer.
pub struct Relay {
    dialect: Dialect,
    phase: Stage,
    timer: Option<Pin<Box<Sleep>>>,
    /// The pause between two pings to a client that waits.
    ping_every: Duration,
    ping_at: Instant,
    /// The number that an error event would have.
    number: u64,
    /// Makes one JSON array of the events, for a client that wants no events.
    array: Option<Box<Array>>,
}

enum Stage {
    /// No deployment has content yet: none at all, or none after the one that `broke`.
    Held { attempts: Attempts, broke: Option<Box<Failure>> },
    /// Content is flowing.
    Flowing(Box<Flow>),
    /// The error event has gone out.
    Breaking { at: Instant },
    /// Nothing more.
    Over,
}

impl Relay {
    /// A stream that has content.
    pub(crate) fn flowing(work: Box<Work>, served: Served) -> Self {
        let (dialect, ping_every) = (work.ingress.dialect, work.world.snapshot.bounds.ping_after);
        Self::new(dialect, Stage::flowing(work, served), ping_every)
    }

    /// A stream whose attempts still go on, and whose client has waited for one ping's time.
    pub(crate) fn held(dialect: Dialect, attempts: Attempts, ping_every: Duration) -> Self {
        let relay = Self::new(dialect, Stage::Held { attempts, broke: None }, ping_every);
        Self { ping_at: Instant::now(), ..relay }
    }

    fn new(dialect: Dialect, phase: Stage, ping_every: Duration) -> Self {
        let ping_at = Instant::now() + ping_every;
        Self { dialect, phase, timer: None, ping_every, ping_at, number: 0, array: None }
    }

    /// The same, as one JSON array where the client wants no events.
    pub(crate) fn in_array(mut self, array: bool) -> Self {
        self.array = array.then(Box::default);
        self
    }

    /// Whether it is one JSON array.
    pub(crate) const fn is_array(&self) -> bool {
        self.array.is_some()
    }

    /// The next bytes for the client; an error breaks the connection. An array that broke off is never closed.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            let polled = ready!(self.poll_events(cx));
            let Some(array) = &mut self.array else { return Poll::Ready(polled) };
            return Poll::Ready(match polled {
                Some(Ok(events)) => {
                    let elements = array.push(events);
                    if elements.is_empty() {
                        continue;
                    }
                    Some(Ok(elements))
                }
                Some(Err(broken)) => {
                    self.array = None;
                    Some(Err(broken))
                }
                None => self.array.take().map(|array| Ok(array.end())),
            });
        }
    }

    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match &mut self.phase {
                Stage::Over => return Poll::Ready(None),
                Stage::Breaking { at } => {
                    let at = *at;
                    ready!(self.poll_timer(at, cx));
                    self.phase = Stage::Over;
                    return Poll::Ready(Some(Err(Broken)));
                }
                Stage::Held { attempts, broke } => {
                    if let Poll::Ready((work, result)) = attempts.as_mut().poll(cx) {
                        let broke = broke.take();
                        if let Some(bytes) = self.resume(work, result, broke) {
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                        continue;
                    }
                    ready!(self.poll_timer(self.ping_at, cx));
                    return Poll::Ready(Some(Ok(self.ping())));
                }
                Stage::Flowing(flow) => match flow.poll(cx) {
                    Poll::Ready(Step::Bytes(bytes)) => {
                        self.ping_at = Instant::now() + self.ping_every;
                        self.number = error::number_after(self.dialect, &bytes).unwrap_or(self.number);
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    Poll::Ready(Step::Done) => {
                        if let Stage::Flowing(flow) = std::mem::replace(&mut self.phase, Stage::Over) {
                            flow.finish();
                        }
                    }
                    Poll::Ready(Step::Broke(failure)) => {
                        if let Some(bytes) = self.broke(failure) {
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                    }
                    Poll::Pending => {
                        let (ping_at, until) = (flow.holds().then_some(self.ping_at), flow.silent_until());
                        ready!(self.poll_timer(ping_at.map_or(until, |at| at.min(until)), cx));
                        if ping_at.is_some_and(|at| Instant::now() >= at) {
                            return Poll::Ready(Some(Ok(self.ping())));
                        }
                        if let Some(bytes) = self.silence() {
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                    }
                },
            }
        }
    }

    fn ping(&mut self) -> Bytes {
        self.ping_at = Instant::now() + self.ping_every;
        Bytes::from_static(error::ping(self.dialect))
    }

    /// The attempts of a held answer have ended. Returns what the client gets for a failure.
    fn resume(
        &mut self,
        work: Box<Work>,
        result: Result<Box<Served>, Rejection>,
        broke: Option<Box<Failure>>,
    ) -> Option<Bytes> {
        match (result, broke) {
            (Ok(served), broke) => {
                if broke.is_some() {
                    work.note_continuation("carried_on");
                }
                self.phase = Stage::flowing(work, *served);
                None
            }
            // what came in vain after the break is in the record; the client is told of the break
            (Err(_), Some(failure)) => {
                work.note_continuation("all_failed");
                Some(self.break_off(work, &failure))
            }
            (Err(rejection), None) => {
                let event = error::event(self.dialect, &rejection, work.settlement.request_id(), self.number);
                work.settlement.rejected(&rejection);
                self.begin_breaking();
                Some(event)
            }
        }
    }

    /// The vendor has been silent for as long as it may.
    fn silence(&mut self) -> Option<Bytes> {
        let Stage::Flowing(flow) = &mut self.phase else { return None };
        let failure = flow.silence()?;
        self.broke(Box::new(failure))
    }

    /// Content has gone out and no more will come from this deployment. Returns what the client gets where no other one
    /// carries the stream on.
    fn broke(&mut self, failure: Box<Failure>) -> Option<Bytes> {
        let Stage::Flowing(flow) = std::mem::replace(&mut self.phase, Stage::Over) else { return None };
        match flow.carry_on(&failure) {
            Ok(attempts) => {
                self.phase = Stage::Held { attempts, broke: Some(failure) };
                None
            }
            Err(work) => Some(self.break_off(work, &failure)),
        }
    }

    /// The dialect's error event, then a broken connection.
    fn break_off(&mut self, work: Box<Work>, failure: &Failure) -> Bytes {
        let rejection = match failure.kind {
            FailureKind::Recalled => Rejection::new(
                RejectionCode::PolicyDenied,
                "Policy has come to forbid the deployment that was answering; what came so far is not complete.",
            ),
            kind => Rejection::new(
                RejectionCode::UpstreamBroken,
                format!("The answer broke off ({}); what came so far is not complete.", kind.class()),
            ),
        };
        let event = error::event(self.dialect, &rejection, work.settlement.request_id(), self.number);
        work.settlement.broke(failure);
        self.begin_breaking();
        event
    }

    fn begin_breaking(&mut self) {
        self.timer = None;
        self.phase = Stage::Breaking { at: Instant::now() + FLUSH };
    }

    fn poll_timer(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        // one that was set for an earlier silence is only moved once it fires
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= until {
                self.timer = None;
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

impl Stage {
    fn flowing(work: Box<Work>, served: Served) -> Self {
        Flow::begin(work, served).map_or(Self::Over, |flow| Self::Flowing(Box::new(flow)))
    }
}
