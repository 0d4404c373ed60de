//! Which deployments have become too expensive for a pool: left above one price, used again below a lower one.
//!
//! Between the two nothing changes, and a price must have stayed low for a while: a price that wavers around the ceiling
//! does not send a pool to and fro. What is out is kept over reloads, under the names of pool and deployment.

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::surge::Surge;
use crate::price::{Ceiling, Tariff};
use crate::snapshot::deployment::Deployment;
use crate::snapshot::pool::{Order, Pool, SurgeSettings};
use crate::state::world::World;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// One deployment in one pool.
type Member = (Arc<str>, Arc<str>);

/// Which members are out, as a pure machine.
#[derive(Debug, Default)]
struct Machine {
    /// Those that are out, and since when their price is low again.
    out: BTreeMap<Member, Option<Moment>>,
}

/// What changed for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Left,
    Returned,
}

impl Machine {
    /// Takes what a member charges now; an unknown price changes nothing, because it is above every ceiling anyway.
    fn look(
        &mut self,
        member: &Member,
        ceiling: Ceiling,
        settings: SurgeSettings,
        tariff: Option<&Tariff>,
        now: Moment,
    ) -> Option<Change> {
        match self.out.get_mut(member) {
            None => {
                let leaves = tariff.is_some() && !ceiling.times(settings.leave).admits(tariff);
                leaves.then(|| self.out.insert(member.clone(), None)).map(|_| Change::Left)
            }
            Some(low) if ceiling.times(settings.back).admits(tariff) => {
                let since = *low.get_or_insert(now);
                let returns = now.since(since) >= settings.hold;
                returns.then(|| self.out.remove(member)).map(|_| Change::Returned)
            }
            Some(low) => {
                *low = None;
                None
            }
        }
    }
}

/// What has become too expensive, as calls ask for it.
#[derive(Default)]
pub struct Surges {
    machine: Mutex<Machine>,
    /// Ids of what is out, by pool.
    out: ArcSwap<HashMap<Arc<str>, HashSet<Arc<str>>>>,
}

impl Surges {
    /// Whether a pool does without the deployment until its price has come down.
    #[must_use]
    pub fn keeps_out(&self, pool: &Pool, deployment: &Deployment) -> bool {
        pool.surge.is_some() && self.out.load().get(&pool.name).is_some_and(|ids| ids.contains(&deployment.id))
    }

    /// Looks at what every deployment of a pool with a surge rule charges at `at`, in seconds since 1970, and tells what
    /// changed.
    pub(super) fn look(&self, world: &World, at: i64, now: Moment, sink: &dyn Sink) {
        let pools = world.snapshot.pools.iter().filter(|(name, pool)| **name == pool.name);
        let ruled: Vec<_> = pools.filter_map(|(_, pool)| Some((pool, pool.surge?))).collect();
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        if ruled.is_empty() && machine.out.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        let mut members = HashSet::new();
        for (pool, settings) in ruled {
            for deployment in pool.deployments() {
                let member = (Arc::clone(&pool.name), Arc::clone(&deployment.id));
                // two credentials of one endpoint charge alike
                if members.insert(member.clone())
                    && let Some(change) =
                        machine.look(&member, pool.max_price, settings, deployment.rates.base(at), now)
                {
                    changes.push((pool, deployment, change));
                }
            }
        }
        let gone: Vec<_> = machine.out.keys().filter(|member| !members.contains(*member)).cloned().collect();
        machine.out.retain(|member, _| members.contains(member));
        if !changes.is_empty() || !gone.is_empty() {
            self.out.store(Arc::new(by_pool(&machine)));
        }
        drop(machine);
        for (pool, deployment, change) in changes {
            let began = change == Change::Left;
            let instead = if began { self.first_left(world, pool, at, now) } else { None };
            sink.emit(Event::Surge { surge: Arc::new(surge(pool, deployment, at, instead)), began });
        }
        for (pool, deployment) in gone {
            let surge = Surge { pool, deployment, price: None, ceiling: (None, None), instead: None };
            sink.emit(Event::Surge { surge: Arc::new(surge), began: false });
        }
    }

    /// The first deployment of the pool, in its order, that nothing stands against which is not of one call.
    fn first_left(&self, world: &World, pool: &Pool, at: i64, now: Moment) -> Option<Arc<str>> {
        let usable = |deployment: &&Arc<Deployment>| {
            let healthy = world.health(deployment).is_some_and(|health| health.refuses(now, &pool.breaker).is_none());
            healthy
                && !self.keeps_out(pool, deployment)
                && pool.ceiling().admits(deployment.rates.base(at))
                && world.restrictions.refuses(deployment).is_none()
                && world.snapshot.probe_permit(deployment).is_ok()
        };
        let first = |tier: &Vec<Arc<Deployment>>| match pool.order {
            Order::Price => tier.iter().filter(usable).min_by_key(|one| one.rates.rank(0, 0, 0, at)).cloned(),
            Order::Listed | Order::Latency => tier.iter().find(usable).cloned(),
        };
        pool.tiers.iter().find_map(first).map(|deployment| Arc::clone(&deployment.id))
    }
}

fn surge(pool: &Pool, deployment: &Deployment, at: i64, instead: Option<Arc<str>>) -> Surge {
    Surge {
        pool: Arc::clone(&pool.name),
        deployment: Arc::clone(&deployment.id),
        price: deployment.rates.base(at).map(|tariff| (tariff.input, tariff.output)),
        ceiling: (pool.max_price.input, pool.max_price.output),
        instead,
    }
}

fn by_pool(machine: &Machine) -> HashMap<Arc<str>, HashSet<Arc<str>>> {
    let mut out: HashMap<_, HashSet<_>> = HashMap::new();
    for (pool, deployment) in machine.out.keys() {
        out.entry(Arc::clone(pool)).or_default().insert(Arc::clone(deployment));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::TokenPrice;
    use crate::price::Factor;
    use std::time::Duration;

    const SETTINGS: SurgeSettings =
        SurgeSettings { leave: Factor::UNIT, back: Factor::UNIT, hold: Duration::from_secs(600) };

    /// Prices as per cent of the ceiling of 10, each a minute after the one before, and what changes.
    fn check(prices: &[Option<u64>], expected: &[(usize, Change)]) {
        let settings = SurgeSettings { leave: Factor::nearest(1.2), ..SETTINGS };
        let ceiling = Ceiling { input: Some(TokenPrice(10_000_000)), output: None };
        let member: Member = ("smart".into(), "openai/gpt".into());
        let mut machine = Machine::default();
        let mut changes = Vec::new();
        for (minute, price) in prices.iter().enumerate() {
            let tariff = price.map(|percent| Tariff::flat(TokenPrice(percent * 100_000), TokenPrice(0)));
            let now = Moment::after_start(Duration::from_secs(60 * minute as u64));
            changes
                .extend(machine.look(&member, ceiling, settings, tariff.as_ref(), now).map(|change| (minute, change)));
        }
        assert_eq!(changes, expected, "{prices:?}");
    }

    fn minutes(price: u64, count: usize) -> Vec<Option<u64>> {
        vec![Some(price); count]
    }

    #[test]
    fn a_price_above_the_upper_bound_leaves_and_one_that_stays_low_returns() {
        use Change::{Left, Returned};
        check(&minutes(120, 5), &[]);
        check(&minutes(121, 5), &[(0, Left)]);
        // between the bounds nothing changes either way
        check(&[minutes(110, 3), minutes(130, 1), minutes(110, 30)].concat(), &[(3, Left)]);
        check(&[minutes(130, 2), minutes(100, 20)].concat(), &[(0, Left), (12, Returned)]);
        // a price that wavers begins to count anew
        let wavers = [minutes(130, 1), minutes(90, 9), minutes(105, 1), minutes(90, 11)].concat();
        check(&wavers, &[(0, Left), (21, Returned)]);
        // the same again
        let twice = [minutes(130, 1), minutes(90, 11), minutes(130, 1)].concat();
        check(&twice, &[(0, Left), (11, Returned), (12, Left)]);
    }

    #[test]
    fn an_unknown_price_neither_leaves_nor_returns() {
        check(&[None, None], &[]);
        let unknown = vec![None; 30];
        check(&[minutes(130, 1), unknown, minutes(90, 11)].concat(), &[(0, Change::Left), (41, Change::Returned)]);
    }
}
