//! Restrictions through the real proxy: clients notice nothing, nobody asks again, and only on purpose is it lifted.

use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Cuts, Fault, Recording};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::sync::Arc;

/// The first deployment of the first pool, as the status page has it.
fn first(status: &Value) -> &Value {
    &status["pools"][0]["deployments"][0]
}

async fn served_by(proxy: &Proxy) -> String {
    let answer = proxy.client().chat(false).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-backstay-served-by").to_owned()
}

/// A proxy whose first vendor has refused our region once.
async fn region_denied(plan: Plan) -> Proxy {
    let proxy = plan.start().await;
    proxy.vendors[0].queue([Some(Fault::RegionDenied)]);
    assert_eq!(served_by(&proxy).await, "second/model-of-second", "the client does not notice");
    proxy
}

#[tokio::test]
async fn f_082_a_refused_region_is_quarantined_over_a_restart_until_it_is_released() {
    let proxy = region_denied(Plan::two(Dialect::OpenaiChat).pool("probe_every = \"1s\"")).await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    assert_eq!(proxy.vendors[0].log().calls(), 1, "it would answer again, and is not asked");

    let status = proxy.status().await;
    assert_eq!(first(&status)["state"], "restricted");
    let restriction = &status["restrictions"][0];
    assert_eq!((&restriction["cause"], &restriction["by"]), (&json!("region_denied"), &json!("vendor")));
    assert_eq!(restriction["reach"], json!({ "vendor": "first", "endpoint": "first", "region": "us" }));
    for (series, value) in [
        ("backstay_restrictions_total{cause=\"region_denied\",change=\"began\"}", 1.0),
        ("backstay_restricted{deployment=\"first/model-of-first\"}", 1.0),
    ] {
        assert_eq!(proxy.metric(series).await, value, "{series}");
    }

    let id = restriction["id"].clone();
    let kept = |proxy: &Proxy| std::fs::read_to_string(proxy.path("state/restrictions.json"));
    crate::support::serving::soon("the restriction on the disk", async {
        while kept(&proxy).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let proxy = proxy.restart().await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    assert_eq!(proxy.vendors[0].log().calls(), 1);

    let (status, body) = proxy.operate("/release", &json!({ "id": id })).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    assert!(!kept(&proxy).unwrap().contains("region_denied"));
    assert_eq!(proxy.operate("/release", &json!({ "id": id })).await.0, 404, "it is released once");
}

#[tokio::test]
async fn f_082_f_094_no_probe_goes_where_a_restriction_is() {
    let proxy = region_denied(Plan::two(Dialect::OpenaiChat).pool("probe_every = \"1ms\"")).await;
    let requests = |vendor: usize| proxy.vendors[vendor].log().ask(|entries| entries.requests.len());
    let before = requests(0);
    crate::support::serving::soon("two probes of the other vendor", async {
        while proxy.metric("backstay_probes_total{node=\"second\",class=\"ok\"}").await < 2.0 && requests(1) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(requests(0), before, "the restricted vendor is not probed");
}

#[tokio::test]
async fn a_model_that_a_listing_lacks_is_withdrawn_and_found_again() {
    let proxy = Plan::two(Dialect::OpenaiChat).pool("probe_every = \"1s\"").start().await;
    proxy.vendors[0].queue([Some(Fault::Status404)]);
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    let status = proxy.until("the confirmed withdrawal", |status| first(status)["state"] == "restricted").await;
    assert_eq!(status["restrictions"][0]["cause"], "model_gone");
    assert_eq!(status["restrictions"][0]["reach"]["model"], "model-of-first");
    proxy.vendors[0].change_script(|script| script.model = Some("model-of-first".to_owned()));
    proxy.until("the release", |status| status["restrictions"] == json!([])).await;
    assert_eq!(proxy.metric("backstay_restrictions_total{cause=\"model_gone\",change=\"ended\"}").await, 1.0);
}

#[tokio::test]
async fn a_404_for_what_the_client_named_says_nothing_of_the_model() {
    let granted = "server_ids = [\"only/file_1\"]";
    let proxy = Plan::of(&[("only", Dialect::Anthropic)]).key(granted).start().await;
    proxy.vendors[0].queue([Some(Fault::Status404)]);
    let file = json!({ "type": "document", "source": { "type": "file", "file_id": "file_1" } });
    let body = json!({ "model": "smart", "max_tokens": 16, "messages": [{ "role": "user", "content": [file] }] });
    let answer = proxy.client().post_with("/v1/messages", body.to_string(), &[]).await;
    assert_eq!(answer.status, 404, "the client hears what the vendor said: {}", answer.text());
    assert_eq!(first(&proxy.status().await)["state"], "closed");
}

#[tokio::test]
async fn an_operator_restricts_and_releases() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    let (status, body) = proxy.operate("/restrict", &json!({ "vendor": "first", "reason": "an order" })).await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["deployments"], json!(["first/model-of-first"]));
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    assert_eq!(proxy.operate("/restrict", &json!({ "vendor": "first" })).await.0, 409, "it is restricted already");
    assert_eq!(proxy.operate("/release", &answer["restricted"]).await.0, 422, "the id alone is asked for");
    assert_eq!(proxy.operate("/release", &json!({ "id": answer["restricted"]["id"] })).await.0, 200);
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    for (wish, status) in
        [(json!({}), 422), (json!({ "vendor": "frist" }), 422), (json!({ "vendor": "first", "modle": "m" }), 422)]
    {
        assert_eq!(proxy.operate("/restrict", &wish).await.0, status, "{wish}");
    }
}

#[tokio::test]
async fn when_only_what_is_restricted_is_left_waiting_is_not_advised() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).start().await;
    proxy.operate("/restrict", &json!({ "endpoint": "only", "model": "model-of-only" })).await;
    let answer = proxy.client().chat(false).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (403, "policy_denied".into()));
    assert_eq!((answer.header("x-should-retry"), answer.header("retry-after")), ("false", ""));
    assert!(!answer.text().contains("model-of-only"), "clients learn why, not whom we have: {}", answer.text());
    assert_eq!(proxy.vendors[0].log().calls(), 0);
}

#[tokio::test]
async fn a_restriction_meets_an_exchange_that_has_begun() {
    let slow = |mut setup: backstay::demo::vendor::Setup| {
        setup.script.pause = std::time::Duration::from_millis(1);
        setup
    };
    // the first vendor stays silent until its headers are overdue; meanwhile the second is restricted
    let proxy = Plan::two(Dialect::OpenaiChat).setup(1, slow).start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    let client = proxy.client();
    let call = tokio::spawn(async move { client.chat(true).await });
    crate::support::serving::soon("the first attempt", async {
        while proxy.vendors[0].log().calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    proxy.operate("/restrict", &json!({ "vendor": "second" })).await;
    assert_ne!(call.await.unwrap().status, 200);
    assert_eq!(proxy.vendors[1].log().calls(), 0, "it was a candidate when the exchange began");
}

/// Has the first vendor answer every call with this.
fn replay(proxy: &Proxy, headers: &[(&str, &str)], body: &str, cuts: Cuts) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let recording = Recording { status: 200, headers, body: body.to_owned().into(), cuts };
    proxy.vendors[0].change_script(|script| {
        script.replay = Some(Arc::new(recording));
        script.pause = std::time::Duration::from_millis(50);
    });
}

const WHOLE: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;

#[tokio::test]
async fn f_093_an_answer_from_elsewhere_takes_the_deployment_out() {
    let check = async |declared: &'static str, observed: &str, out: bool| {
        let proxy = Plan::two(Dialect::OpenaiChat).region(0, declared).start().await;
        replay(&proxy, &[("content-type", "application/json"), ("x-ms-region", observed)], WHOLE, Cuts::Whole);
        assert_eq!(served_by(&proxy).await, "first/model-of-first", "what it was sent is sent");
        let status = proxy.status().await;
        let restricted = first(&status)["state"] == "restricted";
        assert_eq!(restricted, out, "declared {declared}, observed {observed}: {status:#}");
        if out {
            let restriction = &status["restrictions"][0];
            assert_eq!(restriction["cause"], "region_contradicted");
            assert_eq!(restriction["reason"], format!("an answer came from {observed}"));
            assert_eq!(served_by(&proxy).await, "second/model-of-second");
            assert_eq!(proxy.calls()[0], 1);
            let began = "backstay_restrictions_total{cause=\"region_contradicted\",change=\"began\"}";
            assert_eq!(proxy.metric(began).await, 1.0, "told of once");
            // whoever declares what is true has it back
            proxy
                .change(|proxy| proxy.edit("backstay.toml", &format!("region = \"{declared}\""), "region = \"se\""))
                .await;
            assert_eq!(served_by(&proxy).await, "first/model-of-first");
        }
    };
    check("eu-central-1", "Sweden Central", true).await;
    check("eu", "Sweden Central", false).await;
    // nobody knows such a region, or where it should have been
    check("us", "yul", false).await;
    check("unknown", "Sweden Central", false).await;
}

/// An answer of Anthropic's that says where it was made, as one message and as a stream.
fn answered_in(place: &str) -> [String; 2] {
    let usage =
        format!(r#"{{"input_tokens":1,"output_tokens":1,"service_tier":"standard","inference_geo":"{place}"}}"#);
    let message = |content: &str, stop: &str| {
        format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"claude","content":[{content}],"stop_reason":{stop},"stop_sequence":null,"usage":{usage}}}"#
        )
    };
    let events = [
        format!(r#"{{"type":"message_start","message":{}}}"#, message("", "null")),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#.to_owned(),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}"#
            .to_owned(),
        r#"{"type":"message_stop"}"#.to_owned(),
    ];
    [
        message(r#"{"type":"text","text":"Hi"}"#, r#""end_turn""#),
        events.map(|data| format!("data: {data}\n\n")).concat(),
    ]
}

#[tokio::test]
async fn f_093_an_answer_that_says_in_its_body_that_it_is_from_elsewhere_takes_the_deployment_out() {
    let check = async |declared: &'static str, more: &str, place: &str, observed: Option<&str>, out: bool| {
        for (streamed, body) in [false, true].into_iter().zip(answered_in(place)) {
            let vendors = [("first", Dialect::Anthropic), ("second", Dialect::OpenaiChat)];
            let proxy = Plan::of(&vendors).region(0, declared).with(more).start().await;
            let kind = if streamed { "text/event-stream" } else { "application/json" };
            replay(&proxy, &[("content-type", kind)], &body, Cuts::Whole);
            let answer = proxy.client().chat(streamed).await;
            assert_eq!(answer.header("x-backstay-served-by"), "first/model-of-first", "{}", answer.text());
            let told = format!("declared {declared}, answered in {place}, streamed {streamed}");
            let restricted = proxy.status().await["restrictions"].clone();
            assert_eq!(restricted[0]["cause"] == "region_contradicted", out, "{told}: {restricted:#}");
            if out {
                assert_eq!(restricted[0]["reason"], format!("an answer came from {place}"));
                assert_eq!(served_by(&proxy).await, "second/model-of-second", "{told}");
            }
            assert_eq!(recorded(proxy).await.as_deref(), observed, "{told}");
        }
    };
    const ENFORCED: &str = "[policy]\nenforce_observed_region = true\n";
    check("eu", "", "us", Some("us"), true).await;
    check("us", "", "us", Some("us"), false).await;
    check("us", ENFORCED, "us", Some("us"), false).await;
    // this names no place, so that it contradicts none, and confirms none
    check("us", "", "global", Some("global"), false).await;
    check("us", ENFORCED, "global", Some("global"), true).await;
    check("unknown", ENFORCED, "global", Some("global"), false).await;
    // recordings of models that are older than the member
    check("eu", ENFORCED, "not_available", None, false).await;
}

/// Where the first attempt was answered, as the decision log has it. Ends the proxy.
async fn recorded(proxy: Proxy) -> Option<String> {
    let prepared = proxy.end().await;
    let log =
        std::fs::read_to_string(prepared.directory.path().join("state/decisions/decisions-000001.jsonl")).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let attempt = records.map(|record| record["attempts"][0].clone()).find(|attempt| !attempt.is_null());
    attempt.expect("an attempt on record")["region_observed"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_stream_is_a_restriction_too() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    let chunk = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}"#;
    let refusal = r#"{"error":{"message":"Country, region, or territory not supported","type":"request_forbidden","code":"unsupported_country_region_territory","param":null}}"#;
    let content = format!("data: {chunk}\n\n");
    let cuts = Cuts::Lengths(vec![content.len()]);
    replay(&proxy, &[("content-type", "text/event-stream")], &format!("{content}data: {refusal}\n\n"), cuts);
    let answer = proxy.client().chat(true).await;
    assert!(answer.text().contains("Hi") && !answer.clean, "{}", answer.text());
    let status = proxy.status().await;
    assert_eq!(status["restrictions"][0]["cause"], "region_denied", "{status:#}");
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
}
