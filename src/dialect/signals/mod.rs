//! Reads what a vendor means by an error, from its status, type, code and words together: never from the status alone.
//!
//! The dialect's own table is asked first, then the table of words that vendors share, then the status.

mod retry_after;
mod rules;
mod words;

use crate::base::failure::{Failure, FailureKind, Phase, VendorError};
use crate::dialect::profile::Profile;
use bytes::Bytes;
use http::HeaderMap;
use std::borrow::Cow;

pub(in crate::dialect) use rules::{Rule, Test};
pub(in crate::dialect) use words::Words;

/// The header in which AWS names the error, before a colon and a URL (recording `5f96ed0532abf336`).
const ERROR_TYPE: &str = "x-amzn-errortype";

/// What an answer with an error status means; `now_s` is the wall clock in seconds since 1970, for waits that are given as dates.
#[must_use]
pub fn classify(profile: &Profile, status: u16, headers: &HeaderMap, body: &Bytes, now_s: u64) -> Failure {
    let words =
        Words::read(body).or_type(headers.get(ERROR_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default());
    let (kind, reason) = meaning(profile, status, headers, &words);
    let meant = kind != FailureKind::Overloaded || profile.retry_after_on_overload;
    let retry_after = if meant { retry_after::read(headers, now_s) } else { None };
    failure(kind, Phase::Headers, reason, status, words, body.clone(), retry_after)
}

/// What an error inside a 200 means, be it an event of a stream or the whole body. `data` is the JSON that came.
#[must_use]
pub fn in_answer(profile: &Profile, phase: Phase, data: &[u8]) -> Failure {
    in_event(profile, phase, b"error", data)
}

/// The same for an event of a stream, whose name may tell the type.
#[must_use]
pub fn in_event(profile: &Profile, phase: Phase, name: &[u8], data: &[u8]) -> Failure {
    let named = if name == b"error" { "" } else { std::str::from_utf8(name).unwrap_or_default() };
    let words = Words::read(data).or_type(named);
    let status = words.code.parse().ok().filter(|code| (400..600).contains(code)).unwrap_or(0);
    let (kind, reason) = match meaning(profile, status, &HeaderMap::new(), &words) {
        // an error that we do not know is the stream's
        (FailureKind::Malformed, _) if status == 0 => (FailureKind::SseError, "unknown_error"),
        known => known,
    };
    let status = if status == 0 { rules::usual_status(kind) } else { status };
    failure(kind, phase, reason, status, words, Bytes::copy_from_slice(data), None)
}

fn meaning(profile: &Profile, status: u16, headers: &HeaderMap, words: &Words) -> (FailureKind, &'static str) {
    let own = profile.dialect.grammar().signals;
    let said = words.lower();
    let found = own.iter().chain(rules::COMMON).find(|rule| rule.matches(status, headers, words, &said));
    match found {
        Some(rule) if rule.reason == rules::INSUFFICIENT_QUOTA && !profile.insufficient_quota_is_money => {
            (FailureKind::RateLimited, rules::INSUFFICIENT_QUOTA)
        }
        Some(rule) => (rule.kind, rule.reason),
        None => rules::by_status(status),
    }
}

fn failure(
    kind: FailureKind,
    phase: Phase,
    reason: &'static str,
    status: u16,
    words: Words,
    body: Bytes,
    retry_after: Option<std::time::Duration>,
) -> Failure {
    let Words { kind: said_kind, code, message, param, .. } = words;
    let said = VendorError { status, kind: said_kind, code, message, param, body };
    Failure { kind, phase, reason: Cow::Borrowed(reason), retry_after, said: Some(Box::new(said)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile::{ANTHROPIC, OPENAI};
    use proptest::prelude::*;
    use std::time::Duration;

    /// Noon of 2026-11-21.
    const NOW_S: u64 = 1_795_262_400;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn classified(profile: &Profile, status: u16, pairs: &[(&'static str, &str)], body: &str) -> Failure {
        classify(profile, status, &headers(pairs), &Bytes::copy_from_slice(body.as_bytes()), NOW_S)
    }

    type Case<'a> = (u16, String, FailureKind, &'a str);

    fn check(profile: &Profile, cases: &[Case<'_>]) {
        for (status, body, kind, reason) in cases {
            let failure = classified(profile, *status, &[], body);
            assert_eq!((failure.kind, &*failure.reason), (*kind, *reason), "{status} {body}");
            assert_eq!(
                (failure.phase, failure.said.map(|said| said.status)),
                (Phase::Headers, Some(*status)),
                "{body}"
            );
        }
    }

    #[test]
    fn openai_and_those_who_speak_its_dialect_are_understood() {
        use FailureKind::*;
        let openai = |message: &str, kind: &str, code: &str| {
            serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
        };
        check(&OPENAI, &[
            (429, openai("Rate limit reached for gpt-4o", "requests", "rate_limit_exceeded"), RateLimited, "rate_limited"),
            (429, openai("Request too large for gpt-4o on tokens per min", "tokens", "rate_limit_exceeded"), ContextLength, "over_window"),
            (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), Quota, "insufficient_quota"),
            (429, openai("x", "insufficient_quota", "credit_balance_exhausted"), Quota, "insufficient_quota"),
            (503, openai("Slow down", "server_error", "slow_down"), RateLimited, "rate_limited"),
            (503, openai("x", "server_error", "server_is_overloaded"), Overloaded, "overloaded"),
            (500, openai("x", "server_error", ""), ServerError, "server_error"),
            (502, "<html>Bad gateway</html>".into(), ServerError, "server_error"),
            (400, openai("This model's maximum context length is 8192 tokens", "invalid_request_error", "context_length_exceeded"), ContextLength, "context_length"),
            (404, openai("The model `x` does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"), ModelGone, "model"),
            (404, openai("Previous response with id 'resp_1' not found.", "invalid_request_error", "previous_response_not_found"), BadRequest, "unknown_id"),
            (404, openai("No such File object: file-1", "invalid_request_error", ""), BadRequest, "unknown_id"),
            (403, openai("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"), RegionDenied, "region"),
            (451, String::new(), RegionDenied, "region"),
            (307, String::new(), Malformed, "redirect"),
            (413, "length limit exceeded".into(), ContextLength, "context_length"),
            (408, "timeout".into(), ServerError, "timeout"),
            (402, String::new(), Quota, "money"),
            (418, "{".into(), BadRequest, "bad_request"),
            // Azure: recordings a70a8ebb8f972ad7, 328811099a7aca3f, 931f4e5218d28a29
            (429, r#"{"error":{"code":"429","message":"Rate limit is exceeded."}}"#.into(), RateLimited, "rate_limited"),
            (400, r#"{"error":{"code":null,"message":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#.into(), ContentFilter, "content_filter"),
            (400, r#"{"error":{"code":"unknown_model","message":"Unknown model: x","details":"y"}}"#.into(), ModelGone, "model"),
            (429, r#"{"error":{"code":"429","message":"System is experiencing high demand"}}"#.into(), Overloaded, "overloaded"),
            // Groq: 01c4768b3946504c, b8abd80f9be65287, c3bf269fecd5c134
            (400, openai("decommissioned", "invalid_request_error", "model_decommissioned"), ModelGone, "model"),
            (400, openai("Failed to call a function", "invalid_request_error", "tool_use_failed"), Malformed, "tool_use_failed"),
            (400, openai("Please reduce the length of the messages or completion.", "invalid_request_error", ""), ContextLength, "context_length"),
            (498, openai("x", "", "capacity_exceeded"), Overloaded, "overloaded"),
            // OpenRouter: 2ffaff74acebec1f, 1a3fdb93ce956345, 2e4be394770dab72
            (
                403,
                r#"{"error":{"message":"Provider returned error","code":403,"metadata":{"raw":"{\"error\":{\"code\":\"unsupported_country_region_territory\"}}"}}}"#.into(),
                RegionDenied,
                "region",
            ),
            (404, r#"{"error":{"code":404,"message":"No endpoints found that support tool use."}}"#.into(), Unsupported, "capability"),
            (404, r#"{"error":{"code":404,"message":"No endpoints found for x/y:free."}}"#.into(), ModelGone, "model"),
            // xAI: 84dc0b09eab097ba, da7c0f82c700838c; Mistral: 4da562d888206952, 8b1cfd9439442cd3; z.ai: 35c0368e8b74c8e4
            (400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x."}"#.into(), AuthKey, "key"),
            (503, r#"{"code":"The service is currently unavailable","error":"The model is at capacity"}"#.into(), Overloaded, "overloaded"),
            (429, r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#.into(), RateLimited, "rate_limited"),
            (401, r#"{"detail":"Unauthorized"}"#.into(), AuthKey, "key"),
            (429, r#"{"error":{"code":"1305","message":"The service may be temporarily overloaded"}}"#.into(), Overloaded, "overloaded"),
            (400, r#"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"#.into(), RegionDenied, "region"),
        ]);
    }

    #[test]
    fn anthropic_is_understood() {
        use FailureKind::*;
        let anthropic = |kind: &str, message: &str| {
            serde_json::json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
        };
        check(
            &ANTHROPIC,
            &[
                // Anthropic: dbeb767893f4c280, 48121de60286e36a, 9d72f19dbd7a7ce6, b4372e41ee8df812
                (
                    400,
                    anthropic("invalid_request_error", "Your credit balance is too low to access the API."),
                    Quota,
                    "money",
                ),
                (529, anthropic("overloaded_error", "Overloaded"), Overloaded, "overloaded"),
                (429, anthropic("rate_limit_error", "x"), RateLimited, "rate_limited"),
                (404, anthropic("not_found_error", "model: claude-x"), ModelGone, "model"),
                (404, anthropic("not_found_error", "File not found: file_1"), BadRequest, "unknown_id"),
                (
                    400,
                    anthropic("invalid_request_error", "prompt is too long: 200016 tokens > 200000 maximum"),
                    ContextLength,
                    "context_length",
                ),
                (401, anthropic("authentication_error", "invalid x-api-key"), AuthKey, "key"),
                (403, anthropic("permission_error", "x"), AuthKey, "permission"),
                (413, anthropic("request_too_large", "x"), ContextLength, "request_too_large"),
                (500, anthropic("api_error", "x"), ServerError, "server_error"),
                (504, anthropic("timeout_error", "x"), ServerError, "timeout"),
                (400, anthropic("invalid_request_error", "messages: roles must alternate"), BadRequest, "bad_request"),
            ],
        );
    }

    #[test]
    fn f_076_insufficient_quota_means_what_the_profile_says() {
        let body = r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let throttles = Profile { insufficient_quota_is_money: false, ..OPENAI };
        assert_eq!(classified(&OPENAI, 429, &[], body).kind, FailureKind::Quota);
        assert_eq!(classified(&throttles, 429, &[], body).kind, FailureKind::RateLimited);
    }

    #[test]
    fn a_request_above_the_whole_window_is_not_waited_for() {
        let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit"}}"#;
        let failure = classified(&ANTHROPIC, 429, &[("x-should-retry", "false")], body);
        assert_eq!((failure.kind, &*failure.reason), (FailureKind::ContextLength, "over_window"));
    }

    #[test]
    fn what_the_vendor_said_is_kept() {
        let body = r#"{"error":{"message":"m","type":"t","param":"p","code":1234}}"#;
        let said = *classified(&OPENAI, 400, &[], body).said.unwrap();
        let expected = VendorError {
            status: 400,
            kind: "t".into(),
            code: "1234".into(),
            message: "m".into(),
            param: "p".into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        assert_eq!(said, expected);
        let page = *classified(&OPENAI, 401, &[], "<html>401</html>").said.unwrap();
        assert_eq!((page.message.as_str(), page.body.len()), ("", 16));
    }

    #[test]
    fn f_075_hints_are_clamped_and_odd_ones_ignored() {
        let wait = |pairs: &[(&'static str, &str)]| {
            classified(&OPENAI, 429, pairs, "").retry_after.map(|wait| wait.as_millis())
        };
        for (value, expected) in [
            ("20", Some(20_000)),
            ("1.5", Some(1_500)),
            ("0", Some(250)),
            ("-1", None),
            ("86400", Some(300_000)),
            ("1e99", Some(300_000)),
            ("inf", None),
            ("NaN", None),
            ("", None),
            ("soon", None),
            ("Sat, 21 Nov 2026 12:00:30 GMT", Some(30_000)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(250)),
            ("Sun, 21 Nov 9999 12:00:00 GMT", Some(300_000)),
            ("Sat, 99 Nov 2026 12:00:00 GMT", None),
        ] {
            assert_eq!(wait(&[("retry-after", value)]), expected, "{value}");
        }
        assert_eq!(wait(&[("retry-after", "20"), ("retry-after-ms", "1200")]), Some(1_200));
        assert_eq!(wait(&[("retry-after", "20"), ("retry-after-ms", "0")]), Some(20_000));
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn an_overloaded_vendors_hint_counts_where_it_is_meant() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(classified(&ANTHROPIC, 529, &[("retry-after", "60")], body).retry_after, None);
        let waits = classified(&OPENAI, 503, &[("retry-after", "60")], "").retry_after;
        assert_eq!(waits, Some(Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn f_075_nothing_a_vendor_says_panics(status: u16, hint in "[ -~]{0,40}", body in "[\\[{]?[ -~]{0,80}") {
            for profile in [&OPENAI, &ANTHROPIC] {
                let failure = classified(profile, status, &[("retry-after", &hint), ("retry-after-ms", &hint)], &body);
                let waits = failure.retry_after.unwrap_or(Duration::from_secs(1));
                prop_assert!((Duration::from_millis(250)..=Duration::from_secs(300)).contains(&waits));
                let _ = in_answer(profile, Phase::Content, body.as_bytes());
            }
        }
    }
}
