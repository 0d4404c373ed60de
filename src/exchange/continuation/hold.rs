//! Calls of tools are held back until the answer is whole: a client runs a tool as soon as it has the call, so that a call
//! which has been shown can never be begun anew.

use crate::call::delta::{Delta, Fold};
use crate::call::reply::Reply;
use bytes::{Bytes, BytesMut};

/// Most bytes of tool calls that are held back; larger ones go out as they come, and are then not carried on.
const HELD_BYTES_MAX: usize = 1 << 20;
/// The same of events as they came, which say little in many bytes.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// What is held back: as deltas, and as it came where events pass as they came.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    began: bool,
    stopped: bool,
    bytes: usize,
    held: Fold,
    kept: BytesMut,
}

impl Hold {
    /// Whether anything is held back.
    pub(crate) const fn holds(&self) -> bool {
        self.began && !self.stopped
    }

    /// Whether the delta is one to hold back: a call of a tool, and whatever content follows one.
    pub(crate) const fn takes(&self, delta: &Delta<'_>) -> bool {
        let content = match delta {
            Delta::ToolCall { .. } | Delta::Arguments { .. } => true,
            Delta::Start { .. } | Delta::Finish(_) | Delta::Usage(_) => false,
            Delta::Text(_)
            | Delta::Citation(_)
            | Delta::Refusal(_)
            | Delta::Thinking(_)
            | Delta::Signature(_)
            | Delta::RedactedThinking(_)
            | Delta::Foreign(_)
            | Delta::Close => self.began,
        };
        content && !self.stopped
    }

    /// Holds it back.
    pub(crate) fn add(&mut self, delta: &Delta<'_>) {
        self.began = true;
        self.bytes += match delta {
            Delta::Text(text)
            | Delta::Refusal(text)
            | Delta::Thinking(text)
            | Delta::Signature(text)
            | Delta::RedactedThinking(text)
            | Delta::Arguments { json: text, .. } => text.len(),
            _ => 0,
        };
        self.held.add(delta);
    }

    /// Holds an event back as it came.
    pub(crate) fn keep(&mut self, event: &[u8]) {
        self.kept.extend_from_slice(event);
    }

    /// Whether it is more than may be held back.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > HELD_BYTES_MAX || self.kept.len() > KEPT_BYTES_MAX
    }

    /// Holds nothing back from now on.
    pub(crate) const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Gives what was held back, as it came.
    pub(crate) fn kept(&mut self) -> Bytes {
        std::mem::take(&mut self.kept).freeze()
    }

    /// Gives what was held back, in its parts.
    pub(crate) fn held(&mut self) -> Reply {
        self.began = false;
        std::mem::take(&mut self.held).into_reply()
    }
}
