use super::*;
use crate::base::event::NoSink;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::needs::Needs;
use crate::config::load::load;
use crate::dialect::scan::scan;
use crate::snapshot::compile;
use crate::state::health::Bid;
use crate::state::ledger::Ledger;
use crate::state::restrictions::Restrictions;
use crate::state::world::State;
use std::fmt::Write as _;
use std::fs;

#[test]
fn what_many_deployments_lack_is_named_once() {
    let rejection = nobody_eligible(["seed", "audio", "seed"].map(Refusal::Capability).to_vec());
    assert!(rejection.message.contains("can honour `audio`, `seed`."), "{}", rejection.message);
}

#[test]
fn throttled_everywhere_is_429_and_anything_else_503() {
    let check = |refusals: Vec<Refusal>, code| assert_eq!(nobody_healthy(refusals).code, code);
    let second = Duration::from_secs(1);
    let throttled = Refusal::Resting { class: "rate_limited", retry_after: second };
    check(vec![throttled.clone(), Refusal::Capability("n")], RejectionCode::RateLimited);
    let spent = Refusal::Headroom { retry_after: second, told: true };
    check(vec![throttled.clone(), spent], RejectionCode::RateLimited);
    check(vec![throttled, Refusal::Breaker { retry_after: second }], RejectionCode::NoHealthyDeployment);
    check(vec![Refusal::Resting { class: "quota", retry_after: second }], RejectionCode::NoHealthyDeployment);
}

/// What befell a deployment before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// Three of ten attempts failed.
    Shaky,
    /// Five attempts in a row failed.
    Down,
}

/// A pool of deployments `a/m` to `d/m`.
fn state(deployments: &str) -> State {
    let mut config = String::from(
        "[listener.main]\naddress = \"127.0.0.1:0\"\n[key.app]\nsecret = { env = \"APP\" }\nresidency = \"any\"\ndata = []\n",
    );
    for vendor in ["a", "b", "c", "d"] {
        let _ = writeln!(
            config,
            "[vendor.{vendor}]\ndialect = \"openai\"\nregion = \"us\"\nseat = \"US\"\nbase_url = \"https://{vendor}.example/v1\"\n\
             credential = {{ env = \"{vendor}\" }}"
        );
    }
    let _ = writeln!(config, "[pool.p]\ndeployments = {deployments}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("backstay.toml"), config).unwrap();
    let sources = load(&folder.path().join("backstay.toml"), &|name| Some(format!("secret-of-{name}"))).unwrap();
    let (snapshot, _) = compile(&sources, 1, 0).unwrap();
    let sink = Arc::new(NoSink);
    State::new(Arc::new(snapshot), Restrictions::none(sink.clone()), Ledger::nowhere(), sink, 7)
}

fn befalls(state: &State, vendor: &str, past: Past, now: Moment) {
    let world = state.world();
    let pool = &world.snapshot.pools["p"];
    let deployment = pool.deployments().find(|one| one.id.starts_with(vendor)).unwrap();
    let bid = Bid { settings: pool.breaker, limit: Duration::from_secs(10), input_tokens: 10, trickle: false };
    for attempt in 0..if past == Past::Down { 5 } else { 10 } {
        let mut flight = state.health.begin(world.health(deployment).unwrap(), &bid, now).ok().unwrap();
        if past == Past::Down || attempt % 3 == 1 {
            flight.failed(&Failure::new(FailureKind::ServerError, Phase::Headers, ""), now);
        } else {
            flight.succeeded(now, Some(Duration::from_millis(300)));
        }
    }
}

/// Whom a call asks in which order, by the first letters of the vendors, and who is said to be passed over.
fn asked(state: &State, turn: u64, now: Moment) -> (String, String) {
    let world = state.world();
    let body = br#"{"model":"p","messages":[{"role":"user","content":"Hello"}]}"#;
    let wanted = Wanted {
        key: world.snapshot.keys.by_name("app").unwrap(),
        pool: &world.snapshot.pools["p"],
        ask: &Ask {
            data: Vec::new(),
            residency: "any".into(),
            screened: true,
            needs: Needs::NONE,
            attempt: 0,
            depth: 0,
            input_tokens: 20,
            output_tokens: 100,
            hour: 12,
        },
        ceiling: Ceiling::default(),
        dialect: Dialect::OpenaiChat,
        scan: &scan(Dialect::OpenaiChat, body).unwrap(),
        demand: Demand::new(20, 100),
        held: &Held::default(),
        at: 0,
        home: None,
    };
    let mut considered = Vec::new();
    let selection = select(&world, &wanted, now, turn, &mut considered).ok().unwrap();
    let refused = considered.iter().filter(|one| one.refusal.is_some());
    (
        selection.candidates.iter().map(|candidate| &candidate.deployment.id[..1]).collect(),
        refused.map(|one| &one.deployment[..1]).collect(),
    )
}

#[test]
fn who_is_degraded_stands_behind_the_sound_ones_of_its_tier_and_no_further() {
    let check = |deployments: &str, pasts: &[(&str, Past)], expected: &str| {
        let (state, now) = (state(deployments), Moment::after_start(Duration::from_secs(1)));
        pasts.iter().for_each(|(vendor, past)| befalls(&state, vendor, *past, now));
        let down: String = pasts.iter().filter(|(_, past)| *past == Past::Down).map(|(vendor, _)| *vendor).collect();
        for turn in 1..4 {
            assert_eq!(asked(&state, turn, now), (expected.to_owned(), down.clone()), "{deployments} {pasts:?} {turn}");
        }
        let as_ever = deployments.chars().filter(|letter| ('a'..='d').contains(letter) && !down.contains(*letter));
        assert_eq!(asked(&state, 4, now).0, as_ever.collect::<String>(), "one call in four goes to it as ever");
    };
    let shaky = |vendor| (vendor, Past::Shaky);
    let tier = r#"[["a/m", "b/m"], ["c/m", "d/m"]]"#;
    check(tier, &[shaky("a")], "bacd");
    check(tier, &[shaky("c")], "abdc");
    check(tier, &[shaky("a"), ("b", Past::Down)], "cda");
    let one_by_one = r#"["a/m", "b/m", "c/m", "d/m"]"#;
    check(one_by_one, &[], "abcd");
    check(one_by_one, &[shaky("a")], "bacd");
    check(one_by_one, &[shaky("b")], "acbd");
    check(one_by_one, &[shaky("a"), ("b", Past::Down)], "cad");
    check(one_by_one, &[shaky("a"), shaky("b")], "cabd");
    check(one_by_one, &[shaky("d")], "abcd");
}
