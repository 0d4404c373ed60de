//! The order within a tier: the operator's preference decides, and among those that it leaves equal the session's last one,
//! the fullest quota, and turns. Who is degraded is not here: `select` puts it behind the sound ones of its tier.
//!
//! A session's home breaks ties and goes before latency; by price it counts for what its cache saves. It never goes before
//! what the operator listed first.

use crate::base::clock::Moment;
use crate::base::money::Microusd;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::pool::{Order, Pool};
use crate::state::world::{Observed, World};
use std::cmp::Reverse;
use std::sync::Arc;

/// A session leaves its home when that has more than this share of the tier's mean load.
const CROWDED: f64 = 1.25;
/// ... and when it has more calls under way than this: below, means are made of too few calls.
const CROWD: u32 = 4;
/// Quotas are compared in steps of so many per cent: nearly equal ones take turns.
const STEP_PERCENT: u32 = 10;
/// What a deployment is assumed to take to its first content while its first call is under way.
const UNKNOWN_MS: f64 = 1_000.0;

/// Of the prompt of a session's next call so much is assumed to be read from the cache at its home, in per cent: of its turns
/// all but the last were there before, but some of what looks like one session is several.
const WARM_PERCENT: u8 = 50;

/// What a call is expected to take, as far as its price goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prospect {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
    /// The moment whose prices hold, in seconds since 1970.
    pub at: i64,
}

/// What a candidate's place within its tier is decided on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merit {
    /// Its position as listed; those that differ in their credential alone have one position.
    pub listed: usize,
    /// What the call is expected to cost there, with what the session's cache saves, and what a million tokens each way do,
    /// in micro-dollars; both at their most where that is not known, and nothing where the pool does not ask.
    pub price: (Microusd, u64),
    /// The time to first content that is to be expected, in milliseconds; what failed of late makes it longer.
    pub first_content_ms: Option<f64>,
    /// Attempts under way.
    pub inflight: u32,
    /// The share that is left of its quota, in per cent.
    pub headroom_percent: u32,
    /// Whether the session was served there last.
    pub home: bool,
}

impl Merit {
    /// The merits of a deployment now.
    #[must_use]
    pub fn of(
        listed: usize,
        observed: &Observed,
        pool: &Pool,
        home: Option<&Arc<str>>,
        prospect: Prospect,
        now: Moment,
    ) -> Self {
        let Prospect { input_tokens, output_tokens, at } = prospect;
        let node = &observed.health.deployment;
        let home = home.is_some_and(|home| *home == node.key);
        let warm = if home { WARM_PERCENT } else { 0 };
        Self {
            listed,
            price: match pool.order {
                Order::Price => observed.deployment.rates.rank(input_tokens, output_tokens, warm, at),
                Order::Listed | Order::Latency => (Microusd(0), 0),
            },
            first_content_ms: observed.health.expected_ms(now),
            inflight: node.inflight(),
            headroom_percent: observed.account.percent(now),
            home,
        }
    }

    /// What a further call is expected to wait. One that was never measured is measured by one call at a time.
    fn expected_ms(&self) -> f64 {
        let calls = f64::from(self.inflight) + 1.0;
        match self.first_content_ms {
            Some(ms) => ms * calls,
            None if self.inflight == 0 => 0.0,
            None => UNKNOWN_MS * calls,
        }
    }

    /// Its place among those of the tier, the lowest first; of equal places, calls take turns.
    fn place(&self, order: Order) -> Place {
        let (listed, abroad) = (self.listed as u64, u64::from(!self.home));
        let preferred = match order {
            Order::Listed => (listed, 0, 0),
            Order::Price => (self.price.0.0, self.price.1, listed),
            // the bits of numbers that are not negative are in the order of the numbers
            Order::Latency => (abroad, self.expected_ms().to_bits(), 0),
        };
        (preferred, (abroad, Reverse(self.headroom_percent / STEP_PERCENT)))
    }
}

/// What the operator prefers, then the session's home and the fullest quota.
type Place = ((u64, u64, u64), (u64, Reverse<u32>));

/// The places of a tier as listed: credentials of one deployment stand beside each other, in one place.
pub fn listed(tier: &[Arc<Deployment>]) -> impl Iterator<Item = usize> + '_ {
    let mut before: Option<&Arc<str>> = None;
    tier.iter().scan(0, move |place, deployment| {
        *place += usize::from(before.replace(&deployment.id).is_some_and(|before| *before != deployment.id));
        Some(*place)
    })
}

/// A whole tier in order, for a call of no session, with the merits that decided.
#[must_use]
pub fn ranked<'a>(
    world: &World,
    pool: &Pool,
    tier: &'a [Arc<Deployment>],
    prospect: Prospect,
    now: Moment,
) -> Vec<(Merit, &'a Arc<Deployment>)> {
    let merit = |(place, deployment): (usize, &'a Arc<Deployment>)| {
        let observed = world.observed(deployment)?;
        Some((Merit::of(place, observed, pool, None, prospect, now), deployment))
    };
    let mut ranked: Vec<_> = listed(tier).zip(tier).filter_map(merit).collect();
    order(&mut ranked, pool.order, 0);
    ranked
}

/// Puts the candidates of a tier in order. `turn` is any number: those that are equal take turns by it.
pub fn order<T>(tier: &mut [(Merit, T)], order: Order, turn: u64) {
    if tier.len() < 2 {
        return;
    }
    leave_crowds(tier);
    tier.sort_by_cached_key(|(merit, _)| merit.place(order));
    for equals in tier.chunk_by_mut(|(left, _), (right, _)| left.place(order) == right.place(order)) {
        let first = usize::try_from(turn % equals.len() as u64).unwrap_or(0);
        equals.rotate_left(first);
    }
}

/// A home that is crowded is no home.
fn leave_crowds<T>(tier: &mut [(Merit, T)]) {
    let load: u32 = tier.iter().map(|(merit, _)| merit.inflight).sum();
    let fair = CROWDED * (f64::from(load) + 1.0) / tier.len() as f64;
    for (merit, _) in tier {
        merit.home &= merit.inflight < CROWD || f64::from(merit.inflight) + 1.0 <= fair;
    }
}

/// What is said of a degraded one.
const AILING: &str = ", for one call in four; for the others it stands a step further back, behind whoever is sound, because it is slow or shaky";

/// Why a candidate has its place in a tier of so many, for people; a `degraded` one has it for one call
/// in four.
#[must_use]
pub fn because(merit: &Merit, order: Order, among: usize, degraded: bool) -> String {
    let preference = match order {
        _ if among == 1 => "alone in its tier".to_owned(),
        Order::Listed => "as listed".to_owned(),
        Order::Price if merit.price.1 == u64::MAX => "by price, which is not known".to_owned(),
        Order::Price => format!("by price, {:.2} USD for a million tokens each way", merit.price.1 as f64 / 1e6),
        Order::Latency => match merit.first_content_ms {
            Some(ms) => format!("by latency, {ms:.0} ms with {} under way", merit.inflight),
            None => "by latency, which is not known yet".to_owned(),
        },
    };
    if degraded { format!("{preference}{AILING}") } else { preference }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MERIT: Merit = Merit {
        listed: 0,
        price: (Microusd(10), 10),
        first_content_ms: Some(100.0),
        inflight: 0,
        headroom_percent: 100,
        home: false,
    };

    /// The order of these merits, by their positions in the list.
    fn ordered(merits: &[Merit], by: Order, turn: u64) -> Vec<usize> {
        let mut tier: Vec<_> = merits.iter().copied().zip(0..).collect();
        order(&mut tier, by, turn);
        tier.into_iter().map(|(_, position)| position).collect()
    }

    fn check(merits: &[Merit], by: Order, expected: &[usize]) {
        for turn in 0..20 {
            assert_eq!(ordered(merits, by, turn), expected, "{by:?} {turn} {merits:?}");
        }
    }

    #[test]
    fn the_operators_preference_decides() {
        let listed = |listed| Merit { listed, ..MERIT };
        check(&[listed(0), listed(1), listed(2)], Order::Listed, &[0, 1, 2]);
        let cheap = Merit { price: (Microusd(5), 5), ..listed(2) };
        check(
            &[Merit { price: (Microusd(u64::MAX), u64::MAX), ..listed(0) }, listed(1), cheap],
            Order::Price,
            &[2, 1, 0],
        );
        let busy = Merit { inflight: 3, ..listed(0) };
        check(&[busy, Merit { first_content_ms: Some(250.0), ..listed(1) }], Order::Latency, &[1, 0]);
    }

    #[test]
    fn what_was_never_measured_is_measured_by_one_call_at_a_time() {
        let unknown = Merit { first_content_ms: None, listed: 1, ..MERIT };
        check(&[MERIT, unknown], Order::Latency, &[1, 0]);
        check(&[MERIT, Merit { inflight: 1, ..unknown }], Order::Latency, &[0, 1]);
    }

    #[test]
    fn credentials_of_one_deployment_are_used_evenly() {
        let mut first = [0; 3];
        for turn in 0..300 {
            first[ordered(&[MERIT; 3], Order::Listed, turn)[0]] += 1;
        }
        assert_eq!(first, [100; 3], "equals take turns");
        let left = |headroom_percent| Merit { headroom_percent, ..MERIT };
        check(&[left(20), left(90), left(50)], Order::Listed, &[1, 2, 0]);
        let turns = (0..20).filter(|turn| ordered(&[left(91), left(99)], Order::Listed, *turn)[0] == 0).count();
        assert_eq!(turns, 10, "nearly equal ones take turns");
    }

    #[test]
    fn a_session_stays_where_its_cache_is_until_it_is_crowded_there() {
        let home = Merit { home: true, listed: 1, first_content_ms: Some(300.0), ..MERIT };
        check(&[MERIT, home], Order::Latency, &[1, 0]);
        check(&[MERIT, Merit { inflight: 3, ..home }], Order::Latency, &[1, 0]);
        check(&[MERIT, Merit { inflight: 4, ..home }], Order::Latency, &[0, 1]);
        check(&[Merit { inflight: 9, ..MERIT }, Merit { inflight: 9, ..home }], Order::Latency, &[1, 0]);
        check(&[Merit { inflight: 6, ..MERIT }, Merit { inflight: 10, ..home }], Order::Latency, &[0, 1]);
        check(&[MERIT, Merit { listed: 0, ..home }], Order::Listed, &[1, 0]);
        check(&[MERIT, home], Order::Listed, &[0, 1]);
        check(&[MERIT, Merit { price: (Microusd(11), 11), ..home }], Order::Price, &[0, 1]);
    }
}
