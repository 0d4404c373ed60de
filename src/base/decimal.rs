//! Whole numbers as decimal digits. Nothing that is written with every call goes through the formatter, which would take most
//! of the time of a short line.

use std::fmt;

/// The digits of a number.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    text: [u8; LONGEST],
    begin: usize,
}

/// 20 digits of the largest number, and a point.
const LONGEST: usize = 21;

impl Decimal {
    /// The digits of `value`, the last `places` of them behind a point: 1250 with 6 places is `0.001250`. At most 19 places.
    #[must_use]
    pub fn new(value: u64, places: usize) -> Self {
        let (mut text, mut begin, mut left) = ([b'0'; LONGEST], LONGEST, value);
        // a digit stands before the point, whatever the value
        let fewest = if places == 0 { 1 } else { places + 2 };
        for (written, place) in text.iter_mut().rev().enumerate() {
            if left == 0 && written >= fewest {
                break;
            }
            begin -= 1;
            if written == places && places > 0 {
                *place = b'.';
            } else {
                *place = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
        Self { text, begin }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.text.get(self.begin..).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_written_as_people_write_them() {
        let check = |value, places, text| assert_eq!(Decimal::new(value, places).as_str(), text);
        check(0, 0, "0");
        check(7, 0, "7");
        check(1_200, 0, "1200");
        check(u64::MAX, 0, "18446744073709551615");
        check(0, 1, "0.0");
        check(12_346, 1, "1234.6");
        check(1_250, 6, "0.001250");
        check(67, 6, "0.000067");
        check(12_000_000, 6, "12.000000");
        check(u64::MAX, 6, "18446744073709.551615");
        check(1, 19, "0.0000000000000000001");
    }
}
