//! The attempts of an exchange: candidate after candidate, under a deadline, a cap and a budget, until one answers.
//!
//! What follows a failure is read from one table, [`FailureKind::next_step`], and decided in `patience`; this file only
//! walks.

use crate::base::clock::Moment;
use crate::base::event::{Event, Whom};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::dialect::{region, signals};
use crate::exchange::admit::Admitted;
use crate::exchange::approach;
use crate::exchange::conclude::conclude;
use crate::exchange::continuation::{Manner, Told};
use crate::exchange::hedge::{self, Raced};
use crate::exchange::ingress::Ingress;
use crate::exchange::lesson;
use crate::exchange::patience::{self, NextOne, Situation, Step};
use crate::exchange::recall;
use crate::exchange::receive::{self, Received};
use crate::exchange::request::{self, Prepared, Unfit};
use crate::exchange::select::{Candidate, Selection};
use crate::exchange::server_ids::{self, Claimant};
use crate::exchange::settle::Settlement;
use crate::exchange::under_way::Leg;
use crate::exchange::walk::Walk;
use crate::exchange::whereabouts;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::permit::Permit;
use crate::snapshot::pool::Pool;
use crate::state::clock::Clock;
use crate::state::health::{Bid, Flight};
use crate::state::purse::Hold;
use crate::state::quota::{Demand, Draw};
use crate::state::world::{State, World};
use crate::upstream::Connections;
use http::HeaderMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// No attempt begins with less time left than this.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// The longest wait for a place at a deployment that has as much as it bears, and its share of the time that is left.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const SHARE_OF_TIME: u32 = 10;
/// A cap may also rise with time, which nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An exchange under way. It is large, and lives in a box, so that handing it on moves a pointer.
pub(crate) struct Work {
    pub(crate) state: Arc<State>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) world: Arc<World>,
    pub(crate) ingress: Ingress,
    pub(crate) admitted: Admitted,
    pub(crate) settlement: Settlement,
    /// What it takes of a vendor's quota.
    pub(crate) demand: Demand,
    /// The session that it belongs to.
    pub(crate) session: Option<u64>,
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
    pub(crate) fn broken_off(&self) -> Option<&Told> {
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
    let mut walk = Walk { made, ..Walk::new(selection, most) };
    while let Some((candidate, waits)) = walk.next(work.state.clock.now()) {
        if walk.made >= walk.most || !may_move(&work, &mut walk, &candidate) {
            break;
        }
        match ask(&mut work, &mut walk, &candidate, waits).await {
            Verdict::Served(served) => return (work, Ok(served)),
            Verdict::Next => {}
            Verdict::Stop => break,
        }
    }
    let rejection = conclude(walk.invalid, &walk.failures, walk.refusals);
    (work, Err(rejection))
}

/// Whether a candidate may be asked. The first attempt is free of budget, and so is the first move to a sound deployment.
fn may_move(work: &Work, walk: &mut Walk, candidate: &Candidate) -> bool {
    if walk.made == 0 {
        return true;
    }
    let first = !std::mem::replace(&mut walk.moved, true);
    let now = work.state.clock.now();
    (first && candidate.health.is_sound(now, &work.admitted.pool.breaker)) || may_spend(work)
}

/// Whether another attempt is within the budget.
fn may_spend(work: &Work) -> bool {
    let now = work.state.clock.now();
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
async fn ask(work: &mut Work, walk: &mut Walk, candidate: &Candidate, waits: bool) -> Verdict {
    let (mut prepared, mut flight) = match set_out(work, walk, candidate, waits).await {
        Ok(ready) => ready,
        Err(verdict) => return verdict,
    };
    let mut again = false;
    loop {
        let Some((permit, held)) = leave(work, walk, candidate).await else { return Verdict::Next };
        let accept_empty = prepared.manner == Some(Manner::Prefill)
            || walk.failures.iter().any(|failure| failure.kind == FailureKind::Empty);
        let mut draw = candidate.account.send(work.demand);
        let began = Instant::now();
        // where nobody else is left, one that hangs may answer yet
        let watched = (!walk.queue.is_empty()).then_some(candidate);
        work.settlement.begin_attempt(&candidate.deployment, whom(work, &permit), held);
        let tried = Try { permit: &permit, prepared: &prepared, leg: Leg::First, fresh: again, accept_empty };
        let raced = match hedge::plan(work, walk, candidate) {
            None => Raced::First(once(work, &tried, &mut draw, watched).await),
            Some(plan) => Box::pin(hedge::race(work, walk, plan, &tried, &mut draw, watched)).await,
        };
        match raced {
            Raced::Hedge(mut served, failed) => {
                match failed {
                    Some(failure) => drop(lesson::failed(work, candidate, &mut flight, draw, failure)),
                    None => lesson::outrun(work, &mut flight, began.elapsed()),
                }
                served.took = work.settlement.serves(&served.deployment, served.received.is_stream());
                return Verdict::Served(served);
            }
            Raced::First(Ok(received)) => {
                lesson::answered(work, candidate, draw);
                let took = work.settlement.serves(&candidate.deployment, received.is_stream());
                let deployment = Arc::clone(&candidate.deployment);
                return Verdict::Served(Box::new(Served { deployment, flight, received, took }));
            }
            Raced::First(Err(failure)) => {
                let failure = lesson::failed(work, candidate, &mut flight, draw, failure);
                work.settlement.attempt_failed(&failure);
                if let Some(other) = approach::otherwise(work, &candidate.deployment, &failure, &prepared) {
                    prepared = other;
                    continue;
                }
                let step = match after(&failure, began.elapsed(), again, work, walk, candidate) {
                    // what it finds fault with may be how the rest was asked for, which the client knows nothing of
                    Step::Stop if prepared.manner.is_some() && failure.said.is_some() => Step::Next,
                    step => step,
                };
                walk.made += u32::from(!matches!(step, Step::Again { free: true, .. }));
                if step == Step::Next && !again && walk.failures.is_empty() && failure.kind.often_passes() {
                    walk.passing = Some(candidate.clone());
                }
                walk.failures.push(failure);
                match step {
                    Step::Stop => return Verdict::Stop,
                    Step::Again { pause, free } if free || may_spend(work) => {
                        again = true;
                        tokio::time::sleep(pause).await;
                    }
                    Step::Again { .. } | Step::Next => return Verdict::Next,
                }
            }
        }
    }
}

/// Asks policy for a permit and the budgets for what the attempt may cost; who refuses is noted.
async fn leave(work: &mut Work, walk: &mut Walk, candidate: &Candidate) -> Option<(Permit, Vec<Hold>)> {
    let refusal = match permit(work, walk, &candidate.deployment) {
        Ok(permit) => match work.settlement.hold(&candidate.deployment).await {
            Ok(held) => return Some((permit, held)),
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    work.settlement.passed_over(&candidate.deployment, &refusal);
    walk.refusals.push(refusal);
    None
}

/// Prepares the request, and asks health for leave to send it.
async fn set_out(
    work: &mut Work,
    walk: &mut Walk,
    candidate: &Candidate,
    waits: bool,
) -> Result<(Box<Prepared>, Flight), Verdict> {
    let mut prepared = approach::prepare(work, &candidate.deployment).map_err(|unfit| match unfit {
        Unfit::Deployment(refusal) => {
            walk.refusals.push(refusal);
            Verdict::Next
        }
        Unfit::Call(rejection) => {
            walk.invalid = Some(rejection);
            Verdict::Stop
        }
    })?;
    if !prepared.translated && server_ids::creates(work.ingress.scan.needs) {
        let claimant = Claimant::new(&work.state.ids, &work.admitted.key, &candidate.deployment);
        prepared.claimant = Some(claimant);
    }
    let bid = bid(work, &prepared, walk.trickle);
    let now = work.state.clock.now();
    // since it was selected others may have drawn on its quota: where somebody else is left, it is not asked for a 429
    let scarce = candidate.account.refuses(work.demand, now).filter(|_| !walk.queue.is_empty());
    let flight = match scarce {
        Some(refusal) => Err(refusal),
        None if waits => wait_for_place(work, candidate, &bid).await,
        None => work.state.health.begin(&candidate.health, &bid, now),
    };
    flight.map(|flight| (prepared, flight)).map_err(|refusal| {
        if refusal == Refusal::Full && !waits {
            walk.full.push_back(candidate.clone());
        } else {
            work.settlement.passed_over(&candidate.deployment, &refusal);
            walk.refusals.push(refusal);
        }
        Verdict::Next
    })
}

/// What health is asked for an attempt with this request.
pub(crate) fn bid(work: &Work, prepared: &Prepared, trickle: bool) -> Bid {
    let timeouts = &prepared.timeouts;
    Bid {
        settings: work.admitted.pool.breaker,
        limit: if work.ingress.scan.stream { timeouts.first_content } else { timeouts.answer },
        input_tokens: work.ingress.scan.input_tokens,
        trickle,
    }
}

/// Waits a little until a deployment that has as much as it bears has a place: its load ebbs within moments, and the
/// client would otherwise be refused.
async fn wait_for_place(work: &Work, candidate: &Candidate, bid: &Bid) -> Result<Flight, Refusal> {
    let left = work.deadline.saturating_duration_since(Instant::now());
    let until = Instant::now() + LONGEST_WAIT.min(left / SHARE_OF_TIME);
    let health = &candidate.health;
    loop {
        match work.state.health.begin(health, bid, work.state.clock.now()) {
            Err(Refusal::Full) if Instant::now() < until => {
                // either says: look again
                let _ = tokio::time::timeout(LOOK_EVERY, health.deployment.freed()).await;
            }
            decided => return decided,
        }
    }
}

/// What follows, with what the walk knows.
fn after(failure: &Failure, took: Duration, again: bool, work: &Work, walk: &mut Walk, candidate: &Candidate) -> Step {
    let deployment = &candidate.deployment;
    if failure.kind == FailureKind::ContextLength {
        // the same model at the same size would say the same
        walk.queue.retain(|other| other.deployment.model != deployment.model);
    }
    let vendor = |deployment: &Deployment| Arc::clone(&deployment.endpoint.vendor.name);
    let is_twin = |other: &Deployment| other.model == deployment.model && vendor(other) == vendor(deployment);
    let situation = Situation {
        kind: failure.kind,
        hint: failure.retry_after,
        cooldown: candidate.account.rests(work.state.clock.now()),
        took,
        again,
        closed: candidate.health.is_closed(),
        next: match walk.queue.front() {
            None => NextOne::Nobody,
            Some(other) if is_twin(&other.deployment) => NextOne::Twin,
            Some(_) => NextOne::Other,
        },
        doubted: candidate.health.fails_for_once() && walk.all_others_fail(work.state.clock.now()),
        others: u32::try_from(walk.queue.len()).unwrap_or(u32::MAX),
        // a trickle asks once
        attempts: if walk.trickle { 0 } else { walk.most.saturating_sub(walk.made + 1) },
        patience: work.admitted.pool.patience,
        left: work.deadline.saturating_duration_since(Instant::now()),
        chance: work.state.random.unit(),
    };
    patience::decide(&situation)
}

/// Asks the snapshot and the restrictions of this moment: both can only take candidates away.
fn permit(work: &mut Work, walk: &Walk, deployment: &Arc<Deployment>) -> Result<Permit, Refusal> {
    work.admitted.ask.attempt = walk.made;
    if let Some(refusal) = work.state.restrictions.refuses(deployment) {
        return Err(refusal);
    }
    work.state.world().snapshot.permit(&work.admitted.key, &work.admitted.ask, deployment)
}

/// Until the deployment is found to hang, where that is watched.
async fn hangs(watched: Option<&Candidate>) {
    match watched {
        Some(candidate) => candidate.health.deployment.hangs().await,
        None => std::future::pending().await,
    }
}

/// Who is sent something with this permit, for the record.
pub(crate) fn whom(work: &Work, permit: &Permit) -> Whom {
    work.world.snapshot.whom(&work.admitted.key, &work.admitted.ask.residency, permit.deployment())
}

/// One try at one deployment.
pub(crate) struct Try<'a> {
    pub(crate) permit: &'a Permit,
    pub(crate) prepared: &'a Prepared,
    pub(crate) leg: Leg,
    /// Whether it needs a connection of its own.
    pub(crate) fresh: bool,
    pub(crate) accept_empty: bool,
}

/// Makes one try, up to its first content; given up as soon as the candidate is found to hang that is `watched`.
pub(crate) async fn once(
    work: &Work,
    tried: &Try<'_>,
    draw: &mut Draw,
    watched: Option<&Candidate>,
) -> Result<Received, Failure> {
    let left = work.deadline.saturating_duration_since(Instant::now());
    if left < LEAST_TIME {
        return Err(Failure::new(FailureKind::Deadline, Phase::Connect, "no_time_left"));
    }
    let (deployment, permitted) = (tried.permit.deployment(), Some(tried.permit.generation()));
    let (key, ask) = (&work.admitted.key, &work.admitted.ask);
    let recall = recall::watch(&work.state, key, ask, deployment, Phase::Sent, permitted);
    // `select!` would move what it is given into its place, and the conversation is large
    let (mut recall, mut hangs, mut conversation) =
        (pin!(recall), pin!(hangs(watched)), pin!(converse(work, tried, draw)));
    tokio::select! {
        biased;
        recalled = &mut recall => Err(recalled),
        () = &mut hangs => Err(Failure::new(FailureKind::FirstContentTimeout, Phase::Sent, "hung")),
        received = &mut conversation => received,
    }
}

/// Sends the request and reads the answer up to its first content.
async fn converse(work: &Work, tried: &Try<'_>, draw: &mut Draw) -> Result<Received, Failure> {
    let Try { permit, prepared, leg, fresh, accept_empty } = *tried;
    let began = Instant::now();
    let sent = tokio::time::timeout_at(
        work.deadline,
        work.connections.send(permit, prepared.outgoing(), &prepared.timeouts, fresh),
    )
    .await;
    let incoming = sent.unwrap_or_else(|_| Err(Failure::new(FailureKind::Deadline, Phase::Sent, "headers")))?;
    work.settlement.answered(leg, incoming.status.as_u16());
    note_head(work, tried, draw, &incoming.headers);
    let received = receive::receive(incoming, prepared, began, accept_empty);
    let received = tokio::time::timeout_at(work.deadline, received)
        .await
        .unwrap_or_else(|_| Err(Failure::new(FailureKind::Deadline, Phase::Headers, "content")))?;
    observe_region(work, tried, received.region());
    Ok(received)
}

/// Takes note of what the vendor's head tells beside the answer: where it processes the call, and what is left of its quota.
fn note_head(work: &Work, tried: &Try<'_>, draw: &mut Draw, headers: &HeaderMap) {
    observe_region(work, tried, region::observed(headers).as_deref());
    let told = signals::quota::read(headers, Clock::unix_seconds().unsigned_abs());
    draw.answered(&told, work.state.clock.now());
}

/// Takes note of where the vendor says that it processes the call.
fn observe_region(work: &Work, tried: &Try<'_>, said: Option<&str>) {
    let attempt = (&work.settlement, tried.leg);
    whereabouts::observed(said, tried.permit.deployment(), &work.world, &work.state, attempt);
}
