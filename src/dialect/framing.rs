//! The events of a vendor's stream, however they are told apart on the wire.

use crate::dialect::eventstream::{self, FrameError};
use crate::dialect::profile::Framing;
use crate::dialect::sse::{self, Event};
use bytes::Bytes;

/// Cuts a stream into events: for each chunk [`push`](Self::push) it, [`take`](Self::take) every event and say
/// [`forward`](Self::forward) of those that are to go on as they are.
#[derive(Debug)]
pub enum Splitter {
    /// Server-sent events.
    Sse(sse::Splitter),
    /// AWS's frames, which no client reads: nothing of them is forwarded.
    EventStream(eventstream::Splitter),
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Splitter::new()),
            Framing::EventStream => Self::EventStream(eventstream::Splitter::new()),
        }
    }

    /// Gives it the next chunk; the events of the one before must have been taken.
    pub fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(splitter) => splitter.push(chunk),
            Self::EventStream(splitter) => splitter.push(&chunk),
        }
    }

    /// Ends the stream: a server-sent event that lacks only its blank line is then complete.
    pub fn end(&mut self) {
        match self {
            Self::Sse(splitter) => splitter.end(),
            Self::EventStream(_) => {}
        }
    }

    /// The next event, or `None` until more has come.
    ///
    /// # Errors
    /// An event is too long, or its frame is broken.
    pub fn take(&mut self) -> Result<Option<Event<'_>>, FrameError> {
        match self {
            Self::Sse(splitter) => splitter.take().map_err(|sse::EventTooLong| FrameError::TooLong),
            Self::EventStream(splitter) => splitter.take(),
        }
    }

    /// Lets the event last taken go on to the client.
    pub fn forward(&mut self) {
        match self {
            Self::Sse(splitter) => splitter.forward(),
            Self::EventStream(_) => {}
        }
    }

    /// Forwarded bytes, in order; `None` when all have been collected.
    pub fn forwarded(&mut self) -> Option<Bytes> {
        match self {
            Self::Sse(splitter) => splitter.forwarded(),
            Self::EventStream(_) => None,
        }
    }
}
