//! How long a vendor asks us to wait: from its headers, its body, or the window that is spent.

use crate::base::failure::FailureKind;
use crate::dialect::profile::Profile;
use crate::dialect::signals::words::Words;
use crate::dialect::signals::{quota, reset};
use http::HeaderMap;
use std::time::Duration;

/// No wait is shorter: a vendor that says 0 is not hammered.
const SHORTEST: Duration = Duration::from_millis(250);
/// No wait is longer: a hint does not take a deployment out for a day.
const LONGEST: Duration = Duration::from_secs(300);

/// The wait that is meant, if any: a hint counts where waiting can help, and where the profile says that it is meant.
pub(super) fn read(
    profile: &Profile,
    kind: FailureKind,
    headers: &HeaderMap,
    words: &Words,
    now_s: u64,
) -> Option<Duration> {
    let spent = || quota::read(headers, now_s).whole_in();
    let asked = || in_headers(headers, now_s).or(words.wait);
    let wait = match kind {
        FailureKind::RateLimited => asked().or_else(spent),
        FailureKind::ServerError => asked(),
        FailureKind::Overloaded if profile.retry_after_on_overload => asked(),
        // a quota is there again when its window is whole; "try again in 20 s" is said beside an empty purse too
        FailureKind::Quota => spent(),
        _ => None,
    };
    wait.map(|wait| wait.clamp(SHORTEST, LONGEST))
}

/// `retry-after-ms`, which wins when it is above zero, or `retry-after` in seconds or as an HTTP-date (RFC 9110, 10.2.3).
pub(super) fn in_headers(headers: &HeaderMap, now_s: u64) -> Option<Duration> {
    let value = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let seconds = |number: f64| Duration::from_secs_f64(number.min(LONGEST.as_secs_f64()));
    if let Some(millis) = value("retry-after-ms").and_then(number).filter(|millis| *millis > 0.0) {
        return Some(seconds(millis / 1000.0));
    }
    let text = value("retry-after")?;
    number(text).or_else(|| seconds_until(text, now_s)).map(seconds).or_else(|| reset::parse(text, now_s))
}

fn seconds_until(date: &str, now_s: u64) -> Option<f64> {
    let moment = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    let now = i64::try_from(now_s).ok()?;
    Some(moment.saturating_sub(now).max(0) as f64)
}
