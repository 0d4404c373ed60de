//! Identifiers that say little, or too much: asked when no sentence was known.

use crate::base::failure::FailureKind::{
    AuthKey, BadRequest, ModelGone, Overloaded, RateLimited, ServerError, Unsupported,
};
use crate::dialect::signals::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::code(
        &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit_reached_error",
            "RateLimitReached",
            "rate_limited",
            "model_rate_limit",
            "too_many_requests",
            "too_many_requests_error",
            "request_quota_exceeded",
            "token_quota_exceeded",
            "REQUEST_LIMIT_EXCEEDED",
            "RESOURCE_EXHAUSTED",
            "LimitRequests",
            "Throttling",
            "ThrottlingException",
            "QuotaExceeded",
            "QuotaViolation",
        ],
        RateLimited,
        "rate_limited",
    ),
    Rule::code(
        &[
            "unsupported_parameter",
            "unsupported_value",
            "unsupported_model",
            "OperationNotSupported",
            "not_supported_error",
        ],
        Unsupported,
        "parameter",
    ),
    Rule::code(
        &[
            "model_not_found",
            "DeploymentNotFound",
            "unknown_model",
            "unavailable_model",
            "model_not_available",
            "model_not_supported",
            "model_not_active",
            "InvalidEndpointOrModel",
            "RESOURCE_DOES_NOT_EXIST",
            "ENDPOINT_NOT_FOUND",
            "resource_not_found_error",
        ],
        ModelGone,
        "unknown_model",
    ),
    Rule::code(&["authentication_error", "authentication_token_expired", "UNAUTHENTICATED"], AuthKey, "key"),
    Rule::code(&["permission_denied_error", "PermissionDenied"], AuthKey, "permission").at(&[0, 401, 403]),
    Rule::code(&["unavailable_error", "unavailable"], Overloaded, "overloaded"),
    Rule::code(
        &["server_error", "internal_server_error", "internal_error", "InternalError", "api_error"],
        ServerError,
        "server_error",
    )
    .at(&[0]),
    Rule::says(&["server_error", "internal error", "internal server error"], ServerError, "server_error").at(&[0]),
    Rule::code(&["timeout", "timeout_error", "request_timeout"], ServerError, "timeout").at(&[0]),
    Rule::code(
        &[
            "invalid_request_error",
            "ValidationException",
            "INVALID_ARGUMENT",
            "FAILED_PRECONDITION",
            "bad_request",
            "BadRequestError",
        ],
        BadRequest,
        "bad_request",
    )
    .at(&[0]),
];
