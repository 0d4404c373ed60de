//! The wire's shapes, as read. Members after openai/openai-openapi of 2026-08-21: `CreateResponse`, `Response`,
//! `ResponseStreamEvent`.

use crate::call::usage::Usage;
use crate::dialect::object::{Known, Object, Text, object};
use crate::dialect::shapes::{Count, TextOr};
use serde::Serialize;
use serde_json::value::RawValue;

object! {
    /// What a client asks.
    Request<'a> {
        model = "model": Option<String>,
        input = "input": TextOr<Object<'a, Item<'a>>>,
        instructions = "instructions": TextOr<&'a RawValue>,
        tools = "tools": Option<Vec<&'a RawValue>>,
        tool_choice = "tool_choice": Option<&'a RawValue>,
        parallel_tool_calls = "parallel_tool_calls": Option<bool>,
        max_output_tokens = "max_output_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        text = "text": Option<Object<'a, TextForm<'a>>>,
        reasoning = "reasoning": Option<Object<'a, Thinking>>,
        user = "user": Option<String>,
        safety_identifier = "safety_identifier": Option<String>,
        stream = "stream": Option<bool>,
    }
}

object! {
    /// The input's items as they came, for those that only this dialect knows.
    RawInput<'a> { input = "input": TextOr<&'a RawValue>, }
}

object! {
    /// One item of the conversation, of any kind.
    Item<'a> {
        kind = "type": Option<Text<'a>>,
        id = "id": Option<Text<'a>>,
        status = "status": Option<Text<'a>>,
        role = "role": Option<Text<'a>>,
        phase = "phase": Option<Text<'a>>,
        content = "content": TextOr<&'a RawValue>,
        call_id = "call_id": Option<String>,
        name = "name": Option<String>,
        namespace = "namespace": Option<String>,
        arguments = "arguments": Option<&'a RawValue>,
        output = "output": TextOr<&'a RawValue>,
        summary = "summary": Option<Vec<Known<Part<'a>>>>,
        encrypted_content = "encrypted_content": Option<String>,
    }
}

object! {
    /// One part of an item.
    Part<'a> {
        kind = "type": Option<Text<'a>>,
        text = "text": Option<String>,
        refusal = "refusal": Option<String>,
        annotations = "annotations": Option<Vec<&'a RawValue>>,
        logprobs = "logprobs": Option<&'a RawValue>,
        image_url = "image_url": Option<Text<'a>>,
        detail = "detail": Option<String>,
        file_data = "file_data": Option<Text<'a>>,
        file_url = "file_url": Option<String>,
        filename = "filename": Option<String>,
    }
}

object! {
    /// A note on a text.
    Annotation<'a> {
        kind = "type": Option<Text<'a>>,
        url = "url": Option<String>,
        title = "title": Option<String>,
    }
}

object! {
    /// A tool that is offered.
    Tool<'a> {
        kind = "type": Option<Text<'a>>,
        name = "name": Option<String>,
        description = "description": Option<String>,
        parameters = "parameters": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
        tools = "tools": Option<Vec<&'a RawValue>>,
    }
}

object! {
    /// What the answer's text shall be.
    TextForm<'a> { format = "format": Option<Object<'a, TextFormat<'a>>>, }
}

object! {
    /// The form of the answer.
    TextFormat<'a> {
        kind = "type": Option<Text<'a>>,
        name = "name": Option<String>,
        description = "description": Option<String>,
        schema = "schema": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
    }
}

object! {
    /// How much to think, and what to show of it.
    Thinking { effort = "effort": Option<String>, summary = "summary": Option<String>, }
}

object! {
    /// A whole answer, or the head of a streamed one.
    Response<'a> {
        id = "id": Option<String>,
        model = "model": Option<String>,
        created_at = "created_at": Count,
        status = "status": Option<Text<'a>>,
        error = "error": Option<&'a RawValue>,
        incomplete = "incomplete_details": Option<Known<Incomplete<'a>>>,
        output = "output": Option<Vec<&'a RawValue>>,
        usage = "usage": Option<Known<WireUsage>>,
    }
}

object! {
    /// Why an answer is not whole.
    Incomplete<'a> { reason = "reason": Option<Text<'a>>, }
}

object! {
    /// One event of a stream, of any kind.
    Event<'a> {
        kind = "type": Option<Text<'a>>,
        sequence_number = "sequence_number": Option<u64>,
        response = "response": Option<&'a RawValue>,
        output_index = "output_index": Option<u64>,
        item_id = "item_id": Option<Text<'a>>,
        content_index = "content_index": Option<u64>,
        summary_index = "summary_index": Option<u64>,
        item = "item": Option<&'a RawValue>,
        part = "part": Option<&'a RawValue>,
        delta = "delta": Option<Text<'a>>,
        text = "text": Option<Text<'a>>,
        refusal = "refusal": Option<Text<'a>>,
        arguments = "arguments": Option<Text<'a>>,
        annotation = "annotation": Option<&'a RawValue>,
    }
}

object! {
    /// Token counts as this dialect tells them: the parts lie within the sums.
    WireUsage {
        input = "input_tokens": Count,
        output = "output_tokens": Count,
        input_details = "input_tokens_details": Option<Known<InputDetails>>,
        output_details = "output_tokens_details": Option<Known<OutputDetails>>,
    }
}

object! {
    /// Parts of the prompt.
    InputDetails { cached = "cached_tokens": Count, written = "cache_write_tokens": Count, }
}

object! {
    /// Parts of the answer.
    OutputDetails { reasoning = "reasoning_tokens": Count, }
}

impl From<&WireUsage> for Usage {
    /// All vendors of this dialect, xAI among them, count thoughts within the output (487 recordings).
    fn from(wire: &WireUsage) -> Self {
        let input = wire.input.unwrap_or(0);
        let details = wire.input_details.as_ref().map(|Known(details)| details);
        let cached = details.and_then(|details| *details.cached).unwrap_or(0).min(input);
        let written = details.and_then(|details| *details.written).unwrap_or(0).min(input - cached);
        let output = wire.output.unwrap_or(0);
        let reasoning = wire.output_details.as_ref().and_then(|Known(details)| *details.reasoning).unwrap_or(0);
        let reasoning = reasoning.min(output);
        Self { fresh: input - cached - written, cached, written, output, reasoning, ..Self::default() }
    }
}

/// Token counts as they are written.
#[derive(Debug, Serialize)]
pub(crate) struct UsageOut {
    input_tokens: u64,
    input_tokens_details: InputDetailsOut,
    output_tokens: u64,
    output_tokens_details: OutputDetailsOut,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct InputDetailsOut {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct OutputDetailsOut {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input(),
            input_tokens_details: InputDetailsOut { cached_tokens: usage.cached, cache_write_tokens: usage.written },
            output_tokens: usage.output,
            output_tokens_details: OutputDetailsOut { reasoning_tokens: usage.reasoning },
            total_tokens: usage.input().saturating_add(usage.output),
        }
    }
}
