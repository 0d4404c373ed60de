//! What an OpenAI Responses request needs: `CreateResponse` of OpenAI's API description, and what Codex adds.

use crate::call::needs::{Need, Needs};
use crate::dialect::json::value::Value;
use crate::dialect::members::{Hints, Part, Rule, word};
use crate::dialect::openai_responses::seal::THEIRS;

/// Every member that has a known meaning, the commonest first.
pub(in crate::dialect) const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("input", Rule::Part(Part::Messages)),
    ("stream", Rule::Stream),
    ("instructions", Rule::Plain),
    ("tools", Rule::Part(Part::Tools)),
    ("tool_choice", Rule::Plain),
    ("parallel_tool_calls", Rule::Plain),
    // kept unless it says `false`
    ("store", Rule::Store),
    ("include", Rule::Holds(Need::Logprobs, "message.output_text.logprobs")),
    ("reasoning", Rule::Effort),
    ("text", Rule::FormWithin),
    ("max_output_tokens", Rule::MaxTokens("max_output_tokens")),
    ("temperature", Rule::NotOne(Need::Temperature)),
    ("top_p", Rule::NotOne(Need::Temperature)),
    ("prompt_cache_key", Rule::Plain),
    ("prompt_cache_retention", Rule::Plain),
    ("prompt_cache_options", Rule::Plain),
    ("client_metadata", Rule::Plain),
    ("metadata", Rule::Plain),
    ("user", Rule::Plain),
    ("safety_identifier", Rule::Plain),
    ("service_tier", Rule::Unless(Need::ServiceTier, &["auto", "default"])),
    ("truncation", Rule::Plain),
    ("stream_options", Rule::Plain),
    ("max_tool_calls", Rule::Plain),
    ("top_logprobs", Rule::NonZero(Need::Logprobs)),
    ("previous_response_id", Rule::Given(Need::ServerIds)),
    ("conversation", Rule::Given(Need::ServerIds)),
    ("prompt", Rule::Given(Need::ServerIds)),
    ("background", Rule::True(Need::Stores)),
];

/// Notes a member inside `input` (item 3, a part of it 5) or `tools` (tool 3) by its depth. The client's own JSON lies
/// deeper: arguments and results are strings, a tool search's arguments are an object.
pub(in crate::dialect) fn note(hints: &mut Hints, depth: usize, name: &[u8], rest: &[u8]) {
    match (hints.part, depth, name) {
        (Part::Messages, 3, b"type") => item(word(rest), |need| hints.certain(need)),
        (Part::Messages, 3, b"encrypted_content") => sealed(hints, rest),
        (Part::Messages, 5, b"type") => match word(rest) {
            b"input_image" => hints.certain(Need::Images),
            b"input_audio" => hints.certain(Need::Audio),
            b"input_file" => hints.certain(Need::Documents),
            _ => {}
        },
        (Part::Messages, 5, b"file_id") if !rest.starts_with(b"null") => hints.certain(Need::ServerIds),
        (Part::Messages, 5, b"prompt_cache_breakpoint") => hints.certain(Need::CacheControl),
        (Part::Tools, 3, b"type") if is_hosted(word(rest)) => hints.certain(Need::HostedTools),
        (Part::Tools, 3, b"vector_store_ids") => hints.certain(Need::ServerIds),
        (Part::Tools, 3, b"container") if rest.starts_with(b"\"") => hints.certain(Need::ServerIds),
        _ => {}
    }
}

/// A seal of this dialect is dropped on the way to another's vendor, which takes the conversation without it; so is one
/// that names another. What bears no name is of a vendor that wants it back.
fn sealed(hints: &mut Hints, rest: &[u8]) {
    let Some(theirs) = rest.strip_prefix(b"\"").and_then(|seal| seal.strip_prefix(THEIRS.as_bytes())) else { return };
    hints.translated();
    let head = theirs.get(..SEAL_NAME_BYTES).unwrap_or(theirs);
    let name_ends = head.iter().position(|byte| matches!(byte, b'~' | b'"'));
    if name_ends.is_none_or(|end| theirs.get(end) == Some(&b'"') && end > 0) {
        hints.certain(Need::SignedReasoning);
    }
}

/// No dialect's name is longer.
const SEAL_NAME_BYTES: usize = 32;

/// The needs inside `input` or `tools`, read to the letter.
pub(in crate::dialect) fn exact(part: Part, value: Value<'_>) -> Needs {
    let mut hints = Hints::new(note);
    hints.part = part;
    for (name, value) in value.elements().flat_map(Value::members) {
        note(&mut hints, 3, name.as_bytes(), &plainly(value));
        for (name, value) in value.elements().flat_map(Value::members) {
            note(&mut hints, 5, name.as_bytes(), &plainly(value));
        }
    }
    hints.found()
}

/// A value as an encoder would write it that escapes nothing without need.
fn plainly(value: Value<'_>) -> Vec<u8> {
    value.text().map_or_else(|| value.raw().to_vec(), |text| format!("\"{text}\"").into_bytes())
}

fn item(kind: &[u8], mut add: impl FnMut(Need)) {
    match kind {
        b"" | b"message" | b"reasoning" | b"compaction" => {}
        b"item_reference" => add(Need::ServerIds),
        b"function_call"
        | b"function_call_output"
        | b"custom_tool_call"
        | b"custom_tool_call_output"
        | b"additional_tools"
        | b"local_shell_call"
        | b"local_shell_call_output"
        | b"shell_call"
        | b"shell_call_output"
        | b"apply_patch_call"
        | b"apply_patch_call_output" => add(Need::Tools),
        _ => add(Need::HostedTools),
    }
}

/// Whether the vendor runs a tool of this type; those that the client runs are the others.
fn is_hosted(kind: &[u8]) -> bool {
    !matches!(kind, b"function" | b"custom" | b"namespace" | b"local_shell" | b"shell" | b"apply_patch")
}
