//! What a client asks, read as a [`Call`]. The model and whether to stream are in the path, not here.

use crate::base::rejection::Rejection;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::call::turn::{Foreign, Role, Turn};
use crate::call::{Call, Extra};
use crate::dialect::gemini::ids::Calls;
use crate::dialect::gemini::request::config::{Configured, read_config};
use crate::dialect::gemini::request::parts::read_parts;
use crate::dialect::gemini::types::{self, Calling, Content, Request, ToolConfig};
use crate::dialect::gemini::{NAME, openapi};
use crate::dialect::honour::invalid;
use crate::dialect::object::{Object, Reading, Text, plain, read, read_str};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a client's body.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub(crate) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    read_request(read_str::<Object<'_, Request<'_>>>(text).map_err(invalid)?)
}

/// Reads a request, which may lie in another.
pub(crate) fn read_request(request: Object<'_, Request<'_>>) -> Result<Call, Rejection> {
    let Object { known: request, unknown } = request;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let turns = read_turns(request.system, request.contents.0)?;
    let mut tools = Vec::new();
    for tool in request.tools.0 {
        read_tool(tool, &mut tools)?;
    }
    // functions first, as they are written: the vendor wants them in one list
    tools.sort_by_key(|tool| matches!(tool, Tool::Foreign(_)));
    let tool_choice = request.tool_config.map_or(Ok(ToolChoice::Unsaid), |config| {
        extras.extend(inside("toolConfig", Need::HostedTools, config.unknown));
        read_tool_config(&config.known, &mut tools)
    })?;
    let Configured { max_tokens, temperature, top_p, sampling, stop, format, reasoning, extras: configured } =
        request.config.map_or_else(|| Ok(Configured::default()), read_config)?;
    extras.extend(configured);
    Ok(Call {
        dialect: NAME,
        include_usage: true,
        turns,
        tools,
        tool_choice,
        max_tokens,
        temperature,
        top_p,
        sampling,
        stop,
        format,
        reasoning,
        extras,
        ..Call::default()
    })
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, plain(value).as_str()) {
        ("safetySettings" | "safety_settings" | "labels", "[]" | "{}") | ("store", "false") => return None,
        ("cachedContent" | "cached_content", _) => Need::ServerIds,
        ("serviceTier" | "service_tier", _) => Need::ServiceTier,
        ("store", _) => Need::Stores,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: "", member: member.to_owned(), value: foreign(need, value.into()) })
}

/// Members within a member that other dialects share.
pub(super) fn inside(
    within: &'static str,
    need: Need,
    unknown: Vec<(Cow<'_, str>, &RawValue)>,
) -> impl Iterator<Item = Extra> {
    unknown.into_iter().map(move |(member, value)| Extra {
        within,
        member: member.into_owned(),
        value: foreign(need, value.into()),
    })
}

pub(super) const fn foreign(need: Need, json: Json) -> Foreign {
    Foreign { dialect: NAME, need, json }
}

fn read_turns(
    system: Option<Object<'_, Content<'_>>>,
    contents: Vec<Object<'_, Content<'_>>>,
) -> Result<Vec<Turn>, Rejection> {
    if contents.is_empty() {
        return Err(invalid("contents: missing or empty").param("contents"));
    }
    let mut turns = Vec::with_capacity(contents.len() + 1);
    let mut calls = Calls::default();
    if let Some(Object { known: system, .. }) = system {
        let parts = read_parts(system.parts, &mut calls, Reading::Request)
            .map_err(|error| invalid(format_args!("systemInstruction: {error}")).param("systemInstruction"))?;
        if !parts.is_empty() {
            turns.push(Turn::new(Role::System, parts));
        }
    }
    for (index, Object { known: content, unknown }) in contents.into_iter().enumerate() {
        let role = match content.role.as_ref().map(|Text(role)| &**role) {
            // results were the turn of a `function` once
            None | Some("user" | "function" | "") => Role::User,
            Some("model") => Role::Assistant,
            Some(role) => {
                let message = format!("contents[{index}].role: `{role}` is neither user nor model");
                return Err(invalid(message).param("contents"));
            }
        };
        let parts = read_parts(content.parts, &mut calls, Reading::Request)
            .map_err(|error| invalid(format_args!("contents[{index}].parts: {error}")).param("contents"))?;
        let extras = inside("", Need::UnknownMembers, unknown).collect();
        turns.push(Turn { role, name: None, parts, extras });
    }
    Ok(turns)
}

/// One object may hold functions and several tools that the vendor runs: each becomes a tool of its own.
fn read_tool(tool: Object<'_, types::Tool<'_>>, tools: &mut Vec<Tool>) -> Result<(), Rejection> {
    for function in tool.known.functions.unwrap_or_default() {
        tools.push(read_function(function)?);
    }
    for (member, value) in tool.unknown {
        // a screen is the client's own
        let need =
            if matches!(&*member, "computerUse" | "computer_use") { Need::UnknownMembers } else { Need::HostedTools };
        tools.push(Tool::Foreign(foreign(need, wrapped(&member, value.get()))));
    }
    Ok(())
}

fn read_function(raw: &RawValue) -> Result<Tool, Rejection> {
    let in_tools = |error: &dyn std::fmt::Display| invalid(format_args!("tools: {error}")).param("tools");
    let Object { known, unknown } = read::<Object<'_, types::Function<'_>>>(raw).map_err(|error| in_tools(&error))?;
    if !unknown.is_empty() || (known.parameters.is_some() && known.json_schema.is_some()) {
        let json = wrapped("functionDeclarations", &["[", raw.get(), "]"].concat());
        return Ok(Tool::Foreign(foreign(Need::UnknownMembers, json)));
    }
    let openapi = known.parameters.map(|schema| openapi::parameters(schema.get()));
    Ok(Tool::Function(Function {
        name: known.name.ok_or_else(|| in_tools(&"a function without a name"))?,
        description: described(known.description, known.returns),
        parameters: openapi.or(known.json_schema.map(Json::from)),
        strict: None,
        cache: None,
    }))
}

/// An object of one member.
fn wrapped(member: &str, value: &str) -> Json {
    let name = serde_json::Value::from(member).to_string();
    Json::parse(&["{", &name, ":", value, "}"].concat()).unwrap_or_default()
}

/// What a function returns has a member of its own here, which Google's Python SDK always fills; elsewhere it is told in words.
fn described(description: Option<String>, returns: Option<&RawValue>) -> Option<String> {
    let Some(schema) = returns else { return description };
    let told = format!("Returns JSON of this schema: {}", schema.get());
    Some(description.map_or_else(|| told.clone(), |description| format!("{description}\n\n{told}")))
}

/// Reads how functions are called. `VALIDATED` keeps every function to its schema.
fn read_tool_config(config: &ToolConfig<'_>, tools: &mut [Tool]) -> Result<ToolChoice, Rejection> {
    let Some(raw) = config.calling else { return Ok(ToolChoice::Unsaid) };
    let Object { known: calling, unknown } = read::<Object<'_, Calling<'_>>>(raw)
        .map_err(|error| invalid(format_args!("toolConfig: {error}")).param("toolConfig"))?;
    let mode = calling.mode.map(|Text(mode)| mode.to_ascii_uppercase()).unwrap_or_default();
    let allowed = calling.allowed.unwrap_or_default();
    let all = |tool: &Tool| matches!(tool, Tool::Function(function) if allowed.contains(&function.name));
    Ok(match (mode.as_str(), allowed.as_slice()) {
        _ if !unknown.is_empty() => ToolChoice::Foreign(foreign(Need::UnknownMembers, raw.into())),
        ("" | "MODE_UNSPECIFIED", []) => ToolChoice::Unsaid,
        ("AUTO", []) => ToolChoice::Auto,
        ("NONE", _) => ToolChoice::None,
        ("ANY", []) => ToolChoice::Required,
        ("ANY", [name]) => ToolChoice::Named(name.clone()),
        ("ANY", _) if tools.iter().all(all) => ToolChoice::Required,
        ("VALIDATED", []) => {
            for tool in tools {
                if let Tool::Function(function) = tool {
                    function.strict = Some(true);
                }
            }
            ToolChoice::Auto
        }
        ("" | "MODE_UNSPECIFIED" | "ANY" | "VALIDATED" | "AUTO", _) => {
            ToolChoice::Foreign(foreign(Need::UnknownMembers, raw.into()))
        }
        (mode, _) => {
            let message = format!("toolConfig: the mode `{mode}` is not one of AUTO, ANY, NONE, VALIDATED");
            return Err(invalid(message).param("toolConfig"));
        }
    })
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

    fn with(members: &str) -> String {
        format!(r#"{{"contents": [{{"parts": [{{"text": "hi"}}]}}], {members}}}"#)
    }

    #[test]
    fn a_rejection_names_the_member_at_fault() {
        check("[]", "an object");
        check("{}", "contents: missing");
        check(r#"{"contents": "hi"}"#, "contents: invalid type");
        check(r#"{"contents": [{"role": "assistant", "parts": []}]}"#, "contents[0].role: `assistant`");
        check(r#"{"contents": [{"parts": [{"text": 5}]}]}"#, "contents: parts: text: ");
        check(r#"{"contents": [{"parts": [{"functionCall": {"name": 5}}]}]}"#, "contents[0].parts: name: ");
        check(&with(r#""generationConfig": {"temperature": 2.5}"#), "temperature: 2.5 is not between 0 and 2");
        check(&with(r#""toolConfig": {"functionCallingConfig": {"mode": "SOME"}}"#), "mode `SOME`");
        check(&with(r#""tools": [{"functionDeclarations": [{}]}]"#), "tools: a function without a name");
        assert!(read_call(b"\"\xff\"").is_err());
    }

    #[test]
    fn either_spelling_means_the_same() {
        let camel = with(
            r#""systemInstruction": {"parts": {"text": "s"}}, "generationConfig": {"maxOutputTokens": 5, "topK": 3,
                "thinkingConfig": {"thinkingBudget": 0}}, "toolConfig": {"functionCallingConfig": {"mode": "none"}}"#,
        );
        let spellings = [
            ("systemInstruction", "system_instruction"),
            ("generationConfig", "generation_config"),
            ("maxOutputTokens", "max_output_tokens"),
            ("topK", "top_k"),
            ("thinkingConfig", "thinking_config"),
            ("thinkingBudget", "thinking_budget"),
            ("toolConfig", "tool_config"),
            ("functionCallingConfig", "function_calling_config"),
        ];
        let snake = spellings.iter().fold(camel.clone(), |body, (camel, snake)| body.replace(camel, snake));
        let call = read_call(camel.as_bytes()).expect("a valid request");
        assert_eq!(read_call(snake.as_bytes()).expect("a valid request"), call);
        assert_eq!((call.max_tokens, call.sampling.top_k, &call.tool_choice), (Some(5), Some(3), &ToolChoice::None));
        assert!(call.turns[0].is_system());
    }

    #[test]
    fn needs_are_told_from_every_corner() {
        let asked = |part: &str| format!(r#"{{"contents": {{"parts": {part}}}}}"#);
        for (body, need) in [
            (with(r#""tools": [{"googleSearch": {}}]"#), Need::HostedTools),
            (with(r#""tools": [{"code_execution": {}}, {"functionDeclarations": []}]"#), Need::HostedTools),
            (with(r#""cachedContent": "cachedContents/1""#), Need::ServerIds),
            (with(r#""safetySettings": [{"category": "C"}]"#), Need::UnknownMembers),
            (with(r#""generationConfig": {"candidateCount": 2}"#), Need::Choices),
            (with(r#""generationConfig": {"responseLogprobs": true}"#), Need::Logprobs),
            (with(r#""generationConfig": {"presencePenalty": 1}"#), Need::Penalties),
            (with(r#""generationConfig": {"seed": 1}"#), Need::Seed),
            (with(r#""generationConfig": {"responseModalities": ["AUDIO"]}"#), Need::Audio),
            (with(r#""generationConfig": {"responseMimeType": "application/json"}"#), Need::JsonObject),
            (with(r#""generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}"#), Need::Reasoning),
            (asked(r#"{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}"#), Need::Images),
            (asked(r#"{"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}"#), Need::Documents),
            (asked(r#"{"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}"#), Need::Audio),
            (asked(r#"{"fileData": {"fileUri": "gs://b/o", "mimeType": "image/png"}}"#), Need::ServerIds),
            (asked(r#"{"executableCode": {}}"#), Need::HostedTools),
            (asked(r#"{"hologram": {}}"#), Need::UnknownMembers),
        ] {
            let call = read_call(body.as_bytes()).expect(&body);
            assert!(call.needs().has(need), "{body}: {:?}", call.needs());
        }
    }

    #[test]
    fn what_asks_for_nothing_is_no_need() {
        let body = with(
            r#""safetySettings": [], "generationConfig": {"candidateCount": 1, "presencePenalty": 0, "responseLogprobs": false,
                "responseModalities": ["TEXT"], "responseMimeType": "text/plain", "thinkingConfig": {"thinkingBudget": 0}}"#,
        );
        assert_eq!(read_call(body.as_bytes()).expect("a valid request").needs(), Needs::NONE);
    }
}
