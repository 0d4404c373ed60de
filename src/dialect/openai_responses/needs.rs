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
        (Part::Messages, 3, b"encrypted_content") if is_foreign(rest) => hints.translated(),
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

/// Whether it is the seal of another dialect, or stands for none, as we wrote it: this dialect's vendors refuse it.
fn is_foreign(rest: &[u8]) -> bool {
    rest.strip_prefix(b"\"").is_some_and(|seal| seal.starts_with(THEIRS.as_bytes()))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::dialect::scan::scan;

    fn check(members: &str, expected: &[Need], translated: bool) {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        let seen = scan(Dialect::OpenaiResponses, body.as_bytes()).expect(&body);
        let expected = expected.iter().fold(Needs::NONE, |needs, need| needs.with(*need));
        assert_eq!((seen.needs, seen.translated), (expected, translated), "{members}");
    }

    #[test]
    fn a_call_is_kept_unless_it_says_not_to_be() {
        check(r#""input":"hi""#, &[Need::Stores], false);
        check(r#""store":null,"input":"hi""#, &[Need::Stores], false);
        check(r#""store":true,"input":"hi""#, &[Need::Stores], false);
        check(r#""store":false,"input":"hi""#, &[], false);
    }

    #[test]
    fn what_items_and_tools_demand_is_noted() {
        for (members, expected) in [
            (r#""input":[{"type":"function_call_output","call_id":"c","output":"x"}]"#, &[Need::Tools][..]),
            (r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]"#, &[Need::Images]),
            (
                r#""input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]"#,
                &[Need::Documents, Need::ServerIds],
            ),
            (r#""input":[{"type":"item_reference","id":"rs_1"}]"#, &[Need::ServerIds]),
            (r#""tools":[{"type":"web_search"}]"#, &[Need::Tools, Need::HostedTools]),
            (r#""tools":[{"type":"custom","name":"p"},{"type":"namespace","name":"n","tools":[]}]"#, &[Need::Tools]),
            (r#""previous_response_id":"resp_1""#, &[Need::ServerIds]),
            (r#""background":true"#, &[Need::Stores]),
            (r#""text":{"format":{"type":"json_schema"}}"#, &[Need::JsonSchema]),
            (r#""reasoning":{"effort":"low"}"#, &[Need::Reasoning]),
            (r#""reasoning":{"effort":"none"}"#, &[]),
            (r#""client_metadata":{},"prompt_cache_key":"k""#, &[]),
        ] {
            check(&format!(r#""store":false,{members}"#), expected, false);
        }
    }

    #[test]
    fn what_we_wrote_for_another_dialects_vendor_is_known_again() {
        for (sealed, expected, translated) in [
            ("gAAAA", &[][..], false),
            ("backstay:", &[], true),
            ("backstay:gemini~Cq4=", &[], true),
            ("backstay:EqQBCkYIBxgCKkDr", &[], true),
        ] {
            let item = format!(r#""store":false,"input":[{{"type":"reasoning","encrypted_content":"{sealed}"}}]"#);
            check(&item, expected, translated);
        }
    }
}
