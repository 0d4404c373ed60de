//! A streamed answer on its way to the client: honest to its end.
//!
//! A relay may begin before any deployment has content: it then keeps the client awake with its dialect's pings while the
//! attempts go on unseen. Once content has gone out and the vendor breaks, the client gets its dialect's error event and a
//! broken connection, never a clean end.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Rejection, RejectionCode};
use crate::dialect::{Dialect, error};
use crate::exchange::admit::Admitted;
use crate::exchange::answer::Broken;
use crate::exchange::array::Array;
use crate::exchange::attempt::{self, Served, Work};
use crate::exchange::pump::{Pump, Pumped};
use crate::exchange::recall::{self, Recall};
use crate::exchange::receive::Received;
use crate::exchange::request;
use crate::exchange::settle::Settlement;
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::state::health::Flight;
use crate::state::world::{State, World};
use crate::upstream::VendorBody;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// After the error event the connection breaks; so long before it, so that the event is flushed.
const FLUSH: Duration = Duration::from_millis(20);
/// How long a vendor may take to end its body after its terminator, and how much it may still send.
const DRAIN_TIME: Duration = Duration::from_secs(1);
const DRAIN_BYTES: usize = 64 << 10;

/// The attempts of an exchange, still going on.
pub(crate) type Attempts = Pin<Box<dyn Future<Output = (Box<Work>, Result<Box<Served>, Rejection>)> + Send>>;

/// A streamed answer.
pub struct Relay {
    dialect: Dialect,
    phase: Stage,
    timer: Option<Pin<Box<Sleep>>>,
    /// Makes one JSON array of the events, for a client that wants no events.
    array: Option<Box<Array>>,
}

enum Stage {
    /// No deployment has content yet.
    Held { attempts: Attempts, ping_at: Instant, ping_every: Duration },
    /// Content is flowing.
    Flowing(Box<Flow>),
    /// The error event has gone out.
    Breaking { at: Instant },
    /// Nothing more.
    Over,
}

/// A stream that flows.
struct Flow {
    state: Arc<State>,
    world: Arc<World>,
    deployment: Arc<Deployment>,
    settlement: Settlement,
    flight: Flight,
    timeouts: Timeouts,
    body: VendorBody,
    pump: Box<Pump>,
    first: Bytes,
    complete: bool,
    /// What broke the stream, once the bytes before it have gone out.
    broken: Option<Failure>,
    read_at: Instant,
    content_at: Instant,
    bytes_out: u64,
    weight: u64,
    admitted: Admitted,
    recall: Recall,
}

impl Relay {
    /// A stream that has content.
    pub(crate) fn flowing(work: Box<Work>, served: Served) -> Self {
        let dialect = work.ingress.dialect;
        let phase = Flow::begin(work, served).map_or(Stage::Over, |flow| Stage::Flowing(Box::new(flow)));
        Self { dialect, phase, timer: None, array: None }
    }

    /// A stream whose attempts still go on.
    pub(crate) fn held(dialect: Dialect, attempts: Attempts, ping_every: Duration) -> Self {
        Self { dialect, phase: Stage::Held { attempts, ping_at: Instant::now(), ping_every }, timer: None, array: None }
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
                Stage::Held { attempts, ping_at, .. } => {
                    if let Poll::Ready((work, result)) = attempts.as_mut().poll(cx) {
                        if let Some(bytes) = self.start(work, result) {
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                        continue;
                    }
                    let at = *ping_at;
                    ready!(self.poll_timer(at, cx));
                    if let Stage::Held { ping_at, ping_every, .. } = &mut self.phase {
                        *ping_at = at + *ping_every;
                    }
                    return Poll::Ready(Some(Ok(Bytes::from_static(error::ping(self.dialect)))));
                }
                Stage::Flowing(flow) => match flow.poll(cx) {
                    Poll::Ready(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                    Poll::Ready(Step::Done) => {
                        if let Stage::Flowing(flow) = std::mem::replace(&mut self.phase, Stage::Over) {
                            flow.finish();
                        }
                    }
                    Poll::Ready(Step::Broke(failure)) => {
                        if let Stage::Flowing(flow) = std::mem::replace(&mut self.phase, Stage::Over) {
                            return Poll::Ready(Some(Ok(self.break_off(*flow, &failure))));
                        }
                    }
                    Poll::Pending => {
                        let until = flow.silent_until();
                        ready!(self.poll_timer(until, cx));
                        if let Stage::Flowing(flow) = &mut self.phase
                            && let Some(failure) = flow.silence()
                            && let Stage::Flowing(flow) = std::mem::replace(&mut self.phase, Stage::Over)
                        {
                            return Poll::Ready(Some(Ok(self.break_off(*flow, &failure))));
                        }
                    }
                },
            }
        }
    }

    /// The attempts of a held answer have ended. Returns what the client gets for a failure.
    fn start(&mut self, work: Box<Work>, result: Result<Box<Served>, Rejection>) -> Option<Bytes> {
        match result {
            Ok(served) => {
                self.phase = Flow::begin(work, *served).map_or(Stage::Over, |flow| Stage::Flowing(Box::new(flow)));
                None
            }
            Err(rejection) => {
                let event = error::event(self.dialect, &rejection, work.settlement.request_id());
                work.settlement.rejected(&rejection);
                self.begin_breaking();
                Some(event)
            }
        }
    }

    /// Content has gone out and no more will come: the dialect's error event, then a broken connection.
    fn break_off(&mut self, mut flow: Flow, failure: &Failure) -> Bytes {
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
        let event = error::event(self.dialect, &rejection, flow.settlement.request_id());
        let now = flow.state.clock.now();
        flow.flight.failed(failure, now);
        // a vendor may refuse us in the middle of an answer too
        flow.state.restrictions.failed(&flow.deployment, failure, now);
        flow.account();
        flow.settlement.broke(failure);
        self.begin_breaking();
        event
    }

    fn begin_breaking(&mut self) {
        self.timer = None;
        self.phase = Stage::Breaking { at: Instant::now() + FLUSH };
    }

    fn poll_timer(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        loop {
            // a timer that was set for an earlier silence is only moved once it fires
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= until {
                self.timer = None;
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

enum Step {
    Bytes(Bytes),
    Done,
    Broke(Box<Failure>),
}

impl Flow {
    fn begin(work: Box<Work>, served: Served) -> Option<Self> {
        let Served { deployment, mut flight, received, took } = served;
        let Received::Stream { body, pump, first, complete, timeouts } = received else { return None };
        flight.succeeded(work.state.clock.now(), Some(took));
        let (now, mut settlement) = (Instant::now(), work.settlement);
        settlement.consumed(pump.usage(), pump.heard());
        let Admitted { key, ask, .. } = &work.admitted;
        Some(Self {
            recall: recall::watch(&work.state, key, ask, &deployment, Phase::Content),
            deployment,
            state: work.state,
            settlement,
            flight,
            timeouts,
            body,
            pump,
            first,
            complete,
            broken: None,
            read_at: now,
            content_at: now,
            bytes_out: 0,
            weight: request::weight(&work.ingress),
            admitted: work.admitted,
            world: work.world,
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
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
                return Poll::Ready(Step::Broke(Box::new(failure)));
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
            self.read_at = Instant::now();
            self.settlement.consumed(self.pump.usage(), self.pump.heard());
            let Pumped { bytes, content, complete, fault } = pumped;
            if content {
                self.content_at = self.read_at;
            }
            self.complete = complete;
            match (bytes.is_empty(), fault) {
                (true, None) => {}
                (true, Some(failure)) => return Poll::Ready(Step::Broke(Box::new(failure))),
                (false, None) => return Poll::Ready(self.pass(bytes)),
                (false, Some(failure)) => {
                    self.broken = Some(failure);
                    return Poll::Ready(self.pass(bytes));
                }
            }
        }
    }

    fn pass(&mut self, bytes: Bytes) -> Step {
        self.bytes_out += bytes.len() as u64;
        Step::Bytes(bytes)
    }

    fn silent_until(&self) -> Instant {
        (self.read_at + self.timeouts.idle).min(self.content_at + self.timeouts.progress)
    }

    /// Whether the vendor has been silent for too long.
    fn silence(&self) -> Option<Failure> {
        let now = Instant::now();
        if now >= self.read_at + self.timeouts.idle {
            return Some(Failure::new(FailureKind::StreamIdle, Phase::Content, "idle"));
        }
        (now >= self.content_at + self.timeouts.progress)
            .then(|| Failure::new(FailureKind::StreamIdle, Phase::Content, "no_progress"))
    }

    fn account(&mut self) {
        let bytes_out = self.bytes_out;
        self.settlement.note(|record| record.bytes_out = bytes_out);
    }

    fn finish(mut self) {
        self.account();
        attempt::deposit(&self.world, &self.admitted.pool, self.weight, self.state.clock.now());
        self.settlement.served();
        drain(self.body);
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
