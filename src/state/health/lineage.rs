//! Everything that a deployment depends on, and what that says for and against asking it.

use super::node::Node;
use crate::base::clock::Moment;
use crate::base::failure::{Blame, Failure};
use crate::base::rejection::Refusal;
use crate::base::scope::Scope;
use crate::dialect::status_page::Report;
use crate::snapshot::pool::BreakerSettings;
use crate::state::breaker::Admission;
use std::sync::Arc;
use std::time::Duration;

/// A degraded deployment gets one in so many of the calls that would be its.
const ONE_IN: u64 = 4;
/// The part of its weight that is left to a vendor that reports a major incident.
const REPORTED_WEIGHT: f64 = 0.5;
/// A deployment is sound with so many successes in a hundred.
const SOUND_PERCENT: u32 = 90;

/// Every node that a deployment depends on.
#[derive(Clone, Debug)]
pub struct DeploymentHealth {
    /// The deployment itself.
    pub deployment: Arc<Node>,
    /// Its host, shared with every model there.
    pub host: Arc<Node>,
    pub(super) credential: Arc<Node>,
    pub(super) model: Arc<Node>,
    /// Its vendor, shared by all hosts of it.
    pub vendor: Arc<Node>,
}

/// Which nodes an attempt is the trial of, from the vendor down to the deployment.
pub(super) type Trials = [bool; 4];

impl DeploymentHealth {
    /// The blame tree from its root down to the deployment.
    pub(super) const fn path(&self) -> [&Arc<Node>; 4] {
        [&self.vendor, &self.host, &self.model, &self.deployment]
    }

    pub(super) fn to_blame(&self, blame: Blame) -> Option<&Arc<Node>> {
        match blame {
            Blame::Host => Some(&self.host),
            Blame::Deployment | Blame::Account => Some(&self.deployment),
            Blame::Credential => Some(&self.credential),
            Blame::Model => Some(&self.model),
            Blame::Vendor | Blame::Egress => Some(&self.vendor),
            Blame::Nobody => None,
        }
    }

    /// What rests after a refusal: whatever is to blame, unless the vendor's words reach less far.
    pub(super) fn to_rest(&self, failure: &Failure) -> Option<&Arc<Node>> {
        match (failure.kind.blame(), failure.scope?) {
            (Blame::Credential | Blame::Egress | Blame::Vendor, Scope::Model) => Some(&self.deployment),
            (blame, _) => self.to_blame(blame),
        }
    }

    /// The node that is not closed, the highest first: it alone decides about trials.
    fn open(&self) -> Option<&Arc<Node>> {
        self.path().into_iter().find(|node| node.is_troubled() && !node.lock().breaker.is_closed())
    }

    /// Whether nothing stands in the way of anything that it depends on: so it is nearly always, for nearly all.
    fn is_untroubled(&self) -> bool {
        let Self { deployment, host, credential, model, vendor } = self;
        ![deployment, host, credential, model, vendor].into_iter().any(|node| node.is_troubled())
    }

    /// Why the deployment cannot be asked now, without asking to be let through.
    #[must_use]
    pub fn refuses(&self, now: Moment, settings: &BreakerSettings) -> Option<Refusal> {
        if self.is_untroubled() {
            return None;
        }
        let rest = self.path().into_iter().chain([&self.credential]).find_map(|node| node.rests(now));
        if rest.is_some() {
            return rest;
        }
        if let Some(retry_after) = self.open().and_then(|node| node.lock().breaker.refuses_for(now)) {
            return Some(Refusal::Breaker { retry_after });
        }
        self.deployment.is_full(now, settings).then_some(Refusal::Full)
    }

    /// Asks every breaker on the way; what was taken of trials is given back where a later one refuses.
    pub(super) fn admit(&self, now: Moment, trickle: bool) -> Result<Trials, Duration> {
        let mut trials = Trials::default();
        let mut on_trial = false;
        for (index, node) in self.path().into_iter().enumerate() {
            if !node.is_troubled() {
                continue;
            }
            let admission = node.change(|inner| match (on_trial, trickle) {
                (_, true) => inner.breaker.admit_trickle(now),
                (true, false) => inner.breaker.admit_below(now),
                (false, false) => inner.breaker.admit(now),
            });
            match admission {
                Admission::Free => {}
                Admission::Trial => {
                    on_trial = true;
                    trials[index] = true;
                }
                Admission::Refused(wait) => {
                    self.give_back(trials);
                    return Err(wait);
                }
            }
        }
        Ok(trials)
    }

    /// Gives trials back that taught nothing.
    pub(super) fn give_back(&self, trials: Trials) {
        for (node, _) in self.path().into_iter().zip(trials).filter(|(_, trial)| *trial) {
            node.change(|inner| inner.breaker.give_back());
        }
    }

    /// Whether enough of its recent attempts succeeded that a call may move to it free of budget.
    #[must_use]
    pub fn is_sound(&self, now: Moment, settings: &BreakerSettings) -> bool {
        let sound = |node: &Arc<Node>| node.lock().breaker.success_percent(now, settings.samples) >= SOUND_PERCENT;
        self.is_closed() && sound(&self.deployment) && sound(&self.host) && !self.deployment.is_full(now, settings)
    }

    /// Whether the last attempt there failed, not long ago, or a trial would be the next: no proof that it is down, and reason
    /// enough to ask others before.
    #[must_use]
    pub fn fails(&self, now: Moment) -> bool {
        let in_a_row = |node: &Arc<Node>| node.lock().breaker.failures_in_a_row();
        let failed = in_a_row(&self.deployment) + in_a_row(&self.host) > 0;
        !self.is_closed() || failed && self.deployment.lock().latency.failed_of_late(now)
    }

    /// Whether this is the only one of its recent attempts that failed, or none did.
    #[must_use]
    pub fn fails_for_once(&self) -> bool {
        let in_a_row = |node: &Arc<Node>| node.lock().breaker.failures_in_a_row();
        in_a_row(&self.deployment) + in_a_row(&self.host) <= 1
    }

    /// Whether it takes far longer than usual, or fails too often, though not so that its breaker opens.
    #[must_use]
    pub fn is_degraded(&self, now: Moment, settings: &BreakerSettings) -> bool {
        if !self.deployment.is_ailing() {
            return false;
        }
        let inner = self.deployment.lock();
        inner.breaker.is_closed() && (inner.latency.is_slow(now) || inner.breaker.is_shaky(now, settings.samples))
    }

    /// Whether this call should go to another first: a degraded deployment keeps one call in four, by whose `turn` it is,
    /// so that it is seen when it is well again.
    #[must_use]
    pub fn stands_back(&self, now: Moment, settings: &BreakerSettings, turn: u64) -> bool {
        !turn.is_multiple_of(ONE_IN) && self.is_degraded(now, settings)
    }

    /// The time to first content that the next attempt is expected to take, in milliseconds: what it typically takes, and
    /// more after failures and while its vendor reports a major incident. `None` where nothing was seen of it.
    #[must_use]
    pub fn expected_ms(&self, now: Moment) -> Option<f64> {
        let reported = if self.report(now) == Some(Report::Major) { REPORTED_WEIGHT } else { 1.0 };
        let node = &self.deployment;
        let expected = if node.is_ailing() { node.lock().latency.expected_ms(now) } else { node.first_content_ms() };
        expected.map(|expected| expected / reported)
    }

    /// The worse of what the status pages of its vendor and its endpoint say, where that was read of late. It never decides
    /// alone.
    #[must_use]
    pub fn report(&self, now: Moment) -> Option<Report> {
        let reports = [&self.vendor, &self.host].map(|node| node.is_troubled().then(|| node.report(now)).flatten());
        reports.into_iter().max().flatten()
    }

    /// The settings by which its breakers go now: a vendor that reports a major incident itself needs less proof.
    pub(super) fn tempered(&self, settings: BreakerSettings, now: Moment) -> BreakerSettings {
        if self.report(now) != Some(Report::Major) {
            return settings;
        }
        BreakerSettings {
            consecutive: settings.consecutive.div_ceil(2).max(2),
            samples: settings.samples.div_ceil(2).max(2),
            ..settings
        }
    }

    /// The state of the breaker that stands in the way.
    #[must_use]
    pub fn breaker_label(&self, now: Moment) -> &'static str {
        self.open().map_or("closed", |node| node.state(now))
    }

    /// The share of recent attempts that went well, in per cent; `None` without attempts.
    #[must_use]
    pub fn success_percent(&self, now: Moment) -> Option<u32> {
        self.deployment.lock().breaker.recent_success_percent(now)
    }

    /// Whether no breaker stands in the way.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.open().is_none()
    }

    /// Every node of the tree on its way, for metrics.
    pub fn breakers(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.path().into_iter()
    }
}
