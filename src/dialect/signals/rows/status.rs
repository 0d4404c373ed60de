//! What a status means where no line of the table knew the words.

use crate::base::failure::FailureKind;
use crate::dialect::signals::rule::Verdict;
use crate::dialect::signals::words::Shape;

/// A status of 0 stands for none.
pub(in crate::dialect::signals) const fn by_status(status: u16, shape: Shape) -> Verdict {
    let (kind, reason) = match (status, shape) {
        // a page in place of an answer comes from an edge before the vendor, which knows nothing of keys
        (403, Shape::Page) => (FailureKind::Malformed, "page"),
        (300..400, _) => (FailureKind::Malformed, "redirect"),
        (401, _) => (FailureKind::AuthKey, "key"),
        (402, _) => (FailureKind::Quota, "money"),
        (403, _) => (FailureKind::AuthKey, "permission"),
        (404, _) => (FailureKind::ModelGone, "not_found"),
        (405, _) => (FailureKind::Malformed, "method"),
        (408 | 504 | 524, _) => (FailureKind::ServerError, "timeout"),
        (409 | 424 | 425, _) => (FailureKind::ServerError, "try_again"),
        (410, _) => (FailureKind::ModelGone, "retired"),
        (413, _) => (FailureKind::ContextLength, "request_too_large"),
        (429, _) => (FailureKind::RateLimited, "rate_limited"),
        (451, _) => (FailureKind::RegionDenied, "legal"),
        (498 | 503 | 529, _) => (FailureKind::Overloaded, "overloaded"),
        (400..500, _) => (FailureKind::BadRequest, "bad_request"),
        (501, _) => (FailureKind::Unsupported, "capability"),
        (500..600, _) => (FailureKind::ServerError, "server_error"),
        _ => (FailureKind::Malformed, "status"),
    };
    Verdict::new(kind, reason)
}

/// The status that an error without one stands for.
pub(in crate::dialect::signals) const fn usual_status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::RateLimited | FailureKind::OverWindow | FailureKind::Quota => 429,
        FailureKind::Overloaded => 529,
        FailureKind::AuthKey => 401,
        FailureKind::RegionDenied | FailureKind::AccountDenied | FailureKind::ModelDenied => 403,
        FailureKind::ModelGone => 404,
        FailureKind::ContextLength
        | FailureKind::ContentFilter
        | FailureKind::Unsupported
        | FailureKind::BadRequest => 400,
        _ => 500,
    }
}
