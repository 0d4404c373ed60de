//! What Google means, at the Gemini API and at Vertex AI.

use crate::base::failure::FailureKind::{
    AccountDenied, AuthKey, ModelDenied, ModelGone, Overloaded, Quota, RateLimited, RegionDenied, ServerError,
};
use crate::base::scope::Scope;
use crate::dialect::signals::rule::Rule;

/// <https://ai.google.dev/gemini-api/docs/troubleshooting>; the reasons are those of `google.api.ErrorReason`.
pub(super) const RULES: &[Rule] = &[
    Rule::says(
        &["user location is not supported", "free tier is not available in your country"],
        RegionDenied,
        "region",
    ),
    Rule::code(
        &["LOCATION_POLICY_VIOLATED", "LOCATION_TAX_POLICY_VIOLATED", "LOCATION_ORG_POLICY_VIOLATED"],
        RegionDenied,
        "region",
    ),
    Rule::code(
        &["CONSUMER_SUSPENDED", "GCP_SUSPENDED", "ACCOUNT_STATE_INVALID", "USER_BLOCKED_BY_ADMIN"],
        AccountDenied,
        "suspended",
    ),
    Rule::code(&["BILLING_DISABLED"], Quota, "money"),
    Rule::code(
        &[
            "API_KEY_INVALID",
            "API_KEY_SERVICE_BLOCKED",
            "API_KEY_HTTP_REFERRER_BLOCKED",
            "API_KEY_IP_ADDRESS_BLOCKED",
            "ACCESS_TOKEN_EXPIRED",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "CREDENTIALS_MISSING",
            "CONSUMER_INVALID",
            "SERVICE_DISABLED",
            "USER_PROJECT_DENIED",
            "UNAUTHENTICATED",
        ],
        AuthKey,
        "key",
    ),
    // one message for three things: the name of the quota, or what is left of it, tells them apart
    Rule::code(&["RESOURCE_EXHAUSTED"], Quota, "daily_quota")
        .and(&["perday", "per day", "per_day"])
        .within(Scope::Model),
    Rule::code(&["RESOURCE_EXHAUSTED"], Quota, "no_quota").and(&["limit: 0"]).within(Scope::Model),
    Rule::code(&["RESOURCE_EXHAUSTED"], Quota, "money").and(&[
        "credits are depleted",
        "spending cap",
        "spend cap",
        "prepay",
    ]),
    Rule::code(&["RESOURCE_EXHAUSTED"], RateLimited, "rate_limited"),
    Rule::code(&["UNAVAILABLE"], Overloaded, "overloaded"),
    Rule::says(&["is not allowed to use publisher model"], ModelDenied, "no_access"),
    Rule::says(&["is not found for api version"], ModelGone, "unknown_model"),
    Rule::says(&["is not servable in region", "not available in region"], ModelGone, "not_in_region"),
    Rule::code(&["DEADLINE_EXCEEDED"], ServerError, "timeout"),
    Rule::code(&["INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS", "CANCELLED"], ServerError, "server_error"),
];
