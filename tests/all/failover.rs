//! Failover before content: whatever the first vendor does, the client gets one whole answer and never learns of it.

use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Cuts, Fault, Recording};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn an_answer_comes_through_and_says_who_gave_it() {
    for dialect in Dialect::CONVERSING {
        let proxy = Plan::two(dialect).start().await;
        for stream in [false, true] {
            let answer = proxy.client().ask(dialect, stream).await;
            assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
            assert_eq!(answer.said(), proxy.vendors[0].text());
            assert_eq!(answer.header("x-backstay-served-by"), "first/model-of-first");
            assert_eq!(answer.header("x-backstay-attempts"), "1");
            assert!(answer.header("x-request-id").starts_with("req_"));
        }
        assert_eq!(proxy.calls(), [2, 0]);
    }
}

/// With the first of two vendors at fault, both kinds of call are answered by the second. The class of the failed attempt
/// is what the access log tells of it.
async fn check(dialect: Dialect, fault: Fault, classes: &[&str]) -> Proxy {
    let proxy = Plan::two(dialect).start().await;
    for stream in [false, true] {
        proxy.vendors[0].set_fault(fault);
        let answer = proxy.client().ask(dialect, stream).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{fault} stream={stream}: {}", answer.text());
        assert_eq!(answer.said(), proxy.vendors[1].text(), "{fault} stream={stream}");
        assert_eq!(answer.header("x-backstay-served-by"), "second/model-of-second");
        proxy.vendors[0].heal();
    }
    let lines = proxy.log.wait_for(2).await;
    let failed = |line: &Value| -> Vec<String> {
        let classes =
            line["attempts"].as_array().unwrap().iter().map(|attempt| attempt["class"].as_str().unwrap().to_owned());
        classes.filter(|class| class != "ok").collect()
    };
    // after the first the vendor may rest, and the second call then goes elsewhere at once
    assert!(!failed(&lines[0]).is_empty(), "{fault}: {}", lines[0]);
    for line in &lines {
        let failed = failed(line);
        assert!(
            failed.iter().all(|class| classes.contains(&class.as_str())),
            "{fault}: {failed:?} instead of {classes:?}"
        );
        assert_eq!(line["outcome"], "served");
    }
    proxy
}

macro_rules! unseen {
    ($(fn $name:ident: $dialect:ident, $fault:ident, $classes:expr;)+) => {
        $(#[tokio::test] async fn $name() { check(Dialect::$dialect, Fault::$fault, &$classes).await; })+
    };
}

unseen! {
    fn f_001_a_vendor_that_refuses_connections_is_unseen: OpenaiChat, Refuse, ["connect_refused"];
    fn f_002_a_black_hole_is_unseen: OpenaiChat, Blackhole, ["connect_timeout"];
    fn f_010_an_expired_certificate_is_unseen: OpenaiChat, CertificateExpired, ["tls_cert"];
    fn f_012_a_certificate_signed_by_itself_is_unseen: OpenaiChat, CertificateSelfSigned, ["tls_cert"];
    fn f_012_a_certificate_of_another_name_is_unseen: OpenaiChat, CertificateWrongName, ["tls_cert"];
    fn f_013_a_handshake_that_stalls_is_unseen: OpenaiChat, TlsStall, ["tls_error"];
    fn f_021_a_reset_before_the_answer_is_unseen: OpenaiChat, Reset, ["reset_before_headers", "stale_conn"];
    fn f_024_two_ways_to_frame_one_answer_are_unseen: OpenaiChat, LengthAndChunked, ["malformed"];
    fn f_024_two_lengths_of_one_answer_are_unseen: OpenaiChat, ConflictingLengths, ["malformed"];
    fn f_026_a_storm_of_interim_responses_is_unseen: OpenaiChat, InterimStorm, ["malformed"];
    fn f_028_a_redirect_is_unseen_and_not_followed: OpenaiChat, Redirect, ["malformed"];
    fn f_037_an_html_page_is_unseen: OpenaiChat, Html, ["malformed"];
    fn f_037_an_html_page_is_unseen_by_anthropic_clients: Anthropic, Html, ["malformed"];
    fn f_038_cut_json_is_unseen: OpenaiChat, TruncatedJson, ["truncated", "malformed"];
    fn f_038_a_short_body_is_unseen: OpenaiChat, TruncatedLength, ["truncated"];
    fn f_039_a_json_bomb_is_unseen: OpenaiChat, JsonBomb, ["malformed"];
    fn f_044_an_oversize_answer_is_unseen: OpenaiChat, Oversize, ["oversize", "malformed"];
    fn f_045_an_error_as_first_event_is_unseen: OpenaiChat, ErrorFirst, ["server_error", "overloaded", "sse_error", "rate_limited"];
    fn f_045_an_error_in_single_bytes_is_unseen: Anthropic, ErrorFirstSplit, ["server_error", "overloaded", "sse_error", "rate_limited"];
    fn f_053_silence_is_unseen: OpenaiChat, Silence, ["headers_timeout"];
    fn f_054_content_that_comes_late_is_unseen: OpenaiChat, SlowFirstContent, ["first_content_timeout", "headers_timeout"];
    fn f_060_an_empty_stream_is_unseen: OpenaiChat, EmptyStream, ["empty"];
    fn f_074_a_throttled_vendor_is_unseen: Anthropic, Status429, ["rate_limited"];
    fn f_076_a_spent_quota_is_unseen: OpenaiChat, Quota, ["quota"];
    fn f_077_an_overloaded_vendor_is_unseen: Anthropic, Status529, ["overloaded"];
    fn f_080_a_revoked_credential_is_unseen: Anthropic, Status401, ["auth_key"];
    fn f_082_a_refusal_of_our_region_is_unseen: OpenaiChat, RegionDenied, ["region_denied"];
}

#[tokio::test]
async fn every_other_fault_before_content_is_unseen() {
    for fault in Fault::before_content() {
        for dialect in Dialect::CONVERSING {
            let proxy = Plan::two(dialect).start().await;
            proxy.vendors[0].set_fault(fault);
            let answer = proxy.client().ask(dialect, true).await;
            assert_eq!((answer.status, answer.clean), (200, true), "{fault}: {}", answer.text());
            assert_eq!(answer.said(), proxy.vendors[1].text(), "{fault}");
        }
    }
}

#[tokio::test]
async fn f_022_a_pooled_connection_that_died_is_replaced_unseen() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).start().await;
    proxy.vendors[0].set_fault(Fault::StaleKeepAlive);
    for stream in [false, true, false, true] {
        let answer = proxy.client().chat(stream).await;
        assert_eq!((answer.status, answer.said()), (200, proxy.vendors[0].text()));
    }
    for line in proxy.log.wait_for(4).await {
        let classes: Vec<&Value> =
            line["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["class"]).collect();
        assert!(classes.iter().all(|class| *class == "ok" || *class == "stale_conn"), "{classes:?}");
    }
}

#[tokio::test]
async fn f_025_a_second_answer_that_nobody_asked_for_reaches_nobody() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).start().await;
    proxy.vendors[0].set_fault(Fault::ExtraResponse);
    for stream in [false, true, false, true] {
        let answer = proxy.client().chat(stream).await;
        assert_eq!((answer.status, answer.clean, answer.said()), (200, true, proxy.vendors[0].text()));
    }
}

#[tokio::test]
async fn f_053_the_silent_vendor_is_asked_once() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    assert_eq!(proxy.client().chat(true).await.status, 200);
    assert_eq!(proxy.calls(), [1, 1]);
}

/// A finish reason is never invented: a client of another dialect would have to be told one. One of the vendor's own reads its
/// bytes, and sees that there is none.
#[tokio::test]
async fn an_answer_that_does_not_say_why_it_ended_is_translated_for_nobody() {
    let unended = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "So."}, "finish_reason": null}]});
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    let replay = Recording {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: unended.to_string().into(),
        cuts: Cuts::Whole,
    };
    proxy.vendors[0].change_script(|script| script.replay = Some(Arc::new(replay)));
    let own = proxy.client().ask(Dialect::OpenaiChat, false).await;
    assert_eq!((own.status, own.json()), (200, unended));
    for client in [Dialect::Anthropic, Dialect::Gemini, Dialect::OpenaiResponses] {
        let answer = proxy.client().ask(client, false).await;
        assert_eq!((answer.status, answer.said()), (200, proxy.vendors[1].text()), "{}", client.name());
        assert_eq!(answer.header("x-backstay-served-by"), "second/model-of-second");
    }
    let lines = proxy.log.wait_for(2).await;
    assert_eq!(lines[1]["attempts"][0]["class"], "truncated", "{}", lines[1]);
}

#[tokio::test]
async fn f_085_f_108_with_everybody_down_the_answer_is_a_503_that_says_when_to_come_back() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    for vendor in &proxy.vendors {
        vendor.set_fault(Fault::Status503);
    }
    for _ in 0..8 {
        let answer = proxy.client().chat(false).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (503, "no_healthy_deployment".into()));
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait));
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    let calls = proxy.calls();
    assert!(calls.iter().all(|calls| *calls <= 8), "an open breaker spares its vendor: {calls:?}");
}

#[tokio::test]
async fn the_log_tells_the_status_that_the_client_got() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    for vendor in &proxy.vendors {
        vendor.set_fault(Fault::Status500);
    }
    for (calls, stream) in [(1, false), (2, true)] {
        let status = proxy.client().chat(stream).await.status;
        let line = proxy.log.wait_for(calls).await.pop().unwrap();
        assert_eq!(
            (line["status"].as_u64(), line["outcome"].as_str()),
            (Some(u64::from(status)), Some("no_healthy_deployment"))
        );
    }
}

#[tokio::test]
async fn what_the_vendor_finds_wrong_with_the_request_is_told_and_tried_nowhere_else() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Status400);
    for stream in [false, true] {
        let answer = proxy.client().chat(stream).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["error"]["message"].is_string());
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    assert_eq!(proxy.calls(), [2, 0]);
}

#[tokio::test]
async fn a_client_that_wants_no_fallback_gets_none() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Status500);
    let body = crate::support::client::chat_body(false).to_string();
    let answer = proxy.client().post_with("/v1/chat/completions", body, &[("x-no-fallback", "1")]).await;
    assert_eq!((answer.status, proxy.calls()[1]), (503, 0));
}
