//! Vendors' quotas: passed over before the 429, one credential at a time, told of once; and the patience of a pool.

use crate::support::client::{Answer, chat_body};
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const FIRST: &str = "first/model-of-first";
const SECOND: &str = "second/model-of-second";

/// From now on the vendor's good answers carry these headers.
fn tells(proxy: &Proxy, vendor: usize, headers: &[(&str, &str)]) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    proxy.vendors[vendor].change_script(|script| script.headers = headers);
}

fn tokens_left<'a>(left: &'a str, reset: &'a str) -> [(&'static str, &'a str); 3] {
    [("x-ratelimit-limit-tokens", "30000"), ("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", reset)]
}

/// One vendor with two credentials.
fn two_credentials() -> Plan {
    Plan::of(&[("first", Dialect::OpenaiChat)])
        .patient()
        .vendor(0, "credentials = [{ name = \"a\", file = \"secrets/a\" }, { name = \"b\", file = \"secrets/b\" }]")
        .file("secrets/a", "sk-of-a")
        .file("secrets/b", "sk-of-b")
}

/// How many calls the vendor has seen with each credential.
fn by_credential(proxy: &Proxy) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for request in proxy.vendors[0].log().entries().calls() {
        let shown = request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned();
        *calls.entry(shown).or_default() += 1;
    }
    calls
}

fn served_by(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-backstay-served-by")
}

#[tokio::test]
async fn f_078_a_deployment_whose_quota_would_not_carry_the_call_is_passed_over_before_it_refuses() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    let before = proxy.status().await["pools"][0]["deployments"][0]["headroom"].clone();
    assert_eq!((&before["percent"], &before["tokens"]), (&Value::Null, &Value::Null), "nothing is known yet");
    tells(&proxy, 0, &tokens_left("100", "24h0m0s"));
    assert_eq!(served_by(&proxy.client().chat(false).await), FIRST, "nothing is known yet");
    for stream in [false, true] {
        assert_eq!(served_by(&proxy.client().chat(stream).await), SECOND);
    }
    assert_eq!(proxy.calls(), [1, 2]);
    let status = proxy.status().await;
    let first = &status["pools"][0]["deployments"][0];
    assert_eq!((&first["place"], &first["headroom"]["tokens"]["remaining"]), (&1.into(), &100.into()), "{status}");
    assert_eq!(first["headroom"]["percent"], 0, "100 of 30,000 are less than one in a hundred");
    let explained = proxy.admin("/explain?key=app&model=smart&tokens=90/100").await;
    let explained: Value = serde_json::from_str(&explained).unwrap();
    let [chosen, refused] = [0, 1].map(|place| &explained["deployments"][place]);
    assert_eq!((&chosen["id"], &chosen["live"]["breaker"]), (&SECOND.into(), &"closed".into()), "{explained}");
    let left = &refused["live"]["headroom"]["tokens"];
    assert_eq!(
        (&refused["refusals"][0]["code"], &left["limit"]),
        (&"no_headroom".into(), &30_000.into()),
        "{explained}"
    );
    let shed = format!("backstay_shed_total{{deployment=\"{FIRST}\",reason=\"predicted_429\"}}");
    assert_eq!(proxy.metric(&shed).await, 2.0);
}

#[tokio::test]
async fn f_078_a_reading_that_is_over_keeps_nobody_away() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    for (left, reset) in [("100", "0s"), ("-1", "60"), ("many", "1s")] {
        tells(&proxy, 0, &tokens_left(left, reset));
        assert_eq!(served_by(&proxy.client().chat(false).await), FIRST, "{left} {reset}");
    }
    assert_eq!(proxy.calls(), [3, 0]);
}

#[tokio::test]
async fn f_078_with_nobody_else_an_estimate_is_tried_and_the_vendors_own_word_is_not() {
    let proxy = Plan::of(&[("first", Dialect::OpenaiChat)]).start().await;
    tells(&proxy, 0, &tokens_left("100", "10m0s"));
    for _ in 0..2 {
        assert_eq!(served_by(&proxy.client().chat(false).await), FIRST);
    }
    tells(&proxy, 0, &tokens_left("0", "10m0s"));
    assert_eq!(served_by(&proxy.client().chat(false).await), FIRST);
    let refused = proxy.client().chat(false).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (429, Some("rate_limited")));
    assert!((1..=66).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(proxy.calls(), [3]);
}

#[tokio::test]
async fn credentials_of_one_vendor_are_used_evenly() {
    let proxy = two_credentials().start().await;
    for call in 0..40 {
        let session = format!("s-{call}");
        let body = chat_body(false).to_string();
        let answer = proxy.client().post_with("/v1/chat/completions", body, &[("x-session-id", &session)]).await;
        assert_eq!(answer.status, 200);
    }
    let calls = by_credential(&proxy);
    assert!(calls.len() == 2 && calls.values().all(|calls| *calls >= 8), "{calls:?}");
}

#[tokio::test]
async fn f_080_one_credentials_refusal_touches_no_other() {
    for (fault, wait) in [(Fault::Status429, "60"), (Fault::Status401, ""), (Fault::Quota, "")] {
        let proxy = two_credentials().start().await;
        proxy.vendors[0].change_script(|script| script.retry_after = Some(wait.to_owned()));
        proxy.vendors[0].queue([Some(fault)]);
        let began = Instant::now();
        for _ in 0..6 {
            assert_eq!(proxy.client().chat(false).await.status, 200, "{fault}");
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{fault}: nobody waits where a twin can answer");
        let mut calls: Vec<usize> = by_credential(&proxy).into_values().collect();
        calls.sort_unstable();
        assert_eq!(calls, [1, 6], "{fault}");
    }
}

#[tokio::test]
async fn f_076_a_spent_quota_is_told_once_and_its_end_once() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Quota);
    for _ in 0..3 {
        assert_eq!(served_by(&proxy.client().chat(false).await), SECOND);
    }
    assert_eq!(proxy.calls(), [1, 3]);
    let change = |change| format!("backstay_quota_spent_total{{change=\"{change}\",credential=\"first/default\"}}");
    assert_eq!((proxy.metric(&change("began")).await, proxy.metric(&change("ended")).await), (1.0, 0.0));
    let status = proxy.status().await;
    assert_eq!(status["pools"][0]["deployments"][0]["reason"], "quota", "{status}");
    proxy.vendors[0].heal();
    proxy.change(|proxy| proxy.write("secrets/vendor", "sk-of-another-account")).await;
    assert_eq!(served_by(&proxy.client().chat(false).await), FIRST, "a new secret starts fresh");
    assert_eq!((proxy.metric(&change("began")).await, proxy.metric(&change("ended")).await), (1.0, 1.0));
}

#[tokio::test]
async fn a_session_stays_with_the_credential_whose_cache_is_warm() {
    let proxy = two_credentials().start().await;
    let names = ["s-1", "s-2", "s-3", "s-4", "s-5", "s-6", "s-7", "s-8"];
    for round in 0..4 {
        for name in names {
            let body = chat_body(false).to_string();
            let answer = proxy.client().post_with("/v1/chat/completions", body, &[("x-session-id", name)]).await;
            assert_eq!(answer.status, 200, "{round}");
        }
    }
    let calls = by_credential(&proxy);
    assert!(calls.values().all(|calls| calls.is_multiple_of(4)), "a session changed its credential: {calls:?}");
    // without a name, what a conversation begins with tells it
    let before = by_credential(&proxy);
    for _ in 0..12 {
        assert_eq!(proxy.client().chat(false).await.status, 200);
    }
    let after = by_credential(&proxy);
    let grown: Vec<usize> = after.iter().map(|(name, calls)| calls - before.get(name).unwrap_or(&0)).collect();
    assert!(grown.contains(&12), "{grown:?}");
}

#[tokio::test]
async fn f_073_the_preferred_deployment_is_waited_for_as_long_as_the_pool_has_patience() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some("1".to_owned()));
    proxy.vendors[0].queue([Some(Fault::Status429)]);
    let began = Instant::now();
    assert_eq!(served_by(&proxy.client().chat(true).await), FIRST);
    assert!((Duration::from_secs(1)..Duration::from_secs(3)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(proxy.calls(), [2, 0]);
}

#[tokio::test]
async fn f_073_a_pool_without_patience_moves_at_once() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().pool("patience = \"0s\"").start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some("1".to_owned()));
    for (calls, fault) in [(1, Fault::Status429), (2, Fault::Status500)] {
        proxy.vendors[0].queue([Some(fault)]);
        assert_eq!(served_by(&proxy.client().chat(false).await), SECOND);
        assert_eq!(proxy.calls()[1], calls);
    }
}

#[tokio::test]
async fn a_server_error_that_passes_is_met_by_one_retry_of_the_same_deployment() {
    for fault in [Fault::Status500, Fault::Reset] {
        let proxy = Plan::two(Dialect::OpenaiChat).patient().start().await;
        proxy.vendors[0].queue([Some(fault)]);
        assert_eq!(served_by(&proxy.client().chat(true).await), FIRST, "{fault}");
        assert_eq!(proxy.calls(), [2, 0], "{fault}");
    }
}

#[tokio::test]
async fn f_074_a_vendor_that_throttles_for_ever_is_left_in_peace() {
    let proxy = Plan::two(Dialect::Anthropic).patient().start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some(String::new()));
    proxy.vendors[0].set_fault(Fault::Status429);
    let began = Instant::now();
    let mut calls = 0;
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(served_by(&proxy.client().message(false).await), SECOND);
        calls += 1;
    }
    assert!(calls > 20 && proxy.calls()[0] <= 4, "{calls} calls: {:?}", proxy.calls());
}

#[tokio::test]
async fn f_074_alone_a_throttled_vendor_is_asked_twice_and_the_client_told_when_to_come_back() {
    let proxy = Plan::of(&[("first", Dialect::Anthropic)]).patient().start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some(String::new()));
    proxy.vendors[0].set_fault(Fault::Status429);
    let answer = proxy.client().message(false).await;
    assert_eq!((answer.status, proxy.calls()), (429, vec![2]), "{}", answer.text());
    let wait = proxy.client().message(false).await;
    assert_eq!((wait.status, proxy.calls()), (429, vec![2]), "it rests meanwhile");
    assert!(wait.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
}
