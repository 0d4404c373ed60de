//! What selection costs: a pool of twenty deployments, listed one by one, and in one tier by price and by latency. Each of them
//! has a price, a quota that its answers told, and a latency.

use backstay::base::event::NoSink;
use backstay::call::needs::Needs;
use backstay::config::load::load_dry;
use backstay::dialect::Dialect;
use backstay::dialect::scan::scan;
use backstay::dialect::signals::quota::{Quota, Window};
use backstay::exchange::select::{Wanted, select};
use backstay::exchange::server_ids::Held;
use backstay::policy::Ask;
use backstay::price::Ceiling;
use backstay::snapshot::pool::BreakerSettings;
use backstay::snapshot::{Snapshot, compile};
use backstay::state::health::Bid;
use backstay::state::ledger::Ledger;
use backstay::state::quota::Demand;
use backstay::state::restrictions::Restrictions;
use backstay::state::world::State;
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const DEPLOYMENTS: usize = 20;

/// A pool of twenty deployments at five vendors.
fn snapshot(deployments: &str, order: &str) -> Snapshot {
    let mut config = String::from(
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"s.pem\"\nprivate_key = \"s.key\"\n\n\
         [key.app]\nsecret = { file = \"app\" }\nresidency = \"any\"\ndata = []\n\n",
    );
    for vendor in 0..5 {
        let table = "dialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\ncredential = { file = \"vendor\" }";
        let _ = write!(config, "[vendor.v{vendor}]\n{table}\nbase_url = \"https://v{vendor}.example/v1\"\n\n");
    }
    let _ = write!(config, "[pool.smart]\ndeployments = [{deployments}]\norder = \"{order}\"\n\n");
    for number in 0..DEPLOYMENTS {
        let (id, price) = (id(number), 1 + number * 7 % DEPLOYMENTS);
        let _ = write!(config, "[deployment.\"{id}\"]\nprice = {{ input = {price}, output = {price} }}\n\n");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backstay.toml");
    fs::write(&path, config).expect("a file");
    let sources = load_dry(&path, None).expect("files");
    let (snapshot, _) = compile(&sources, 1, 1_790_000_000).expect("a snapshot");
    snapshot
}

fn id(number: usize) -> String {
    format!("v{}/m{}", number % 5, number / 5)
}

/// Every deployment has answered a few calls, and told what it still grants.
fn observe(state: &State) {
    let world = state.world();
    for (number, deployment) in world.snapshot.deployments.iter().enumerate() {
        let observed = world.observed(deployment).expect("a deployment");
        let window = |limit| Some(Window { limit: Some(limit), remaining: limit / 2, reset: None, refills: true });
        let quota = Quota { requests: window(10_000), tokens: window(2_000_000), ..Quota::default() };
        for _ in 0..10 {
            let now = state.clock.now();
            let (settings, limit) = (BreakerSettings::USUAL, Duration::from_secs(10));
            let bid = Bid { settings, limit, input_tokens: 20, trickle: false };
            let mut flight = state.health.begin(&observed.health, &bid, now).expect("leave");
            let mut draw = observed.account.send(Demand::new(20, 100));
            draw.answered(&quota, now);
            draw.succeeded();
            flight.succeeded(now, Some(Duration::from_millis(300 + number as u64 * 13 % 40)));
        }
    }
}

fn measure(criterion: &mut Criterion, name: &str, deployments: &str, order: &str) {
    let sink = Arc::new(NoSink);
    let snapshot = Arc::new(snapshot(deployments, order));
    let state = State::new(snapshot, Restrictions::none(sink.clone()), Ledger::nowhere(), sink, 7);
    observe(&state);
    let world = state.world();
    let body = br#"{"model":"smart","messages":[{"role":"user","content":"Hello, how are you?"}],"max_tokens":100}"#;
    let scan = scan(Dialect::OpenaiChat, body).expect("a call");
    let key = world.snapshot.keys.by_name("app").expect("a key");
    let pool = world.snapshot.pools.get("smart").expect("a pool");
    let ask = Ask {
        data: Vec::new(),
        residency: "any".into(),
        screened: true,
        needs: Needs::NONE,
        attempt: 0,
        depth: 0,
        input_tokens: 20,
        output_tokens: 100,
        hour: 12,
    };
    let demand = Demand::new(20, 100);
    let wanted = Wanted {
        key,
        pool,
        ask: &ask,
        ceiling: Ceiling::default(),
        dialect: Dialect::OpenaiChat,
        scan: &scan,
        demand,
        held: &Held::default(),
        at: 1_790_000_000,
        home: None,
    };
    let mut turn = 0;
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            turn += 1;
            let mut considered = Vec::new();
            let selection = select(&world, &wanted, state.clock.now(), turn, &mut considered);
            let candidates = selection.map(|selection| selection.candidates.len());
            assert_eq!(candidates.ok(), Some(DEPLOYMENTS));
            black_box(considered)
        });
    });
}

fn benches(criterion: &mut Criterion) {
    let names: Vec<String> = (0..DEPLOYMENTS).map(|number| format!("\"{}\"", id(number))).collect();
    let (listed, one_tier) = (names.join(", "), format!("[{}]", names.join(", ")));
    measure(criterion, "select/20 listed", &listed, "listed");
    measure(criterion, "select/20 by price", &one_tier, "price");
    measure(criterion, "select/20 by latency", &one_tier, "latency");
}

criterion_group!(select_benches, benches);
criterion_main!(select_benches);
