//! How long until something is free again, in the grammars in which vendors say it.

use std::time::Duration;

/// No reset further away is believed: a month is the longest window that vendors sell.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);
/// A moment further back is not believed: `1970-01-01T00:00:00Z` says that there is none (recording 3cbbeaef153b7ce6).
const PAST_S: f64 = 3600.0;
/// A bare number above this is a moment in seconds since 1970, and above the next one in milliseconds.
const EPOCH_S: f64 = 1e9;
const EPOCH_MS: f64 = 1e12;

/// Reads a reset in any of the grammars: Go's `6m0s` and `12ms`, whole or broken seconds, protobuf's `48.9s`, RFC 3339, and
/// the bare moment. `now_s` is the wall clock in seconds since 1970. Nonsense, the far past and the far future are `None`.
pub(super) fn parse(text: &str, now_s: u64) -> Option<Duration> {
    let text = text.trim();
    let seconds = match text.parse::<f64>() {
        Ok(number) if number > EPOCH_MS => until(number / 1000.0, now_s)?,
        Ok(number) if number > EPOCH_S => until(number, now_s)?,
        Ok(number) => number,
        Err(_) => units(text).or_else(|| until(moment(text)?, now_s))?,
    };
    let sound = seconds.is_finite() && (0.0..=LONGEST.as_secs_f64()).contains(&seconds);
    sound.then(|| Duration::from_secs_f64(seconds))
}

/// Reads the wait out of a sentence: `Please try again in 6m0s.`, `Please retry after 60 seconds.`
pub(super) fn in_words(message: &str) -> Option<Duration> {
    const BEFORE: [&str; 6] =
        ["try again in ", "retry in ", "retry after ", "try again after ", "wait ", "reset after "];
    let lower = message.to_ascii_lowercase();
    BEFORE.iter().find_map(|before| {
        let rest = lower.split_once(before)?.1.trim_start();
        let rest = rest.strip_prefix("about ").unwrap_or(rest);
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, unit) = rest.split_at(number_end);
        let scale = match unit.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next()? {
            "second" | "seconds" | "sec" | "secs" => 1.0,
            "minute" | "minutes" | "min" | "mins" => 60.0,
            "hour" | "hours" => 3600.0,
            "millisecond" | "milliseconds" => 0.001,
            _ => {
                return parse(rest.split(|c: char| c.is_whitespace() || c == ',').next()?.trim_end_matches('.'), 0)
                    .filter(|_| unit.starts_with(|c: char| c.is_ascii_alphabetic()));
            }
        };
        let number: f64 = number.trim_end_matches('.').parse().ok()?;
        parse(&format!("{}", number * scale), 0)
    })
}

/// Go's durations, of which protobuf's are a part: numbers, each with its unit.
fn units(text: &str) -> Option<f64> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    (!text.is_empty()).then_some(seconds)
}

/// RFC 3339, in seconds since 1970.
fn moment(text: &str) -> Option<f64> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(moment.as_second() as f64)
}

/// The seconds until a moment; none for one that has just passed.
fn until(moment_s: f64, now_s: u64) -> Option<f64> {
    let left = moment_s - now_s as f64;
    (left > -PAST_S).then(|| left.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of 2026-11-21.
    const NOW_S: u64 = 1_795_262_400;

    #[test]
    fn f_075_every_grammar_of_a_reset_is_read_and_nonsense_is_none() {
        for (text, millis) in [
            ("6m0s", Some(360_000)),
            ("12ms", Some(12)),
            ("0s", Some(0)),
            ("21m36.001s", Some(1_296_001)),
            ("1h2m3s", Some(3_723_000)),
            ("2d3h", Some(183_600_000)),
            ("7", Some(7_000)),
            ("0", Some(0)),
            ("24482.894107818604", Some(24_482_894)),
            ("2026-11-21T12:00:30Z", Some(30_000)),
            ("2026-11-21T13:00:30+01:00", Some(30_000)),
            ("2026-11-21T11:59:58Z", Some(0)),
            ("1970-01-01T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("1795262410", Some(10_000)),
            ("1795262410000", Some(10_000)),
            ("48.9s", Some(48_900)),
            ("-1", None),
            ("-5s", None),
            ("1e99", None),
            ("inf", None),
            ("NaN", None),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
            ("s", None),
        ] {
            let read = parse(text, NOW_S).map(|wait| wait.as_millis());
            assert_eq!(read, millis, "{text}");
        }
    }

    #[test]
    fn a_wait_is_read_out_of_a_sentence() {
        for (text, millis) in [
            ("Limit 3, Used 3. Please try again in 20s. Visit https://x", Some(20_000)),
            ("Please try again in 6m0s.", Some(360_000)),
            ("Please try again in 2.94s. Need more?", Some(2_940)),
            ("Please retry after 60 seconds. Please go here", Some(60_000)),
            ("Please retry in 48.914651469s.", Some(48_914)),
            ("Rate limit is exceeded. Try again in 4 seconds.", Some(4_000)),
            ("Try again in 7.5 minutes.", Some(450_000)),
            ("Please try again in 250ms", Some(250)),
            ("Please try again in a moment", None),
            ("Please wait before trying again.", None),
            ("retry after ", None),
            ("try again in 5 bananas", None),
        ] {
            assert_eq!(in_words(text).map(|wait| wait.as_millis()), millis, "{text}");
        }
    }
}
