//! What AWS Bedrock means: the type comes in `x-amzn-errortype`, or names the exception inside a stream.

use crate::base::failure::FailureKind::{
    AccountDenied, AuthKey, ModelDenied, ModelGone, Overloaded, Quota, RateLimited, RegionDenied, ServerError,
    Unsupported,
};
use crate::base::scope::Scope;
use crate::dialect::signals::rule::Rule;

/// <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>. A 403 here is mostly about the key.
pub(super) const RULES: &[Rule] = &[
    Rule::says(&["from unsupported countries", "from an unsupported countr"], RegionDenied, "region")
        .within(Scope::Model),
    Rule::says(&["invalid_payment_instrument", "payment instrument"], Quota, "money"),
    Rule::says(
        &["currently blocked", "account is suspended", "account has been suspended"],
        AccountDenied,
        "suspended",
    ),
    Rule::code(&["ValidationException"], AccountDenied, "not_allowed").and(&["operation not allowed"]),
    Rule::says(
        &[
            "you don't have access to the model",
            "use case details have not been submitted",
            "model access is denied",
            "not been granted access to",
        ],
        ModelDenied,
        "no_access",
    ),
    // our clock, not the key: the signature is made again with the right time
    Rule::code(&["RequestTimeTooSkewed", "RequestExpired"], AuthKey, "clock_skew").only_now(),
    Rule::says(&["signature expired", "signature not yet current"], AuthKey, "clock_skew").only_now(),
    Rule::code(&["ExpiredTokenException", "ExpiredToken"], AuthKey, "expired"),
    Rule::code(
        &[
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "IncompleteSignatureException",
            "MissingAuthenticationTokenException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "NotAuthorized",
        ],
        AuthKey,
        "key",
    ),
    Rule::code(&["ModelNotReadyException"], Overloaded, "loading"),
    Rule::code(&["ThrottlingException", "TooManyRequestsException"], Quota, "daily_quota")
        .and(&["per day"])
        .within(Scope::Model),
    Rule::code(
        &["ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"],
        RateLimited,
        "rate_limited",
    ),
    Rule::code(&["ServiceUnavailableException"], Overloaded, "overloaded"),
    Rule::code(&["ModelTimeoutException"], ServerError, "timeout"),
    Rule::code(
        &["InternalServerException", "InternalFailure", "ModelErrorException", "ModelStreamErrorException"],
        ServerError,
        "server_error",
    ),
    Rule::says(&["marked by provider as legacy", "end of its life"], ModelGone, "retired"),
    Rule::says(&["model identifier is invalid", "could not resolve the foundation model"], ModelGone, "unknown_model"),
    Rule::code(&["ResourceNotFoundException"], ModelGone, "unknown_model"),
    Rule::code(&["AccessDeniedException"], AuthKey, "permission"),
    // an inference profile has the model, this id has not: recording 8457fae404adcaf4
    Rule::says(&["on-demand throughput isn't supported"], Unsupported, "capability"),
    Rule::says(&["cannot both be specified for this model"], Unsupported, "parameter"),
    Rule::says(&["rate exceeded"], RateLimited, "rate_limited").at(&[0, 400, 429]),
];
