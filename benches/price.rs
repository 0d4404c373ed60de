//! What the price of a call costs to find out.

use backstay::base::money::TokenPrice;
use backstay::call::usage::Usage;
use backstay::price::{Dated, Days, Factor, Rates, Span, Tariff, Tier, Times};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const DEPLOYMENTS: u64 = 20;
const NOW: i64 = 1_795_000_000;

/// Rates with a date, a tier for long prompts and peak hours on workdays.
fn rates(nth: u64) -> Rates {
    let flat = |input: u64, output: u64| Tariff::flat(TokenPrice(input + nth), TokenPrice(output + nth));
    let workdays = ["mon", "tue", "wed", "thu", "fri"].iter().filter_map(|day| Days::named(day)).reduce(Days::and);
    let peak = ["01:00-04:00", "06:00-10:00"].iter().filter_map(|text| Span::parse(text)).collect();
    let tiers = vec![
        Tier { above: 200_000, times: None, tariff: flat(10_000_000, 45_000_000) },
        Tier { above: 0, times: workdays.map(|days| Times::new(days, peak)), tariff: flat(7_000_000, 30_000_000) },
    ];
    let dated = |from| Dated { from, base: flat(5_000_000, 30_000_000), tiers: tiers.clone(), batch: Factor::UNIT };
    Rates::new(vec![dated(i64::MIN), dated(NOW - 1_000), dated(NOW + 1_000)])
}

fn prices(criterion: &mut Criterion) {
    let pool: Vec<Rates> = (0..DEPLOYMENTS).map(rates).collect();
    criterion.bench_function("price/order 20 deployments by what a call costs", |bench| {
        bench.iter(|| {
            let mut order: Vec<&Rates> = pool.iter().collect();
            order.sort_by_cached_key(|rates| rates.rank(black_box(30_000), 1_000, 50, NOW));
            order.len()
        });
    });
    let usage = Usage { fresh: 1_000, cached: 30_000, written: 500, written_1h: 200, output: 800, reasoning: 300 };
    let rates = rates(0);
    criterion.bench_function("price/cost of an answer", |bench| {
        bench.iter(|| rates.cost(black_box(&usage), NOW));
    });
}

criterion_group!(benches, prices);
criterion_main!(benches);
