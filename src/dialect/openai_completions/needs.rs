//! What a request needs.

use crate::call::needs::Need;
use crate::dialect::members::Rule;

/// Every member that has a known meaning, the commonest first.
pub(super) const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("prompt", Rule::Plain),
    ("stream", Rule::Stream),
    ("stream_options", Rule::StreamOptions),
    ("max_tokens", Rule::MaxTokens("max_tokens")),
    ("temperature", Rule::NotOne(Need::Temperature)),
    ("top_p", Rule::NotOne(Need::Temperature)),
    ("stop", Rule::Plain),
    ("user", Rule::Plain),
    ("n", Rule::AboveOne(Need::Choices)),
    ("best_of", Rule::AboveOne(Need::Choices)),
    ("seed", Rule::Given(Need::Seed)),
    ("logprobs", Rule::Given(Need::Logprobs)),
    ("logit_bias", Rule::Filled(Need::LogitBias)),
    ("frequency_penalty", Rule::NonZero(Need::Penalties)),
    ("presence_penalty", Rule::NonZero(Need::Penalties)),
    ("echo", Rule::True(Need::Prefill)),
    ("suffix", Rule::Given(Need::Prefill)),
];
