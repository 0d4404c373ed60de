//! Sixteen ways in which a primary fails, against the real binary over sockets: one streamed chat call of sixty words unless
//! said, one fallback, and a client that must notice nothing but what it has to know.

use crate::process::Serving;
use crate::support::client::{Answer, chat_body};
use crate::support::proxy::{Plan, Prepared};
use backstay::config::defaults;
use backstay::demo::vendor::{Cuts, Fault, Recording, RestManner, Setup};
use backstay::dialect::Dialect;
use backstay::exchange::LINGER;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";

/// A primary and a fallback of OpenAI's dialect in a pool that carries streams on.
fn pool() -> Plan {
    Plan::of(&[("primary", Dialect::OpenaiChat), ("fallback", Dialect::OpenaiChat)]).pool("continuation = true")
}

/// The running proxy, and what stands behind it.
struct Scene {
    prepared: Prepared,
    serving: Serving,
}

impl Scene {
    /// The primary is at fault in this way for ever.
    async fn of(fault: Fault) -> Self {
        Self::set(pool(), |scene| scene.prepared.vendors[0].set_fault(fault)).await
    }

    /// The primary is at fault in this way once.
    async fn once(plan: Plan, fault: Fault) -> Self {
        Self::set(plan, |scene| scene.prepared.vendors[0].queue([Some(fault)])).await
    }

    async fn set(plan: Plan, fault: impl FnOnce(&Self)) -> Self {
        let prepared = plan.prepare().await;
        let serving = Serving::start(&prepared);
        let scene = Self { prepared, serving };
        fault(&scene);
        scene
    }

    async fn ask(&self) -> Answer {
        let mut body = chat_body(true);
        body["stream_options"] = json!({"include_usage": true});
        self.serving.client().post(PATH, &body).await
    }

    fn calls(&self) -> [usize; 2] {
        [0, 1].map(|vendor| self.prepared.vendors[vendor].log().calls())
    }

    fn words(&self) -> String {
        self.prepared.vendors[1].text()
    }

    /// All sixty words, each once, with a finish reason, usage and a terminator; by `model`.
    fn is_whole(&self, answer: &Answer, model: &str) {
        let text = answer.text();
        assert_eq!((answer.status, answer.clean), (200, true), "{text}");
        assert_eq!(answer.said(), self.words(), "{text}");
        assert_eq!(answer.said().split_whitespace().count(), 60);
        let events: Vec<Value> = answer.events().iter().filter_map(|data| serde_json::from_str(data).ok()).collect();
        let finishes: Vec<_> =
            events.iter().filter_map(|event| event["choices"][0]["finish_reason"].as_str()).collect();
        assert_eq!(finishes, ["stop"], "{text}");
        let usage = events.iter().filter(|event| event["usage"]["completion_tokens"].as_u64() > Some(0)).count();
        assert_eq!(usage, 1, "{text}");
        assert!(text.ends_with("data: [DONE]\n\n") && text.matches("[DONE]").count() == 1, "{text}");
        let last = events.iter().rev().find(|event| event["choices"][0]["delta"]["content"].is_string());
        assert_eq!(last.expect("content")["model"], model, "{text}");
    }
}

const PRIMARY: &str = "model-of-primary";
const FALLBACK: &str = "model-of-fallback";

fn retry_after(seconds: &'static str) -> impl FnOnce(Setup) -> Setup {
    move |mut setup| {
        setup.script.retry_after = Some(seconds.to_owned());
        setup
    }
}

#[tokio::test]
async fn s01_a_short_throttle_is_waited_out_at_the_primary() {
    let plan = pool().setup(0, retry_after("2")).patient();
    let scene = Scene::once(plan, Fault::Status429).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, PRIMARY);
    assert_eq!(scene.calls(), [2, 0]);
    let tries: Vec<_> = scene.prepared.vendors[0].log().entries().requests.iter().map(|request| request.at).collect();
    let gap = tries[1].duration_since(tries[0]);
    assert!(gap >= Duration::from_secs(2), "the vendor asked for two seconds and got {gap:?}");
}

#[tokio::test]
async fn s02_a_throttle_without_end_is_not_hammered() {
    let plan = pool().setup(0, retry_after("")).setup(1, retry_after(""));
    let all_throttled =
        |scene: &Scene| scene.prepared.vendors.iter().for_each(|vendor| vendor.set_fault(Fault::Status429));
    let scene = Scene::set(plan, all_throttled).await;
    let answer = scene.ask().await;
    assert_eq!((answer.status, answer.header("x-should-retry")), (429, "false"), "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty());
    let [primary, fallback] = scene.calls();
    assert!(primary <= 3 && primary + fallback <= 4, "{primary} and {fallback} tries");

    let scene = Scene::of(Fault::Status429).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert!(scene.calls()[0] <= 2);
}

#[tokio::test]
async fn s03_one_500_costs_one_retry() {
    let scene = Scene::once(pool(), Fault::Status500).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, PRIMARY);
    assert_eq!(scene.calls(), [2, 0]);
}

#[tokio::test]
async fn s04_a_primary_that_is_unavailable_is_replaced() {
    let scene = Scene::of(Fault::Status503).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);
}

#[tokio::test]
async fn s05_a_reset_before_any_byte_is_unseen() {
    let scene = Scene::of(Fault::Reset).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [2, 1], "a reset often passes, and is tried once more");
}

#[tokio::test]
async fn s06_a_silent_primary_is_left_after_its_limit_and_not_retried() {
    let scene = Scene::of(Fault::Silence).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);
    let log = scene.serving.log().await;
    assert_eq!(log[0]["attempts"][0]["class"], "headers_timeout", "{}", log[0]);
    assert!(
        defaults::HEADERS <= Duration::from_secs(90),
        "with the time of the fallback the answer is there within 100 s"
    );
}

#[tokio::test]
async fn s06_an_unstreamed_call_to_a_silent_primary_is_answered_too() {
    let scene = Scene::of(Fault::Silence).await;
    let answer = scene.serving.client().chat(false).await;
    assert_eq!((answer.status, answer.said()), (200, scene.words()), "{}", answer.text());
    assert_eq!(scene.calls(), [1, 1]);
    assert!(
        defaults::ANSWER <= Duration::from_secs(95),
        "with the time of the fallback the answer is there within 100 s"
    );
}

#[tokio::test]
async fn s07_headers_alone_do_not_hold_failover_up() {
    let scene = Scene::of(Fault::SlowFirstContent).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);
    let log = scene.serving.log().await;
    assert_eq!(log[0]["attempts"][0]["class"], "first_content_timeout", "{}", log[0]);
    assert!(defaults::FIRST_CONTENT <= Duration::from_secs(10), "the answer is there within 15 s");
}

fn break_after(words: usize) -> impl FnOnce(Setup) -> Setup {
    move |mut setup| {
        setup.script.break_after_words = words;
        setup
    }
}

#[tokio::test]
async fn s08_a_stream_cut_after_forty_words_reaches_its_end() {
    let plan = pool().setup(0, break_after(40));
    let scene = Scene::set(plan, |scene| scene.prepared.vendors[0].set_fault(Fault::CutClose)).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);
}

#[tokio::test]
async fn s09_a_stream_that_falls_silent_reaches_its_end() {
    let scene = Scene::of(Fault::Stall).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);
    let log = scene.serving.log().await;
    assert_eq!(log[0]["attempts"][0]["class"], "stream_idle", "{}", log[0]);
    assert!(defaults::IDLE <= Duration::from_secs(30), "the answer is whole within 45 s");
}

#[tokio::test]
async fn s10_a_malformed_event_costs_no_word() {
    let plan = pool().setup(0, break_after(10));
    let scene = Scene::set(plan, |scene| scene.prepared.vendors[0].set_fault(Fault::MalformedEvent)).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
}

#[tokio::test]
async fn s11_everything_but_the_terminator_is_a_whole_answer() {
    for fault in [Fault::NoTerminator, Fault::TerminatorWithheld] {
        let scene = Scene::of(fault).await;
        let answer = scene.ask().await;
        scene.is_whole(&answer, PRIMARY);
        assert_eq!(scene.calls(), [1, 0], "{fault}");
    }
    assert!(LINGER < Duration::from_secs(8), "with the answer's own time it is whole within 8 s");
}

#[tokio::test]
async fn s12_what_is_too_long_is_not_resent_to_the_same_model() {
    let scene = Scene::of(Fault::ContextLength).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(scene.calls(), [1, 1]);

    let both = |scene: &Scene| scene.prepared.vendors.iter().for_each(|vendor| vendor.set_fault(Fault::ContextLength));
    let scene = Scene::set(pool(), both).await;
    let answer = scene.ask().await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("context_length_exceeded")));
    assert_eq!(scene.calls(), [1, 1], "once each: nowhere at the same size again");
}

#[tokio::test]
async fn s13_what_is_refused_for_its_content_is_told_and_not_shopped_around() {
    let refusal = json!({"error": {"message": "Your request was rejected as a result of our safety system.",
        "type": "invalid_request_error", "param": null, "code": "content_policy_violation"}});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let recording = Recording { status: 400, headers, body: refusal.to_string().into(), cuts: Cuts::Whole };
    let refuses = |mut setup: Setup| {
        setup.script.replay = Some(recording.into());
        setup
    };
    let scene = Scene::set(pool().setup(0, refuses), |_| {}).await;
    let answer = scene.ask().await;
    assert_eq!((answer.status, answer.json()), (400, refusal));
    assert_eq!(scene.calls(), [1, 0]);
}

#[tokio::test]
async fn s14_a_fallback_that_refuses_a_prefill_carries_the_stream_on_all_the_same() {
    let refuses = |mut setup: Setup| {
        setup.script.rest = RestManner::RefuseBeginning;
        setup
    };
    let anthropic = Plan::of(&[("primary", Dialect::OpenaiChat), ("fallback", Dialect::Anthropic)]);
    for plan in [pool(), anthropic.pool("continuation = true")] {
        let plan = plan.setup(0, break_after(40)).setup(1, refuses);
        let scene = Scene::set(plan, |scene| scene.prepared.vendors[0].set_fault(Fault::CutReset)).await;
        let answer = scene.ask().await;
        scene.is_whole(&answer, FALLBACK);
    }
}

#[tokio::test]
async fn s15_an_outage_is_served_through_and_its_end_is_noticed() {
    let plan = pool().pool("breaker = { open = \"50ms\", cap = \"100ms\" }\nprobe_every = \"50ms\"");
    let scene = Scene::set(plan, |scene| scene.prepared.vendors[0].set_fault(Fault::Refuse)).await;
    for call in 0..20 {
        let answer = scene.ask().await;
        assert_eq!((answer.status, answer.said()), (200, scene.words()), "call {call}: {}", answer.text());
    }
    scene.prepared.vendors[0].heal();
    let used_again = async {
        while !scene.ask().await.header("x-backstay-served-by").starts_with("primary") {
            tokio::task::yield_now().await;
        }
    };
    let watchdog = Duration::from_secs(60);
    tokio::time::timeout(watchdog, used_again).await.expect("the primary is used again");
    assert!(defaults::BREAKER_OPEN * 4 <= Duration::from_secs(30));
}

#[tokio::test]
async fn s16_the_answer_names_who_gave_it_and_what_it_took() {
    let scene = Scene::of(Fault::Status503).await;
    let answer = scene.ask().await;
    scene.is_whole(&answer, FALLBACK);
    assert_eq!(answer.header("x-backstay-served-by"), "fallback/model-of-fallback");
    let whole = scene.serving.client().chat(false).await.json();
    assert_eq!(whole["model"], FALLBACK);
    assert!(whole["usage"]["total_tokens"].as_u64() > Some(0), "{whole}");
    let log = scene.serving.log().await;
    for line in &log {
        assert_eq!(line["served_by"], "fallback/model-of-fallback", "{line}");
        assert!(line["tokens"]["output"].as_u64() > Some(0), "{line}");
    }
}
