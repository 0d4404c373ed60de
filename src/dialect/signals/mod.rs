//! Reads what a vendor means by an error, from its status, type, code and words together: never from the status alone.
//!
//! The dialect's own table is asked first, then the table of words that vendors share, then the status.

mod retry_after;
mod rules;
mod words;

use crate::base::failure::{Failure, FailureKind, Phase, VendorError};
use crate::dialect::profile::Profile;
use crate::dialect::{Dialect, anthropic, openai_chat};
use bytes::Bytes;
use http::HeaderMap;
use std::borrow::Cow;

pub(in crate::dialect) use rules::{Rule, Test};
pub(in crate::dialect) use words::Words;

/// What an answer with an error status means; `now_s` is the wall clock in seconds since 1970, for waits that are given as dates.
#[must_use]
pub fn classify(profile: &Profile, status: u16, headers: &HeaderMap, body: &Bytes, now_s: u64) -> Failure {
    let words = Words::read(body);
    let (kind, reason) = meaning(profile, status, headers, &words);
    let meant = kind != FailureKind::Overloaded || profile.retry_after_on_overload;
    let retry_after = if meant { retry_after::read(headers, now_s) } else { None };
    failure(kind, Phase::Headers, reason, status, words, body.clone(), retry_after)
}

/// What an error inside a 200 means, be it an event of a stream or the whole body. `data` is the JSON that came.
#[must_use]
pub fn in_answer(profile: &Profile, phase: Phase, data: &[u8]) -> Failure {
    let words = Words::read(data);
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
    let own = match profile.dialect {
        Dialect::OpenaiChat => openai_chat::signals::RULES,
        Dialect::Anthropic => anthropic::signals::RULES,
    };
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
