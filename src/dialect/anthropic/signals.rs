//! What Anthropic means.

use crate::base::failure::FailureKind::{
    AccountDenied, AuthKey, ContextLength, ModelGone, OverWindow, Overloaded, Quota, RateLimited, RegionDenied,
    ServerError,
};
use crate::dialect::signals::Rule;

/// Asked before what all vendors share. <https://platform.claude.com/docs/en/api/errors>
pub(in crate::dialect) const RULES: &[Rule] = &[
    Rule::code(&["overloaded_error"], Overloaded, "overloaded"),
    Rule::says(&["spend limit", "enforced_spend_limit_reached", "extra usage", "usage limit"], Quota, "money")
        .at(&[0, 400, 402, 403, 429]),
    // one call above the whole window: recordings 3cbbeaef153b7ce6, 3eb5fcb474429442
    Rule::code(&["rate_limit_error"], OverWindow, "over_window").finally(),
    Rule::code(&["rate_limit_error"], RateLimited, "rate_limited"),
    Rule::code(&["billing_error"], Quota, "money"),
    // the credit is spent, told as a bad request: recording dbeb767893f4c280
    Rule::says(&["credit balance is too low", "specified api usage limits"], Quota, "money"),
    Rule::says(
        &["organization has been disabled", "account has been disabled", "organization is disabled"],
        AccountDenied,
        "suspended",
    ),
    // from a country that is not served, in these two words
    Rule::says(&["request not allowed"], RegionDenied, "region").at(&[0, 403]),
    Rule::code(&["authentication_error"], AuthKey, "key"),
    Rule::code(&["request_too_large"], ContextLength, "request_too_large"),
    Rule::code(&["timeout_error"], ServerError, "timeout"),
    Rule::code(&["api_error"], ServerError, "server_error").at(&[0, 500, 502, 503, 504]),
    Rule::says(&["model: "], ModelGone, "unknown_model").at(&[404]),
];
