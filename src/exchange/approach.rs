//! How a candidate is approached: with the client's call, or for the rest of a stream that broke.

use crate::base::failure::{Failure, FailureKind};
use crate::base::rejection::Refusal;
use crate::call::needs::Need;
use crate::dialect::signals::FOREIGN_SEAL;
use crate::exchange::attempt::Work;
use crate::exchange::continuation::{self, Manner};
use crate::exchange::request::{self, Prepared, Unfit};
use crate::snapshot::deployment::Deployment;
use std::sync::Arc;

/// The request for a candidate: the call, or what asks for the rest of a stream that broke.
pub(crate) fn prepare(work: &mut Work, deployment: &Arc<Deployment>) -> Result<Box<Prepared>, Unfit> {
    let Some(told) = work.broken_off() else {
        let bounds = &work.world.snapshot.bounds;
        let mut prepared = request::prepare(&mut work.ingress, bounds, &work.admitted.pool, deployment)?;
        prepared.told.clone_from(&work.told);
        return Ok(prepared);
    };
    let thinks = work.ingress.scan.needs.has(Need::Reasoning);
    let voice = deployment.voice(work.ingress.dialect);
    let begun = voice.and_then(|voice| continuation::begun(&voice.profile, voice.capabilities));
    let first = continuation::manner(told.text(), begun, thinks);
    rest(work, deployment, first)
}

/// The request for a candidate that is asked beside another.
pub(crate) fn prepare_beside(work: &Work, deployment: &Arc<Deployment>) -> Result<Box<Prepared>, Unfit> {
    let (bounds, mut ingress) = (&work.world.snapshot.bounds, work.ingress.clone());
    let mut prepared = request::prepare(&mut ingress, bounds, &work.admitted.pool, deployment)?;
    prepared.told.clone_from(&work.told);
    Ok(prepared)
}

/// The request for the rest in this manner, or in the next that the deployment's dialect has words for.
fn rest(work: &mut Work, deployment: &Arc<Deployment>, manner: Manner) -> Result<Box<Prepared>, Unfit> {
    let Work { world, ingress, admitted, told, .. } = work;
    let Some(told) = told.as_deref() else { return Err(Unfit::Deployment(Refusal::Capability("continuation"))) };
    let bounds = &world.snapshot.bounds;
    match request::prepare_rest(ingress, bounds, &admitted.pool, deployment, (told, manner)) {
        Err(Unfit::Deployment(refusal)) => match continuation::otherwise(manner, told.text()) {
            Some(other) => rest(work, deployment, other),
            None => Err(Unfit::Deployment(refusal)),
        },
        prepared => prepared,
    }
}

/// A deployment that finds fault with how it was asked is asked in another manner: for the rest in other words, or without
/// thoughts that another vendor sealed.
pub(crate) fn otherwise(
    work: &mut Work,
    deployment: &Arc<Deployment>,
    failure: &Failure,
    refused: &Prepared,
) -> Option<Box<Prepared>> {
    if failure.reason == FOREIGN_SEAL && !refused.without_thoughts && refused.manner.is_none() {
        let Work { world, ingress, admitted, told, .. } = work;
        let bounds = &world.snapshot.bounds;
        let mut prepared = request::prepare_without_thoughts(ingress, bounds, &admitted.pool, deployment).ok()?;
        prepared.told.clone_from(told);
        prepared.claimant.clone_from(&refused.claimant);
        return Some(prepared);
    }
    // a vendor that repeats a beginning, and for once did not, may follow other words
    let told = failure.said.is_some() || refused.manner == Some(Manner::Prefix);
    let at_fault = matches!(failure.kind, FailureKind::BadRequest | FailureKind::Unsupported) && told;
    let manner = continuation::otherwise(refused.manner.filter(|_| at_fault)?, work.broken_off()?.text())?;
    rest(work, deployment, manner).ok()
}
