//! How deployments look to people: on the status page, and in what `explain` tells of a running proxy.

use crate::admin::{DeploymentStatus, PoolStatus};
use crate::base::clock::Moment;
use crate::base::rejection::Refusal;
use crate::exchange::order::{self, Merit, Prospect};
use crate::observe::BreakerState;
use crate::policy::Ask;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::explain::{HeadroomShown, Live, Observed, PriceShown, Reason, WindowShown};
use crate::snapshot::pool::Pool;
use crate::state::quota::{Demand, Left};
use crate::state::world::{self, World};
use std::sync::Arc;
use std::time::Duration;

/// What was seen up to now, as it bears on a call of this size.
pub(super) struct Seen<'a> {
    pub(super) world: &'a World,
    pub(super) prospect: Prospect,
    pub(super) now: Moment,
}

impl Observed for Seen<'_> {
    fn order<'a>(&self, pool: &Pool, tier: &'a [Arc<Deployment>], _: &Ask, _: i64) -> Vec<&'a Arc<Deployment>> {
        order::ranked(self.world, pool, tier, self.prospect, self.now)
            .into_iter()
            .map(|(_, deployment)| deployment)
            .collect()
    }

    fn reasons(&self, pool: &Pool, deployment: &Arc<Deployment>) -> Vec<Reason> {
        self.refusals(pool, deployment).iter().map(unwell).collect()
    }

    fn live(&self, pool: &Pool, deployment: &Arc<Deployment>) -> Option<Live> {
        let tier = pool.tiers.iter().find(|tier| tier.iter().any(|one| one.index == deployment.index))?;
        let ranked = order::ranked(self.world, pool, tier, self.prospect, self.now);
        let (merit, _) = ranked.into_iter().find(|(_, one)| one.index == deployment.index)?;
        Some(live(pool, tier.len(), &merit, self.world.observed(deployment)?, self.now))
    }
}

impl Seen<'_> {
    fn demand(&self) -> Demand {
        Demand::new(self.prospect.input_tokens, self.prospect.output_tokens)
    }

    fn refusals(&self, pool: &Pool, deployment: &Deployment) -> Vec<Refusal> {
        let observed = self.world.observed(deployment);
        let ill = observed.and_then(|observed| observed.refuses(self.demand(), self.now, &pool.breaker));
        let surged = self.world.surges.keeps_out(pool, deployment).then_some(Refusal::Surge);
        self.world.restrictions.refuses(deployment).into_iter().chain(ill).chain(surged).collect()
    }
}

/// A pool, with the order in which its deployments are asked now.
pub(super) fn pool_status(world: &World, pool: &Pool, at: i64, now: Moment) -> PoolStatus {
    let prospect = Prospect { at, ..Prospect::default() };
    let seen = Seen { world, prospect, now };
    let mut deployments = Vec::new();
    let mut asked = 0;
    for (tier, members) in pool.tiers.iter().enumerate() {
        for (merit, deployment) in order::ranked(world, pool, members, prospect, now) {
            let Some(observed) = world.observed(deployment) else { continue };
            let mut status = DeploymentStatus {
                id: deployment.id.to_string(),
                credential: deployment.credential.as_ref().map_or_else(String::new, |one| one.name.to_string()),
                tier: tier + 1,
                region: deployment.endpoint.region.to_string(),
                state: "closed".to_owned(),
                success_percent: observed.health.success_percent(now),
                price: deployment.rates.base(at).map(|tariff| PriceShown::of(tariff.input, tariff.output)),
                live: live(pool, members.len(), &merit, observed, now),
                ..DeploymentStatus::default()
            };
            let dear = (!pool.ceiling().admits(deployment.rates.base(at))).then_some(Refusal::Price);
            match seen.refusals(pool, deployment).into_iter().next().or(dear) {
                None => {
                    asked += 1;
                    if observed.health.is_degraded(now, &pool.breaker) {
                        status.state = "degraded".to_owned();
                        status.reason = "slow_or_shaky".to_owned();
                    }
                    status.place = Some(asked);
                }
                Some(refusal) => refused(&mut status, &refusal),
            }
            deployments.push(status);
        }
    }
    PoolStatus {
        name: pool.name.to_string(),
        aliases: pool.aliases.iter().map(ToString::to_string).collect(),
        deployments,
    }
}

fn live(pool: &Pool, among: usize, merit: &Merit, observed: &world::Observed, now: Moment) -> Live {
    let (requests, tokens) = observed.account.left(now);
    let window =
        |left: Left| WindowShown { remaining: left.remaining, limit: left.limit, resets_in_ms: ms(left.resets_in) };
    Live {
        because: order::because(merit, pool.order, among, observed.health.is_degraded(now, &pool.breaker)),
        breaker: observed.health.breaker_label(now).to_owned(),
        inflight: merit.inflight,
        admission_cap: observed.health.deployment.admission_cap(now),
        vendor_report: observed.health.report(now).map(|report| report.label().to_owned()),
        // what was measured: what failures of late add to the order is no latency that anybody waited
        first_content_ms: observed.health.deployment.first_content_ms().map(|ms| ms as u64),
        headroom: HeadroomShown {
            percent: observed.account.known_percent(now),
            requests: requests.map(window),
            tokens: tokens.map(window),
        },
    }
}

/// Notes why a deployment is not asked.
fn refused(status: &mut DeploymentStatus, refusal: &Refusal) {
    let (state, wait) = match refusal {
        Refusal::Restricted { .. } => ("restricted", None),
        Refusal::Breaker { retry_after } => (&*status.live.breaker, Some(*retry_after)),
        Refusal::Resting { retry_after, .. } | Refusal::Headroom { retry_after, .. } => ("resting", Some(*retry_after)),
        Refusal::Price | Refusal::Surge => ("too_expensive", None),
        Refusal::Full | Refusal::Capability(_) | Refusal::Policy(_) | Refusal::Budget { .. } => ("closed", None),
    };
    status.state = state.to_owned();
    status.reason = match refusal {
        Refusal::Restricted { cause, id } => format!("{cause} {id}"),
        other => other.code().to_owned(),
    };
    status.retry_after_ms = wait.map(ms);
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What restrictions or health say against a deployment, as a reason.
fn unwell(refusal: &Refusal) -> Reason {
    let reason = match refusal {
        Refusal::Breaker { retry_after } => {
            format!("too many attempts failed; it is tried again in {} s", retry_after.as_secs().max(1))
        }
        Refusal::Resting { retry_after, .. } => {
            format!("it rests after what the vendor said, for another {} s", retry_after.as_secs().max(1))
        }
        Refusal::Headroom { retry_after, told } => {
            let who = if *told { "the vendor says that" } else { "with what is under way" };
            format!("{who} too little is left of its quota; it is whole again in {} s", retry_after.as_secs().max(1))
        }
        Refusal::Restricted { cause, id } => {
            format!("it is restricted ({}); `backstay release {id}` lifts that", cause.replace('_', " "))
        }
        Refusal::Full => "it has as many calls as it can bear for now".to_owned(),
        Refusal::Surge => {
            "its price rose above the pool's `surge` bounds, and has not been low again for long enough".to_owned()
        }
        Refusal::Capability(_) | Refusal::Policy(_) | Refusal::Price | Refusal::Budget { .. } => String::new(),
    };
    Reason { code: refusal.code().to_owned(), reason, ..Reason::default() }
}

pub(super) fn breaker_state(label: &str) -> BreakerState {
    match label {
        "closed" => BreakerState::Closed,
        "half_open" => BreakerState::HalfOpen,
        _ => BreakerState::Open,
    }
}
