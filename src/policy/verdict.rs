//! What policies said: default deny, a forbid wins, and what cannot be evaluated is refused.

use cedar_policy::{AuthorizationError, Decision, Response};
use std::sync::Arc;

/// The rule id of a refusal because a policy could not be evaluated; Cedar itself would skip that policy.
pub const EVALUATION_ERROR: &str = "evaluation_error";

/// A decision: permitted, or the rules that refuse it.
pub(super) type Verdict = Result<(), Arc<[Arc<str>]>>;

/// What some of the policies say of a question.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Whether one of them permits it; not to be asked where one forbids it.
    permits: bool,
    forbid: Vec<Arc<str>>,
    /// Those that erred. Cedar skips them, so that an erring forbid would permit; we refuse.
    erred: Vec<Arc<str>>,
    /// Whether something stood in the way of asking at all.
    unanswered: bool,
}

impl Finding {
    /// Cedar's answer over these policies alone.
    pub(super) fn of(answer: &Response) -> Self {
        let ids = || answer.diagnostics().reason().map(|id| Arc::from(id.as_ref()));
        let permits = answer.decision() == Decision::Allow;
        let erred = answer.diagnostics().errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            Arc::from(error.policy_id().as_ref())
        });
        Self {
            permits,
            forbid: if permits { Vec::new() } else { ids().collect() },
            erred: erred.collect(),
            unanswered: false,
        }
    }

    /// Where the question could not be put.
    pub(super) fn unanswered() -> Self {
        Self { unanswered: true, ..Self::default() }
    }

    /// Adds what other policies say of the same question.
    pub(super) fn add(&mut self, other: &Self) {
        self.permits |= other.permits;
        self.unanswered |= other.unanswered;
        self.forbid.extend(other.forbid.iter().cloned());
        self.erred.extend(other.erred.iter().cloned());
    }

    /// The decision, once all policies have been heard.
    pub(super) fn verdict(mut self) -> Verdict {
        let errs = self.unanswered || !self.erred.is_empty();
        if self.permits && self.forbid.is_empty() && !errs {
            return Ok(());
        }
        self.forbid.sort();
        self.erred.sort();
        let error = errs.then(|| Arc::from(EVALUATION_ERROR));
        Err(self.forbid.into_iter().chain(error).chain(self.erred).collect())
    }
}
