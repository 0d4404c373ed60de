//! What a deployment charges, as it changes with the date, the prompt's length and the time of day.

use crate::base::money::Microusd;
use crate::call::usage::Usage;
use crate::price::{Factor, Tariff, Times};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a deployment charges, as far as that is known: nothing is known of what has no entry in force.
///
/// Times are seconds since 1970. A call asks with the time at which it began, so that it has one price from its first
/// estimate to its settlement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The newest first.
    entries: Arc<[Dated]>,
}

/// What is charged from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Since when; `i64::MIN` where no date is told.
    pub from: i64,
    /// What is charged unless a tier holds.
    pub base: Tariff,
    /// Other prices, under conditions.
    pub tiers: Vec<Tier>,
    /// The factor for calls in a batch.
    pub batch: Factor,
}

/// Other prices for whole calls, under conditions that must all be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The prompt has more tokens than this, cached ones included.
    pub above: u64,
    /// It is one of these times.
    pub times: Option<Times>,
    /// What is charged then.
    pub tariff: Tariff,
}

impl Rates {
    /// Rates of these entries. Of several tiers that hold, the one for the longest prompts does, and of those the one for a
    /// time of day.
    #[must_use]
    pub fn new(mut entries: Vec<Dated>) -> Self {
        entries.sort_by_key(|entry| Reverse(entry.from));
        for entry in &mut entries {
            entry.tiers.sort_by_key(|tier| Reverse((tier.above, tier.times.is_some())));
        }
        Self { entries: entries.into() }
    }

    /// One tariff at all times.
    #[must_use]
    pub fn constant(tariff: Tariff) -> Self {
        Self::new(vec![Dated { from: i64::MIN, base: tariff, tiers: Vec::new(), batch: Factor::UNIT }])
    }

    /// What a call is charged whose prompt has so many tokens; `None` where that is unknown.
    #[must_use]
    pub fn tariff(&self, prompt_tokens: u64, at: i64) -> Option<&Tariff> {
        let entry = self.in_force(at)?;
        let holds = |tier: &&Tier| {
            // a tier of times alone holds for the empty prompt too
            (tier.above == 0 || prompt_tokens > tier.above) && tier.times.as_ref().is_none_or(|times| times.hold(at))
        };
        Some(entry.tiers.iter().find(holds).map_or(&entry.base, |tier| &tier.tariff))
    }

    /// What a short call is charged now: the price that people mean.
    #[must_use]
    pub fn base(&self, at: i64) -> Option<&Tariff> {
        self.tariff(0, at)
    }

    /// What a call of this usage cost that began at `at`.
    #[must_use]
    pub fn cost(&self, usage: &Usage, at: i64) -> Option<Microusd> {
        self.tariff(usage.input(), at).map(|tariff| tariff.cost(usage))
    }

    /// The same for a call that was made in a batch.
    #[must_use]
    pub fn cost_in_batch(&self, usage: &Usage, at: i64) -> Option<Microusd> {
        let batch = self.in_force(at)?.batch;
        self.tariff(usage.input(), at).map(|tariff| tariff.times(batch).cost(usage))
    }

    /// What a call is expected to cost: so many prompt tokens, of which a share is read from the vendor's cache, and so many
    /// tokens of answer.
    #[must_use]
    pub fn estimate(&self, input_tokens: u64, output_tokens: u64, cached_percent: u8, at: i64) -> Option<Microusd> {
        let cached = u128::from(input_tokens) * u128::from(cached_percent.min(100)) / 100;
        let cached = u64::try_from(cached).unwrap_or(input_tokens);
        let usage = Usage { fresh: input_tokens - cached, cached, output: output_tokens, ..Usage::default() };
        self.cost(&usage, at)
    }

    /// Where the deployment stands among others for such a call, the cheapest first and those of unknown price last: by the
    /// estimate, and by what a token of each kind costs where the call is too small to tell.
    #[must_use]
    pub fn rank(&self, input_tokens: u64, output_tokens: u64, cached_percent: u8, at: i64) -> (Microusd, u64) {
        let estimate = self.estimate(input_tokens, output_tokens, cached_percent, at);
        let listed = self.tariff(input_tokens, at).map(|tariff| tariff.input.0.saturating_add(tariff.output.0));
        (estimate.unwrap_or(Microusd(u64::MAX)), listed.unwrap_or(u64::MAX))
    }

    /// The prompt lengths above which other prices hold at `at`.
    #[must_use]
    pub fn lengths(&self, at: i64) -> BTreeSet<u64> {
        let tiers = self.in_force(at).map_or(&[][..], |entry| &entry.tiers);
        tiers.iter().map(|tier| tier.above).filter(|above| *above > 0).collect()
    }

    /// Whether nothing is known at any time.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next second after `at` at which the price of a call may change by itself.
    #[must_use]
    pub fn next_change(&self, at: i64) -> Option<i64> {
        let dates = self.entries.iter().map(|entry| entry.from).filter(|from| *from > at);
        let tiers = self.in_force(at).map_or(&[][..], |entry| &entry.tiers);
        let edges = tiers.iter().filter_map(|tier| tier.times.as_ref()?.next_change(at));
        dates.chain(edges).min()
    }

    fn in_force(&self, at: i64) -> Option<&Dated> {
        self.entries.iter().find(|entry| entry.from <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::TokenPrice;
    use crate::price::{Days, Span};

    const DAY_S: i64 = 86_400;
    const HOUR_S: i64 = 3_600;

    fn flat(input: u64, output: u64) -> Tariff {
        Tariff::flat(TokenPrice(input), TokenPrice(output))
    }

    fn dated(from: i64, base: Tariff, tiers: Vec<Tier>) -> Dated {
        Dated { from, base, tiers, batch: Factor::nearest(0.5) }
    }

    fn hours(text: &'static str) -> Option<Times> {
        Some(Times::new(Days::ALL, vec![Span::parse(text).unwrap()]))
    }

    #[test]
    fn the_entry_in_force_when_the_call_began_holds() {
        let rates = Rates::new(vec![
            dated(10 * DAY_S, flat(2, 20), Vec::new()),
            dated(i64::MIN, flat(1, 10), Vec::new()),
            dated(20 * DAY_S, flat(3, 30), Vec::new()),
        ]);
        let check = |at, input| assert_eq!(rates.base(at), Some(&flat(input, 10 * input)), "{at}");
        check(10 * DAY_S - 1, 1);
        check(10 * DAY_S, 2);
        check(30 * DAY_S, 3);
        assert_eq!(rates.next_change(0), Some(10 * DAY_S));
        assert_eq!(rates.next_change(20 * DAY_S), None);
        let later = Rates::new(vec![dated(DAY_S, flat(1, 1), Vec::new())]);
        assert_eq!((later.base(0), later.cost(&Usage::default(), 0)), (None, None));
        assert!(!later.is_unknown() && Rates::default().is_unknown());
    }

    #[test]
    fn a_tier_prices_the_whole_call() {
        let tiers = vec![
            Tier { above: 0, times: hours("01:00-04:00"), tariff: flat(4, 4) },
            Tier { above: 200, times: None, tariff: flat(8, 8) },
            Tier { above: 200, times: hours("02:00-03:00"), tariff: flat(16, 16) },
            Tier { above: 100, times: None, tariff: flat(2, 2) },
        ];
        let rates = Rates::new(vec![dated(i64::MIN, flat(1, 1), tiers)]);
        let check = |prompt_tokens: u64, hour: i64, price: u64| {
            let tariff = rates.tariff(prompt_tokens, 5 * DAY_S + hour * HOUR_S);
            assert_eq!(tariff, Some(&flat(price, price)), "{prompt_tokens} tokens at {hour}");
        };
        check(0, 0, 1);
        check(100, 0, 1);
        check(101, 0, 2);
        check(201, 0, 8);
        check(0, 1, 4);
        check(101, 1, 2);
        check(201, 2, 16);
        // tokens read from the cache make a prompt long like others
        let usage = Usage { fresh: 1, cached: 1_000_000, ..Usage::default() };
        assert_eq!(rates.cost(&usage, 0), Some(Microusd(9)));
        assert_eq!(rates.cost_in_batch(&usage, 0), Some(Microusd(5)));
        assert_eq!(rates.next_change(0), Some(HOUR_S));
        assert_eq!(Vec::from_iter(rates.lengths(0)), [100, 200]);
    }

    #[test]
    fn an_estimate_counts_what_the_cache_saves() {
        let tariff = Tariff { cached: TokenPrice(100_000), ..flat(1_000_000, 5_000_000) };
        let rates = Rates::constant(tariff);
        let check = |input, output, cached_percent, expected| {
            let estimate = rates.estimate(input, output, cached_percent, 0);
            assert_eq!(estimate, Some(Microusd(expected)), "{input} {output} {cached_percent}");
        };
        check(1_000, 100, 0, 1_500);
        check(1_000, 100, 90, 690);
        check(1_000, 0, 255, 100);
        check(u64::MAX, 0, 100, u64::MAX / 10 + 1);
        assert_eq!(Rates::default().estimate(1, 1, 0, 0), None);
    }
}
