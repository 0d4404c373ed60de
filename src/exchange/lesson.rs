//! What is learnt from how an attempt came out: of health, quotas, restrictions, and where a session is at home.

use crate::base::failure::{Failure, FailureKind};
use crate::call::needs::Need;
use crate::exchange::attempt::Work;
use crate::exchange::hedge;
use crate::exchange::select::Candidate;
use crate::state::health::Flight;
use crate::state::quota::Draw;
use std::sync::PoisonError;
use std::time::Duration;

/// An attempt has content, which the client gets. The session's next call finds a warm cache there.
pub(crate) fn answered(work: &Work, candidate: &Candidate, draw: Draw) {
    draw.succeeded();
    work.state.restrictions.answered(&candidate.deployment);
    if let Some(session) = work.session {
        let mut affinity = work.state.affinity.lock().unwrap_or_else(PoisonError::into_inner);
        affinity.served(session, &candidate.health.deployment.key, work.state.clock.now());
    }
}

/// An attempt failed. Gives what that was, with what else is known.
pub(crate) fn failed(work: &Work, candidate: &Candidate, flight: &mut Flight, draw: Draw, failure: Failure) -> Failure {
    let now = work.state.clock.now();
    let failure = flight.judged(clients_own(failure, work, candidate), now);
    flight.failed(&failure, now);
    draw.failed(&failure, now);
    work.state.restrictions.failed(&candidate.deployment, &failure, now);
    failure
}

/// The first deployment had nothing yet when the other had content: it is as slow as that, at least.
pub(crate) fn outrun(work: &Work, flight: &mut Flight, waited: Duration) {
    if let Some(awaited) = hedge::awaited(&work.ingress) {
        flight.waited(waited, awaited, work.state.clock.now());
    }
}

/// What is not found may be what the client named, a file or an earlier answer: unless the vendor names the model, its
/// absence says nothing of the model.
fn clients_own(failure: Failure, work: &Work, candidate: &Candidate) -> Failure {
    let named = |failure: &Failure| {
        failure.said.as_ref().is_some_and(|said| said.message.contains(&*candidate.deployment.model))
    };
    let ids = work.ingress.scan.needs.has(Need::ServerIds);
    if failure.kind == FailureKind::ModelGone && ids && !named(&failure) {
        return Failure { kind: FailureKind::BadRequest, reason: "unknown_id".into(), scope: None, ..failure };
    }
    failure
}
