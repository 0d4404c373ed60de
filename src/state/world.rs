//! The snapshot that is served now, bound to what was observed.

use crate::base::event::Sink;
use crate::base::random::Random;
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::snapshot::pool::Pool;
use crate::state::clock::Clock;
use crate::state::health::{DeploymentHealth, Health};
use crate::state::ledger::Ledger;
use crate::state::limits::Limits;
use crate::state::purse::Purses;
use crate::state::restrictions::Restrictions;
use crate::state::retry_budget::RetryBudget;
use crate::state::terms::{Answers, Terms};
use arc_swap::ArcSwap;
use std::collections::HashMap;
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
    health: Vec<DeploymentHealth>,
    terms: HashMap<Arc<str>, Arc<Terms>>,
    budgets: HashMap<Arc<str>, SharedBudget>,
}

impl World {
    /// The health of one of the snapshot's deployments.
    #[must_use]
    pub fn health(&self, deployment: &Deployment) -> Option<&DeploymentHealth> {
        self.health.get(deployment.index)
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
    /// Where events go.
    pub sink: Arc<dyn Sink>,
    /// What was spent.
    pub ledger: Arc<Ledger>,
    kept: Kept,
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
            limits: Limits::default(),
            purses: Purses::new(Arc::clone(&ledger), clock, Arc::clone(&sink)),
            answers: Mutex::default(),
            retry_budgets: Mutex::default(),
        };
        let world = bind(snapshot, &restrictions, &health, &kept);
        let generations = watch::Sender::new(world.snapshot.generation);
        Self {
            generations,
            clock,
            random: Random::seeded(seed.rotate_left(32)),
            health,
            restrictions,
            sink,
            ledger,
            kept,
            world: ArcSwap::from_pointee(world),
            draining: AtomicBool::new(false),
        }
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
        self.generations.send_replace(generation);
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

/// What belongs to names of the config, and is found again by them after a reload.
struct Kept {
    limits: Limits,
    purses: Purses,
    answers: Mutex<HashMap<Arc<str>, Arc<Answers>>>,
    retry_budgets: Mutex<HashMap<Arc<str>, SharedBudget>>,
}

fn bind(snapshot: Arc<Snapshot>, restrictions: &Arc<Restrictions>, health: &Health, kept: &Kept) -> World {
    let mut budgets = kept.retry_budgets.lock().unwrap_or_else(PoisonError::into_inner);
    let mut answers = kept.answers.lock().unwrap_or_else(PoisonError::into_inner);
    World {
        restrictions: Arc::clone(restrictions),
        health: snapshot.deployments.iter().map(|deployment| health.of(deployment)).collect(),
        terms: snapshot
            .keys
            .by_name
            .values()
            .map(|key| {
                let answers = Arc::clone(answers.entry(Arc::clone(&key.name)).or_default());
                (Arc::clone(&key.name), Arc::new(Terms::of(key, &kept.limits, &kept.purses, answers)))
            })
            .collect(),
        budgets: snapshot
            .pools
            .values()
            .map(|pool| (Arc::clone(&pool.name), Arc::clone(budgets.entry(Arc::clone(&pool.name)).or_default())))
            .collect(),
        snapshot,
    }
}
