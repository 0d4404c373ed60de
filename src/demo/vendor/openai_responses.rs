//! OpenAI Responses, as OpenAI writes it in 2026.

use super::speech::{Answer, Saying, pieces};
use bytes::Bytes;
use serde_json::{Value, json};

const CREATED: u64 = 1_782_321_905;

/// The whole answer.
pub(super) fn reply(saying: &Saying<'_>) -> Value {
    response(saying, "completed", &[item(saying, true)])
}

/// The streamed answer.
pub(super) fn stream(saying: &Saying<'_>) -> Answer {
    let begun = response(saying, "in_progress", &[]);
    let mut events = Events::default();
    let mut opening = vec![
        events.next(json!({"type": "response.created", "response": begun})),
        events.next(json!({"type": "response.in_progress", "response": begun})),
    ];
    let begins = json!({"type": "response.output_item.added", "output_index": 0, "item": item(saying, false)});
    let id = item_id(saying);
    let of_part = |kind: &str, member: &str, value: Value| json!({"type": kind, "item_id": id, "output_index": 0, "content_index": 0, member: value});
    let of_item =
        |kind: &str, member: &str, value: Value| json!({"type": kind, "item_id": id, "output_index": 0, member: value});
    let (content, mut closing): (Vec<Bytes>, Vec<Bytes>) = match &saying.asked.tool {
        Some((name, arguments)) => {
            let arguments = arguments.to_string();
            let delta = "response.function_call_arguments.delta";
            let deltas = pieces(&arguments, 4).into_iter().map(|piece| of_item(delta, "delta", piece.into()));
            let content = std::iter::once(begins).chain(deltas).map(|event| events.next(event)).collect();
            let mut done = of_item("response.function_call_arguments.done", "arguments", arguments.into());
            done["name"] = json!(name);
            (content, vec![events.next(done)])
        }
        None => {
            opening.push(events.next(begins));
            let begun = json!({"type": "output_text", "annotations": [], "logprobs": [], "text": ""});
            opening.push(events.next(of_part("response.content_part.added", "part", begun)));
            let delta = |word: &String| {
                let mut delta = of_part("response.output_text.delta", "delta", word.as_str().into());
                delta["logprobs"] = json!([]);
                delta
            };
            let content = saying.text.iter().map(delta).map(|event| events.next(event)).collect();
            let mut done = of_part("response.output_text.done", "text", saying.whole().into());
            done["logprobs"] = json!([]);
            let part = of_part("response.content_part.done", "part", text(saying));
            (content, vec![events.next(done), events.next(part)])
        }
    };
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item(saying, true)});
    closing.push(events.next(done));
    let whole = reply(saying);
    let terminator = events.next(json!({"type": "response.completed", "response": whole}));
    Answer { streamed: true, opening, content, closing, terminator }
}

/// The last event of a streamed answer with nothing in it.
pub(super) fn empty_stream() -> Bytes {
    let response = json!({"id": "resp_demo", "object": "response", "created_at": CREATED, "model": "demo",
        "status": "completed", "error": null, "incomplete_details": null, "output": []});
    Events::default().next(json!({"type": "response.completed", "response": response}))
}

/// Numbers events as they come.
#[derive(Default)]
struct Events(u64);

impl Events {
    fn next(&mut self, mut data: Value) -> Bytes {
        data["sequence_number"] = self.0.into();
        self.0 += 1;
        Bytes::from(format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()))
    }
}

fn item_id(saying: &Saying<'_>) -> String {
    format!("{}_{}", if saying.asked.tool.is_some() { "fc" } else { "msg" }, saying.id)
}

fn item(saying: &Saying<'_>, done: bool) -> Value {
    let status = if done { "completed" } else { "in_progress" };
    match &saying.asked.tool {
        Some((name, arguments)) => json!({"id": item_id(saying), "type": "function_call", "status": status,
            "arguments": if done { arguments.to_string() } else { String::new() },
            "call_id": format!("call_{}", saying.id), "name": name}),
        None => json!({"id": item_id(saying), "type": "message", "status": status, "role": "assistant",
            "content": if done { json!([text(saying)]) } else { json!([]) }}),
    }
}

fn text(saying: &Saying<'_>) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": saying.whole()})
}

fn response(saying: &Saying<'_>, status: &str, output: &[Value]) -> Value {
    let (input, written) = (saying.asked.prompt_tokens, saying.output_tokens());
    let usage = json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + written});
    json!({"id": format!("resp_{}", saying.id), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "model": saying.model, "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "service_tier": "default", "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": if status == "completed" { usage } else { Value::Null }, "user": null,
        "metadata": {}})
}
