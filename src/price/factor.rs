//! Factors of prices: uplifts, discounts, the bounds of a surge.

use crate::base::money::TokenPrice;

const ONE: u64 = 1_000_000;

/// A factor in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u64);

impl Factor {
    /// The factor that changes nothing.
    pub const UNIT: Self = Self(ONE);

    /// The nearest factor to a number as people write it; what is negative counts as 0.
    #[must_use]
    pub fn nearest(number: f64) -> Self {
        // float casts saturate
        Self((number * ONE as f64).round() as u64)
    }

    /// The price so many times, rounded up.
    #[must_use]
    pub const fn of(self, price: TokenPrice) -> TokenPrice {
        let product = (price.0 as u128 * self.0 as u128).div_ceil(ONE as u128);
        TokenPrice(if product > u64::MAX as u128 { u64::MAX } else { product as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_more_is_a_tenth_more_to_the_micro_dollar() {
        let check = |factor: f64, price: u64, expected: u64| {
            assert_eq!(Factor::nearest(factor).of(TokenPrice(price)), TokenPrice(expected), "{factor} of {price}");
        };
        check(1.1, 5_000_000, 5_500_000);
        check(1.1, 3, 4);
        check(0.5, 2_500_000, 1_250_000);
        check(1.0, u64::MAX, u64::MAX);
        check(2.0, u64::MAX, u64::MAX);
        check(-1.0, 7, 0);
    }
}
