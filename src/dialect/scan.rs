//! Reads a request's body once: checks it, and notes what deciding and forwarding need. The bytes stay as they are.

use crate::call::needs::{Need, Needs};
use crate::dialect::Dialect;
use crate::dialect::json::syntax::{Fault, Scanner, SyntaxError};
use crate::dialect::json::value::{Value, unescape};
use crate::dialect::members::{Hints, Part, Rule, needs_of};
use std::ops::Range;

/// The longest model name that is looked at, in bytes.
pub const MODEL_BYTES_MAX: usize = 256;

/// The most top-level members that are taken: vendors know about forty.
pub const MEMBERS_MAX: usize = 1024;

/// What a request's body says, as far as it is not the vendor's business alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The dialect it was read in.
    pub dialect: Dialect,
    /// The model that is asked for, escapes resolved.
    pub model: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the client itself asked for the usage of a stream (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The cap on the answer's tokens, where there is one.
    pub max_tokens: Option<u64>,
    /// About how many tokens the prompt has: a quarter of its bytes.
    pub input_tokens: u64,
    /// What whoever serves it must be able to do.
    pub needs: Needs,
    /// Whether it carries what we wrote for another dialect's vendor: to one of its own dialect it must not go as it is.
    pub translated: bool,
    /// Where the values of the spliceable members lie.
    pub(super) spots: Spots,
}

/// Most bytes of JSON text that one token stands for, on average: words have four or five, runs of blanks and escapes
/// several times as many.
const TOKEN_BYTES_MAX: u64 = 16;

impl Scan {
    /// How many tokens the prompt has at least. Images, sound and files have fewer tokens than bytes, so nothing is
    /// said of a prompt that holds any.
    #[must_use]
    pub fn prompt_tokens_min(&self) -> u64 {
        let heavy = [Need::Images, Need::Audio, Need::Documents];
        // a quarter of the bytes is what `input_tokens` holds
        if heavy.into_iter().any(|need| self.needs.has(need)) { 0 } else { self.input_tokens / (TOKEN_BYTES_MAX / 4) }
    }

    /// What every call of a conversation begins with, and others seldom do: the turns up to the user's first words, two at
    /// most, as they stand in `body`, which is what was scanned.
    #[must_use]
    pub fn opening<'a>(&self, body: &'a [u8]) -> [&'a [u8]; 2] {
        let turns = self.spots.turns.clone().and_then(|range| body.get(range)).unwrap_or_default();
        let said = Value::new(turns);
        if !said.is_array() {
            return [turns, &[]];
        }
        let mut elements = said.elements();
        let first = elements.next();
        let is_user = |turn: &Value<'_>| turn.get("role").and_then(Value::text).is_none_or(|role| role == "user");
        let second = if first.is_some_and(|first| is_user(&first)) { None } else { elements.next() };
        [first, second].map(|turn| turn.map_or(&[][..], Value::raw))
    }
}

/// Where the values of members that may be replaced lie in the body; `None` for an absent one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spots {
    /// Just behind the opening brace, where members are inserted.
    pub(super) head: usize,
    pub(super) model: Option<Range<usize>>,
    pub(super) stream_options: Option<Range<usize>>,
    pub(super) store: Option<Range<usize>>,
    /// What was said so far.
    pub(super) turns: Option<Range<usize>>,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// What is wrong, for the person who sent it.
    pub message: String,
    /// Where it shows, in bytes from the start.
    pub offset: usize,
    /// The limit that it broke, such as `json_depth`.
    pub limit: Option<&'static str>,
    /// The member at fault.
    pub param: Option<&'static str>,
}

impl From<SyntaxError> for ScanError {
    fn from(error: SyntaxError) -> Self {
        let message = format!("the body is not acceptable JSON: {}", error.fault.words());
        let limit = (error.fault == Fault::TooDeep).then_some("json_depth");
        Self { message, offset: error.offset, limit, param: None }
    }
}

/// Reads a request's body.
///
/// # Errors
/// It is not a JSON object, nests too deeply, names a member twice that we read, or such a member has the wrong type.
pub fn scan(dialect: Dialect, body: &[u8]) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new(body)?;
    scanner.space();
    if !scanner.take(b'{') {
        return Err(scanner.wrong("expected an object").into());
    }
    let mut reading = Reading::new(dialect, body, scanner.at());
    scanner.space();
    if !scanner.take(b'}') {
        for taken in 1.. {
            if taken > MEMBERS_MAX {
                let message = format!("the body has more than {MEMBERS_MAX} members");
                return Err(ScanError { message, offset: scanner.at(), limit: Some("json_members"), param: None });
            }
            let name_at = scanner.at();
            let name = scanner.name()?;
            let rule = reading.rule(name, name_at)?;
            reading.hints.part = rule.map_or(Part::Other, Rule::part);
            let range = scanner.value(1, &mut reading.hints)?;
            reading.member(rule, range)?;
            scanner.space();
            if !scanner.take(b',') {
                break;
            }
            scanner.space();
        }
        if !scanner.take(b'}') {
            return Err(scanner.wrong("expected ',' or '}' after a member").into());
        }
    }
    scanner.end()?;
    reading.finish(scanner.disguised())
}

/// A scan under way.
struct Reading<'a> {
    body: &'a [u8],
    members: &'static [(&'static str, Rule)],
    /// One bit for each known member that was seen, by its place in `members`.
    seen: u64,
    hints: Hints,
    /// The parts that may have to be read exactly.
    parts: [Option<Value<'a>>; 3],
    model_named: bool,
    scan: Scan,
}

impl<'a> Reading<'a> {
    fn new(dialect: Dialect, body: &'a [u8], head: usize) -> Self {
        let grammar = &dialect.grammar().request;
        let scan = Scan {
            dialect,
            model: String::new(),
            stream: false,
            include_usage: false,
            max_tokens: None,
            input_tokens: body.len() as u64 / 4,
            needs: Needs::NONE,
            translated: false,
            spots: Spots { head, ..Spots::default() },
        };
        Self {
            body,
            members: grammar.members,
            seen: 0,
            hints: Hints::new(grammar.note),
            parts: [None; 3],
            model_named: false,
            scan,
        }
    }

    /// What a member's name stands for; a second member of a known name is refused, however it is written.
    fn rule(&mut self, name: &[u8], offset: usize) -> Result<Option<Rule>, ScanError> {
        let decoded = unescape(name).unwrap_or_default();
        let Some(index) = self.members.iter().position(|(known, _)| *known == decoded) else { return Ok(None) };
        let Some((known, rule)) = self.members.get(index) else { return Ok(None) };
        let bit = 1 << index;
        if self.seen & bit != 0 {
            let message = format!("`{known}` is given twice: give it once");
            return Err(ScanError { message, offset, limit: None, param: Some(known) });
        }
        self.seen |= bit;
        Ok(Some(*rule))
    }

    fn member(&mut self, rule: Option<Rule>, range: Range<usize>) -> Result<(), ScanError> {
        let value = Value::new(self.body.get(range.clone()).unwrap_or_default());
        let offset = range.start;
        match rule {
            Some(Rule::Model) => {
                self.scan.model = model_name(value, offset)?;
                self.model_named = true;
                self.scan.spots.model = Some(range);
            }
            Some(Rule::Stream) => self.scan.stream = flag("stream", value, offset)?,
            Some(Rule::StreamOptions) => {
                self.scan.include_usage = include_usage(value, offset)?;
                self.scan.spots.stream_options = Some(range);
            }
            Some(Rule::Store) => {
                flag("store", value, offset)?;
                self.scan.spots.store = Some(range);
            }
            Some(Rule::MaxTokens(name)) if !value.is_null() => self.cap(name, value, offset)?,
            Some(Rule::Members(known)) => {
                let caps = known.iter().filter_map(|(name, rule)| matches!(rule, Rule::MaxTokens(_)).then_some(*name));
                for (name, value) in caps.filter_map(|name| Some((name, value.get(name)?))) {
                    self.cap(name, value, offset)?;
                }
            }
            Some(Rule::Part(part)) => {
                if part == Part::Messages {
                    self.scan.spots.turns = Some(range);
                }
                if let Some(slot) = self.parts.get_mut(part as usize) {
                    *slot = Some(value);
                }
            }
            _ => {}
        }
        if !value.is_null() {
            self.scan.needs = self.scan.needs.union(needs_of(rule, value));
        }
        Ok(())
    }

    /// Of two caps the smaller one holds.
    fn cap(&mut self, name: &'static str, value: Value<'_>, offset: usize) -> Result<(), ScanError> {
        let cap = value.count().ok_or_else(|| mistyped(name, "a whole number", offset))?;
        self.scan.max_tokens = Some(self.scan.max_tokens.map_or(cap, |other| other.min(cap)));
        Ok(())
    }

    fn finish(mut self, disguised: bool) -> Result<Scan, ScanError> {
        // where no member names the model the path does
        let optional = self.scan.dialect.may_leave_model_out();
        if !self.model_named && !optional && self.members.iter().any(|(_, rule)| *rule == Rule::Model) {
            let message = "`model` is missing: name the model to ask".to_owned();
            return Err(ScanError { message, offset: self.body.len(), limit: None, param: Some("model") });
        }
        let found = if disguised || self.hints.doubtful() {
            let exact = self.scan.dialect.grammar().request.exact;
            let parts = [Part::Messages, Part::System, Part::Tools];
            parts
                .into_iter()
                .zip(self.parts)
                .filter_map(|(part, value)| Some(exact(part, value?)))
                .fold(Needs::NONE, Needs::union)
        } else {
            self.hints.found()
        };
        self.scan.needs = self.scan.needs.union(found);
        self.scan.translated = self.hints.is_translated();
        let stored = self.scan.spots.store.clone().and_then(|range| self.body.get(range));
        if self.scan.dialect.grammar().request.keeps && stored != Some(b"false") {
            self.scan.needs.add(Need::Stores);
        }
        Ok(self.scan)
    }
}

fn model_name(value: Value<'_>, offset: usize) -> Result<String, ScanError> {
    let name = value.text().ok_or_else(|| mistyped("model", "a string", offset))?;
    if name.is_empty() {
        return Err(mistyped("model", "a name, not an empty string", offset));
    }
    if name.len() > MODEL_BYTES_MAX {
        let message = format!("`model` is longer than {MODEL_BYTES_MAX} bytes");
        return Err(ScanError { message, offset, limit: Some("model_bytes"), param: Some("model") });
    }
    Ok(name.into_owned())
}

fn flag(name: &'static str, value: Value<'_>, offset: usize) -> Result<bool, ScanError> {
    if value.is_null() { Ok(false) } else { value.bool().ok_or_else(|| mistyped(name, "true or false", offset)) }
}

fn include_usage(value: Value<'_>, offset: usize) -> Result<bool, ScanError> {
    if !value.is_null() && !value.is_object() {
        return Err(mistyped("stream_options", "an object", offset));
    }
    let mut flags = value.members().filter(|(name, _)| name == "include_usage").map(|(_, value)| value);
    let asked = flags.next().map_or(Ok(false), |value| flag("stream_options", value, offset))?;
    match flags.next() {
        None => Ok(asked),
        Some(_) => Err(mistyped("stream_options", "an object that gives include_usage once", offset)),
    }
}

fn mistyped(name: &'static str, wanted: &str, offset: usize) -> ScanError {
    let message = format!("`{name}` must be {wanted}");
    ScanError { message, offset, limit: None, param: Some(name) }
}

#[cfg(test)]
mod tests;
