//! What decides in a Responses answer and in the events of its stream.

use crate::call::usage::Usage;
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Reasons that explain an answer with nothing in it. One that the client wants made in the background begins empty.
pub(in crate::dialect) const EXCUSES: &[&str] = &["max_output_tokens", "content_filter", "queued", "in_progress"];

/// Glances at members of the event (1). Whatever is neither a delta nor a frame around deltas is read.
pub(in crate::dialect) struct Look<'a>(pub(in crate::dialect) &'a mut Glance);

impl Visitor for Look<'_> {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        match (depth, name) {
            (1, b"type") => {
                let kind = rest.strip_prefix(b"\"response.").unwrap_or_default();
                self.0.tool_call = kind.starts_with(b"function_call_arguments.delta\"")
                    || kind.starts_with(b"custom_tool_call_input.delta\"");
                self.0.matters |= !self.0.tool_call
                    && ![&b"output_text.delta\""[..], b"reasoning_summary_text.delta\"", b"reasoning_text.delta\""]
                        .iter()
                        .any(|delta| kind.starts_with(delta));
            }
            (1, b"delta") => self.0.content |= !rest.starts_with(b"\"\""),
            _ => {}
        }
    }
}

/// Reads an event of a stream.
pub(in crate::dialect) fn event(noted: &mut Noted, event: Value<'_>) -> Mark {
    let delta = || event.get("delta").and_then(Value::beginning).unwrap_or_default();
    match &*event.get("type").and_then(Value::text).unwrap_or_default() {
        "response.created" => {
            noted.opened = 1;
            note_head(noted, event.get("response"));
        }
        "response.output_text.delta" | "response.refusal.delta" => noted.text(&delta()),
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => noted.reasoning(&delta()),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => noted.tool_call(),
        "response.output_item.added" => note_begun(noted, event.get("item")),
        "response.output_item.done" => note_item(noted, event.get("item")),
        "response.completed" | "response.incomplete" => {
            note_end(noted, event.get("response"));
            noted.finished = 1;
            noted.ended = true;
            return Mark::End;
        }
        "response.failed" | "response.cancelled" | "error" => noted.failed = true,
        // speech, transcripts, code and what else is told in pieces
        kind if kind.ends_with(".delta") => noted.text(&delta()),
        _ => {}
    }
    if noted.bears { Mark::Content } else { Mark::Quiet }
}

/// Reads a whole answer.
pub(in crate::dialect) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, status, output] = answer.pick(["error", "status", "output"]);
    let status = status.and_then(Value::text).unwrap_or_default();
    let speaks = output.is_some_and(|output| output.elements().next().is_some());
    if says_failed(error.is_some(), &status, speaks) {
        return Told::Error;
    }
    if !output.is_some_and(Value::is_array) {
        return Told::Nothing;
    }
    note_end(noted, Some(answer));
    Told::Answer
}

/// Whether an answer is an error. Some fill in every member that the API's description has: where an answer does not say how it
/// ended, what it says counts.
pub(super) fn says_failed(error: bool, status: &str, speaks: bool) -> bool {
    matches!(status, "failed" | "cancelled") || (error && !(status.is_empty() && speaks))
}

fn note_head(noted: &mut Noted, response: Option<Value<'_>>) {
    if noted.model.is_none() {
        let model = response.and_then(|response| response.get("model")?.text());
        noted.model = model.filter(|model| !model.is_empty()).map(Into::into);
    }
}

/// The whole answer, at the end of a stream too: what it says counts, in case no event said it.
fn note_end(noted: &mut Noted, response: Option<Value<'_>>) {
    note_head(noted, response);
    let Some(response) = response else { return };
    let [status, details, told, output] = response.pick(["status", "incomplete_details", "usage", "output"]);
    let reason = details.and_then(|details| details.get("reason")?.text());
    noted.finish = reason.or_else(|| status?.text()).map(Into::into);
    noted.usage = told.map(usage).or(noted.usage);
    output.into_iter().flat_map(Value::elements).for_each(|item| note_item(noted, Some(item)));
}

/// An item that begins: a call shows by its name, the others by their deltas.
fn note_begun(noted: &mut Noted, item: Option<Value<'_>>) {
    let kind = item.and_then(|item| item.get("type")?.text()).unwrap_or_default();
    match &*kind {
        "message" | "reasoning" => {}
        "function_call" | "custom_tool_call" => noted.tool_call(),
        // what the vendor runs itself: it is at work
        _ => noted.text("item"),
    }
}

fn note_item(noted: &mut Noted, item: Option<Value<'_>>) {
    let Some(item) = item else { return };
    let [kind, content, summary, sealed] = item.pick(["type", "content", "summary", "encrypted_content"]);
    let parts = |value: Option<Value<'_>>, note: &mut dyn FnMut(&str)| {
        for part in value.into_iter().flat_map(Value::elements) {
            let [text, refusal] = part.pick(["text", "refusal"]);
            if let Some(said) = text.or(refusal).and_then(Value::beginning) {
                note(&said);
            }
        }
    };
    match kind.and_then(Value::text).as_deref() {
        Some("message") => parts(content, &mut |said| noted.text(said)),
        Some("reasoning") => {
            parts(content, &mut |said| noted.reasoning(said));
            parts(summary, &mut |said| noted.reasoning(said));
            noted.reasoning(&sealed.and_then(Value::beginning).unwrap_or_default());
        }
        _ => note_begun(noted, Some(item)),
    }
}

/// Usage: the input's count includes what was read from and written to the cache, the output's includes reasoning.
pub(in crate::dialect) fn usage(usage: Value<'_>) -> Usage {
    let count = |value: Option<Value<'_>>| value.and_then(Value::count).unwrap_or_default();
    let [input, output, details, answer_details] =
        usage.pick(["input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"]);
    let [cached, written] = details.map_or([None; 2], |details| details.pick(["cached_tokens", "cache_write_tokens"]));
    let reasoning = answer_details.and_then(|details| details.get("reasoning_tokens"));
    let (input, output) = (count(input), count(output));
    let cached = count(cached).min(input);
    let written = count(written).min(input - cached);
    let (fresh, reasoning) = (input - cached - written, count(reasoning).min(output));
    Usage { fresh, cached, written, output, reasoning, ..Usage::default() }
}
