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
use crate::state::health::{DeploymentHealth, Health};
use crate::state::ids::Ids;
use crate::state::limits::{KeyLimits, Limits};
use crate::state::quota::{Account, Demand, Quotas};
use crate::state::restrictions::Restrictions;
use crate::state::retry_budget::RetryBudget;
use crate::state::surge::Surges;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A pool's retry budget, shared by its exchanges.
pub type SharedBudget = Arc<Mutex<RetryBudget>>;

/// One snapshot with the observations that belong to it: what an exchange takes once and keeps to its end.
pub struct World {
    /// The settings.
    pub snapshot: Arc<Snapshot>,
    /// What is not to be asked, live: it may change while an exchange goes on.
    pub restrictions: Arc<Restrictions>,
    /// What has become too expensive, live.
    pub surges: Arc<Surges>,
    observed: Vec<Arc<Observed>>,
    limits: HashMap<Arc<str>, Arc<KeyLimits>>,
    budgets: HashMap<Arc<str>, SharedBudget>,
}

/// What was observed of one deployment.
pub struct Observed {
    /// Its health, and that of whatever it depends on.
    pub health: DeploymentHealth,
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
    pub fn health(&self, deployment: &Deployment) -> Option<&DeploymentHealth> {
        self.observed(deployment).map(|observed| &observed.health)
    }

    /// All that was observed of one of the snapshot's deployments.
    #[must_use]
    pub fn observed(&self, deployment: &Deployment) -> Option<&Arc<Observed>> {
        self.observed.get(deployment.index)
    }

    /// The limits of one of the snapshot's keys.
    #[must_use]
    pub fn limits(&self, key: &Key) -> Option<&Arc<KeyLimits>> {
        self.limits.get(&key.name)
    }

    /// The retry budget of one of the snapshot's pools.
    #[must_use]
    pub fn budget(&self, pool: &Pool) -> Option<&SharedBudget> {
        self.budgets.get(&pool.name)
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
    /// Where events go.
    pub sink: Arc<dyn Sink>,
    quotas: Quotas,
    sessions: RandomState,
    surges: Arc<Surges>,
    limits: Limits,
    budgets: Mutex<HashMap<Arc<str>, SharedBudget>>,
    world: ArcSwap<World>,
    generations: watch::Sender<u64>,
    draining: AtomicBool,
}

impl State {
    /// A state that serves `snapshot` and has observed nothing yet.
    pub fn new(snapshot: Arc<Snapshot>, restrictions: Arc<Restrictions>, sink: Arc<dyn Sink>, seed: u64) -> Self {
        let health = Arc::new(Health::new(Arc::clone(&sink), seed));
        let quotas = Quotas::new(Arc::clone(&sink), seed.rotate_left(16));
        let limits = Limits::default();
        let budgets = Mutex::default();
        let surges = Arc::default();
        let world = bind(snapshot, (&restrictions, &surges), &health, &quotas, &limits, &budgets);
        let generations = watch::Sender::new(world.snapshot.generation);
        Self {
            generations,
            clock: Clock::start(),
            random: Random::seeded(seed.rotate_left(32)),
            health,
            restrictions,
            affinity: Mutex::default(),
            ids: Ids::in_memory(),
            sink,
            quotas,
            sessions: RandomState::new(),
            surges,
            limits,
            budgets,
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
        let live = (&self.restrictions, &self.surges);
        let world = bind(snapshot, live, &self.health, &self.quotas, &self.limits, &self.budgets);
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
        self.surges.look(&self.world(), at, self.clock.now(), &*self.sink);
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

fn bind(
    snapshot: Arc<Snapshot>,
    (restrictions, surges): (&Arc<Restrictions>, &Arc<Surges>),
    health: &Health,
    quotas: &Quotas,
    limits: &Limits,
    budgets: &Mutex<HashMap<Arc<str>, SharedBudget>>,
) -> World {
    let mut budgets = budgets.lock().unwrap_or_else(PoisonError::into_inner);
    let observe = |deployment: &Arc<Deployment>| {
        Arc::new(Observed { health: health.of(deployment), account: quotas.of(deployment) })
    };
    let observed: Vec<_> = snapshot.deployments.iter().map(observe).collect();
    quotas.keep(observed.iter().map(|observed| &observed.account));
    World {
        restrictions: Arc::clone(restrictions),
        surges: Arc::clone(surges),
        observed,
        limits: snapshot.keys.by_name.values().map(|key| (Arc::clone(&key.name), limits.of(key))).collect(),
        budgets: snapshot
            .pools
            .values()
            .map(|pool| (Arc::clone(&pool.name), Arc::clone(budgets.entry(Arc::clone(&pool.name)).or_default())))
            .collect(),
        snapshot,
    }
}
