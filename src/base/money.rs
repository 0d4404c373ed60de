//! Money in whole micro-dollars: no floating point in anything that is added up.

use crate::base::decimal::Decimal;
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// An amount in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microusd(pub u64);

impl Add for Microusd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Microusd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl Microusd {
    /// Dollars with six decimals, as in `0.001250`.
    #[must_use]
    pub fn dollars(self) -> Decimal {
        Decimal::new(self.0, 6)
    }
}

impl fmt::Display for Microusd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dollars().fmt(f)
    }
}

/// A price in micro-dollars per million tokens, which is also picodollars per token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenPrice(pub u64);

impl fmt::Display for TokenPrice {
    /// Dollars per million tokens without zeros at the end, as in `0.66`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Microusd(self.0).to_string();
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl TokenPrice {
    /// What `tokens` tokens cost, rounded up to the next micro-dollar.
    #[must_use]
    pub const fn of(self, tokens: u64) -> Microusd {
        let cost = (self.0 as u128 * tokens as u128).div_ceil(1_000_000);
        Microusd(if cost > u64::MAX as u128 { u64::MAX } else { cost as u64 })
    }
}
