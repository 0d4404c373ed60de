//! Limits of keys and teams over real sockets: what clients are told with every answer, and what refuses them.

use crate::support::client::{Answer, Client};
use crate::support::proxy::Plan;
use backstay::demo::vendor::{Cuts, Recording, Setup};
use backstay::dialect::Dialect;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

const PATH: &str = "/v1/chat/completions";

fn body() -> Value {
    json!({ "model": "smart", "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// The names and values of all headers about limits.
fn allowance(answer: &Answer) -> Vec<(String, String)> {
    let headers = answer.headers.iter().filter(|(name, _)| name.as_str().contains("ratelimit"));
    headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn number(answer: &Answer, name: &str) -> u64 {
    answer.header(name).parse().unwrap_or_else(|_| panic!("{name} in {:?}", answer.headers))
}

#[tokio::test]
async fn every_answer_to_a_limited_key_says_what_is_left() {
    let limit = "limit = { requests_per_minute = 3, tokens_per_minute = 500 }";
    let proxy = Plan::two(Dialect::OpenaiChat).patient().key(limit).start().await;
    let client = proxy.client();
    let first = client.post(PATH, &body()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let requests = ["limit", "remaining"].map(|what| number(&first, &format!("x-ratelimit-{what}-requests")));
    assert_eq!((requests, first.header("x-ratelimit-reset-requests").ends_with('s')), ([3, 2], true));
    assert_eq!(number(&first, "x-ratelimit-limit-tokens"), 500);
    let second = client.chat(true).await;
    assert!(number(&second, "x-ratelimit-remaining-tokens") < 500, "the first answer's tokens are gone");
    assert_eq!(number(&second, "x-ratelimit-remaining-requests"), 1);
    let wrong = client.post(PATH, &json!({ "model": "nobody", "messages": [] })).await;
    assert_eq!((wrong.status, number(&wrong, "x-ratelimit-limit-requests")), (404, 3));
    assert_eq!(client.post(PATH, &body()).await.status, 200);
    let refused = client.post(PATH, &body()).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!("rate_limited")));
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    assert!((1..=23).contains(&number(&refused, "retry-after")), "a third of a minute, and some jitter");
    assert!(refused.text().contains("requests_per_minute"));
}

#[tokio::test]
async fn tokens_are_paid_afterwards_and_a_debt_refuses() {
    let proxy = Plan::two(Dialect::Anthropic).patient().key("limit = { tokens_per_minute = 20 }").start().await;
    let first = proxy.client().post("/v1/messages", &body()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let refused = proxy.client().post("/v1/messages", &body()).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (429, &json!("rate_limit_error")));
    assert!(refused.text().contains("tokens_per_minute"), "{}", refused.text());
    assert_eq!(number(&refused, "anthropic-ratelimit-tokens-remaining"), 0);
    assert_eq!(number(&refused, "anthropic-ratelimit-tokens-limit"), 20);
    let reset = refused.header("anthropic-ratelimit-tokens-reset").parse::<jiff::Timestamp>();
    assert!(reset.is_ok_and(|reset| reset > jiff::Timestamp::now()));
    assert!(number(&refused, "retry-after") > 1);
    assert_eq!(proxy.calls(), [1, 0]);
    assert_eq!(proxy.metric("backstay_limit_rejected_total{limit=\"tokens_per_minute\"}").await, 1.0);
}

#[tokio::test]
async fn a_teams_limit_holds_for_its_keys_together() {
    let team = "[team.research]\nlimit = { requests_per_minute = 2 }\n\
                [key.other]\nsecret = { file = \"secrets/other\" }\nteam = \"research\"\nresidency = \"any\"\ndata = []\n";
    let proxy = Plan::two(Dialect::OpenaiChat)
        .key("team = \"research\"\nlimit = { requests_per_minute = 100 }")
        .with(team)
        .file("secrets/other", "sk-test-other-4411")
        .start()
        .await;
    let other = Client::new(proxy.address(), &proxy.authority, "sk-test-other-4411");
    let first = proxy.client().post(PATH, &body()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(number(&first, "x-ratelimit-remaining-requests"), 1, "the tighter limit is told");
    assert_eq!(other.post(PATH, &body()).await.status, 200);
    assert_eq!(other.post(PATH, &body()).await.status, 429);
    assert_eq!(proxy.client().post(PATH, &body()).await.status, 429);
}

#[tokio::test]
async fn a_vendors_own_limits_never_reach_a_client() {
    let told = json!({ "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" }] });
    let headers = [
        ("content-type", "application/json"),
        ("x-ratelimit-limit-requests", "5000"),
        ("x-ratelimit-remaining-tokens", "4999"),
        ("anthropic-ratelimit-requests-remaining", "7"),
        ("retry-after", "9"),
    ];
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let replay = |status, body: Value| {
        let body = Bytes::from(body.to_string());
        Some(Arc::new(Recording { status, headers: headers.clone(), body, cuts: Cuts::Whole }))
    };
    let refusal =
        json!({ "error": { "message": "bad", "type": "invalid_request_error", "param": null, "code": null } });
    for (status, body_of_vendor) in [(200, told), (400, refusal)] {
        let setup = |mut setup: Setup| {
            setup.script.replay = replay(status, body_of_vendor.clone());
            setup
        };
        let proxy = Plan::of(&[("first", Dialect::OpenaiChat)]).setup(0, setup).start().await;
        let answer = proxy.client().post(PATH, &body()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!((allowance(&answer), answer.header("retry-after")), (Vec::new(), ""));
    }
}
