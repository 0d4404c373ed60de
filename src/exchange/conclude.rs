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
    let mut rejection = sum(last, failures);
    rejection.retry_after = failures.iter().filter_map(|failure| failure.retry_after).min();
    rejection.refusals = refusals;
    rejection
}

/// What the failures of all attempts come to: what they have in common, in whatever order they came, else that nobody is healthy.
/// Where one deployment is down and another gives answers that nobody can use, the first may be back when the client is.
fn sum(last: &Failure, failures: &[Failure]) -> Rejection {
    let all = |is: fn(&Failure) -> bool| failures.iter().all(is);
    let (code, message) = if last.kind == FailureKind::Deadline {
        (RejectionCode::DeadlineExceeded, "The exchange ran out of time before any deployment had content.")
    } else if all(|failure| failure.kind.restricts()) && !all(|failure| failure.kind == FailureKind::ModelGone) {
        (RejectionCode::PolicyDenied, RESTRICTED)
    } else if all(|failure| failure.kind == FailureKind::RateLimited) {
        (
            RejectionCode::RateLimited,
            "Every deployment of this model is throttled by its vendor. Wait as long as Retry-After says.",
        )
    } else if all(|failure| failure.kind == FailureKind::Malformed && failure.reason == "redirect") {
        (RejectionCode::UpstreamRedirect, "The vendor answered with a redirect, which is never followed.")
    } else if all(|failure| failure.kind == FailureKind::Oversize) {
        (RejectionCode::UpstreamOversize, "The vendor's answer is larger than the limit.")
    } else if all(is_unusable) {
        (RejectionCode::UpstreamMalformed, "No deployment gave an answer that can be used.")
    } else {
        (
            RejectionCode::NoHealthyDeployment,
            "Every deployment of this model failed. Wait as long as Retry-After says; `/status` shows why.",
        )
    };
    Rejection::new(code, message)
}

/// Whether the deployment is up, and answered what nobody can use: asking again soon would not help.
const fn is_unusable(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Malformed | FailureKind::Truncated | FailureKind::Empty | FailureKind::Oversize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Phase;

    fn check(failures: &[(FailureKind, &'static str)], expected: RejectionCode) {
        let failed = |(kind, reason): &(FailureKind, &'static str)| Failure::new(*kind, Phase::Headers, reason);
        let mut failed: Vec<Failure> = failures.iter().map(failed).collect();
        assert_eq!(conclude(None, &failed, Vec::new()).code, expected, "{failures:?}");
        failed.reverse();
        assert_eq!(conclude(None, &failed, Vec::new()).code, expected, "the other way round: {failures:?}");
    }

    #[test]
    fn the_client_is_told_what_all_attempts_have_in_common_whatever_their_order() {
        use FailureKind::{
            ConnectRefused, Empty, HeadersTimeout, Malformed, ModelDenied, ModelGone, Oversize, RateLimited,
            RegionDenied, Truncated,
        };
        use RejectionCode::{NoHealthyDeployment, PolicyDenied, UpstreamMalformed, UpstreamOversize, UpstreamRedirect};
        let (html, redirect) = ((Malformed, "html"), (Malformed, "redirect"));
        let (cut, large, throttled, down) =
            ((Truncated, "cut"), (Oversize, "answer"), (RateLimited, ""), (ConnectRefused, ""));
        for (failures, expected) in [
            (&[html][..], UpstreamMalformed),
            (&[html, cut, (Empty, "no_content")], UpstreamMalformed),
            (&[redirect], UpstreamRedirect),
            (&[redirect, redirect], UpstreamRedirect),
            (&[redirect, large], UpstreamMalformed),
            (&[large, large], UpstreamOversize),
            (&[html, down], NoHealthyDeployment),
            (&[cut, (HeadersTimeout, "")], NoHealthyDeployment),
            (&[html, throttled], NoHealthyDeployment),
            (&[throttled, throttled], RejectionCode::RateLimited),
            (&[throttled, down], NoHealthyDeployment),
            (&[(RegionDenied, ""), (ModelDenied, "")], PolicyDenied),
            (&[(RegionDenied, ""), (ModelGone, "")], PolicyDenied),
            (&[(ModelGone, "")], NoHealthyDeployment),
            (&[(RegionDenied, ""), html], NoHealthyDeployment),
        ] {
            check(failures, expected);
        }
    }
}
