//! Where vendors say that they process a call: recorded, and held against what was declared.

use crate::exchange::settle::Settlement;
use crate::exchange::under_way::Leg;
use crate::snapshot::deployment::Deployment;
use crate::state::world::{State, World};

/// Records the place that an answer names; one that contradicts the declared region takes the deployment out.
pub(crate) fn observed(
    said: Option<&str>,
    deployment: &Deployment,
    world: &World,
    state: &State,
    (settlement, leg): (&Settlement, Leg),
) {
    let Some(said) = said else { return };
    if world.snapshot.contradicts(deployment, said) {
        state.restrictions.contradicted(deployment, said);
    }
    settlement.observed(leg, said);
}
