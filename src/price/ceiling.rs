//! The most that a call may cost by the token.

use crate::base::money::TokenPrice;
use crate::price::{Factor, Tariff};

/// Prices that a call accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceiling {
    /// A prompt token.
    pub input: Option<TokenPrice>,
    /// An answer token.
    pub output: Option<TokenPrice>,
}

impl Ceiling {
    /// Whether it bounds nothing.
    #[must_use]
    pub const fn is_open(self) -> bool {
        self.input.is_none() && self.output.is_none()
    }

    /// Whether the tariff lies within; an unknown one does not where there is a ceiling.
    #[must_use]
    pub fn admits(self, tariff: Option<&Tariff>) -> bool {
        let within = |ceiling: Option<TokenPrice>, price: Option<TokenPrice>| match (ceiling, price) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ceiling), Some(price)) => price <= ceiling,
        };
        within(self.input, tariff.map(|tariff| tariff.input)) && within(self.output, tariff.map(|tariff| tariff.output))
    }

    /// The ceiling so many times as high.
    #[must_use]
    pub fn times(self, factor: Factor) -> Self {
        Self { input: self.input.map(|price| factor.of(price)), output: self.output.map(|price| factor.of(price)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_price_is_above_every_ceiling() {
        let tariff = |input, output| Some(Tariff::flat(TokenPrice(input), TokenPrice(output)));
        let ceiling = |input: Option<u64>, output: Option<u64>| Ceiling {
            input: input.map(TokenPrice),
            output: output.map(TokenPrice),
        };
        let check = |tariff: Option<Tariff>, ceiling: Ceiling, fits: bool| {
            assert_eq!(ceiling.admits(tariff.as_ref()), fits, "{tariff:?} {ceiling:?}");
        };
        check(None, Ceiling::default(), true);
        check(None, ceiling(Some(5), None), false);
        check(None, ceiling(Some(9), Some(9)), false);
        check(tariff(5, 20), ceiling(Some(5), Some(20)), true);
        check(tariff(5, 20), ceiling(Some(4), None), false);
        check(tariff(5, 21), ceiling(Some(5), Some(20)), false);
        check(tariff(6, 24), ceiling(Some(5), Some(20)).times(Factor::nearest(1.2)), true);
        check(tariff(7, 24), ceiling(Some(5), Some(20)).times(Factor::nearest(1.2)), false);
    }
}
