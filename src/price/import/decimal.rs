//! Decimal numbers as price lists write them, kept to the last digit.

use std::cmp::Ordering;
use std::fmt;

/// Digits that a number may have: those of a float are 17 at most.
const MOST_DIGITS: usize = 30;
/// The largest exponent either way that is looked at.
const MOST_EXPONENT: i32 = 60;

/// A decimal number that is not negative: `mantissa` with the point so many digits from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    mantissa: u128,
    scale: i32,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The number of a JSON text such as `5e-07` or `1.25`; `None` for one that is negative, too long or none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || digits.len() > MOST_DIGITS || exponent.abs() > MOST_EXPONENT {
            return None;
        }
        let scale = i32::try_from(fraction.len()).ok()? - exponent;
        Some(Self { mantissa: digits.parse().ok()?, scale }.normal())
    }

    /// The same price of a million where this is that of one.
    #[must_use]
    pub const fn of_a_million(self) -> Self {
        Self { scale: self.scale - 6, ..self }.normal()
    }

    /// Twice as much.
    #[must_use]
    pub const fn doubled(self) -> Self {
        Self { mantissa: self.mantissa * 2, ..self }.normal()
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Without zeros at the end.
    const fn normal(mut self) -> Self {
        if self.mantissa == 0 {
            return Self::ZERO;
        }
        while self.mantissa.is_multiple_of(10) {
            self.mantissa /= 10;
            self.scale -= 1;
        }
        self
    }

    /// Digits before the point, and those behind it.
    fn parts(self) -> (String, String) {
        let digits = self.mantissa.to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let zeros = usize::try_from(-self.scale).unwrap_or(0);
        let padded = format!("{digits:0>width$}{}", "0".repeat(zeros), width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        (whole.to_owned(), fraction.to_owned())
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((whole, fraction), (other_whole, other_fraction)) = (self.parts(), other.parts());
        (whole.len(), whole, fraction).cmp(&(other_whole.len(), other_whole, other_fraction))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    /// All digits, without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = self.parts();
        if fraction.is_empty() { f.write_str(&whole) } else { write!(f, "{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_of_one_becomes_that_of_a_million_to_the_last_digit() {
        let check = |text: &str, expected: &str| {
            let price = Decimal::parse(text).map(|price| price.of_a_million().to_string());
            assert_eq!(price.as_deref(), Some(expected), "{text}");
        };
        check("5e-07", "0.5");
        check("5E-7", "0.5");
        check("1.5000999999999998e-07", "0.15000999999999998");
        check("0.000003", "3");
        check("3e-6", "3");
        check("1.25e-05", "12.5");
        check("2.8e-09", "0.0028");
        check("0", "0");
        check("0.0", "0");
        check("0.0032", "3200");
        check("1e2", "100000000");
        check("3.625e-09", "0.003625");
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-1", "+1", "1e", "e5", ".", "1.2.3", "NaN", "\"1\"", "null", "1e99", "1e-99", "0x1", "1_0"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse(&"1".repeat(31)), None);
    }

    #[test]
    fn numbers_are_ordered_by_what_they_say() {
        let number = |text| Decimal::parse(text).unwrap();
        for (less, more) in [("0", "1e-9"), ("0.09", "0.1"), ("9", "10"), ("9.99", "10"), ("0.5", "0.55"), ("2", "2.1")]
        {
            assert!(number(less) < number(more), "{less} < {more}");
        }
        assert_eq!(number("0.50"), number("5e-1"));
        assert_eq!(number("2.5e-7").doubled(), number("5e-7"));
    }
}
