//! What policy is asked about a call.

use crate::base::money::TokenPrice;
use crate::call::needs::Needs;
use std::sync::Arc;

/// What policy is asked about a call, beside who calls and which deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Data classes that the call holds, sorted: the key's and those that headers added.
    pub data: Vec<Arc<str>>,
    /// Zone where the data must stay, `any` where they may go anywhere.
    pub residency: Arc<str>,
    /// Whether the call's user is screened for export control.
    pub screened: bool,
    /// What the call demands; policy sees `store`, hosted tools and server ids.
    pub needs: Needs,
    /// Attempts made so far.
    pub attempt: u32,
    /// Workflow depth, 0 for a client's own call.
    pub depth: u32,
    /// Prompt tokens, estimated.
    pub input_tokens: u64,
    /// Answer tokens, estimated.
    pub output_tokens: u64,
    /// Hour of the day, UTC.
    pub hour: u32,
}

impl Ask {
    /// What the call is expected to cost at these prices of a prompt and an answer token, in micro-dollars: 0 where no
    /// price is known, so that what an unknown price means is asked of `price_known` alone.
    pub(super) fn estimated_cost(&self, price: Option<(TokenPrice, TokenPrice)>) -> u64 {
        let Some((input, output)) = price else { return 0 };
        let cost = |tokens: u64, price: TokenPrice| tokens.saturating_mul(price.0) / 1_000_000;
        cost(self.input_tokens, input).saturating_add(cost(self.output_tokens, output))
    }
}
