//! What deployments charge: from the config, else from the price book beside it, else from the one that is shipped.

use super::Compiler;
use crate::base::money::TokenPrice;
use crate::config::values::UsdPerMillion;
use crate::config::{At, tables};
use crate::price::{Dated, Days, Factor, Rates, Span, Tariff, Tier, Times};
use crate::snapshot::deployment::Endpoint;

/// A price of less than this many micro-dollars per million tokens is none of a million: somebody wrote that of a token.
const LOWEST: TokenPrice = TokenPrice(100);
/// What is read from a cache costs a part of the fresh token, never so many times as much.
const MOST_CACHED: u64 = 2;
/// Factors of prices that a vendor may plausibly ask.
const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// The key of a factor that holds wherever the host names a region.
const ANY: &str = "any";

impl Compiler<'_> {
    /// What a deployment charges, as far as that is known.
    pub(super) fn rates_of(
        &mut self,
        id: &str,
        model: &str,
        endpoint: &Endpoint,
        own: Option<&At<tables::Price>>,
    ) -> Rates {
        if let Some(own) = own {
            return self.own_price(own);
        }
        let vendor = &endpoint.vendor;
        let listed = |book: &'_ tables::PriceBook| {
            vendor.catalog.as_deref().and_then(|catalog| book.of_model(catalog, model).cloned())
        };
        let booked = self.sources.prices.as_ref().and_then(|book| {
            let named = book.named(id).or_else(|| book.named(&format!("{}/{model}", vendor.name))).cloned();
            named.or_else(|| listed(book))
        });
        let found = booked.or_else(|| tables::PriceBook::shipped().and_then(listed));
        found.map(|found| self.rates(&found, endpoint)).unwrap_or_default()
    }

    fn own_price(&mut self, written: &At<tables::Price>) -> Rates {
        let (Some(input), Some(output)) = (written.input, written.output) else {
            let help = "as in { input = 2.5, output = 10.0 }: US dollars per million tokens";
            self.error(&written.place, "a price needs both `input` and `output`", help);
            return Rates::default();
        };
        let part = |part: Option<UsdPerMillion>| part.unwrap_or(input).0;
        let (cached, written) = (part(written.cached), part(written.written));
        Rates::constant(Tariff { cached, written, written_1h: written, ..Tariff::flat(input.0, output.0) })
    }

    fn rates(&self, prices: &tables::DatedPrices, endpoint: &Endpoint) -> Rates {
        let entries = prices.0.iter().map(|price| {
            let uplift = self.uplift(price.uplift.as_ref(), &endpoint.host);
            let tiers = price.tiers.iter().filter_map(|tier| {
                let tariff = tier_tariff(tier).times(uplift);
                Some(Tier {
                    above: tier.above.as_ref().map_or(0, |above| above.value),
                    times: times(tier).ok()?,
                    tariff,
                })
            });
            Dated {
                from: price.effective.as_ref().map_or(i64::MIN, |day| day.value.0),
                base: base_tariff(price).times(uplift),
                tiers: tiers.collect(),
                batch: price.batch.as_ref().map_or(Factor::UNIT, |batch| Factor::nearest(batch.0)),
            }
        });
        Rates::new(entries.collect())
    }

    /// The factor of an endpoint whose host names a region, as `eu.api.openai.com` does.
    fn uplift(&self, written: Option<&tables::Uplift>, host: &str) -> Factor {
        let Some((uplift, region)) = written.zip(self.vocabulary.labelled(host)) else { return Factor::UNIT };
        let zones = self.vocabulary.zones_of(&region);
        let names =
            |name: &str| name == ANY || *region == *name || zones.iter().any(|zone| zone.eq_ignore_ascii_case(name));
        uplift.0.iter().find(|(name, _)| names(name)).map_or(Factor::UNIT, |(_, factor)| Factor::nearest(factor.0))
    }
}

/// Checks of the price book as a whole, used or not.
impl Compiler<'_> {
    pub(super) fn check_price_book(&mut self) {
        let Some(book) = &self.sources.prices else { return };
        for named in book.price.iter() {
            if !named.name.contains('/') {
                let message = format!("\"{}\" is not the name of a deployment", named.name.escape_debug());
                self.error(&named.name.place, message, "write [price.\"vendor/model\"]");
            }
            if let Some(prices) = &named.body {
                prices.0.iter().for_each(|price| self.check_price(price));
                self.check_days(prices);
            }
        }
    }

    fn check_price(&mut self, price: &tables::DatedPrice) {
        self.check_parts(&price.input, &price.output, price.cached.as_ref());
        let uplifts = price.uplift.iter().flat_map(|uplift| uplift.0.iter().map(|(_, factor)| factor));
        for factor in uplifts.chain(&price.batch).filter(|factor| !FACTORS.contains(&factor.0)) {
            let help = "1.1 is ten per cent more, 0.5 half the price";
            self.error(&factor.place, format!("a factor of {} is absurd", factor.0), help);
        }
        for tier in &price.tiers {
            self.check_parts(&tier.input, &tier.output, tier.cached.as_ref());
            if tier.above.as_ref().is_none_or(|above| above.value == 0) && tier.hours.is_empty() && tier.days.is_empty()
            {
                let help = "write `above = 200_000`, `hours = [\"06:00-10:00\"]` or `days = [\"sat\", \"sun\"]`";
                self.error(&tier.place, "the tier has no condition", help);
            }
            if let Err((wrong, help)) = times(tier) {
                let message = format!("\"{}\" is no time", wrong.value.escape_debug());
                self.error(&wrong.place, message, help);
            }
        }
    }

    fn check_parts(
        &mut self,
        input: &At<UsdPerMillion>,
        output: &At<UsdPerMillion>,
        cached: Option<&At<UsdPerMillion>>,
    ) {
        for price in [input, output] {
            let price_of_one = price.0 < LOWEST && price.0 != TokenPrice(0);
            if price_of_one {
                let help = "prices are US dollars per million tokens: multiply the price of one token by 1000000";
                self.error(&price.place, "the price is too low for a million tokens", help);
            }
        }
        if input.0 == TokenPrice(0) && output.0 != TokenPrice(0) {
            let help = "a budget and a ceiling take the prompt for free then; write what it costs";
            self.warning(&input.place, "`input` is 0 although `output` is not", help);
        }
        if let Some(cached) = cached.filter(|cached| cached.0.0 > input.0.0.saturating_mul(MOST_CACHED)) {
            let help = "what is read from a cache costs less than what is not; are the two mixed up?";
            self.error(&cached.place, "`cached` is far above `input`", help);
        }
    }

    fn check_days(&mut self, prices: &tables::DatedPrices) {
        let from = |price: &At<tables::DatedPrice>| price.effective.as_ref().map(|day| day.value);
        for (index, price) in prices.0.iter().enumerate() {
            if prices.0.iter().take(index).any(|other| from(other) == from(price)) {
                let help = "give each table its own `effective`; the newest that has come holds";
                self.error(&price.place, "two prices of one model hold from the same day", help);
            }
        }
        let future = prices.0.iter().filter_map(|price| price.effective.as_ref()).filter(|day| day.value.0 > self.now);
        let places: Vec<_> = future.map(|day| day.place.clone()).collect();
        if places.len() == prices.0.len() {
            for place in &places {
                self.warning(place, "this price does not hold yet", "until then the price counts as unknown");
            }
        }
    }
}

fn base_tariff(price: &tables::DatedPrice) -> Tariff {
    tariff(
        (price.input.value, price.output.value),
        price.cached.as_ref(),
        [price.written, price.written_1h, price.reasoning],
    )
}

fn tier_tariff(tier: &tables::PriceTier) -> Tariff {
    tariff((tier.input.value, tier.output.value), tier.cached.as_ref(), [tier.written, tier.written_1h, tier.reasoning])
}

fn tariff(
    (input, output): (UsdPerMillion, UsdPerMillion),
    cached: Option<&At<UsdPerMillion>>,
    [written, written_1h, reasoning]: [Option<UsdPerMillion>; 3],
) -> Tariff {
    let written = written.unwrap_or(input);
    Tariff {
        cached: cached.map_or(input, |cached| cached.value).0,
        written: written.0,
        written_1h: written_1h.unwrap_or(written).0,
        reasoning: reasoning.unwrap_or(output).0,
        ..Tariff::flat(input.0, output.0)
    }
}

/// The times of a tier, if it is for some alone.
///
/// # Errors
/// What of it is no time, and how one is written.
fn times(tier: &tables::PriceTier) -> Result<Option<Times>, (&At<String>, &'static str)> {
    if tier.hours.is_empty() && tier.days.is_empty() {
        return Ok(None);
    }
    let named = |day| Days::named(day).ok_or("days are \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"");
    let span = |text| Span::parse(text).ok_or("hours are written as \"06:00-10:00\", in UTC");
    let days: Vec<_> = tier.days.iter().map(|day| named(day).map_err(|help| (day, help))).collect::<Result<_, _>>()?;
    let spans = tier.hours.iter().map(|text| span(text).map_err(|help| (text, help))).collect::<Result<_, _>>()?;
    Ok(Some(Times::new(days.into_iter().reduce(Days::and).unwrap_or(Days::ALL), spans)))
}
