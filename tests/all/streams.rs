//! Streams that break after content: what came stands, the dialect's error event follows, and the connection breaks. A
//! partial answer never looks whole.

use crate::support::client::Answer;
use crate::support::proxy::{Plan, Proxy};
use crate::support::source;
use backstay::demo::vendor::{Cuts, Fault, Recording, Setup};
use backstay::dialect::Dialect;
use serde_json::json;
use std::time::Duration;

/// A stream of the client's dialect from one vendor of the same or the other dialect, with this fault.
async fn streamed(
    client: Dialect,
    vendor: Dialect,
    fault: Fault,
    change: impl FnOnce(Setup) -> Setup,
) -> (Proxy, Answer) {
    let proxy = Plan::of(&[("only", vendor)]).setup(0, change).start().await;
    proxy.vendors[0].set_fault(fault);
    let answer = proxy.client().ask(client, true).await;
    (proxy, answer)
}

fn ends_with_terminator(dialect: Dialect, answer: &Answer) -> bool {
    match dialect {
        Dialect::OpenaiChat => answer.events().last().is_some_and(|data| data == "[DONE]"),
        Dialect::OpenaiResponses => answer.text().contains("response.completed"),
        Dialect::Anthropic => answer.text().contains("message_stop"),
        // nothing but the end of the connection comes after it
        Dialect::Gemini => answer.text().contains("finishReason"),
        other => panic!("{} is not streamed", other.name()),
    }
}

fn error_event(dialect: Dialect, answer: &Answer) -> bool {
    let Some(last) = answer.events().pop() else { return false };
    let event: serde_json::Value = serde_json::from_str(&last).unwrap_or_default();
    match dialect {
        Dialect::OpenaiChat => event["error"]["code"] == "upstream_broken",
        Dialect::OpenaiResponses => {
            let numbers = answer.events().into_iter().map(|event| number(&event)).collect::<Vec<_>>();
            let counts_on = numbers.iter().enumerate().all(|(place, number)| *number == Some(place as u64));
            event["type"] == "error" && event["code"] == "upstream_broken" && counts_on
        }
        Dialect::Anthropic => event["type"] == "error" && answer.text().contains("event: error"),
        Dialect::Gemini => event["error"]["details"][0]["reason"] == "upstream_broken",
        other => panic!("{} is not streamed", other.name()),
    }
}

/// The number of an event of OpenAI's Responses.
fn number(event: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(event).ok()?["sequence_number"].as_u64()
}

/// The stream breaks honestly: a beginning of the answer, one error event, no terminator, a broken connection.
async fn breaks(fault: Fault, class: &str) {
    breaks_of(Dialect::CONVERSING.into_iter(), fault, class).await;
}

async fn breaks_of(vendors: impl Iterator<Item = Dialect> + Clone, fault: Fault, class: &str) {
    for client in Dialect::CONVERSING {
        for vendor in vendors.clone() {
            let (proxy, answer) = streamed(client, vendor, fault, |setup| setup).await;
            let case = format!("{fault}, {} from {}: {}", client.name(), vendor.name(), answer.text());
            assert_eq!(answer.status, 200, "{case}");
            assert!(!answer.clean, "the connection ends cleanly: {case}");
            assert!(!ends_with_terminator(client, &answer), "{case}");
            assert!(error_event(client, &answer), "no error event: {case}");
            let said = answer.said();
            assert!(!said.is_empty() && proxy.vendors[0].text().starts_with(&said), "{case}");
            let line = &proxy.log.wait_for(1).await[0];
            assert_eq!(
                (line["outcome"].as_str(), line["attempts"][0]["class"].as_str()),
                (Some("broken"), Some(class)),
                "{case}"
            );
        }
    }
}

/// Some servers cannot stream what they are asked, tools for instance, and answer whole.
#[tokio::test]
async fn an_answer_that_comes_whole_is_told_as_a_stream() {
    for client in Dialect::CONVERSING {
        for vendor in Dialect::CONVERSING {
            let answers = source::file(&format!("tests/pairs/answers/{}.json", vendor.name())).text;
            let answers: serde_json::Value = serde_json::from_str(&answers).unwrap();
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let body = answers["plain"].to_string().into();
            let whole = Recording { status: 200, headers, body, cuts: Cuts::EveryByte };
            let replays = |mut setup: Setup| {
                setup.script.replay = Some(whole.into());
                setup
            };
            let proxy = Plan::of(&[("only", vendor)]).setup(0, replays).start().await;
            let answer = proxy.client().ask(client, true).await;
            let case = format!("{} from {}: {}", client.name(), vendor.name(), answer.text());
            assert_eq!(
                (answer.status, answer.clean, answer.said().as_str()),
                (200, true, "It is -3 °C in Oslo."),
                "{case}"
            );
            assert!(ends_with_terminator(client, &answer), "{case}");
            let line = &proxy.log.wait_for(1).await[0];
            assert_eq!(
                (line["outcome"].as_str(), line["tokens"]["output"].as_u64()),
                (Some("served"), Some(12)),
                "{line}"
            );
        }
    }
}

/// Vendors whose finish reason and terminator are two: in the Responses API one event is both.
fn ends_in_two() -> impl Iterator<Item = Dialect> + Clone {
    Dialect::CONVERSING.into_iter().filter(|dialect| *dialect != Dialect::OpenaiResponses)
}

/// The stream is whole although something about its end is odd.
async fn is_whole(fault: Fault) {
    for client in Dialect::CONVERSING {
        for vendor in ends_in_two() {
            let (proxy, answer) = streamed(client, vendor, fault, |setup| setup).await;
            let case = format!("{fault}, {} from {}: {}", client.name(), vendor.name(), answer.text());
            assert_eq!((answer.status, answer.clean), (200, true), "{case}");
            assert!(ends_with_terminator(client, &answer), "{case}");
            assert_eq!(answer.said(), proxy.vendors[0].text(), "{case}");
        }
    }
}

#[tokio::test]
async fn f_046_an_error_after_content_is_told_and_breaks_the_connection() {
    for client in Dialect::CONVERSING {
        let (_, answer) = streamed(client, client, Fault::ErrorAfterContent, |setup| setup).await;
        assert!(
            !answer.clean && error_event(client, &answer) && !ends_with_terminator(client, &answer),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn f_047_a_stream_that_is_cut_never_looks_whole() {
    breaks(Fault::CutReset, "truncated").await;
    breaks(Fault::CutClose, "truncated").await;
}

#[tokio::test]
async fn f_047_a_body_that_ends_with_its_connection_proves_nothing() {
    for client in Dialect::CONVERSING {
        let until_close = |mut setup: Setup| {
            setup.script.until_close = true;
            setup
        };
        let (_, answer) = streamed(client, client, Fault::CutClose, until_close).await;
        assert!(
            !answer.clean && error_event(client, &answer) && !ends_with_terminator(client, &answer),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn f_048_a_finish_reason_without_terminator_is_whole() {
    is_whole(Fault::NoTerminator).await;
}

#[tokio::test]
async fn f_049_a_terminator_without_finish_reason_is_truncated() {
    breaks_of(ends_in_two(), Fault::TerminatorOnly, "truncated").await;
}

#[tokio::test]
async fn f_050_a_terminator_that_is_cut_is_whole_after_the_finish_reason_and_truncated_before() {
    is_whole(Fault::TerminatorCut).await;
    breaks(Fault::FinishCut, "truncated").await;
}

#[tokio::test]
async fn f_051_a_stream_that_falls_silent_breaks() {
    breaks(Fault::Stall, "stream_idle").await;
}

#[tokio::test]
async fn f_052_pings_are_no_progress() {
    breaks(Fault::PingsOnly, "stream_idle").await;
}

#[tokio::test]
async fn f_052_pings_before_content_do_not_hold_failover_up() {
    let proxy = Plan::two(Dialect::Anthropic).start().await;
    proxy.vendors[0].set_fault(Fault::PingsFirst);
    let answer = proxy.client().message(true).await;
    assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[1].text()));
    assert_eq!(answer.header("x-backstay-served-by"), "second/model-of-second");
}

#[tokio::test]
async fn f_054_a_live_stream_has_no_total_limit() {
    let slow = |mut setup: Setup| {
        setup.script.words = 40;
        setup.script.pause = Duration::from_millis(60);
        setup
    };
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).setup(0, slow).start().await;
    let answer = proxy.client().chat(true).await;
    assert_eq!(
        (answer.clean, answer.said()),
        (true, proxy.vendors[0].text()),
        "2.4 s is longer than every limit of this pool"
    );
}

#[tokio::test]
async fn f_055_a_drip_is_served() {
    for client in Dialect::CONVERSING {
        let few_words = |mut setup: Setup| {
            setup.script.words = 3;
            setup.script.drip_every = Duration::ZERO;
            setup
        };
        let (proxy, answer) = streamed(client, client, Fault::Drip, few_words).await;
        assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[0].text()));
    }
}

/// A byte comes every few milliseconds, and with each the vendor is alive; what it is about to say never comes. The limit of progress
/// is another one here than by default, and far shorter than the event takes.
#[tokio::test]
async fn f_055_an_event_that_drips_for_longer_than_progress_may_take_is_a_stall() {
    let chunk = |text: &str| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
    };
    let body = format!("data: {}\n\ndata: {}\n\n", chunk("So"), chunk(&"x".repeat(8_000)));
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    let drips = Recording { status: 200, headers, body: body.into(), cuts: Cuts::EveryByte };
    let setup = |mut setup: Setup| {
        setup.script.replay = Some(drips.into());
        setup.script.pause = Duration::from_millis(2);
        setup
    };
    let plan = Plan::of(&[("only", Dialect::OpenaiChat)]).patient().pool("timeouts = { progress = \"500ms\" }");
    let proxy = plan.setup(0, setup).start().await;
    let answer = proxy.client().chat(true).await;
    assert_eq!((answer.clean, answer.said().as_str()), (false, "So"), "{}", answer.text());
    assert!(error_event(Dialect::OpenaiChat, &answer), "{}", answer.text());
    let line = &proxy.log.wait_for(1).await[0];
    let attempt = &line["attempts"][0];
    assert_eq!((&attempt["class"], &attempt["reason"]), (&json!("stream_idle"), &json!("no_progress")), "{line}");
}

#[tokio::test]
async fn f_056_an_event_that_is_not_json_is_left_out() {
    for client in Dialect::CONVERSING {
        let (proxy, answer) = streamed(client, client, Fault::MalformedEvent, |setup| setup).await;
        assert!(answer.clean && ends_with_terminator(client, &answer), "{}", answer.text());
        assert_eq!(answer.said().len() / 10, proxy.vendors[0].text().len() / 10, "all but the one event");
        let line = &proxy.log.wait_for(1).await[0];
        assert_eq!(line["attempts"][0]["events_skipped"], 1, "it is counted: {line}");
    }
}

#[tokio::test]
async fn f_057_the_first_terminator_ends_the_answer() {
    is_whole(Fault::TwoTerminators).await;
}

#[tokio::test]
async fn a_held_answer_keeps_the_client_awake_and_fails_over_unseen() {
    let proxy = Plan::two(Dialect::Anthropic).server("ping_after = \"100ms\"").start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    let answer = proxy.client().message(true).await;
    assert!(answer.text().starts_with("event: ping"), "{}", answer.text());
    assert_eq!((answer.status, answer.clean, answer.said()), (200, true, proxy.vendors[1].text()));
}

#[tokio::test]
async fn usage_is_in_the_log_whether_or_not_the_client_asked() {
    for vendor in Dialect::CONVERSING {
        let proxy = Plan::of(&[("only", vendor)]).start().await;
        let answer = proxy.client().chat(true).await;
        assert!(!answer.text().contains("\"usage\":{"), "the client did not ask: {}", answer.text());
        let line = &proxy.log.wait_for(1).await[0];
        assert!(line["tokens"]["output"].as_u64().is_some_and(|tokens| tokens > 0), "{line}");
    }
}

/// Clients of Gemini's dialect are told of a function call when it is whole: as long as nothing is written, nothing is lost.
#[tokio::test]
async fn a_function_call_that_breaks_before_it_is_told_moves() {
    let chunk = |delta: serde_json::Value| {
        let choices = serde_json::json!([{"index": 0, "delta": delta, "finish_reason": null}]);
        let chunk = serde_json::json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
        format!("data: {chunk}\n\n")
    };
    let call = |function: serde_json::Value| {
        chunk(
            serde_json::json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}),
        )
    };
    let begun = [
        call(serde_json::json!({"name": "look_up", "arguments": ""})),
        call(serde_json::json!({"arguments": "{\"place\":"})),
    ];
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    let cut = Recording { status: 200, headers, body: begun.concat().into(), cuts: Cuts::EveryByte };
    let replays = |mut setup: Setup| {
        setup.script.replay = Some(cut.into());
        setup
    };
    let vendors = [("first", Dialect::OpenaiChat), ("second", Dialect::OpenaiChat)];
    let proxy = Plan::of(&vendors).setup(0, replays).start().await;
    let answer = proxy.client().ask(Dialect::Gemini, true).await;
    assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
    assert_eq!(answer.said(), proxy.vendors[1].text(), "{}", answer.text());
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["attempts"][0]["class"], "truncated", "{line}");
}
