//! OpenAI Chat Completions, as OpenAI writes it in 2026.

use super::speech::{Answer, Saying, pieces};
use bytes::Bytes;
use serde_json::{Value, json};

const CREATED: u64 = 1_782_321_905;

/// The whole answer.
pub(super) fn reply(saying: &Saying<'_>) -> Value {
    let (message, finish) = match &saying.asked.tool {
        Some((name, arguments)) => (
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("call_{}", saying.id),
                "type": "function", "function": {"name": name, "arguments": arguments.to_string()}}],
                "refusal": null, "annotations": []}),
            "tool_calls",
        ),
        None => (json!({"role": "assistant", "content": saying.whole(), "refusal": null, "annotations": []}), "stop"),
    };
    json!({"id": format!("chatcmpl-{}", saying.id), "object": "chat.completion", "created": CREATED,
        "model": saying.model, "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": usage(saying), "service_tier": "default", "system_fingerprint": "fp_demo"})
}

/// The streamed answer.
pub(super) fn stream(saying: &Saying<'_>) -> Answer {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({"id": format!("chatcmpl-{}", saying.id), "object": "chat.completion.chunk",
            "created": CREATED, "model": saying.model, "service_tier": "default", "system_fingerprint": "fp_demo",
            "choices": choices});
        if saying.asked.include_usage {
            chunk["usage"] = usage;
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let delta = |delta: Value, finish: Option<&str>| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), Value::Null)
    };
    let (opening, content, finish): (_, Vec<Bytes>, _) = match &saying.asked.tool {
        Some((name, arguments)) => {
            let call = json!({"role": "assistant", "content": null, "tool_calls": [{"index": 0,
                "id": format!("call_{}", saying.id), "type": "function",
                "function": {"name": name, "arguments": ""}}], "refusal": null});
            let arguments = pieces(&arguments.to_string(), 4)
                .into_iter()
                .map(|piece| delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), None));
            (Vec::new(), std::iter::once(delta(call, None)).chain(arguments).collect(), "tool_calls")
        }
        None => {
            let opening = delta(json!({"role": "assistant", "content": "", "refusal": null}), None);
            let words = saying.text.iter().map(|word| delta(json!({"content": word}), None));
            (vec![opening], words.collect(), "stop")
        }
    };
    let mut closing = vec![delta(json!({}), Some(finish))];
    if saying.asked.include_usage {
        closing.push(chunk(json!([]), usage(saying)));
    }
    Answer { streamed: true, opening, content, closing, terminator: Bytes::from_static(b"data: [DONE]\n\n") }
}

fn usage(saying: &Saying<'_>) -> Value {
    let (input, output) = (saying.asked.prompt_tokens, saying.output_tokens());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0}})
}
