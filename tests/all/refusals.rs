//! What vendors refuse in their own words, said by a vendor behind the real proxy: who is asked next, who rests, and what the
//! client is told.

use crate::support::client::Client;
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Cuts, Fault, Recording};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One answer of a vendor: status, type header, body.
type Said<'a> = (u16, &'a str, &'a str);

/// From now on this vendor says this, whatever it is asked.
fn says(proxy: &Proxy, vendor: usize, (status, kind, body): Said<'_>) {
    let content = if body.starts_with("data:") { "text/event-stream" } else { "application/json" };
    let mut headers = vec![("content-type".to_owned(), content.to_owned())];
    if !kind.is_empty() {
        headers.push(("x-amzn-errortype".to_owned(), kind.to_owned()));
    }
    let recording = Recording { status, headers, body: body.to_owned().into(), cuts: Cuts::Whole };
    proxy.vendors[vendor].change_script(|script| script.replay = Some(Arc::new(recording)));
}

fn recovers(proxy: &Proxy, vendor: usize) {
    proxy.vendors[vendor].change_script(|script| script.replay = None);
}

/// The class of the first attempt in a line of the log.
fn class(line: &Value) -> &str {
    line["attempts"][0]["class"].as_str().unwrap()
}

/// One of two vendors refuses: the second answers unseen. Then the first recovers; whether it is asked again at once says
/// whether it rests.
async fn made_good(said: Said<'_>, expected: &str, rests: bool) {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    says(&proxy, 0, said);
    for stream in [false, true] {
        let answer = proxy.client().chat(stream).await;
        assert_eq!((answer.status, answer.clean, answer.said()), (200, true, proxy.vendors[1].text()), "{said:?}");
    }
    assert_eq!(class(&proxy.log.wait_for(2).await[0]), expected, "{said:?}");
    let asked = proxy.calls()[0];
    assert_eq!(asked == 1, rests, "{said:?}");
    recovers(&proxy, 0);
    let answer = proxy.client().chat(false).await;
    let server = if rests { "second/model-of-second" } else { "first/model-of-first" };
    assert_eq!(answer.header("x-backstay-served-by"), server, "{said:?}");
}

/// The client is told what the vendor finds wrong, in its own dialect, and nobody else is asked.
async fn told(said: Said<'_>, expected: &str, message: &str) {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    says(&proxy, 0, said);
    for (lines, stream) in [(2, false), (4, true)] {
        for answer in [proxy.client().chat(stream).await, proxy.client().message(stream).await] {
            assert_eq!(answer.status, said.0, "{said:?}");
            assert_eq!(answer.json()["error"]["message"], message, "{said:?}");
            assert_eq!(answer.header("x-should-retry"), "false");
        }
        assert_eq!(class(&proxy.log.wait_for(lines).await[0]), expected, "{said:?}");
    }
    assert_eq!(proxy.calls(), [4, 0], "{said:?}");
    recovers(&proxy, 0);
    assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "first/model-of-first");
}

const TOO_LONG: [Said<'_>; 4] = [
    (
        400,
        "",
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 9001 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
    ),
    (
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 200016 tokens > 200000 maximum"}}"#,
    ),
    (
        400,
        "",
        r#"{"object":"error","message":"Prompt contains 150004 tokens and 0 draft tokens, too large for model with 131072 maximum context length","type":"invalid_request_invalid_args","param":null,"code":"3051"}"#,
    ),
    (413, "", "length limit exceeded"),
];

#[tokio::test]
async fn f_063_a_call_that_is_too_long_for_one_model_is_answered_by_another() {
    for said in TOO_LONG {
        made_good(said, "context_length", false).await;
    }
}

#[tokio::test]
async fn f_063_a_call_that_is_too_long_for_all_is_told_in_the_vendors_words_and_not_sent_again() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).start().await;
    for (asked, said) in TOO_LONG.into_iter().enumerate() {
        says(&proxy, 0, said);
        let answer = proxy.client().message(false).await;
        assert_eq!((answer.status, proxy.calls()), (said.0, vec![asked + 1]), "{}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.2.contains(&message), "{message}");
    }
}

#[tokio::test]
async fn f_064_what_a_content_filter_refuses_is_not_carried_to_a_laxer_vendor() {
    let azure = r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.";
    told((400, "", azure), "content_filter", message).await;
    told((400, "", r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#), "content_filter", "Content Exists Risk").await;
}

#[tokio::test]
async fn f_065_what_is_wrong_with_the_request_is_told_and_hurts_nobody() {
    for status in [400, 415, 422] {
        let body = r#"{"error":{"message":"'messages' is required.","type":"invalid_request_error","param":"messages","code":null}}"#;
        told((status, "", body), "bad_request", "'messages' is required.").await;
    }
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    says(&proxy, 0, (400, "", r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#));
    for _ in 0..40 {
        assert_eq!(proxy.client().chat(false).await.status, 400);
    }
    recovers(&proxy, 0);
    assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "first/model-of-first");
}

#[tokio::test]
async fn f_066_a_retired_model_is_left_alone_and_another_answers() {
    for said in [
        (
            404,
            "",
            r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        ),
        (
            400,
            "",
            r#"{"error":{"message":"The model `x` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
        ),
        (410, "", r#"{"error":{"code":"ModelDeprecated","message":"The model has been retired."}}"#),
        (404, "ResourceNotFoundException", r#"{"message":"This model version has reached the end of its life."}"#),
    ] {
        made_good(said, "model_gone", true).await;
    }
}

#[tokio::test]
async fn f_066_an_id_that_the_client_brought_is_no_lost_model() {
    let body = r#"{"error":{"message":"No such File object: file-1","type":"invalid_request_error","param":"file_id","code":null}}"#;
    told((404, "", body), "bad_request", "No such File object: file-1").await;
}

#[tokio::test]
async fn a_model_that_is_closed_to_us_is_left_alone_and_another_answers() {
    made_good(
        (
            403,
            "AccessDeniedException",
            r#"{"message":"You don't have access to the model with the specified model ID."}"#,
        ),
        "model_denied",
        true,
    )
    .await;
}

#[tokio::test]
async fn an_account_that_is_barred_is_left_alone_and_another_answers() {
    made_good((400, "", r#"{"error":{"message":"Organization has been restricted.","type":"invalid_request_error","code":"organization_restricted"}}"#), "account_denied", true).await;
}

#[tokio::test]
async fn f_076_a_spent_purse_is_known_in_whatever_words_it_comes() {
    for said in [
        (
            429,
            "",
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        ),
        (
            402,
            "",
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        ),
        (
            400,
            "",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        ),
    ] {
        made_good(said, "quota", true).await;
    }
}

#[tokio::test]
async fn f_082_a_refusal_of_our_place_is_known_in_whatever_words_it_comes() {
    for said in [
        (
            403,
            "",
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
        ),
        (
            400,
            "",
            r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
        ),
        (451, "", ""),
    ] {
        made_good(said, "region_denied", true).await;
    }
}

#[tokio::test]
async fn an_error_that_comes_with_200_is_an_error_in_whatever_shape_it_comes() {
    for body in [
        r#"{"id":"x","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
        r#"{"error":{"code":402,"message":"Insufficient credits"},"user_id":"u"}"#,
    ] {
        made_good((200, "", body), "quota", true).await;
    }
}

#[tokio::test]
async fn f_083_a_wrong_clock_of_ours_disables_no_credential() {
    let said = r#"{"message":"Signature expired: 20251102T171419Z is now earlier than 20251102T171519Z"}"#;
    made_good((403, "InvalidSignatureException", said), "auth_key", false).await;
}

#[tokio::test]
async fn f_061_an_apology_that_is_the_answer_is_given_as_it_is() {
    for text in ["The servers are overloaded. Please try again later.", "This model is no longer available."] {
        let proxy = Plan::two(Dialect::OpenaiChat).start().await;
        let body = json!({
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12 },
        });
        says(&proxy, 0, (200, "", &body.to_string()));
        let answer = proxy.client().chat(false).await;
        assert_eq!((answer.status, answer.said().as_str(), proxy.calls()), (200, text, vec![1, 0]));
    }
}

#[tokio::test]
async fn f_062_a_tool_call_that_breaks_off_is_never_told_as_whole() {
    let piece = |delta: Value| {
        let chunk = json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
        format!("data: {chunk}\n\n")
    };
    let call = |id: Value, name: Value, text: &str| json!({ "tool_calls": [{ "index": 0, "id": id, "type": "function", "function": { "name": name, "arguments": text } }] });
    let body = piece(json!({ "role": "assistant", "content": null }))
        + &piece(call("call_1".into(), "pay".into(), ""))
        + &piece(call(Value::Null, Value::Null, "{\"amount\": 10"));
    for anthropic in [false, true] {
        let proxy = Plan::two(Dialect::OpenaiChat).start().await;
        says(&proxy, 0, (200, "", &body));
        let client = proxy.client();
        let answer = if anthropic { client.message(true).await } else { client.chat(true).await };
        let text = answer.text();
        assert!(!answer.clean && !text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
        assert!(!text.contains("content_block_stop") && !text.contains("\"finish_reason\":\"tool_calls\""), "{text}");
        assert_eq!(class(&proxy.log.wait_for(1).await[0]), "truncated", "{text}");
        assert_eq!(proxy.calls(), [1, 0], "what the client may have acted on is not done twice");
    }
}

#[tokio::test]
async fn f_072_a_call_that_nobody_can_serve_is_tried_three_times_at_most_and_not_asked_for_again() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    for vendor in &proxy.vendors {
        vendor.set_fault(Fault::Status500);
    }
    let answer = proxy.client().chat(false).await;
    assert_eq!((answer.status, answer.header("x-should-retry")), (503, "false"));
    assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    assert!(proxy.calls().iter().sum::<usize>() <= 3, "{:?}", proxy.calls());
}

#[tokio::test]
async fn f_073_a_short_wait_is_kept_where_nobody_else_is_left() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).patient().start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some("1".to_owned()));
    proxy.vendors[0].queue([Some(Fault::Status429)]);
    let began = Instant::now();
    let answer = proxy.client().chat(false).await;
    assert_eq!((answer.status, proxy.calls()), (200, vec![2]), "{}", answer.text());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn f_073_a_wait_is_nobodys_where_another_can_answer() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().start().await;
    proxy.vendors[0].change_script(|script| script.retry_after = Some("60".to_owned()));
    proxy.vendors[0].queue([Some(Fault::Status429)]);
    for _ in 0..2 {
        assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "second/model-of-second");
    }
    assert_eq!(proxy.calls(), [1, 2]);
}

#[tokio::test]
async fn f_067_a_model_that_was_replaced_silently_is_seen_by_the_client() {
    for dialect in [Dialect::OpenaiChat, Dialect::Anthropic] {
        let proxy = Plan::two(dialect).start().await;
        proxy.vendors[0].change_script(|script| script.model = Some("another-model-2026-11-01".to_owned()));
        for stream in [false, true] {
            for answer in [proxy.client().chat(stream).await, proxy.client().message(stream).await] {
                assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
                assert!(answer.text().contains("another-model-2026-11-01"), "{dialect:?}: {}", answer.text());
                assert!(!answer.text().contains("model-of-first"), "{dialect:?}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn f_071_a_clients_retry_is_a_call_of_its_own_and_no_answer_of_anothers() {
    let proxy = Plan::two(Dialect::OpenaiChat)
        .with("[key.other]\nsecret = { file = \"secrets/other\" }\nresidency = \"any\"\ndata = []\n")
        .file("secrets/other", "sk-test-other-6611")
        .start()
        .await;
    let ask = async |client: &Client, text: &str| {
        let body = json!({ "model": "smart", "messages": [{ "role": "user", "content": text }] }).to_string();
        let answer = client.post_with("/v1/chat/completions", body, &[("idempotency-key", "one-and-the-same")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.header("x-request-id").to_owned(), answer.json()["id"].as_str().unwrap().to_owned())
    };
    let (client, other) = (proxy.client(), proxy.client().key("sk-test-other-6611"));
    let answers = [
        ask(&client, "Hello").await,
        ask(&client, "Hello").await,
        ask(&client, "Bye").await,
        ask(&other, "Hello").await,
    ];
    assert_eq!(proxy.calls(), [4, 0]);
    for (place, (request, id)) in answers.iter().enumerate() {
        let before = &answers[..place];
        assert!(before.iter().all(|(one, another)| one != request && another != id), "{answers:?}");
    }
    // nor is the vendor told a key by which it might mix up two of our clients
    for call in proxy.vendors[0].log().entries().calls() {
        assert_eq!(call.header("idempotency-key"), None);
    }
}
