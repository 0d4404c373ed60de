//! What the client is told after the last attempt, when nobody has answered.

use crate::base::failure::{Failure, FailureKind};
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::exchange::select::{RESTRICTED, nobody_left};

/// What the client is told: what is `invalid` about its call, else what the `failures` of the attempts come to, else why nobody
/// was asked.
pub(crate) fn conclude(invalid: Option<Rejection>, failures: &[Failure], refusals: Vec<Refusal>) -> Rejection {
    if let Some(invalid) = invalid {
        return invalid;
    }
    let Some(last) = failures.last() else { return nobody_left(refusals) };
    let spoken =
        |kinds: &[FailureKind]| failures.iter().find(|failure| kinds.contains(&failure.kind) && failure.said.is_some());
    let clients_own = [
        FailureKind::BadRequest,
        FailureKind::ContentFilter,
        FailureKind::ContextLength,
        FailureKind::OverWindow,
        FailureKind::Unsupported,
    ];
    if let Some(failure) = spoken(&clients_own) {
        let mut rejection = Rejection::new(RejectionCode::VendorRefused, "The vendor found fault with the request.");
        rejection.said = failure.said.clone();
        return rejection;
    }
    let wait = failures.iter().filter_map(|failure| failure.retry_after).min();
    let (code, message) = match last.kind {
        FailureKind::Deadline => {
            (RejectionCode::DeadlineExceeded, "The exchange ran out of time before any deployment had content.")
        }
        FailureKind::RegionDenied | FailureKind::AccountDenied | FailureKind::ModelDenied
            if failures.iter().all(|failure| failure.kind.restricts()) =>
        {
            (RejectionCode::PolicyDenied, RESTRICTED)
        }
        FailureKind::Malformed if last.reason == "redirect" => {
            (RejectionCode::UpstreamRedirect, "The vendor answered with a redirect, which is never followed.")
        }
        FailureKind::Malformed | FailureKind::Truncated | FailureKind::Empty => {
            (RejectionCode::UpstreamMalformed, "No deployment gave an answer that can be used.")
        }
        FailureKind::Oversize => (RejectionCode::UpstreamOversize, "The vendor's answer is larger than the limit."),
        _ if failures.iter().all(|failure| failure.kind == FailureKind::RateLimited) => (
            RejectionCode::RateLimited,
            "Every deployment of this model is throttled by its vendor. Wait as long as Retry-After says.",
        ),
        _ => (
            RejectionCode::NoHealthyDeployment,
            "Every deployment of this model failed. Wait as long as Retry-After says; `/status` shows why.",
        ),
    };
    let mut rejection = Rejection::new(code, message);
    rejection.retry_after = wait;
    rejection.refusals = refusals;
    rejection
}
