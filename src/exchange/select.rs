//! Which deployments may serve, in which order; every other one says why not.

use crate::base::clock::Moment;
use crate::base::event::Considered;
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::dialect::scan::Scan;
use crate::dialect::{Dialect, Task};
use crate::exchange::admit::Admitted;
use crate::exchange::attempt::Work;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::eligibility::Ceiling;
use crate::snapshot::pool::{Order, Pool};
use crate::state::health::DeploymentHealth;
use crate::state::world::World;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What the client is told when only what is restricted is left.
pub(crate) const RESTRICTED: &str = "What policy leaves of this model is restricted by its vendor, by law or by an operator; `/status` says which. Waiting does not help: an operator releases it.";

/// A deployment that policy permits, that is able, and that has the price.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) health: DeploymentHealth,
}

/// What selection found.
pub(crate) struct Selection {
    /// In the order of asking.
    pub(crate) candidates: VecDeque<Candidate>,
    /// Whether the candidates are all unhealthy, and may be asked a trickle to find out when they are back.
    pub(crate) trickle: bool,
    /// Why the others are not asked.
    pub(crate) refusals: Vec<Refusal>,
}

/// Asks each deployment of the pool for a refusal and orders what remains; what was said of each goes to `considered`.
///
/// # Errors
/// When nothing remains but for health: which reason stands in the way of most.
pub(crate) fn select(
    world: &World,
    admitted: &Admitted,
    dialect: Dialect,
    scan: &Scan,
    now: Moment,
    turn: u64,
    considered: &mut Vec<Considered>,
) -> Result<Selection, Rejection> {
    let mut refusals = Vec::new();
    let mut able: Vec<Vec<Candidate>> = Vec::new();
    for tier in &admitted.pool.tiers {
        let mut candidates = Vec::new();
        for deployment in tier {
            match (eligible(world, admitted, dialect, scan, deployment), world.health(deployment)) {
                (Ok(()), Some(health)) => {
                    candidates.push(Candidate { deployment: Arc::clone(deployment), health: health.clone() });
                }
                (Ok(()), None) => {}
                (Err(refusal), _) => {
                    considered.push(Considered::of(&deployment.id, Some(&refusal)));
                    refusals.push(refusal);
                }
            }
        }
        order(&mut candidates, admitted.pool.order, turn);
        able.push(candidates);
    }
    if able.iter().all(Vec::is_empty) {
        return Err(nobody_eligible(refusals));
    }
    Ok(healthy(able.into_iter().flatten().collect(), refusals, &admitted.pool, now, considered))
}

/// Who may carry on a stream that broke, as things stand now: not the deployment that was the last to break it, and those that
/// broke it before at the end. `None` where nobody is left. What was said of each goes to the record.
pub(crate) fn others(work: &mut Work) -> Option<Selection> {
    let Work { state, world, ingress, admitted, settlement, told, .. } = work;
    let broken = told.as_ref()?.broken_off_by();
    let last = broken.last()?;
    let (now, turn, mut considered) = (state.clock.now(), state.random.bits(), Vec::new());
    let mut selection = select(world, admitted, ingress.dialect, &ingress.scan, now, turn, &mut considered).ok()?;
    selection.candidates.retain(|candidate| !Arc::ptr_eq(&candidate.deployment, last));
    // its twins with other credentials are as likely to break it again
    let broke = |candidate: &Candidate| broken.iter().any(|deployment| deployment.id == candidate.deployment.id);
    selection.candidates.make_contiguous().sort_by_key(broke);
    settlement.note(|record| record.grounds.considered.append(&mut considered));
    (!selection.candidates.is_empty()).then_some(selection)
}

/// Whether the deployment may and can serve the call, its health aside.
fn eligible(
    world: &World,
    admitted: &Admitted,
    dialect: Dialect,
    scan: &Scan,
    deployment: &Arc<Deployment>,
) -> Result<(), Refusal> {
    world.snapshot.permit(&admitted.key, &admitted.ask, deployment)?;
    if let Some(refusal) = world.restrictions.refuses(deployment) {
        return Err(refusal);
    }
    if let Some(need) = deployment.unmet(dialect, scan.needs).next() {
        return Err(Refusal::Capability(need));
    }
    // several texts to embed share no context
    if dialect.task() == Task::Generate {
        deployment.limits.fit(scan.prompt_tokens_min(), scan.max_tokens)?;
    }
    let pool = admitted.pool.max_price.as_ref().map(Ceiling::from).unwrap_or_default();
    let price = deployment.price.as_ref();
    if pool.admits(price) && admitted.ceiling.admits(price) { Ok(()) } else { Err(Refusal::Price) }
}

/// Orders a tier by the pool's preference; twins that differ in their credential alone take turns.
fn order(tier: &mut [Candidate], order: Order, turn: u64) {
    match order {
        Order::Listed => {}
        Order::Price => tier.sort_by_key(|candidate| {
            candidate.deployment.price.map_or(u64::MAX, |price| price.input.0.saturating_add(price.output.0))
        }),
        Order::Latency => tier.sort_by(|left, right| {
            let latency = |candidate: &Candidate| candidate.health.deployment.first_content_ms().unwrap_or(0.0);
            latency(left).total_cmp(&latency(right))
        }),
    }
    let mut rest = tier;
    while let Some(first) = rest.first().map(|candidate| Arc::clone(&candidate.deployment.id)) {
        let twins = rest.iter().take_while(|candidate| candidate.deployment.id == first).count();
        let (group, others) = rest.split_at_mut(twins);
        group.rotate_left(usize::try_from(turn % twins as u64).unwrap_or(0));
        rest = others;
    }
}

/// Leaves out the unhealthy; where nobody is healthy, keeps them for a trickle.
fn healthy(
    able: Vec<Candidate>,
    mut refusals: Vec<Refusal>,
    pool: &Pool,
    now: Moment,
    considered: &mut Vec<Considered>,
) -> Selection {
    let mut candidates = VecDeque::new();
    let mut trickle = VecDeque::new();
    for candidate in able {
        let refusal = candidate.health.refuses(now, &pool.breaker);
        considered.push(Considered::of(&candidate.deployment.id, refusal.as_ref()));
        match refusal {
            None => candidates.push_back(candidate),
            Some(refusal) => {
                if matches!(refusal, Refusal::Breaker { .. }) {
                    trickle.push_back(candidate);
                }
                refusals.push(refusal);
            }
        }
    }
    if candidates.is_empty() {
        Selection { candidates: trickle, trickle: true, refusals }
    } else {
        Selection { candidates, trickle: false, refusals }
    }
}

/// What the client is told when policy, capability or price leave nobody.
fn nobody_eligible(refusals: Vec<Refusal>) -> Rejection {
    // many deployments may lack the same
    let needs: BTreeSet<&str> = refusals
        .iter()
        .filter_map(|refusal| match refusal {
            Refusal::Capability(need) => Some(*need),
            Refusal::Policy(_)
            | Refusal::Restricted { .. }
            | Refusal::Breaker { .. }
            | Refusal::Resting { .. }
            | Refusal::Full
            | Refusal::Price => None,
        })
        .collect();
    let (code, message) = if !needs.is_empty() {
        let named = format!(
            "No deployment of this model that policy permits can honour `{}`. Leave it out, or ask for another model.",
            Vec::from_iter(needs).join("`, `")
        );
        (RejectionCode::NoCapableDeployment, named)
    } else if refusals.iter().any(|refusal| matches!(refusal, Refusal::Restricted { .. })) {
        (RejectionCode::PolicyDenied, RESTRICTED.to_owned())
    } else if refusals.iter().any(|refusal| matches!(refusal, Refusal::Price)) {
        let message =
            "Every deployment of this model costs more than this call or its pool allows, or its price is not known.";
        (RejectionCode::PolicyDenied, message.to_owned())
    } else {
        let message = "Policy permits no deployment of this model for this call. The refusals name the deciding rules; the access log has them under denied_by.";
        (RejectionCode::PolicyDenied, message.to_owned())
    };
    let mut rejection = Rejection::new(code, message);
    rejection.refusals = refusals;
    rejection
}

/// What the client is told when no candidate was even asked.
pub(crate) fn nobody_left(refusals: Vec<Refusal>) -> Rejection {
    let unhealthy =
        |refusal: &Refusal| matches!(refusal, Refusal::Breaker { .. } | Refusal::Resting { .. } | Refusal::Full);
    if refusals.iter().any(unhealthy) { nobody_healthy(refusals) } else { nobody_eligible(refusals) }
}

/// What the client is told when some deployment may serve and none is healthy.
fn nobody_healthy(refusals: Vec<Refusal>) -> Rejection {
    let waits = refusals.iter().filter_map(|refusal| match refusal {
        Refusal::Breaker { retry_after } | Refusal::Resting { retry_after, .. } => Some(*retry_after),
        Refusal::Full => Some(Duration::from_secs(1)),
        Refusal::Capability(_) | Refusal::Policy(_) | Refusal::Restricted { .. } | Refusal::Price => None,
    });
    let wait = waits.min().unwrap_or(Duration::from_secs(1));
    let throttled = |refusal: &Refusal| matches!(refusal, Refusal::Resting { class: "rate_limited", .. });
    let unhealthy =
        |refusal: &&Refusal| matches!(refusal, Refusal::Breaker { .. } | Refusal::Resting { .. } | Refusal::Full);
    let mut rejection = if refusals.iter().filter(unhealthy).all(throttled) && refusals.iter().any(throttled) {
        Rejection::new(
            RejectionCode::RateLimited,
            "Every deployment of this model is throttled by its vendor. Wait as long as Retry-After says.",
        )
    } else {
        Rejection::new(
            RejectionCode::NoHealthyDeployment,
            "No deployment of this model is healthy now. Wait as long as Retry-After says; `/status` shows why.",
        )
    };
    rejection.retry_after = Some(wait);
    rejection.refusals = refusals;
    rejection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_deployments_lack_is_named_once() {
        let rejection = nobody_eligible(["seed", "audio", "seed"].map(Refusal::Capability).to_vec());
        assert!(rejection.message.contains("can honour `audio`, `seed`."), "{}", rejection.message);
    }

    #[test]
    fn throttled_everywhere_is_429_and_anything_else_503() {
        let check = |refusals: Vec<Refusal>, code| assert_eq!(nobody_healthy(refusals).code, code);
        let second = Duration::from_secs(1);
        let throttled = Refusal::Resting { class: "rate_limited", retry_after: second };
        check(vec![throttled.clone(), Refusal::Capability("n")], RejectionCode::RateLimited);
        check(vec![throttled, Refusal::Breaker { retry_after: second }], RejectionCode::NoHealthyDeployment);
        check(vec![Refusal::Resting { class: "quota", retry_after: second }], RejectionCode::NoHealthyDeployment);
    }
}
