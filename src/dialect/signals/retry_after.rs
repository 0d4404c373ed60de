//! How long a vendor asks us to wait.

use http::HeaderMap;
use std::time::Duration;

/// No wait is shorter: a vendor that says 0 is not hammered.
const SHORTEST: Duration = Duration::from_millis(250);
/// No wait is longer: a hint does not take a deployment out for a day.
const LONGEST: Duration = Duration::from_secs(300);

/// Reads `retry-after-ms`, which wins when it is above zero, or `retry-after` in seconds or as an HTTP-date (RFC 9110, 10.2.3).
pub(super) fn read(headers: &HeaderMap, now_s: u64) -> Option<Duration> {
    let value = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if let Some(millis) = value("retry-after-ms").and_then(number).filter(|millis| *millis > 0.0) {
        return Some(clamp(millis / 1000.0));
    }
    let text = value("retry-after")?;
    number(text).or_else(|| seconds_until(text, now_s)).map(clamp)
}

fn seconds_until(date: &str, now_s: u64) -> Option<f64> {
    let moment = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    let now = i64::try_from(now_s).ok()?;
    Some(moment.saturating_sub(now).max(0) as f64)
}

fn clamp(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())).max(SHORTEST)
}
