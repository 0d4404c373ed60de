//! Which deployments may serve, in which order; every other one says why not. `order` has the order within a tier.

use crate::base::clock::Moment;
use crate::base::event::Considered;
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::needs::Need;
use crate::dialect::scan::Scan;
use crate::dialect::{Dialect, Task};
use crate::exchange::admit::Admitted;
use crate::exchange::attempt::Work;
use crate::exchange::funds;
use crate::exchange::ingress::Ingress;
use crate::exchange::order::{Merit, Prospect, listed, order};
use crate::exchange::server_ids::Held;
use crate::policy::Ask;
use crate::price::Ceiling;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::snapshot::permit::Asking;
use crate::snapshot::pool::{Order, Pool};
use crate::state::quota::Demand;
use crate::state::world::{Observed, World};
use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What the client is told when only what is restricted is left.
pub(crate) const RESTRICTED: &str = "What policy leaves of this model is restricted by its vendor, by law or by an operator; `/status` says which. Waiting does not help: an operator releases it.";

/// What a call asks of the deployments of its pool.
pub struct Wanted<'a> {
    /// Who calls.
    pub key: &'a Key,
    /// Whom it may reach.
    pub pool: &'a Pool,
    /// What policy is asked.
    pub ask: &'a Ask,
    /// What it may cost.
    pub ceiling: Ceiling,
    /// The client's dialect.
    pub dialect: Dialect,
    /// What its body says.
    pub scan: &'a Scan,
    /// What it takes of a vendor's quota.
    pub demand: Demand,
    /// Where everything is kept that it names.
    pub held: &'a Held,
    /// When it was admitted, in seconds since 1970: the prices of that moment are its prices.
    pub at: i64,
    /// What its session was served by last.
    pub home: Option<&'a Arc<str>>,
}

impl<'a> Wanted<'a> {
    /// What an admitted call asks, which takes so much of a vendor's quota, and whose session was served at `home` last.
    pub(crate) fn of(admitted: &'a Admitted, ingress: &'a Ingress, demand: Demand, home: Option<&'a Arc<str>>) -> Self {
        let Admitted { key, pool, ask, ceiling, held, at, .. } = admitted;
        let (dialect, scan) = (ingress.dialect, &ingress.scan);
        Self { key, pool, ask, ceiling: *ceiling, dialect, scan, demand, held, at: *at, home }
    }

    const fn prospect(&self) -> Prospect {
        Prospect { input_tokens: self.ask.input_tokens, output_tokens: self.ask.output_tokens, at: self.at }
    }
}

/// A deployment that policy permits, that is able, and that has the price.
#[derive(Clone)]
pub struct Candidate {
    /// Who is asked.
    pub deployment: Arc<Deployment>,
    /// What is known of it.
    pub observed: Arc<Observed>,
}

/// What selection found.
pub struct Selection {
    /// In the order of asking.
    pub candidates: VecDeque<Candidate>,
    /// Whom to ask when all of these have failed: their breakers are open, and each lets one call a second through then.
    pub last: VecDeque<Candidate>,
    /// Whether the candidates are all unhealthy, and may be asked a trickle to find out when they are back.
    pub trickle: bool,
    /// Why the others are not asked.
    pub refusals: Vec<Refusal>,
}

/// Asks each deployment of the pool for a refusal and orders what remains; what was said of each goes to `considered`.
/// `turn` is any number: those that are equal take turns by it.
///
/// # Errors
/// When nothing remains but for health: which reason stands in the way of most.
pub fn select(
    world: &World,
    wanted: &Wanted<'_>,
    now: Moment,
    turn: u64,
    considered: &mut Vec<Considered>,
) -> Result<Selection, Rejection> {
    let mut sieve = Sieve::default();
    let look = Look {
        world,
        wanted,
        asking: world.snapshot.asking(wanted.key, wanted.ask),
        restricts: world.restrictions.restricts(),
        now,
        turn,
    };
    for tier in &wanted.pool.tiers {
        sieve.tier(&look, tier, considered);
    }
    sieve.selection()
}

/// What every deployment of the pool is looked at with.
struct Look<'a> {
    world: &'a World,
    wanted: &'a Wanted<'a>,
    asking: Asking<'a>,
    /// Whether anything is restricted at all.
    restricts: bool,
    now: Moment,
    turn: u64,
}

/// What is kept of a pool, tier by tier.
#[derive(Default)]
struct Sieve {
    candidates: VecDeque<Candidate>,
    /// Those whose quota would not carry the call by our estimate, with what is left of it.
    scarce: Vec<(u32, Candidate)>,
    /// Those that are degraded, and whose turn it is not.
    degraded: VecDeque<Candidate>,
    /// Those that have as much as they bear.
    full: VecDeque<Candidate>,
    /// Those whose breaker is open.
    trickle: VecDeque<Candidate>,
    able: bool,
    refusals: Vec<Refusal>,
}

impl Sieve {
    fn tier(&mut self, look: &Look<'_>, tier: &[Arc<Deployment>], considered: &mut Vec<Considered>) {
        let &Look { world, wanted, now, turn, .. } = look;
        let settings = &wanted.pool.breaker;
        let mut kept = Vec::new();
        // where the list alone decides, nothing is compared
        let by_list = wanted.pool.order == Order::Listed && listed(tier).last() == Some(tier.len().saturating_sub(1));
        for (place, deployment) in listed(tier).zip(tier) {
            let Some(observed) = world.observed(deployment) else { continue };
            let candidate = || Candidate { deployment: Arc::clone(deployment), observed: Arc::clone(observed) };
            let refusal = match eligible(look, deployment) {
                Err(refusal) => Some(refusal),
                Ok(()) => {
                    self.able = true;
                    observed.refuses(wanted.demand, now, settings)
                }
            };
            match &refusal {
                None if observed.health.stands_back(now, settings, turn) => self.degraded.push_back(candidate()),
                None if by_list || tier.len() == 1 => self.candidates.push_back(candidate()),
                None => {
                    let merit =
                        Merit::of(place, deployment, observed, wanted.pool, wanted.home, wanted.prospect(), now);
                    kept.push((merit, candidate()));
                    continue;
                }
                Some(Refusal::Full) => self.full.push_back(candidate()),
                Some(Refusal::Breaker { .. }) => self.trickle.push_back(candidate()),
                Some(Refusal::Headroom { told: false, .. }) => {
                    self.scarce.push((observed.account.percent(now), candidate()));
                }
                Some(_) => {}
            }
            considered.push(Considered::of(&deployment.id, refusal.as_ref()));
            self.refusals.extend(refusal);
        }
        order(&mut kept, wanted.pool.order, turn);
        considered.extend(kept.iter().map(|(_, candidate)| Considered::of(&candidate.deployment.id, None)));
        self.candidates.extend(kept.into_iter().map(|(_, candidate)| candidate));
    }

    /// Those that are degraded come after those that are not, and those that are full after all: a place may come free. Those
    /// whose quota is short by our estimate come late and not never: an estimate may be wrong, and whoever has nobody
    /// else is better served by a try. The vendor's own word that nothing is left is no estimate: asking would be one more 429.
    fn selection(mut self) -> Result<Selection, Rejection> {
        if !self.able {
            return Err(nobody_eligible(self.refusals));
        }
        self.candidates.append(&mut self.degraded);
        self.scarce.sort_by_key(|(percent, _)| Reverse(*percent));
        self.candidates.extend(self.scarce.into_iter().map(|(_, candidate)| candidate));
        self.candidates.append(&mut self.full);
        let trickle = self.candidates.is_empty();
        let (candidates, last) =
            if trickle { (self.trickle, VecDeque::new()) } else { (self.candidates, self.trickle) };
        Ok(Selection { candidates, last, trickle, refusals: self.refusals })
    }
}

/// Who may carry on a stream that broke, as things stand now: not the deployment that was the last to break it, and those that
/// broke it before at the end. `None` where nobody is left. What was said of each goes to the record.
pub(crate) fn others(work: &mut Work) -> Option<Selection> {
    let Work { state, world, ingress, admitted, settlement, told, demand, .. } = work;
    let broken = told.as_ref()?.broken_off_by();
    let last = broken.last()?;
    let (now, turn, mut considered) = (state.clock.now(), state.random.bits(), Vec::new());
    let wanted = Wanted::of(admitted, ingress, *demand, None);
    let mut selection = select(world, &wanted, now, turn, &mut considered).ok()?;
    for candidates in [&mut selection.candidates, &mut selection.last] {
        candidates.retain(|candidate| !Arc::ptr_eq(&candidate.deployment, last));
    }
    // its twins with other credentials are as likely to break it again
    let broke = |candidate: &Candidate| broken.iter().any(|deployment| deployment.id == candidate.deployment.id);
    selection.candidates.make_contiguous().sort_by_key(broke);
    settlement.note(|record| record.grounds.considered.append(&mut considered));
    (!selection.candidates.is_empty()).then_some(selection)
}

/// Whether the deployment may and can serve the call, its health aside.
fn eligible(look: &Look<'_>, deployment: &Arc<Deployment>) -> Result<(), Refusal> {
    let Look { world, wanted, .. } = look;
    look.asking.permit(deployment)?;
    if look.restricts
        && let Some(refusal) = world.restrictions.refuses(deployment)
    {
        return Err(refusal);
    }
    if let Some(need) = deployment.unmet(wanted.dialect, wanted.scan.needs).next() {
        return Err(Refusal::Capability(need));
    }
    if !wanted.held.admits(deployment) {
        return Err(Refusal::Capability(Need::ServerIds.name()));
    }
    // several texts to embed share no context
    if wanted.dialect.task() == Task::Generate {
        deployment.limits.fit(wanted.scan.prompt_tokens_min(), wanted.scan.max_tokens)?;
    }
    let tariff = deployment.rates.tariff(wanted.ask.input_tokens, wanted.at);
    let affordable = wanted.pool.ceiling().admits(tariff) && wanted.ceiling.admits(tariff);
    // the rule of the pool comes first: it says when the deployment is back
    if world.surges.keeps_out(wanted.pool, deployment) {
        return Err(Refusal::Surge);
    }
    if affordable { Ok(()) } else { Err(Refusal::Price) }
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
            | Refusal::Headroom { .. }
            | Refusal::Full
            | Refusal::Price
            | Refusal::Surge
            | Refusal::Budget { .. } => None,
        })
        .collect();
    let (code, message) = if needs.contains(Need::ServerIds.name()) {
        let message = "What this call names (a file, an earlier response or the like) is kept at a deployment that cannot serve it: ask for the model that created it, or send its content instead.";
        (RejectionCode::NotPortable, message.to_owned())
    } else if !needs.is_empty() {
        let named = format!(
            "No deployment of this model that policy permits can honour `{}`. Leave it out, or ask for another model.",
            Vec::from_iter(needs).join("`, `")
        );
        (RejectionCode::NoCapableDeployment, named)
    } else if refusals.iter().any(|refusal| matches!(refusal, Refusal::Restricted { .. })) {
        (RejectionCode::PolicyDenied, RESTRICTED.to_owned())
    } else if refusals.iter().any(|refusal| matches!(refusal, Refusal::Price | Refusal::Surge)) {
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
    if let Some(rejection) = funds::rejection(&refusals) {
        return rejection;
    }
    if refusals.iter().any(|refusal| wait(refusal).is_some()) {
        nobody_healthy(refusals)
    } else {
        nobody_eligible(refusals)
    }
}

/// How long until what stands against a deployment may be over by itself.
const fn wait(refusal: &Refusal) -> Option<Duration> {
    match refusal {
        Refusal::Breaker { retry_after }
        | Refusal::Resting { retry_after, .. }
        | Refusal::Headroom { retry_after, .. } => Some(*retry_after),
        Refusal::Full => Some(Duration::from_secs(1)),
        Refusal::Capability(_)
        | Refusal::Policy(_)
        | Refusal::Restricted { .. }
        | Refusal::Price
        | Refusal::Surge
        | Refusal::Budget { .. } => None,
    }
}

/// What the client is told when some deployment may serve and none is healthy.
fn nobody_healthy(refusals: Vec<Refusal>) -> Rejection {
    let throttled = |refusal: &Refusal| {
        matches!(refusal, Refusal::Resting { class: "rate_limited", .. } | Refusal::Headroom { .. })
    };
    let unhealthy = |refusal: &&Refusal| wait(refusal).is_some();
    let shortest = refusals.iter().filter_map(wait).min().unwrap_or(Duration::from_secs(1));
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
    rejection.retry_after = Some(shortest);
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
        let spent = Refusal::Headroom { retry_after: second, told: true };
        check(vec![throttled.clone(), spent], RejectionCode::RateLimited);
        check(vec![throttled, Refusal::Breaker { retry_after: second }], RejectionCode::NoHealthyDeployment);
        check(vec![Refusal::Resting { class: "quota", retry_after: second }], RejectionCode::NoHealthyDeployment);
    }
}
