//! Times of the week at which another price holds, in UTC.

const MINUTE_S: i64 = 60;
const DAY_MINUTES: i64 = 24 * 60;
const DAY_S: i64 = DAY_MINUTES * MINUTE_S;
/// 1970-01-01 was the fourth day of its week.
const FIRST_DAY: i64 = 3;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// The names of the days, Monday first.
    pub const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// A day by the beginning of its English name: `mon`, `Tuesday`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Self::NAMES.iter().position(|known| lower.starts_with(known)).map(|day| Self(1 << day))
    }

    /// Both these days and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, day: i64) -> bool {
        self.0 & (1 << day.rem_euclid(7)) != 0
    }
}

/// A part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Minute of the day.
    from: i64,
    /// Minute of the day at which it is over; one beyond the day's own lies in the next day.
    to: i64,
}

impl Span {
    const DAY: Self = Self { from: 0, to: DAY_MINUTES };

    /// `HH:MM-HH:MM`. A span that ends before it begins goes on into the next day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from.trim())?, minute(to.trim())?);
        (from < DAY_MINUTES).then_some(Self { from, to: if to > from { to } else { to + DAY_MINUTES } })
    }
}

/// Parts of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    days: Days,
    spans: Vec<Span>,
}

impl Times {
    /// These spans of each of these days; the whole day where there are none.
    #[must_use]
    pub fn new(days: Days, spans: Vec<Span>) -> Self {
        Self { days, spans: if spans.is_empty() { vec![Span::DAY] } else { spans } }
    }

    /// Whether a second since 1970 lies in one of the spans.
    #[must_use]
    pub fn hold(&self, at: i64) -> bool {
        let (day, minute) = (at.div_euclid(DAY_S), at.rem_euclid(DAY_S) / MINUTE_S);
        let within = |day: i64, minute: i64| {
            self.days.has(day + FIRST_DAY) && self.spans.iter().any(|span| (span.from..span.to).contains(&minute))
        };
        within(day, minute) || within(day - 1, minute + DAY_MINUTES)
    }

    /// The next second after `at` at which a span begins or ends.
    #[must_use]
    pub fn next_change(&self, at: i64) -> Option<i64> {
        let today = at.div_euclid(DAY_S);
        let days = (today - 1..=today + 7).filter(|day| self.days.has(day + FIRST_DAY));
        let edges = days.flat_map(|day| {
            self.spans.iter().flat_map(move |span| [span.from, span.to].map(|minute| day * DAY_S + minute * MINUTE_S))
        });
        edges.filter(|edge| *edge > at).min()
    }
}

/// `HH:MM` up to `24:00`.
fn minute(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let minute = number(hours)?.checked_mul(60)?.checked_add(number(minutes).filter(|minutes| *minutes < 60)?)?;
    (minute <= DAY_MINUTES).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: i64 = 3_600;
    /// 2026-11-23, a Monday, at midnight.
    const MONDAY: i64 = 20_780 * DAY_S;

    fn times(hours: &[&'static str], days: &[&'static str]) -> Times {
        let days = days.iter().map(|day| Days::named(day).unwrap()).reduce(Days::and).unwrap_or(Days::ALL);
        Times::new(days, hours.iter().map(|text| Span::parse(text).unwrap()).collect())
    }

    #[test]
    fn spans_hold_on_their_days_and_past_midnight() {
        let check = |times: &Times, day: i64, hour: i64, expected: bool| {
            assert_eq!(times.hold(MONDAY + day * DAY_S + hour * HOUR_S), expected, "{times:?} on day {day} at {hour}");
        };
        let peak = times(&["01:00-04:00", "06:00-10:00"], &["mon", "Tuesday", "wed", "thu", "fri"]);
        check(&peak, 0, 0, false);
        check(&peak, 0, 1, true);
        check(&peak, 0, 4, false);
        check(&peak, 4, 9, true);
        check(&peak, 5, 9, false);
        let night = times(&["22:00-02:00"], &["sun"]);
        check(&night, 0, 1, true);
        check(&night, 0, 2, false);
        check(&night, 6, 23, true);
        check(&night, 6, 1, false);
        let weekend = times(&[], &["sat", "sun"]);
        check(&weekend, 5, 0, true);
        check(&weekend, 7, 0, false);
        check(&times(&["00:00-24:00"], &[]), 3, 23, true);
        check(&times(&["10:00-00:00"], &["mon"]), 0, 23, true);
        check(&times(&["10:00-00:00"], &["mon"]), 1, 0, false);
    }

    #[test]
    fn the_next_change_is_the_next_edge() {
        let peak = times(&["01:00-04:00", "06:00-10:00"], &["mon", "fri"]);
        assert_eq!(peak.next_change(MONDAY), Some(MONDAY + HOUR_S));
        assert_eq!(peak.next_change(MONDAY + HOUR_S), Some(MONDAY + 4 * HOUR_S));
        assert_eq!(peak.next_change(MONDAY + 10 * HOUR_S), Some(MONDAY + 4 * DAY_S + HOUR_S));
        let night = times(&["22:00-02:00"], &["sun"]);
        assert_eq!(night.next_change(MONDAY), Some(MONDAY + 2 * HOUR_S));
    }

    #[test]
    fn what_is_no_time_is_told() {
        for wrong in ["", "1-4", "25:00-26:00", "01:60-02:00", "01:00", "24:00-01:00", "-1:00-02:00", "+1:00-02:00"] {
            assert_eq!(Span::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Days::named("someday"), None);
    }
}
