//! The wire's shapes, as read and as written. Members after openai/openai-openapi of 2026-08-21.

use crate::call::json::Json;
use crate::call::usage::Usage;
use crate::dialect::object::{Count, Known, Object, Text, TextOr, object, said};
use crate::dialect::openai_chat::think::Piece;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

object! {
    /// What a client asks.
    Request<'a> {
        model = "model": Option<String>,
        messages = "messages": Option<Vec<Object<'a, Message<'a>>>>,
        tools = "tools": Option<Vec<&'a RawValue>>,
        tool_choice = "tool_choice": Option<&'a RawValue>,
        parallel_tool_calls = "parallel_tool_calls": Option<bool>,
        max_tokens = "max_tokens": Option<u64>,
        max_completion_tokens = "max_completion_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        top_k = "top_k": Option<u64>,
        seed = "seed": Option<i64>,
        presence_penalty = "presence_penalty": Option<f64>,
        frequency_penalty = "frequency_penalty": Option<f64>,
        stop = "stop": TextOr<String>,
        response_format = "response_format": Option<Object<'a, ResponseFormat<'a>>>,
        reasoning_effort = "reasoning_effort": Option<String>,
        user = "user": Option<String>,
        safety_identifier = "safety_identifier": Option<String>,
        stream = "stream": Option<bool>,
        stream_options = "stream_options": Option<Known<StreamOptions>>,
    }
}

object! {
    /// How to stream. `include_obfuscation` pads against traffic analysis and asks nothing of the answer.
    StreamOptions { include_usage = "include_usage": Option<bool>, }
}

object! {
    /// One message of the conversation.
    Message<'a> {
        role = "role": Option<Text<'a>>,
        content = "content": TextOr<&'a RawValue>,
        name = "name": Option<String>,
        refusal = "refusal": Option<String>,
        tool_calls = "tool_calls": Option<Vec<&'a RawValue>>,
        tool_call_id = "tool_call_id": Option<String>,
    }
}

object! {
    /// One part of a message's content.
    Part<'a> {
        kind = "type": Option<Text<'a>>,
        text = "text": Option<String>,
        refusal = "refusal": Option<String>,
        image_url = "image_url": Option<&'a RawValue>,
        file = "file": Option<Object<'a, File<'a>>>,
    }
}

object! {
    /// An image by URL or data URL.
    ImageUrl<'a> { url = "url": Option<Text<'a>>, detail = "detail": Option<String>, }
}

object! {
    /// A file in the call; `file_id` would be one kept at the vendor.
    File<'a> { file_data = "file_data": Option<Text<'a>>, filename = "filename": Option<String>, }
}

object! {
    /// A call of a function, whole.
    ToolCall<'a> {
        kind = "type": Option<Text<'a>>,
        id = "id": Option<String>,
        function = "function": Option<Known<FunctionCall>>,
    }
}

object! {
    /// Its name and arguments, whole.
    FunctionCall { name = "name": Option<String>, arguments = "arguments": Option<String>, }
}

object! {
    /// A tool that is offered.
    Tool<'a> { kind = "type": Option<Text<'a>>, function = "function": Option<Object<'a, Function<'a>>>, }
}

object! {
    /// A function that is offered.
    Function<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        parameters = "parameters": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
    }
}

object! {
    /// The form of the answer.
    ResponseFormat<'a> {
        kind = "type": Option<Text<'a>>,
        json_schema = "json_schema": Option<Object<'a, JsonSchema<'a>>>,
    }
}

object! {
    /// The schema that an answer follows.
    JsonSchema<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        schema = "schema": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
    }
}

object! {
    /// A whole answer.
    Completion<'a> {
        id = "id": Option<String>,
        model = "model": Option<String>,
        created = "created": Option<f64>,
        choices = "choices": Option<Vec<Known<Choice<'a>>>>,
        usage = "usage": Option<Known<WireUsage>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// One choice of a whole answer.
    Choice<'a> {
        message = "message": Option<Known<Answer<'a>>>,
        finish_reason = "finish_reason": Option<Text<'a>>,
    }
}

object! {
    /// What a choice says. Vendors show their thoughts as `reasoning_content` (DeepSeek, xAI) or `reasoning` (Groq).
    Answer<'a> {
        content = "content": Spoken<'a>,
        refusal = "refusal": Option<String>,
        reasoning_content = "reasoning_content": Option<String>,
        reasoning = "reasoning": Option<String>,
        tool_calls = "tool_calls": Option<Vec<&'a RawValue>>,
        annotations = "annotations": Option<Vec<&'a RawValue>>,
    }
}

/// What an answer says: a text at most vendors; at Mistral also a list of parts, when the model thinks (recording
/// `f0c3c85a729e98ce`).
#[derive(Debug, Default)]
pub(crate) enum Spoken<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Parts(Vec<Known<SpokenPart<'a>>>),
}

object! {
    /// One part of it.
    SpokenPart<'a> {
        text = "text": Option<Text<'a>>,
        thinking = "thinking": Spoken<'a>,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Spoken<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpokenVisitor(PhantomData))
    }
}

struct SpokenVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for SpokenVisitor<'a> {
    type Value = Spoken<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Spoken::Nothing)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Spoken::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Spoken::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element()? {
            parts.push(part);
        }
        Ok(Spoken::Parts(parts))
    }
}

impl Spoken<'_> {
    /// Hands on each piece of text and of thoughts that is not empty.
    pub(crate) fn each(&self, sink: &mut dyn FnMut(Piece<'_>)) {
        match self {
            Self::Text(text) if !text.is_empty() => sink(Piece::Text(text)),
            Self::Nothing | Self::Text(_) => {}
            Self::Parts(parts) => {
                for Known(part) in parts {
                    part.thinking.each(&mut |piece| {
                        let (Piece::Text(text) | Piece::Thoughts(text)) = piece;
                        sink(Piece::Thoughts(text));
                    });
                    if let Some(text) = said(&part.text) {
                        sink(Piece::Text(text));
                    }
                }
            }
        }
    }
}

object! {
    /// A note on the answer's text.
    Annotation<'a> { kind = "type": Option<Text<'a>>, url_citation = "url_citation": Option<Known<UrlCitation>>, }
}

object! {
    /// A page that the text rests on.
    UrlCitation { url = "url": Option<String>, title = "title": Option<String>, }
}

object! {
    /// A piece of a streamed answer.
    Chunk<'a> {
        id = "id": Option<Text<'a>>,
        model = "model": Option<Text<'a>>,
        created = "created": Option<f64>,
        choices = "choices": Option<Vec<Known<ChunkChoice<'a>>>>,
        usage = "usage": Option<Known<WireUsage>>,
        x_groq = "x_groq": Option<Known<XGroq>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// Where Groq tells the usage of a stream that did not ask for it (recording `045e91b73ba4680c`).
    XGroq { usage = "usage": Option<Known<WireUsage>>, }
}

object! {
    /// A piece of one choice.
    ChunkChoice<'a> {
        index = "index": Option<u64>,
        delta = "delta": Option<Known<ChunkDelta<'a>>>,
        finish_reason = "finish_reason": Option<Text<'a>>,
    }
}

object! {
    /// What a piece adds.
    ChunkDelta<'a> {
        content = "content": Spoken<'a>,
        refusal = "refusal": Option<Text<'a>>,
        reasoning_content = "reasoning_content": Option<Text<'a>>,
        reasoning = "reasoning": Option<Text<'a>>,
        tool_calls = "tool_calls": Option<Vec<Known<ChunkToolCall<'a>>>>,
        annotations = "annotations": Option<Vec<&'a RawValue>>,
    }
}

object! {
    /// A piece of a tool call; some vendors leave `index` out and send each call whole.
    ChunkToolCall<'a> {
        index = "index": Option<usize>,
        id = "id": Option<Text<'a>>,
        function = "function": Option<Known<ChunkFunction<'a>>>,
    }
}

object! {
    /// A piece of its function.
    ChunkFunction<'a> { name = "name": Option<Text<'a>>, arguments = "arguments": Option<Text<'a>>, }
}

object! {
    /// Token counts as this dialect tells them: the parts lie within the sums.
    WireUsage {
        prompt_tokens = "prompt_tokens": Count,
        completion_tokens = "completion_tokens": Count,
        total_tokens = "total_tokens": Count,
        prompt_details = "prompt_tokens_details": Option<Known<PromptDetails>>,
        completion_details = "completion_tokens_details": Option<Known<CompletionDetails>>,
        cache_hits = "prompt_cache_hit_tokens": Count,
        cached = "cached_tokens": Count,
    }
}

object! {
    /// Parts of the prompt.
    PromptDetails { cached = "cached_tokens": Count, written = "cache_write_tokens": Count, }
}

object! {
    /// Parts of the answer.
    CompletionDetails { reasoning = "reasoning_tokens": Count, }
}

impl From<&WireUsage> for Usage {
    /// Most vendors count thoughts within `completion_tokens`; xAI beside it, as only the total tells (recording
    /// `609ee901abf98e02`: 401 + 44 + 257 = 702).
    fn from(wire: &WireUsage) -> Self {
        let (prompt, completion) = (wire.prompt_tokens.unwrap_or(0), wire.completion_tokens.unwrap_or(0));
        let details = wire.prompt_details.as_ref().map(|Known(details)| details);
        let cached =
            details.and_then(|details| *details.cached).or(*wire.cache_hits).or(*wire.cached).unwrap_or(0).min(prompt);
        let written = details.and_then(|details| *details.written).unwrap_or(0);
        let reasoning = wire.completion_details.as_ref().and_then(|Known(details)| *details.reasoning).unwrap_or(0);
        let beside = reasoning > 0
            && *wire.total_tokens == prompt.checked_add(completion).and_then(|sum| sum.checked_add(reasoning));
        Self {
            fresh: prompt.saturating_sub(cached).saturating_sub(written),
            cached,
            written,
            output: if beside { completion.saturating_add(reasoning) } else { completion },
            reasoning,
            ..Self::default()
        }
    }
}

/// Token counts as they are written.
#[derive(Debug, Serialize)]
pub(crate) struct UsageOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetailsOut,
    completion_tokens_details: CompletionDetailsOut,
}

#[derive(Debug, Serialize)]
struct PromptDetailsOut {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct CompletionDetailsOut {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input(),
            completion_tokens: usage.output,
            total_tokens: usage.input().saturating_add(usage.output),
            prompt_tokens_details: PromptDetailsOut { cached_tokens: usage.cached, cache_write_tokens: usage.written },
            completion_tokens_details: CompletionDetailsOut { reasoning_tokens: usage.reasoning },
        }
    }
}

/// A tool call as it is written, whole or in pieces.
#[derive(Debug, Serialize)]
pub(crate) struct ToolCallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    pub(crate) function: FunctionCallOut<'a>,
}

/// Its function.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionCallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a str,
}

impl<'a> ToolCallOut<'a> {
    /// A whole call.
    pub(crate) fn whole(call: &'a crate::call::tool::ToolCall) -> Self {
        Self {
            index: None,
            id: Some(Cow::Borrowed(&call.id)),
            kind: Some("function"),
            function: FunctionCallOut { name: Some(&call.name), arguments: &call.arguments },
        }
    }
}

/// A tool call, or one of a kind that only this dialect knows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnyToolCallOut<'a> {
    Function(ToolCallOut<'a>),
    Foreign(&'a Json),
}

/// A note on the text, as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnnotationOut<'a> {
    Own(&'a Json),
    Page {
        /// Its place among the answer's notes, in a stream: SDKs add lists up by it.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<usize>,
        #[serde(rename = "type")]
        kind: &'static str,
        url_citation: UrlCitationOut<'a>,
    },
}

/// A page that the text from one character to another rests on.
#[derive(Debug, Serialize)]
pub(crate) struct UrlCitationOut<'a> {
    pub(crate) start_index: usize,
    pub(crate) end_index: usize,
    pub(crate) url: &'a str,
    pub(crate) title: &'a str,
}
