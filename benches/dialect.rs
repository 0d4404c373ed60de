//! What same-dialect traffic costs: reading a request, changing it, and watching a stream pass.

use backstay::dialect::Dialect;
use backstay::dialect::profile::{ANTHROPIC, OPENAI, Profile};
use backstay::dialect::scan::scan;
use backstay::dialect::seen::StreamSeen;
use backstay::dialect::splice::{Edits, splice};
use backstay::dialect::sse::Splitter;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// A chat request of about this many bytes, in turns of prose with the escapes that prose has.
fn request(bytes: usize) -> Bytes {
    let prose =
        r#"The mast stands because the stays hold it; \"ease the backstay\", said she,\nand the wind went on. "#;
    let turn = format!(r#"{{"role":"user","content":"{}"}}"#, prose.repeat(bytes.div_ceil(prose.len() * 4).max(2)));
    let turns = vec![turn.as_str(); bytes.div_ceil(turn.len())].join(",");
    Bytes::from(format!(
        r#"{{"model":"smart","messages":[{turns}],"temperature":0.7,"max_tokens":256,"stream":true,"tools":[]}}"#
    ))
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for bytes in [1_200, 30_000] {
        let body = request(bytes);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("scan", bytes), &body, |b, body| {
            b.iter(|| scan(Dialect::OpenaiChat, black_box(body)));
        });
        let Ok(seen) = scan(Dialect::OpenaiChat, &body) else { continue };
        let edits = Edits { model: Some("gpt-5.5"), include_usage: true, ..Edits::default() };
        group.bench_with_input(BenchmarkId::new("splice", bytes), &body, |b, body| {
            b.iter(|| splice(black_box(body), &seen, &edits));
        });
    }
    group.finish();
}

const OPENAI_DELTA: &str = concat!(
    r#"data: {"id":"chatcmpl-C8a1pQw7xyzAbCdEfGhIjKlMnOpQr","object":"chat.completion.chunk","created":1758000000,"model":"gpt-5.5-2026","#,
    r#""service_tier":"default","system_fingerprint":"fp_50906f2aac","choices":[{"index":0,"delta":{"content":" backstay"},"#,
    r#""logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"kF3x9"}"#,
    "\n\n"
);
const ANTHROPIC_DELTA: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" backstay holds the mast"}     }"#,
    "\n\n"
);

/// One event relayed: split, checked, watched and forwarded; in chunks of one event, and of sixty.
fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("event");
    let dialects: [(&str, &'static Profile, &str); 2] =
        [("openai_chat", &OPENAI, OPENAI_DELTA), ("anthropic", &ANTHROPIC, ANTHROPIC_DELTA)];
    for (name, profile, event) in dialects {
        for events in [1, 60] {
            let chunk = Bytes::from(event.repeat(events));
            group.throughput(Throughput::Elements(events as u64));
            group.bench_with_input(BenchmarkId::new(name, events), &chunk, |b, chunk| {
                let mut splitter = Splitter::new();
                let mut seen = StreamSeen::new(profile);
                b.iter(|| {
                    splitter.push(chunk.clone());
                    while let Ok(Some(event)) = splitter.take() {
                        black_box(seen.event(&event));
                        splitter.forward();
                    }
                    while let Some(bytes) = splitter.forwarded() {
                        black_box(bytes);
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, requests, streams);
criterion_main!(benches);
