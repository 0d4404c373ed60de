//! What a client has of an answer that is under way, as far as carrying it on needs to know.

use crate::call::delta::Delta;

/// The longest text that is kept, and so the longest that is carried on: some sixteen thousand tokens, which the next
/// deployment reads as a part of its prompt.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// What a client has of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivered {
    text: String,
    thought: bool,
    obstacle: Option<&'static str>,
}

impl Delivered {
    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands in the way of carrying it on.
    pub(crate) const fn obstacle(&self) -> Option<&'static str> {
        self.obstacle
    }

    /// Whether thoughts are all that it has.
    pub(crate) fn is_thought_alone(&self) -> bool {
        self.thought && self.text.is_empty()
    }

    /// Takes note of what goes out.
    pub(crate) fn note(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Text(more) if self.text.len() + more.len() > TEXT_BYTES_MAX => self.hinder("too_long"),
            Delta::Text(more) => self.text.push_str(more),
            // no other model could have thought it, and its vendor alone reads the seal
            Delta::Signature(_) | Delta::RedactedThinking(_) => self.hinder("signed_reasoning"),
            // a client may run it at once
            Delta::ToolCall { .. } | Delta::Arguments { .. } => self.hinder("tool_call"),
            Delta::Refusal(_) => self.hinder("refusal"),
            Delta::Foreign(_) => self.hinder("vendors_own"),
            Delta::Thinking(_) => self.thought = true,
            // it has its end, and what broke came behind it
            Delta::Finish(_) => self.hinder("finished"),
            Delta::Start { .. } | Delta::Citation(_) | Delta::Close | Delta::Usage(_) => {}
        }
    }

    /// Text that was noted and then held back is not with the client.
    pub(crate) fn back_to(&mut self, bytes: usize) {
        self.text.truncate(bytes);
    }

    /// Says that it cannot be carried on, and why.
    pub(crate) fn hinder(&mut self, obstacle: &'static str) {
        self.obstacle.get_or_insert(obstacle);
    }
}
