//! What runs while a reload forbids it: it may finish, unless the policy says `@inflight("stop")`.

use crate::support::client::{Begun, chat_body};
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Fault, Setup};
use backstay::dialect::Dialect;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

const PERMIT: &str = "@id(\"all\")\npermit (principal, action == Action::\"call\", resource);\n";
const STOP_FIRST: &str =
    "@id(\"stop-first\") @inflight(\"stop\")\nforbid (principal, action, resource in Vendor::\"first\");\n";
const NOT_FIRST: &str = "@id(\"not-first\")\nforbid (principal, action, resource in Vendor::\"first\");\n";

/// Streams of some seconds: long enough for a reload in between.
fn slow(mut setup: Setup) -> Setup {
    setup.script.words = 100;
    setup.script.pause = Duration::from_millis(50);
    setup
}

async fn begin(proxy: &Proxy, client: Dialect) -> Begun {
    let path = if client == Dialect::Anthropic { "/v1/messages" } else { "/v1/chat/completions" };
    let mut body = chat_body(true);
    body["max_tokens"] = json!(1000);
    let mut stream = proxy.client().begin(path, &body).await;
    assert_eq!(stream.status(), 200);
    stream.next().await;
    stream
}

async fn forbid(proxy: &Proxy, policy: &str) {
    let last = proxy.change(|proxy| proxy.write("policies/own.cedar", policy)).await;
    assert!(last.accepted, "{:?}", last.diagnostics);
}

#[tokio::test]
async fn f_090_a_stream_that_is_newly_forbidden_may_finish() {
    let proxy = Plan::two(Dialect::OpenaiChat).setup(0, slow).policy("base.cedar", PERMIT).patient().start().await;
    let stream = begin(&proxy, Dialect::OpenaiChat).await;
    forbid(&proxy, NOT_FIRST).await;
    let answer = stream.finish().await;
    assert!(answer.clean && answer.said() == proxy.vendors[0].text(), "{}", answer.text());
}

#[tokio::test]
async fn a_stream_is_stopped_where_the_policy_says_so_and_ends_honestly() {
    for client in [Dialect::OpenaiChat, Dialect::Anthropic] {
        let proxy = Plan::two(Dialect::OpenaiChat).setup(0, slow).policy("base.cedar", PERMIT).patient().start().await;
        let stream = begin(&proxy, client).await;
        forbid(&proxy, STOP_FIRST).await;
        let swapped = Instant::now();
        let answer = stream.finish().await;
        assert!(swapped.elapsed() < Duration::from_secs(1), "it took {:?}", swapped.elapsed());
        let text = answer.text();
        assert!(!answer.clean, "the connection ends cleanly: {text}");
        assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
        assert!(answer.events().pop().is_some_and(|last| last.contains("error") && last.contains("Policy")), "{text}");
        let line = &proxy.log.wait_for(1).await[0];
        assert_eq!((&line["outcome"], &line["attempts"][0]["class"]), (&json!("broken"), &json!("recalled")), "{line}");
        // the vendor did nothing wrong
        let status = proxy.status().await;
        assert_eq!(status["pools"][0]["deployments"][0]["state"], "closed", "{status}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_stopped_too_and_the_vendor_is_let_go() {
    let proxy = Plan::two(Dialect::OpenaiChat).policy("base.cedar", PERMIT).patient().start().await;
    proxy.vendors[0].set_fault(Fault::Stall);
    let stream = begin(&proxy, Dialect::OpenaiChat).await;
    forbid(&proxy, STOP_FIRST).await;
    let swapped = Instant::now();
    let answer = stream.finish().await;
    assert!(swapped.elapsed() < Duration::from_secs(1) && !answer.clean, "{:?}", swapped.elapsed());
}

#[tokio::test]
async fn what_has_no_content_yet_is_moved_to_another_deployment_unseen() {
    for stream in [false, true] {
        let proxy = Plan::two(Dialect::OpenaiChat).policy("base.cedar", PERMIT).patient().start().await;
        proxy.vendors[0].set_fault(Fault::Silence);
        let client = proxy.client();
        let waiting = tokio::spawn(async move { client.chat(stream).await });
        while proxy.calls()[0] == 0 {
            tokio::task::yield_now().await;
        }
        forbid(&proxy, STOP_FIRST).await;
        let answer = waiting.await.unwrap();
        assert_eq!((answer.status, answer.said()), (200, proxy.vendors[1].text()), "{}", answer.text());
    }
}

#[tokio::test]
async fn policies_that_break_their_tests_and_zones_with_unknown_countries_are_not_served() {
    let test = |candidates: &str| {
        format!(
            "[vendor.v]\n[deployment.\"v/m\"]\n[key.k]\n[[test]]\nname = \"all may\"\nkey = \"k\"\ncandidates = [{candidates}]\n"
        )
    };
    let proxy = Plan::two(Dialect::OpenaiChat)
        .policy("base.cedar", PERMIT)
        .policy("tests/base.toml", &test("\"v/m\""))
        .start()
        .await;
    let generation = proxy.generation();
    for (file, text, words) in [
        ("policies/own.cedar", "@id(\"nobody\") forbid (principal, action, resource);".to_owned(), "tests/base.toml:5"),
        ("policies/tests/base.toml", test(""), "v/m may be used, but should not be"),
        (
            "policies/zones.toml",
            "as_of = \"2026-11-22\"\n[zone.X1]\nsource = \"x\"\nmembers = [\"ZX\"]".to_owned(),
            "zones.toml:4",
        ),
    ] {
        let before = fs::read_to_string(proxy.path(file)).ok();
        let last = proxy.change(|proxy| proxy.write(file, &text)).await;
        let said = last.diagnostics.join("\n");
        assert!(!last.accepted && said.contains(words), "{file}: {said}");
        assert_eq!(proxy.generation(), generation);
        assert_eq!(proxy.client().chat(false).await.status, 200);
        let status = proxy.status().await;
        assert!(status["last_reload"]["diagnostics"].to_string().contains("policies/"), "{status}");
        let last = proxy
            .change(|proxy| match &before {
                Some(before) => proxy.write(file, before),
                None => fs::remove_file(proxy.path(file)).unwrap(),
            })
            .await;
        assert!(last.accepted, "{:?}", last.diagnostics);
    }
    assert!(proxy.metric("backstay_reload_total{file=\"policy\",result=\"rejected\"}").await >= 3.0);
}

/// What rests is no call, but it is a connection to somebody whom nobody may call: the reload ends it, not its age.
#[tokio::test]
async fn f_094_nothing_rests_at_a_vendor_that_a_reload_has_excluded_or_dropped() {
    for (file, change) in [("policies/own.cedar", Some(NOT_FIRST)), ("backstay.toml", None)] {
        for http2 in [false, true] {
            let setup = |mut setup: Setup| {
                setup.http2 = http2;
                setup
            };
            let plan = Plan::two(Dialect::OpenaiChat).setup(0, setup).setup(1, setup).policy("base.cedar", PERMIT);
            let proxy = plan.start().await;
            let open = |vendor: usize| proxy.vendors[vendor].log().ask(|entries| entries.open().count());
            assert_eq!((proxy.client().chat(false).await.status, open(0)), (200, 1));
            let without = || proxy.read(file).replace("\"first/model-of-first\", ", "");
            let last = proxy.change(|proxy| proxy.write(file, &change.map_or_else(without, str::to_owned))).await;
            assert!(last.accepted, "{:?}", last.diagnostics);
            let closed = proxy.vendors[0].log();
            let closed = closed.wait_for(|entries| entries.open().count() == 0);
            tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the end of the resting connection");
            // whoever may still be called keeps what rests there
            assert_eq!(proxy.client().chat(false).await.status, 200);
            let last =
                proxy.change(|proxy| proxy.write("policies/more.cedar", &NOT_FIRST.replace("not-", "never-"))).await;
            assert!(last.accepted, "{:?}", last.diagnostics);
            assert_eq!(proxy.client().chat(false).await.status, 200);
            assert_eq!(proxy.vendors[1].log().ask(|entries| entries.connections.len()), 1, "{file} {http2}");
            assert_eq!(proxy.vendors[0].log().ask(|entries| entries.connections.len()), 1, "{file} {http2}");
        }
    }
}

#[tokio::test]
async fn f_094_a_connection_that_carried_a_stream_to_its_end_does_not_rest_at_an_excluded_vendor() {
    let proxy = Plan::two(Dialect::OpenaiChat).setup(0, slow).policy("base.cedar", PERMIT).patient().start().await;
    let stream = begin(&proxy, Dialect::OpenaiChat).await;
    forbid(&proxy, NOT_FIRST).await;
    assert!(stream.finish().await.clean);
    let log = proxy.vendors[0].log();
    let closed = log.wait_for(|entries| entries.open().count() == 0);
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the end of the connection");
}
