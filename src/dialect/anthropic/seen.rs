//! What decides in an Anthropic answer and in the events of its stream.

use crate::call::usage::Usage;
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::region;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Stop reasons that explain an answer with nothing in it.
pub(in crate::dialect) const EXCUSES: &[&str] =
    &["max_tokens", "refusal", "tool_use", "pause_turn", "model_context_window_exceeded"];

/// Glances at members: of the event (1), of a delta (2). Whatever is no delta is read.
pub(in crate::dialect) struct Look<'a>(pub(in crate::dialect) &'a mut Glance);

impl Visitor for Look<'_> {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        match (depth, name) {
            (1, b"type") => self.0.matters |= !rest.starts_with(b"\"content_block_delta\""),
            (2, b"text" | b"thinking" | b"signature") => self.0.content |= !rest.starts_with(b"\"\""),
            (2, b"partial_json") if !rest.starts_with(b"\"\"") => {
                self.0.content = true;
                self.0.tool_call = true;
            }
            (2, b"citation") => self.0.content = true,
            _ => {}
        }
    }
}

/// Reads an event of a stream.
pub(in crate::dialect) fn event(noted: &mut Noted, event: Value<'_>) -> Mark {
    match event.get("type").and_then(Value::text).as_deref() {
        Some("message_start") => {
            noted.opened = 1;
            if let Some(message) = event.get("message") {
                let [model, usage] = message.pick(["model", "usage"]);
                note_head(noted, model, usage);
            }
        }
        Some("content_block_start") => note_block(noted, event.get("content_block")),
        Some("content_block_delta") => note_block(noted, event.get("delta")),
        Some("content_block_stop") => noted.in_tool_call = false,
        Some("message_delta") => {
            let [usage, delta] = event.pick(["usage", "delta"]);
            note_head(noted, None, usage);
            if note_stop(noted, delta.and_then(|delta| delta.get("stop_reason"))) {
                noted.finished = 1;
            }
        }
        Some("message_stop") => noted.ended = true,
        _ => {}
    }
    match (noted.bears, noted.ended) {
        (_, true) => Mark::End,
        (true, false) => Mark::Content,
        (false, false) => Mark::Quiet,
    }
}

/// Reads a whole answer.
pub(in crate::dialect) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, content, model, usage, stop] = answer.pick(["error", "content", "model", "usage", "stop_reason"]);
    if error.is_some() {
        return Told::Error;
    }
    let Some(content) = content.filter(|content| content.is_array()) else { return Told::Nothing };
    note_head(noted, model, usage);
    note_stop(noted, stop);
    for block in content.elements() {
        note_block(noted, Some(block));
    }
    Told::Answer
}

fn note_head(noted: &mut Noted, model: Option<Value<'_>>, told: Option<Value<'_>>) {
    if noted.model.is_none() {
        noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    }
    if noted.region.is_none() && model.is_some() {
        // recordings say `us`, `global`, and `not_available` of models that are older than the member
        let said = told.and_then(|usage| usage.get("inference_geo")?.text());
        noted.region = said.filter(|said| said != "not_available").and_then(|said| region::plain(&said));
    }
    if let Some(told) = told.map(usage) {
        noted.usage = Some(noted.usage.map_or(told, |known| larger(known, told)));
    }
}

fn note_stop(noted: &mut Noted, reason: Option<Value<'_>>) -> bool {
    let reason = reason.and_then(Value::text).filter(|reason| !reason.is_empty());
    let stopped = reason.is_some();
    noted.finish = reason.map(Into::into).or_else(|| noted.finish.take());
    stopped
}

/// Notes a content block or a delta of one: they name their kinds alike.
fn note_block(noted: &mut Noted, block: Option<Value<'_>>) {
    let Some(block) = block else { return };
    let text = |name| block.get(name).and_then(Value::beginning).unwrap_or_default();
    match block.get("type").and_then(Value::text).as_deref() {
        Some("text" | "text_delta") => noted.text(&text("text")),
        Some("thinking" | "thinking_delta") => noted.reasoning(&text("thinking")),
        Some("signature_delta") => noted.reasoning(&text("signature")),
        Some("redacted_thinking") => noted.reasoning(&text("data")),
        Some("tool_use" | "input_json_delta") => noted.tool_call(),
        // server tools and their results, citations, and blocks yet unknown
        Some(_) => noted.text("block"),
        None => {}
    }
}

/// Usage: the input's count excludes what was read from and written to the cache.
pub(in crate::dialect) fn usage(usage: Value<'_>) -> Usage {
    let [fresh, cached, written, kept, output, details] = usage.pick([
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens",
        "output_tokens_details",
    ]);
    let count = |value: Option<Value<'_>>| value.and_then(Value::count).unwrap_or_default();
    Usage {
        fresh: count(fresh),
        cached: count(cached),
        written: count(written),
        written_1h: kept.and_then(|kept| kept.get("ephemeral_1h_input_tokens")?.count()).unwrap_or_default(),
        output: count(output),
        reasoning: details.and_then(|details| details.get("thinking_tokens")?.count()).unwrap_or_default(),
    }
}

/// Counts are cumulative, and some events leave some of them out.
fn larger(one: Usage, other: Usage) -> Usage {
    Usage {
        fresh: one.fresh.max(other.fresh),
        cached: one.cached.max(other.cached),
        written: one.written.max(other.written),
        written_1h: one.written_1h.max(other.written_1h),
        output: one.output.max(other.output),
        reasoning: one.reasoning.max(other.reasoning),
    }
}
