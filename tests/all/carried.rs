//! Continuation: a stream that breaks is carried on at the next deployment, and the client gets one whole answer, each
//! character once, in one stream of its dialect.

use crate::support::asking;
use crate::support::client::Answer;
use crate::support::proxy::{Plan, Proxy};
use crate::support::reading;
use backstay::demo::vendor::{Fault, RestManner, Setup};
use backstay::dialect::Dialect;
use serde_json::{Value, json};

/// Two vendors of a pool with `continuation`.
fn pool(first: Dialect, second: Dialect) -> Plan {
    Plan::of(&[("first", first), ("second", second)]).pool("continuation = true")
}

fn asked(manner: RestManner) -> impl FnOnce(Setup) -> Setup {
    move |mut setup| {
        setup.script.rest = manner;
        setup
    }
}

/// The JSON of a stream's events.
fn events(answer: &Answer) -> Vec<Value> {
    answer.events().iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
}

/// The different values of a member over a stream's events, in order.
fn values(events: &[Value], pointer: &str) -> Vec<String> {
    let mut values: Vec<String> =
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str().map(str::to_owned)).collect();
    values.dedup();
    values
}

/// One stream of the dialect, from head to terminator, whoever had a part in it.
fn is_one_stream(client: Dialect, answer: &Answer, case: &str) {
    if let Err(told) = reading::whole(client, true, answer) {
        panic!("{told}: {case}");
    }
}

/// The first vendor breaks in this way; the second carries on, and nobody sees where.
async fn carried_on(client: Dialect, plan: Plan, fault: Fault) -> (Proxy, Answer) {
    let proxy = plan.start().await;
    proxy.vendors[0].set_fault(fault);
    let answer = proxy.client().ask(client, true).await;
    let case = format!("{fault}, {}: {}", client.name(), answer.text());
    assert_eq!((answer.status, answer.clean), (200, true), "{case}");
    assert_eq!(answer.said(), proxy.vendors[1].text(), "{case}");
    is_one_stream(client, &answer, &case);
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["outcome"], "served", "{line}");
    (proxy, answer)
}

#[tokio::test]
async fn every_break_after_content_is_carried_on() {
    let faults = [
        Fault::CutReset,
        Fault::Stall,
        Fault::PingsOnly,
        Fault::ErrorAfterContent,
        Fault::TerminatorOnly,
        Fault::FinishCut,
        Fault::MalformedEvent,
        Fault::OversizeEvent,
    ];
    for fault in faults {
        for client in [Dialect::OpenaiChat, Dialect::Anthropic] {
            carried_on(client, pool(client, client), fault).await;
        }
    }
}

#[tokio::test]
async fn f_058_a_candidate_that_refuses_a_prefill_is_asked_the_other_way() {
    for client in Dialect::CONVERSING {
        let plan = pool(client, Dialect::Anthropic).setup(1, asked(RestManner::RefuseBeginning));
        let (proxy, _) = carried_on(client, plan, Fault::CutClose).await;
        assert_eq!(proxy.calls(), [1, 2], "{}", client.name());
        let plan = pool(client, Dialect::Anthropic).setup(1, asked(RestManner::RefuseBoth));
        let (proxy, _) = carried_on(client, plan, Fault::CutClose).await;
        assert_eq!(proxy.calls(), [1, 3], "{}", client.name());
    }
}

#[tokio::test]
async fn a_vendor_whose_answer_repeats_its_beginning_is_given_one_and_the_repeat_is_cut() {
    for client in Dialect::CONVERSING {
        let mistral = pool(client, Dialect::OpenaiChat).vendor(1, "profile = \"mistral\"");
        let (proxy, _) = carried_on(client, mistral.setup(1, asked(RestManner::Anew)), Fault::CutClose).await;
        assert_eq!(proxy.calls(), [1, 1], "{}", client.name());
        let log = proxy.vendors[1].log().entries();
        let body: Value = serde_json::from_slice(&log.calls().last().expect("a call").body).expect("JSON");
        let last = body["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
        assert_eq!((&last["role"], &last["prefix"]), (&json!("assistant"), &json!(true)), "{body}");
        assert!(proxy.vendors[0].text().starts_with(last["content"].as_str().expect("a text")), "{body}");
        // one that goes on without repeating it is not believed, and asked in other words
        let mistral = pool(client, Dialect::OpenaiChat).vendor(1, "profile = \"mistral\"");
        let (proxy, _) = carried_on(client, mistral, Fault::CutClose).await;
        assert_eq!(proxy.calls(), [1, 2], "{}", client.name());
    }
}

#[tokio::test]
async fn a_candidate_that_begins_anew_joins_behind_what_was_delivered() {
    for client in Dialect::CONVERSING {
        for second in Dialect::CONVERSING {
            carried_on(client, pool(client, second).setup(1, asked(RestManner::Anew)), Fault::CutClose).await;
        }
    }
}

/// The beginning of the answer, one error event, a broken connection.
async fn ends_honestly(client: Dialect, proxy: &Proxy, answer: &Answer) {
    let case = format!("{}: {}", client.name(), answer.text());
    assert!(!answer.clean, "{case}");
    let said = answer.said();
    assert!(!said.is_empty() && proxy.vendors[0].text().starts_with(&said), "{case}");
    assert!(answer.text().contains("upstream_broken"), "{case}");
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["outcome"], "broken", "{line}");
}

#[tokio::test]
async fn an_answer_of_other_words_is_never_joined() {
    for client in Dialect::CONVERSING {
        let other_words = |mut setup: Setup| {
            setup.script.text = 3;
            setup.script.rest = RestManner::Anew;
            setup
        };
        let proxy = pool(client, Dialect::OpenaiChat).setup(1, other_words).start().await;
        proxy.vendors[0].set_fault(Fault::CutClose);
        let answer = proxy.client().ask(client, true).await;
        ends_honestly(client, &proxy, &answer).await;
        let line = &proxy.log.lines()[0];
        assert_eq!(line["attempts"][1]["class"], "unsupported", "{line}");
    }
}

#[tokio::test]
async fn a_stream_is_carried_on_twice_and_no_more() {
    let third = |client| {
        Plan::of(&[("first", client), ("second", client), ("third", client), ("fourth", client)])
            .pool("continuation = true\nattempts = 9")
    };
    for client in [Dialect::OpenaiChat, Dialect::Anthropic] {
        let proxy = third(client).start().await;
        for vendor in &proxy.vendors[..2] {
            vendor.set_fault(Fault::CutClose);
        }
        let answer = proxy.client().ask(client, true).await;
        assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[2].text()), "{}", answer.text());
        is_one_stream(client, &answer, &answer.text());
        assert_eq!(proxy.calls(), [1, 1, 1, 0]);

        let proxy = third(client).start().await;
        for vendor in &proxy.vendors {
            vendor.set_fault(Fault::CutClose);
        }
        let answer = proxy.client().ask(client, true).await;
        ends_honestly(client, &proxy, &answer).await;
        assert_eq!(proxy.calls().iter().sum::<usize>(), 3);
    }
}

/// A chat call with these members beside the usual ones.
async fn chat_with(proxy: &Proxy, members: Value) -> Answer {
    let mut body = json!({"model": "smart", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let members = members.as_object().expect("members").clone();
    body.as_object_mut().expect("an object").extend(members);
    proxy.client().post("/v1/chat/completions", &body).await
}

#[tokio::test]
async fn what_cannot_be_carried_on_safely_ends_honestly() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}});
    for members in [
        json!({"logprobs": true}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"response_format": schema}),
    ] {
        let proxy = pool(Dialect::OpenaiChat, Dialect::OpenaiChat).start().await;
        proxy.vendors[0].change_script(|script| script.break_after_words = 1);
        proxy.vendors[0].set_fault(Fault::CutClose);
        let answer = chat_with(&proxy, members.clone()).await;
        assert!(!answer.clean && answer.text().contains("upstream_broken"), "{members}: {}", answer.text());
        assert_eq!(proxy.calls(), [1, 0], "{members}");
    }
}

#[tokio::test]
async fn without_the_pool_s_word_nothing_is_carried_on() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::CutClose);
    let answer = proxy.client().chat(true).await;
    ends_honestly(Dialect::OpenaiChat, &proxy, &answer).await;
    assert_eq!(proxy.calls(), [1, 0]);
}

async fn ask_with_tools(proxy: &Proxy, client: Dialect) -> Answer {
    let (path, body) = asking::call(client, "smart", true, true);
    proxy.client().post(&path, &body).await
}

/// The arguments of the one call of a tool that a stream makes.
fn arguments(answer: &Answer) -> String {
    let events = events(answer);
    let piece = |event: &Value| {
        let pieces = ["/choices/0/delta/tool_calls/0/function/arguments", "/delta/partial_json"];
        let piece = pieces.into_iter().find_map(|piece| event.pointer(piece)?.as_str());
        let own = event["type"] == "response.function_call_arguments.delta";
        piece.or(event["delta"].as_str().filter(|_| own)).unwrap_or_default().to_owned()
    };
    events.iter().map(piece).collect()
}

#[tokio::test]
async fn f_062_a_held_tool_call_is_begun_anew_elsewhere_and_shown_once() {
    for client in [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic] {
        for first in [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic] {
            let proxy = pool(first, Dialect::OpenaiChat).start().await;
            proxy.vendors[0].change_script(|script| script.break_after_words = 3);
            proxy.vendors[0].set_fault(Fault::CutClose);
            let answer = ask_with_tools(&proxy, client).await;
            let case = format!("{} from {}: {}", client.name(), first.name(), answer.text());
            let read = reading::whole(client, true, &answer).unwrap_or_else(|told| panic!("{told}: {case}"));
            assert_eq!(read.calls, [(asking::TOOL.to_owned(), asking::ARGUMENTS.to_owned())], "{case}");
        }
    }
}

#[tokio::test]
async fn tool_calls_of_a_vendor_that_is_well_come_as_it_wrote_them() {
    for client in [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic] {
        let plain = Plan::two(client).start().await;
        let carrying = pool(client, client).start().await;
        let (one, other) = (ask_with_tools(&plain, client).await, ask_with_tools(&carrying, client).await);
        assert_eq!(one.text(), other.text());
    }
}

#[tokio::test]
async fn a_stream_that_does_not_break_passes_byte_for_byte() {
    for client in Dialect::CONVERSING {
        let plain = Plan::two(client).start().await;
        let carrying = pool(client, client).start().await;
        let (one, other) = (plain.client().ask(client, true).await, carrying.client().ask(client, true).await);
        assert_eq!(one.text(), other.text(), "{}", client.name());
    }
}

#[tokio::test]
async fn usage_is_summed_and_the_second_model_is_named() {
    let plan = pool(Dialect::Anthropic, Dialect::OpenaiChat);
    let proxy = plan.start().await;
    proxy.vendors[0].set_fault(Fault::CutClose);
    let answer = chat_with(&proxy, json!({"stream_options": {"include_usage": true}})).await;
    let events = events(&answer);
    assert_eq!(values(&events, "/model"), ["model-of-first", "model-of-second"], "{}", answer.text());
    let usage = &events.last().expect("events")["usage"];
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(usage["completion_tokens"], line["tokens"]["output"], "{line}");
    let second = proxy.vendors[1].log().entries().requests[0].body.len().div_ceil(4) as u64;
    let first = proxy.vendors[0].log().entries().requests[0].body.len().div_ceil(4) as u64;
    assert_eq!(usage["prompt_tokens"].as_u64(), Some(first + second), "{usage}");
    let attempts: Vec<_> = line["attempts"].as_array().expect("attempts").iter().map(|one| &one["class"]).collect();
    assert_eq!(attempts, ["truncated", "ok"]);
}

/// The client of a stream that is being carried on leaves: the candidate's work ends at once, and both attempts are told of.
#[tokio::test]
async fn a_client_that_leaves_meanwhile_ends_it_all() {
    let proxy = pool(Dialect::OpenaiChat, Dialect::OpenaiChat).patient().start().await;
    proxy.vendors[0].set_fault(Fault::CutClose);
    proxy.vendors[1].set_fault(Fault::Silence);
    let body = json!({"model": "smart", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let begun = proxy.client().begin("/v1/chat/completions", &body).await;
    proxy.vendors[1].log().wait_for(|entries| entries.calls().count() == 1).await;
    begun.leave();
    proxy.vendors[1].log().wait_for(|entries| entries.calls().all(|call| call.cancelled())).await;
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!((&line["outcome"], &line["phase"]), (&json!("client_gone"), &json!("stream")), "{line}");
    let classes: Vec<_> = line["attempts"].as_array().unwrap().iter().map(|one| &one["class"]).collect();
    assert_eq!(classes, ["truncated", "client_gone"], "{line}");
}

/// While a call of a tool is held back, and while others are asked for the rest, the client hears pings.
#[tokio::test]
async fn a_client_that_waits_in_the_middle_of_a_stream_is_kept_awake() {
    for client in [Dialect::OpenaiChat, Dialect::Anthropic] {
        let slow = |mut setup: Setup| {
            setup.script.pause = std::time::Duration::from_millis(60);
            setup
        };
        let ping = if client == Dialect::OpenaiChat { ": " } else { "event: ping" };
        let proxy = pool(client, client).setup(0, slow).server("ping_after = \"20ms\"").start().await;
        let answer = ask_with_tools(&proxy, client).await;
        assert!(answer.clean && answer.text().contains(ping), "{}", answer.text());
        assert_eq!(arguments(&answer), r#"{"city":"Lisbon","days":3}"#, "{}", answer.text());

        let late = |mut setup: Setup| {
            setup.script.thinks = std::time::Duration::from_millis(200);
            setup
        };
        let plan = pool(client, client).setup(1, late).server("ping_after = \"20ms\"");
        let (_, answer) = carried_on(client, plan, Fault::CutClose).await;
        assert!(answer.text().contains(ping), "{}", answer.text());
    }
}

/// A drop now and then is no answer, however long it goes on.
#[tokio::test]
async fn f_055_a_stream_that_trickles_is_carried_on() {
    let trickles = |mut setup: Setup| {
        setup.script.pause = std::time::Duration::from_millis(150);
        setup
    };
    let plan = Plan::of(&[("first", Dialect::OpenaiChat), ("second", Dialect::OpenaiChat)]).patient();
    let plan = plan.setup(0, trickles).pool("continuation = true\ntimeouts = { trickle = \"400ms\" }");
    let proxy = plan.start().await;
    let answer = proxy.client().chat(true).await;
    assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[1].text()), "{}", answer.text());
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["attempts"][0]["reason"], "trickle", "{line}");
    assert_eq!(proxy.metric("backstay_continuations_total{outcome=\"carried_on\",pool=\"smart\"}").await, 1.0);
}

/// Policy is asked of the current files: a deployment that they have come to forbid does not carry on what broke.
#[tokio::test]
async fn what_a_reload_forbids_carries_nothing_on() {
    let slow = |mut setup: Setup| {
        (setup.script.words, setup.script.break_after_words) = (200, 100);
        setup.script.pause = std::time::Duration::from_millis(50);
        setup
    };
    let permit = "@id(\"all\")\npermit (principal, action, resource);\n";
    let forbid = "@id(\"no-second\")\nforbid (principal, action, resource in Vendor::\"second\");\n";
    let plan = pool(Dialect::OpenaiChat, Dialect::OpenaiChat).setup(0, slow).policy("all.cedar", permit);
    let proxy = plan.start().await;
    proxy.vendors[0].set_fault(Fault::CutClose);
    let body = json!({"model": "smart", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let mut begun = proxy.client().begin("/v1/chat/completions", &body).await;
    begun.next().await;
    let reload = proxy.change(|proxy| proxy.write("policies/second.cedar", forbid)).await;
    assert!(reload.accepted, "{:?}", reload.diagnostics);
    let answer = begun.finish().await;
    assert!(!answer.clean && answer.text().contains("upstream_broken"), "{}", answer.text());
    assert_eq!(proxy.calls(), [1, 0]);
}

/// A stream that a reload stops is carried on by whom the new files permit.
#[tokio::test]
async fn a_stream_that_policy_stops_is_carried_on_elsewhere() {
    let long = |pause| {
        move |mut setup: Setup| {
            setup.script.words = 200;
            setup.script.pause = std::time::Duration::from_millis(pause);
            setup
        }
    };
    let permit = "@id(\"all\")\npermit (principal, action, resource);\n";
    let stop = "@id(\"stop-first\") @inflight(\"stop\")\nforbid (principal, action, resource in Vendor::\"first\");\n";
    let plan = pool(Dialect::OpenaiChat, Dialect::OpenaiChat).setup(0, long(50)).setup(1, long(0));
    let plan = plan.policy("all.cedar", permit);
    let proxy = plan.start().await;
    let body = json!({"model": "smart", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let mut begun = proxy.client().begin("/v1/chat/completions", &body).await;
    begun.next().await;
    let reload = proxy.change(|proxy| proxy.write("policies/stop.cedar", stop)).await;
    assert!(reload.accepted, "{:?}", reload.diagnostics);
    let answer = begun.finish().await;
    assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[1].text()), "{}", answer.text());
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["attempts"][0]["class"], "recalled", "{line}");
}
