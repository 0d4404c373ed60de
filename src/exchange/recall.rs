//! What runs at a deployment that a reload forbids, where the policy says that it is stopped.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::policy::Ask;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::state::world::State;
use std::borrow::Cow;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

/// Ends when the deployment is taken from the call, and never otherwise.
pub(crate) type Recall = Pin<Box<dyn Future<Output = Failure> + Send>>;

/// Watches over a call at a deployment: from now on, or since the generation that permitted it.
pub(crate) fn watch(
    state: &Arc<State>,
    key: &Arc<Key>,
    ask: &Ask,
    deployment: &Arc<Deployment>,
    phase: Phase,
    permitted: Option<u64>,
) -> Recall {
    let (state, key, ask, deployment) = (Arc::clone(state), Arc::clone(key), ask.clone(), Arc::clone(deployment));
    Box::pin(async move {
        let mut generations = state.generations();
        let forbidden = || {
            let world = state.world();
            // asked before the first wait too: a reload may have come between the permit and the watching
            let is_news = permitted != Some(world.snapshot.generation);
            is_news.then(|| world.snapshot.recalls(&key, &ask, &deployment))?
        };
        loop {
            if let Some(rule) = forbidden() {
                let recalled = Failure::new(FailureKind::Recalled, phase, "policy");
                return Failure { reason: Cow::Owned(rule.to_string()), ..recalled };
            }
            if generations.changed().await.is_err() {
                return pending().await;
            }
        }
    })
}
