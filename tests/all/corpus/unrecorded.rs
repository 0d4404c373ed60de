//! What vendors are known to send and no recording here shows: answers written by hand, and what is read of them.

use super::fold;
use backstay::base::failure::FailureKind;
use backstay::call::reply::Reply;
use backstay::call::turn::Content;
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::profile::{self, ANTHROPIC, GEMINI, OPENAI, OPENAI_COMPLETIONS, OPENAI_RESPONSES, Profile};
use backstay::dialect::{Dialect, translate};
use serde_json::{Value, json};

/// What is told of an answer: a line for each part, and how it ends.
fn told(reply: &Reply) -> Vec<String> {
    let parts = reply.parts.iter().map(|part| match &part.content {
        Content::Text { text, citations } => {
            let pages = citations.iter().filter_map(|citation| citation.url.as_deref());
            [&format!("says {text}")].into_iter().map(String::as_str).chain(pages).collect::<Vec<_>>().join(" ")
        }
        Content::Thinking { text, .. } => format!("thinks {text}"),
        Content::ToolCall(call) => format!("calls {} {}", call.name, call.arguments),
        Content::Foreign(_) => "other".to_owned(),
        other => format!("{other:?}"),
    });
    parts.chain([format!("{:?}", reply.finish)]).collect()
}

fn check_stream(what: &str, profile: &Profile, events: &[Value], expected: &[&str]) {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let reply = fold(profile, &[stream.into()]).unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
    assert_eq!(told(&reply), expected, "{what}");
}

fn check_whole(what: &str, profile: &Profile, answer: &Value, expected: &[&str]) {
    let reply = translate::read_reply(profile, answer.to_string().as_bytes());
    let reply = reply.unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
    assert_eq!(told(&reply), expected, "{what}");
}

fn chunk(delta: Value, finish: Value, more: Value) -> Value {
    let mut chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    more.as_object().into_iter().flatten().for_each(|(name, value)| chunk[name] = value.clone());
    chunk
}

#[test]
fn chunks_of_openais_dialect() {
    let call = json!({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]});
    check_stream(
        "arguments as an object, a call without index and id",
        &OPENAI,
        &[chunk(call, json!("tool_calls"), Value::Null)],
        &["calls f {\"a\":1}", "ToolCalls"],
    );
    let found = json!({"search_results": [{"title": "A", "url": "https://a"}, {"url": "https://b"}], "citations": ["https://a"]});
    check_stream(
        "what a search found, repeated with every chunk",
        &OPENAI,
        &[
            chunk(json!({"content": "It is"}), Value::Null, found.clone()),
            chunk(json!({"content": " so."}), Value::Null, found.clone()),
            chunk(json!({"content": ""}), json!("stop"), found),
        ],
        &["says It is so. https://a https://b", "Stop"],
    );
    check_stream(
        "addresses alone, with the last chunk",
        &OPENAI,
        &[
            chunk(json!({"content": "So."}), Value::Null, Value::Null),
            chunk(json!({}), json!("stop"), json!({"citations": ["https://a", 7]})),
        ],
        &["says So. https://a", "Stop"],
    );
    check_stream(
        "null for an empty list",
        &OPENAI,
        &[
            chunk(json!({"content": "So.", "tool_calls": null, "annotations": null}), json!("stop"), Value::Null),
            json!({"id": "c", "model": "m", "choices": null, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ],
        &["says So.", "Stop"],
    );
}

#[test]
fn whole_answers_of_openais_dialect() {
    let answer = |message: Value, more: Value| {
        let mut answer = json!({"id": "c", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]});
        more.as_object().into_iter().flatten().for_each(|(name, value)| answer[name] = value.clone());
        answer
    };
    check_whole(
        "a time in words",
        &OPENAI,
        &answer(json!({"content": "So."}), json!({"created": "2026-06-01T00:00:00Z"})),
        &["says So.", "Stop"],
    );
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": [1]}}});
    check_whole(
        "arguments as an object",
        &OPENAI,
        &answer(json!({"content": null, "tool_calls": [call]}), Value::Null),
        &["calls f {\"a\":[1]}", "Stop"],
    );
    check_whole(
        "what a search found",
        profile::all().find(|profile| profile.name == "perplexity").expect("it is known"),
        &answer(json!({"content": "So."}), json!({"search_results": [{"title": "A", "url": "https://a"}]})),
        &["says So. https://a", "Stop"],
    );
}

#[test]
fn events_of_anthropics_dialect() {
    let begin =
        |index: usize, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let json_piece = |index: usize, json: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": json}});
    let end = |index: usize| json!({"type": "content_block_stop", "index": index});
    check_stream(
        "a tool of the vendor's own after one of the client's, and an event of a later version",
        &ANTHROPIC,
        &[
            json!({"type": "message_start", "message": {"id": "m", "model": "claude", "usage": null}}),
            begin(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
            json_piece(0, "{\"a\":1}"),
            end(0),
            json!({"type": "heartbeat", "index": "first", "delta": "none"}),
            begin(1, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
            json_piece(1, "{\"query\":\"b\"}"),
            end(1),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}}),
            json!({"type": "message_stop"}),
        ],
        &["calls f {\"a\":1}", "other", "ToolCalls"],
    );
}

#[test]
fn events_of_the_responses_dialect() {
    let message = |content: Value| json!({"id": "msg", "type": "message", "role": "assistant", "content": content});
    let part = json!({"type": "output_text", "text": "So.", "annotations": []});
    let call = |arguments: &str| json!({"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": arguments});
    let output = json!([message(json!([part])), call("{}")]);
    check_stream(
        "llama.cpp's events, which tell of items by their ids and end them all at the end, and one of a later version",
        &OPENAI_RESPONSES,
        &[
            json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
            json!({"type": "response.output_item.added", "item": message(json!([]))}),
            json!({"type": "response.content_part.added", "item_id": "msg", "part": {"type": "output_text", "text": ""}}),
            json!({"type": "response.output_text.delta", "item_id": "msg", "delta": "So."}),
            json!({"type": "response.weather.delta", "delta": {"warm": true}, "output_index": "first"}),
            json!({"type": "response.output_item.added", "item": call("")}),
            json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": "{}"}),
            json!({"type": "response.output_text.done", "item_id": "msg", "text": "So."}),
            json!({"type": "response.content_part.done", "item_id": "msg", "part": part}),
            json!({"type": "response.output_item.done", "item": message(json!([part]))}),
            json!({"type": "response.output_item.done", "item": call("{}")}),
            json!({"type": "response.completed", "response": {"id": "r", "model": "m", "created_at": 1.5, "output": output}}),
        ],
        &["says So.", "calls f {}", "ToolCalls"],
    );
}

#[test]
fn answers_of_geminis_dialect() {
    check_whole(
        "places on a map",
        &GEMINI,
        &json!({"candidates": [{"content": {"parts": [{"text": "There."}], "role": "model"}, "finishReason": "STOP",
            "groundingMetadata": {"groundingChunks": [{"maps": {"uri": "https://maps", "title": "A", "placeId": "p"}}]}}]}),
        &["says There. https://maps", "Stop"],
    );
}

/// Whole answers that say `why` they ended at `place`, as a vendor of each dialect gives them.
fn ended(profile: &Profile, why: Value) -> Value {
    let (mut answer, place) = match profile.dialect {
        Dialect::OpenaiCompletions => (json!({"choices": [{"text": "So."}]}), "/choices/0/finish_reason"),
        Dialect::Anthropic => {
            (json!({"type": "message", "content": [{"type": "text", "text": "So."}]}), "/stop_reason")
        }
        Dialect::Bedrock => (json!({"output": {"message": {"content": [{"text": "So."}]}}}), "/stopReason"),
        Dialect::Gemini => {
            (json!({"candidates": [{"content": {"parts": [{"text": "So."}]}}]}), "/candidates/0/finishReason")
        }
        Dialect::OpenaiResponses => {
            let content = json!([{"type": "output_text", "text": "So.", "annotations": []}]);
            (json!({"output": [{"type": "message", "role": "assistant", "content": content}]}), "/status")
        }
        _ => (json!({"choices": [{"message": {"content": "So."}}]}), "/choices/0/finish_reason"),
    };
    let (parent, name) = place.rsplit_once('/').expect("a place");
    if why != "left out" {
        answer.pointer_mut(parent).expect("a place")[name] = why;
    }
    answer
}

#[test]
fn an_answer_that_does_not_say_why_it_ended_is_not_retold_as_complete() {
    for (profile, word) in [
        (&OPENAI, "stop"),
        (&OPENAI_COMPLETIONS, "stop"),
        (&ANTHROPIC, "end_turn"),
        (&BEDROCK, "end_turn"),
        (&GEMINI, "STOP"),
        (&OPENAI_RESPONSES, "completed"),
    ] {
        check_whole(profile.name, profile, &ended(profile, word.into()), &["says So.", "Stop"]);
        for unsaid in [json!("left out"), Value::Null] {
            let answer = ended(profile, unsaid).to_string();
            let failure = translate::read_reply(profile, answer.as_bytes()).expect_err(&answer);
            assert_eq!((failure.kind, &*failure.reason), (FailureKind::Truncated, "no_finish_reason"), "{answer}");
        }
    }
    // vendors that are known for it, by a recording or by their operator's word
    check_whole("Snowflake's empty word", &OPENAI, &ended(&OPENAI, "".into()), &["says So.", "Stop"]);
    let never_says = Profile { terminator_is_final: true, ..OPENAI };
    check_whole("no word, ever", &never_says, &ended(&OPENAI, Value::Null), &["says So.", "Stop"]);
}

#[test]
fn an_answer_that_was_cut_is_not_retold_as_complete_whatever_cut_it() {
    for details in [Value::Null, json!({}), json!({"reason": "max_output_tokens"}), json!({"reason": "max_tool_calls"})]
    {
        let mut answer = ended(&OPENAI_RESPONSES, "incomplete".into());
        answer["incomplete_details"] = details.clone();
        check_whole("whole", &OPENAI_RESPONSES, &answer, &["says So.", "Length"]);
        let event = json!({"type": "response.incomplete", "response": answer});
        check_stream("streamed", &OPENAI_RESPONSES, &[event], &["says So.", "Length"]);
    }
}
