//! Money budgets: how much, for how long, and how much of it a call holds back before it is sent.

use crate::base::money::Microusd;
use crate::snapshot::key::Limit;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use std::sync::Arc;

const DAY_S: i64 = 86_400;
/// 1970 began on a Thursday: its first Monday was the fifth day.
const FIRST_MONDAY_S: i64 = 4 * DAY_S;

/// What a key or a team may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most in one period.
    pub most: Microusd,
    /// When it begins anew.
    pub period: Period,
    /// How much a call holds back.
    pub reserve: Reserve,
}

/// How long a budget lasts, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// How much a call holds back before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// What calls like it have cost: more of them run at once, and together they may overshoot.
    Expected,
    /// The most that it can cost: the budget is never overshot.
    Bound,
}

/// A group of keys.
#[derive(Debug)]
pub struct Team {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What its keys may spend together.
    pub budget: Option<Budget>,
    /// What its keys may do together.
    pub limit: Limit,
}

/// One period of a budget, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Its first second.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
}

impl Span {
    /// Whether the second lies within.
    #[must_use]
    pub const fn has(&self, second: i64) -> bool {
        self.from <= second && second < self.until
    }
}

impl Period {
    /// The word in the config.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period that `second` lies in.
    #[must_use]
    pub fn around(self, second: i64) -> Span {
        let even = |length: i64, first: i64| {
            let from = (second - first).div_euclid(length) * length + first;
            Span { from, until: from + length }
        };
        match self {
            Self::Day => even(DAY_S, 0),
            Self::Week => even(7 * DAY_S, FIRST_MONDAY_S),
            // a second that no calendar has is no time that a process sees
            Self::Month => month(second).unwrap_or_else(|| even(30 * DAY_S, 0)),
        }
    }
}

fn month(second: i64) -> Option<Span> {
    let first = Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC).date().first_of_month();
    let next = first.checked_add(1.month()).ok()?;
    let begins = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second());
    Some(Span { from: begins(first)?, until: begins(next)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn periods_turn_at_midnight_utc() {
        let check = |period: Period, now, from, until| {
            assert_eq!(period.around(at(now)), Span { from: at(from), until: at(until) }, "{period:?} of {now}");
        };
        check(Period::Day, "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        check(Period::Day, "2026-11-22T23:59:59Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        check(Period::Week, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z");
        check(Period::Week, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z");
        check(Period::Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
        check(Period::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    }

    #[test]
    fn f_148_no_second_of_a_wild_clock_is_outside_its_period() {
        for now in [i64::MIN / 2, -1, 0, 1, 253_402_300_800, i64::MAX / 2] {
            for period in [Period::Day, Period::Week, Period::Month] {
                assert!(period.around(now).has(now), "{period:?} at {now}");
            }
        }
    }
}
