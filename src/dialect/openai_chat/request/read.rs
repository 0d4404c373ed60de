//! What a client asks, read as a [`Call`].

use crate::base::rejection::Rejection;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function as CallFunction, Tool, ToolCall, ToolChoice};
use crate::call::turn::{Content, Foreign, Part, Role, Source, Turn};
use crate::call::{Call, Extra, Format, Reasoning, ReasoningMode, Sampling};
use crate::dialect::honour::{invalid, within};
use crate::dialect::object::{Known, Object, Text, plain, read, read_str};
use crate::dialect::openai_chat::NAME;
use crate::dialect::openai_chat::types::request::{self as types, File, ImageUrl, Message, Request, ResponseFormat};
use crate::dialect::shapes::{JsonText, TextOr};
use serde_json::value::RawValue;

/// Reads a client's body.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub(crate) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: request, unknown } = read_str::<Object<'_, Request<'_>>>(text).map_err(invalid)?;
    let messages = request.messages.ok_or_else(|| invalid("messages: missing").param("messages"))?;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let user = match (request.safety_identifier, request.user) {
        (Some(identifier), Some(user)) if identifier != user => {
            let json = Json::parse(&serde_json::Value::from(identifier).to_string()).unwrap_or_default();
            extras.push(Extra {
                within: "",
                member: "safety_identifier".to_owned(),
                value: foreign(Need::UnknownMembers, json),
            });
            Some(user)
        }
        (identifier, user) => user.or(identifier),
    };
    Ok(Call {
        dialect: NAME,
        model: request.model.unwrap_or_default(),
        stream: request.stream.unwrap_or(false),
        include_usage: request.stream_options.and_then(|Known(options)| options.include_usage).unwrap_or(false),
        turns: read_turns(messages)?,
        prefill: false,
        tools: request.tools.unwrap_or_default().into_iter().map(read_tool).collect::<Result<_, _>>()?,
        tool_choice: request.tool_choice.map_or(Ok(ToolChoice::Unsaid), read_tool_choice)?,
        parallel_tools: request.parallel_tool_calls,
        max_tokens: request.max_completion_tokens.or(request.max_tokens),
        temperature: within("temperature", request.temperature, 2.0)?,
        top_p: within("top_p", request.top_p, 1.0)?,
        sampling: Sampling {
            top_k: request.top_k,
            seed: request.seed,
            presence_penalty: request.presence_penalty.filter(|penalty| *penalty != 0.0),
            frequency_penalty: request.frequency_penalty.filter(|penalty| *penalty != 0.0),
        },
        stop: match request.stop {
            TextOr::Nothing => Vec::new(),
            TextOr::Text(text) => vec![text],
            TextOr::List(texts) => texts,
        },
        format: request.response_format.map_or(Ok(Format::Text), read_format)?,
        reasoning: request.reasoning_effort.map(read_effort),
        user,
        cache: None,
        extras,
        hints: Vec::new(),
    })
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, plain(value).as_str()) {
        ("n", "1")
        | ("logprobs" | "store", "false")
        | ("top_logprobs", "0")
        | ("logit_bias" | "metadata", "{}")
        | ("service_tier", r#""auto""# | r#""default""#)
        | ("modalities", r#"["text"]"#)
        | ("verbosity", r#""medium""#) => return None,
        ("n", _) => Need::Choices,
        ("logprobs" | "top_logprobs", _) => Need::Logprobs,
        ("logit_bias", _) => Need::LogitBias,
        ("store", _) => Need::Stores,
        ("service_tier", _) => Need::ServiceTier,
        ("prediction", _) => Need::Prediction,
        ("modalities" | "audio", _) => Need::Audio,
        ("web_search_options", _) => Need::HostedTools,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: "", member: member.to_owned(), value: foreign(need, value.into()) })
}

const fn foreign(need: Need, json: Json) -> Foreign {
    Foreign { dialect: NAME, need, json }
}

/// What official SDKs send back when they repeat an answer's message: told to the client, never read by a vendor.
const ECHOES: [&str; 4] = ["annotations", "reasoning_content", "reasoning", "reasoning_details"];

fn read_turns(messages: Vec<Object<'_, Message<'_>>>) -> Result<Vec<Turn>, Rejection> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    let mut in_results = false;
    for (index, Object { known: message, unknown }) in messages.into_iter().enumerate() {
        let role = match message.role.as_ref().map(|Text(role)| &**role) {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool") => {
                let id = message.tool_call_id.ok_or_else(|| {
                    invalid(format_args!("messages[{index}].tool_call_id: missing")).param("messages")
                })?;
                let parts = read_parts(message.content, index)?;
                let result = Part::from(Content::ToolResult { id, parts, error: None });
                match turns.last_mut().filter(|_| in_results) {
                    Some(turn) => turn.parts.push(result),
                    None => turns.push(Turn::new(Role::User, vec![result])),
                }
                in_results = true;
                continue;
            }
            role => {
                let role = role.unwrap_or("missing");
                return Err(invalid(format_args!("messages[{index}].role: `{role}` is not a role")).param("messages"));
            }
        };
        in_results = false;
        let mut parts = read_parts(message.content, index)?;
        parts.extend(message.refusal.map(|refusal| Content::Refusal(refusal).into()));
        for call in message.tool_calls.unwrap_or_default() {
            let content = read_tool_call(call);
            parts.push(content.map_err(|error| member(index, "tool_calls", &error))?.into());
        }
        let extras = unknown.into_iter().filter(|(name, _)| !ECHOES.contains(&&**name)).map(|(name, value)| {
            let need = if name == "audio" { Need::Audio } else { Need::UnknownMembers };
            Extra { within: "", member: name.into_owned(), value: foreign(need, value.into()) }
        });
        turns.push(Turn { role, name: message.name, parts, extras: extras.collect() });
    }
    Ok(turns)
}

fn member(index: usize, name: &str, error: &serde_json::Error) -> Rejection {
    invalid(format_args!("messages[{index}].{name}: {error}")).param("messages")
}

fn read_parts(content: TextOr<&RawValue>, index: usize) -> Result<Vec<Part>, Rejection> {
    match content {
        TextOr::Nothing => Ok(Vec::new()),
        TextOr::Text(text) => Ok(vec![Content::text(text).into()]),
        TextOr::List(parts) => parts
            .into_iter()
            .map(|part| read_part(part).map(Part::from).map_err(|error| member(index, "content", &error)))
            .collect(),
    }
}

fn read_part(raw: &RawValue) -> Result<Content, serde_json::Error> {
    let Object { known: part, unknown } = read::<Object<'_, types::Part<'_>>>(raw)?;
    let kind = part.kind.unwrap_or_default().0;
    let read = match &*kind {
        "text" => part.text.map(Content::text),
        "refusal" => part.refusal.map(Content::Refusal),
        "image_url" => part.image_url.map(read_image).transpose()?.flatten(),
        "file" => part.file.and_then(read_file),
        _ => None,
    };
    Ok(match read.filter(|_| unknown.is_empty()) {
        Some(content) => content,
        None => Content::Foreign(foreign(need_of_part(&kind), raw.into())),
    })
}

fn need_of_part(kind: &str) -> Need {
    match kind {
        "image_url" => Need::Images,
        "file" => Need::ServerIds,
        "input_audio" => Need::Audio,
        _ => Need::UnknownMembers,
    }
}

/// An image, as an object or, in Mistral's way, as its URL alone (recording `c9736df9c06014db`).
fn read_image(raw: &RawValue) -> Result<Option<Content>, serde_json::Error> {
    let image = if raw.get().starts_with('"') {
        Object { known: ImageUrl { url: Some(read(raw)?), detail: None }, unknown: Vec::new() }
    } else {
        read::<Object<'_, ImageUrl<'_>>>(raw)
            .map_err(|error| serde::de::Error::custom(format_args!("image_url: {error}")))?
    };
    let detail = image.known.detail.filter(|detail| detail != "auto");
    let url = image.known.url.filter(|_| image.unknown.is_empty());
    Ok(url.map(|Text(url)| Content::Image {
        source: data_url(&url).unwrap_or_else(|| Source::Url(url.into_owned())),
        detail,
    }))
}

fn read_file(file: Object<'_, File<'_>>) -> Option<Content> {
    let Text(data) = file.known.file_data.filter(|_| file.unknown.is_empty())?;
    Some(Content::Document { source: data_url(&data)?, title: file.known.filename })
}

/// The content of a `data:` URL (RFC 2397) in Base64.
fn data_url(url: &str) -> Option<Source> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
}

/// A whole tool call, of an answer or of the history.
pub(crate) fn read_tool_call(raw: &RawValue) -> Result<Content, serde_json::Error> {
    let Known(call) = read::<Known<types::ToolCall<'_>>>(raw)?;
    Ok(match (call.kind.as_ref().map_or("function", |Text(kind)| kind), call.function) {
        ("function", Some(Known(function))) => Content::ToolCall(ToolCall {
            id: call.id.unwrap_or_default(),
            name: function.name.unwrap_or_default(),
            arguments: function.arguments.map(|JsonText(text)| text.into_owned()).unwrap_or_default(),
        }),
        _ => Content::Foreign(foreign(Need::Tools, raw.into())),
    })
}

fn read_tool(raw: &RawValue) -> Result<Tool, Rejection> {
    let tool: Object<'_, types::Tool<'_>> =
        read(raw).map_err(|error| invalid(format_args!("tools: {error}")).param("tools"))?;
    let kind = tool.known.kind.unwrap_or_default().0;
    Ok(match (&*kind, tool.known.function) {
        ("function", Some(Object { known: function, unknown })) if unknown.is_empty() && tool.unknown.is_empty() => {
            let name = function.name.ok_or_else(|| invalid("tools: a function without a name").param("tools"))?;
            Tool::Function(CallFunction {
                name,
                description: function.description,
                parameters: function.parameters.map(Json::from),
                strict: function.strict,
                cache: None,
            })
        }
        _ => Tool::Foreign(foreign(Need::UnknownMembers, raw.into())),
    })
}

fn read_tool_choice(raw: &RawValue) -> Result<ToolChoice, Rejection> {
    Ok(match plain(raw).as_str() {
        r#""none""# => ToolChoice::None,
        r#""auto""# => ToolChoice::Auto,
        // Mistral's word beside OpenAI's (recording `6331bfb95d150623`)
        r#""required""# | r#""any""# => ToolChoice::Required,
        _ if raw.get().starts_with('{') => {
            let choice: Object<'_, types::Tool<'_>> =
                read(raw).map_err(|error| invalid(format_args!("tool_choice: {error}")).param("tool_choice"))?;
            match choice.known.function.and_then(|function| function.known.name) {
                Some(name) => ToolChoice::Named(name),
                None => ToolChoice::Foreign(foreign(Need::UnknownMembers, raw.into())),
            }
        }
        _ => {
            let message = format!("tool_choice: {} is not one of none, auto, required or an object", raw.get());
            return Err(invalid(message).param("tool_choice"));
        }
    })
}

fn read_format(format: Object<'_, ResponseFormat<'_>>) -> Result<Format, Rejection> {
    let kind = format.known.kind.unwrap_or_default().0;
    match (&*kind, format.known.json_schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(Object { known: schema, .. })) => match schema.schema {
            Some(json) => Ok(Format::JsonSchema {
                name: schema.name,
                description: schema.description,
                schema: json.into(),
                strict: schema.strict,
            }),
            None => Err(invalid("response_format.json_schema.schema: missing").param("response_format")),
        },
        (kind, _) => {
            let message = format!("response_format: `{kind}` is not one of text, json_object, or json_schema with one");
            Err(invalid(message).param("response_format"))
        }
    }
}

fn read_effort(effort: String) -> Reasoning {
    match effort.as_str() {
        "none" => Reasoning { mode: ReasoningMode::Off, ..Reasoning::default() },
        _ => Reasoning { mode: ReasoningMode::Adaptive, effort: Some(effort), display: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let rejection = read_call(body.as_bytes()).expect_err(body);
        assert_eq!(rejection.status(), 400, "{body}");
        assert!(rejection.message.contains(expected), "{body}: {}", rejection.message);
    }

    #[test]
    fn a_rejection_names_the_member_at_fault() {
        for (body, expected) in [
            ("[]", "an object"),
            ("{", "line 1 column 1"),
            (r#"{"model": "m"}"#, "messages: missing"),
            (r#"{"messages": [], "model": 5}"#, "model: "),
            (r#"{"messages": 5}"#, "messages: "),
            (r#"{"messages": [{"role": "user", "content": 5}]}"#, "content: "),
            (r#"{"messages": [{"role": "king", "content": ""}]}"#, "messages[0].role: `king`"),
            (
                r#"{"messages": [{"role": "user", "content": "a"}, {"role": "tool"}]}"#,
                "messages[1].tool_call_id: missing",
            ),
            (
                r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}"#,
                "messages[0].content: text: ",
            ),
            (r#"{"messages": [], "temperature": 2.5}"#, "temperature: 2.5 is not between 0 and 2"),
            (r#"{"messages": [], "top_p": -1}"#, "top_p: -1 is not between 0 and 1"),
            (r#"{"messages": [], "max_tokens": -1}"#, "max_tokens: "),
            (r#"{"messages": [], "tool_choice": "some"}"#, "tool_choice: \"some\""),
            (r#"{"messages": [], "response_format": {"type": "json_schema"}}"#, "response_format: `json_schema`"),
            (
                r#"{"messages": [], "tools": [{"type": "function", "function": {}}]}"#,
                "tools: a function without a name",
            ),
        ] {
            check(body, expected);
        }
        assert!(read_call(b"\"\xff\"").is_err());
    }
}
