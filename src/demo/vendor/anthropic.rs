//! Anthropic Messages, as Anthropic writes it in 2026.

use super::speech::{Answer, Saying, pieces};
use bytes::Bytes;
use serde_json::{Value, json};

/// The whole answer.
pub(super) fn reply(saying: &Saying<'_>) -> Value {
    let (block, stop) = match &saying.asked.tool {
        Some((name, arguments)) => (
            json!({"type": "tool_use", "id": format!("toolu_{}", saying.id), "name": name, "input": arguments}),
            "tool_use",
        ),
        None => (json!({"type": "text", "text": saying.whole()}), end(saying)),
    };
    let mut message = message(saying, saying.output_tokens());
    message["content"] = json!([block]);
    message["stop_reason"] = json!(stop);
    message["stop_sequence"] = json!(stop_sequence(saying));
    message
}

/// The streamed answer.
pub(super) fn stream(saying: &Saying<'_>) -> Answer {
    let (block, deltas, stop): (_, Vec<Value>, _) = match &saying.asked.tool {
        Some((name, arguments)) => (
            json!({"type": "tool_use", "id": format!("toolu_{}", saying.id), "name": name, "input": {}}),
            pieces(&arguments.to_string(), 4)
                .into_iter()
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                .collect(),
            "tool_use",
        ),
        None => (
            json!({"type": "text", "text": ""}),
            saying.text.iter().map(|word| json!({"type": "text_delta", "text": word})).collect(),
            end(saying),
        ),
    };
    let opening = vec![
        event(&json!({"type": "message_start", "message": message(saying, 1)})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
        Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
    ];
    let content = deltas
        .into_iter()
        .map(|delta| event(&json!({"type": "content_block_delta", "index": 0, "delta": delta})))
        .collect();
    let closing = vec![
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": stop_sequence(saying)},
            "usage": usage(saying, saying.output_tokens())})),
    ];
    Answer { streamed: true, opening, content, closing, terminator: event(&json!({"type": "message_stop"})) }
}

fn end(saying: &Saying<'_>) -> &'static str {
    if saying.stopped.is_some() { "stop_sequence" } else { "end_turn" }
}

fn stop_sequence<'a>(saying: &Saying<'a>) -> Option<&'a str> {
    saying.stopped.filter(|_| saying.asked.tool.is_none())
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()))
}

fn message(saying: &Saying<'_>, output_tokens: usize) -> Value {
    json!({"id": format!("msg_{}", saying.id), "type": "message", "role": "assistant", "model": saying.model,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage(saying, output_tokens)})
}

fn usage(saying: &Saying<'_>, output_tokens: usize) -> Value {
    json!({"input_tokens": saying.asked.prompt_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": output_tokens, "service_tier": "standard"})
}
