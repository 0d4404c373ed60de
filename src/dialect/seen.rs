//! Watches an answer pass: where its content begins, what it consumed, whether it is whole. The bytes stay as they are.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::usage::Usage;
use crate::dialect::grammar::Answer;
use crate::dialect::json::outline::Outline;
use crate::dialect::json::syntax::{Fault, check};
use crate::dialect::json::value::Value;
use crate::dialect::profile::Profile;
use crate::dialect::sse::Event;
use crate::dialect::{Dialect, signals};

/// What one event of a stream is.
#[derive(Clone, Debug)]
pub enum Mark {
    /// Nothing that decides: heads, pings, comments, finish reasons.
    Quiet,
    /// Text, reasoning, a refusal or a piece of a tool call: the answer is under way.
    Content,
    /// The extra chunk that carries usage alone; it goes on to the client only if the client asked for it.
    Usage,
    /// The terminator. What follows it is no part of the answer.
    End,
    /// Not valid JSON: to be left out and counted.
    Garbage,
    /// The vendor reports an error inside the stream.
    Fault(Failure),
}

/// What a whole body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// An answer.
    Answer,
    /// An error, whatever the status.
    Error,
    /// Neither.
    Nothing,
}

/// What has been seen of an answer; the dialects fill it.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Option<String>,
    /// Content of any kind has come, reasoning included.
    pub(super) content: bool,
    /// The event in hand bears some.
    pub(super) bears: bool,
    /// Text, a tool call or a refusal has come.
    pub(super) answered: bool,
    /// The content that came last belongs to a tool call.
    pub(super) in_tool_call: bool,
    /// One bit for each choice that began, and for each that finished.
    pub(super) opened: u64,
    pub(super) finished: u64,
    pub(super) ended: bool,
    /// The vendor says that the answer failed.
    pub(super) failed: bool,
    /// The finish reason says that the answer broke off, and how.
    pub(super) broke: Option<FailureKind>,
    /// Where the vendor says that it processed the call.
    pub(super) region: Option<Box<str>>,
}

impl Noted {
    /// Notes a piece of content; one that is nothing but white space does not begin an answer.
    pub(super) fn text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.answered = true;
            self.bears = true;
            self.in_tool_call = false;
        }
    }

    /// Notes a piece of reasoning, if there is any in it.
    pub(super) fn reasoning(&mut self, text: &str) {
        if !text.is_empty() {
            self.bears = true;
            self.in_tool_call = false;
        }
    }

    /// Notes a piece of a tool call.
    pub(super) fn tool_call(&mut self) {
        self.answered = true;
        self.bears = true;
        self.in_tool_call = true;
    }

    const fn finished(&self) -> bool {
        self.finished != 0 && self.opened & !self.finished == 0
    }

    /// Nothing came, and the finish reason does not say why.
    fn is_empty(&self, dialect: Dialect) -> bool {
        let excused = dialect.grammar().answer.excuses;
        !self.answered && !self.finish.as_deref().is_some_and(|finish| excused.contains(&finish))
    }
}

/// What a glance at an event shows, taken by its dialect while its JSON is checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glance {
    /// A piece of content that is not empty.
    pub(super) content: bool,
    /// The content is a tool call's.
    pub(super) tool_call: bool,
    /// Something that must be read.
    pub(super) matters: bool,
}

/// Watches one stream.
#[derive(Debug)]
pub struct StreamSeen {
    profile: Profile,
    noted: Noted,
}

impl StreamSeen {
    /// Before the first event.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        Self { profile: *profile, noted: Noted::default() }
    }

    /// A stream that a whole answer stands for.
    #[must_use]
    pub fn whole(profile: &Profile, reply: ReplySeen) -> Self {
        let ReplySeen { model, usage, finish, region } = reply;
        let noted = Noted { model, usage, finish, region, content: true, ended: true, ..Noted::default() };
        Self { profile: *profile, noted }
    }

    /// Takes note of an event. An ordinary piece of content costs no more than the check of its JSON.
    pub fn event(&mut self, event: &Event<'_>) -> Mark {
        if self.noted.ended || event.is_blank() {
            return Mark::Quiet;
        }
        let data = event.data.trim_ascii();
        if is_error(event.name) {
            return self.fault(event.name, data);
        }
        if data == b"[DONE]" {
            self.noted.ended = true;
            return Mark::End;
        }
        let Some(glance) = self.glance(data) else { return Mark::Garbage };
        if self.noted.content && !glance.matters {
            self.noted.in_tool_call = if glance.content { glance.tool_call } else { self.noted.in_tool_call };
            return if glance.content { Mark::Content } else { Mark::Quiet };
        }
        let value = Value::new(data);
        if value.get("error").is_some() {
            return self.fault(b"", data);
        }
        self.noted.bears = false;
        let mark = (self.answer().event)(&mut self.noted, value);
        if self.noted.failed {
            return self.fault(b"", data);
        }
        if let Some(kind) = self.noted.broke {
            return Mark::Fault(Failure::new(kind, self.phase(), "finish_reason"));
        }
        self.noted.content |= self.noted.bears;
        mark
    }

    /// Checks an event's data; `None` if it is no JSON object.
    fn glance(&self, data: &[u8]) -> Option<Glance> {
        let mut glance = Glance::default();
        let checked = data.first() == Some(&b'{') && (self.answer().glance)(data, &mut glance);
        checked.then_some(glance)
    }

    const fn answer(&self) -> &'static Answer {
        &self.profile.dialect.grammar().answer
    }

    fn fault(&self, name: &[u8], data: &[u8]) -> Mark {
        Mark::Fault(signals::in_event(&self.profile, self.phase(), name, data))
    }

    /// Whether content has come.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.noted.content
    }

    /// The model that answers, as the vendor names it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.noted.model.as_deref()
    }

    /// What the vendor has counted so far.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.noted.usage
    }

    /// The finish reason in the vendor's words.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&str> {
        self.noted.finish.as_deref()
    }

    /// Where the vendor says that it processed the call, in its own words.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.noted.region.as_deref()
    }

    /// Whether the terminator came.
    #[must_use]
    pub const fn terminated(&self) -> bool {
        self.noted.ended
    }

    /// What a client still needs to read the end of a whole answer whose vendor left its terminator out.
    #[must_use]
    pub const fn missing_terminator(&self) -> &'static [u8] {
        if self.noted.ended { b"" } else { self.answer().terminator }
    }

    /// The verdict when the stream has ended: whole with a finish reason, even without a terminator; else it was cut.
    ///
    /// # Errors
    /// [`FailureKind::Truncated`] without a finish reason, [`FailureKind::Empty`] when nothing came.
    pub fn finish(&self) -> Result<(), Failure> {
        let noted = &self.noted;
        let failure = |kind, reason| Err(Failure::new(kind, self.phase(), reason));
        let finished = noted.finished() || (noted.ended && self.profile.terminator_is_final);
        match (finished, noted.ended) {
            (true, _) if !noted.content && noted.is_empty(self.profile.dialect) => {
                failure(FailureKind::Empty, "no_content")
            }
            (true, _) => Ok(()),
            (false, true) if !noted.content => failure(FailureKind::Empty, "no_content"),
            (false, _) if noted.in_tool_call => failure(FailureKind::Truncated, "tool_call_open"),
            (false, true) => failure(FailureKind::Truncated, "no_finish_reason"),
            (false, false) => failure(FailureKind::Truncated, "cut"),
        }
    }

    const fn phase(&self) -> Phase {
        if self.noted.content { Phase::Content } else { Phase::Headers }
    }
}

/// Whether an event of this name tells of an error: Bedrock's are named by the exception, such as `throttlingException`.
fn is_error(name: &[u8]) -> bool {
    name == b"error" || name.ends_with(b"xception")
}

/// What a whole answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplySeen {
    /// The model that answered, as the vendor names it.
    pub model: Option<String>,
    /// What it consumed.
    pub usage: Option<Usage>,
    /// The finish reason in the vendor's words.
    pub finish: Option<String>,
    /// Where the vendor says that it processed the call, in its own words.
    pub region: Option<Box<str>>,
}

/// Reads a whole answer that came with status 200.
///
/// # Errors
/// It is an error after all, empty, cut, or not an answer of the dialect.
pub fn reply(profile: &Profile, body: &[u8]) -> Result<ReplySeen, Failure> {
    let noted = read(profile, body)?;
    if noted.is_empty(profile.dialect) {
        return Err(Failure::new(FailureKind::Empty, Phase::Headers, "no_content"));
    }
    Ok(noted.into())
}

/// Reads a whole answer as [`reply`] does, and takes an empty one as it is: meant so, when nobody has more to say.
///
/// # Errors
/// It is an error after all, cut, or not an answer of the dialect.
pub fn reply_even_empty(profile: &Profile, body: &[u8]) -> Result<ReplySeen, Failure> {
    Ok(read(profile, body)?.into())
}

impl From<Noted> for ReplySeen {
    fn from(noted: Noted) -> Self {
        Self { model: noted.model, usage: noted.usage, finish: noted.finish, region: noted.region }
    }
}

fn read(profile: &Profile, body: &[u8]) -> Result<Noted, Failure> {
    let failure = |kind, reason| Err(Failure::new(kind, Phase::Headers, reason));
    match body.trim_ascii().first() {
        None => return failure(FailureKind::Empty, "empty_body"),
        Some(b'{') => {}
        Some(b'<') => return failure(FailureKind::Malformed, "html"),
        Some(_) => return failure(FailureKind::Malformed, "not_json"),
    }
    let mut outline = Outline::default();
    if let Err(error) = check(body, &mut outline) {
        return match error.fault {
            Fault::Cut => failure(FailureKind::Truncated, "cut_json"),
            Fault::TooDeep => failure(FailureKind::Malformed, "json_depth"),
            Fault::Wrong(_) => failure(FailureKind::Malformed, "bad_json"),
        };
    }
    let mut noted = Noted::default();
    match (profile.dialect.grammar().answer.whole)(&mut noted, Value::outlined(body, &outline)) {
        Told::Answer => match noted.broke {
            Some(kind) => failure(kind, "finish_reason"),
            None => Ok(noted),
        },
        Told::Error => Err(signals::in_answer(profile, Phase::Headers, body)),
        // some vendors tell an error in a shape of their own: MiniMax's `base_resp`, a bare `detail`
        Told::Nothing => match signals::in_answer(profile, Phase::Headers, body) {
            unknown if unknown.kind == FailureKind::SseError => failure(FailureKind::Malformed, "not_an_answer"),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile::{ANTHROPIC, GEMINI, OPENAI};

    /// What a mark is, in a word.
    fn word(mark: &Mark) -> &'static str {
        match mark {
            Mark::Quiet => "quiet",
            Mark::Content => "content",
            Mark::Usage => "usage",
            Mark::End => "end",
            Mark::Garbage => "garbage",
            Mark::Fault(failure) => failure.kind.class(),
        }
    }

    fn watch(profile: &'static Profile, events: &[&str]) -> (Vec<&'static str>, StreamSeen) {
        let mut seen = StreamSeen::new(profile);
        let marks = events
            .iter()
            .map(|data| {
                let raw = format!("data: {}\n\n", data.replace('\n', "\ndata:"));
                word(&seen.event(&Event::parse(raw.as_bytes())))
            })
            .collect();
        (marks, seen)
    }

    fn verdict(seen: &StreamSeen) -> &'static str {
        seen.finish().map_or_else(|failure| failure.kind.class(), |()| "ok")
    }

    const ROLE: &str = r#"{"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#;
    const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#;
    const TOOL: &str = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]},"finish_reason":null}]}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
        "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
    const DONE: &str = "[DONE]";

    const START: &str = r#"{"type":"message_start","message":{"model":"claude-x","content":[],"stop_reason":null,
        "usage":{"input_tokens":7,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,
        "cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":1},"output_tokens":1}}}"#;
    const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    const DELTA: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
    const PING: &str = r#"{"type": "ping"}"#;
    const CALL: &str = r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    const STOPPED: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
    const OVER: &str = r#"{"type":"message_stop"}"#;

    #[test]
    fn an_openai_stream_is_marked() {
        let (marks, seen) = watch(&OPENAI, &[ROLE, TEXT, TEXT, TOOL, STOP, USAGE, DONE, TEXT]);
        assert_eq!(marks, ["quiet", "content", "content", "content", "quiet", "usage", "end", "quiet"]);
        assert_eq!((seen.model(), seen.finish_reason(), verdict(&seen)), (Some("gpt-x"), Some("stop"), "ok"));
        assert_eq!(seen.usage(), Some(Usage { fresh: 6, cached: 4, output: 5, reasoning: 2, ..Usage::default() }));
    }

    #[test]
    fn an_anthropic_stream_is_marked() {
        let (marks, seen) = watch(&ANTHROPIC, &[START, BLOCK, PING, DELTA, DELTA, CALL, STOPPED, OVER]);
        assert_eq!(marks, ["quiet", "quiet", "quiet", "content", "content", "content", "quiet", "end"]);
        assert_eq!((seen.model(), seen.finish_reason(), verdict(&seen)), (Some("claude-x"), Some("end_turn"), "ok"));
        assert_eq!(
            seen.usage(),
            Some(Usage { fresh: 7, cached: 3, written: 2, written_1h: 1, output: 9, reasoning: 0 })
        );
    }

    #[test]
    fn content_begins_with_anything_a_client_would_show() {
        let delta = |members: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{{members}}}}}]}}"#);
        for (members, expected) in [
            (r#""content":" ""#, "quiet"),
            (r#""content":null,"tool_calls":[]"#, "quiet"),
            (r#""reasoning_content":"hm""#, "content"),
            (r#""reasoning":"hm""#, "content"),
            (r#""refusal":"no""#, "content"),
            (r#""content":[{"type":"text","text":"Mistral"}]"#, "content"),
            (r#""function_call":{"name":"f"}"#, "content"),
        ] {
            assert_eq!(watch(&OPENAI, &[&delta(members)]).0, [expected], "{members}");
            // the glance that takes over once content has come agrees, but counts white space as progress
            let later = if members == r#""content":" ""# { "content" } else { expected };
            assert_eq!(watch(&OPENAI, &[TEXT, &delta(members)]).0, ["content", later], "{members}");
        }
    }

    #[test]
    fn f_045_errors_in_the_stream_are_told_by_their_inner_type() {
        for (profile, data, expected) in [
            (&OPENAI, r#"{"error":{"message":"x","type":"server_error","code":null}}"#, "server_error"),
            (&OPENAI, r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, "rate_limited"),
            (
                &OPENAI,
                r#"{"error":{"code":502,"message":"x"},"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#,
                "server_error",
            ),
            (&OPENAI, r#"{"error":{"message":"something new"}}"#, "sse_error"),
            (
                &ANTHROPIC,
                r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}"#,
                "overloaded",
            ),
            (&ANTHROPIC, r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#, "rate_limited"),
            (&ANTHROPIC, r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#, "server_error"),
        ] {
            assert_eq!(watch(profile, &[data]).0, [expected], "{data}");
            let content = if profile.name == "openai" { TEXT } else { DELTA };
            assert_eq!(watch(profile, &[content, data]).0, ["content", expected], "{data}");
        }
        let named = b"event: error\ndata: upstream failed\n\n";
        let mark = StreamSeen::new(&OPENAI).event(&Event::parse(named));
        assert_eq!(word(&mark), "sse_error");
    }

    #[test]
    fn a_stream_is_whole_with_its_finish_reason_alone() {
        let tools = STOP.replace("stop", "tool_calls");
        let two = [TEXT.replace("\"index\":0", "\"index\":1"), STOP.replace("\"index\":0", "\"index\":1")];
        let cases: &[(&str, &'static Profile, &[&str], &str)] = &[
            ("f_047 cut after content", &OPENAI, &[ROLE, TEXT], "truncated"),
            ("f_048 no terminator", &OPENAI, &[ROLE, TEXT, STOP], "ok"),
            ("f_048 no terminator", &ANTHROPIC, &[START, DELTA, STOPPED], "ok"),
            ("f_049 terminator alone", &OPENAI, &[ROLE, TEXT, DONE], "truncated"),
            ("f_049 terminator alone", &ANTHROPIC, &[START, DELTA, OVER], "truncated"),
            ("f_050 cut inside the terminator", &ANTHROPIC, &[DELTA, STOPPED, "{\"type\":\"m"], "ok"),
            ("f_050 cut before the finish reason", &ANTHROPIC, &[DELTA, "{\"type\":\"message_d"], "truncated"),
            ("f_060 nothing at all", &OPENAI, &[DONE], "empty"),
            ("f_060 only white space", &OPENAI, &[ROLE, STOP, DONE], "empty"),
            ("f_060 no block", &ANTHROPIC, &[START, STOPPED, OVER], "empty"),
            ("f_060 a finish reason that explains it", &OPENAI, &[ROLE, &tools, DONE], "ok"),
            ("f_062 cut inside a tool call", &OPENAI, &[ROLE, TOOL], "truncated"),
            ("one of two choices finished", &OPENAI, &[TEXT, &two[0], STOP, DONE], "truncated"),
            ("both choices finished", &OPENAI, &[TEXT, &two[0], &two[1], STOP, DONE], "ok"),
        ];
        for (name, profile, events, expected) in cases {
            assert_eq!(verdict(&watch(profile, events).1), *expected, "{name}");
        }
    }

    #[test]
    fn f_049_a_terminator_is_final_where_the_profile_says_so() {
        static FINAL: Profile = Profile { terminator_is_final: true, ..OPENAI };
        assert_eq!(verdict(&watch(&FINAL, &[ROLE, TEXT, DONE]).1), "ok");
        assert_eq!(verdict(&watch(&FINAL, &[ROLE, TEXT]).1), "truncated");
    }

    #[test]
    fn a_finish_reason_that_tells_of_a_failure_is_no_end() {
        for (reason, expected) in [
            ("error", "server_error"),
            ("network_error", "server_error"),
            ("insufficient_system_resource", "overloaded"),
            ("eos", "quiet"),
        ] {
            let stop = STOP.replace("stop", reason);
            assert_eq!(watch(&OPENAI, &[ROLE, TEXT, &stop]).0.last(), Some(&expected), "{reason}");
            let whole = format!(r#"{{"choices":[{{"message":{{"content":"Hi"}},"finish_reason":"{reason}"}}]}}"#);
            let verdict = reply(&OPENAI, whole.as_bytes()).map_or_else(|failure| failure.kind.class(), |_| "quiet");
            assert_eq!(verdict, expected, "{reason}");
        }
        let gemini = |reason: &str| {
            format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"Hi"}}]}},"finishReason":"{reason}"}}]}}"#)
        };
        for (reason, expected) in [("MALFORMED_FUNCTION_CALL", "malformed"), ("OTHER", "content")] {
            assert_eq!(watch(&GEMINI, &[&gemini(reason)]).0, [expected], "{reason}");
        }
    }

    #[test]
    fn f_048_the_terminator_that_is_missing_is_known() {
        for (profile, events) in [(&OPENAI, [ROLE, TEXT, STOP]), (&ANTHROPIC, [START, DELTA, STOPPED])] {
            let (_, mut seen) = watch(profile, &events);
            let missing = seen.missing_terminator();
            assert_eq!(word(&seen.event(&Event::parse(missing))), "end");
            assert_eq!(seen.missing_terminator(), b"");
        }
    }

    #[test]
    fn f_056_invalid_events_are_garbage() {
        for data in ["{\"choices\":", "nonsense", "[1]", "{\"a\":NaN}", "{\"a\":\"\u{7}\"}"] {
            assert_eq!(watch(&OPENAI, &[data]).0, ["garbage"], "{data}");
            assert_eq!(watch(&ANTHROPIC, &[DELTA, data]).0, ["content", "garbage"], "{data}");
        }
        let mark = StreamSeen::new(&OPENAI).event(&Event::parse(b"data: {\"a\":\"\xff\"}\n\n"));
        assert_eq!(word(&mark), "garbage");
    }

    #[test]
    fn usage_follows_each_vendors_arithmetic() {
        for (told, expected) in [
            (r#"{"prompt_tokens":9,"completion_tokens":4}"#, (9, 0, 0, 4, 0)),
            // recording 609ee901abf98e02: reasoning is counted apart
            (
                r#"{"prompt_tokens":401,"completion_tokens":44,"total_tokens":702,"completion_tokens_details":{"reasoning_tokens":257}}"#,
                (401, 0, 0, 301, 257),
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":30}}"#,
                (50, 20, 30, 1, 0),
            ),
            (r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":8}"#, (2, 8, 0, 1, 0)),
            (
                r#"{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":99}}"#,
                (0, 1, 0, 1, 0),
            ),
        ] {
            let (fresh, cached, written, output, reasoning) = expected;
            let usage = crate::dialect::openai_chat::seen::usage(Value::new(told.as_bytes()));
            assert_eq!(usage, Some(Usage { fresh, cached, written, output, reasoning, ..Usage::default() }), "{told}");
        }
    }

    #[test]
    fn whole_answers_are_judged() {
        let deep = format!(r#"{{"choices":{}}}"#, "[".repeat(100_000));
        let cases: &[(&str, &Profile, &str, &str)] = &[
            ("text", &OPENAI, r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#, "ok"),
            (
                "refusal",
                &OPENAI,
                r#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#,
                "ok",
            ),
            ("tool call", &OPENAI, r#"{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}"#, "ok"),
            ("f_060 excused", &OPENAI, r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}]}"#, "ok"),
            ("f_060 empty", &OPENAI, r#"{"choices":[{"message":{"content":" \n"},"finish_reason":"stop"}]}"#, "empty"),
            (
                "f_060 only reasoning",
                &OPENAI,
                r#"{"choices":[{"message":{"reasoning":"hm","content":""},"finish_reason":"stop"}]}"#,
                "empty",
            ),
            ("f_060 no choice", &OPENAI, r#"{"choices":[]}"#, "empty"),
            ("f_037 page", &OPENAI, "<html><body>Sign in</body></html>", "malformed"),
            ("f_037 text", &OPENAI, "upstream connect error", "malformed"),
            ("f_038 cut", &OPENAI, r#"{"choices":[{"message":{"content":"Hi"#, "truncated"),
            ("f_039 deep", &OPENAI, &deep, "malformed"),
            ("f_039 surrogate", &OPENAI, r#"{"choices":[{"message":{"content":"\ud800"}}]}"#, "malformed"),
            ("empty body", &OPENAI, " ", "empty"),
            ("another dialect", &OPENAI, r#"{"candidates":[]}"#, "malformed"),
            // recording ea259475aa80a036
            ("error inside 200", &OPENAI, r#"{"error":{"message":"x","code":502}}"#, "server_error"),
            (
                "text",
                &ANTHROPIC,
                r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#,
                "ok",
            ),
            ("f_060 empty", &ANTHROPIC, r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#, "empty"),
            ("refusal", &ANTHROPIC, r#"{"type":"message","content":[],"stop_reason":"refusal"}"#, "ok"),
            ("another dialect", &ANTHROPIC, r#"{"choices":[]}"#, "malformed"),
        ];
        for (name, profile, body, expected) in cases {
            let verdict = reply(profile, body.as_bytes()).map_or_else(|failure| failure.kind.class(), |_| "ok");
            assert_eq!(verdict, *expected, "{name}: {body:.80}");
        }
    }

    #[test]
    fn a_whole_answer_tells_model_usage_and_finish() {
        let body =
            br#"{"type":"message","model":"claude-x","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",
            "usage":{"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":1}}"#;
        let seen = reply(&ANTHROPIC, body).unwrap();
        assert_eq!((seen.model.as_deref(), seen.finish.as_deref()), (Some("claude-x"), Some("end_turn")));
        assert_eq!(seen.usage.map(|usage| usage.input()), Some(10));
    }
}
