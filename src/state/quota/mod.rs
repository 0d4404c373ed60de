//! Vendors' quotas, as seen from here: what is left for a credential and a model, and whether a credential is spent.
//!
//! Kept by what was measured, as health is: a new secret starts fresh. One credential's 429 says nothing of another's.

mod credit;
mod headroom;
mod shared;

pub use credit::Credit;
pub use headroom::{Demand, Headroom, Left, Shortage};

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::random::Random;
use crate::base::rejection::Refusal;
use crate::base::scope::Scope;
use crate::dialect::signals::quota::Quota;
use crate::snapshot::deployment::Deployment;
use crate::state::quota::shared::SharedHeadroom;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long one model of a credential is left alone whose quota is spent for good.
const OUT: Duration = Duration::from_secs(15 * 60);

/// The quotas of everything that was ever contacted.
pub struct Quotas {
    headrooms: Mutex<HashMap<Arc<str>, Arc<SharedHeadroom>>>,
    credits: Mutex<HashMap<Arc<str>, Arc<SharedCredit>>>,
    tools: Arc<Tools>,
}

struct Tools {
    random: Random,
    sink: Arc<dyn Sink>,
}

/// A credential's credit, under the name that people know.
#[derive(Default)]
struct SharedCredit {
    name: Arc<str>,
    /// Whether a look under the lock is needed: few credits are ever spent.
    spent: AtomicBool,
    credit: Mutex<Credit>,
}

impl SharedCredit {
    /// Looks at a credit that is spent; `None` for one that is not.
    fn if_spent<T>(&self, look: impl FnOnce(&mut Credit) -> T) -> Option<T> {
        self.spent.load(Ordering::Relaxed).then(|| look(&mut lock(&self.credit)))
    }

    /// The vendor says that it is spent; whether that is news.
    fn is_spent(&self, reset: Option<Duration>, now: Moment) -> bool {
        let mut credit = lock(&self.credit);
        self.spent.store(true, Ordering::Relaxed);
        credit.is_spent(reset, now)
    }

    /// There is money; whether that is news.
    fn is_filled(&self) -> bool {
        let filled = |credit: &mut Credit| {
            self.spent.store(false, Ordering::Relaxed);
            credit.is_filled()
        };
        self.if_spent(filled) == Some(true)
    }
}

/// The account that a deployment draws on.
#[derive(Clone)]
pub struct Account {
    headroom: Arc<SharedHeadroom>,
    credit: Arc<SharedCredit>,
    tools: Arc<Tools>,
}

impl Quotas {
    /// Nothing observed yet.
    pub fn new(sink: Arc<dyn Sink>, seed: u64) -> Self {
        let tools = Arc::new(Tools { random: Random::seeded(seed), sink });
        Self { headrooms: Mutex::default(), credits: Mutex::default(), tools }
    }

    /// The account of a deployment, which is remembered from earlier snapshots.
    pub fn of(&self, deployment: &Deployment) -> Account {
        let vendor = &deployment.endpoint.vendor.name;
        let (name, secret) = match &deployment.credential {
            Some(credential) => (format!("{vendor}/{}", credential.name), credential.secret.digest().short()),
            None => (format!("{vendor}/none"), String::new()),
        };
        let credit = lock(&self.credits)
            .entry(format!("{name} {secret}").into())
            .or_insert_with(|| Arc::new(SharedCredit { name: name.into(), ..SharedCredit::default() }))
            .clone();
        let key = format!("{} {secret}", deployment.health_key);
        let headroom = lock(&self.headrooms).entry(key.into()).or_default().clone();
        Account { headroom, credit, tools: Arc::clone(&self.tools) }
    }

    /// Forgets the credits that no account of `serving` draws on: what was spent of them is nobody's concern any more.
    pub fn keep<'a>(&self, serving: impl Iterator<Item = &'a Account>) {
        let serving: HashSet<_> = serving.map(|account| Arc::as_ptr(&account.credit)).collect();
        lock(&self.credits).retain(|_, credit| {
            let serves = serving.contains(&Arc::as_ptr(credit));
            if !serves && credit.is_filled() {
                self.tools.tell(&credit.name, false);
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
        if let Some(retry_after) = self.credit.if_spent(|credit| credit.refuses(now)).flatten() {
            return Some(Refusal::Resting { class: FailureKind::Quota.class(), retry_after });
        }
        if self.headroom.glance(now).carries(demand) {
            return None;
        }
        let headroom = self.headroom.look();
        if let Some(retry_after) = headroom.rests(now) {
            return Some(Refusal::Resting { class: FailureKind::RateLimited.class(), retry_after });
        }
        let Shortage { retry_after, told } = headroom.carries(demand, now).err()?;
        Some(Refusal::Headroom { retry_after, told })
    }

    /// How long it rests after a 429.
    #[must_use]
    pub fn rests(&self, now: Moment) -> Option<Duration> {
        self.headroom.look().rests(now)
    }

    /// The share that is left of the scarcest window, in per cent; 100 where nothing is known.
    #[must_use]
    pub fn percent(&self, now: Moment) -> u32 {
        self.headroom.glance(now).percent
    }

    /// The same as far as it is known now, for people.
    #[must_use]
    pub fn known_percent(&self, now: Moment) -> Option<u32> {
        self.headroom.look().percent(now)
    }

    /// What is left of requests and of tokens, where it is known.
    #[must_use]
    pub fn left(&self, now: Moment) -> (Option<Left>, Option<Left>) {
        self.headroom.look().left(now)
    }

    /// A call of this size failed, before its answer or within it: what the vendor says of its quota counts.
    pub fn learn(&self, failure: &Failure, demand: Demand, now: Moment) {
        let headroom = || self.headroom.change();
        match (failure.kind, failure.scope) {
            (FailureKind::RateLimited, _) => {
                headroom().throttled(failure.retry_after, self.tools.random.unit(), now);
            }
            (FailureKind::OverWindow, _) => headroom().refused_as_too_large(demand, now),
            (FailureKind::Quota, Some(Scope::Model)) => headroom().rest(failure.retry_after.unwrap_or(OUT), now),
            (FailureKind::Quota, _) => self.spent(failure.retry_after, now),
            _ => {}
        }
    }

    /// The credential's money or quota is spent; told once.
    fn spent(&self, retry_after: Option<Duration>, now: Moment) {
        if self.credit.is_spent(retry_after, now) {
            self.tools.tell(&self.credit.name, true);
        }
    }

    /// A call of this size goes out; what is given must be told how it ended.
    #[must_use]
    pub fn send(&self, demand: Demand) -> Draw {
        self.headroom.change().send(demand);
        let trial = self.credit.if_spent(Credit::send) == Some(true);
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
            self.account.headroom.change().settle(self.demand, told, now);
        }
    }

    /// The call was answered well.
    pub fn succeeded(mut self) {
        self.account.headroom.change().went_well();
        // a call that went out before the credit was spent proves nothing of it now
        if std::mem::take(&mut self.trial) && self.account.credit.is_filled() {
            self.account.tools.tell(&self.account.credit.name, false);
        }
    }

    /// The call failed.
    pub fn failed(mut self, failure: &Failure, now: Moment) {
        if !self.settled && failure.phase == Phase::Connect {
            self.account.headroom.change().recall(self.demand);
            self.settled = true;
        }
        self.account.learn(failure, self.demand, now);
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        if !self.settled {
            // nothing is told, so the time does not matter
            self.account.headroom.change().settle(self.demand, &Quota::default(), Moment::START);
        }
        if self.trial {
            self.account.credit.if_spent(Credit::trial_said_nothing);
        }
    }
}

/// A panic elsewhere leaves counts, not broken invariants.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is told of credits.
    #[derive(Default)]
    struct Told(Mutex<Vec<bool>>);

    impl Sink for Told {
        fn emit(&self, event: Event) {
            if let Event::QuotaSpent { spent, .. } = event {
                lock(&self.0).push(spent);
            }
        }
    }

    fn account() -> (Account, Arc<Told>) {
        let told = Arc::new(Told::default());
        let tools = Arc::new(Tools { random: Random::seeded(7), sink: Arc::clone(&told) as Arc<dyn Sink> });
        (Account { headroom: Arc::default(), credit: Arc::default(), tools }, told)
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, Phase::Headers, "")
    }

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn f_076_only_a_call_that_was_sent_since_proves_that_there_is_money_again() {
        let ((account, told), call) = (account(), Demand::new(10, 10));
        let (early, spent) = (account.send(call), account.send(call));
        spent.failed(&failure(FailureKind::Quota), at(0));
        early.succeeded();
        assert!(matches!(account.refuses(call, at(1)), Some(Refusal::Resting { class: "quota", .. })));
        let trial = account.send(call);
        assert!(account.refuses(call, at(901)).is_some(), "one call at a time tries it");
        drop(trial);
        assert_eq!(account.refuses(call, at(901)), None);
        account.send(call).succeeded();
        assert_eq!(*lock(&told.0), [true, false]);
    }

    #[test]
    fn what_never_reached_the_vendor_draws_nothing_and_what_may_have_does() {
        let ((account, _), call) = (account(), Demand::new(400, 0));
        let (limit, remaining) = (Some(1_000), 1_000);
        let window = crate::dialect::signals::quota::Window { limit, remaining, reset: None, refills: false };
        account.send(Demand::default()).answered(&Quota { tokens: Some(window), ..Quota::default() }, at(0));
        account.send(call).failed(&Failure::new(FailureKind::ConnectRefused, Phase::Connect, ""), at(0));
        let left = || account.left(at(1)).1.map(|left| left.remaining);
        assert_eq!(left(), Some(1_000));
        account.send(call).failed(&failure(FailureKind::HeadersTimeout), at(0));
        drop(account.send(call));
        assert_eq!(left(), Some(200));
        assert!(matches!(account.refuses(call, at(1)), Some(Refusal::Headroom { told: false, .. })));
    }

    #[test]
    fn one_throttled_model_rests_and_another_of_the_same_credential_does_not() {
        let ((account, told), call) = (account(), Demand::default());
        let other = Account { headroom: Arc::default(), ..account.clone() };
        let hinted = Failure { retry_after: Some(Duration::from_secs(20)), ..failure(FailureKind::RateLimited) };
        account.send(call).failed(&hinted, at(0));
        let resting = Refusal::Resting { class: "rate_limited", retry_after: Duration::from_secs(19) };
        assert_eq!((account.refuses(call, at(1)), other.refuses(call, at(1))), (Some(resting), None));
        assert!(lock(&told.0).is_empty());
    }
}
