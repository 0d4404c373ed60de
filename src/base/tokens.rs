//! How much an answer consumed.

use std::ops::Add;

/// Tokens of an answer, as counted by the vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Fresh prompt tokens.
    pub input: u64,
    /// Prompt tokens read from the vendor's cache.
    pub cached: u64,
    /// Prompt tokens written to the vendor's cache.
    pub cache_written: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Reasoning tokens among them.
    pub reasoning: u64,
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            cache_written: self.cache_written.saturating_add(other.cache_written),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}
