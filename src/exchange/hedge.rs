//! Hedging: where the deployment that was asked is slow for once, another one is asked beside it, and whoever has content
//! first serves. The other is cancelled at once, and what it cost is charged.
//!
//! Only calls that can be asked twice without harm are, in pools that say `hedge`, of no more than a share of the calls, and
//! never where a retry would then be out of reach. The second one passes every gate that a first attempt passes.

use crate::base::event::{Event, HedgeOutcome};
use crate::base::failure::{Failure, NextStep};
use crate::call::needs::{Need, Needs};
use crate::dialect::Task;
use crate::exchange::approach;
use crate::exchange::attempt::{self, Served, Try, Work};
use crate::exchange::ingress::Ingress;
use crate::exchange::lesson;
use crate::exchange::receive::Received;
use crate::exchange::request::{self, Prepared};
use crate::exchange::select::Candidate;
use crate::exchange::under_way::Leg;
use crate::exchange::walk::Walk;
use crate::policy::Ask;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::permit::Permit;
use crate::state::health::Flight;
use crate::state::latency::Awaited;
use crate::state::purse::Hold;
use crate::state::quota::Draw;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A whole answer of so many tokens is short: asking twice for it costs little.
const SHORT_ANSWER: u64 = 64;
/// Calls that leave something at a vendor or act there: asked twice, they would do it twice.
const ACTS: Needs = Needs::of(&[Need::Stores, Need::ServerIds, Need::HostedTools]);

/// What a call of its kind waits for where it may be asked twice at all: the first content of a stream, or an answer that is
/// short by its nature. A model that thinks bills its thoughts before its first content.
pub(crate) fn awaited(ingress: &Ingress) -> Option<Awaited> {
    let scan = &ingress.scan;
    if scan.needs.minus(ACTS) != scan.needs || scan.needs.has(Need::Reasoning) {
        return None;
    }
    match ingress.dialect.task() {
        Task::Generate if scan.stream => Some(Awaited::FirstContent(scan.input_tokens)),
        Task::Generate => scan.max_tokens.filter(|most| *most <= SHORT_ANSWER).map(|_| Awaited::ShortAnswer),
        Task::Embed => Some(Awaited::ShortAnswer),
        Task::Count => None,
    }
}

/// Whom to ask beside the first deployment, and when.
pub(crate) struct Plan {
    candidate: Candidate,
    after: Duration,
}

/// Who is asked beside this candidate should it be slow, by another vendor and at another host; `None` for a call that is not
/// to be hedged.
pub(crate) fn plan(work: &Work, walk: &Walk, first: &Candidate) -> Option<Plan> {
    let settings = work.admitted.pool.hedge?;
    if walk.made > 0 || walk.trickle || walk.most < 2 || work.broken_off().is_some() {
        return None;
    }
    let awaited = awaited(&work.ingress)?;
    let hedging = work.world.hedging(&work.admitted.pool)?;
    lock(hedging).call(settings.share_percent);
    let elsewhere = |other: &&Candidate| is_elsewhere(&other.deployment, &first.deployment);
    let candidate = walk.queue.iter().find(elsewhere)?.clone();
    Some(Plan { candidate, after: first.health.deployment.tail(awaited)? })
}

fn is_elsewhere(other: &Deployment, first: &Deployment) -> bool {
    other.endpoint.vendor.name != first.endpoint.vendor.name && other.endpoint.authority != first.endpoint.authority
}

/// Whose answer it is.
pub(crate) enum Raced {
    /// The first deployment's, or its failure.
    First(Result<Received, Failure>),
    /// The other's. The first one was slower, or had failed before.
    Hedge(Box<Served>, Option<Failure>),
}

/// Tries the first deployment, and the other beside it when its time has come. Whoever is not needed any more is cancelled
/// when this returns, and charged.
pub(crate) async fn race(
    work: &mut Work,
    walk: &mut Walk,
    plan: Plan,
    tried: &Try<'_>,
    draw: &mut Draw,
    watched: Option<&Candidate>,
) -> Raced {
    let (raced, beside) = both(work, &plan, attempt::once(work, tried, draw, watched)).await;
    if !work.settlement.hedges() {
        return raced;
    }
    let outcome = match (&raced, &beside) {
        (Raced::Hedge(..), _) => HedgeOutcome::Won,
        (Raced::First(_), Some(_)) => HedgeOutcome::Failed,
        (Raced::First(_), None) => HedgeOutcome::Lost,
    };
    tell(work, outcome);
    if outcome == HedgeOutcome::Won {
        work.settlement.hedge_won();
        return raced;
    }
    work.settlement.hedge_ended();
    walk.made += 1;
    walk.queue.retain(|other| !Arc::ptr_eq(&other.deployment, &plan.candidate.deployment));
    walk.failures.extend(beside);
    raced
}

/// Whoever has content first, and how the hedge failed if it did.
async fn both(
    work: &Work,
    plan: &Plan,
    first: impl Future<Output = Result<Received, Failure>>,
) -> (Raced, Option<Failure>) {
    let (mut first, mut hedge) = (pin!(first), pin!(hedge(work, plan)));
    tokio::select! {
        biased;
        received = &mut first => match received {
            Err(failure) if work.settlement.hedges() && !is_final(&failure) => {
                work.settlement.one_failed(Leg::First, &failure);
                match hedge.await {
                    Ok(served) => (Raced::Hedge(served, Some(failure)), None),
                    Err(beside) => (Raced::First(Err(failure)), beside),
                }
            }
            received => (Raced::First(received), None),
        },
        hedged = &mut hedge => match hedged {
            Ok(served) => (Raced::Hedge(served, None), None),
            Err(beside) => (Raced::First(first.await), beside),
        },
    }
}

/// Whether another deployment would say the same, or nobody is left to answer.
const fn is_final(failure: &Failure) -> bool {
    matches!(failure.kind.next_step(), NextStep::Answer | NextStep::Stop)
}

/// Asks the other deployment once the first one has had its time; without a failure where it was not asked.
async fn hedge(work: &Work, plan: &Plan) -> Result<Box<Served>, Option<Failure>> {
    tokio::time::sleep(plan.after).await;
    let Plan { candidate, .. } = plan;
    let Ready { prepared, permit, mut flight, held } = set_out(work, candidate).await.map_err(|outcome| {
        tell(work, outcome);
        None
    })?;
    work.settlement.begin_hedge(&candidate.deployment, attempt::whom(work, &permit), held);
    let (began, mut draw) = (Instant::now(), candidate.account.send(work.demand));
    let tried = Try { permit: &permit, prepared: &prepared, leg: Leg::Hedge, fresh: false, accept_empty: false };
    match attempt::once(work, &tried, &mut draw, None).await {
        Ok(received) => {
            lesson::answered(work, candidate, draw);
            let deployment = Arc::clone(&candidate.deployment);
            Ok(Box::new(Served { deployment, flight, received, took: began.elapsed() }))
        }
        Err(failure) => {
            let failure = lesson::failed(work, candidate, &mut flight, draw, failure);
            work.settlement.one_failed(Leg::Hedge, &failure);
            Err(Some(failure))
        }
    }
}

/// All that an attempt needs before it is sent.
struct Ready {
    prepared: Box<Prepared>,
    permit: Permit,
    flight: Flight,
    held: Vec<Hold>,
}

/// Asks for leave on all sides: policy, restrictions, quota, health, the pool's share, its retry budget, and budgets.
async fn set_out(work: &Work, candidate: &Candidate) -> Result<Ready, HedgeOutcome> {
    let deployment = &candidate.deployment;
    let (pool, now) = (&work.admitted.pool, work.state.clock.now());
    let bars = work.state.restrictions.refuses(deployment).or_else(|| candidate.account.refuses(work.demand, now));
    if bars.is_some() || !candidate.health.is_sound(now, &pool.breaker) {
        return Err(HedgeOutcome::Refused);
    }
    let ask = Ask { attempt: 1, ..work.admitted.ask.clone() };
    let permit = work.state.world().snapshot.permit(&work.admitted.key, &ask, deployment);
    let permit = permit.map_err(|_| HedgeOutcome::Refused)?;
    if !work.world.hedging(pool).is_some_and(|hedging| lock(hedging).take()) {
        return Err(HedgeOutcome::Capped);
    }
    let weight = request::weight(&work.ingress);
    if !work.world.budget(pool).is_none_or(|budget| lock(budget).withdraw_spare(weight, now)) {
        return Err(HedgeOutcome::NoBudget);
    }
    let prepared = approach::prepare_beside(work, deployment).map_err(|_| HedgeOutcome::Refused)?;
    let bid = attempt::bid(work, &prepared, false);
    let flight = work.state.health.begin(&candidate.health, &bid, now).map_err(|_| HedgeOutcome::Refused)?;
    let held = work.settlement.hold(deployment).await.map_err(|_| HedgeOutcome::Refused)?;
    Ok(Ready { prepared, permit, flight, held })
}

fn tell(work: &Work, outcome: HedgeOutcome) {
    work.state.sink.emit(Event::Hedge { pool: Arc::clone(&work.admitted.pool.name), outcome });
}

/// A panic elsewhere leaves counts, not broken invariants.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
