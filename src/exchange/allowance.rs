//! What a limited key is told with every answer: how much is left, in the headers that SDKs and people know.

use crate::state::bucket::Level;
use crate::state::terms::Levels;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// `limit`, `remaining` and `reset` of one kind.
type Names = [HeaderName; 3];

/// OpenAI's grammar (<https://platform.openai.com/docs/guides/rate-limits>), which all clients get.
const REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
/// Anthropic's (<https://docs.anthropic.com/en/api/rate-limits>), for its own clients.
const ANTHROPIC_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// Writes how the limits of requests and tokens stand.
pub(crate) fn tell(headers: &mut HeaderMap, levels: Levels, anthropic: bool) {
    let pairs = [(levels.requests, REQUESTS, ANTHROPIC_REQUESTS), (levels.tokens, TOKENS, ANTHROPIC_TOKENS)];
    for (level, names, anthropic_names) in pairs {
        let Some(level) = level else { continue };
        write(headers, names, level, &span(level.full_in));
        if anthropic {
            write(headers, anthropic_names, level, &moment(Timestamp::now(), level.full_in));
        }
    }
}

fn write(headers: &mut HeaderMap, [limit, remaining, reset]: Names, level: Level, full: &str) {
    headers.insert(limit, HeaderValue::from(level.limit));
    headers.insert(remaining, HeaderValue::from(level.remaining));
    if let Ok(full) = HeaderValue::from_str(full) {
        headers.insert(reset, full);
    }
}

/// As in `6m0s`, `1.5s` or `20ms`.
fn span(wait: Duration) -> String {
    let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let (minutes, seconds, rest) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
    let thousandths = format!(".{rest:03}");
    let fraction = if rest == 0 { "" } else { thousandths.trim_end_matches('0') };
    match (minutes, seconds) {
        (0, 0) => format!("{rest}ms"),
        (0, _) => format!("{seconds}{fraction}s"),
        _ => format!("{minutes}m{seconds}{fraction}s"),
    }
}

/// RFC 3339, rounded up to the next second.
fn moment(now: Timestamp, wait: Duration) -> String {
    let seconds = i64::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX);
    let then = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    format!("{then:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_vendors_tell_them() {
        let check = |ms, text| assert_eq!(span(Duration::from_millis(ms)), text);
        check(0, "0ms");
        check(20, "20ms");
        check(1_000, "1s");
        check(1_500, "1.5s");
        check(59_999, "59.999s");
        check(360_000, "6m0s");
        check(90_050, "1m30.05s");
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(moment(now, Duration::from_millis(1_200)), "2026-11-22T10:00:02Z");
    }
}
