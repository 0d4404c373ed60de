//! What policy is asked about a call.

use crate::base::money::TokenPrice;
use crate::call::needs::Needs;
use crate::policy::inventory::DeploymentFacts;
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
    /// Prompt and answer tokens, each rounded up by no more than an eighth, so that calls of similar size share decisions.
    pub(super) const fn size(&self) -> (u64, u64) {
        (rounded_up(self.input_tokens, 4), rounded_up(self.output_tokens, 4))
    }

    /// What the call is expected to cost there, in micro-dollars: 0 where no price is known, so that what an unknown
    /// price means is asked of `price_known` alone.
    pub(super) fn estimated_cost(&self, deployment: Option<&DeploymentFacts>) -> u64 {
        let price = deployment.and_then(|deployment| deployment.price_of(self.input_tokens));
        let Some((input, output)) = price else { return 0 };
        let (input_tokens, output_tokens) = self.size();
        let cost = |tokens: u64, price: TokenPrice| tokens.saturating_mul(price.0) / 1_000_000;
        rounded_up(cost(input_tokens, input).saturating_add(cost(output_tokens, output)), 5)
    }
}

/// The number rounded up to so many significant binary digits.
const fn rounded_up(number: u64, digits: u32) -> u64 {
    let more = (u64::BITS - number.leading_zeros()).saturating_sub(digits);
    let step = 1 << more;
    number.div_ceil(step).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_up_by_their_size() {
        let check = |number, digits, expected| assert_eq!(rounded_up(number, digits), expected, "{number} {digits}");
        for (number, expected) in [(0, 0), (15, 15), (16, 16), (17, 18), (1000, 1024), (1025, 1152), (1152, 1152)] {
            check(number, 4, expected);
        }
        check(1025, 5, 1088);
        check(u64::MAX, 4, u64::MAX);
    }
}
