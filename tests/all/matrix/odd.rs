//! Answers that go wrong in a vendor's own words: thoughts and then nothing, errors in shapes that only one API has.

use super::cell::Way;
use super::table::Must;
use backstay::demo::vendor::{Cuts, Recording};
use backstay::dialect::eventstream::{CONTENT_TYPE, event_frame, exception_frame};
use bytes::Bytes;

/// An answer that ends as HTTP wants it, and is not what it should be.
pub(super) struct Odd {
    pub(super) name: &'static str,
    pub(super) way: Way,
    pub(super) streamed: bool,
    pub(super) must: Must,
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Odd {
    /// As a vendor gives it that was asked for this model.
    pub(super) fn recording(&self, model: &str) -> Recording {
        let headers = vec![("content-type".to_owned(), self.kind.to_owned())];
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => Bytes::from(text.replace("MODEL", model)),
            // frames are not changed: their checksums would not hold
            Err(_) => Bytes::from(self.body.clone()),
        };
        Recording { status: self.status, headers, body, cuts: Cuts::Lengths(vec![7, 40]) }
    }
}

fn stream(name: &'static str, way: Way, must: Must, events: &[&str]) -> Odd {
    let event = |data: &&str| {
        let kind = data.split_once("\"type\":\"").and_then(|(_, rest)| rest.split('"').next());
        match kind.filter(|_| matches!(way, Way::Anthropic | Way::Responses)) {
            Some(kind) => format!("event: {kind}\ndata: {data}\n\n"),
            None => format!("data: {data}\n\n"),
        }
    };
    let body = events.iter().map(event).collect::<String>().into_bytes();
    Odd { name, way, streamed: true, must, status: 200, kind: "text/event-stream", body }
}

fn frames(name: &'static str, must: Must, frames: &[Bytes]) -> Odd {
    Odd { name, way: Way::Bedrock, streamed: true, must, status: 200, kind: CONTENT_TYPE, body: frames.concat() }
}

fn page(name: &'static str, way: Way, (status, streamed): (u16, bool), must: Must, body: &str) -> Odd {
    Odd { name, way, streamed, must, status, kind: "application/json", body: body.into() }
}

const CHUNK: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"MODEL","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"MODEL","output":[]}}"#;
const FAILED: &str = r#"{"type":"response.failed","sequence_number":1,"response":{"id":"resp_1","object":"response","created_at":1,"status":"failed","model":"MODEL","output":[],"error":{"code":"server_error","message":"The model failed."}}}"#;
const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"MODEL","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}"#;

/// Thoughts, and then the end of the body: what follows a thought may be anything.
fn thoughts() -> Vec<Odd> {
    let chat = CHUNK.replace(r#""content":"""#, r#""content":"","reasoning_content":"Hm, what""#);
    let reasoning = r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}"#;
    let part = r#"{"type":"response.reasoning_summary_part.added","sequence_number":2,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}"#;
    let summary = r#"{"type":"response.reasoning_summary_text.delta","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm, what"}"#;
    let block =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#;
    let thinking =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, what"}}"#;
    let thought = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hm, what","thought":true}]},"index":0}],"modelVersion":"MODEL","responseId":"r1","usageMetadata":{"promptTokenCount":7,"totalTokenCount":9}}"#;
    let begun = event_frame("messageStart", r#"{"role":"assistant"}"#);
    let delta = r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm, what"}}}"#;
    let name = "thoughts alone";
    vec![
        stream(name, Way::Chat, Must::Honest, &[&chat]),
        stream(name, Way::Responses, Must::Honest, &[CREATED, reasoning, part, summary]),
        stream(name, Way::Anthropic, Must::Honest, &[START, block, thinking]),
        stream(name, Way::Gemini, Must::Honest, &[thought]),
        frames(name, Must::Honest, &[begun, event_frame("contentBlockDelta", delta)]),
    ]
}

/// Errors inside a 200, or in a body that is no object.
fn errors() -> Vec<Odd> {
    let listed = r#"[{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]"#;
    let openai = r#"{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#;
    let router = r#"{"id":"gen-1","object":"chat.completion.chunk","created":1,"model":"MODEL","error":{"code":502,"message":"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#;
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let ping = r#"{"type":"ping"}"#;
    let limited = r#"{"type":"error","sequence_number":1,"code":"rate_limit_exceeded","message":"Rate limit reached","param":null}"#;
    let malformed_call = r#"{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],"modelVersion":"MODEL","responseId":"r1","usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#;
    let no_part = r#"{"candidates":[{"finishReason":"STOP","index":0}],"modelVersion":"MODEL","responseId":"r1","usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#;
    let failed_whole = r#"{"id":"resp_1","object":"response","created_at":1,"status":"failed","model":"MODEL","output":[],"error":{"code":"server_error","message":"The model failed."}}"#;
    let begun = || event_frame("messageStart", r#"{"role":"assistant"}"#);
    let exception = |name: &str| exception_frame(name, r#"{"message":"Too many requests"}"#);
    let fallback = Must::Fallback;
    vec![
        page("an error in a list", Way::Gemini, (503, true), fallback, listed),
        page("an error in a list", Way::Gemini, (503, false), fallback, listed),
        page("an error in a list with 200", Way::Gemini, (200, true), fallback, listed),
        page("an error in a list with 200", Way::Gemini, (200, false), fallback, listed),
        page("an error as JSON with 200", Way::Chat, (200, true), fallback, openai),
        page("an error as JSON with 200", Way::Responses, (200, true), fallback, failed_whole),
        page("a failed response with 200", Way::Responses, (200, false), fallback, failed_whole),
        page("a null", Way::Chat, (200, false), fallback, "null"),
        page("a null", Way::Anthropic, (200, true), fallback, "null"),
        stream("an error behind the role", Way::Chat, fallback, &[CHUNK, openai]),
        stream("a choice that ends in error", Way::Chat, fallback, &[CHUNK, router, "[DONE]"]),
        stream("an error behind a ping", Way::Anthropic, fallback, &[START, ping, overloaded]),
        stream("a failed response", Way::Responses, fallback, &[CREATED, FAILED]),
        stream("a throttled response", Way::Responses, fallback, &[CREATED, limited]),
        stream("a malformed call", Way::Gemini, fallback, &[malformed_call]),
        stream("nothing but an end", Way::Gemini, fallback, &[no_part]),
        frames("an exception behind the role", fallback, &[begun(), exception("throttlingException")]),
        frames("an exception at once", fallback, &[exception("serviceUnavailableException")]),
        frames("a frame that is cut", fallback, &[begun().slice(..20)]),
    ]
}

/// Finish reasons that say that the answer broke off: what came of it is never told as whole.
fn broken_off() -> Vec<Odd> {
    let text = CHUNK.replace(r#""content":"""#, r#""content":"OpenTelemetry (OTel) is ""#);
    let end = |reason: &str| {
        CHUNK.replace(
            r#"{"role":"assistant","content":""},"finish_reason":null"#,
            &format!(r#"{{}},"finish_reason":"{reason}""#),
        )
    };
    let whole = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"MODEL","choices":[{"index":0,"message":{"role":"assistant","content":"OpenTelemetry (OTel) is "},"finish_reason":"insufficient_system_resource"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#;
    let said = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"OpenTelemetry (OTel) is "}]},"index":0}],"modelVersion":"MODEL","responseId":"r1"}"#;
    let ended = r#"{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],"modelVersion":"MODEL","responseId":"r1","usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#;
    let told = ended.replace(r#""parts":[]"#, r#""parts":[{"text":"OpenTelemetry (OTel) is "}]"#);
    let begun = event_frame("messageStart", r#"{"role":"assistant"}"#);
    let delta =
        event_frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"OpenTelemetry (OTel) is "}}"#);
    let stopped = event_frame("messageStop", r#"{"stopReason":"malformed_tool_use"}"#);
    vec![
        stream("an end in error", Way::Chat, Must::Honest, &[&text, &end("error"), "[DONE]"]),
        stream("an end in error at once", Way::Chat, Must::Fallback, &[CHUNK, &end("network_error"), "[DONE]"]),
        page("an end for want of resources", Way::Chat, (200, false), Must::Fallback, whole),
        stream("a malformed call behind words", Way::Gemini, Must::Honest, &[said, ended]),
        page("a malformed call behind words", Way::Gemini, (200, false), Must::Fallback, &told),
        frames("a malformed call behind words", Must::Honest, &[begun, delta, stopped]),
    ]
}

pub(super) fn all() -> Vec<Odd> {
    thoughts().into_iter().chain(errors()).chain(broken_off()).collect()
}
