//! Pools with their tiers, prices, bounds and breakers.

use super::{NOW, SMALL, ask, check, check_files, compile_files, good};
use crate::base::money::TokenPrice;
use crate::call::needs::Need;
use crate::snapshot::pool::ProbeKind;
use std::time::Duration;

#[test]
fn tiers_credentials_prices_and_settings_arrive() {
    let config = r#"
[listener.main]
address = "127.0.0.1:0"
[vendor.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
region = "us"
credentials = [{ name = "a", env = "A_KEY" }, { name = "b", env = "B_KEY" }]
timeouts = { first_content = "20s" }
[endpoint.openai-eu]
vendor = "openai"
base_url = "https://eu.api.openai.com/v1"
region = "eu"
credential = { env = "EU_KEY" }
[vendor.anthropic]
dialect = "anthropic"
base_url = "https://api.anthropic.com"
region = "us"
credential = { env = "ANTHROPIC_API_KEY" }
[deployment."anthropic/claude-opus-4-8"]
price = { input = 5, output = 25.0, cached = 0.5 }
lacks = ["images"]
[pool.smart]
aliases = ["gpt-5.5"]
deployments = ["openai-eu/gpt-5.5", ["openai/gpt-5.5", "anthropic/claude-opus-4-8"]]
order = "price"
max_price = { output = 30.0 }
attempts = 4
probe = "off"
timeouts = { idle = "7s", first_content = "9s" }
breaker = { open = "1s" }
[team.lab]
[key.app]
secret = { sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }
team = "lab"
residency = "eea"
data = ["personal", "health"]
models = ["gpt-5.5"]
limit = { requests_per_minute = 600, concurrency = 64 }
expires = "2027-06-30"
[server]
max_body = "1MiB"
"#;
    let (snapshot, warnings) = good(config);
    assert_eq!(warnings, []);
    let pool = &snapshot.pools["gpt-5.5"];
    let tiers: Vec<Vec<&str>> = pool.tiers.iter().map(|tier| tier.iter().map(|d| d.id.as_ref()).collect()).collect();
    assert_eq!(
        tiers,
        [vec!["openai-eu/gpt-5.5"], vec!["openai/gpt-5.5", "openai/gpt-5.5", "anthropic/claude-opus-4-8"]]
    );
    let [_, a, b, claude] = snapshot.deployments.as_slice() else { panic!("four deployments") };
    assert_ne!(a.health_key, b.health_key);
    assert_eq!(a.host_key, b.host_key);
    assert_eq!(a.credential.as_ref().map(|credential| &*credential.name), Some("a"));
    let price = *claude.rates.base(0).expect("a price");
    assert_eq!((price.input, price.cached), (TokenPrice(5_000_000), TokenPrice(500_000)));
    assert!(!claude.voice.capabilities.has(Need::Images));
    let timeouts = pool.timeouts_at(a);
    assert_eq!((timeouts.first_content, timeouts.idle), (Duration::from_secs(20), Duration::from_secs(7)));
    assert_eq!(pool.timeouts_at(claude).first_content, Duration::from_secs(9));
    assert_eq!((pool.attempts, pool.probe.kind), (4, ProbeKind::Off));
    let key = snapshot.keys.by_secret(b"abc").expect("the key of that digest");
    assert_eq!((&*key.residency, key.data.len(), key.expires), ("EEA", 2, Some(1_814_400_000)));
    assert_eq!(key.models, ["smart".into()]);
    assert_eq!(snapshot.bounds.max_body_bytes, 1 << 20);
}

#[test]
fn a_price_book_prices_what_the_config_does_not() {
    let book = "[price.\"openai/gpt-5.5\"]\ninput = 1.25\noutput = 10\neffective = 2026-01-01\n";
    let (snapshot, _) = compile_files(&[("backstay.toml", SMALL), ("prices.toml", book)]).expect("a snapshot");
    assert_eq!(snapshot.deployments[0].rates.base(NOW).map(|price| price.output), Some(TokenPrice(10_000_000)));
    let files = |book| [("backstay.toml", SMALL), ("prices.toml", book), ("policies/base.cedar", crate::policy::BASE)];
    check_files(&files("[price.\"openai/x\"]\ninput = -1\noutput = 10\n"), &["prices.toml:2: negative"]);
    check_files(
        &files("[price.\"openai/x\"]\ninput = 1250000\noutput = 10\n"),
        &["prices.toml:2: absurd ~ per million"],
    );
    check_files(&files("[price.gpt]\ninput = 1\noutput = 1\n"), &["prices.toml:1: not the name of a deployment"]);
}

#[test]
fn what_is_not_used_is_warned_of() {
    check("[deployment.\"openai/gpt-5\"]\n", &["backstay.toml:15: no pool uses \"openai/gpt-5\" ~ openai/gpt-5.5"]);
    let endpoint = "[endpoint.eu]\nvendor = \"openai\"\nbase_url = \"https://eu.api.openai.com/v1\"\n";
    check(endpoint, &["backstay.toml:15: \"eu\" has no credential", "backstay.toml:15: no pool uses \"eu\""]);
}

#[test]
fn one_deployment_under_two_names_shares_its_health() {
    let twin = "[endpoint.twin]\nvendor = \"openai\"\nbase_url = \"https://api.openai.com/v1/\"\nregion = \"REGION\"\n\
                credential = { env = \"OPENAI_API_KEY\" }\n[pool.two]\ndeployments = [\"twin/gpt-5.5\"]\n";
    check(&twin.replace("REGION", "us"), &["backstay.toml:21: are the same deployment"]);
    check(&twin.replace("REGION", "unknown"), &["backstay.toml:21: but of different regions"]);
}

#[test]
fn bounds_and_breakers_make_sense() {
    check("[server]\nidle_timeout = \"0s\"\n", &["backstay.toml:15: a bound of zero"]);
    check("[server]\nmax_body = \"32MB\"\n", &["backstay.toml:16: expected a size ~ 32MiB"]);
    let pool = |line: &str| format!("[pool.other]\ndeployments = [\"openai/gpt-5.5\"]\n{line}\n");
    check(&pool("breaker = { open = \"5m\" }"), &["backstay.toml:17: at most its `cap`"]);
    check(&pool("attempts = 0"), &["backstay.toml:17: 0 attempts ~ between 1 and 10"]);
    check(&pool("order = \"prise\""), &["backstay.toml:17: \"prise\" is not known here ~ \"price\""]);
    check("[pool.none]\ndeployments = []\n", &["backstay.toml:15: has no deployment"]);
}

/// A pool that a call was admitted to is asked about in a world that a reload has changed meanwhile: whatever is no longer there
/// is refused, and nothing is mistaken for its neighbour.
#[test]
fn f_090_a_pool_of_yesterday_is_answered_for_by_the_policies_of_today() {
    let config = |deployments: &str| {
        let places = ["us", "eu"].map(|region| {
            let vendor = format!("[vendor.{region}]\ndialect = \"openai\"\nbase_url = \"https://{region}.example/v1\"");
            format!("{vendor}\nregion = \"{region}\"\ncredential = {{ env = \"{}_KEY\" }}\n", region.to_uppercase())
        });
        let pools =
            format!("[pool.smart]\ndeployments = [{deployments}]\n[pool.all]\ndeployments = [\"us/a\", \"eu/a\"]\n");
        let key = "[key.app]\nsecret = { env = \"APP_KEY\" }\nresidency = \"any\"\ndata = []\n";
        format!("[listener.main]\naddress = \"127.0.0.1:0\"\n{}{pools}{key}", places.concat())
    };
    let before = good(&config(r#""us/a", "us/b", "eu/a""#)).0;
    let pool = &before.pools["smart"];
    let key = before.keys.by_name("app").expect("the key");
    let check = |after: &str, residency: &str, expected: [bool; 3]| {
        let after = good(after).0;
        let ask = ask(residency);
        let answers = after.asking(key, &ask).about(pool);
        let permits: Vec<_> = pool.deployments().map(|deployment| answers.permits(deployment).is_ok()).collect();
        assert_eq!(permits, expected, "{residency}");
        for deployment in pool.deployments() {
            let alone = after.permit(key, &ask, deployment).map(drop);
            assert_eq!(answers.permits(deployment), alone, "{}", deployment.id);
        }
    };
    check(&config(r#""us/a", "us/b", "eu/a""#), "any", [true, true, true]);
    check(&config(r#""us/a", "us/b", "eu/a""#), "EU", [false, false, true]);
    check(&config(r#""eu/a", "us/a""#), "any", [true, false, true]);
    check(&config(r#""eu/a", "us/a""#), "EU", [false, false, true]);
    check(&config(r#""us/b""#), "any", [true, true, true]);
    check(&config(r#""us/b""#).replace("pool.smart", "pool.clever"), "EU", [false, false, true]);
    check(&config(r#""us/a""#).replace("key.app", "key.other"), "any", [false, false, false]);
    check(
        &config(r#""us/a", "us/b", "eu/a""#).replace("residency = \"any\"", "residency = \"EU\""),
        "any",
        [false, false, true],
    );
}
