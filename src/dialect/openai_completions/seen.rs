//! An answer, watched while it passes.

use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::openai_chat::seen::usage;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Glances at members: of the chunk (1), of a choice (3).
pub(super) struct Look<'a>(pub(super) &'a mut Glance);

impl Visitor for Look<'_> {
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        let given = !rest.starts_with(b"null");
        match (depth, name) {
            (1, b"error" | b"usage") | (3, b"finish_reason") => self.0.matters |= given,
            (3, b"index") => self.0.matters |= !rest.starts_with(b"0"),
            (3, b"text") => self.0.content |= given && !rest.starts_with(b"\"\""),
            _ => {}
        }
    }
}

/// An event of a stream.
pub(super) fn chunk(noted: &mut Noted, chunk: Value<'_>) -> Mark {
    let [listed, model, used] = chunk.pick(["choices", "model", "usage"]);
    note_head(noted, model, used);
    let mut choices = 0;
    for choice in listed.into_iter().flat_map(Value::elements) {
        choices += 1;
        let [index, text, finish] = choice.pick(["index", "text", "finish_reason"]);
        let bit = 1 << index.and_then(Value::count).unwrap_or_default().min(63);
        noted.opened |= bit;
        // a completion may begin with white space, which is all the same its text
        if text.and_then(Value::text).is_some_and(|text| !text.is_empty()) {
            noted.text("text");
        }
        if let Some(reason) = finish.and_then(Value::text).filter(|reason| !reason.is_empty()) {
            noted.finish = Some(reason.into());
            noted.finished |= bit;
        }
    }
    match (noted.bears, choices) {
        (true, _) => Mark::Content,
        (false, 0) if used.is_some() => Mark::Usage,
        (false, _) => Mark::Quiet,
    }
}

/// A whole answer.
pub(super) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, choices, model, used] = answer.pick(["error", "choices", "model", "usage"]);
    if error.is_some() {
        return Told::Error;
    }
    let Some(choices) = choices.filter(|choices| choices.is_array()) else { return Told::Nothing };
    note_head(noted, model, used);
    for choice in choices.elements() {
        let [text, finish] = choice.pick(["text", "finish_reason"]);
        noted.text(&text.and_then(Value::text).unwrap_or_default());
        noted.finish = finish.and_then(Value::text).map(Into::into).or_else(|| noted.finish.take());
    }
    Told::Answer
}

fn note_head(noted: &mut Noted, model: Option<Value<'_>>, used: Option<Value<'_>>) {
    if noted.model.is_none() {
        noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    }
    noted.usage = used.and_then(usage).or(noted.usage);
}
