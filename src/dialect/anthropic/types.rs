//! The wire's shapes, as read and as written. Members after the official SDKs' types of 2026-08-07.

use crate::call::usage::Usage;
use crate::dialect::object::{Kind, Known, Object, Text, object};
use crate::dialect::shapes::{Count, TextOr};
use serde::Serialize;
use serde_json::value::RawValue;

object! {
    /// What a client asks.
    Request<'a> {
        model = "model": Option<String>,
        messages = "messages": Option<Vec<Object<'a, Message<'a>>>>,
        system = "system": TextOr<&'a RawValue>,
        max_tokens = "max_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        top_k = "top_k": Option<u64>,
        stop_sequences = "stop_sequences": Option<Vec<String>>,
        stream = "stream": Option<bool>,
        tools = "tools": Option<Vec<&'a RawValue>>,
        tool_choice = "tool_choice": Option<&'a RawValue>,
        thinking = "thinking": Option<Object<'a, Thinking<'a>>>,
        output_config = "output_config": Option<Object<'a, OutputConfig<'a>>>,
        output_format = "output_format": Option<Object<'a, OutputFormat<'a>>>,
        metadata = "metadata": Option<Object<'a, Metadata>>,
        cache_control = "cache_control": Option<&'a RawValue>,
    }
}

object! {
    /// One message of the conversation.
    Message<'a> { role = "role": Option<Text<'a>>, content = "content": TextOr<&'a RawValue>, }
}

object! {
    /// One block of a message's content, of the kinds that other dialects know too.
    Block<'a> {
        kind = "type": Option<Text<'a>>,
        text = "text": Option<String>,
        citations = "citations": Option<&'a RawValue>,
        source = "source": Option<&'a RawValue>,
        title = "title": Option<String>,
        id = "id": Option<String>,
        name = "name": Option<String>,
        input = "input": Option<&'a RawValue>,
        caller = "caller": Option<Known<Kind<'a>>>,
        tool_use_id = "tool_use_id": Option<String>,
        content = "content": Option<&'a RawValue>,
        is_error = "is_error": Option<bool>,
        thinking = "thinking": Option<String>,
        signature = "signature": Option<String>,
        data = "data": Option<String>,
        cache_control = "cache_control": Option<&'a RawValue>,
    }
}

object! {
    /// Where an image or document is.
    Source<'a> {
        kind = "type": Option<Text<'a>>,
        media_type = "media_type": Option<String>,
        data = "data": Option<String>,
        url = "url": Option<String>,
    }
}

object! {
    /// What a text rests on.
    WireCitation { url = "url": Option<String>, title = "title": Option<String>, }
}

object! {
    /// A tool that is offered.
    Tool<'a> {
        kind = "type": Option<Text<'a>>,
        name = "name": Option<String>,
        description = "description": Option<String>,
        input_schema = "input_schema": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
        cache_control = "cache_control": Option<&'a RawValue>,
    }
}

object! {
    /// Whether the model may or must call a tool.
    ToolChoice<'a> {
        kind = "type": Option<Text<'a>>,
        name = "name": Option<String>,
        disable_parallel_tool_use = "disable_parallel_tool_use": Option<bool>,
    }
}

object! {
    /// Whether the model thinks.
    Thinking<'a> {
        kind = "type": Option<Text<'a>>,
        budget_tokens = "budget_tokens": Option<u64>,
        display = "display": Option<String>,
    }
}

object! {
    /// How the answer shall be.
    OutputConfig<'a> {
        effort = "effort": Option<String>,
        format = "format": Option<Object<'a, OutputFormat<'a>>>,
    }
}

object! {
    /// The form of the answer.
    OutputFormat<'a> { kind = "type": Option<Text<'a>>, schema = "schema": Option<&'a RawValue>, }
}

object! {
    /// What the vendor is told about the call.
    Metadata { user_id = "user_id": Option<String>, }
}

object! {
    /// A whole answer.
    Answer<'a> {
        kind = "type": Option<Text<'a>>,
        id = "id": Option<String>,
        model = "model": Option<String>,
        content = "content": Option<Vec<&'a RawValue>>,
        stop_reason = "stop_reason": Option<Text<'a>>,
        stop_sequence = "stop_sequence": Option<String>,
        stop_details = "stop_details": Option<Known<StopDetails>>,
        usage = "usage": Option<Known<WireUsage>>,
    }
}

object! {
    /// Why the vendor refused.
    StopDetails { explanation = "explanation": Option<String>, }
}

object! {
    /// Any event of a stream: `type` tells which members it has.
    Event<'a> {
        kind = "type": Option<Text<'a>>,
        index = "index": Option<u64>,
        message = "message": Option<Known<StreamedMessage<'a>>>,
        content_block = "content_block": Option<&'a RawValue>,
        delta = "delta": Option<Known<BlockDelta<'a>>>,
        usage = "usage": Option<Known<WireUsage>>,
    }
}

object! {
    /// The head of a streamed answer.
    StreamedMessage<'a> {
        id = "id": Option<Text<'a>>,
        model = "model": Option<Text<'a>>,
        usage = "usage": Option<Known<WireUsage>>,
    }
}

object! {
    /// What an event adds to a block, or to the answer's end.
    BlockDelta<'a> {
        kind = "type": Option<Text<'a>>,
        text = "text": Option<Text<'a>>,
        partial_json = "partial_json": Option<Text<'a>>,
        thinking = "thinking": Option<Text<'a>>,
        signature = "signature": Option<Text<'a>>,
        citation = "citation": Option<&'a RawValue>,
        stop_reason = "stop_reason": Option<Text<'a>>,
        stop_sequence = "stop_sequence": Option<String>,
        stop_details = "stop_details": Option<Known<StopDetails>>,
    }
}

object! {
    /// Token counts as this dialect tells them: what a cache held is counted beside `input_tokens` (recording
    /// `2fb8ad663a74a3f1`).
    WireUsage {
        input_tokens = "input_tokens": Count,
        cache_read = "cache_read_input_tokens": Count,
        written = "cache_creation_input_tokens": Count,
        cache_creation = "cache_creation": Option<Known<CacheCreation>>,
        output_tokens = "output_tokens": Count,
        output_details = "output_tokens_details": Option<Known<OutputDetails>>,
    }
}

object! {
    /// What was written to the cache, by how long it is kept.
    CacheCreation { ephemeral_1h = "ephemeral_1h_input_tokens": Count, }
}

object! {
    /// Parts of the answer.
    OutputDetails { thinking_tokens = "thinking_tokens": Count, }
}

impl From<&WireUsage> for Usage {
    fn from(wire: &WireUsage) -> Self {
        Self {
            fresh: wire.input_tokens.unwrap_or(0),
            cached: wire.cache_read.unwrap_or(0),
            written: wire.written.unwrap_or(0),
            written_1h: wire.cache_creation.as_ref().and_then(|Known(kept)| *kept.ephemeral_1h).unwrap_or(0),
            output: wire.output_tokens.unwrap_or(0),
            reasoning: wire.output_details.as_ref().and_then(|Known(details)| *details.thinking_tokens).unwrap_or(0),
        }
    }
}

/// Token counts as they are written.
#[derive(Debug, Serialize)]
pub(crate) struct UsageOut {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreationOut>,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetailsOut>,
}

#[derive(Debug, Serialize)]
struct CacheCreationOut {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Serialize)]
struct OutputDetailsOut {
    thinking_tokens: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.fresh,
            cache_creation_input_tokens: usage.written,
            cache_creation: (usage.written_1h > 0).then(|| CacheCreationOut {
                ephemeral_5m_input_tokens: usage.written.saturating_sub(usage.written_1h),
                ephemeral_1h_input_tokens: usage.written_1h,
            }),
            cache_read_input_tokens: usage.cached,
            output_tokens: usage.output,
            output_tokens_details: (usage.reasoning > 0)
                .then_some(OutputDetailsOut { thinking_tokens: usage.reasoning }),
        }
    }
}
