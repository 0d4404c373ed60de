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
mod tests;
