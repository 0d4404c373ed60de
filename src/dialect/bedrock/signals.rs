//! Bedrock's exceptions, which an answer names in a header and a stream in its frame. AWS's API reference of `Converse`
//! and `ConverseStream` lists them; streams begin their names in lower case.

use crate::base::failure::FailureKind;
use crate::dialect::signals::{Rule, Test};

/// Asked before the words that all vendors share.
pub(in crate::dialect) const RULES: &[Rule] = &[
    Rule::says(
        &["not allowed from unsupported countries", "unsupported countries, regions, or territories"],
        FailureKind::RegionDenied,
        "region",
    ),
    Rule::code(&["ThrottlingException", "throttlingException"], FailureKind::RateLimited, "rate_limited"),
    Rule::code(&["ServiceQuotaExceededException"], FailureKind::RateLimited, "service_quota"),
    Rule::code(
        &["ServiceUnavailableException", "serviceUnavailableException", "ModelNotReadyException"],
        FailureKind::Overloaded,
        "overloaded",
    ),
    Rule::code(&["ModelTimeoutException", "modelTimeoutException"], FailureKind::ServerError, "timeout"),
    Rule::code(
        &[
            "InternalServerException",
            "internalServerException",
            "ModelErrorException",
            "ModelStreamErrorException",
            "modelStreamErrorException",
            "InternalFailure",
        ],
        FailureKind::ServerError,
        "server_error",
    ),
    // recordings ca7da3d5b44b485b, 4c951cd338d0fb7e, 6bf211726663b757
    Rule::code(
        &[
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "MissingAuthenticationTokenException",
            "InvalidClientTokenId",
        ],
        FailureKind::AuthKey,
        "key",
    ),
    Rule::says(
        &["provided model identifier is invalid", "the model id is invalid", "model use case details have not been"],
        FailureKind::ModelGone,
        "model",
    ),
    Rule::code(&["ResourceNotFoundException"], FailureKind::ModelGone, "model"),
    Rule {
        test: Test::CodeSays(&["AccessDeniedException"], &["access to the model"]),
        kind: FailureKind::ModelGone,
        reason: "model",
    },
    Rule::code(&["AccessDeniedException"], FailureKind::AuthKey, "permission"),
    // recording 8457fae404adcaf4
    Rule::says(
        &["on-demand throughput isn", "cannot both be specified", "extraneous key [tool", "doesn't support"],
        FailureKind::Unsupported,
        "capability",
    ),
    Rule::says(
        &["input is too long", "input tokens exceeded", "too large for the model", "exceeds maximum length"],
        FailureKind::ContextLength,
        "context_length",
    ),
    Rule::says(&["blocked by guardrail"], FailureKind::ContentFilter, "content_filter"),
];
