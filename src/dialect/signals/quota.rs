//! What is left of a vendor's quota, read from the headers of any answer: a deployment whose headroom would not carry a
//! call is passed over before the vendor has to say 429.

use crate::dialect::signals::reset;
use http::{HeaderMap, HeaderName};
use std::time::Duration;

/// What is left for one credential and model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Requests.
    pub requests: Option<Window>,
    /// Tokens of prompts and answers together.
    pub tokens: Option<Window>,
    /// Tokens of prompts.
    pub input_tokens: Option<Window>,
    /// Tokens of answers.
    pub output_tokens: Option<Window>,
}

/// One window of a quota. It is there only where the vendor enforces it and says what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What the whole window holds.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: u64,
    /// How long until it is whole again, from the answer on. `None`: the vendor does not say, or says what cannot be.
    pub reset: Option<Duration>,
    /// Whether it fills up bit by bit until then (a token bucket, as OpenAI, Anthropic and Groq have it), and not all at once
    /// at the end of a minute or a day.
    pub refills: bool,
}

impl Quota {
    /// Whether the answer told nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.input_tokens.is_none() && self.output_tokens.is_none()
    }

    /// Whether nothing is left of some window.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.spent().next().is_some()
    }

    /// How long until the windows that are spent are whole again; `None` where none is, or where none says when.
    #[must_use]
    pub fn whole_in(&self) -> Option<Duration> {
        self.spent().filter_map(|window| window.reset).max()
    }

    fn spent(&self) -> impl Iterator<Item = Window> {
        let windows = [self.requests, self.tokens, self.input_tokens, self.output_tokens];
        windows.into_iter().flatten().filter(|window| window.remaining == 0)
    }

    fn meter(&mut self, meter: Meter) -> &mut Option<Window> {
        match meter {
            Meter::Requests => &mut self.requests,
            Meter::Tokens => &mut self.tokens,
            Meter::InputTokens => &mut self.input_tokens,
            Meter::OutputTokens => &mut self.output_tokens,
        }
    }
}

/// What a window counts.
#[derive(Clone, Copy, Debug)]
enum Meter {
    Requests,
    Tokens,
    InputTokens,
    OutputTokens,
}

/// One window as a vendor's headers name it.
struct Series {
    meter: Meter,
    limit: HeaderName,
    remaining: HeaderName,
    /// `None` where there is no such header.
    reset: Option<HeaderName>,
    /// How long the window is, where the header's name says so and no header says when it is whole again.
    length: Option<Duration>,
}

const SECOND: Option<Duration> = Some(Duration::from_secs(1));
const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const DAY: Option<Duration> = Some(Duration::from_secs(24 * 3600));

const fn series(
    meter: Meter,
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
    length: Option<Duration>,
) -> Series {
    Series {
        meter,
        limit: HeaderName::from_static(limit),
        remaining: HeaderName::from_static(remaining),
        reset: if reset.is_empty() { None } else { Some(HeaderName::from_static(reset)) },
        length,
    }
}

/// Every window that vendors tell. Where several are of one meter, the one with the least left counts.
#[rustfmt::skip]
static SERIES: [Series; 22] = [
    // OpenAI (Go's durations), Azure (whole seconds), Groq (requests a day, tokens a minute), xAI (no reset), Fireworks
    series(Meter::Requests, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", None),
    series(Meter::Tokens, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", None),
    series(Meter::Tokens, "x-ratelimit-limit-tokens_usage_based", "x-ratelimit-remaining-tokens_usage_based", "x-ratelimit-reset-tokens_usage_based", None),
    series(Meter::Tokens, "x-ratelimit-limit-project-tokens", "x-ratelimit-remaining-project-tokens", "x-ratelimit-reset-project-tokens", None),
    series(Meter::InputTokens, "x-ratelimit-limit-tokens-prompt", "x-ratelimit-remaining-tokens-prompt", "", None),
    series(Meter::OutputTokens, "x-ratelimit-limit-tokens-generated", "x-ratelimit-remaining-tokens-generated", "", None),
    // Anthropic (RFC 3339)
    series(Meter::Requests, "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", None),
    series(Meter::Tokens, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", None),
    series(Meter::InputTokens, "anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset", None),
    series(Meter::OutputTokens, "anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset", None),
    // Cerebras and SambaNova (broken seconds)
    series(Meter::Requests, "x-ratelimit-limit-requests-minute", "x-ratelimit-remaining-requests-minute", "x-ratelimit-reset-requests-minute", MINUTE),
    series(Meter::Requests, "x-ratelimit-limit-requests-day", "x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day", DAY),
    series(Meter::Tokens, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute", MINUTE),
    series(Meter::Tokens, "x-ratelimit-limit-tokens-day", "x-ratelimit-remaining-tokens-day", "x-ratelimit-reset-tokens-day", DAY),
    // Mistral, now and before
    series(Meter::Requests, "x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute", "", MINUTE),
    series(Meter::Tokens, "x-ratelimit-limit-tokens-month", "x-ratelimit-remaining-tokens-month", "", None),
    series(Meter::Tokens, "ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset", MINUTE),
    series(Meter::Tokens, "x-ratelimitbysize-limit-month", "x-ratelimitbysize-remaining-month", "", None),
    // Together
    series(Meter::Requests, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", SECOND),
    series(Meter::Tokens, "x-tokenlimit-limit", "x-tokenlimit-remaining", "x-tokenlimit-reset", SECOND),
    // Cohere's trial keys
    series(Meter::Requests, "x-trial-endpoint-call-limit", "x-trial-endpoint-call-remaining", "", MINUTE),
    // gateways that follow the IETF's draft
    series(Meter::Requests, "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", MINUTE),
];

/// Reads the quota that an answer tells, be it of success or of failure. `now_s` is the wall clock in seconds since 1970.
///
/// `-1` and a limit of 0 say that nothing is enforced (Azure, recording 4cb47188697c8feb); a reset that cannot be is left out.
#[must_use]
pub fn read(headers: &HeaderMap, now_s: u64) -> Quota {
    let mut quota = Quota::default();
    // most answers tell little or nothing: to look every series up would cost more than to look at every header once
    let names = headers.keys().filter(|name| name.as_str().contains("remaining"));
    for series in names.flat_map(|name| SERIES.iter().filter(move |series| series.remaining == name)) {
        let Some(window) = window(headers, series, now_s) else { continue };
        let kept = quota.meter(series.meter);
        if kept.is_none_or(|kept| window.remaining < kept.remaining) {
            *kept = Some(window);
        }
    }
    quota
}

fn window(headers: &HeaderMap, series: &Series, now_s: u64) -> Option<Window> {
    let value = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let remaining: u64 = value(&series.remaining)?.parse().ok()?;
    let told = value(&series.limit);
    let limit = told.and_then(|text| text.parse::<u64>().ok()).filter(|limit| *limit > 0);
    // a limit that says "none", and nothing left of a limit that is not told
    if limit.is_none() && (told.is_some() || remaining == 0) {
        return None;
    }
    let reset = series.reset.as_ref().and_then(value);
    let reset = reset.map_or(series.length, |text| reset::parse(text, now_s));
    let refills = series.length.is_none() && reset.is_some();
    // more left than the window holds (Together, recording 2db78c718bd342cb): the limit is another window's
    Some(Window { limit: limit.filter(|limit| *limit >= remaining), remaining, reset, refills })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-08-19T14:34:00Z.
    const NOW_S: u64 = 1_787_150_040;

    fn quota(pairs: &[(&'static str, &str)]) -> Quota {
        let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        read(&headers, NOW_S)
    }

    /// A window that fills up bit by bit.
    const fn window(limit: u64, remaining: u64, millis: u64) -> Option<Window> {
        let reset = Some(Duration::from_millis(millis));
        Some(Window { limit: Some(limit), remaining, reset, refills: true })
    }

    #[test]
    fn every_vendors_headers_are_read() {
        // OpenAI, recording 437d295b292ee769
        let openai = quota(&[
            ("x-ratelimit-limit-requests", "200"),
            ("x-ratelimit-remaining-requests", "197"),
            ("x-ratelimit-reset-requests", "21m36.001s"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "29990"),
            ("x-ratelimit-reset-tokens", "20ms"),
        ]);
        assert_eq!((openai.requests, openai.tokens), (window(200, 197, 1_296_001), window(30_000, 29_990, 20)));
        // Azure, bd4b6085d1a7d413: the resets are seconds
        let azure = quota(&[
            ("x-ratelimit-limit-tokens", "100000"),
            ("x-ratelimit-remaining-tokens", "99000"),
            ("x-ratelimit-reset-tokens", "7"),
        ]);
        assert_eq!(azure.tokens, window(100_000, 99_000, 7_000));
        // Anthropic, 99c259e750862ef5
        let anthropic = quota(&[
            ("anthropic-ratelimit-input-tokens-limit", "4000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "3999000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-08-19T14:34:22Z"),
            ("anthropic-ratelimit-output-tokens-limit", "800000"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-08-19T14:34:30Z"),
        ]);
        assert_eq!(anthropic.input_tokens, window(4_000_000, 3_999_000, 22_000));
        assert_eq!(anthropic.whole_in(), Some(Duration::from_secs(30)));
        // Cerebras, 6e23dce7d27231f8
        let cerebras = quota(&[
            ("x-ratelimit-limit-requests-day", "1440000"),
            ("x-ratelimit-remaining-requests-day", "1439989"),
            ("x-ratelimit-reset-requests-day", "24482.894107818604"),
        ]);
        assert_eq!(cerebras.requests.and_then(|window| window.reset).map(|wait| wait.as_secs()), Some(24_482));
        // Mistral, 85511212550c42b4: the name says how long the window is; of two, the tighter counts
        let mistral = quota(&[
            ("x-ratelimit-limit-tokens-minute", "250000"),
            ("x-ratelimit-remaining-tokens-minute", "249891"),
            ("x-ratelimitbysize-limit-month", "10000000000"),
            ("x-ratelimitbysize-remaining-month", "9999967817"),
        ]);
        let minute = window(250_000, 249_891, 60_000).map(|window| Window { refills: false, ..window });
        assert_eq!(mistral.tokens, minute);
        // xAI, 3ecca791ded35ddd: no reset at all
        let xai = quota(&[("x-ratelimit-limit-requests", "480"), ("x-ratelimit-remaining-requests", "479")]);
        assert_eq!(xai.requests, Some(Window { limit: Some(480), remaining: 479, reset: None, refills: false }));
    }

    #[test]
    fn f_075_what_is_not_enforced_or_cannot_be_is_not_believed() {
        for (limit, remaining) in
            [("-1", "-1"), ("0", "0"), ("-1", "0"), ("0", "5"), ("100", "-1"), ("100", "many"), ("", "0")]
        {
            let quota = quota(&[("x-ratelimit-limit-tokens", limit), ("x-ratelimit-remaining-tokens", remaining)]);
            assert!(quota.is_empty(), "{limit} {remaining}: {quota:?}");
        }
        assert!(quota(&[("x-ratelimit-remaining-tokens", "0")]).is_empty(), "nothing left of what is not told");
        assert!(quota(&[]).is_empty());
        // recording 3cbbeaef153b7ce6
        let long_ago = quota(&[
            ("anthropic-ratelimit-tokens-limit", "540000"),
            ("anthropic-ratelimit-tokens-remaining", "540000"),
            ("anthropic-ratelimit-tokens-reset", "1970-01-01T00:00:00Z"),
        ]);
        assert_eq!(
            long_ago.tokens,
            Some(Window { limit: Some(540_000), remaining: 540_000, reset: None, refills: false })
        );
        // Together, 2db78c718bd342cb
        let odd = quota(&[("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "19"), ("x-ratelimit-reset", "2")]);
        assert_eq!(
            odd.requests,
            Some(Window { limit: None, remaining: 19, reset: Some(Duration::from_secs(2)), refills: false })
        );
    }
}
