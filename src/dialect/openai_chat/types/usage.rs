//! Token counts, as read and as written.

use crate::call::usage::Usage;
use crate::dialect::object::{Known, object};
use crate::dialect::shapes::Count;
use serde::Serialize;

object! {
    /// Token counts as this dialect tells them: the parts lie within the sums.
    WireUsage {
        prompt_tokens = "prompt_tokens": Count,
        completion_tokens = "completion_tokens": Count,
        total_tokens = "total_tokens": Count,
        prompt_details = "prompt_tokens_details": Option<Known<PromptDetails>>,
        completion_details = "completion_tokens_details": Option<Known<CompletionDetails>>,
        cache_hits = "prompt_cache_hit_tokens": Count,
        cached = "cached_tokens": Count,
    }
}

object! {
    /// Parts of the prompt.
    PromptDetails { cached = "cached_tokens": Count, written = "cache_write_tokens": Count, }
}

object! {
    /// Parts of the answer.
    CompletionDetails { reasoning = "reasoning_tokens": Count, }
}

impl From<&WireUsage> for Usage {
    /// Most vendors count thoughts within `completion_tokens`; xAI beside it, as only the total tells (recording
    /// `609ee901abf98e02`: 401 + 44 + 257 = 702).
    fn from(wire: &WireUsage) -> Self {
        let (prompt, completion) = (wire.prompt_tokens.unwrap_or(0), wire.completion_tokens.unwrap_or(0));
        let details = wire.prompt_details.as_ref().map(|Known(details)| details);
        let cached =
            details.and_then(|details| *details.cached).or(*wire.cache_hits).or(*wire.cached).unwrap_or(0).min(prompt);
        let written = details.and_then(|details| *details.written).unwrap_or(0);
        let reasoning = wire.completion_details.as_ref().and_then(|Known(details)| *details.reasoning).unwrap_or(0);
        let beside = reasoning > 0
            && *wire.total_tokens == prompt.checked_add(completion).and_then(|sum| sum.checked_add(reasoning));
        Self {
            fresh: prompt.saturating_sub(cached).saturating_sub(written),
            cached,
            written,
            output: if beside { completion.saturating_add(reasoning) } else { completion },
            reasoning,
            ..Self::default()
        }
    }
}

/// Token counts as they are written.
#[derive(Debug, Serialize)]
pub(crate) struct UsageOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetailsOut,
    completion_tokens_details: CompletionDetailsOut,
}

#[derive(Debug, Serialize)]
struct PromptDetailsOut {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct CompletionDetailsOut {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input(),
            completion_tokens: usage.output,
            total_tokens: usage.input().saturating_add(usage.output),
            prompt_tokens_details: PromptDetailsOut { cached_tokens: usage.cached, cache_write_tokens: usage.written },
            completion_tokens_details: CompletionDetailsOut { reasoning_tokens: usage.reasoning },
        }
    }
}
