//! What an answer consumed.

use crate::base::tokens::Tokens;

/// Token counts of an answer in one arithmetic for all vendors: the parts do not overlap, except that `reasoning` lies within `output` and `written_1h` within `written`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub fresh: u64,
    /// Prompt tokens read from the vendor's cache.
    pub cached: u64,
    /// Prompt tokens written to the vendor's cache.
    pub written: u64,
    /// Prompt tokens among `written` that the cache keeps for an hour, which vendors charge more for.
    pub written_1h: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Reasoning tokens among `output`.
    pub reasoning: u64,
}

impl Usage {
    /// All prompt tokens.
    #[must_use]
    pub const fn input(&self) -> u64 {
        self.fresh.saturating_add(self.cached).saturating_add(self.written)
    }
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            fresh: self.fresh.saturating_add(other.fresh),
            cached: self.cached.saturating_add(other.cached),
            written: self.written.saturating_add(other.written),
            written_1h: self.written_1h.saturating_add(other.written_1h),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.fresh,
            cached: usage.cached,
            cache_written: usage.written,
            output: usage.output,
            reasoning: usage.reasoning,
        }
    }
}
