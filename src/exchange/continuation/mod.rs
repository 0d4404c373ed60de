//! Continuation: a stream that broke after content had gone out is carried on at another deployment, unseen by the client.
//!
//! `decide` says whether that is safe and how a candidate is asked, `ask` writes the call, `seam` lets nothing pass that the
//! client has already, `delivered` and `hold` know what it has. [`Told`] is what travels from one deployment to the next.

mod ask;
mod decide;
mod delivered;
mod hold;
mod seam;

pub(crate) use ask::ask;
pub(crate) use decide::{Manner, begun, is_open, manner, may_carry_on, otherwise};

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::{Delta, unfold};
use crate::call::reply::Reply;
use crate::call::usage::Usage;
use crate::dialect::Dialect;
use crate::dialect::profile::Profile;
use crate::dialect::sse::Event;
use crate::dialect::translate::{StreamReader, StreamWriter, Unsaid};
use crate::exchange::continuation::delivered::Delivered;
use crate::exchange::continuation::hold::Hold;
use crate::exchange::continuation::seam::{Heard, Seam};
use crate::snapshot::deployment::Deployment;
use bytes::BytesMut;
use std::sync::Arc;

/// What a client was told so far, and where its stream stands. A copy goes to every candidate, so that one that fails leaves
/// no trace.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    client: Dialect,
    include_usage: bool,
    writer: StreamWriter,
    delivered: Delivered,
    /// Whether anything went out.
    begun: bool,
    /// What the deployments before consumed, as far as they said.
    spent: Usage,
    /// The deployments that broke it off, one for each time that it was carried on.
    broke: Vec<Arc<Deployment>>,
}

impl Told {
    /// Nothing yet.
    pub(crate) fn nothing(client: Dialect, include_usage: bool) -> Self {
        let writer = StreamWriter::new(client, include_usage);
        let (delivered, spent) = (Delivered::default(), Usage::default());
        Self { client, include_usage, writer, delivered, begun: false, spent, broke: Vec::new() }
    }

    /// The text that the client has.
    pub(crate) fn text(&self) -> &str {
        self.delivered.text()
    }

    /// Whether a deployment before has begun it.
    pub(crate) const fn carries_on(&self) -> bool {
        !self.broke.is_empty()
    }

    /// Whether the stream may be carried on after this failure.
    ///
    /// # Errors
    /// Why not, in a word.
    pub(crate) fn may_carry_on(&self, failure: FailureKind) -> Result<(), &'static str> {
        may_carry_on(&self.delivered, self.broke.len(), failure)
    }

    /// The deployments that broke it off.
    pub(crate) fn broken_off_by(&self) -> &[Arc<Deployment>] {
        &self.broke
    }

    /// What the next deployment takes up, after this one broke, which consumed so much.
    pub(crate) fn after(&self, broken: Arc<Deployment>, consumed: Usage) -> Self {
        let mut next = self.next(consumed);
        next.broke.push(broken);
        next
    }

    fn next(&self, consumed: Usage) -> Self {
        let mut next = self.clone();
        next.spent = next.spent.and(consumed);
        if !next.begun {
            next.writer = StreamWriter::new(next.client, next.include_usage);
        }
        // a vendor that tells no usage must not hide that of the one before
        if next.spent != Usage::default() {
            let _ = next.writer.delta(Delta::Usage(next.spent), &mut BytesMut::new());
        }
        next
    }

    fn tell(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        self.delivered.note(&delta);
        match delta {
            Delta::Usage(usage) => self.writer.delta(Delta::Usage(self.spent.and(usage)), out),
            delta => self.writer.delta(delta, out),
        }
    }
}

/// Passes one deployment's stream on to the client so that another can take it up where it breaks.
#[derive(Debug)]
pub(crate) struct Carrier {
    reader: StreamReader,
    unsaid: Unsaid,
    line: Line,
}

impl Carrier {
    /// Passes on a stream of `profile` that follows what was `told`; with a `manner` it carries that on.
    pub(crate) fn new(profile: &Profile, told: &Told, manner: Option<Manner>, unsaid: Unsaid) -> Self {
        let seam = manner.map(|manner| Seam::new(manner, told.text()));
        let passes = manner.is_none() && profile.dialect == told.client;
        let (mut told, carries_on) = (told.clone(), seam.is_some());
        told.writer.echo(&unsaid.echo);
        let line = Line { told, carries_on, seam, hold: Hold::default(), seal: None, passes };
        Self { reader: StreamReader::new(profile), unsaid, line }
    }

    /// What the client was told so far.
    pub(crate) const fn told(&self) -> &Told {
        &self.line.told
    }

    /// Whether the answer has joined what went before it.
    pub(crate) const fn joined(&self) -> bool {
        self.line.seam.is_none()
    }

    /// Whether something is held back until it is whole.
    pub(crate) const fn holds(&self) -> bool {
        self.line.hold.holds()
    }

    /// Passes one event on; `keep` says that the client gets it where events pass as they came.
    ///
    /// # Errors
    /// It is no event of the dialect, or the answer is another one than the client has the beginning of.
    pub(crate) fn event(&mut self, event: &Event<'_>, keep: bool, out: &mut BytesMut) -> Result<(), Failure> {
        let Self { reader, unsaid, line } = self;
        let (mut scratch, mut told) = (BytesMut::new(), Ok(()));
        let before = line.told.text().len();
        let written = if line.passes { &mut scratch } else { &mut *out };
        let read = reader.event(event, |delta| {
            if told.is_ok() {
                told = line.take(unsaid.said(delta), &mut *written);
            }
        });
        match read.and(told).and_then(|()| line.settle(written)) {
            // the client may read it all the same: it goes on, and nobody could carry it on
            Err(_) if line.passes => line.told.delivered.hinder("unreadable"),
            outcome => outcome?,
        }
        if line.passes && keep {
            line.pass(event, before, out);
        }
        Ok(())
    }

    /// Passes on an answer that came whole.
    ///
    /// # Errors
    /// The answer is another one than the client has the beginning of.
    pub(crate) fn whole(&mut self, reply: &Reply, out: &mut BytesMut) -> Result<(), Failure> {
        self.line.passes = false;
        let mut told = Ok(());
        unfold(reply, |delta| {
            if told.is_ok() {
                told = self.line.take(delta, out);
            }
        });
        told?;
        self.end(out)
    }

    /// The deployment's answer is complete.
    ///
    /// # Errors
    /// It never joined what went before it.
    pub(crate) fn end(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        self.line.join_at_end(out)?;
        if self.line.passes {
            out.extend_from_slice(&self.line.hold.kept());
            return Ok(());
        }
        self.line.release(out)?;
        self.line.told.writer.end(out);
        Ok(())
    }

    /// Whether events go on as they came.
    pub(crate) const fn passes(&self) -> bool {
        self.line.passes
    }
}

/// What a stream's deltas pass through on their way to the client.
#[derive(Debug)]
struct Line {
    told: Told,
    seam: Option<Seam>,
    carries_on: bool,
    hold: Hold,
    /// The seal of what comes next in the same event: a call of a tool is held back with its own.
    seal: Option<String>,
    /// Events go on as they came: the deployment speaks the client's dialect, and nobody else has spoken before it.
    passes: bool,
}

impl Line {
    fn take(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        let Some(seam) = &mut self.seam else { return self.follow(delta, out) };
        match delta {
            Delta::Start { model, .. } if self.told.begun => self.told.writer.carried_on(model),
            Delta::Start { .. } | Delta::Usage(_) => self.tell(delta, out)?,
            Delta::Text(text) => match seam.push(text) {
                Heard::Waiting => {}
                Heard::Joined(rest) => self.join(&rest, out)?,
                Heard::Another => return Err(another()),
            },
            Delta::Finish(_) => {
                self.join_at_end(out)?;
                self.tell(delta, out)?;
            }
            // nothing to join where nothing was said: a call of tools that was held back begins anew
            delta if self.told.text().trim().is_empty() => {
                self.join("", out)?;
                self.follow(delta, out)?;
            }
            // the thoughts and notes of what the client has already
            Delta::Thinking(_)
            | Delta::Signature(_)
            | Delta::RedactedThinking(_)
            | Delta::Citation(_)
            | Delta::Close => {}
            Delta::ToolCall { .. } | Delta::Arguments { .. } => {
                self.join_at_end(out)?;
                self.follow(delta, out)?;
            }
            Delta::Refusal(_) | Delta::Foreign(_) => return Err(another()),
        }
        Ok(())
    }

    /// What comes after the seam, or in an answer without one.
    fn follow(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match &delta {
            // what a second model thinks would part the text that it carries on
            Delta::Thinking(_) | Delta::Signature(_) | Delta::RedactedThinking(_)
                if self.carries_on && !self.told.text().is_empty() =>
            {
                Ok(())
            }
            Delta::Signature(more) if !self.hold.holds() => {
                self.seal.get_or_insert_default().push_str(more);
                Ok(())
            }
            _ if self.hold.takes(&delta) => {
                if let Some(seal) = self.seal.take() {
                    self.hold.add(&Delta::Signature(&seal));
                }
                self.hold.add(&delta);
                if self.hold.is_full() { self.let_go(out) } else { Ok(()) }
            }
            _ => {
                self.settle(out)?;
                self.tell(delta, out)
            }
        }
    }

    /// A seal that no call of a tool followed is told.
    fn settle(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        match self.seal.take() {
            Some(seal) => self.tell(Delta::Signature(&seal), out),
            None => Ok(()),
        }
    }

    fn tell(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        let before = out.len();
        self.told.tell(delta, out)?;
        self.told.begun |= !self.passes && out.len() > before;
        Ok(())
    }

    /// The second answer goes on where the first broke off.
    fn join(&mut self, rest: &str, out: &mut BytesMut) -> Result<(), Failure> {
        self.seam = None;
        if self.told.delivered.is_thought_alone() {
            self.tell(Delta::Close, out)?;
        }
        if rest.is_empty() { Ok(()) } else { self.follow(Delta::Text(rest), out) }
    }

    fn join_at_end(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        match self.seam.as_ref().map(Seam::end) {
            None => Ok(()),
            Some(Heard::Joined(rest)) => self.join(&rest, out),
            Some(Heard::Waiting | Heard::Another) => Err(another()),
        }
    }

    /// Lets an event go on as it came, or keeps it back with the call of a tool that is not whole.
    fn pass(&mut self, event: &Event<'_>, before: usize, out: &mut BytesMut) {
        if self.hold.holds() {
            self.told.delivered.back_to(before);
            self.hold.keep(event.raw);
        } else {
            out.extend_from_slice(&self.hold.kept());
            out.extend_from_slice(event.raw);
            self.told.writer.adopt(event);
            // a comment before the head is none
            self.told.begun |= !event.is_blank();
        }
    }

    /// What was held back may go.
    fn release(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        let (held, mut told) = (self.hold.held(), Ok(()));
        unfold(&held, |delta| {
            if told.is_ok() && !matches!(delta, Delta::Start { .. } | Delta::Finish(_) | Delta::Usage(_)) {
                told = self.tell(delta, out);
            }
        });
        told
    }

    /// More is held back than may be: it goes out, and what follows it too.
    fn let_go(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        self.hold.stop();
        self.release(out)
    }
}

/// The answer is not the rest of the one that the client has.
const fn another() -> Failure {
    Failure::new(FailureKind::Unsupported, Phase::Headers, "no_seam")
}

#[cfg(test)]
mod tests;
