//! The attempts of an exchange: candidate after candidate, under a deadline, a cap and a budget, until one answers.
//!
//! What follows a failure is read from one table, [`FailureKind::next_step`]; this file only walks it.

use crate::base::clock::Moment;
use crate::base::event::Event;
use crate::base::failure::{Failure, FailureKind, NextStep, Phase};
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::needs::Need;
use crate::dialect::region;
use crate::exchange::admit::Admitted;
use crate::exchange::continuation::{self, Manner, Told};
use crate::exchange::ingress::Ingress;
use crate::exchange::recall;
use crate::exchange::receive::{self, Received};
use crate::exchange::request::{self, Prepared, Unfit};
use crate::exchange::select::{Candidate, RESTRICTED, Selection, nobody_left};
use crate::exchange::settle::Settlement;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::permit::Permit;
use crate::snapshot::pool::Pool;
use crate::state::health::Flight;
use crate::state::world::{State, World};
use crate::upstream::Connections;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// No attempt begins with less time left than this.
const LEAST_TIME: Duration = Duration::from_millis(500);
/// A vendor's hint up to this is waited for in place, when nobody else is left.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause before a resend without a hint.
const BACK_OFF: Duration = Duration::from_millis(500);

/// An exchange under way. It is large, and lives in a box, so that handing it on moves a pointer.
pub(crate) struct Work {
    pub(crate) state: Arc<State>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) world: Arc<World>,
    pub(crate) ingress: Ingress,
    pub(crate) admitted: Admitted,
    pub(crate) settlement: Settlement,
    /// When content must have gone out.
    pub(crate) deadline: Instant,
    /// What the client was told so far, where its stream can be carried on.
    pub(crate) told: Option<Box<Told>>,
}

impl Work {
    /// Tells what became of a stream that broke.
    pub(crate) fn note_continuation(&self, outcome: &'static str) {
        self.state.sink.emit(Event::Continuation { pool: Arc::clone(&self.admitted.pool.name), outcome });
    }

    /// What the client was told before its stream broke, while it is being carried on.
    fn broken_off(&self) -> Option<&Told> {
        self.told.as_deref().filter(|told| told.carries_on())
    }
}

/// An answer that has begun.
pub(crate) struct Served {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) flight: Flight,
    pub(crate) received: Received,
    /// From the attempt's start to its first content.
    pub(crate) took: Duration,
}

/// The attempts of an exchange, still going on.
pub(crate) type Attempts = Pin<Box<dyn Future<Output = (Box<Work>, Result<Box<Served>, Rejection>)> + Send>>;

/// How far the walk has come.
struct Walk {
    queue: VecDeque<Candidate>,
    trickle: bool,
    refusals: Vec<Refusal>,
    failures: Vec<Failure>,
    /// What is wrong with the call itself.
    invalid: Option<Rejection>,
    made: u32,
    most: u32,
}

/// What became of one candidate.
enum Verdict {
    Served(Box<Served>),
    Next,
    Stop,
}

/// Walks the candidates until one has content for the client.
pub(crate) async fn run(mut work: Box<Work>, selection: Selection) -> (Box<Work>, Result<Box<Served>, Rejection>) {
    // carrying on is never a first attempt: it is free only as a move to a sound deployment is
    let made = u32::from(work.broken_off().is_some());
    let most = if work.admitted.fallback { work.admitted.pool.attempts.max(1) + made } else { 1 };
    let Selection { candidates, trickle, refusals } = selection;
    let mut walk = Walk { queue: candidates, trickle, refusals, failures: Vec::new(), invalid: None, made, most };
    while let Some(candidate) = walk.queue.pop_front() {
        if walk.made >= walk.most || !may_spend(&work, &walk, &candidate) {
            break;
        }
        match ask(&mut work, &mut walk, &candidate).await {
            Verdict::Served(served) => return (work, Ok(served)),
            Verdict::Next => {}
            Verdict::Stop => break,
        }
    }
    let rejection = conclude(walk);
    (work, Err(rejection))
}

/// Whether another attempt is within the budget. The first is free, and so is the first move to a sound deployment.
fn may_spend(work: &Work, walk: &Walk, candidate: &Candidate) -> bool {
    let now = work.state.clock.now();
    let first_move = walk.made == 1 && candidate.health.is_sound(now, &work.admitted.pool.breaker);
    if walk.made == 0 || first_move {
        return true;
    }
    let Some(budget) = work.world.budget(&work.admitted.pool) else { return true };
    let granted = budget.lock().unwrap_or_else(PoisonError::into_inner).withdraw(request::weight(&work.ingress), now);
    if !granted {
        work.state.sink.emit(Event::RetryBudgetDenied { pool: Arc::clone(&work.admitted.pool.name) });
    }
    granted
}

/// A call of so many tokens succeeded: others may be retried for it.
pub(crate) fn deposit(world: &World, pool: &Pool, tokens: u64, now: Moment) {
    if let Some(budget) = world.budget(pool) {
        budget.lock().unwrap_or_else(PoisonError::into_inner).deposit(tokens, now);
    }
}

/// Asks one candidate, and once more where the table says so.
async fn ask(work: &mut Work, walk: &mut Walk, candidate: &Candidate) -> Verdict {
    let (mut prepared, mut flight) = match set_out(work, walk, candidate) {
        Ok(ready) => ready,
        Err(verdict) => return verdict,
    };
    let mut resent = false;
    loop {
        let permit = match permit(work, walk, &candidate.deployment) {
            Ok(permit) => permit,
            Err(refusal) => {
                work.settlement.passed_over(&candidate.deployment, &refusal);
                walk.refusals.push(refusal);
                return Verdict::Next;
            }
        };
        let accept_empty = prepared.manner == Some(Manner::Prefill)
            || walk.failures.iter().any(|failure| failure.kind == FailureKind::Empty);
        match once(work, &permit, &prepared, resent, accept_empty).await {
            Ok(received) => {
                work.state.restrictions.answered(&candidate.deployment);
                let took = work.settlement.serves(&candidate.deployment, received.is_stream());
                let deployment = Arc::clone(&candidate.deployment);
                return Verdict::Served(Box::new(Served { deployment, flight, received, took }));
            }
            Err(failure) => {
                let (failure, now) = (clients_own(failure, work, candidate), work.state.clock.now());
                flight.failed(&failure, now);
                work.state.restrictions.failed(&candidate.deployment, &failure, now);
                work.settlement.attempt_failed(&failure);
                if let Some(other) = prepare_otherwise(work, candidate, &failure, prepared.manner) {
                    prepared = other;
                    continue;
                }
                let step = after(&failure, walk, candidate, prepared.manner);
                let free = step == NextStep::Resend;
                if !free {
                    walk.made += 1;
                }
                let pause = pause(&failure, work);
                walk.failures.push(failure);
                match step {
                    NextStep::Answer | NextStep::Stop => return Verdict::Stop,
                    NextStep::Move => return Verdict::Next,
                    NextStep::Resend if !resent => resent = true,
                    NextStep::MoveOrResend if !resent && walk.made < walk.most && may_spend(work, walk, candidate) => {
                        let Some(pause) = pause else { return Verdict::Next };
                        resent = true;
                        tokio::time::sleep(pause).await;
                    }
                    NextStep::Resend | NextStep::MoveOrResend => return Verdict::Next,
                }
            }
        }
    }
}

/// Prepares the request, and asks health for leave to send it.
fn set_out(work: &mut Work, walk: &mut Walk, candidate: &Candidate) -> Result<(Prepared, Flight), Verdict> {
    let prepared = prepare(work, &candidate.deployment).map_err(|unfit| match unfit {
        Unfit::Deployment(refusal) => {
            walk.refusals.push(refusal);
            Verdict::Next
        }
        Unfit::Call(rejection) => {
            walk.invalid = Some(rejection);
            Verdict::Stop
        }
    })?;
    let (settings, now) = (work.admitted.pool.breaker, work.state.clock.now());
    let flight = work.state.health.begin(&candidate.health, settings, now, walk.trickle).map_err(|refusal| {
        walk.refusals.push(refusal);
        Verdict::Next
    })?;
    Ok((prepared, flight))
}

/// The request for a candidate: the call, or what asks for the rest of a stream that broke.
fn prepare(work: &mut Work, deployment: &Arc<Deployment>) -> Result<Prepared, Unfit> {
    let Some(told) = work.broken_off() else {
        let bounds = &work.world.snapshot.bounds;
        let mut prepared = request::prepare(&mut work.ingress, bounds, &work.admitted.pool, deployment)?;
        prepared.told.clone_from(&work.told);
        return Ok(prepared);
    };
    let thinks = work.ingress.scan.needs.has(Need::Reasoning);
    let prefills = deployment.voice(work.ingress.dialect).is_some_and(|voice| voice.capabilities.has(Need::Prefill));
    let first = continuation::manner(told.text(), prefills, thinks);
    prepare_rest(work, deployment, first)
}

/// The request for the rest in this manner, or in the next that the deployment's dialect has words for.
fn prepare_rest(work: &mut Work, deployment: &Arc<Deployment>, manner: Manner) -> Result<Prepared, Unfit> {
    let Work { world, ingress, admitted, told, .. } = work;
    let Some(told) = told.as_deref() else { return Err(Unfit::Deployment(Refusal::Capability("continuation"))) };
    let bounds = &world.snapshot.bounds;
    match request::prepare_rest(ingress, bounds, &admitted.pool, deployment, (told, manner)) {
        Err(Unfit::Deployment(refusal)) => match continuation::otherwise(manner, told.text()) {
            Some(other) => prepare_rest(work, deployment, other),
            None => Err(Unfit::Deployment(refusal)),
        },
        prepared => prepared,
    }
}

/// A deployment that finds fault with how it was asked for the rest is asked in another manner.
fn prepare_otherwise(
    work: &mut Work,
    candidate: &Candidate,
    failure: &Failure,
    refused: Option<Manner>,
) -> Option<Prepared> {
    let at_fault = matches!(failure.kind, FailureKind::BadRequest | FailureKind::Unsupported) && failure.said.is_some();
    let manner = continuation::otherwise(refused.filter(|_| at_fault)?, work.broken_off()?.text())?;
    prepare_rest(work, &candidate.deployment, manner).ok()
}

/// What is not found may be what the client named, a file or an earlier answer: unless the vendor names the model, its
/// absence says nothing of the model.
fn clients_own(failure: Failure, work: &Work, candidate: &Candidate) -> Failure {
    let named = |failure: &Failure| {
        failure.said.as_ref().is_some_and(|said| said.message.contains(&*candidate.deployment.model))
    };
    let ids = work.ingress.scan.needs.has(Need::ServerIds);
    if failure.kind == FailureKind::ModelGone && ids && !named(&failure) {
        return Failure { kind: FailureKind::BadRequest, reason: "unknown_id".into(), scope: None, ..failure };
    }
    failure
}

/// The table's answer, with what the walk knows: with others left, moving comes before trying again.
fn after(failure: &Failure, walk: &mut Walk, candidate: &Candidate, manner: Option<Manner>) -> NextStep {
    match failure.kind.next_step() {
        // what it finds fault with may be how the rest was asked for, which the client knows nothing of
        NextStep::Answer if manner.is_some() => NextStep::Move,
        NextStep::MoveOrResend if !walk.queue.is_empty() => NextStep::Move,
        step @ NextStep::Move if failure.kind == FailureKind::ContextLength => {
            // the same model at the same size would say the same
            walk.queue.retain(|other| other.deployment.model != candidate.deployment.model);
            step
        }
        step @ (NextStep::Resend | NextStep::Move | NextStep::MoveOrResend | NextStep::Answer | NextStep::Stop) => step,
    }
}

/// How long to wait before asking the same deployment again; `None` when the vendor asks for longer than is worth it.
fn pause(failure: &Failure, work: &Work) -> Option<Duration> {
    let left = work.deadline.saturating_duration_since(Instant::now());
    match failure.retry_after {
        Some(hint) => (hint <= LONGEST_PAUSE && hint <= left / 4).then_some(hint),
        None => Some(BACK_OFF.mul_f64(work.state.random.unit())),
    }
}

/// Asks the snapshot and the restrictions of this moment: both can only take candidates away.
fn permit(work: &mut Work, walk: &Walk, deployment: &Arc<Deployment>) -> Result<Permit, Refusal> {
    work.admitted.ask.attempt = walk.made;
    if let Some(refusal) = work.state.restrictions.refuses(deployment) {
        return Err(refusal);
    }
    work.state.world().snapshot.permit(&work.admitted.key, &work.admitted.ask, deployment)
}

/// One try at one deployment, up to its first content.
async fn once(
    work: &mut Work,
    permit: &Permit,
    prepared: &Prepared,
    fresh: bool,
    accept_empty: bool,
) -> Result<Received, Failure> {
    let left = work.deadline.saturating_duration_since(Instant::now());
    let whom = work.world.snapshot.whom(&work.admitted.key, &work.admitted.ask.residency, permit.deployment());
    work.settlement.begin_attempt(permit.deployment(), whom);
    if left < LEAST_TIME {
        return Err(Failure::new(FailureKind::Deadline, Phase::Connect, "no_time_left"));
    }
    let recall = recall::watch(&work.state, &work.admitted.key, &work.admitted.ask, permit.deployment(), Phase::Sent);
    tokio::select! {
        biased;
        recalled = recall => Err(recalled),
        received = converse(work, permit, prepared, fresh, accept_empty) => received,
    }
}

/// Sends the request and reads the answer up to its first content.
async fn converse(
    work: &mut Work,
    permit: &Permit,
    prepared: &Prepared,
    fresh: bool,
    accept_empty: bool,
) -> Result<Received, Failure> {
    let began = Instant::now();
    let sent = tokio::time::timeout_at(
        work.deadline,
        work.connections.send(permit, prepared.outgoing(), &prepared.timeouts, fresh),
    )
    .await;
    let incoming = sent.unwrap_or_else(|_| Err(Failure::new(FailureKind::Deadline, Phase::Sent, "headers")))?;
    work.settlement.answered(incoming.status.as_u16(), region::observed(&incoming.headers));
    let received = receive::receive(incoming, prepared, began, accept_empty);
    tokio::time::timeout_at(work.deadline, received)
        .await
        .unwrap_or_else(|_| Err(Failure::new(FailureKind::Deadline, Phase::Headers, "content")))
}

/// What the client is told after the last attempt.
fn conclude(walk: Walk) -> Rejection {
    if let Some(invalid) = walk.invalid {
        return invalid;
    }
    let Some(last) = walk.failures.last() else { return nobody_left(walk.refusals) };
    let spoken = |kinds: &[FailureKind]| {
        walk.failures.iter().find(|failure| kinds.contains(&failure.kind) && failure.said.is_some())
    };
    let clients_own = [
        FailureKind::BadRequest,
        FailureKind::ContentFilter,
        FailureKind::ContextLength,
        FailureKind::OverWindow,
        FailureKind::Unsupported,
    ];
    if let Some(failure) = spoken(&clients_own) {
        let mut rejection = Rejection::new(RejectionCode::VendorRefused, "The vendor found fault with the request.");
        rejection.said = failure.said.clone();
        return rejection;
    }
    let wait = walk.failures.iter().filter_map(|failure| failure.retry_after).min();
    let (code, message) = match last.kind {
        FailureKind::Deadline => {
            (RejectionCode::DeadlineExceeded, "The exchange ran out of time before any deployment had content.")
        }
        FailureKind::RegionDenied | FailureKind::AccountDenied | FailureKind::ModelDenied
            if walk.failures.iter().all(|failure| failure.kind.restricts()) =>
        {
            (RejectionCode::PolicyDenied, RESTRICTED)
        }
        FailureKind::Malformed if last.reason == "redirect" => {
            (RejectionCode::UpstreamRedirect, "The vendor answered with a redirect, which is never followed.")
        }
        FailureKind::Malformed | FailureKind::Truncated | FailureKind::Empty => {
            (RejectionCode::UpstreamMalformed, "No deployment gave an answer that can be used.")
        }
        FailureKind::Oversize => (RejectionCode::UpstreamOversize, "The vendor's answer is larger than the limit."),
        _ if walk.failures.iter().all(|failure| failure.kind == FailureKind::RateLimited) => (
            RejectionCode::RateLimited,
            "Every deployment of this model is throttled by its vendor. Wait as long as Retry-After says.",
        ),
        _ => (
            RejectionCode::NoHealthyDeployment,
            "Every deployment of this model failed. Wait as long as Retry-After says; `/status` shows why.",
        ),
    };
    let mut rejection = Rejection::new(code, message);
    rejection.retry_after = wait;
    rejection.refusals = walk.refusals;
    rejection
}
