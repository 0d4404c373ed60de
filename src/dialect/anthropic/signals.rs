//! Anthropic's error types.

use crate::base::failure::FailureKind;
use crate::dialect::signals::{Rule, Test};

/// Asked before the words that all vendors share.
pub(in crate::dialect) const RULES: &[Rule] = &[
    Rule::code(&["overloaded_error"], FailureKind::Overloaded, "overloaded"),
    // a single request above the whole window: recording 3cbbeaef153b7ce6
    Rule { test: Test::Final("rate_limit_error"), kind: FailureKind::ContextLength, reason: "over_window" },
    Rule {
        test: Test::CodeSays(&["rate_limit_error"], &["spend limit", "enforced_spend_limit_reached"]),
        kind: FailureKind::Quota,
        reason: "money",
    },
    Rule::code(&["rate_limit_error"], FailureKind::RateLimited, "rate_limited"),
    Rule::code(&["billing_error"], FailureKind::Quota, "money"),
    Rule::code(&["authentication_error"], FailureKind::AuthKey, "key"),
    Rule::code(&["request_too_large"], FailureKind::ContextLength, "request_too_large"),
    Rule::code(&["timeout_error"], FailureKind::ServerError, "timeout"),
    Rule::code(&["api_error"], FailureKind::ServerError, "server_error"),
    Rule { test: Test::StatusSays(404, &["model: "]), kind: FailureKind::ModelGone, reason: "model" },
];
