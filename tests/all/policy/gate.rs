//! The gate: whatever clients send and vendors do, what policy excludes is not even connected to.

use crate::support::client::{Answer, chat_body};
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CHAT: &str = "/v1/chat/completions";
const BASE: &str = include_str!("../../../policies/base.cedar");
const PERMIT: &str = "@id(\"all\")\npermit (principal, action == Action::\"call\", resource);\n";
const NOT_FIRST: &str = "@id(\"not-first\")\nforbid (principal, action, resource in Vendor::\"first\");\n";

/// Connections that the vendor has seen, whatever came of them.
fn connections(proxy: &Proxy, vendor: usize) -> usize {
    proxy.vendors[vendor].log().ask(|entries| entries.connections.len())
}

/// `first` and `second` of a dialect, and a policy that excludes the first for everybody.
fn without_first(dialect: Dialect) -> Plan {
    Plan::two(dialect).policy("base.cedar", BASE).policy("own.cedar", NOT_FIRST)
}

async fn ask(proxy: &Proxy, body: Value, headers: &[(&str, &str)]) -> Answer {
    proxy.client().post_with(CHAT, body.to_string(), headers).await
}

#[tokio::test]
async fn f_085_a_thousand_requests_do_not_touch_the_excluded() {
    let proxy = without_first(Dialect::OpenaiChat).start().await;
    proxy.vendors[1].set_fault(Fault::Refuse);
    for request in 0..1_000 {
        let answer = proxy.client().chat(request % 2 == 0).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    assert_eq!(connections(&proxy, 0), 0);
}

#[tokio::test]
async fn f_086_when_policy_leaves_nothing_the_answer_says_so_and_names_nobody() {
    for dialect in [Dialect::OpenaiChat, Dialect::Anthropic] {
        let nobody = "@id(\"nobody\")\nforbid (principal, action, resource);\n";
        let proxy = Plan::two(dialect).policy("base.cedar", BASE).policy("own.cedar", nobody).start().await;
        for answer in [proxy.client().chat(false).await, proxy.client().message(true).await] {
            let text = answer.text();
            assert_eq!((answer.status, answer.header("x-should-retry")), (403, "false"), "{text}");
            assert!(text.contains("policy_denied") && text.contains("nobody"), "{text}");
            assert!(!["first", "second", "model-of", "127.0.0.1"].iter().any(|name| text.contains(name)), "{text}");
        }
        assert_eq!((connections(&proxy, 0), connections(&proxy, 1)), (0, 0));
        assert_eq!(proxy.metric("backstay_policy_denied_total{rule=\"nobody\"}").await, 2.0);
    }
}

#[tokio::test]
async fn f_087_what_is_ambiguous_or_unknown_is_refused_and_never_assumed() {
    let proxy = Plan::two(Dialect::OpenaiChat).policy("base.cedar", BASE).key("jurisdiction = \"DE\"").start().await;
    for headers in [
        &[("x-backstay-residency", "EU"), ("x-backstay-residency", "US")][..],
        &[("x-backstay-residency", "EU,US")],
        &[("x-backstay-residency", "Atlantis")],
        &[("x-backstay-residency", "unknown")],
        &[("x-backstay-residency", "E U")],
        &[("x-backstay-data", "no-such-class")],
        &[("x-backstay-data", "personal; drop")],
        &[("x-backstay-max-price", "input=cheap")],
        &[("x-backstay-max-price", "input=-1")],
        &[("x-backstay-max-price", "everything=1")],
    ] {
        let answer = ask(&proxy, chat_body(false), headers).await;
        assert!([400, 403].contains(&answer.status), "{headers:?}: {} {}", answer.status, answer.text());
    }
    let stranger = proxy.client().key("sk-nobody").chat(false).await;
    assert_eq!(stranger.status, 401);
    assert_eq!((connections(&proxy, 0), connections(&proxy, 1)), (0, 0));
}

#[tokio::test]
async fn f_088_nothing_that_a_client_sends_adds_a_deployment() {
    let proxy = without_first(Dialect::OpenaiChat).start().await;
    for name in ["x-backstay-region", "x-backstay-vendor", "x-backstay-key", "x-backstay-policy", "x-forwarded-for"] {
        let answer = ask(&proxy, chat_body(false), &[(name, "first")]).await;
        assert_eq!(answer.header("x-backstay-served-by"), "second/model-of-second", "{name}");
    }
    let with = |name: &str, value: Value| {
        let mut body = chat_body(false);
        body[name] = value;
        body
    };
    for body in [
        with("metadata", json!({ "region": "us", "vendor": "first" })),
        with("fallbacks", json!(["first/model-of-first"])),
        with("models", json!(["first/model-of-first"])),
        with("provider", json!({ "order": ["first"], "allow_fallbacks": true })),
        with("base_url", json!("https://127.0.0.1:1/v1")),
    ] {
        let answer = ask(&proxy, body.clone(), &[]).await;
        let served = answer.header("x-backstay-served-by");
        assert!(served == "second/model-of-second" || answer.status == 400, "{body}: {}", answer.text());
    }
    for model in [
        "first/model-of-first",
        "first",
        "model-of-first",
        "SMART",
        "smart ",
        " smart",
        "smart/../first",
        "../first/model-of-first",
        "ѕmart",
        "smart\u{0}",
        "smart\u{200b}",
    ] {
        let answer = ask(&proxy, with("model", json!(model)), &[]).await;
        assert_eq!(answer.status, 404, "{model:?}: {}", answer.text());
    }
    let query = format!("{CHAT}?vendor=first&region=us");
    let answer = proxy.client().post_with(&query, chat_body(false).to_string(), &[]).await;
    assert_ne!(answer.header("x-backstay-served-by"), "first/model-of-first");
    assert_eq!(connections(&proxy, 0), 0);
}

#[tokio::test]
async fn f_091_no_failure_leads_to_a_vendor_that_the_key_may_not_use() {
    for fault in Fault::before_content() {
        let plan = Plan::two(Dialect::OpenaiChat).policy("base.cedar", BASE).key("vendors = [\"second\"]");
        let proxy = plan.pool("attempts = 5").start().await;
        proxy.vendors[1].set_fault(fault);
        for stream in [false, true] {
            let _ = proxy.client().chat(stream).await;
        }
        assert_eq!(connections(&proxy, 0), 0, "{fault}");
    }
}

#[tokio::test]
async fn f_090_each_request_is_decided_by_one_policy_while_they_change() {
    let proxy = Arc::new(Plan::two(Dialect::OpenaiChat).policy("base.cedar", PERMIT).start().await);
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (client, over) = (proxy.client(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(client.chat(false).await.status, 200);
                }
            })
        })
        .collect();
    let open = proxy.status().await["policy"].clone();
    for _ in 0..3 {
        let last = proxy.change(|proxy| proxy.write("policies/own.cedar", NOT_FIRST)).await;
        assert!(last.accepted, "{:?}", last.diagnostics);
        let before = proxy.calls()[0];
        // whatever was under way has come by then; not one attempt starts at the first after the swap
        for _ in 0..20 {
            assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "second/model-of-second");
        }
        assert!(proxy.calls()[0] <= before + 4, "attempts at the first go on: {before} then {}", proxy.calls()[0]);
        let last = proxy.change(|proxy| std::fs::remove_file(proxy.path("policies/own.cedar")).unwrap()).await;
        assert!(last.accepted, "{:?}", last.diagnostics);
        assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "first/model-of-first");
    }
    over.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    let mut policies = BTreeSet::new();
    for line in proxy.log.lines() {
        policies.insert(line["policy"].to_string());
        let narrow = line["policy"] != open;
        assert!(!narrow || line["served_by"] == "second/model-of-second", "{line}");
    }
    assert_eq!(policies.len(), 2, "two policies decided: {policies:?}");
}

#[tokio::test]
async fn f_094_no_background_call_goes_where_no_key_may_send_anything() {
    let plan = without_first(Dialect::OpenaiChat).pool("probe = \"free\"\nprobe_every = \"1s\"");
    let proxy = plan.start().await;
    let listed = proxy.client().get("/v1/models", &[]).await;
    assert_eq!(listed.status, 200);
    // nobody asked for anything: whoever comes is a probe
    let probed = async {
        while connections(&proxy, 1) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), probed).await.expect("a probe of the second vendor");
    assert_eq!(connections(&proxy, 0), 0);
}

#[tokio::test]
async fn f_096_nothing_beside_the_main_endpoints_passes_without_the_gate() {
    let proxy = Plan::two(Dialect::OpenaiChat).policy("base.cedar", BASE).start().await;
    for path in [
        "/v1/files",
        "/v1/files/file-1/content",
        "/v1/batches",
        "/v1/batches/b/cancel",
        "/v1/realtime",
        "/v1/assistants",
        "/v1/threads/t/runs",
        "/v1/fine_tuning/jobs",
        "/v1/uploads",
        "/v1/vector_stores",
        "/v1/images/generations",
        "/v1/audio/speech",
        "/v1/messages/batches",
        "/v1/organization/usage",
        "/vendor/first/v1/files",
        "/v1/chat/completions/../files",
        "/v1/chat/completions/chatcmpl-1",
    ] {
        let get = proxy.client().get(path, &[]).await;
        let post = proxy.client().post_with(path, chat_body(false).to_string(), &[]).await;
        for answer in [get, post] {
            assert!([400, 403, 404, 405].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        }
    }
    assert_eq!((connections(&proxy, 0), connections(&proxy, 1)), (0, 0));
}
