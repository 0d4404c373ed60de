//! One cell: who asks whom, what goes wrong, and what is seen of it.

use super::table::Must;
use crate::support::asking::{self, ARGUMENTS, TOOL};
use crate::support::client::Answer;
use crate::support::reading::{self, Read};
use backstay::demo::vendor::{Fault, Recording, RestManner};
use backstay::dialect::Dialect;
use serde_json::Value;
use std::sync::Arc;

/// Words that a simulated vendor says, and after how many it breaks; of a call of a tool, the pieces.
pub(super) const WORDS: usize = 30;
const BREAK_AFTER_WORDS: usize = 12;
const BREAK_AFTER_PIECES: usize = 3;

/// A vendor's way of speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Bedrock,
    Azure,
    Together,
    VertexClaude,
    Vertex,
}

impl Way {
    pub(super) const ALL: [Self; 9] = [
        Self::Chat,
        Self::Responses,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Azure,
        Self::Together,
        Self::VertexClaude,
        Self::Vertex,
    ];

    pub(super) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::Azure | Self::Together => Dialect::OpenaiChat,
            Self::Responses => Dialect::OpenaiResponses,
            Self::Anthropic | Self::VertexClaude => Dialect::Anthropic,
            Self::Gemini | Self::Vertex => Dialect::Gemini,
            Self::Bedrock => Dialect::Bedrock,
        }
    }

    /// Whether it is its dialect as its makers speak it.
    pub(super) const fn is_plain(self) -> bool {
        self.lines().is_empty()
    }

    /// The lines of such a vendor's table.
    pub(super) const fn lines(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses | Self::Anthropic | Self::Gemini | Self::Bedrock => "",
            Self::Azure => "profile = \"azure\"\n",
            Self::Together => "profile = \"together\"\n",
            Self::VertexClaude | Self::Vertex => {
                "profile = \"vertex\"\nproject = \"p\"\nlocation = \"us-east5\"\nauth = \"bearer\"\n"
            }
        }
    }

    pub(super) fn fallback_name(self) -> String {
        format!("spare-{self:?}").to_lowercase()
    }
}

/// One cell of the matrix.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) number: usize,
    pub(super) client: Dialect,
    pub(super) primary: Way,
    pub(super) fallback: Way,
    pub(super) fault: Fault,
    /// An answer of the primary that takes the fault's place, with its name.
    pub(super) odd: Option<(&'static str, Arc<Recording>)>,
    /// The primary is at fault once.
    pub(super) once: bool,
    /// The fallback is at fault too.
    pub(super) spent: bool,
    /// What the fallback does when it is asked for the rest of an answer.
    pub(super) rest: RestManner,
    pub(super) streamed: bool,
    pub(super) tools: bool,
    pub(super) continues: bool,
    /// The vendors think before they answer, and the client is kept awake.
    pub(super) held: bool,
    pub(super) must: Must,
}

/// What was seen of a cell.
pub(super) struct Seen {
    pub(super) answer: Answer,
    pub(super) primary_calls: usize,
    pub(super) fallback_calls: usize,
    /// What the vendors say.
    pub(super) text: String,
}

impl Cell {
    /// The cell of this number: who falls back, and whether a tool is offered, goes round.
    pub(super) const fn next(number: usize, client: Dialect, primary: Way) -> Self {
        Self {
            number,
            client,
            primary,
            fallback: Way::ALL[number % Way::ALL.len()],
            fault: Fault::ResetOnAccept,
            odd: None,
            once: false,
            spent: false,
            rest: RestManner::Obey,
            streamed: false,
            tools: number.is_multiple_of(4),
            continues: false,
            held: false,
            must: Must::Fallback,
        }
    }

    pub(super) fn name(&self) -> String {
        let Self { client, primary, fallback, fault, .. } = self;
        let fault = self.odd.as_ref().map_or(fault.name(), |(name, _)| name);
        let flag = |set, word: &str| if set { format!(" {word}") } else { String::new() };
        format!(
            "{} from {primary:?} then {fallback:?}: {fault}{}{}{}{}{}{}{}",
            client.name(),
            if self.rest == RestManner::Obey { String::new() } else { format!(" {:?}", self.rest) },
            flag(self.once, "once"),
            flag(self.spent, "at both"),
            flag(self.held, "held"),
            flag(self.streamed, "streamed"),
            flag(self.tools, "tools"),
            flag(self.continues, "continuing"),
        )
    }

    /// Whether its fallback is unlike that of other cells.
    pub(super) fn has_own_fallback(&self) -> bool {
        self.spent || self.rest != RestManner::Obey
    }

    pub(super) fn pool(&self) -> String {
        format!("pool-{:04}", self.number)
    }

    pub(super) fn primary_model(&self) -> String {
        format!("first-{:04}", self.number)
    }

    pub(super) fn fallback_model(&self) -> String {
        format!("other-{:04}", self.number)
    }

    pub(super) fn break_after(&self) -> usize {
        if self.tools { BREAK_AFTER_PIECES } else { BREAK_AFTER_WORDS }
    }

    pub(super) fn call(&self) -> (String, Value) {
        asking::call(self.client, &self.pool(), self.streamed, self.tools)
    }

    /// Whether what was seen is what must be.
    pub(super) fn judge(&self, seen: &Seen) -> Result<(), String> {
        let calls = (seen.primary_calls, seen.fallback_calls);
        let (told, expected) = match self.must {
            Must::Primary => (self.whole(seen, Some(true)), calls == (1, 0)),
            Must::Either => (self.whole(seen, None), (1..=2).contains(&calls.0) && calls.0 + calls.1 == 2),
            Must::Fallback => (self.whole(seen, Some(false)), calls.0 <= 2 && calls.1 == 1),
            Must::Verdict => (self.refusal(seen, 400), calls == (1, 0)),
            Must::Break if self.continues && !self.spent => {
                let most = if self.tools { 2 } else { 1 };
                (self.whole(seen, Some(false)), (1..=most).contains(&calls.0) && (1..=3).contains(&calls.1))
            }
            Must::Break if self.may_be_unwritten() && self.spent && seen.answer.status != 200 => {
                (self.refusal(seen, 502), calls.0 + calls.1 <= 4)
            }
            Must::Break if self.may_be_unwritten() && !self.spent && seen.answer.clean => {
                (self.whole(seen, Some(false)), calls.0 <= 2 && calls.1 == 1)
            }
            Must::Break => {
                let more = if self.continues { 2 } else { 0 };
                (self.broken(seen), calls.0 >= 1 && calls.0 + calls.1 <= 1 + more)
            }
            Must::Honest if seen.answer.clean => (self.whole(seen, Some(false)), calls.0 <= 2 && calls.1 == 1),
            Must::Honest => (self.broken(seen), calls == (1, 0)),
            Must::Refusal(status) => (self.refusal(seen, status), calls.0 + calls.1 <= 4),
            Must::LateRefusal => (self.late_refusal(seen), calls.0 + calls.1 <= 4),
        };
        told?;
        if expected { Ok(()) } else { Err(format!("{} calls of the primary, {} of the fallback", calls.0, calls.1)) }
    }

    /// Whether the access log tells of it as it was.
    pub(super) fn record(&self, line: &Value) -> Result<(), String> {
        let outcome = line["outcome"].as_str().unwrap_or_default();
        if self.must == Must::Honest || (self.may_be_unwritten() && !self.continues && self.must == Must::Break) {
            return check(["served", "broken"].contains(&outcome), || format!("its outcome is {outcome:?}"));
        }
        let served = match self.must {
            Must::Primary | Must::Either | Must::Fallback => true,
            Must::Break => self.continues && !self.spent,
            Must::Honest | Must::Verdict | Must::Refusal(_) | Must::LateRefusal => false,
        };
        check((outcome == "served") == served, || format!("its outcome is {outcome:?}"))?;
        self.late(line)?;
        let broken = self.must == Must::Break && !served;
        let refused = self.may_be_unwritten() && self.spent;
        check((outcome == "broken") == broken || refused, || format!("its outcome is {outcome:?}"))?;
        if self.fault == Fault::RegionDenied && self.odd.is_none() {
            let class = &line["attempts"][0]["class"];
            check(class == "region_denied", || format!("it is taken for {class}"))?;
        }
        let counted = !served || !self.counts() || line["tokens"]["output"].as_u64() > Some(0);
        check(counted, || "no tokens are counted".to_owned())
    }

    /// A vendor whose answers nobody can use is no vendor who is not well: it is 503 instead of 502 only where an attempt took too long
    /// for the limits of these tests, on a machine that is busy, and never otherwise.
    fn late(&self, line: &Value) -> Result<(), String> {
        let unusable = |class: &Value| ["malformed", "truncated", "empty", "oversize"].iter().any(|word| class == word);
        let attempts = line["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let all_unusable = !attempts.is_empty() && attempts.iter().all(|attempt| unusable(&attempt["class"]));
        let must = matches!(self.must, Must::Refusal(502)) || (self.must == Must::Break && self.spent);
        let told = &line["status"];
        match told.as_u64() {
            Some(502) if must => check(all_unusable, || "502 for an attempt that took too long".to_owned()),
            Some(503) if must => check(!all_unusable, || "503 for answers that nobody can use".to_owned()),
            _ => Ok(()),
        }
    }

    fn whole(&self, seen: &Seen, by_primary: Option<bool>) -> Result<(), String> {
        let read = reading::whole(self.client, self.streamed, &seen.answer)?;
        let Read { text, calls, finish, models, output_tokens } = &read;
        if self.tools {
            let arguments: Value = serde_json::from_str(ARGUMENTS).unwrap();
            let called = |(name, said): &(String, String)| {
                name == TOOL && serde_json::from_str::<Value>(said).is_ok_and(|said| said == arguments)
            };
            check(calls.len() == 1 && calls.iter().all(called) && text.is_empty(), || format!("calls {read:?}"))?;
        } else {
            check(*text == seen.text && calls.is_empty(), || format!("text {text:?}"))?;
        }
        check(finish == self.finish(), || format!("finish {finish:?}"))?;
        check(*output_tokens > 0 || !self.counts(), || "no usage".to_owned())?;
        let (first, other) = (self.primary_model(), self.fallback_model());
        let named = |model: &String| match by_primary {
            Some(true) => *model == first,
            // the head of a stream that was carried on names the one that began it
            Some(false) if self.streamed && self.continues => [&first, &other].contains(&model),
            Some(false) => *model == other,
            None => [&first, &other].contains(&model),
        };
        check(!models.is_empty() && models.iter().all(named), || format!("models {models:?}"))
    }

    /// Whether the break may come before anything is written: a tool call that is written only once it is whole, as Gemini's
    /// clients and pools with continuation have it, takes as many events as the vendor likes.
    fn may_be_unwritten(&self) -> bool {
        self.streamed && self.tools && (self.continues || self.client == Dialect::Gemini)
    }

    /// Whether the vendor got to tell its count: in Bedrock's streams it is the last event.
    fn counts(&self) -> bool {
        let unended = matches!(self.fault, Fault::NoTerminator | Fault::TerminatorWithheld | Fault::TerminatorCut);
        !(unended && self.primary == Way::Bedrock)
    }

    const fn finish(&self) -> &'static str {
        match (self.client, self.tools) {
            (Dialect::OpenaiChat, false) => "stop",
            (Dialect::OpenaiChat, true) => "tool_calls",
            (Dialect::Anthropic, false) => "end_turn",
            (Dialect::Anthropic, true) => "tool_use",
            (Dialect::Gemini, _) => "STOP",
            _ => "completed",
        }
    }

    fn refusal(&self, seen: &Seen, status: u16) -> Result<(), String> {
        reading::refusal(self.client, &seen.answer)?;
        // whether it was one that took too long the log tells
        let late = status == 502 && seen.answer.status == 503;
        check(seen.answer.status == status || late, || format!("status {} instead of {status}", seen.answer.status))?;
        let waits = matches!(seen.answer.status, 429 | 503) && seen.answer.header("retry-after").is_empty();
        check(!waits, || "no retry-after".to_owned())?;
        let retry = seen.answer.header("x-should-retry");
        check(retry == "false", || format!("x-should-retry {retry:?}"))
    }

    fn late_refusal(&self, seen: &Seen) -> Result<(), String> {
        let said = reading::broken(self.client, &seen.answer)?;
        check(said.is_empty(), || format!("said {said:?}"))
    }

    fn broken(&self, seen: &Seen) -> Result<(), String> {
        let said = reading::broken(self.client, &seen.answer)?;
        if self.odd.is_some() {
            // what it thought is all that came
            return Ok(());
        }
        if self.tools {
            return check(ARGUMENTS.starts_with(&said) || said.is_empty(), || format!("said {said:?}"));
        }
        check(!said.is_empty() && seen.text.starts_with(&said), || format!("said {said:?}"))
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
