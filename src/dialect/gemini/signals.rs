//! The errors of the Gemini API and of Vertex AI: a `status` in words beside the number, and details.

use crate::base::failure::FailureKind;
use crate::dialect::signals::{Rule, Test};

/// Asked before the words that all vendors share.
pub(in crate::dialect) const RULES: &[Rule] = &[
    // a bad key is a 400 here: recording 4ed2c648d12be7bf
    Rule::says(&["api_key_invalid", "api key expired", "api key not found"], FailureKind::AuthKey, "key"),
    Rule::says(&["user location is not supported"], FailureKind::RegionDenied, "region"),
    Rule::code(&["UNAUTHENTICATED"], FailureKind::AuthKey, "key"),
    Rule::says(&["enable billing", "billing account", "prepayment credits"], FailureKind::Quota, "money"),
    // the quota of a day, or one of none at all, does not come back by waiting a minute
    Rule {
        test: Test::CodeSays(&["RESOURCE_EXHAUSTED"], &["perday", "limit: 0"]),
        kind: FailureKind::Quota,
        reason: "daily_quota",
    },
    Rule::code(&["RESOURCE_EXHAUSTED"], FailureKind::RateLimited, "rate_limited"),
    Rule::code(&["UNAVAILABLE"], FailureKind::Overloaded, "overloaded"),
    Rule::code(&["INTERNAL"], FailureKind::ServerError, "server_error"),
    Rule::code(&["DEADLINE_EXCEEDED", "CANCELLED"], FailureKind::ServerError, "timeout"),
    Rule {
        test: Test::StatusSays(404, &["models/", "publisher model"]),
        kind: FailureKind::ModelGone,
        reason: "model",
    },
    // recordings 53e39eed0d8d913c, bc325db8275658b1, 8b615eee180e024a
    Rule::says(
        &["is not enabled for", "is unsupported", "is not supported by", "not supported for this model"],
        FailureKind::Unsupported,
        "capability",
    ),
];
