//! What policies said: default deny, a forbid wins, and what cannot be evaluated is refused.

use std::sync::Arc;

/// The rule id of a refusal because a policy could not be evaluated; Cedar itself would skip that policy.
pub const EVALUATION_ERROR: &str = "evaluation_error";

/// A decision: permitted, or the ids of the rules that refuse it; none where no policy permits it.
pub type Verdict = Result<(), Arc<[Arc<str>]>>;

/// What some of the policies say of a question.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Whether one of them permits it.
    permits: bool,
    forbid: Vec<Arc<str>>,
    /// Those that erred. Cedar would skip them, so that an erring forbid would permit; we refuse.
    erred: Vec<Arc<str>>,
    /// Whether something stood in the way of asking at all.
    unanswered: bool,
}

/// What one policy says of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Permit,
    Forbid,
    /// It does not concern it.
    Nothing,
    /// It cannot be evaluated.
    Error,
}

impl Finding {
    /// What these policies say, each by its id.
    pub(super) fn of<'a>(policies: impl Iterator<Item = (&'a Arc<str>, Said)>) -> Self {
        let mut finding = Self::default();
        for (id, said) in policies {
            match said {
                Said::Permit => finding.permits = true,
                Said::Forbid => finding.forbid.push(Arc::clone(id)),
                Said::Error => finding.erred.push(Arc::clone(id)),
                Said::Nothing => {}
            }
        }
        finding
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
