//! What decides in an answer and in the events of its stream, which have the same shape.

use crate::base::failure::FailureKind;
use crate::call::usage::Usage;
use crate::dialect::gemini::response::UNSAID;
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Finish reasons, and reasons to block a prompt, that explain an answer with nothing in it.
pub(in crate::dialect) const EXCUSES: &[&str] = &[
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "BLOCKED",
    "2",
    "3",
    "4",
];

/// Finish reasons of a model that broke off its own call of a function: what it said before is no answer
/// (<https://ai.google.dev/api/generate-content#FinishReason>). One that said nothing is empty (recording
/// `3640634c5e4a06fe`).
const BROKE: [&str; 4] =
    ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"];

/// Glances at members: of the event (1), of a candidate (3), of a part (6). Usage comes with every event, and a vendor that
/// breaks off has told what it counted up to there.
pub(in crate::dialect) struct Look<'a>(pub(in crate::dialect) &'a mut Glance);

impl Visitor for Look<'_> {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        match (depth, name) {
            (1, b"error" | b"promptFeedback" | b"usageMetadata") | (3, b"finishReason") => {
                self.0.matters |= !rest.starts_with(b"null");
            }
            (3, b"index") => self.0.matters |= !rest.starts_with(b"0"),
            (6, b"text" | b"thoughtSignature") => self.0.content |= !rest.starts_with(b"\"\""),
            (6, b"thought") => {}
            (6, _) => self.0.content = true,
            _ => {}
        }
    }
}

/// Reads an event of a stream.
pub(in crate::dialect) fn event(noted: &mut Noted, event: Value<'_>) -> Mark {
    note(noted, event);
    if noted.bears { Mark::Content } else { Mark::Quiet }
}

/// Reads a whole answer.
pub(in crate::dialect) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    if answer.get("error").is_some() {
        return Told::Error;
    }
    if note(noted, answer) { Told::Answer } else { Told::Nothing }
}

/// Notes all that is told; `false` where there are neither candidates nor a reason why.
fn note(noted: &mut Noted, answer: Value<'_>) -> bool {
    let [candidates, feedback, model, usage] =
        answer.pick(["candidates", "promptFeedback", "modelVersion", "usageMetadata"]);
    if noted.model.is_none() {
        noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    }
    noted.usage = usage.map(self::usage).or(noted.usage);
    for candidate in candidates.into_iter().flat_map(Value::elements) {
        let [index, content, finish] = candidate.pick(["index", "content", "finishReason"]);
        let bit = 1 << index.and_then(Value::count).unwrap_or_default().min(63);
        noted.opened |= bit;
        let parts = content.and_then(|content| content.get("parts"));
        parts.into_iter().flat_map(Value::elements).for_each(|part| note_part(noted, part));
        let finish = finish.map(|finish| finish.text().unwrap_or_else(|| String::from_utf8_lossy(finish.raw())));
        if let Some(finish) = finish.filter(|finish| !UNSAID.contains(&&**finish)) {
            noted.finished |= bit;
            if noted.answered && BROKE.contains(&&*finish) {
                noted.broke = Some(FailureKind::Malformed);
            }
            noted.finish = Some(finish.into_owned());
        }
    }
    let blocked = feedback.is_some_and(|feedback| feedback.get("blockReason").is_some());
    if blocked && noted.finish.is_none() {
        (noted.opened, noted.finished) = (1, 1);
        noted.finish = Some("BLOCKED".to_owned());
    }
    blocked || candidates.is_some_and(Value::is_array)
}

fn note_part(noted: &mut Noted, part: Value<'_>) {
    let thought = part.get("thought").and_then(Value::bool) == Some(true);
    for (name, value) in part.members() {
        match &*name {
            "text" if thought => noted.reasoning(&value.beginning().unwrap_or_default()),
            "text" => noted.text(&value.beginning().unwrap_or_default()),
            "thoughtSignature" => noted.reasoning(&value.beginning().unwrap_or_default()),
            "thought" => {}
            // it comes whole
            "functionCall" => {
                noted.tool_call();
                noted.in_tool_call = false;
            }
            // bytes that the model drew or spoke, code that ran, and parts yet unknown
            _ => noted.text("part"),
        }
    }
}

/// Usage: see `types::WireUsage`.
fn usage(usage: Value<'_>) -> Usage {
    let [prompt, cached, tools, candidates, thoughts] = usage
        .pick([
            "promptTokenCount",
            "cachedContentTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
        ])
        .map(|count| count.and_then(Value::count).unwrap_or_default());
    let cached = cached.min(prompt);
    Usage {
        fresh: (prompt - cached).saturating_add(tools),
        cached,
        output: candidates.saturating_add(thoughts),
        reasoning: thoughts,
        ..Usage::default()
    }
}
