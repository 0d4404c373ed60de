//! The parts of a turn, of a request or of an answer, as they are read.

use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::ToolCall;
use crate::call::turn::{Content, Part};
use crate::dialect::gemini::ids::Calls;
use crate::dialect::gemini::types::{self, FunctionCall, FunctionResponse, Output};
use crate::dialect::gemini::{media, seals};
use crate::dialect::object::{Object, Reading, Text, read};
use crate::dialect::shapes::Many;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A part on the wire.
pub(crate) type WirePart<'a> = Object<'a, types::Part<'a>>;

/// Reads the parts of a turn, and notes its function calls.
pub(crate) fn read_parts(
    wire: Many<WirePart<'_>>,
    calls: &mut Calls,
    reading: Reading,
) -> Result<Vec<Part>, serde_json::Error> {
    let mut parts = Vec::with_capacity(wire.0.len());
    for part in wire.0 {
        let (seal, content) = read_part(part, calls, reading)?;
        if let Some(seal) = seal {
            seal_next(&mut parts, seal);
        }
        parts.extend(content.map(Part::from));
    }
    Ok(parts)
}

/// The seal goes to the thoughts before what it seals, or to thoughts without words there.
fn seal_next(parts: &mut Vec<Part>, seal: String) {
    match parts.last_mut().map(|part| &mut part.content) {
        Some(Content::Thinking { signature: signature @ None, .. }) => *signature = Some(seal),
        _ => parts.push(Content::Thinking { text: String::new(), signature: Some(seal) }.into()),
    }
}

/// One part: a seal of what it holds, and what it holds unless that is an empty text.
pub(crate) fn read_part(
    wire: WirePart<'_>,
    calls: &mut Calls,
    reading: Reading,
) -> Result<(Option<String>, Option<Content>), serde_json::Error> {
    let known = &wire.known;
    let (thought, is_text) = (known.thought == Some(true), known.text.is_some());
    let others = [known.inline_data, known.file_data, known.function_call, known.function_response];
    let others = others.iter().flatten().count();
    // a part of an answer that holds nothing known is what is not known
    let is_more = reading.heeds(&wire.unknown) || (others == 0 && !is_text && !wire.unknown.is_empty());
    let content = match known {
        _ if is_more || others + usize::from(is_text) > 1 || (thought && others > 0) => None,
        types::Part { function_call: Some(raw), .. } => read_call(raw, calls, reading)?.map(Content::ToolCall),
        types::Part { function_response: Some(raw), .. } => read_result(raw, calls, reading)?,
        types::Part { inline_data: Some(raw), .. } => media::read_inline(raw)?,
        types::Part { file_data: Some(raw), .. } => media::read_file(raw)?,
        _ => Some(Content::text("")),
    };
    let Some(content) = content else { return Ok((None, Some(media::foreign(need(&wire), echo(&wire))))) };
    let Object { known: part, .. } = wire;
    let seal = part.signature.and_then(|Text(seal)| seals::read(&seal));
    let text = part.text.map(|Text(text)| text.into_owned()).filter(|text| !text.is_empty());
    Ok(match content {
        Content::Text { .. } if thought => {
            (None, Some(Content::Thinking { text: text.unwrap_or_default(), signature: seal }))
        }
        Content::Text { .. } => (seal, text.map(Content::text)),
        content => (seal, Some(content)),
    })
}

fn read_call(raw: &RawValue, calls: &mut Calls, reading: Reading) -> Result<Option<ToolCall>, serde_json::Error> {
    let Object { known, unknown } = read::<Object<'_, FunctionCall<'_>>>(raw)?;
    let Some(name) = known.name.filter(|_| !reading.heeds(&unknown)) else { return Ok(None) };
    let id = calls.call(known.id, &name);
    Ok(Some(ToolCall { id, name, arguments: known.args.map_or("{}", RawValue::get).to_owned() }))
}

/// A result; one whose call is not in the conversation stays in the client's own words.
fn read_result(raw: &RawValue, calls: &mut Calls, reading: Reading) -> Result<Option<Content>, serde_json::Error> {
    let Object { known, unknown } = read::<Object<'_, FunctionResponse<'_>>>(raw)?;
    let Text(name) = known.name.unwrap_or_default();
    if reading.heeds(&unknown) {
        return Ok(None);
    }
    let Some(id) = calls.result(known.id.as_deref(), &name) else { return Ok(None) };
    let mut parts = Vec::new();
    let (text, error) = known.response.map_or_else(|| (String::new(), None), read_output);
    if !text.is_empty() {
        parts.push(Content::text(text).into());
    }
    parts.extend(read_parts(known.parts, calls, reading)?);
    Ok(Some(Content::ToolResult { id, parts, error }))
}

/// What a function gave: its text where that is all (`output`, or `error` for one that failed), else the whole as JSON.
fn read_output(raw: &RawValue) -> (String, Option<bool>) {
    let whole = || (raw.get().to_owned(), None);
    let Ok(Object { known, unknown }) = read::<Object<'_, Output<'_>>>(raw) else { return whole() };
    match (known.output, known.error) {
        (Some(Text(output)), None) if unknown.is_empty() => (output.into_owned(), None),
        (None, Some(Text(error))) if unknown.is_empty() => (error.into_owned(), Some(true)),
        _ => whole(),
    }
}

/// What a function gave, as it is written: an object, whatever text it is.
pub(super) fn write_output(text: &str, error: Option<bool>) -> Json {
    if error != Some(true)
        && text.trim_start().starts_with('{')
        && let Some(object) = Json::parse(text)
        && serde_json::from_str(text).is_ok_and(|raw: &RawValue| read_output(raw) == (raw.get().to_owned(), None))
    {
        return object;
    }
    let member = if error == Some(true) { "error" } else { "output" };
    Json::parse(&serde_json::json!({ member: text }).to_string()).unwrap_or_default()
}

/// What a part needs that other dialects have no form for.
fn need(part: &WirePart<'_>) -> Need {
    const RUN: [&str; 8] = [
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
        "executable_code",
        "code_execution_result",
        "tool_call",
        "tool_response",
    ];
    let known = &part.known;
    match known.inline_data.or(known.file_data) {
        _ if part.unknown.iter().any(|(name, _)| RUN.contains(&&**name)) => Need::HostedTools,
        Some(raw) => media::need(raw),
        None if known.function_call.or(known.function_response).is_some() => Need::Tools,
        None => Need::UnknownMembers,
    }
}

/// A part as it came.
fn echo(part: &WirePart<'_>) -> Json {
    let known = &part.known;
    let echo = Echo {
        text: known.text.as_ref().map(|Text(text)| &**text),
        thought: known.thought,
        inline_data: known.inline_data,
        file_data: known.file_data,
        function_call: known.function_call,
        function_response: known.function_response,
        unknown: Unknown(&part.unknown),
        thought_signature: known.signature.as_ref().map(|Text(seal)| &**seal),
    };
    serde_json::to_string(&echo).ok().and_then(|text| Json::parse(&text)).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Echo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<&'a RawValue>,
    #[serde(flatten)]
    unknown: Unknown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

struct Unknown<'a>(&'a [(Cow<'a, str>, &'a RawValue)]);

impl Serialize for Unknown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
