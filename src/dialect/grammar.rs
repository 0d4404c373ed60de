//! What can be done with a dialect, as one table: each dialect's folder fills its own, and nothing else names its functions.
//!
//! A new dialect is a folder with its table, and a name in [`Dialect`](super::Dialect).

use super::members::{Note, Part, Rule as Member};
use super::profile::Profile;
use super::seen::{Glance, Mark, Noted, Told};
use super::signals::Rule as Signal;
use super::sse::Event;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::call::delta::Delta;
use crate::call::echo::Echo;
use crate::call::embedding::{EmbeddingCall, EmbeddingReply};
use crate::call::needs::Needs;
use crate::call::reply::Reply;
use crate::dialect::json::value::Value;
use bytes::BytesMut;
use std::fmt::Debug;

/// The table of one dialect.
pub(in crate::dialect) struct Grammar {
    /// How a request is read without being taken apart.
    pub(in crate::dialect) request: Request,
    /// How an answer is watched while it passes.
    pub(in crate::dialect) answer: Answer,
    /// What its errors mean, asked before the words that all vendors share.
    pub(in crate::dialect) signals: &'static [Signal],
    /// How it is translated.
    pub(in crate::dialect) translation: Translation,
}

/// How a request is read without being taken apart.
pub(in crate::dialect) struct Request {
    /// Every top-level member that has a known meaning, the commonest first.
    pub(in crate::dialect) members: &'static [(&'static str, Member)],
    /// Notes a member inside a part.
    pub(in crate::dialect) note: Note,
    /// The needs inside a part, read to the letter.
    pub(in crate::dialect) exact: fn(Part, Value<'_>) -> Needs,
    /// Whether the vendor keeps a call that does not say `store`.
    pub(in crate::dialect) keeps: bool,
}

/// How an answer is watched while it passes.
pub(in crate::dialect) struct Answer {
    /// Finish reasons that explain an answer with nothing in it.
    pub(in crate::dialect) excuses: &'static [&'static str],
    /// Checks the JSON of an event and glances at it; `false` if it is none.
    pub(in crate::dialect) glance: fn(&[u8], &mut Glance) -> bool,
    /// Reads an event of a stream.
    pub(in crate::dialect) event: fn(&mut Noted, Value<'_>) -> Mark,
    /// Reads a whole answer.
    pub(in crate::dialect) whole: fn(&mut Noted, Value<'_>) -> Told,
    /// What ends a stream, for a vendor that leaves it out; empty where nothing but the connection does.
    pub(in crate::dialect) terminator: &'static [u8],
    /// What keeps a waiting client's timeouts at rest, and means nothing.
    pub(in crate::dialect) ping: &'static [u8],
}

/// How a dialect is translated. Dialects of different tasks are never translated into each other.
pub(in crate::dialect) enum Translation {
    /// Through [`Call`], [`Reply`] and [`Delta`].
    Generate(Generate),
    /// Through [`EmbeddingCall`] and [`EmbeddingReply`].
    Embed(Embed),
}

/// A dialect in which models are asked for answers.
pub(in crate::dialect) struct Generate {
    /// Reads a client's request.
    pub(in crate::dialect) read_call: fn(&[u8]) -> Result<Call, Rejection>,
    /// Writes a vendor's request.
    pub(in crate::dialect) write_call: fn(&Profile, &Call, &Target<'_>) -> Result<Vec<u8>, Refusal>,
    /// Reads a vendor's whole answer.
    pub(in crate::dialect) read_reply: fn(&Profile, &[u8]) -> Result<Reply, Failure>,
    /// Writes a client's whole answer, which repeats this of the request.
    pub(in crate::dialect) write_reply: fn(&Reply, &Echo) -> Vec<u8>,
    /// What answers repeat of a request that was read, in dialects that do so.
    pub(in crate::dialect) echo: Option<fn(&[u8]) -> Echo>,
    /// A reader of a vendor's stream.
    pub(in crate::dialect) reader: fn(&Profile) -> Box<dyn ReadEvents>,
    /// A writer of a client's stream, which tells the usage if that was asked for.
    pub(in crate::dialect) writer: fn(include_usage: bool) -> Box<dyn WriteDeltas>,
}

/// A dialect in which texts are put into vectors.
pub(in crate::dialect) struct Embed {
    /// Reads a client's request.
    pub(in crate::dialect) read_call: fn(&[u8]) -> Result<EmbeddingCall, Rejection>,
    /// Writes a vendor's request.
    pub(in crate::dialect) write_call: fn(&Profile, &EmbeddingCall, model: &str) -> Result<Vec<u8>, Refusal>,
    /// Reads a vendor's answer.
    pub(in crate::dialect) read_reply: fn(&[u8]) -> Result<EmbeddingReply, Failure>,
    /// Writes a client's answer to its call.
    pub(in crate::dialect) write_reply: fn(&EmbeddingCall, &EmbeddingReply) -> Vec<u8>,
}

/// What a vendor is asked beside the call itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect) struct Target<'a> {
    /// The vendor's name of the model.
    pub(in crate::dialect) model: &'a str,
    /// The cap on the answer's tokens where the vendor demands one and the client gave none.
    pub(in crate::dialect) default_max_tokens: u64,
    /// Ask for the usage of a stream, where that has to be asked for.
    pub(in crate::dialect) include_usage: bool,
}

/// Reads a vendor's stream.
pub(in crate::dialect) trait ReadEvents: Debug + Send {
    /// Reads one event, whose data is not empty, and hands on what it adds.
    ///
    /// # Errors
    /// [`Malformed`](crate::base::failure::FailureKind::Malformed) for what is no event of the dialect,
    /// [`SseError`](crate::base::failure::FailureKind::SseError) for the vendor's error.
    fn event(&mut self, event: &Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure>;
}

/// Writes a client's stream.
pub(in crate::dialect) trait WriteDeltas: Debug + Send + Sync {
    /// Writes what one delta adds.
    ///
    /// # Errors
    /// [`Malformed`](crate::base::failure::FailureKind::Malformed) where what the vendor sends has no order in the dialect.
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure>;

    /// Writes the end of a complete answer.
    fn end(&mut self, out: &mut BytesMut);

    /// Takes note of an event that went to the client as the vendor wrote it, after its deltas: what comes next takes up its
    /// indexes, ids and numbers.
    fn adopt(&mut self, event: &Event<'_>) {
        let _ = event;
    }

    /// The answer repeats this of the request, in dialects that do so.
    fn echo(&mut self, asked: &Echo) {
        let _ = asked;
    }

    /// Another model carries the answer on; told where the dialect has a place for it.
    fn carried_on(&mut self, model: &str) {
        let _ = model;
    }

    /// The same writer, at the same place of the same stream.
    fn twin(&self) -> Box<dyn WriteDeltas>;
}

/// The stream of a dialect that has none.
#[derive(Clone, Debug)]
pub(in crate::dialect) struct NoStream;

impl ReadEvents for NoStream {
    fn event(&mut self, _: &Event<'_>, _: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        Err(Failure::new(FailureKind::Malformed, Phase::Headers, "not_a_stream"))
    }
}

impl WriteDeltas for NoStream {
    fn delta(&mut self, _: Delta<'_>, _: &mut BytesMut) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: &mut BytesMut) {}

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}
