//! Pools and the deployments in them.

use super::Compiler;
use super::vendors::{Places, Promises, overrides};
use crate::base::diagnostic::{Place, Severity};
use crate::config::tables::{self, Order as WrittenOrder, Probe};
use crate::config::{At, defaults, names};
use crate::price::{Ceiling, Factor};
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::snapshot::pool::{BreakerSettings, HedgeSettings, Order, Pool, ProbeKind, ProbeSettings, SurgeSettings};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Compiled pools.
#[derive(Default)]
pub(super) struct Pools {
    /// By public name and alias.
    pub(super) by_name: HashMap<Arc<str>, Arc<Pool>>,
    pub(super) deployments: Vec<Arc<Deployment>>,
    /// What policy knows of each deployment, in the same order.
    pub(super) facts: Vec<Facts>,
    /// Positions of the deployments of an id; empty for one that could not be compiled.
    pub(super) by_id: BTreeMap<String, Vec<usize>>,
    /// Whose every public name and alias is.
    owners: BTreeMap<String, Place>,
}

/// What policy knows of a deployment beside what a snapshot needs.
pub(super) struct Facts {
    pub(super) region: Arc<str>,
    pub(super) promises: Promises,
    pub(super) export_class: u32,
    pub(super) pools: BTreeSet<Arc<str>>,
}

impl Compiler<'_> {
    pub(super) fn pools(&mut self, places: &Places<'_>) -> Pools {
        let sources = self.sources;
        let mut pools = Pools::default();
        if sources.config.pool.is_empty() {
            let help = "write [pool.NAME] with deployments = [\"vendor/model\"]: NAME is what clients ask for";
            self.warning(&Place::file(&sources.path), "there is no pool, so there is no model to ask for", help);
        }
        for named in sources.config.pool.iter() {
            pools.owners.insert(named.name.value.clone(), named.name.place.clone());
        }
        for named in sources.config.pool.iter() {
            if let Some(table) = &named.body {
                self.pool(&named.name, table, places, &mut pools);
            }
        }
        pools
    }

    fn pool(&mut self, name: &At<String>, table: &tables::Pool, places: &Places<'_>, pools: &mut Pools) {
        let aliases = self.aliases(table, pools);
        let public: Arc<str> = Arc::from(name.as_str());
        let mut tiers = Vec::new();
        let mut seen = BTreeSet::new();
        for tier in table.deployments.iter() {
            let mut compiled = Vec::new();
            for id in &tier.0 {
                if !seen.insert(id.as_str()) {
                    let message = format!("\"{}\" is listed twice in this pool", id.value);
                    self.error(&id.place, message, "");
                    continue;
                }
                for index in self.deployments(id, places, pools) {
                    if let (Some(deployment), Some(facts)) = (pools.deployments.get(index), pools.facts.get_mut(index))
                    {
                        compiled.push(Arc::clone(deployment));
                        facts.pools.insert(Arc::clone(&public));
                    }
                }
            }
            if !compiled.is_empty() {
                tiers.push(compiled);
            }
        }
        if seen.is_empty() {
            let help = "list at least one, as in deployments = [\"vendor/model\"]";
            self.error(&name.place, format!("the pool \"{public}\" has no deployment"), help);
        }
        let pool = Arc::new(self.settings(Arc::clone(&public), aliases, tiers, table));
        self.warn_of_unpriced(table, &pool);
        for known_as in std::iter::once(&public).chain(&pool.aliases) {
            pools.by_name.insert(Arc::clone(known_as), Arc::clone(&pool));
        }
    }

    /// A deployment whose price nobody knows is never asked under a ceiling.
    fn warn_of_unpriced(&mut self, table: &tables::Pool, pool: &Pool) {
        if pool.max_price == Ceiling::default() {
            return;
        }
        let unpriced = pool.deployments().filter(|deployment| deployment.rates.base(self.now).is_none());
        let unpriced: BTreeSet<&str> = unpriced.map(|deployment| &*deployment.id).collect();
        let listed = table.deployments.iter().flat_map(|tier| &tier.0);
        for id in listed.filter(|id| unpriced.contains(id.as_str())) {
            let message = format!("the price of \"{}\" is not known, so it is never asked under `max_price`", id.value);
            self.warning(&id.place, message, "write its price into prices.toml, or at its [deployment]");
        }
    }

    fn aliases(&mut self, table: &tables::Pool, pools: &mut Pools) -> Vec<Arc<str>> {
        let mut aliases = Vec::new();
        for alias in &table.aliases {
            // clients ask for what their code says: vendors' own model names are welcome here
            if let Some(message) = names::wrong_model(alias) {
                self.error(&alias.place, message, "an alias is what clients send as `model`");
                continue;
            }
            match pools.owners.insert(alias.value.clone(), alias.place.clone()) {
                Some(other) => {
                    let message = format!("the name \"{}\" stands for two pools", alias.value);
                    self.error(&alias.place, message, format!("the other one is at {other}"));
                }
                None => aliases.push(Arc::from(alias.as_str())),
            }
        }
        aliases
    }

    fn settings(
        &mut self,
        name: Arc<str>,
        aliases: Vec<Arc<str>>,
        tiers: Vec<Vec<Arc<Deployment>>>,
        table: &tables::Pool,
    ) -> Pool {
        let attempts = table.attempts.as_ref().map_or(defaults::ATTEMPTS, |attempts| attempts.value);
        if let Some(written) = table.attempts.as_ref().filter(|_| !(1..=defaults::MAX_ATTEMPTS).contains(&attempts)) {
            let help = format!("between 1 and {}", defaults::MAX_ATTEMPTS);
            self.error(&written.place, format!("{attempts} attempts cannot be made"), help);
        }
        let max_price = table.max_price.as_ref().map(|price| ceiling(&price.value)).unwrap_or_default();
        Pool {
            name,
            aliases,
            tiers,
            order: match table.order.unwrap_or(WrittenOrder::Listed) {
                WrittenOrder::Listed => Order::Listed,
                WrittenOrder::Price => Order::Price,
                WrittenOrder::Latency => Order::Latency,
            },
            max_price,
            surge: table.surge.as_ref().map(|surge| self.surge(surge, max_price)),
            patience: table.patience.unwrap_or(defaults::PATIENCE),
            attempts,
            deadline: table.deadline.unwrap_or(defaults::DEADLINE),
            continuation: table.continuation.unwrap_or(false),
            hedge: table.hedge.as_ref().map(|hedge| self.hedge(hedge)),
            timeouts: DEFAULT_TIMEOUTS.with(overrides(table.timeouts.as_ref())),
            breaker: self.breaker(table.breaker.as_ref()),
            probe: ProbeSettings {
                kind: match table.probe.unwrap_or(Probe::Free) {
                    Probe::Off => ProbeKind::Off,
                    Probe::Free => ProbeKind::Free,
                    Probe::Paid => ProbeKind::Paid,
                },
                every: table.probe_every.unwrap_or(defaults::PROBE_EVERY),
            },
        }
    }

    fn surge(&mut self, written: &At<tables::Surge>, max_price: Ceiling) -> SurgeSettings {
        let leave = written.leave.map_or(defaults::SURGE_LEAVE, |factor| factor.0);
        let back = written.r#return.map_or(defaults::SURGE_RETURN, |factor| factor.0);
        if max_price == Ceiling::default() {
            let help = "write max_price = { input = 6.0, output = 30.0 } beside it";
            self.error(&written.place, "`surge` counts from a `max_price`, and there is none", help);
        }
        if !((1.0..=100.0).contains(&leave) && back > 0.0 && back <= leave) {
            let help = "`leave` is at least 1, and `return` above 0 and at most `leave`: { leave = 1.2, return = 1.0 }";
            self.error(&written.place, "`surge` has a factor that makes no sense", help);
        }
        let hold = written.hold.unwrap_or(defaults::SURGE_HOLD);
        SurgeSettings { leave: Factor::nearest(leave), back: Factor::nearest(back), hold }
    }

    fn hedge(&mut self, written: &At<tables::Hedge>) -> HedgeSettings {
        let share_percent = written.share_percent.unwrap_or(defaults::HEDGE_SHARE_PERCENT);
        if !(1..=defaults::MOST_HEDGE_SHARE_PERCENT).contains(&share_percent) {
            let help = format!("`share_percent` is between 1 and {}", defaults::MOST_HEDGE_SHARE_PERCENT);
            self.error(&written.place, format!("{share_percent} % of calls cannot be asked twice"), help);
        }
        HedgeSettings { share_percent }
    }

    fn breaker(&mut self, written: Option<&At<tables::Breaker>>) -> BreakerSettings {
        let Some(written) = written else { return BreakerSettings::USUAL };
        let (table, usual) = (&written.value, BreakerSettings::USUAL);
        let settings = BreakerSettings {
            consecutive: table.consecutive.unwrap_or(usual.consecutive),
            samples: table.samples.unwrap_or(usual.samples),
            success_percent: table.success_percent.unwrap_or(usual.success_percent),
            open: table.open.unwrap_or(usual.open),
            cap: table.cap.unwrap_or(usual.cap),
            close_after: table.close_after.unwrap_or(usual.close_after),
            slow_start: table.slow_start.unwrap_or(usual.slow_start),
        };
        let counts = [settings.consecutive, settings.samples, settings.close_after];
        if counts.contains(&0) || settings.success_percent > 100 {
            let help = "counts begin at 1, success_percent ends at 100";
            self.error(&written.place, "the breaker has a number that makes no sense", help);
        }
        if settings.open > settings.cap || settings.open.is_zero() {
            self.error(&written.place, "the breaker's `open` must be above zero and at most its `cap`", "");
        }
        settings
    }

    /// Vendors, endpoints and deployments that no pool uses are probably a mistake.
    pub(super) fn warn_of_unused(&mut self, places: &Places<'_>) {
        // a pool that could not be read may have used them
        let mut found = self.diagnostics.iter().chain(&self.sources.diagnostics);
        if found.any(|found| found.severity == Severity::Error) {
            return;
        }
        for (name, place) in &places.endpoints {
            if let Some(place) = place.as_ref().filter(|place| !place.used.get()) {
                let message = format!("no pool uses \"{name}\"");
                self.warning(&place.written, message, "name it in a pool's `deployments`, or remove it");
            }
        }
        let config = &self.sources.config;
        let listed =
            config.pool.iter().filter_map(|named| named.body.as_ref()).flat_map(|pool| pool.deployments.iter());
        let listed: BTreeSet<&str> = listed.flat_map(|tier| &tier.0).map(|id| id.as_str()).collect();
        for named in config.deployment.iter().filter(|named| !listed.contains(named.name.as_str())) {
            let help = match crate::base::diagnostic::nearest(&named.name, listed.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "name it in a pool's `deployments`, or remove it".to_owned(),
            };
            self.warning(&named.name.place, format!("no pool uses \"{}\"", named.name.value.escape_debug()), help);
        }
    }
}

pub(super) const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
    connect: defaults::CONNECT,
    handshake: defaults::HANDSHAKE,
    headers: defaults::HEADERS,
    first_content: defaults::FIRST_CONTENT,
    idle: defaults::IDLE,
    progress: defaults::PROGRESS,
    trickle: defaults::TRICKLE,
    answer: defaults::ANSWER,
};

/// A bound of which the parts that were not given bound nothing.
fn ceiling(table: &tables::Price) -> Ceiling {
    Ceiling { input: table.input.map(|price| price.0), output: table.output.map(|price| price.0) }
}
