//! What an Anthropic Messages request needs.

use crate::call::needs::{Need, Needs};
use crate::dialect::json::value::Value;
use crate::dialect::members::{Hints, Part, Rule, SEAL_NAME_BYTES, word};

/// Every member that has a known meaning, the commonest first.
pub(in crate::dialect) const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("messages", Rule::Part(Part::Messages)),
    ("max_tokens", Rule::MaxTokens("max_tokens")),
    ("stream", Rule::Stream),
    ("system", Rule::Part(Part::System)),
    ("tools", Rule::Part(Part::Tools)),
    ("tool_choice", Rule::Plain),
    ("temperature", Rule::NotOne(Need::Temperature)),
    ("thinking", Rule::Thinking),
    ("metadata", Rule::Plain),
    ("stop_sequences", Rule::Plain),
    ("top_p", Rule::NotOne(Need::Temperature)),
    ("top_k", Rule::Given(Need::TopK)),
    ("output_config", Rule::FormWithin),
    ("output_format", Rule::Form),
    ("cache_control", Rule::Given(Need::CacheControl)),
    ("service_tier", Rule::Unless(Need::ServiceTier, &["auto", "default"])),
    ("container", Rule::Given(Need::ServerIds)),
    // the vendor holds the conversation from then on; the Python SDK's tool runner asks for it unless told not to (2.12.0)
    ("thread", Rule::Given(Need::Stores)),
    ("mcp_servers", Rule::Filled(Need::HostedTools)),
];

/// Notes a member inside `messages` (message 3, block 5, a result's own block 7), `system` (block 3) or `tools` (tool 3) by its depth.
///
/// Below a block lie the client's own tool inputs, which may look like anything: what is found there is doubtful.
pub(in crate::dialect) fn note(hints: &mut Hints, depth: usize, name: &[u8], rest: &[u8]) {
    match (hints.part, depth, name) {
        (Part::Messages, 3, b"role") => hints.prefill(word(rest) == b"assistant"),
        (Part::Messages, 5, b"type") => block(word(rest), |need| hints.certain(need)),
        (Part::Messages, 7.., b"type") => block(word(rest), |need| hints.maybe(need)),
        (Part::Messages, 5, b"cache_control") if !rest.starts_with(b"null") => hints.certain(Need::CacheControl),
        (Part::Messages, 7.., b"cache_control") if !rest.starts_with(b"null") => hints.maybe(Need::CacheControl),
        (Part::Messages, 5, b"signature") if is_foreign(rest) => hints.translated(),
        (Part::Messages, 6.., b"file_id") => hints.maybe(Need::ServerIds),
        (Part::System | Part::Tools, 3, b"cache_control") if !rest.starts_with(b"null") => {
            hints.certain(Need::CacheControl);
        }
        (Part::Tools, 3, b"type") => {
            if !rest.starts_with(b"null")
                && let Some(need) = tool_need(word(rest))
            {
                hints.certain(need);
            }
        }
        _ => {}
    }
}

/// Whether thoughts bear no seal, or one with another dialect's name: so we wrote what another vendor thought, and this
/// dialect's vendors refuse it.
fn is_foreign(rest: &[u8]) -> bool {
    let Some(seal) = rest.strip_prefix(b"\"") else { return false };
    let head = seal.get(..SEAL_NAME_BYTES).unwrap_or(seal);
    head.first() == Some(&b'"') || head.contains(&b'~')
}

/// The needs inside a part, read to the letter.
pub(in crate::dialect) fn exact(part: Part, value: Value<'_>) -> Needs {
    let mut needs = Needs::NONE;
    match part {
        Part::Messages => {
            let mut last_role = None;
            for message in value.elements() {
                for (name, value) in message.members() {
                    match &*name {
                        "role" => last_role = value.text(),
                        "content" => needs = needs.union(blocks(value, RESULT_LEVELS)),
                        _ => {}
                    }
                }
            }
            if last_role.is_some_and(|role| role == "assistant") {
                needs.add(Need::Prefill);
            }
        }
        Part::System => needs = blocks(value, 0),
        Part::Tools => {
            for (name, value) in value.elements().flat_map(Value::members).filter(|(_, value)| !value.is_null()) {
                match &*name {
                    "type" => tool_need(value.text().unwrap_or_default().as_bytes())
                        .into_iter()
                        .for_each(|need| needs.add(need)),
                    "cache_control" => needs.add(Need::CacheControl),
                    _ => {}
                }
            }
        }
        Part::Other => {}
    }
    needs
}

/// How deep blocks lie in blocks: a tool's result may hold a document, which may hold text.
const RESULT_LEVELS: u8 = 2;

fn blocks(content: Value<'_>, levels: u8) -> Needs {
    let mut needs = Needs::NONE;
    for (name, value) in content.elements().flat_map(Value::members) {
        match &*name {
            "type" => block(value.text().unwrap_or_default().as_bytes(), |need| needs.add(need)),
            "cache_control" if !value.is_null() => needs.add(Need::CacheControl),
            "source" if value.get("file_id").is_some() => needs.add(Need::ServerIds),
            "content" if levels > 0 => needs = needs.union(blocks(value, levels - 1)),
            _ => {}
        }
    }
    needs
}

fn block(kind: &[u8], mut add: impl FnMut(Need)) {
    match kind {
        b"image" => add(Need::Images),
        b"document" | b"search_result" => add(Need::Documents),
        b"tool_use" | b"tool_result" => add(Need::Tools),
        b"container_upload" => add(Need::ServerIds),
        b"server_tool_use" | b"mcp_tool_use" | b"mcp_tool_result" => add(Need::HostedTools),
        kind if kind.ends_with(b"_tool_result") => add(Need::HostedTools),
        _ => {}
    }
}

/// What a tool needs by its `type`: Anthropic's own tools end in a date, those that it runs itself are hosted.
fn tool_need(kind: &[u8]) -> Option<Need> {
    const CLIENT_RUN: [&[u8]; 4] = [b"bash_", b"text_editor_", b"computer_", b"memory_"];
    match kind {
        b"custom" => None,
        kind if CLIENT_RUN.iter().any(|prefix| kind.starts_with(prefix)) => Some(Need::UnknownMembers),
        _ => Some(Need::HostedTools),
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::Dialect;
    use crate::dialect::scan::scan;

    #[test]
    fn what_we_wrote_for_another_dialects_vendor_is_known_again() {
        for (signature, translated) in
            [("EqQBCkYIBxgCKkDr", false), ("", true), ("gemini~Cq4=", true), ("openai_responses~gAAAA", true)]
        {
            let block = format!(r#"{{"type":"thinking","thinking":"hm","signature":"{signature}"}}"#);
            let body = format!(r#"{{"model":"m","messages":[{{"role":"assistant","content":[{block}]}}]}}"#);
            assert_eq!(scan(Dialect::Anthropic, body.as_bytes()).expect(&body).translated, translated, "{signature}");
        }
    }
}
