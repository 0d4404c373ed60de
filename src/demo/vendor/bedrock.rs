//! AWS Bedrock's Converse, as AWS writes it in 2026: frames with both checksums, each padded.

use super::speech::{Answer, Saying, pieces};
use crate::dialect::eventstream::event_frame;
use bytes::Bytes;
use serde_json::{Value, json};

/// The whole answer.
pub(super) fn reply(saying: &Saying<'_>) -> Value {
    let (block, stop) = match &saying.asked.tool {
        Some((name, arguments)) => {
            (json!({"toolUse": {"toolUseId": tool_id(saying), "name": name, "input": arguments}}), "tool_use")
        }
        None => (json!({"text": saying.whole()}), end(saying)),
    };
    let mut reply = json!({"metrics": {"latencyMs": 412}, "stopReason": stop, "usage": usage(saying)});
    reply["output"] = json!({"message": {"role": "assistant", "content": [block]}});
    reply
}

/// The streamed answer.
pub(super) fn stream(saying: &Saying<'_>) -> Answer {
    let mut opening = vec![event("messageStart", json!({"role": "assistant"}))];
    let (deltas, stop): (Vec<Value>, _) = match &saying.asked.tool {
        Some((name, arguments)) => {
            let start = json!({"toolUse": {"toolUseId": tool_id(saying), "name": name}});
            opening.push(event("contentBlockStart", json!({"contentBlockIndex": 0, "start": start})));
            let pieces = pieces(&arguments.to_string(), 4).into_iter();
            (pieces.map(|piece| json!({"toolUse": {"input": piece}})).collect(), "tool_use")
        }
        None => (saying.text.iter().map(|word| json!({"text": word})).collect(), end(saying)),
    };
    let delta = |delta| event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}));
    let closing = vec![
        event("contentBlockStop", json!({"contentBlockIndex": 0})),
        event("messageStop", json!({"stopReason": stop})),
    ];
    let terminator = event("metadata", json!({"usage": usage(saying), "metrics": {"latencyMs": 412}}));
    Answer { streamed: true, opening, content: deltas.into_iter().map(delta).collect(), closing, terminator }
}

fn end(saying: &Saying<'_>) -> &'static str {
    if saying.stopped.is_some() { "stop_sequence" } else { "end_turn" }
}

fn tool_id(saying: &Saying<'_>) -> String {
    format!("tooluse_{}", saying.id)
}

fn usage(saying: &Saying<'_>) -> Value {
    let (input, output) = (saying.asked.prompt_tokens, saying.output_tokens());
    json!({"inputTokens": input, "outputTokens": output, "totalTokens": input + output,
        "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0})
}

/// A frame, padded so that its length does not tell what was said.
fn event(name: &str, mut payload: Value) -> Bytes {
    let padding = "abcdefghijklmnopqrstuvwxyz";
    let length = payload.to_string().len() % padding.len();
    payload["p"] = padding.get(..length).unwrap_or_default().into();
    event_frame(name, &payload.to_string())
}
