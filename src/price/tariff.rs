//! One row of a price list: what each kind of token costs.

use crate::base::money::{Microusd, TokenPrice};
use crate::call::usage::Usage;
use crate::price::Factor;

/// What each kind of token costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// A fresh prompt token.
    pub input: TokenPrice,
    /// A prompt token read from the vendor's cache.
    pub cached: TokenPrice,
    /// A prompt token written to the vendor's cache for minutes.
    pub written: TokenPrice,
    /// A prompt token written to the vendor's cache for an hour.
    pub written_1h: TokenPrice,
    /// An answer token that is no reasoning.
    pub output: TokenPrice,
    /// A token of reasoning.
    pub reasoning: TokenPrice,
}

impl Tariff {
    /// One price for everything that goes in, and one for everything that comes out.
    #[must_use]
    pub const fn flat(input: TokenPrice, output: TokenPrice) -> Self {
        Self { input, cached: input, written: input, written_1h: input, output, reasoning: output }
    }

    /// What an answer of this usage costs, rounded up once to the next micro-dollar.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Microusd {
        let (reasoning, written_1h) = (usage.reasoning.min(usage.output), usage.written_1h.min(usage.written));
        let parts = [
            (self.input, usage.fresh),
            (self.cached, usage.cached),
            (self.written, usage.written - written_1h),
            (self.written_1h, written_1h),
            (self.output, usage.output - reasoning),
            (self.reasoning, reasoning),
        ];
        let sum = parts.iter().map(|(price, tokens)| u128::from(price.0) * u128::from(*tokens));
        let millionths = sum.fold(0_u128, u128::saturating_add);
        // nearly every sum fits in a word, whose division costs a tenth
        let whole = u64::try_from(millionths).map(|millionths| millionths.div_ceil(1_000_000));
        Microusd(whole.or_else(|_| u64::try_from(millionths.div_ceil(1_000_000))).unwrap_or(u64::MAX))
    }

    /// Every price so many times.
    #[must_use]
    pub const fn times(self, factor: Factor) -> Self {
        Self {
            input: factor.of(self.input),
            cached: factor.of(self.cached),
            written: factor.of(self.written),
            written_1h: factor.of(self.written_1h),
            output: factor.of(self.output),
            reasoning: factor.of(self.reasoning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_has_its_price_and_the_sum_is_rounded_up_once() {
        let tariff = Tariff {
            input: TokenPrice(5_000_000),
            cached: TokenPrice(500_000),
            written: TokenPrice(6_250_000),
            written_1h: TokenPrice(10_000_000),
            output: TokenPrice(30_000_000),
            reasoning: TokenPrice(60_000_000),
        };
        let check = |usage: Usage, expected: u64| assert_eq!(tariff.cost(&usage), Microusd(expected), "{usage:?}");
        check(Usage::default(), 0);
        check(Usage { fresh: 1_000, cached: 10_000, written: 100, output: 50, ..Usage::default() }, 12_125);
        check(Usage { written: 100, written_1h: 40, ..Usage::default() }, 775);
        check(Usage { output: 50, reasoning: 20, ..Usage::default() }, 2_100);
        // half a micro-dollar and an eighth of ten make one and three quarters, not three
        check(Usage { cached: 1, written: 1, ..Usage::default() }, 7);
        // a vendor that counts more reasoning than answer is not believed
        check(Usage { output: 1, reasoning: u64::MAX, ..Usage::default() }, 60);
        check(Usage { fresh: u64::MAX, cached: u64::MAX, ..Usage::default() }, u64::MAX);
    }
}
