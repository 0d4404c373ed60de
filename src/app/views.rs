//! What people see of the running process.

use crate::admin::{Denied, ReloadStatus, Restricted, Status, Views};
use crate::app::budgets;
use crate::app::shown::{Seen, breaker_state, pool_status};
use crate::base::event::Event;
use crate::base::hash::Digest;
use crate::base::restriction::{Reach, Restriction};
use crate::exchange::order::Prospect;
use crate::observe::{Observer, Readings};
use crate::reload::Reloader;
use crate::server::drain::Drain;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::explain::Question;
use crate::state::clock::Clock;
use crate::state::restrictions;
use crate::state::world::State;
use http::StatusCode;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// The running process, as it is looked at.
pub(super) struct Live {
    state: Arc<State>,
    observer: Arc<Observer>,
    reloader: Reloader,
    drain: Drain,
    started: Instant,
}

impl Live {
    pub(super) const fn new(
        state: Arc<State>,
        observer: Arc<Observer>,
        reloader: Reloader,
        drain: Drain,
        started: Instant,
    ) -> Self {
        Self { state, observer, reloader, drain, started }
    }

    fn readings(&self) -> Readings {
        let world = self.state.world();
        let now = self.state.clock.now();
        let mut readings = Readings::default();
        let mut breakers = HashMap::new();
        for deployment in &world.snapshot.deployments {
            let Some(health) = world.health(deployment) else { continue };
            readings.inflight.push((Arc::clone(&deployment.id), health.deployment.inflight()));
            if let Some(cap) = health.deployment.admission_cap(now) {
                readings.admission_caps.push((Arc::clone(&deployment.id), cap));
            }
            for node in health.breakers() {
                breakers.insert(Arc::clone(&node.key), breaker_state(node.state(now)));
            }
        }
        let restricted = world.snapshot.deployments.iter();
        let restricted = restricted.filter(|deployment| world.restrictions.refuses(deployment).is_some());
        let restricted: BTreeSet<_> = restricted.map(|deployment| Arc::clone(&deployment.id)).collect();
        readings.restricted = restricted.into_iter().collect();
        let surged = world.snapshot.pools.values().flat_map(|pool| pool.deployments().map(move |one| (pool, one)));
        let surged = surged.filter(|(pool, deployment)| world.surges.keeps_out(pool, deployment));
        let surged: BTreeSet<_> = surged.map(|(_, deployment)| Arc::clone(&deployment.id)).collect();
        readings.surged = surged.into_iter().collect();
        readings.breakers = breakers.into_iter().collect();
        let today = Clock::unix_seconds();
        let certificates = world.snapshot.listeners.iter().flat_map(|listener| &listener.certificates);
        readings.ledger_lag = self.state.ledger.waiting();
        readings.budgets = budgets::readings(&world);
        readings.certificates =
            certificates.map(|certificate| (Arc::clone(&certificate.file), certificate.not_after - today)).collect();
        readings
    }
}

impl Views for Live {
    fn metrics(&self) -> String {
        self.observer.metrics(&self.readings())
    }

    fn ready(&self) -> Result<(), String> {
        if self.state.is_draining() {
            return Err("draining".to_owned());
        }
        if self.state.health.is_isolated() {
            return Err("no vendor can be reached".to_owned());
        }
        Ok(())
    }

    fn status(&self) -> Status {
        let world = self.state.world();
        let now = self.state.clock.now();
        let mut pools: Vec<_> =
            world.snapshot.pools.iter().filter(|(name, pool)| **name == pool.name).map(|(_, pool)| pool).collect();
        pools.sort_by(|left, right| left.name.cmp(&right.name));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            not_ready: self.ready().err(),
            uptime_s: self.started.elapsed().as_secs(),
            generation: world.snapshot.generation,
            digest: world.snapshot.digest.short(),
            policy: world.snapshot.policy_digest.to_string(),
            last_reload: self.reloader.last().map(|last| ReloadStatus {
                at: jiff::Timestamp::try_from(last.at).map(|at| at.to_string()).unwrap_or_default(),
                accepted: last.accepted,
                diagnostics: last.diagnostics,
            }),
            restrictions: world.restrictions.active().to_vec(),
            pools: pools.into_iter().map(|pool| pool_status(&world, pool, Clock::unix_seconds(), now)).collect(),
            budgets: budgets::statuses(&world),
        }
    }

    fn explain(&self, query: &[(String, String)]) -> Result<String, String> {
        let mut question = Question::default();
        for (name, value) in query {
            question.set(name, value)?;
        }
        let world = self.state.world();
        let now = self.state.clock.now();
        let at = Clock::unix_seconds();
        let prospect = Prospect { input_tokens: question.input_tokens, output_tokens: question.output_tokens, at };
        let explanation = world.snapshot.explain(&question, at, &Seen { world: &world, prospect, now })?;
        serde_json::to_string(&explanation).map_err(|error| error.to_string())
    }

    fn operators(&self) -> Vec<Digest> {
        self.state.world().snapshot.admin.operators.clone()
    }

    fn drain(&self, by: Arc<str>) {
        self.state.sink.emit(Event::Operator { action: "drain", by });
        self.state.begin_drain();
        self.drain.begin();
    }

    fn restrict(&self, reach: Reach, reason: &str, by: Arc<str>) -> Result<Restricted, Denied> {
        let world = self.state.world();
        let covered = |deployment: &&Arc<Deployment>| reach.covers(restrictions::whereabouts(deployment));
        let covered: BTreeSet<_> =
            world.snapshot.deployments.iter().filter(covered).map(|deployment| Arc::clone(&deployment.id)).collect();
        if covered.is_empty() {
            let help = format!("no deployment fits {reach}; `/status` and the configuration have the names");
            return Err((StatusCode::UNPROCESSABLE_ENTITY, help));
        }
        let restriction = self.state.restrictions.restrict(reach, reason, by);
        let restriction = restriction.map_err(|error| (StatusCode::CONFLICT, error))?;
        Ok(Restricted { restriction, deployments: covered.into_iter().collect() })
    }

    fn release(&self, id: &str, by: Arc<str>) -> Result<Arc<Restriction>, Denied> {
        self.state.restrictions.release(id, by).map_err(|error| (StatusCode::NOT_FOUND, error))
    }
}
