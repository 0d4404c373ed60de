//! A request of this dialect, read as a [`Call`]: no client speaks it, but recordings do.

use super::media::Medium;
use super::tools::{read_tool_choice, read_tools};
use crate::base::rejection::Rejection;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{ToolCall, ToolChoice};
use crate::call::turn::{Citation, Content, Foreign, Part, Role, Source, Turn};
use crate::call::{Call, Extra, Format, Reasoning, ReasoningMode};
use crate::dialect::bedrock::NAME;
use crate::dialect::bedrock::types::{
    Additional, Block, Cited, Effort, Media, Message, OutputConfig, ReasoningBlock, Request, Thinking, ToolResult,
    ToolUse, WireCitation,
};
use crate::dialect::honour::invalid;
use crate::dialect::object::{Known, Object, Reading, Text, read, read_str};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members that no table knows, as they came.
type Unknown<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Reads a body. The model and whether to stream are in the path, and so not known here.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub(crate) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: request, unknown } = read_str::<Object<'_, Request<'_>>>(text).map_err(invalid)?;
    let mut extras = Vec::new();
    keep("", unknown, &mut extras);
    let mut turns = Vec::new();
    let system = read_blocks(request.system.unwrap_or_default(), Reading::Request)
        .map_err(|error| invalid(format!("system: {error}")))?;
    if !system.is_empty() {
        turns.push(Turn::new(Role::System, system));
    }
    let messages = request.messages.ok_or_else(|| invalid("messages: missing").param("messages"))?;
    for (index, message) in messages.into_iter().enumerate() {
        turns.push(read_message(index, message)?);
    }
    let inference = within("inferenceConfig", request.inference, &mut extras);
    let tool_config = within("toolConfig", request.tools, &mut extras);
    let output = within("outputConfig", request.output, &mut extras);
    let mut call = Call {
        dialect: NAME,
        model: request.model.unwrap_or_default(),
        include_usage: true,
        turns,
        tools: read_tools(tool_config.tools.unwrap_or_default())?,
        tool_choice: tool_config.choice.map_or(Ok(ToolChoice::Unsaid), read_tool_choice)?,
        max_tokens: inference.max_tokens,
        temperature: inference.temperature,
        top_p: inference.top_p,
        stop: inference.stop.unwrap_or_default(),
        format: read_format(output)?,
        reasoning: read_reasoning(request.additional, &mut extras),
        user: within("requestMetadata", request.metadata, &mut extras).user_id,
        extras,
        ..Call::default()
    };
    call.prefill = call.ends_with_assistant();
    Ok(call)
}

/// What a member holds; those of its own members that no table knows are kept beside it.
fn within<T: Default>(name: &'static str, object: Option<Object<'_, T>>, extras: &mut Vec<Extra>) -> T {
    let Object { known, unknown } = object.unwrap_or_default();
    keep(name, unknown, extras);
    known
}

fn keep(within: &'static str, unknown: Unknown<'_>, extras: &mut Vec<Extra>) {
    extras.extend(unknown.into_iter().map(|(member, value)| {
        let need = match &*member {
            "serviceTier" => Need::ServiceTier,
            "top_k" | "topK" => Need::TopK,
            "reasoning_config" | "reasoningConfig" | "reasoning_effort" => Need::Reasoning,
            _ => Need::UnknownMembers,
        };
        Extra { within, member: member.into_owned(), value: foreign(need, value) }
    }));
}

pub(super) fn foreign(need: Need, raw: &RawValue) -> Foreign {
    Foreign { dialect: NAME, need, json: raw.into() }
}

fn read_message(index: usize, message: Object<'_, Message<'_>>) -> Result<Turn, Rejection> {
    let Object { known: message, unknown } = message;
    let role = match message.role.as_ref().map(|Text(role)| &**role) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        role => {
            let role = role.unwrap_or("missing");
            return Err(invalid(format_args!("messages[{index}].role: `{role}` is not a role")).param("messages"));
        }
    };
    let parts = read_blocks(message.content.unwrap_or_default(), Reading::Request)
        .map_err(|error| invalid(format_args!("messages[{index}].content: {error}")).param("messages"))?;
    let mut extras = Vec::new();
    keep("", unknown, &mut extras);
    Ok(Turn { role, name: None, parts, extras })
}

/// The blocks of a message, of the system text or of a tool's result. A cache breakpoint belongs to the part before it.
fn read_blocks(blocks: Vec<&RawValue>, reading: Reading) -> Result<Vec<Part>, serde_json::Error> {
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    for raw in blocks {
        let Object { known: block, unknown } = read::<Object<'_, Block<'_>>>(raw)?;
        let point = block.cache_point.filter(|_| !reading.heeds(&unknown)).map(Json::from);
        match (point, parts.last_mut()) {
            (Some(point), Some(part)) if part.cache.is_none() => part.cache = Some(point),
            (Some(_), _) => parts.push(Content::Foreign(foreign(Need::CacheControl, raw)).into()),
            (None, _) => parts.push(read_block(raw, block, &unknown, reading)?.into()),
        }
    }
    Ok(parts)
}

/// The blocks of an answer.
pub(in crate::dialect::bedrock) fn read_answer(blocks: Vec<&RawValue>) -> Result<Vec<Part>, serde_json::Error> {
    read_blocks(blocks, Reading::Answer)
}

fn read_block(
    raw: &RawValue,
    block: Block<'_>,
    unknown: &Unknown<'_>,
    reading: Reading,
) -> Result<Content, serde_json::Error> {
    if let Some((kind, _)) = unknown.first().filter(|_| reading.heeds(unknown)) {
        return Ok(Content::Foreign(foreign(need_of(kind), raw)));
    }
    let (content, need) = match block {
        Block { text: Some(text), .. } => (Some(Content::text(text)), Need::UnknownMembers),
        Block { image: Some(image), .. } => (read_image(image), Need::Images),
        Block { document: Some(document), .. } => (read_document(document), Need::Documents),
        Block { tool_use: Some(call), .. } => (read_tool_call(call, reading), Need::HostedTools),
        Block { tool_result: Some(result), .. } => (read_tool_result(result, reading)?, Need::HostedTools),
        Block { reasoning: Some(thoughts), .. } => (read_thoughts(thoughts, reading), Need::SignedReasoning),
        Block { citations: Some(cited), .. } => (Some(read_cited(cited)?), Need::UnknownMembers),
        Block { .. } => (None, Need::UnknownMembers),
    };
    let kept = memchr::memmem::find(raw.get().as_bytes(), b"\"s3Location\"").is_some();
    let need = if kept { Need::ServerIds } else { need };
    Ok(content.unwrap_or_else(|| Content::Foreign(foreign(need, raw))))
}

fn need_of(kind: &str) -> Need {
    match kind {
        "searchResult" => Need::Documents,
        "audio" => Need::Audio,
        _ => Need::UnknownMembers,
    }
}

fn read_source(media: &Object<'_, Media<'_>>, medium: Medium) -> Option<Source> {
    let Object { known: media, unknown } = media;
    let Object { known: source, unknown: elsewhere } = media.source.as_ref()?;
    if !unknown.is_empty() || !elsewhere.is_empty() {
        return None;
    }
    let format = media.format.as_deref()?;
    match (&source.bytes, &source.text) {
        (Some(data), None) => {
            Some(Source::Base64 { media_type: medium.media_type(format)?.to_owned(), data: data.clone() })
        }
        (None, Some(text)) if format == "txt" && medium == Medium::Document => Some(Source::Text(text.clone())),
        _ => None,
    }
}

fn read_image(image: Object<'_, Media<'_>>) -> Option<Content> {
    read_source(&image, Medium::Image).map(|source| Content::Image { source, detail: None })
}

fn read_document(document: Object<'_, Media<'_>>) -> Option<Content> {
    read_source(&document, Medium::Document).map(|source| Content::Document { source, title: document.known.name })
}

fn read_tool_call(call: Object<'_, ToolUse<'_>>, reading: Reading) -> Option<Content> {
    let Object { known: call, unknown } = call;
    let (id, name) = call.id.zip(call.name).filter(|_| !reading.heeds(&unknown))?;
    let arguments = call.input.map_or("{}", RawValue::get).to_owned();
    Some(Content::ToolCall(ToolCall { id, name, arguments }))
}

fn read_tool_result(
    result: Object<'_, ToolResult<'_>>,
    reading: Reading,
) -> Result<Option<Content>, serde_json::Error> {
    let Object { known: result, unknown } = result;
    let Some(id) = result.id.filter(|_| !reading.heeds(&unknown)) else { return Ok(None) };
    let parts = read_blocks(result.content.unwrap_or_default(), reading)?;
    let error = result.status.map(|Text(status)| status == "error");
    Ok(Some(Content::ToolResult { id, parts, error }))
}

fn read_thoughts(thoughts: Object<'_, ReasoningBlock<'_>>, reading: Reading) -> Option<Content> {
    let Object { known: thoughts, unknown } = thoughts;
    match (thoughts.text, thoughts.redacted) {
        _ if reading.heeds(&unknown) => None,
        (Some(Object { known, .. }), None) => {
            let signature = known.signature.filter(|signature| !signature.is_empty());
            Some(Content::Thinking { text: known.text.unwrap_or_default(), signature })
        }
        (None, Some(data)) => Some(Content::RedactedThinking(data)),
        _ => None,
    }
}

fn read_cited(cited: Object<'_, Cited<'_>>) -> Result<Content, serde_json::Error> {
    let texts = cited.known.content.unwrap_or_default().into_iter();
    let citations = cited.known.citations.unwrap_or_default().into_iter().map(read_citation);
    Ok(Content::Text {
        text: texts.filter_map(|piece| piece.known.text).collect(),
        citations: citations.collect::<Result<_, _>>()?,
    })
}

/// One citation of a text.
pub(in crate::dialect::bedrock) fn read_citation(raw: &RawValue) -> Result<Citation, serde_json::Error> {
    let Known(WireCitation { title, location }) = read(raw)?;
    let url = location.and_then(|Known(location)| location.web).and_then(|Known(web)| web.url);
    Ok(Citation { told: foreign(Need::HostedTools, raw), url, title })
}

fn read_format(output: OutputConfig<'_>) -> Result<Format, Rejection> {
    let Some(Known(format)) = output.format else { return Ok(Format::Text) };
    let structure = format.structure.and_then(|Known(structure)| structure.schema).map(|Known(schema)| schema);
    let found = structure.and_then(|written| {
        let schema = Json::parse(written.schema.as_deref()?)?;
        Some(Format::JsonSchema { name: written.name, description: written.description, schema, strict: Some(true) })
    });
    found.filter(|_| format.kind.is_some_and(|Text(kind)| kind == "json_schema")).ok_or_else(|| {
        invalid("outputConfig.textFormat: not a json_schema with a schema that is a text of JSON").param("outputConfig")
    })
}

/// Claude's thinking, which other dialects know too; what other makers' models take stays as it came.
fn read_reasoning(additional: Option<Object<'_, Additional<'_>>>, extras: &mut Vec<Extra>) -> Option<Reasoning> {
    let Additional { thinking, effort } = within("additionalModelRequestFields", additional, extras);
    if thinking.is_none() && effort.is_none() {
        return None;
    }
    let Thinking { kind, budget_tokens, display } = within("thinking", thinking, extras);
    let Effort { effort } = within("output_config", effort, extras);
    let mode = match (kind.as_ref().map_or("", |Text(kind)| kind), budget_tokens) {
        ("disabled", _) => ReasoningMode::Off,
        ("adaptive", _) => ReasoningMode::Adaptive,
        ("enabled", Some(budget)) => ReasoningMode::Budget(budget),
        _ => ReasoningMode::Unsaid,
    };
    Some(Reasoning { mode, effort, display })
}
