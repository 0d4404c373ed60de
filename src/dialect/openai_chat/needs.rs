//! What an OpenAI chat request needs: `CreateChatCompletionRequest` of OpenAI's API description, and what compatible vendors add.

use crate::call::needs::{Need, Needs};
use crate::dialect::json::value::Value;
use crate::dialect::members::{Hints, Part, Rule, word};

/// Every member that has a known meaning, the commonest first.
pub(in crate::dialect) const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("messages", Rule::Part(Part::Messages)),
    ("stream", Rule::Stream),
    ("temperature", Rule::NotOne(Need::Temperature)),
    ("max_completion_tokens", Rule::MaxTokens("max_completion_tokens")),
    ("max_tokens", Rule::MaxTokens("max_tokens")),
    ("tools", Rule::Part(Part::Tools)),
    ("tool_choice", Rule::Plain),
    ("stream_options", Rule::StreamOptions),
    ("parallel_tool_calls", Rule::Plain),
    ("response_format", Rule::Form),
    ("reasoning_effort", Rule::Unless(Need::Reasoning, &["none"])),
    ("top_p", Rule::NotOne(Need::Temperature)),
    ("stop", Rule::Plain),
    ("n", Rule::AboveOne(Need::Choices)),
    ("seed", Rule::Given(Need::Seed)),
    ("user", Rule::Plain),
    ("store", Rule::Store),
    ("metadata", Rule::Plain),
    ("frequency_penalty", Rule::NonZero(Need::Penalties)),
    ("presence_penalty", Rule::NonZero(Need::Penalties)),
    ("logprobs", Rule::True(Need::Logprobs)),
    ("top_logprobs", Rule::NonZero(Need::Logprobs)),
    ("logit_bias", Rule::Filled(Need::LogitBias)),
    ("service_tier", Rule::Unless(Need::ServiceTier, &["auto", "default"])),
    ("prediction", Rule::Given(Need::Prediction)),
    ("modalities", Rule::Holds(Need::Audio, "audio")),
    ("audio", Rule::Given(Need::Audio)),
    ("web_search_options", Rule::Given(Need::HostedTools)),
    ("functions", Rule::Filled(Need::Tools)),
    ("function_call", Rule::Plain),
    ("safety_identifier", Rule::Plain),
    ("prompt_cache_key", Rule::Plain),
    ("prompt_cache_retention", Rule::Plain),
    ("prompt_cache_options", Rule::Plain),
    ("verbosity", Rule::Plain),
    ("top_k", Rule::Given(Need::TopK)),
    ("previous_response_id", Rule::Given(Need::ServerIds)),
    ("container", Rule::Given(Need::ServerIds)),
    ("file_ids", Rule::Filled(Need::ServerIds)),
    ("mcp_servers", Rule::Filled(Need::HostedTools)),
];

/// Notes a member inside `messages` (message 3, part 5, part's own object 6) or `tools` (tool 3) by its depth.
pub(in crate::dialect) fn note(hints: &mut Hints, depth: usize, name: &[u8], rest: &[u8]) {
    match (hints.part, depth, name) {
        (Part::Messages, 3, b"role") => {
            if matches!(word(rest), b"tool" | b"function") {
                hints.certain(Need::Tools);
            }
        }
        (Part::Messages, 3, b"tool_calls" | b"function_call") if !rest.starts_with(b"null") => {
            hints.certain(Need::Tools);
        }
        (Part::Messages, 3, b"audio") if !rest.starts_with(b"null") => {
            hints.certain(Need::Audio);
            hints.certain(Need::ServerIds);
        }
        (Part::Messages, 5, b"type") => {
            if let Some(need) = part_need(word(rest)) {
                hints.certain(need);
            }
        }
        (Part::Messages, 6, b"file_id") => hints.certain(Need::ServerIds),
        (Part::Messages, 3 | 5, b"cache_control") => hints.certain(Need::CacheControl),
        (Part::Tools, 3, b"type") if hosted(word(rest)) => hints.certain(Need::HostedTools),
        _ => {}
    }
}

/// The needs inside `messages` or `tools`, read to the letter.
pub(in crate::dialect) fn exact(part: Part, value: Value<'_>) -> Needs {
    let mut hints = Hints::new(note);
    hints.part = part;
    for (name, value) in value.elements().flat_map(Value::members) {
        note(&mut hints, 3, name.as_bytes(), &plainly(value));
        for (name, value) in value.elements().flat_map(Value::members) {
            note(&mut hints, 5, name.as_bytes(), &plainly(value));
            for (name, value) in value.members() {
                note(&mut hints, 6, name.as_bytes(), &plainly(value));
            }
        }
    }
    hints.found()
}

/// A value as an encoder would write it that escapes nothing without need.
fn plainly(value: Value<'_>) -> Vec<u8> {
    value.text().map_or_else(|| value.raw().to_vec(), |text| format!("\"{text}\"").into_bytes())
}

fn part_need(kind: &[u8]) -> Option<Need> {
    match kind {
        b"image_url" => Some(Need::Images),
        b"input_audio" => Some(Need::Audio),
        b"file" => Some(Need::Documents),
        _ => None,
    }
}

fn hosted(kind: &[u8]) -> bool {
    !matches!(kind, b"function" | b"custom")
}
