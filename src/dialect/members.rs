//! What the top-level members of requests mean for whoever serves them, as data; each dialect has its table.

use crate::call::needs::{Need, Needs};
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;

/// What a known top-level member stands for. `null` always stands for absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Of no consequence to who may serve.
    Plain,
    /// The model.
    Model,
    /// Whether to stream.
    Stream,
    /// What a stream is to carry.
    StreamOptions,
    /// Whether the vendor keeps the call.
    Store,
    /// A cap on the answer's tokens, with the member's own name.
    MaxTokens(&'static str),
    /// A part that is looked into.
    Part(Part),
    /// A need by being there.
    Given(Need),
    /// A need unless it is empty.
    Filled(Need),
    /// A need if true.
    True(Need),
    /// A need if not zero.
    NonZero(Need),
    /// A need if above one.
    AboveOne(Need),
    /// A need unless it is one.
    NotOne(Need),
    /// A need unless it is one of these words.
    Unless(Need, &'static [&'static str]),
    /// A need if it is an array with this word.
    Holds(Need, &'static str),
    /// The form of the answer: an object whose `type` is a JSON form.
    Form,
    /// An object whose `format` is the form of the answer.
    FormWithin,
    /// Reasoning, unless its `type` is `disabled`.
    Thinking,
    /// Reasoning, where its `effort` or its `summary` asks for it.
    Effort,
    /// A need if it is this word.
    Is(Need, &'static str),
    /// An object whose members have rules of their own.
    Members(&'static [(&'static str, Self)]),
}

impl Rule {
    /// The part that the member's value is.
    pub(super) const fn part(self) -> Part {
        match self {
            Self::Part(part) => part,
            _ => Part::Other,
        }
    }
}

/// The parts of a request that hold more than their own name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Messages,
    System,
    Tools,
    /// Anything else.
    Other,
}

/// The needs that a top-level member makes by itself; its value is not `null`.
pub(super) fn needs_of(rule: Option<Rule>, value: Value<'_>) -> Needs {
    let Some(rule) = rule else { return Needs::NONE.with(Need::UnknownMembers) };
    let needed = match rule {
        Rule::Members(known) => {
            let rule_of = |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule);
            let needs = value.members().filter(|(_, value)| !value.is_null());
            let needs = needs.fold(Needs::NONE, |all, (name, value)| all.union(needs_of(rule_of(&name), value)));
            // a schema says more than that it is JSON
            return if needs.has(Need::JsonSchema) { needs.without(Need::JsonObject) } else { needs };
        }
        Rule::Is(need, word) => value.text().is_some_and(|text| text == word).then_some(need),
        Rule::Plain | Rule::Model | Rule::Stream | Rule::StreamOptions | Rule::MaxTokens(_) => None,
        Rule::Part(Part::Tools) => value.elements().next().map(|_| Need::Tools),
        Rule::Part(_) => None,
        Rule::Store => (value.bool() == Some(true)).then_some(Need::Stores),
        Rule::Given(need) => Some(need),
        Rule::Filled(need) => (value.members().next().is_some() || value.elements().next().is_some()).then_some(need),
        Rule::True(need) => (value.bool() == Some(true)).then_some(need),
        Rule::NonZero(need) => (value.number() != Some(0.0)).then_some(need),
        Rule::AboveOne(need) | Rule::NotOne(need) => (value.number() != Some(1.0)).then_some(need),
        Rule::Unless(need, words) => (!value.text().is_some_and(|text| words.contains(&&*text))).then_some(need),
        Rule::Holds(need, word) => {
            value.elements().any(|element| element.text().is_some_and(|text| text == word)).then_some(need)
        }
        Rule::Form => form(value),
        Rule::FormWithin => value.get("format").and_then(form),
        Rule::Thinking => {
            let kind = value.get("type").and_then(Value::text);
            kind.is_none_or(|kind| kind != "disabled").then_some(Need::Reasoning)
        }
        Rule::Effort => {
            let [effort, summary] = value.pick(["effort", "summary"]);
            let effort = effort.and_then(Value::text);
            let asked = effort.as_deref().map_or_else(|| summary.is_some(), |effort| effort != "none");
            asked.then_some(Need::Reasoning)
        }
    };
    needed.map_or(Needs::NONE, |need| Needs::NONE.with(need))
}

fn form(value: Value<'_>) -> Option<Need> {
    match value.get("type").and_then(Value::text).as_deref() {
        Some("text") => None,
        Some("json_object") => Some(Need::JsonObject),
        _ => Some(Need::JsonSchema),
    }
}

/// Collects needs from inside the parts while the check passes over them, so that they need not be read again.
///
/// A hint is certain where only the dialect itself writes; where a client's own JSON may look the same it is doubtful, and
/// doubt is settled by reading the parts exactly.
#[derive(Debug)]
pub(super) struct Hints {
    pub(super) part: Part,
    certain: Needs,
    doubtful: Needs,
    /// The last message is the assistant's: the messages' `role` that was seen last.
    prefill: bool,
    /// Something in it was written by us, for what another dialect's vendor said.
    translated: bool,
    note: Note,
}

/// A dialect's reading of one member inside a part.
pub(super) type Note = fn(&mut Hints, depth: usize, name: &[u8], rest: &[u8]);

impl Hints {
    pub(super) const fn new(note: Note) -> Self {
        Self { part: Part::Other, certain: Needs::NONE, doubtful: Needs::NONE, prefill: false, translated: false, note }
    }

    pub(super) const fn certain(&mut self, need: Need) {
        self.certain.add(need);
    }

    pub(super) const fn maybe(&mut self, need: Need) {
        self.doubtful.add(need);
    }

    pub(super) const fn prefill(&mut self, prefill: bool) {
        self.prefill = prefill;
    }

    pub(super) const fn translated(&mut self) {
        self.translated = true;
    }

    pub(super) const fn is_translated(&self) -> bool {
        self.translated
    }

    /// Whether some hint is neither certain nor confirmed by a certain one.
    pub(super) fn doubtful(&self) -> bool {
        self.doubtful.unmet(self.certain).is_some()
    }

    pub(super) const fn found(&self) -> Needs {
        if self.prefill { self.certain.with(Need::Prefill) } else { self.certain }
    }
}

impl Visitor for Hints {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        if self.part != Part::Other {
            (self.note)(self, depth, name, rest);
        }
    }
}

/// No name of a dialect before a seal is longer, with what parts them.
pub(super) const SEAL_NAME_BYTES: usize = 32;

/// The string at the beginning of `rest`, as written.
pub(super) fn word(rest: &[u8]) -> &[u8] {
    let Some(inner) = rest.strip_prefix(b"\"") else { return b"" };
    // no word of a dialect is longer
    let end = inner.iter().take(48).position(|byte| *byte == b'"');
    end.and_then(|end| inner.get(..end)).unwrap_or_default()
}
