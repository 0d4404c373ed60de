//! The table of words that vendors share, and what a status means where no word helps.

use super::words::Words;
use crate::base::failure::FailureKind;
use http::HeaderMap;

/// The reason of the one code that means money at some vendors and throttling at others; the profile decides.
pub(super) const INSUFFICIENT_QUOTA: &str = "insufficient_quota";

/// One line of a table: the first that matches decides.
#[derive(Debug)]
pub(in crate::dialect) struct Rule {
    /// What must hold.
    pub test: Test,
    /// What it means.
    pub kind: FailureKind,
    /// Our word for it.
    pub reason: &'static str,
}

/// What a rule looks at.
#[derive(Debug)]
pub(in crate::dialect) enum Test {
    /// The code or the type is one of these.
    Code(&'static [&'static str]),
    /// The code or type is one of the first, and the words hold one of the second, in lower case.
    CodeSays(&'static [&'static str], &'static [&'static str]),
    /// The vendor finds fault (any status but 5xx), and the words hold one of these, in lower case.
    Says(&'static [&'static str]),
    /// The status is this, and the words hold one of these, in lower case.
    StatusSays(u16, &'static [&'static str]),
    /// The type is this, and the vendor says that trying again does not help.
    Final(&'static str),
}

impl Rule {
    /// A rule on codes.
    pub(in crate::dialect) const fn code(
        codes: &'static [&'static str],
        kind: FailureKind,
        reason: &'static str,
    ) -> Self {
        Self { test: Test::Code(codes), kind, reason }
    }

    /// A rule on words.
    pub(in crate::dialect) const fn says(
        words: &'static [&'static str],
        kind: FailureKind,
        reason: &'static str,
    ) -> Self {
        Self { test: Test::Says(words), kind, reason }
    }

    pub(super) fn matches(&self, status: u16, headers: &HeaderMap, words: &Words, said: &str) -> bool {
        let coded = |codes: &[&str]| codes.iter().any(|code| *code == words.code || *code == words.kind);
        let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
        match self.test {
            Test::Code(codes) => coded(codes),
            Test::CodeSays(codes, parts) => coded(codes) && says(parts),
            Test::Says(parts) => status < 500 && says(parts),
            Test::StatusSays(wanted, parts) => status == wanted && says(parts),
            Test::Final(kind) => {
                words.kind == kind && headers.get("x-should-retry").is_some_and(|value| value == "false")
            }
        }
    }
}

/// Codes and words that mean the same at every vendor that uses them.
pub(super) const COMMON: &[Rule] = &[
    Rule::code(
        &["unsupported_country_region_territory", "data_residency_mismatch"],
        FailureKind::RegionDenied,
        "region",
    ),
    Rule::says(
        &[
            "user location is not supported",
            "unsupported_country_region_territory",
            "country, region, or territory not supported",
        ],
        FailureKind::RegionDenied,
        "region",
    ),
    Rule::code(
        &[
            "credit_balance_exhausted",
            "billing_hard_limit_reached",
            "billing_not_active",
            "enforced_spend_limit_reached",
            "billing_error",
        ],
        FailureKind::Quota,
        "money",
    ),
    Rule::says(
        &["credit balance is too low", "insufficient credits", "insufficient balance", "enforced_spend_limit_reached"],
        FailureKind::Quota,
        "money",
    ),
    Rule::says(
        &[
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "invalid api token",
            "no cookie auth credentials",
            "no auth credentials",
        ],
        FailureKind::AuthKey,
        "key",
    ),
    Rule::says(
        &[
            "maximum context length",
            "maximum prompt length",
            "context window",
            "prompt is too long",
            "reduce the length of",
            "too many tokens",
            "too many total text bytes",
            "input token count",
            "total length of all messages is too long",
            "input tokens exceed",
            "length limit exceeded",
        ],
        FailureKind::ContextLength,
        "context_length",
    ),
    Rule::says(
        &["content violates", "content management policy", "responsibleaipolicyviolation", "usage guidelines"],
        FailureKind::ContentFilter,
        "content_filter",
    ),
    Rule::says(
        &[
            "not supported with this model",
            "not supported with the ",
            "not supported in this model",
            "not supported in the ",
            "is not supported for this model",
            "does not support",
            "doesn't support",
            "no endpoints found that support",
            "model which does not have the",
            "is not enabled for",
        ],
        FailureKind::Unsupported,
        "capability",
    ),
    Rule::says(
        &[
            "has been deprecated",
            "was deprecated on",
            "was removed on",
            "decommissioned",
            "end of its life",
            "no endpoints found",
            "not allowed to sample from this model",
            "is not a valid model id",
            "you do not have access to it",
            "you don't have access to the model",
        ],
        FailureKind::ModelGone,
        "model",
    ),
    Rule {
        test: Test::StatusSays(429, &["overloaded", "high demand", "at capacity"]),
        kind: FailureKind::Overloaded,
        reason: "overloaded",
    },
    Rule {
        test: Test::StatusSays(
            404,
            &[
                "previous response",
                "previous_response",
                "no such file",
                "file not found",
                "file_",
                "file-",
                "container",
                "conversation",
                "item with id",
                "vector store",
                "assistant",
                "thread",
            ],
        ),
        kind: FailureKind::BadRequest,
        reason: "unknown_id",
    },
    // inside a stream the type must do for the status
    Rule {
        test: Test::StatusSays(0, &["server_error", "internal error"]),
        kind: FailureKind::ServerError,
        reason: "server_error",
    },
];

/// What a status means where no word was known. A status of 0 stands for none.
pub(super) const fn by_status(status: u16) -> (FailureKind, &'static str) {
    match status {
        300..400 => (FailureKind::Malformed, "redirect"),
        401 => (FailureKind::AuthKey, "key"),
        402 => (FailureKind::Quota, "money"),
        403 => (FailureKind::AuthKey, "permission"),
        404 | 410 => (FailureKind::ModelGone, "model"),
        405 => (FailureKind::Malformed, "method"),
        408 | 504 | 524 => (FailureKind::ServerError, "timeout"),
        409 | 424 | 425 => (FailureKind::ServerError, "try_again"),
        413 => (FailureKind::ContextLength, "request_too_large"),
        429 => (FailureKind::RateLimited, "rate_limited"),
        451 => (FailureKind::RegionDenied, "region"),
        498 | 503 | 529 => (FailureKind::Overloaded, "overloaded"),
        400..500 => (FailureKind::BadRequest, "bad_request"),
        500..600 => (FailureKind::ServerError, "server_error"),
        _ => (FailureKind::Malformed, "status"),
    }
}

/// The status that an error without one stands for.
pub(super) const fn usual_status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::RateLimited | FailureKind::Quota => 429,
        FailureKind::Overloaded => 529,
        FailureKind::AuthKey => 401,
        FailureKind::RegionDenied => 403,
        FailureKind::ModelGone => 404,
        FailureKind::ContextLength
        | FailureKind::ContentFilter
        | FailureKind::Unsupported
        | FailureKind::BadRequest => 400,
        _ => 500,
    }
}
