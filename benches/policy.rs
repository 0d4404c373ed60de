//! What a policy decision costs: over twenty deployments, remembered and made afresh, and with a thousand policies.

use backstay::base::money::TokenPrice;
use backstay::call::needs::Needs;
use backstay::policy::inventory::{DeploymentFacts, Inventory, KeyFacts, VendorFacts};
use backstay::policy::vocabulary::Vocabulary;
use backstay::policy::{Ask, Engine, PolicyFile};
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const DEPLOYMENTS: usize = 20;
/// More keys than decisions are remembered for: a key that comes round again is new.
const KEYS: usize = 10_000;
const SHIPPED: [&str; 5] = [
    include_str!("../policies/base.cedar"),
    include_str!("../policies/gdpr.cedar"),
    include_str!("../policies/export-control.cedar"),
    include_str!("../policies/health.cedar"),
    include_str!("../policies/price.cedar"),
];

fn inventory(teams: usize) -> Inventory {
    let deployments = (0..DEPLOYMENTS).map(|index| DeploymentFacts {
        id: format!("vendor/m{index}").into(),
        vendor: "vendor".into(),
        region: ["eu-central-1", "us-east-1"][index % 2].into(),
        pools: vec!["smart".into()],
        model: format!("m{index}").into(),
        retention_days: Some(30),
        trains_on_inputs: Some(false),
        export_class: 0,
        price: Some((TokenPrice(2_000_000), TokenPrice(10_000_000))),
        long_prices: Vec::new(),
        agreements: vec!["dpa".into()],
        certifications: vec!["soc2".into()],
    });
    let teams: Vec<Arc<str>> = (0..teams).map(|index| format!("team{index}").into()).collect();
    Inventory {
        vocabulary: Vocabulary::shipped(),
        vendors: vec![VendorFacts {
            name: "vendor".into(),
            seat: "US".into(),
            agreements: Vec::new(),
            certifications: Vec::new(),
        }],
        pools: vec!["smart".into()],
        deployments: deployments.collect(),
        keys: (0..KEYS).map(|index| key(index, teams.first())).collect(),
        teams,
    }
}

fn key(index: usize, team: Option<&Arc<str>>) -> KeyFacts {
    KeyFacts {
        name: format!("app{index}").into(),
        team: team.cloned(),
        jurisdiction: "DE".into(),
        residency: "EU".into(),
        purposes: Vec::new(),
        screened: false,
        data: vec!["personal".into()],
        models: Vec::new(),
        ..KeyFacts::default()
    }
}

fn engine(teams: usize, policies_of_each: usize) -> Engine {
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
    Engine::compile(inventory(teams), &files).unwrap_or_else(|found| panic!("{found:?}"))
}

fn ask() -> Ask {
    Ask {
        data: vec!["personal".into()],
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
    (0..DEPLOYMENTS).filter(|deployment| engine.decide(key, *deployment, black_box(ask)).is_ok()).count()
}

fn decisions(criterion: &mut Criterion) {
    let ask = ask();
    for (name, teams) in [("shipped policies", 0), ("1,000 policies more, of 100 teams", 100)] {
        let engine = engine(teams, 10);
        criterion.bench_function(&format!("policy/20 deployments, remembered, {name}"), |bench| {
            bench.iter(|| decide_all(&engine, 0, &ask));
        });
        let mut key = 0;
        criterion.bench_function(&format!("policy/20 deployments, afresh, {name}"), |bench| {
            bench.iter(|| {
                key = (key + 1) % KEYS;
                decide_all(&engine, key, &ask)
            });
        });
    }
}

/// What a reload costs in policies, beside the request path: parsing, checking and slicing.
fn loads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy/load");
    group.sample_size(10);
    for (name, teams) in [("shipped policies", 0), ("1,000 policies more, of 100 teams", 100)] {
        group.bench_function(name, |bench| bench.iter(|| black_box(engine(teams, 10))));
    }
    group.finish();
}

criterion_group!(benches, decisions, loads);
criterion_main!(benches);
