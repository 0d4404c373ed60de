//! What translation costs: a long conversation in each direction, and one piece of a stream in each. Goals: 150 us of
//! CPU for the conversation, 1.5 us for the piece. `cargo bench --bench translate`

use backstay::dialect::Dialect;
use backstay::dialect::profile::{ANTHROPIC, GEMINI, OPENAI, OPENAI_RESPONSES, Profile};
use backstay::dialect::sse::Event;
use backstay::dialect::translate::{self, StreamTranslator};
use bytes::BytesMut;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;

/// Some 30 KB in a hundred turns, every fifth of which calls a tool.
fn conversation(dialect: Dialect) -> Vec<u8> {
    let text = "A sentence with \"quotes\" and a line\nbreak, of the length that people write. ".repeat(3);
    let turns = (0..50).flat_map(|turn| match (turn % 5, dialect) {
        (0, Dialect::OpenaiChat) => vec![
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("call_{turn}"), "type": "function",
                "function": {"name": "look_up", "arguments": "{\"place\": \"Oslo\", \"days\": 3}"}}]}),
            json!({"role": "tool", "tool_call_id": format!("call_{turn}"), "content": text}),
        ],
        (0, Dialect::Anthropic) => vec![
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("call_{turn}"), "name": "look_up",
                "input": {"place": "Oslo", "days": 3}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("call_{turn}"), "content": text}]}),
        ],
        (0, Dialect::OpenaiResponses) => vec![
            json!({"type": "function_call", "id": format!("fc_{turn}"), "call_id": format!("call_{turn}"), "name": "look_up",
                "arguments": "{\"place\": \"Oslo\", \"days\": 3}", "status": "completed"}),
            json!({"type": "function_call_output", "call_id": format!("call_{turn}"), "output": text}),
        ],
        (0, _) => vec![
            json!({"role": "model", "parts": [{"functionCall": {"name": "look_up", "args": {"place": "Oslo", "days": 3}},
                "thoughtSignature": "CvQBAdHtim9Zc2VhbA=="}]}),
            json!({"role": "user", "parts": [{"functionResponse": {"name": "look_up", "response": {"output": text}}}]}),
        ],
        (_, Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic) => {
            vec![json!({"role": "assistant", "content": text}), json!({"role": "user", "content": text})]
        }
        _ => vec![said("model", &text), said("user", &text)],
    });
    if dialect == Dialect::Gemini {
        let contents: Vec<Value> = std::iter::once(said("user", &text)).chain(turns).collect();
        return json!({"contents": contents, "generationConfig": {"maxOutputTokens": 1000}}).to_string().into_bytes();
    }
    let mut messages = vec![json!({"role": "user", "content": text})];
    messages.extend(turns);
    let (turns, most) = match dialect {
        Dialect::OpenaiResponses => ("input", "max_output_tokens"),
        _ => ("messages", "max_tokens"),
    };
    json!({"model": "smart", most: 1000, turns: messages}).to_string().into_bytes()
}

fn said(role: &str, text: &str) -> Value {
    json!({"role": role, "parts": [{"text": text}]})
}

fn calls(c: &mut Criterion) {
    for (client, vendor) in [
        (Dialect::OpenaiChat, &ANTHROPIC),
        (Dialect::Anthropic, &OPENAI),
        (Dialect::OpenaiResponses, &OPENAI),
        (Dialect::OpenaiResponses, &ANTHROPIC),
        (Dialect::OpenaiChat, &OPENAI_RESPONSES),
        (Dialect::Anthropic, &OPENAI_RESPONSES),
        (Dialect::OpenaiChat, &GEMINI),
        (Dialect::Gemini, &OPENAI),
        (Dialect::Gemini, &ANTHROPIC),
    ] {
        let body = conversation(client);
        c.bench_function(
            &format!("call of {} bytes, {} to {}", body.len(), client.name(), vendor.dialect.name()),
            |b| {
                b.iter(|| {
                    let call = translate::read_call(client, black_box(&body)).expect("a valid request");
                    translate::write_call(vendor, &call, "model", 4096, false).expect("no refusal")
                });
            },
        );
    }
}

fn stream_delta(c: &mut Criterion, vendor: &'static Profile, client: Dialect, first: &[Value], delta: &Value) {
    let event = |value: &Value| format!("data: {value}\n\n").into_bytes();
    let (delta, mut out) = (event(delta), BytesMut::with_capacity(1 << 16));
    let mut translator = StreamTranslator::new(vendor, client, true);
    for value in first {
        translator.event(&Event::parse(&event(value)), &mut out).expect("an event");
    }
    c.bench_function(&format!("delta, {} to {}", vendor.dialect.name(), client.name()), |b| {
        b.iter_batched_ref(
            || BytesMut::with_capacity(1 << 10),
            |out| translator.event(&Event::parse(black_box(&delta)), out).expect("an event"),
            BatchSize::SmallInput,
        );
    });
}

fn streams(c: &mut Criterion) {
    let chunk = |delta: Value| {
        json!({"id": "chatcmpl-CRkRtjAjjXEkkf4Gk4SFfTf01OzDZ", "object": "chat.completion.chunk", "created": 1760729441,
            "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": "fp_eb3c3cb84d",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}],
            "usage": null, "obfuscation": "a8Kd0"})
    };
    let (first, word) = (chunk(json!({"role": "assistant", "content": "I"})), chunk(json!({"content": " word"})));
    stream_delta(c, &OPENAI, Dialect::Anthropic, std::slice::from_ref(&first), &word);
    stream_delta(c, &OPENAI, Dialect::OpenaiResponses, std::slice::from_ref(&first), &word);
    stream_delta(c, &OPENAI, Dialect::Gemini, &[first], &word);
    let first = [
        json!({"type": "message_start", "message": {"id": "msg_01", "model": "claude-opus-5-5", "usage": {"input_tokens": 9}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    let word = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}});
    stream_delta(c, &ANTHROPIC, Dialect::OpenaiChat, &first, &word);
    stream_delta(c, &ANTHROPIC, Dialect::OpenaiResponses, &first, &word);
    let item = "msg_05f46fd4032c869b0068f966cbd974819784490218d2264e0d";
    let first = [
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "gpt-5.5"}}),
        json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
            "item": {"id": item, "type": "message", "status": "in_progress", "content": [], "role": "assistant"}}),
        json!({"type": "response.content_part.added", "sequence_number": 2, "item_id": item, "output_index": 0,
            "content_index": 0, "part": {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}}),
    ];
    let word = json!({"type": "response.output_text.delta", "sequence_number": 3, "item_id": item, "output_index": 0,
        "content_index": 0, "delta": " word", "logprobs": [], "obfuscation": "MBnKLz2xHFiT"});
    stream_delta(c, &OPENAI_RESPONSES, Dialect::OpenaiChat, &first, &word);
    stream_delta(c, &OPENAI_RESPONSES, Dialect::Anthropic, &first, &word);
    let word = json!({"candidates": [{"content": {"parts": [{"text": " word"}], "role": "model"}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]},
        "modelVersion": "gemini-3.5-flash", "responseId": "0DD8aPa3KeKC7M8P2aG5sQU"});
    stream_delta(c, &GEMINI, Dialect::OpenaiChat, std::slice::from_ref(&word), &word);
}

criterion_group!(benches, calls, streams);
criterion_main!(benches);
