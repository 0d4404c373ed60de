//! What decides in a Bedrock answer and in the events of its stream.

use crate::base::failure::FailureKind;
use crate::call::usage::Usage;
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Stop reasons that explain an answer with nothing in it.
pub(in crate::dialect) const EXCUSES: &[&str] =
    &["max_tokens", "tool_use", "guardrail_intervened", "content_filtered", "model_context_window_exceeded"];

/// Stop reasons of a model whose output nobody can read: what came of it before is no answer
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).
const BROKE: [&str; 2] = ["malformed_model_output", "malformed_tool_use"];

/// Glances at the members of an event (1), of a delta (2), of a piece of it (3). Whatever is no delta is read.
pub(in crate::dialect) struct Look<'a>(pub(in crate::dialect) &'a mut Glance);

impl Visitor for Look<'_> {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        match (depth, name) {
            (1, b"delta" | b"contentBlockIndex" | b"p") => {}
            (1, _) => self.0.matters = true,
            (2 | 3, b"text" | b"signature" | b"redactedContent") => self.0.content |= !rest.starts_with(b"\"\""),
            (3, b"input") if !rest.starts_with(b"\"\"") => {
                self.0.content = true;
                self.0.tool_call = true;
            }
            (2, b"citation") => self.0.content = true,
            _ => {}
        }
    }
}

/// Reads an event of a stream. Its frame names it, and its members tell it as well.
pub(in crate::dialect) fn event(noted: &mut Noted, event: Value<'_>) -> Mark {
    let [role, start, delta, stop, metering, index] =
        event.pick(["role", "start", "delta", "stopReason", "usage", "contentBlockIndex"]);
    match (delta, start) {
        (Some(delta), _) => note_block(noted, delta),
        (None, Some(start)) if start.members().next().is_some() => noted.tool_call(),
        (None, _) if role.is_some() => noted.opened = 1,
        (None, _) if stop.is_some() => {
            note_stop(noted, stop);
            noted.finished = u64::from(noted.finish.is_some());
        }
        (None, _) if metering.is_some() => {
            noted.usage = metering.map(usage);
            // the last of a stream: 39 of 39 recordings
            noted.ended = noted.finished != 0;
        }
        (None, _) if index.is_some() => noted.in_tool_call = false,
        (None, _) => {}
    }
    match (noted.bears, noted.ended) {
        (_, true) => Mark::End,
        (true, false) => Mark::Content,
        (false, false) => Mark::Quiet,
    }
}

/// Reads a whole answer.
pub(in crate::dialect) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [output, stop, told, message] = answer.pick(["output", "stopReason", "usage", "message"]);
    let content = output.and_then(|output| output.get("message")?.get("content")).filter(|content| content.is_array());
    let Some(content) = content else { return if message.is_some() { Told::Error } else { Told::Nothing } };
    noted.usage = told.map(usage);
    for block in content.elements() {
        note_block(noted, block);
    }
    note_stop(noted, stop);
    Told::Answer
}

fn note_stop(noted: &mut Noted, reason: Option<Value<'_>>) {
    let reason = reason.and_then(Value::text).filter(|reason| !reason.is_empty());
    noted.finish = reason.map(Into::into).or_else(|| noted.finish.take());
    if noted.answered && noted.finish.as_deref().is_some_and(|finish| BROKE.contains(&finish)) {
        noted.broke = Some(FailureKind::Malformed);
    }
}

/// Notes a content block, or a delta of one: they name their kinds alike.
fn note_block(noted: &mut Noted, block: Value<'_>) {
    for (name, value) in block.members() {
        match &*name {
            "text" => noted.text(&value.beginning().unwrap_or_default()),
            "toolUse" => noted.tool_call(),
            "reasoningContent" => {
                for (_, piece) in value.members() {
                    noted.reasoning(if piece.beginning().is_some_and(|text| text.is_empty()) { "" } else { "thought" });
                }
            }
            // text that cites, results of tools that the vendor runs, and blocks yet unknown
            "p" => {}
            _ => noted.text("block"),
        }
    }
}

/// Usage: the input's count excludes what was read from and written to the cache.
fn usage(usage: Value<'_>) -> Usage {
    let [fresh, cached, written, output] =
        usage.pick(["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens"]);
    let count = |value: Option<Value<'_>>| value.and_then(Value::count).unwrap_or_default();
    let (fresh, cached, written) = (count(fresh), count(cached), count(written));
    Usage { fresh, cached, written, output: count(output), ..Usage::default() }
}
