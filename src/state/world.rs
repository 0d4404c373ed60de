//! The snapshot that is served now, bound to what was observed.

use crate::base::clock::Moment;
use crate::base::event::Sink;
use crate::base::random::Random;
use crate::base::rejection::Refusal;
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::snapshot::pool::{BreakerSettings, Pool};
use crate::state::affinity::Affinity;
use crate::state::clock::Clock;
use crate::state::guesses::Guesses;
use crate::state::health::{DeploymentHealth, Health};
use crate::state::hedging::Hedging;
use crate::state::ids::Ids;
use crate::state::ledger::Ledger;
use crate::state::limits::Limits;
use crate::state::purse::Purses;
use crate::state::quota::{Account, Demand, Quotas};
use crate::state::restrictions::Restrictions;
use crate::state::retry_budget::RetryBudget;
use crate::state::surge::Surges;
use crate::state::terms::{Answers, Terms};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A pool's retry budget, shared by its exchanges.
pub type SharedBudget = Arc<Mutex<RetryBudget>>;

/// What a pool may still hedge, shared by its exchanges.
pub type SharedHedging = Arc<Mutex<Hedging>>;

/// One snapshot with the observations that belong to it: what an exchange takes once and keeps to its end.
pub struct World {
    /// The settings.
    pub snapshot: Arc<Snapshot>,
    /// What is not to be asked, live: it may change while an exchange goes on.
    pub restrictions: Arc<Restrictions>,
    /// What has become too expensive, live.
    pub surges: Arc<Surges>,
    observed: Vec<Arc<Observed>>,
    terms: HashMap<Arc<str>, Arc<Terms>>,
    budgets: HashMap<Arc<str>, SharedBudget>,
    hedging: HashMap<Arc<str>, SharedHedging>,
}

/// What was observed of one deployment.
pub struct Observed {
    /// Whom.
    pub deployment: Arc<Deployment>,
    /// Its health, and that of whatever it depends on.
    pub health: Arc<DeploymentHealth>,
    /// What its vendor still grants.
    pub account: Account,
}

impl Observed {
    /// Why a call of this size is not sent there now.
    #[must_use]
    pub fn refuses(&self, demand: Demand, now: Moment, settings: &BreakerSettings) -> Option<Refusal> {
        self.health.refuses(now, settings).or_else(|| self.account.refuses(demand, now))
    }
}

impl World {
    /// The health of one of the snapshot's deployments.
    #[must_use]
    pub fn health(&self, deployment: &Deployment) -> Option<&Arc<DeploymentHealth>> {
        self.observed(deployment).map(|observed| &observed.health)
    }

    /// All that was observed of one of the snapshot's deployments.
    #[must_use]
    pub fn observed(&self, deployment: &Deployment) -> Option<&Arc<Observed>> {
        self.observed.get(deployment.index)
    }

    /// The terms of one of the snapshot's keys.
    #[must_use]
    pub fn terms(&self, key: &Key) -> Option<&Arc<Terms>> {
        self.terms.get(&key.name)
    }

    /// The terms of all keys.
    pub fn all_terms(&self) -> impl Iterator<Item = &Terms> {
        self.terms.values().map(|terms| &**terms)
    }

    /// The retry budget of one of the snapshot's pools.
    #[must_use]
    pub fn budget(&self, pool: &Pool) -> Option<&SharedBudget> {
        self.budgets.get(&pool.name)
    }

    /// What one of the snapshot's pools may still hedge.
    #[must_use]
    pub fn hedging(&self, pool: &Pool) -> Option<&SharedHedging> {
        self.hedging.get(&pool.name)
    }
}

/// Everything that outlives a snapshot.
pub struct State {
    /// The clocks.
    pub clock: Clock,
    /// Jitter and request ids.
    pub random: Random,
    /// Health of everything that was ever contacted.
    pub health: Arc<Health>,
    /// What is not to be asked.
    pub restrictions: Arc<Restrictions>,
    /// Where sessions were served last.
    pub affinity: Mutex<Affinity>,
    /// Which key created what is kept at vendors.
    pub ids: Arc<Ids>,
    /// Who shows wrong keys.
    pub guesses: Guesses,
    /// Where events go.
    pub sink: Arc<dyn Sink>,
    /// What was spent.
    pub ledger: Arc<Ledger>,
    kept: Kept,
    sessions: RandomState,
    world: ArcSwap<World>,
    generations: watch::Sender<u64>,
    draining: AtomicBool,
}

impl State {
    /// A state that serves `snapshot` and has observed nothing yet.
    pub fn new(
        snapshot: Arc<Snapshot>,
        restrictions: Arc<Restrictions>,
        ledger: Arc<Ledger>,
        sink: Arc<dyn Sink>,
        seed: u64,
    ) -> Self {
        let clock = Clock::start();
        let health = Arc::new(Health::new(Arc::clone(&sink), seed));
        let kept = Kept {
            surges: Arc::default(),
            quotas: Quotas::new(Arc::clone(&sink), seed.rotate_left(16)),
            limits: Limits::default(),
            purses: Purses::new(Arc::clone(&ledger), clock, Arc::clone(&sink)),
            answers: Mutex::default(),
            retry_budgets: Mutex::default(),
            hedging: Mutex::default(),
        };
        let world = bind(snapshot, &restrictions, &health, &kept);
        let generations = watch::Sender::new(world.snapshot.generation);
        Self {
            generations,
            clock,
            random: Random::seeded(seed.rotate_left(32)),
            health,
            restrictions,
            affinity: Mutex::default(),
            ids: Ids::in_memory(),
            guesses: Guesses::default(),
            sink,
            ledger,
            kept,
            sessions: RandomState::new(),
            world: ArcSwap::from_pointee(world),
            draining: AtomicBool::new(false),
        }
    }

    /// The same with a register of ids that outlives the process.
    #[must_use]
    pub fn with_ids(self, ids: Arc<Ids>) -> Self {
        Self { ids, ..self }
    }

    /// What is served now.
    pub fn world(&self) -> Arc<World> {
        self.world.load_full()
    }

    /// Serves `snapshot` from now on; exchanges under way keep theirs, but ask the new one for their permits.
    pub fn install(&self, snapshot: Arc<Snapshot>) {
        let generation = snapshot.generation;
        let world = bind(snapshot, &self.restrictions, &self.health, &self.kept);
        self.world.store(Arc::new(world));
        self.look_at_prices(Clock::unix_seconds());
        self.generations.send_replace(generation);
    }

    /// A number for a session that is told by these words, under a secret of this process.
    pub fn session(&self, key: &str, words: [&[u8]; 2]) -> u64 {
        self.sessions.hash_one((key, words))
    }

    /// Looks at what is charged at `at`, in seconds since 1970: what has become too expensive for a pool leaves it. Prices
    /// change with the files, and by themselves with date and hour.
    pub fn look_at_prices(&self, at: i64) {
        self.kept.surges.look(&self.world(), at, self.clock.now(), &*self.sink);
    }

    /// Changes with every snapshot that serves: whoever waits on it finds the new one in [`Self::world`].
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Whether the process is going down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Readiness goes off; answers tell their connection to close.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// What belongs to names, and is found again by them after a reload.
struct Kept {
    surges: Arc<Surges>,
    quotas: Quotas,
    limits: Limits,
    purses: Purses,
    answers: Mutex<HashMap<Arc<str>, Arc<Answers>>>,
    retry_budgets: Mutex<HashMap<Arc<str>, SharedBudget>>,
    hedging: Mutex<HashMap<Arc<str>, SharedHedging>>,
}

fn bind(snapshot: Arc<Snapshot>, restrictions: &Arc<Restrictions>, health: &Health, kept: &Kept) -> World {
    let mut budgets = kept.retry_budgets.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hedging = kept.hedging.lock().unwrap_or_else(PoisonError::into_inner);
    let mut answers = kept.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let observe = |deployment: &Arc<Deployment>| {
        let (health, account) = (health.of(deployment), kept.quotas.of(deployment));
        Arc::new(Observed { deployment: Arc::clone(deployment), health, account })
    };
    let observed: Vec<_> = snapshot.deployments.iter().map(observe).collect();
    kept.quotas.keep(observed.iter().map(|observed| &observed.account));
    let mut terms = |key: &Arc<Key>| {
        let answers = Arc::clone(answers.entry(Arc::clone(&key.name)).or_default());
        (Arc::clone(&key.name), Arc::new(Terms::of(key, &kept.limits, &kept.purses, answers)))
    };
    World {
        restrictions: Arc::clone(restrictions),
        surges: Arc::clone(&kept.surges),
        observed,
        terms: snapshot.keys.by_name.values().map(&mut terms).collect(),
        budgets: of_pools(&snapshot, &mut budgets, |_| true),
        hedging: of_pools(&snapshot, &mut hedging, |pool| pool.hedge.is_some()),
        snapshot,
    }
}

/// What is kept for each of the snapshot's pools that are `meant`.
fn of_pools<T: Clone + Default>(
    snapshot: &Snapshot,
    kept: &mut HashMap<Arc<str>, T>,
    meant: impl Fn(&Pool) -> bool,
) -> HashMap<Arc<str>, T> {
    let pools = snapshot.pools.values().filter(|pool| meant(pool));
    pools.map(|pool| (Arc::clone(&pool.name), kept.entry(Arc::clone(&pool.name)).or_default().clone())).collect()
}
