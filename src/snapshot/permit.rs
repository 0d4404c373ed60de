//! The permit: without one, nothing is sent, dialled or resolved. Only a [`Snapshot`] mints it, from a policy decision.

use crate::base::rejection::Refusal;
use crate::policy::{Ask, Verdicts};
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::{Deployment, Endpoint};
use crate::snapshot::feed::Feed;
use crate::snapshot::key::Key;
use crate::snapshot::pool::Pool;
use std::borrow::Cow;
use std::sync::Arc;

/// Leave to contact one deployment once. Not `Clone`: an attempt uses it up.
#[derive(Debug)]
pub struct Permit {
    deployment: Arc<Deployment>,
    generation: u64,
}

impl Permit {
    /// The deployment that may be contacted.
    #[must_use]
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The generation of the snapshot that gave it.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Leave to read a status page, which takes nothing of a client.
    pub(super) fn of_feed(feed: &Feed, generation: u64) -> Self {
        Self { deployment: Arc::clone(&feed.page), generation }
    }

    /// A permit that no policy gave, for tests of what happens after it.
    #[cfg(test)]
    pub(crate) const fn for_test(deployment: Arc<Deployment>) -> Self {
        Self { deployment, generation: 0 }
    }
}

impl Snapshot {
    /// Asks policy whether `key` may send this call to `deployment`.
    ///
    /// The deployment may come from an older snapshot: it is looked up by its health key, and one that is gone is refused.
    ///
    /// # Errors
    /// [`Refusal::Policy`] with the ids of the deciding policies.
    pub fn permit(&self, key: &Key, ask: &Ask, deployment: &Arc<Deployment>) -> Result<Permit, Refusal> {
        self.asking(key, ask).permit(deployment)
    }

    /// The same question about one deployment after another.
    #[must_use]
    pub fn asking<'a>(&'a self, key: &Key, ask: &'a Ask) -> Asking<'a> {
        let asked = self.keys.by_name(&key.name).map(|key| (key.index, self.as_of_now(key, ask)));
        Asking { snapshot: self, asked }
    }

    /// The policy that takes `deployment` from this call although it already answers (`@inflight("stop")`), if there is one.
    ///
    /// Whatever else forbids it, and a deployment or key that is no longer there, lets what runs come to its end.
    #[must_use]
    pub fn recalls(&self, key: &Key, ask: &Ask, deployment: &Arc<Deployment>) -> Option<Arc<str>> {
        let Err(Refusal::Policy(rules)) = self.permit(key, ask, deployment) else { return None };
        rules.iter().find(|id| self.policy.rule(id).is_some_and(|rule| rule.stops_streams)).cloned()
    }

    /// Asks policy whether some key may use `deployment` at all: for probes, which carry nothing of a client.
    ///
    /// # Errors
    /// [`Refusal::Policy`] when no key may.
    pub fn probe_permit(&self, deployment: &Arc<Deployment>) -> Result<Permit, Refusal> {
        let current = self.current(deployment).ok_or_else(gone)?;
        if self.policy.usable_by_some_key(current.index) {
            Ok(Permit { deployment: Arc::clone(deployment), generation: self.generation })
        } else {
            Err(gone())
        }
    }
}

impl Snapshot {
    /// Every endpoint that somebody may be sent to: those of deployments that some key may use, those that give out their tokens,
    /// and their vendors' status pages.
    #[must_use]
    pub fn reachable(&self) -> Vec<Arc<Endpoint>> {
        let usable = self.deployments.iter().filter(|one| self.policy.usable_by_some_key(one.index));
        let called = usable
            .flat_map(|one| std::iter::once(&one.endpoint).chain(one.token_source().map(|source| &source.endpoint)));
        let pages = self.feeds.iter().filter(|feed| self.feed_permit(feed).is_ok()).map(|feed| &feed.page.endpoint);
        called.chain(pages).cloned().collect()
    }
}

/// A call that policy is asked about, as its key stands now.
pub struct Asking<'a> {
    snapshot: &'a Snapshot,
    /// The key's index, and the call; `None` where the key is gone.
    asked: Option<(usize, Cow<'a, Ask>)>,
}

impl<'a> Asking<'a> {
    /// Asks policy whether the call may go to `deployment`, as [`Snapshot::permit`] does.
    ///
    /// # Errors
    /// [`Refusal::Policy`] with the ids of the deciding policies.
    pub fn permit(&self, deployment: &Arc<Deployment>) -> Result<Permit, Refusal> {
        let (key, ask) = self.asked.as_ref().ok_or_else(gone)?;
        let current = self.snapshot.current(deployment).ok_or_else(gone)?;
        self.snapshot.policy.decide(*key, current.index, ask).map_err(Refusal::Policy)?;
        Ok(Permit { deployment: Arc::clone(deployment), generation: self.snapshot.generation })
    }

    /// Asks policy about every deployment of `pool` at once, which takes one look-up where it was asked before.
    #[must_use]
    pub fn about(self, pool: &Pool) -> Answers<'a> {
        let decide = |(key, ask): &(usize, Cow<'_, Ask>)| self.snapshot.policy.decide_pool(*key, &pool.name, ask);
        Answers { verdicts: self.asked.as_ref().map(decide).unwrap_or_default(), asking: self }
    }
}

/// What policy says of a call to the deployments of a pool. It tells whom to choose; leave to contact one is a [`Permit`] alone.
pub struct Answers<'a> {
    asking: Asking<'a>,
    verdicts: Verdicts,
}

impl Answers<'_> {
    /// Whether policy permits the call to go to `deployment`, as [`Asking::permit`] would say.
    ///
    /// # Errors
    /// [`Refusal::Policy`] with the ids of the deciding policies.
    pub fn permits(&self, deployment: &Arc<Deployment>) -> Result<(), Refusal> {
        let current = self.asking.snapshot.current(deployment).ok_or_else(gone)?;
        match self.verdicts.about(current.index) {
            Some(verdict) => verdict.clone().map_err(Refusal::Policy),
            // a reload took it out of the pool, or the key is gone
            None => self.asking.permit(deployment).map(drop),
        }
    }
}

/// What is said of a key or a deployment that is no longer there.
fn gone() -> Refusal {
    Refusal::Policy(Arc::from([]))
}

impl Snapshot {
    /// The call with what its key says today: a reload that narrows a key narrows what is under way, and never widens it.
    fn as_of_now<'a>(&self, key: &Key, ask: &'a Ask) -> Cow<'a, Ask> {
        let new_data = key.data.iter().any(|class| !ask.data.contains(class));
        let unscreened = ask.screened && !key.screened;
        let bound = key.residency != ask.residency && !self.policy.vocabulary().within(&ask.residency, &key.residency);
        if !new_data && !unscreened && !bound {
            return Cow::Borrowed(ask);
        }
        let mut ask = ask.clone();
        ask.data.extend(key.data.iter().cloned());
        ask.data.sort();
        ask.data.dedup();
        ask.screened &= key.screened;
        if bound && self.policy.vocabulary().within(&key.residency, &ask.residency) {
            ask.residency = Arc::clone(&key.residency);
        }
        Cow::Owned(ask)
    }

    /// Today's deployment of the same health key, which a reload may have replaced or removed.
    fn current(&self, deployment: &Arc<Deployment>) -> Option<&Arc<Deployment>> {
        match self.deployments.get(deployment.index) {
            Some(same) if Arc::ptr_eq(same, deployment) || same.health_key == deployment.health_key => Some(same),
            _ => self.deployments.iter().find(|other| other.health_key == deployment.health_key),
        }
    }
}
