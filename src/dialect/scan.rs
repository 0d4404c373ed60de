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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needs(dialect: Dialect, members: &str) -> Needs {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        scan(dialect, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}")).needs
    }

    fn check(dialect: Dialect, cases: &[(&str, &[Need])]) {
        for (members, expected) in cases {
            let expected = expected.iter().fold(Needs::NONE, |needs, need| needs.with(*need));
            assert_eq!(needs(dialect, members), expected, "{members}");
            // names in disguise mean the same
            let disguised = members.replace("_", "\\u005f").replace("\"t", "\"\\u0074");
            assert_eq!(needs(dialect, &disguised), expected, "{disguised}");
        }
    }

    #[test]
    fn what_routing_needs_is_noted() {
        let body = br#" { "messages":[], "mod\u0065l" : "gpt\u002d5" ,"stream":true,
            "stream_options":{"include_usage":true}, "max_tokens":100, "max_completion_tokens":50 } "#;
        let scan = scan(Dialect::OpenaiChat, body).unwrap();
        assert_eq!(
            (scan.model.as_str(), scan.stream, scan.include_usage, scan.max_tokens, scan.input_tokens),
            ("gpt-5", true, true, Some(50), body.len() as u64 / 4)
        );
    }

    #[test]
    fn a_conversation_is_told_by_how_it_begins() {
        let check = |dialect, turns: &str, expected: [&str; 2]| {
            let body = format!(r#"{{"model":"m",{turns},"stream":false}}"#);
            let scan = scan(dialect, body.as_bytes()).unwrap();
            assert_eq!(
                scan.opening(body.as_bytes()).map(|turn| std::str::from_utf8(turn).unwrap()),
                expected,
                "{turns}"
            );
        };
        let (system, user, model) = (
            r#"{"role":"system","content":"s"}"#,
            r#"{"role":"user","content":"u"}"#,
            r#"{"role":"assistant","content":"a"}"#,
        );
        check(Dialect::OpenaiChat, &format!(r#""messages":[{system}, {user}, {model}, {user}]"#), [system, user]);
        check(Dialect::OpenaiChat, &format!(r#""messages":[{user}, {model}]"#), [user, ""]);
        check(Dialect::Anthropic, &format!(r#""system":"s","messages":[{user}]"#), [user, ""]);
        check(Dialect::OpenaiResponses, r#""input":"u""#, [r#""u""#, ""]);
        check(Dialect::OpenaiChat, r#""messages":[]"#, ["", ""]);
    }

    #[test]
    fn null_stands_for_absence() {
        let body = br#"{"model":"m","stream":null,"stream_options":null,"store":null,"max_tokens":null,"tools":null,"n":null,
            "seed":null,"response_format":null,"logit_bias":null,"logprobs":null,"audio":null,"service_tier":null,"extra":null}"#;
        let scan = scan(Dialect::OpenaiChat, body).unwrap();
        assert_eq!((scan.stream, scan.include_usage, scan.max_tokens, scan.needs), (false, false, None, Needs::NONE));
    }

    #[test]
    fn needs_of_openai_chat() {
        let tool = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"image_url","cache_control":1}}}]"#;
        check(
            Dialect::OpenaiChat,
            &[
                (r#""messages":[{"role":"user","content":"\"type\":\"image_url\""}],"temperature":1"#, &[]),
                (r#""temperature":0.5"#, &[Need::Temperature]),
                (r#""top_p":0.9,"temperature":1.0"#, &[Need::Temperature]),
                (tool, &[Need::Tools]),
                (r#""tools":[],"logit_bias":{},"presence_penalty":0,"frequency_penalty":0.0,"n":1"#, &[]),
                (r#""messages":[{"role":"tool","content":"x","tool_call_id":"c"}]"#, &[Need::Tools]),
                (r#""messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}]"#, &[Need::Tools]),
                (r#""messages":[{"role":"assistant","content":"x","tool_calls":null,"audio":null}]"#, &[]),
                (
                    r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]"#,
                    &[Need::Images],
                ),
                (
                    r#""messages":[{"role":"user","content":[{"type":"input_audio"}]}],"modalities":["text","audio"]"#,
                    &[Need::Audio],
                ),
                (
                    r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"d"}}]}]"#,
                    &[Need::Documents],
                ),
                (
                    r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]"#,
                    &[Need::Documents, Need::ServerIds],
                ),
                (r#""response_format":{"type":"text"}"#, &[]),
                (r#""response_format":{"type":"json_object"}"#, &[Need::JsonObject]),
                (r#""response_format":{"type":"json_schema","json_schema":{}}"#, &[Need::JsonSchema]),
                (r#""logprobs":true,"top_logprobs":3"#, &[Need::Logprobs]),
                (r#""logprobs":false"#, &[]),
                (r#""n":2,"seed":0"#, &[Need::Choices, Need::Seed]),
                (
                    r#""logit_bias":{"1":1},"presence_penalty":-0.5,"top_k":5"#,
                    &[Need::LogitBias, Need::Penalties, Need::TopK],
                ),
                (r#""reasoning_effort":"low""#, &[Need::Reasoning]),
                (r#""reasoning_effort":"none""#, &[]),
                (r#""store":true"#, &[Need::Stores]),
                (r#""store":false"#, &[]),
                (r#""web_search_options":{}"#, &[Need::HostedTools]),
                (r#""tools":[{"type":"mcp","server_url":"u"}]"#, &[Need::Tools, Need::HostedTools]),
                (r#""prediction":{"type":"content"},"service_tier":"flex""#, &[Need::Prediction, Need::ServiceTier]),
                (r#""service_tier":"auto""#, &[]),
                (
                    r#""messages":[{"role":"user","content":[{"type":"text","cache_control":{}}]}]"#,
                    &[Need::CacheControl],
                ),
                (r#""provider":{"order":[]}"#, &[Need::UnknownMembers]),
            ],
        );
    }

    #[test]
    fn needs_of_anthropic() {
        let lookalike = r#""messages":[{"role":"user","content":[{"type":"tool_use","input":
            {"file_id":"x","cache_control":1,"source":{"file_id":"y"},"list":[{"type":"image","cache_control":{}}]}}]}]"#;
        check(
            Dialect::Anthropic,
            &[
                (r#""messages":[{"role":"user","content":"x"}],"max_tokens":5,"system":"s""#, &[]),
                (lookalike, &[Need::Tools]),
                (r#""messages":[{"role":"user","content":[{"type":"image","source":{}}]}]"#, &[Need::Images]),
                (
                    r#""messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]"#,
                    &[Need::Tools, Need::Images],
                ),
                (
                    r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]"#,
                    &[Need::Documents, Need::ServerIds],
                ),
                (
                    r#""messages":[{"role":"assistant","content":[{"type":"thinking","signature":"s"}]},{"role":"user","content":"x"}]"#,
                    &[],
                ),
                (r#""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"{"}]"#, &[Need::Prefill]),
                (r#""thinking":{"type":"enabled","budget_tokens":1024}"#, &[Need::Reasoning]),
                (r#""thinking":{"type":"adaptive"}"#, &[Need::Reasoning]),
                (r#""thinking":{"type":"disabled"}"#, &[]),
                (r#""output_config":{"format":{"type":"json_schema"}}"#, &[Need::JsonSchema]),
                (r#""output_config":{"effort":"low"}"#, &[]),
                (r#""output_format":{"type":"json_schema"},"top_k":4"#, &[Need::JsonSchema, Need::TopK]),
                (r#""tools":[{"name":"f","input_schema":{"type":"object"}}]"#, &[Need::Tools]),
                (r#""tools":[{"type":"custom","name":"f","cache_control":{}}]"#, &[Need::Tools, Need::CacheControl]),
                (r#""tools":[{"type":"web_search_20250305"}]"#, &[Need::Tools, Need::HostedTools]),
                (r#""tools":[{"type":"custom","type":"web_search_20250305"}]"#, &[Need::Tools, Need::HostedTools]),
                (r#""mcp_servers":[{"url":"u"}]"#, &[Need::HostedTools]),
                (
                    r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]"#,
                    &[Need::CacheControl],
                ),
                (r#""container":"c","inference_geo":"us""#, &[Need::ServerIds, Need::UnknownMembers]),
                (r#""thread":{"type":"create"}"#, &[Need::Stores]),
                (r#""service_tier":"standard_only""#, &[Need::ServiceTier]),
            ],
        );
    }

    #[test]
    fn f_039_bodies_that_two_readers_could_read_differently_are_refused() {
        let refused = |body: &str| {
            let error = scan(Dialect::OpenaiChat, body.as_bytes()).expect_err(body);
            (error.param, error.limit)
        };
        let deep = format!(r#"{{"model":"m","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let wide = format!(r#"{{"model":"m"{}}}"#, r#","x":1"#.repeat(MEMBERS_MAX));
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(MODEL_BYTES_MAX + 1));
        for (body, expected) in [
            (r#"{"model":"a","model":"b"}"#, (Some("model"), None)),
            (r#"{"model":"a","mod\u0065l":"b"}"#, (Some("model"), None)),
            (r#"{"model":"a","stream":true,"stream":false}"#, (Some("stream"), None)),
            (r#"{"model":"a","store":false,"\u0073tore":true}"#, (Some("store"), None)),
            (
                r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
                (Some("stream_options"), None),
            ),
            (r#"{"model":"a\ud800"}"#, (None, None)),
            (r#"{"model":"a","n":NaN}"#, (None, None)),
            (r#"{"model":"a"} x"#, (None, None)),
            (r#"{"model":"a""#, (None, None)),
            (r#"["model"]"#, (None, None)),
            (r#"{"model":"a","stream":1}"#, (Some("stream"), None)),
            (r#"{"model":"a","stream":"true"}"#, (Some("stream"), None)),
            (r#"{"model":["a"]}"#, (Some("model"), None)),
            (r#"{"model":null}"#, (Some("model"), None)),
            (r#"{"model":""}"#, (Some("model"), None)),
            ("{}", (Some("model"), None)),
            (&deep, (None, Some("json_depth"))),
            (&wide, (None, Some("json_members"))),
            (&long, (Some("model"), Some("model_bytes"))),
        ] {
            assert_eq!(refused(body), expected, "{body:.80}");
        }
    }

    proptest! {
        #[test]
        fn it_never_panics_and_accepts_only_json(tail in r#"[ -~]{0,60}|"(messages|tools)":[\[{"a-z:,}\]]{0,80}"#) {
            for dialect in Dialect::ALL {
                let body = format!(r#"{{"model":"m",{tail}}}"#);
                if scan(dialect, body.as_bytes()).is_ok() {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
                }
            }
        }
    }
}
