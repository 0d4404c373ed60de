//! Vendors' quotas, as seen from here: what is left for a credential and a model, and whether a credential is spent.
//!
//! Kept by what was measured, as health is: a new secret starts fresh. One credential's 429 says nothing of another's.

mod headroom;
mod purse;

pub use headroom::{Demand, Headroom, Left, Shortage};
pub use purse::Purse;

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::random::Random;
use crate::base::rejection::Refusal;
use crate::base::scope::Scope;
use crate::dialect::signals::quota::Quota;
use crate::snapshot::deployment::Deployment;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long one model of a credential is left alone whose quota is spent for good.
const OUT: Duration = Duration::from_secs(15 * 60);

/// The quotas of everything that was ever contacted.
pub struct Quotas {
    headrooms: Mutex<HashMap<Arc<str>, Arc<Mutex<Headroom>>>>,
    purses: Mutex<HashMap<Arc<str>, Arc<SharedPurse>>>,
    tools: Arc<Tools>,
}

struct Tools {
    random: Random,
    sink: Arc<dyn Sink>,
}

/// A credential's purse, under the name that people know.
struct SharedPurse {
    name: Arc<str>,
    purse: Mutex<Purse>,
}

/// The account that a deployment draws on.
#[derive(Clone)]
pub struct Account {
    headroom: Arc<Mutex<Headroom>>,
    purse: Arc<SharedPurse>,
    tools: Arc<Tools>,
}

impl Quotas {
    /// Nothing observed yet.
    pub fn new(sink: Arc<dyn Sink>, seed: u64) -> Self {
        let tools = Arc::new(Tools { random: Random::seeded(seed), sink });
        Self { headrooms: Mutex::default(), purses: Mutex::default(), tools }
    }

    /// The account of a deployment, which is remembered from earlier snapshots.
    pub fn of(&self, deployment: &Deployment) -> Account {
        let vendor = &deployment.endpoint.vendor.name;
        let (name, secret) = match &deployment.credential {
            Some(credential) => (format!("{vendor}/{}", credential.name), credential.secret.digest().short()),
            None => (format!("{vendor}/none"), String::new()),
        };
        let purse = lock(&self.purses)
            .entry(format!("{name} {secret}").into())
            .or_insert_with(|| Arc::new(SharedPurse { name: name.into(), purse: Mutex::default() }))
            .clone();
        let key = format!("{} {secret}", deployment.health_key);
        let headroom = lock(&self.headrooms).entry(key.into()).or_default().clone();
        Account { headroom, purse, tools: Arc::clone(&self.tools) }
    }

    /// Forgets the purses that no account of `serving` draws on: what was spent of them is nobody's concern any more.
    pub fn keep<'a>(&self, serving: impl Iterator<Item = &'a Account>) {
        let serving: HashSet<_> = serving.map(|account| Arc::as_ptr(&account.purse)).collect();
        lock(&self.purses).retain(|_, purse| {
            let serves = serving.contains(&Arc::as_ptr(purse));
            if !serves && lock(&purse.purse).is_filled() {
                self.tools.tell(&purse.name, false);
            }
            serves
        });
    }
}

impl Tools {
    fn tell(&self, credential: &Arc<str>, spent: bool) {
        self.sink.emit(Event::QuotaSpent { credential: Arc::clone(credential), spent });
    }
}

impl Account {
    /// Why a call of this size is not sent now.
    #[must_use]
    pub fn refuses(&self, demand: Demand, now: Moment) -> Option<Refusal> {
        if let Some(retry_after) = lock(&self.purse.purse).refuses(now) {
            return Some(Refusal::Resting { class: FailureKind::Quota.class(), retry_after });
        }
        let headroom = lock(&self.headroom);
        if let Some(retry_after) = headroom.rests(now) {
            return Some(Refusal::Resting { class: FailureKind::RateLimited.class(), retry_after });
        }
        let Shortage { retry_after, told } = headroom.carries(demand, now).err()?;
        Some(Refusal::Headroom { retry_after, told })
    }

    /// How long it rests after a 429.
    #[must_use]
    pub fn rests(&self, now: Moment) -> Option<Duration> {
        lock(&self.headroom).rests(now)
    }

    /// The share that is left of the scarcest window, in per cent; 100 where nothing is known.
    #[must_use]
    pub fn percent(&self, now: Moment) -> u32 {
        lock(&self.headroom).percent(now)
    }

    /// What is left of requests and of tokens, where it is known.
    #[must_use]
    pub fn left(&self, now: Moment) -> (Option<Left>, Option<Left>) {
        lock(&self.headroom).left(now)
    }

    /// A call of this size goes out; what is given must be told how it ended.
    #[must_use]
    pub fn send(&self, demand: Demand) -> Draw {
        lock(&self.headroom).send(demand);
        let trial = lock(&self.purse.purse).send();
        Draw { account: self.clone(), demand, trial, settled: false }
    }
}

/// What a call under way draws on an account. Dropped without a verdict, it counts as spent: it may have arrived.
pub struct Draw {
    account: Account,
    demand: Demand,
    trial: bool,
    settled: bool,
}

impl Draw {
    /// Response headers came, and this is what they say.
    pub fn answered(&mut self, told: &Quota, now: Moment) {
        if !std::mem::replace(&mut self.settled, true) {
            lock(&self.account.headroom).settle(self.demand, told, now);
        }
    }

    /// The call was answered well.
    pub fn succeeded(mut self) {
        lock(&self.account.headroom).went_well();
        let filled = lock(&self.account.purse.purse).is_filled();
        self.trial = false;
        if filled {
            self.account.tools.tell(&self.account.purse.name, false);
        }
    }

    /// The call failed.
    pub fn failed(mut self, failure: &Failure, now: Moment) {
        let mut headroom = lock(&self.account.headroom);
        if !self.settled && failure.phase == Phase::Connect {
            headroom.recall(self.demand);
            self.settled = true;
        }
        match (failure.kind, failure.scope) {
            (FailureKind::RateLimited, _) => {
                headroom.throttled(failure.retry_after, self.account.tools.random.unit(), now);
            }
            (FailureKind::OverWindow, _) => headroom.refused_as_too_large(self.demand, now),
            (FailureKind::Quota, Some(Scope::Model)) => headroom.rest(failure.retry_after.unwrap_or(OUT), now),
            (FailureKind::Quota, _) => {
                drop(headroom);
                self.trial = false;
                if lock(&self.account.purse.purse).is_spent(failure.retry_after, now) {
                    self.account.tools.tell(&self.account.purse.name, true);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        if !self.settled {
            // nothing is told, so the time does not matter
            lock(&self.account.headroom).settle(self.demand, &Quota::default(), Moment::START);
        }
        if self.trial {
            lock(&self.account.purse.purse).trial_said_nothing();
        }
    }
}

/// A panic elsewhere leaves counts, not broken invariants.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
