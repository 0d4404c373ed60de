//! Which deployments may serve, in which order; every other one says why not.

use crate::base::clock::Moment;
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::needs::Need;
use crate::dialect::scan::Scan;
use crate::dialect::{Dialect, Task};
use crate::exchange::admit::{Admitted, Ceiling};
use crate::snapshot::deployment::{Deployment, Price};
use crate::snapshot::pool::{Order, Pool};
use crate::state::health::DeploymentHealth;
use crate::state::world::World;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

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

/// Asks each deployment of the pool for a refusal and orders what remains.
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
                (Err(refusal), _) => refusals.push(refusal),
            }
        }
        order(&mut candidates, admitted.pool.order, turn);
        able.push(candidates);
    }
    if able.iter().all(Vec::is_empty) {
        return Err(nobody_eligible(refusals));
    }
    Ok(healthy(able.into_iter().flatten().collect(), refusals, &admitted.pool, now))
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
    let Some(voice) = deployment.voice(dialect) else { return Err(Refusal::Capability(dialect.name())) };
    let mut capabilities = voice.capabilities;
    if voice.profile.dialect == dialect {
        // what is passed on as bytes reaches whoever the client wrote it for
        capabilities = capabilities.with(Need::UnknownMembers);
    } else {
        // a call is translated to be kept by nobody: what asks for more than silence is refused when it is written
        capabilities = capabilities.without(Need::UnknownMembers).with(Need::Stores);
    }
    if let Some(need) = scan.needs.unmet(capabilities) {
        return Err(Refusal::Capability(need.name()));
    }
    // several texts to embed share no context
    if dialect.task() == Task::Generate {
        deployment.limits.fit(scan.prompt_tokens_min(), scan.max_tokens)?;
    }
    affordable(deployment.price.as_ref(), admitted.pool.max_price.as_ref(), admitted.ceiling)
}

/// An unknown price is too high wherever a ceiling is set.
fn affordable(price: Option<&Price>, pool: Option<&Price>, call: Ceiling) -> Result<(), Refusal> {
    let input = lowest(pool.map(|price| price.input.0), call.input);
    let output = lowest(pool.map(|price| price.output.0), call.output);
    let within = |ceiling: Option<u64>, price: Option<u64>| match (ceiling, price) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(ceiling), Some(price)) => price <= ceiling,
    };
    let fits = within(input, price.map(|price| price.input.0)) && within(output, price.map(|price| price.output.0));
    if fits { Ok(()) } else { Err(Refusal::Price) }
}

fn lowest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (some, none) => some.or(none),
    }
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
fn healthy(able: Vec<Candidate>, mut refusals: Vec<Refusal>, pool: &Pool, now: Moment) -> Selection {
    let mut candidates = VecDeque::new();
    let mut trickle = VecDeque::new();
    for candidate in able {
        match candidate.health.refuses(now, &pool.breaker) {
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
            Refusal::Policy(_) | Refusal::Breaker { .. } | Refusal::Resting { .. } | Refusal::Full | Refusal::Price => {
                None
            }
        })
        .collect();
    let (code, message) = if !needs.is_empty() {
        let named = format!(
            "No deployment of this model that policy permits can honour `{}`. Leave it out, or ask for another model.",
            Vec::from_iter(needs).join("`, `")
        );
        (RejectionCode::NoCapableDeployment, named)
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
        Refusal::Capability(_) | Refusal::Policy(_) | Refusal::Price => None,
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
    use crate::base::money::TokenPrice;

    fn price(input: u64, output: u64) -> Price {
        Price { input: TokenPrice(input), cached: TokenPrice(0), written: TokenPrice(0), output: TokenPrice(output) }
    }

    #[test]
    fn the_lower_ceiling_counts_and_an_unknown_price_is_too_high() {
        let check = |price: Option<Price>, pool: Option<Price>, call: Ceiling, fits: bool| {
            assert_eq!(affordable(price.as_ref(), pool.as_ref(), call).is_ok(), fits, "{price:?} {pool:?} {call:?}");
        };
        let call = |input| Ceiling { input: Some(input), output: None };
        check(None, None, Ceiling::default(), true);
        check(None, None, call(5), false);
        check(None, Some(price(9, 9)), Ceiling::default(), false);
        check(Some(price(5, 20)), Some(price(5, 20)), Ceiling::default(), true);
        check(Some(price(5, 20)), Some(price(5, 20)), call(4), false);
        check(Some(price(5, 21)), Some(price(5, 20)), call(9), false);
    }

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
