//! Reads what a vendor means by an error, from its status, type, code and words together: never from the status alone.
//!
//! One table says it ([`rows`]): the lines of the dialect first, then those of the vendor, then those that all share, then the
//! status. An aggregator's copy of what its own vendor had said is asked before the aggregator's words.

mod excess;
mod hint;
pub mod listing;
pub mod quota;
mod reset;
mod rows;
mod rule;
mod words;

use crate::base::failure::{Failure, FailureKind, Phase, VendorError};
use crate::base::scope::Scope;
use crate::dialect::profile::Profile;
use bytes::Bytes;
use http::HeaderMap;
use rule::{Seen, Verdict};

pub use rows::FOREIGN_SEAL;
pub(in crate::dialect) use rows::INSUFFICIENT_QUOTA;
pub(in crate::dialect) use rule::Rule;
pub(in crate::dialect) use words::Words;

/// Headers in which vendors name the type of an error: AWS, Azure.
const TYPE_HEADERS: [&str; 2] = ["x-amzn-errortype", "x-ms-error-code"];

/// What an answer with an error status means; `now_s` is the wall clock in seconds since 1970, for waits that are given as dates.
#[must_use]
pub fn classify(profile: &Profile, status: u16, headers: &HeaderMap, body: &Bytes, now_s: u64) -> Failure {
    let mut words = Words::read(body);
    for name in TYPE_HEADERS {
        words.name(headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default());
    }
    let waits = hint::in_headers(headers, now_s).is_some() || quota::read(headers, now_s).is_spent();
    let is_final = headers.get("x-should-retry").is_some_and(|value| value == "false") && !waits;
    let verdict = meaning(profile, status, is_final, &words);
    let retry_after = hint::read(profile, verdict.kind, headers, &words, now_s);
    failure(verdict, Phase::Headers, status, words, body.clone(), retry_after)
}

/// What an error inside a 200 means, be it an event of a stream or the whole body. `data` is what came.
#[must_use]
pub fn in_answer(profile: &Profile, phase: Phase, data: &[u8]) -> Failure {
    in_event(profile, phase, b"error", data)
}

/// The same for an event of a stream whose name may tell the type, as that of AWS's exceptions does.
#[must_use]
pub fn in_event(profile: &Profile, phase: Phase, name: &[u8], data: &[u8]) -> Failure {
    let mut words = Words::read(data);
    words.name(std::str::from_utf8(name).unwrap_or_default());
    let status = words.status.unwrap_or(0);
    let verdict = match meaning(profile, status, false, &words) {
        // an error that we do not know is the stream's
        Verdict { kind: FailureKind::Malformed, reason: "status", .. } => {
            Verdict::new(FailureKind::SseError, "unknown_error")
        }
        known => known,
    };
    let retry_after = hint::read(profile, verdict.kind, &HeaderMap::new(), &words, 0);
    let status = if status == 0 { rows::usual_status(verdict.kind) } else { status };
    failure(verdict, phase, status, words, Bytes::copy_from_slice(data), retry_after)
}

fn meaning(profile: &Profile, status: u16, is_final: bool, words: &Words) -> Verdict {
    let inner = words.inner.as_deref().and_then(|inner| known(profile, inner.status.unwrap_or(status), false, inner));
    inner
        .map(as_aggregators)
        .or_else(|| known(profile, status, is_final, words))
        .unwrap_or_else(|| rows::by_status(status, words.shape))
}

/// What the table says, without the status as a last resort.
fn known(profile: &Profile, status: u16, is_final: bool, words: &Words) -> Option<Verdict> {
    let said = words.lower();
    let seen = Seen { status, words, said: &said, is_final };
    let verdict = rows::asked(profile, words.shape).find(|rule| rule.holds(&seen))?.verdict;
    if verdict.reason == INSUFFICIENT_QUOTA && !profile.insufficient_quota_is_money {
        return Some(Verdict::new(FailureKind::RateLimited, INSUFFICIENT_QUOTA));
    }
    Some(verdict)
}

/// What an aggregator's own vendor refused concerns one model there: the key, the purse and the place are the aggregator's.
fn as_aggregators(verdict: Verdict) -> Verdict {
    match verdict.kind {
        FailureKind::AuthKey | FailureKind::Quota | FailureKind::AccountDenied => {
            Verdict::new(FailureKind::ServerError, "aggregator")
        }
        FailureKind::RegionDenied => Verdict { scope: Some(Scope::Model), ..verdict },
        _ => verdict,
    }
}

fn failure(
    verdict: Verdict,
    phase: Phase,
    status: u16,
    words: Words,
    body: Bytes,
    retry_after: Option<std::time::Duration>,
) -> Failure {
    let excess = words.inner.as_ref().and_then(|inner| inner.excess).or(words.excess);
    let Words { kind, code, message, param, inner, .. } = words;
    // "Provider returned error" helps nobody
    let message = inner.map(|inner| inner.message).filter(|told| !told.is_empty()).unwrap_or(message);
    let mut failure = Failure::new(verdict.kind, phase, verdict.reason);
    failure.scope = verdict.scope;
    failure.retry_after = retry_after;
    failure.excess = excess.filter(|_| matches!(verdict.kind, FailureKind::ContextLength | FailureKind::OverWindow));
    failure.said = Some(Box::new(VendorError { status, kind, code, message, param, body }));
    failure
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
            (429, openai("Request too large for gpt-4o on tokens per min", "tokens", "rate_limit_exceeded"), OverWindow, "over_window"),
            (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), Quota, "insufficient_quota"),
            (429, openai("x", "insufficient_quota", "credit_balance_exhausted"), Quota, "money"),
            (503, openai("Slow down", "server_error", "slow_down"), RateLimited, "slow_down"),
            (503, openai("x", "server_error", "server_is_overloaded"), Overloaded, "overloaded"),
            (500, openai("x", "server_error", ""), ServerError, "server_error"),
            (502, "<html>Bad gateway</html>".into(), ServerError, "server_error"),
            (400, openai("This model's maximum context length is 8192 tokens", "invalid_request_error", "context_length_exceeded"), ContextLength, "context_length"),
            (404, openai("The model `x` does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"), ModelGone, "unknown_model"),
            (404, openai("Previous response with id 'resp_1' not found.", "invalid_request_error", "previous_response_not_found"), BadRequest, "unknown_id"),
            (404, openai("No such File object: file-1", "invalid_request_error", ""), BadRequest, "unknown_id"),
            (403, openai("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"), RegionDenied, "region"),
            (451, String::new(), RegionDenied, "legal"),
            (307, String::new(), Malformed, "redirect"),
            (413, "length limit exceeded".into(), ContextLength, "context_length"),
            (408, "timeout".into(), ServerError, "timeout"),
            (402, String::new(), Quota, "money"),
            (418, "{".into(), BadRequest, "bad_request"),
            // Azure: recordings a70a8ebb8f972ad7, 328811099a7aca3f, 931f4e5218d28a29
            (429, r#"{"error":{"code":"429","message":"Rate limit is exceeded."}}"#.into(), RateLimited, "rate_limited"),
            (400, r#"{"error":{"code":null,"message":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#.into(), ContentFilter, "content_filter"),
            (400, r#"{"error":{"code":"unknown_model","message":"Unknown model: x","details":"y"}}"#.into(), ModelGone, "unknown_model"),
            (429, r#"{"error":{"code":"429","message":"System is experiencing high demand"}}"#.into(), Overloaded, "overloaded"),
            // Groq: 01c4768b3946504c, b8abd80f9be65287, c3bf269fecd5c134
            (400, openai("decommissioned", "invalid_request_error", "model_decommissioned"), ModelGone, "retired"),
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
            (404, r#"{"error":{"code":404,"message":"No endpoints found for x/y:free."}}"#.into(), ModelGone, "unknown_model"),
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
                (404, anthropic("not_found_error", "model: claude-x"), ModelGone, "unknown_model"),
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
        assert_eq!((failure.kind, &*failure.reason), (FailureKind::OverWindow, "over_window"));
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

    #[test]
    fn however_much_a_vendor_says_little_is_kept() {
        let long = "x".repeat(100_000);
        let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        let raw = |inner: &str| serde_json::json!({"error": {"code": 400, "metadata": {"raw": inner}}}).to_string();
        let russian = (0..10).fold(String::from("{}"), |inner, _| raw(&inner));
        let many =
            serde_json::json!({"error": {"details": vec![serde_json::json!({"reason": "r", "detail": "d"}); 5_000]}});
        for body in [
            long.clone(),
            deep,
            russian,
            many.to_string(),
            format!(r#"{{"error": {{"message": "{long}", "type": "{long}"}}}}"#),
        ] {
            let said = *classified(&OPENAI, 400, &[], &body).said.expect("the vendor spoke");
            assert!(said.message.len() <= 4096 && said.kind.len() <= 4096, "{}", &body[..40]);
        }
    }

    proptest! {
        #[test]
        fn f_075_nothing_a_vendor_says_panics(
            status: u16,
            hint in "[ -~]{0,40}",
            body in "[\\[{]?[ -~]{0,80}",
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            words in "\\{\"(error|message|base_resp|response|errors|details|type)\":(\\{\"(code|message|type|metadata|details|status)\":(1|null|\"[a-z0-9 .]{0,20}\"|\\[1,\\{\\}\\])\\}|\"[a-z]{0,9} in [0-9.]{0,30}[a-zé]{0,3}\"|\\[\\])\\}",
        ) {
            for profile in [&OPENAI, &ANTHROPIC] {
                for body in [body.as_bytes(), &noise, words.as_bytes()] {
                    let body = Bytes::copy_from_slice(body);
                    let pairs = [("retry-after", hint.as_str()), ("retry-after-ms", hint.as_str()), ("x-amzn-errortype", hint.as_str())];
                    let failure = classify(profile, status, &headers(&pairs), &body, NOW_S);
                    let waits = failure.retry_after.unwrap_or(Duration::from_secs(1));
                    prop_assert!((Duration::from_millis(250)..=Duration::from_secs(300)).contains(&waits));
                    let _ = in_event(profile, Phase::Content, hint.as_bytes(), &body);
                }
            }
        }
    }
}
