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
use crate::snapshot::permit::Answers;
use crate::snapshot::pool::Pool;
use crate::state::quota::Demand;
use crate::state::world::{Observed, World};
use std::cmp::Reverse;
use std::collections::BTreeSet;
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
pub type Candidate = Arc<Observed>;

/// What selection found.
pub struct Selection {
    /// In the order of asking.
    pub candidates: Vec<Candidate>,
    /// Whom to ask when all of these have failed: their breakers are open, and each lets one call a second through then.
    pub last: Vec<Candidate>,
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
    let look = Look {
        world,
        wanted,
        policy: world.snapshot.asking(wanted.key, wanted.ask).about(wanted.pool),
        restricts: world.restrictions.restricts(),
        now,
        turn,
    };
    let mut sieve = Sieve::of(wanted.pool);
    for tier in &wanted.pool.tiers {
        sieve.tier(&look, tier);
    }
    sieve.selection(considered)
}

/// What every deployment of the pool is looked at with.
struct Look<'a> {
    world: &'a World,
    wanted: &'a Wanted<'a>,
    policy: Answers<'a>,
    /// Whether anything is restricted at all.
    restricts: bool,
    now: Moment,
    turn: u64,
}

/// What is kept of a pool, tier by tier.
#[derive(Default)]
struct Sieve {
    candidates: Vec<Candidate>,
    /// Those of the tier that is being looked at, with what decides their order.
    sound: Vec<(Merit, Candidate)>,
    /// Those that are degraded, whose turn it is not, and that have nobody sound to stand behind yet.
    degraded: Vec<Candidate>,
    /// Those whose quota would not carry the call by our estimate, with what is left of it.
    scarce: Vec<(u32, Candidate)>,
    /// Those that have as much as they bear.
    full: Vec<Candidate>,
    /// Those whose breaker is open.
    trickle: Vec<Candidate>,
    able: bool,
    refused: Vec<Considered>,
}

impl Sieve {
    fn of(pool: &Pool) -> Self {
        let candidates = Vec::with_capacity(pool.tiers.iter().map(Vec::len).sum());
        Self { candidates, ..Self::default() }
    }

    fn tier(&mut self, look: &Look<'_>, tier: &[Arc<Deployment>]) {
        let &Look { world, wanted, now, turn, .. } = look;
        let (pool, settings, before) = (wanted.pool, &wanted.pool.breaker, self.candidates.len());
        if tier.len() > 1 {
            self.sound.reserve(tier.len());
        }
        for (place, deployment) in listed(tier).zip(tier) {
            let Some(observed) = world.observed(deployment) else { continue };
            if let Err(refusal) = eligible(look, deployment) {
                self.refused.push(Considered { deployment: Arc::clone(&deployment.id), refusal: Some(refusal) });
                continue;
            }
            self.able = true;
            if let Some(refusal) = observed.refuses(wanted.demand, now, settings) {
                self.unwell(observed, refusal, now);
            } else if observed.health.stands_back(now, settings, turn) {
                self.degraded.push(Arc::clone(observed));
            } else if tier.len() == 1 {
                self.candidates.push(Arc::clone(observed));
            } else {
                let merit = Merit::of(place, observed, pool, wanted.home, wanted.prospect(), now);
                self.sound.push((merit, Arc::clone(observed)));
            }
        }
        if !self.sound.is_empty() {
            order(&mut self.sound, pool.order, turn);
            self.candidates.extend(self.sound.drain(..).map(|(_, candidate)| candidate));
        }
        // one step down and no further: those that are listed behind are there for whoever is gone, not for whoever is slow
        if self.candidates.len() > before {
            self.candidates.append(&mut self.degraded);
        }
    }

    /// One that may and can serve the call, and cannot be asked now.
    fn unwell(&mut self, observed: &Candidate, refusal: Refusal, now: Moment) {
        let later = match &refusal {
            Refusal::Full => Some(&mut self.full),
            Refusal::Breaker { .. } => Some(&mut self.trickle),
            Refusal::Headroom { told: false, .. } => {
                self.scarce.push((observed.account.percent(now), Arc::clone(observed)));
                None
            }
            _ => None,
        };
        later.into_iter().for_each(|later| later.push(Arc::clone(observed)));
        self.refused.push(Considered { deployment: Arc::clone(&observed.deployment.id), refusal: Some(refusal) });
    }

    /// Those that are full come after all who have a place: one may come free. Those whose quota is short by our estimate come
    /// late and not never: an estimate may be wrong, and whoever has nobody else is better served by a try. The vendor's own
    /// word that nothing is left is no estimate: asking would be one more 429.
    fn selection(mut self, considered: &mut Vec<Considered>) -> Result<Selection, Rejection> {
        self.candidates.append(&mut self.degraded);
        let refusals: Vec<_> = self.refused.iter().filter_map(|one| one.refusal.clone()).collect();
        considered.reserve(self.refused.len() + self.candidates.len());
        considered.extend(self.candidates.iter().map(|candidate| Considered::of(&candidate.deployment.id, None)));
        considered.append(&mut self.refused);
        if !self.able {
            return Err(nobody_eligible(refusals));
        }
        self.scarce.sort_by_key(|(percent, _)| Reverse(*percent));
        self.candidates.extend(self.scarce.into_iter().map(|(_, candidate)| candidate));
        self.candidates.append(&mut self.full);
        let trickle = self.candidates.is_empty();
        let (candidates, last) = if trickle { (self.trickle, Vec::new()) } else { (self.candidates, self.trickle) };
        Ok(Selection { candidates, last, trickle, refusals })
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
    selection.candidates.sort_by_key(broke);
    settlement.note(|record| record.grounds.considered.append(&mut considered));
    (!selection.candidates.is_empty()).then_some(selection)
}

/// Whether the deployment may and can serve the call, its health aside.
fn eligible(look: &Look<'_>, deployment: &Arc<Deployment>) -> Result<(), Refusal> {
    let Look { world, wanted, .. } = look;
    look.policy.permits(deployment)?;
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
    // the rule of the pool comes first: it says when the deployment is back
    if world.surges.keeps_out(wanted.pool, deployment) {
        return Err(Refusal::Surge);
    }
    let tariff = || deployment.rates.tariff(wanted.ask.input_tokens, wanted.at);
    let affordable = |ceiling: Ceiling| ceiling.is_open() || ceiling.admits(tariff());
    if affordable(wanted.pool.ceiling()) && affordable(wanted.ceiling) { Ok(()) } else { Err(Refusal::Price) }
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
mod tests;
