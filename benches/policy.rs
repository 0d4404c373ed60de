//! What a policy decision costs over twenty deployments that differ in everything policies read: remembered, for a kind of
//! call that is new to a generation, for a kind of key that is, and with nothing remembered at all; with the shipped policies,
//! and with a thousand more.

use backstay::base::money::TokenPrice;
use backstay::call::needs::Needs;
use backstay::policy::inventory::{DeploymentFacts, Inventory, KeyFacts, VendorFacts};
use backstay::policy::vocabulary::Vocabulary;
use backstay::policy::{Ask, Engine, PolicyFile};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DEPLOYMENTS: usize = 20;
const VENDORS: usize = 10;
const REGIONS: [&str; 5] = ["eu-central-1", "us-east-1", "westeurope", "uksouth", "unknown"];
/// More keys than decisions are remembered for: a key that comes round again is new.
const KEYS: usize = 10_000;
const SHIPPED: [&str; 5] = [
    include_str!("../policies/base.cedar"),
    include_str!("../policies/gdpr.cedar"),
    include_str!("../policies/export-control.cedar"),
    include_str!("../policies/health.cedar"),
    include_str!("../policies/price.cedar"),
];

fn words(words: &[&str]) -> Vec<Arc<str>> {
    words.iter().copied().map(Arc::from).collect()
}

fn deployment(index: usize) -> DeploymentFacts {
    let price = TokenPrice(1_000_000 + index as u64 * 130_000);
    DeploymentFacts {
        id: format!("vendor{}/m{index}", index % VENDORS).into(),
        vendor: format!("vendor{}", index % VENDORS).into(),
        region: REGIONS[index % REGIONS.len()].into(),
        pools: words(&["smart"]),
        model: format!("m{index}").into(),
        retention_days: [Some(0), Some(30), None][index % 3],
        trains_on_inputs: Some(index % 7 == 6),
        export_class: u32::from(index % 9 == 8),
        price: Some((price, TokenPrice(price.0 * 5))),
        long_prices: Vec::new(),
        agreements: words([&["dpa"][..], &["dpa", "scc"], &["baa", "dpa", "scc"]][index % 3]),
        certifications: words([&["soc2"][..], &["dpf", "soc2"]][index % 2]),
    }
}

fn inventory(teams: usize, keys: usize) -> Inventory {
    let teams: Vec<Arc<str>> = (0..teams).map(|index| format!("team{index}").into()).collect();
    let vendors = (0..VENDORS).map(|index| VendorFacts {
        name: format!("vendor{index}").into(),
        seat: ["US", "FR", "US", "DE", "CN"][index % 5].into(),
        agreements: Vec::new(),
        certifications: Vec::new(),
    });
    Inventory {
        vocabulary: Vocabulary::shipped(),
        vendors: vendors.collect(),
        pools: words(&["smart"]),
        deployments: (0..DEPLOYMENTS).map(deployment).collect(),
        keys: (0..keys).map(|index| key(index, teams.get(index % teams.len().max(1)))).collect(),
        teams,
    }
}

/// No two keys have the same ceiling, so that each is new to the policies.
fn key(index: usize, team: Option<&Arc<str>>) -> KeyFacts {
    KeyFacts {
        name: format!("app{index}").into(),
        team: team.cloned(),
        jurisdiction: ["DE", "FR", "US"][index % 3].into(),
        residency: ["any", "EU"][index % 2].into(),
        screened: index.is_multiple_of(2),
        data: words(&["personal"]),
        max_price: (Some(TokenPrice(100_000_000 + index as u64)), None),
        ..KeyFacts::default()
    }
}

fn engine(teams: usize, policies_of_each: usize, keys: usize) -> Engine {
    let mut texts: Vec<String> = SHIPPED.iter().map(ToString::to_string).collect();
    for team in 0..teams {
        let mut text = String::new();
        for policy in 0..policies_of_each {
            let _ = writeln!(
                text,
                "@id(\"team{team}-{policy}\") forbid (principal in Team::\"team{team}\", action, resource) \
                 when {{ resource.retention_days > {} && context.attempt > {policy} }};",
                60 + policy
            );
        }
        texts.push(text);
    }
    let files: Vec<_> = texts.iter().map(|text| PolicyFile { path: Path::new("bench.cedar"), text }).collect();
    Engine::compile(inventory(teams, keys), &files).unwrap_or_else(|found| panic!("{found:?}"))
}

fn ask() -> Ask {
    Ask {
        data: words(&["personal"]),
        residency: "EU".into(),
        screened: false,
        needs: Needs::NONE,
        attempt: 0,
        depth: 0,
        input_tokens: 1_000,
        output_tokens: 1_000,
        hour: 12,
    }
}

/// How many of the deployments the key may use.
fn decide_all(engine: &Engine, key: usize, ask: &Ask) -> usize {
    let verdicts = engine.decide_pool(key, "smart", black_box(ask));
    (0..DEPLOYMENTS).filter(|deployment| verdicts.about(*deployment).is_some_and(Result::is_ok)).count()
}

/// The same, asked of one deployment after the other, as attempts do.
fn decide_each(engine: &Engine, key: usize, ask: &Ask) -> usize {
    (0..DEPLOYMENTS).filter(|deployment| engine.decide(key, *deployment, black_box(ask)).is_ok()).count()
}

/// The policies, and how many teams have ten each.
const POLICIES: [(&str, usize); 2] = [("shipped policies", 0), ("1,000 policies more, of 100 teams", 100)];

fn decisions(criterion: &mut Criterion) {
    let ask = ask();
    let mut group = criterion.benchmark_group("policy/20 deployments");
    // making an engine that remembers nothing takes longer than asking it
    group.sample_size(10).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    for (name, teams) in POLICIES {
        let engine = engine(teams, 10, KEYS);
        group.bench_function(format!("remembered, {name}"), |bench| bench.iter(|| decide_all(&engine, 0, &ask)));
        group.bench_function(format!("remembered, one by one, {name}"), |bench| {
            bench.iter(|| decide_each(&engine, 0, &ask));
        });
        let mut key = 0;
        group.bench_function(format!("a key that is new, {name}"), |bench| {
            bench.iter(|| {
                key = (key + 1) % KEYS;
                decide_all(&engine, key, &ask)
            });
        });
        let few = inventory(teams, 4);
        let forgetful = || engine.over(few.clone(), |_| true).unwrap_or_else(|error| panic!("{error}"));
        group.bench_function(format!("nothing remembered, {name}"), |bench| {
            bench.iter_batched_ref(forgetful, |engine| decide_all(engine, 0, &ask), BatchSize::PerIteration);
        });
        let prepared = || {
            let engine = forgetful();
            engine.prepare();
            engine
        };
        let special = Ask { data: words(&["health", "personal"]), residency: "DE".into(), ..ask.clone() };
        group.bench_function(format!("a call that is new, {name}"), |bench| {
            bench.iter_batched_ref(prepared, |engine| decide_all(engine, 0, &special), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// What a reload costs in policies, beside the request path: parsing, checking and sorting.
fn loads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy/load");
    group.sample_size(10);
    for (name, teams) in POLICIES {
        for keys in [10, KEYS] {
            let name = format!("{name}, {keys} keys");
            group.bench_function(name, |bench| bench.iter(|| black_box(engine(teams, 10, keys))));
        }
    }
    group.finish();
}

criterion_group!(benches, decisions, loads);
criterion_main!(benches);
