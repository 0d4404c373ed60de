//! What a request needs.

use crate::call::needs::{Need, Needs};
use crate::dialect::gemini::seals;
use crate::dialect::json::value::Value;
use crate::dialect::members::{Hints, Part, Rule, word};

/// Every member that has a known meaning, the commonest first, in both spellings.
pub(in crate::dialect) const MEMBERS: &[(&str, Rule)] = &[
    ("contents", Rule::Part(Part::Messages)),
    ("generationConfig", Rule::Members(CONFIG)),
    ("systemInstruction", Rule::Part(Part::System)),
    ("tools", Rule::Part(Part::Tools)),
    ("toolConfig", Rule::Plain),
    ("safetySettings", Rule::Plain),
    ("cachedContent", Rule::Given(Need::ServerIds)),
    ("serviceTier", Rule::Unless(Need::ServiceTier, &["auto", "standard", "SERVICE_TIER_UNSPECIFIED"])),
    ("labels", Rule::Plain),
    ("store", Rule::Store),
    ("model", Rule::Plain),
    ("generation_config", Rule::Members(CONFIG)),
    ("system_instruction", Rule::Part(Part::System)),
    ("tool_config", Rule::Plain),
    ("safety_settings", Rule::Plain),
    ("cached_content", Rule::Given(Need::ServerIds)),
    ("service_tier", Rule::Unless(Need::ServiceTier, &["auto", "standard", "SERVICE_TIER_UNSPECIFIED"])),
];

/// The members of `generationConfig`.
const CONFIG: &[(&str, Rule)] = &[
    ("maxOutputTokens", Rule::MaxTokens("maxOutputTokens")),
    ("temperature", Rule::Plain),
    ("topP", Rule::Plain),
    ("topK", Rule::Given(Need::TopK)),
    ("stopSequences", Rule::Plain),
    ("responseMimeType", Rule::Is(Need::JsonObject, "application/json")),
    ("responseSchema", Rule::Given(Need::JsonSchema)),
    ("responseJsonSchema", Rule::Given(Need::JsonSchema)),
    ("thinkingConfig", Rule::Members(THINKING)),
    ("candidateCount", Rule::AboveOne(Need::Choices)),
    ("seed", Rule::Given(Need::Seed)),
    ("presencePenalty", Rule::NonZero(Need::Penalties)),
    ("frequencyPenalty", Rule::NonZero(Need::Penalties)),
    ("responseLogprobs", Rule::True(Need::Logprobs)),
    ("logprobs", Rule::NonZero(Need::Logprobs)),
    ("responseModalities", Rule::Holds(Need::Audio, "AUDIO")),
    ("speechConfig", Rule::Given(Need::Audio)),
    ("mediaResolution", Rule::Plain),
    ("imageConfig", Rule::Plain),
    ("max_output_tokens", Rule::MaxTokens("max_output_tokens")),
    ("top_p", Rule::Plain),
    ("top_k", Rule::Given(Need::TopK)),
    ("stop_sequences", Rule::Plain),
    ("response_mime_type", Rule::Is(Need::JsonObject, "application/json")),
    ("response_schema", Rule::Given(Need::JsonSchema)),
    ("response_json_schema", Rule::Given(Need::JsonSchema)),
    ("thinking_config", Rule::Members(THINKING)),
    ("candidate_count", Rule::AboveOne(Need::Choices)),
    ("presence_penalty", Rule::NonZero(Need::Penalties)),
    ("frequency_penalty", Rule::NonZero(Need::Penalties)),
    ("response_logprobs", Rule::True(Need::Logprobs)),
    ("response_modalities", Rule::Holds(Need::Audio, "AUDIO")),
    ("speech_config", Rule::Given(Need::Audio)),
];

const THINKING: &[(&str, Rule)] = &[
    ("thinkingBudget", Rule::NonZero(Need::Reasoning)),
    ("thinkingLevel", Rule::Given(Need::Reasoning)),
    ("includeThoughts", Rule::True(Need::Reasoning)),
    ("thinking_budget", Rule::NonZero(Need::Reasoning)),
    ("thinking_level", Rule::Given(Need::Reasoning)),
    ("include_thoughts", Rule::True(Need::Reasoning)),
];

/// Notes a member inside `contents` (part 5, bytes or a file in it 6) or `tools` (tool 3) by its depth.
///
/// Where one object stands for a list everything lies a level higher, and below a part lie the client's own arguments and
/// results, which may look like anything: what is found elsewhere is doubtful.
pub(in crate::dialect) fn note(hints: &mut Hints, depth: usize, name: &[u8], rest: &[u8]) {
    match (hints.part, depth) {
        (Part::Messages, 5) => {
            part(name, |need| hints.certain(need));
            if matches!(name, b"thoughtSignature" | b"thought_signature")
                && rest.strip_prefix(b"\"").is_some_and(seals::is_foreign)
            {
                hints.translated();
            }
        }
        (Part::Messages, 6) => bytes(name, rest, |need| hints.certain(need)),
        (Part::Messages, 3 | 4 | 7..) => {
            part(name, |need| hints.maybe(need));
            bytes(name, rest, |need| hints.maybe(need));
        }
        (Part::Tools, 3) if hosted(name) => hints.certain(Need::HostedTools),
        (Part::Tools, 2) => hints.maybe(if hosted(name) { Need::HostedTools } else { Need::Tools }),
        _ => {}
    }
}

/// The needs inside a part, read to the letter.
pub(in crate::dialect) fn exact(part: Part, value: Value<'_>) -> Needs {
    let mut needs = Needs::NONE;
    match part {
        Part::Messages => {
            each(value)
                .filter_map(|content| content.get("parts"))
                .for_each(|value| parts(value, &mut needs, RESULT_LEVELS));
        }
        Part::System => value.get("parts").into_iter().for_each(|value| parts(value, &mut needs, 0)),
        Part::Tools => {
            for (name, _) in each(value).flat_map(Value::members) {
                needs.add(Need::Tools);
                if hosted(name.as_bytes()) {
                    needs.add(Need::HostedTools);
                }
            }
        }
        Part::Other => {}
    }
    needs
}

/// Results of functions may hold parts in turn.
const RESULT_LEVELS: u8 = 1;

fn parts(value: Value<'_>, needs: &mut Needs, levels: u8) {
    for (name, value) in each(value).flat_map(Value::members).filter(|(_, value)| !value.is_null()) {
        part(name.as_bytes(), |need| needs.add(need));
        for (name, value) in value.members() {
            let quoted = value.text().map_or_else(Vec::new, |text| format!("\"{text}\"").into_bytes());
            bytes(name.as_bytes(), &quoted, |need| needs.add(need));
            if name == "parts" && levels > 0 {
                parts(value, needs, levels - 1);
            }
        }
    }
}

/// The elements of a list, or the one object that stands for it.
fn each(value: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    value.elements().chain(value.is_object().then_some(value))
}

fn part(name: &[u8], mut add: impl FnMut(Need)) {
    match name {
        b"functionCall" | b"functionResponse" | b"function_call" | b"function_response" => add(Need::Tools),
        b"executableCode"
        | b"codeExecutionResult"
        | b"toolCall"
        | b"toolResponse"
        | b"executable_code"
        | b"code_execution_result"
        | b"tool_call"
        | b"tool_response" => add(Need::HostedTools),
        _ => {}
    }
}

/// What bytes or a file need by their type, and by where they are.
fn bytes(name: &[u8], rest: &[u8], mut add: impl FnMut(Need)) {
    match name {
        b"mimeType" | b"mime_type" => match word(rest) {
            mime_type if mime_type.starts_with(b"image/") => add(Need::Images),
            mime_type if mime_type.starts_with(b"audio/") => add(Need::Audio),
            b"application/pdf" => add(Need::Documents),
            mime_type if mime_type.starts_with(b"text/") => add(Need::Documents),
            _ => {}
        },
        b"fileUri" | b"file_uri"
            if rest.starts_with(b"\"gs://") || rest.starts_with(b"\"https://generativelanguage.googleapis.com/") =>
        {
            add(Need::ServerIds);
        }
        _ => {}
    }
}

/// Whether the vendor runs the tools of this name: all but the client's functions and its screen.
fn hosted(name: &[u8]) -> bool {
    !matches!(name, b"functionDeclarations" | b"function_declarations" | b"computerUse" | b"computer_use")
}
