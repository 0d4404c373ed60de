//! The codes of OpenAI and of the vendors that speak its dialect: Azure, Groq, Mistral, Cerebras, Perplexity, Cohere, z.ai.

use crate::base::failure::FailureKind;
use crate::dialect::signals::{Rule, Test};

/// Asked before the words that all vendors share.
pub(in crate::dialect) const RULES: &[Rule] = &[
    Rule::code(&["insufficient_quota"], FailureKind::Quota, "insufficient_quota"),
    // the window of the rate limit is smaller than this one request: waiting does not help, a larger limit does
    Rule {
        test: Test::CodeSays(&["rate_limit_exceeded", "tokens"], &["request too large"]),
        kind: FailureKind::ContextLength,
        reason: "over_window",
    },
    Rule::code(
        &["context_length_exceeded", "too_many_prompt_tokens", "TOO_MANY_TOKENS", "3051"],
        FailureKind::ContextLength,
        "context_length",
    ),
    Rule::code(&["invalid_api_key", "wrong_api_key", "authentication_error"], FailureKind::AuthKey, "key"),
    Rule::code(&["account_deactivated"], FailureKind::AuthKey, "account"),
    Rule::code(&["content_filter", "content_policy_violation"], FailureKind::ContentFilter, "content_filter"),
    Rule::code(&["unsupported_parameter", "unsupported_value"], FailureKind::Unsupported, "parameter"),
    Rule::code(
        &["model_not_found", "DeploymentNotFound", "unknown_model", "model_decommissioned"],
        FailureKind::ModelGone,
        "model",
    ),
    Rule::code(
        &["server_is_overloaded", "overloaded_error", "capacity_exceeded", "1305"],
        FailureKind::Overloaded,
        "overloaded",
    ),
    // the model broke off its own tool call: another one may not
    Rule::code(&["tool_use_failed"], FailureKind::Malformed, "tool_use_failed"),
    Rule::code(
        &[
            "rate_limit_exceeded",
            "RateLimitReached",
            "rate_limited",
            "too_many_requests_error",
            "1300",
            "slow_down",
            "in_flight_budget_exhausted",
        ],
        FailureKind::RateLimited,
        "rate_limited",
    ),
    // of the Responses API: sealed by another vendor or account; whoever made it can still read it
    Rule::code(&["invalid_encrypted_content"], FailureKind::Unsupported, "foreign_seal"),
    Rule::code(&["vector_store_timeout"], FailureKind::ServerError, "timeout"),
    Rule::code(&["server_error"], FailureKind::ServerError, "server_error"),
    Rule::says(&["is temporarily rate-limited"], FailureKind::RateLimited, "rate_limited"),
    Rule::says(&["not a chat model"], FailureKind::Unsupported, "capability"),
];
