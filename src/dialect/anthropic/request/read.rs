//! What a client asks, read as a [`Call`].

use crate::base::rejection::Rejection;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolCall, ToolChoice};
use crate::call::turn::{Citation, Content, Foreign, Part, Role, Source, Turn};
use crate::call::{Call, Extra, Format, Reasoning, ReasoningMode, Sampling};
use crate::dialect::anthropic::NAME;
use crate::dialect::anthropic::types::{self, Block, Message, Metadata, OutputFormat, Request, Thinking, WireCitation};
use crate::dialect::honour::{invalid, within};
use crate::dialect::object::{Kind, Known, Object, Reading, Text, plain, read, read_str};
use crate::dialect::shapes::TextOr;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a client's body.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub(crate) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let call = read_counted(body)?;
    if call.max_tokens.is_none() {
        return Err(invalid("max_tokens: missing").param("max_tokens"));
    }
    Ok(call)
}

/// Reads a body whose tokens are only to be counted, so that no answer has to be capped.
pub(crate) fn read_counted(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: request, unknown } = read_str::<Object<'_, Request<'_>>>(text).map_err(invalid)?;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let (tool_choice, parallel_tools) = request.tool_choice.map_or(Ok((ToolChoice::Unsaid, None)), read_tool_choice)?;
    let output = request.output_config.unwrap_or_default();
    extras.extend(inside("output_config", output.unknown));
    let user = request.metadata.and_then(|Object { known: Metadata { user_id }, unknown }| {
        extras.extend(inside("metadata", unknown));
        user_id
    });
    let thinking = request.thinking.map(|Object { known, unknown }| {
        extras.extend(inside("thinking", unknown));
        known
    });
    let turns = read_turns(request.system, request.messages)?;
    let mut call = Call {
        dialect: NAME,
        model: request.model.unwrap_or_default(),
        stream: request.stream.unwrap_or(false),
        include_usage: true,
        turns,
        prefill: false,
        tools: request.tools.unwrap_or_default().into_iter().map(read_tool).collect::<Result<_, _>>()?,
        tool_choice,
        parallel_tools,
        max_tokens: request.max_tokens,
        temperature: within("temperature", request.temperature, 1.0)?,
        top_p: within("top_p", request.top_p, 1.0)?,
        sampling: Sampling { top_k: request.top_k, ..Sampling::default() },
        stop: request.stop_sequences.unwrap_or_default(),
        format: read_format(output.known.format, request.output_format)?,
        reasoning: read_reasoning(thinking, output.known.effort)?,
        user,
        cache: request.cache_control.map(Json::from),
        extras,
        hints: Vec::new(),
    };
    call.prefill = call.ends_with_assistant();
    Ok(call)
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, plain(value).as_str()) {
        ("service_tier", r#""auto""# | r#""default""#) | ("mcp_servers", "[]") => return None,
        ("service_tier", _) => Need::ServiceTier,
        ("container", _) => Need::ServerIds,
        ("thread", _) => Need::Stores,
        ("mcp_servers", _) => Need::HostedTools,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: "", member: member.to_owned(), value: foreign(need, value.into()) })
}

/// Members within a member that other dialects share.
fn inside(within: &'static str, unknown: Vec<(Cow<'_, str>, &RawValue)>) -> impl Iterator<Item = Extra> {
    unknown.into_iter().map(move |(member, value)| Extra {
        within,
        member: member.into_owned(),
        value: foreign(Need::UnknownMembers, value.into()),
    })
}

const fn foreign(need: Need, json: Json) -> Foreign {
    Foreign { dialect: NAME, need, json }
}

fn read_turns(
    system: TextOr<&RawValue>,
    messages: Option<Vec<Object<'_, Message<'_>>>>,
) -> Result<Vec<Turn>, Rejection> {
    let messages = messages.ok_or_else(|| invalid("messages: missing").param("messages"))?;
    let mut turns = Vec::with_capacity(messages.len() + 1);
    let system = read_blocks(system).map_err(|error| invalid(format_args!("system: {error}")).param("system"))?;
    if !system.is_empty() {
        turns.push(Turn::new(Role::System, system));
    }
    for (index, Object { known: message, unknown }) in messages.into_iter().enumerate() {
        let role = match message.role.as_ref().map(|Text(role)| &**role) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            role => {
                let role = role.unwrap_or("missing");
                return Err(invalid(format_args!("messages[{index}].role: `{role}` is not a role")).param("messages"));
            }
        };
        let parts = read_blocks(message.content)
            .map_err(|error| invalid(format_args!("messages[{index}].content: {error}")).param("messages"))?;
        let extras = unknown.into_iter().map(|(member, value)| Extra {
            within: "",
            member: member.into_owned(),
            value: foreign(Need::UnknownMembers, value.into()),
        });
        turns.push(Turn { role, name: None, parts, extras: extras.collect() });
    }
    Ok(turns)
}

fn read_blocks(content: TextOr<&RawValue>) -> Result<Vec<Part>, serde_json::Error> {
    match content {
        TextOr::Nothing => Ok(Vec::new()),
        TextOr::Text(text) => Ok(vec![Content::text(text).into()]),
        TextOr::List(blocks) => blocks.into_iter().map(|block| read_block(block, Reading::Request)).collect(),
    }
}

/// One block, of a request or of an answer.
pub(crate) fn read_block(raw: &RawValue, reading: Reading) -> Result<Part, serde_json::Error> {
    let Object { known: mut block, unknown } = read::<Object<'_, Block<'_>>>(raw)?;
    let kind = block.kind.take().unwrap_or_default().0;
    let cache = block.cache_control.map(Json::from);
    let need = need_of_block(&kind, &block);
    Ok(match read_content(&kind, block)?.filter(|_| !reading.heeds(&unknown)) {
        Some(content) => Part { content, cache },
        None => Content::Foreign(foreign(need, raw.into())).into(),
    })
}

/// The content of a block that other dialects know too.
fn read_content(kind: &str, block: Block<'_>) -> Result<Option<Content>, serde_json::Error> {
    let called_directly = block
        .caller
        .as_ref()
        .is_none_or(|Known(Kind { kind })| kind.as_ref().is_some_and(|Text(kind)| kind == "direct"));
    Ok(match kind {
        "text" => {
            let citations = block.citations.map_or(Ok(Vec::new()), read_citations)?;
            block.text.map(|text| Content::Text { text, citations })
        }
        "image" => read_source(block.source)?.map(|source| Content::Image { source, detail: None }),
        "document" if !cites(block.citations) => {
            let title = block.title;
            read_source(block.source)?.map(|source| Content::Document { source, title })
        }
        "tool_use" if called_directly => block.id.zip(block.name).map(|(id, name)| {
            let arguments = block.input.map_or("{}", RawValue::get).to_owned();
            Content::ToolCall(ToolCall { id, name, arguments })
        }),
        "tool_result" => {
            let parts = block.content.map_or(Ok(TextOr::Nothing), read).and_then(read_blocks)?;
            block.tool_use_id.map(|id| Content::ToolResult { id, parts, error: block.is_error })
        }
        "thinking" => {
            let signature = block.signature.filter(|signature| !signature.is_empty());
            block.thinking.map(|text| Content::Thinking { text, signature })
        }
        "redacted_thinking" => block.data.map(Content::RedactedThinking),
        _ => None,
    })
}

fn need_of_block(kind: &str, block: &Block<'_>) -> Need {
    match kind {
        "image" | "document" if source_is_kept(block.source) => Need::ServerIds,
        "image" => Need::Images,
        "document" | "search_result" => Need::Documents,
        "container_upload" => Need::ServerIds,
        "server_tool_use" | "tool_use" => Need::HostedTools,
        "tool_result" | "text" | "thinking" | "redacted_thinking" => Need::UnknownMembers,
        kind if kind.starts_with("mcp_") || kind.ends_with("_tool_result") => Need::HostedTools,
        _ => Need::UnknownMembers,
    }
}

fn source_is_kept(source: Option<&RawValue>) -> bool {
    source.is_some_and(|source| {
        read::<Known<Kind<'_>>>(source).is_ok_and(|Known(source)| source.kind.is_some_and(|Text(kind)| kind == "file"))
    })
}

/// Whether a document asks that answers cite it.
fn cites(citations: Option<&RawValue>) -> bool {
    citations.is_some_and(|citations| citations.get().split_ascii_whitespace().collect::<String>().contains(":true"))
}

fn read_source(source: Option<&RawValue>) -> Result<Option<Source>, serde_json::Error> {
    let Some(source) = source.filter(|source| source.get().starts_with('{')) else { return Ok(None) };
    let Object { known: source, unknown } = read::<Object<'_, types::Source<'_>>>(source)?;
    if !unknown.is_empty() {
        return Ok(None);
    }
    let kind = source.kind.unwrap_or_default().0;
    Ok(match &*kind {
        "base64" => source.media_type.zip(source.data).map(|(media_type, data)| Source::Base64 { media_type, data }),
        "url" => source.url.map(Source::Url),
        "text" => source.data.map(Source::Text),
        _ => None,
    })
}

fn read_citations(raw: &RawValue) -> Result<Vec<Citation>, serde_json::Error> {
    read::<Vec<&RawValue>>(raw)?.into_iter().map(read_citation).collect()
}

/// One citation of a text.
pub(crate) fn read_citation(raw: &RawValue) -> Result<Citation, serde_json::Error> {
    let Known(WireCitation { url, title }) = read(raw)?;
    Ok(Citation { told: foreign(Need::HostedTools, raw.into()), url, title })
}

/// Tools of the vendor's own shape that the client runs; all others with a type of their own the vendor runs.
const CLIENT_RUN: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];

fn read_tool(raw: &RawValue) -> Result<Tool, Rejection> {
    let in_tools = |error: &dyn std::fmt::Display| invalid(format_args!("tools: {error}")).param("tools");
    let Object { known: tool, unknown } = read::<Object<'_, types::Tool<'_>>>(raw).map_err(|error| in_tools(&error))?;
    let kind = tool.kind.unwrap_or_default().0;
    if !matches!(&*kind, "" | "custom") {
        let client_runs = CLIENT_RUN.iter().any(|prefix| kind.starts_with(prefix));
        let need = if client_runs { Need::UnknownMembers } else { Need::HostedTools };
        return Ok(Tool::Foreign(foreign(need, raw.into())));
    }
    if !unknown.is_empty() {
        return Ok(Tool::Foreign(foreign(Need::UnknownMembers, raw.into())));
    }
    Ok(Tool::Function(Function {
        name: tool.name.ok_or_else(|| in_tools(&"a tool without a name"))?,
        description: tool.description,
        parameters: tool.input_schema.map(Json::from),
        strict: tool.strict,
        cache: tool.cache_control.map(Json::from),
    }))
}

fn read_tool_choice(raw: &RawValue) -> Result<(ToolChoice, Option<bool>), Rejection> {
    let Object { known: choice, unknown } = read::<Object<'_, types::ToolChoice<'_>>>(raw)
        .map_err(|error| invalid(format_args!("tool_choice: {error}")).param("tool_choice"))?;
    let kind = choice.kind.unwrap_or_default().0;
    let read = match (&*kind, choice.name) {
        _ if !unknown.is_empty() => ToolChoice::Foreign(foreign(Need::UnknownMembers, raw.into())),
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name),
        _ => {
            let message = format!("tool_choice: `{kind}` is not one of auto, any, none, or tool with a name");
            return Err(invalid(message).param("tool_choice"));
        }
    };
    Ok((read, choice.disable_parallel_tool_use.map(|disable| !disable)))
}

/// The form of the answer; `output_format` is the name it had before `output_config`.
fn read_format(
    format: Option<Object<'_, OutputFormat<'_>>>,
    earlier: Option<Object<'_, OutputFormat<'_>>>,
) -> Result<Format, Rejection> {
    let Some(Object { known: format, .. }) = format.or(earlier) else { return Ok(Format::Text) };
    let schema = format.schema.filter(|_| format.kind.is_some_and(|Text(kind)| kind == "json_schema"));
    let schema = schema
        .ok_or_else(|| invalid("output_config.format: not a json_schema with a schema").param("output_config"))?;
    Ok(Format::JsonSchema { name: None, description: None, schema: schema.into(), strict: Some(true) })
}

fn read_reasoning(thinking: Option<Thinking<'_>>, effort: Option<String>) -> Result<Option<Reasoning>, Rejection> {
    let Some(thinking) = thinking else {
        return Ok(effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }));
    };
    let kind = thinking.kind.unwrap_or_default().0;
    let mode = match (&*kind, thinking.budget_tokens) {
        ("disabled", _) => ReasoningMode::Off,
        ("adaptive", _) => ReasoningMode::Adaptive,
        ("enabled", Some(budget)) => ReasoningMode::Budget(budget),
        _ => {
            let message = format!("thinking: `{kind}` is not one of disabled, adaptive, or enabled with budget_tokens");
            return Err(invalid(message).param("thinking"));
        }
    };
    Ok(Some(Reasoning { mode, effort, display: thinking.display }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::needs::Needs;

    fn check(body: &str, expected: &str) {
        let rejection = read_call(body.as_bytes()).expect_err(body);
        assert_eq!(rejection.status(), 400, "{body}");
        assert!(rejection.message.contains(expected), "{body}: {}", rejection.message);
    }

    #[test]
    fn a_rejection_names_the_member_at_fault() {
        for (body, expected) in [
            ("[]", "an object"),
            (r#"{"messages": []}"#, "max_tokens: missing"),
            (r#"{"max_tokens": 1}"#, "messages: missing"),
            (r#"{"max_tokens": "1", "messages": []}"#, "max_tokens: "),
            (r#"{"max_tokens": 1, "messages": [{"role": "tool", "content": ""}]}"#, "messages[0].role: `tool`"),
            (r#"{"max_tokens": 1, "messages": [{"role": "user", "content": [5]}]}"#, "messages[0].content: "),
            (r#"{"max_tokens": 1, "messages": [], "system": [5]}"#, "system: "),
            (r#"{"max_tokens": 1, "messages": [], "temperature": 1.5}"#, "temperature: 1.5 is not between 0 and 1"),
            (r#"{"max_tokens": 1, "messages": [], "tool_choice": {"type": "required"}}"#, "tool_choice: `required`"),
            (r#"{"max_tokens": 1, "messages": [], "tools": [{}]}"#, "tools: a tool without a name"),
            (r#"{"max_tokens": 1, "messages": [], "thinking": {"type": "enabled"}}"#, "thinking: `enabled`"),
            (
                r#"{"max_tokens": 1, "messages": [], "output_config": {"format": {"type": "json"}}}"#,
                "output_config.format: ",
            ),
        ] {
            check(body, expected);
        }
        assert!(read_call(b"\"\xff\"").is_err());
    }

    #[test]
    fn needs_are_told_from_every_corner() {
        let cached = r#""cache_control": {"type": "ephemeral"}"#;
        let with = |members: &str| format!(r#"{{"max_tokens": 1, {members}}}"#);
        let asked = |block: &str| with(&format!(r#""messages": [{{"role": "user", "content": [{block}]}}]"#));
        for (body, need) in [
            (asked(&format!(r#"{{"type": "text", "text": "a", {cached}}}"#)), Need::CacheControl),
            (with(&format!(r#""messages": [], "tools": [{{"name": "f", {cached}}}]"#)), Need::CacheControl),
            (with(&format!(r#""messages": [], {cached}"#)), Need::CacheControl),
            (asked(r#"{"type": "image", "source": {"type": "file", "file_id": "f"}}"#), Need::ServerIds),
            (
                asked(r#"{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "search_result"}]}"#),
                Need::Documents,
            ),
            (asked(r#"{"type": "document", "source": {}, "citations": {"enabled": true}}"#), Need::Documents),
            (asked(r#"{"type": "web_search_tool_result"}"#), Need::HostedTools),
            (asked(r#"{"type": "hologram"}"#), Need::UnknownMembers),
            (with(r#""messages": [], "output_config": {"task_budget": 1}"#), Need::UnknownMembers),
            (with(r#""messages": [], "thread": {"type": "create"}"#), Need::Stores),
        ] {
            let call = read_call(body.as_bytes()).expect(&body);
            assert!(call.needs().has(need), "{body}: {:?}", call.needs());
        }
    }

    #[test]
    fn thoughts_need_nobody_whoever_sealed_them() {
        for thoughts in [
            r#"{"type": "thinking", "thinking": "hm", "signature": ""}"#,
            r#"{"type": "thinking", "thinking": "hm", "signature": "EqQBCkYIBxgCKkDr"}"#,
            r#"{"type": "redacted_thinking", "data": "d"}"#,
        ] {
            let body = format!(
                r#"{{"max_tokens": 1, "messages": [{{"role": "user", "content": "a"}}, {{"role": "assistant", "content": [
                {thoughts}, {{"type": "text", "text": "b"}}]}}, {{"role": "user", "content": "c"}}]}}"#
            );
            assert_eq!(read_call(body.as_bytes()).expect("a valid request").needs(), Needs::NONE, "{thoughts}");
        }
    }
}
