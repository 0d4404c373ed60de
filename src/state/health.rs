//! The health of whatever can be to blame: hosts, deployments, credentials, models and vendors.
//!
//! Kept by what was measured, not by what it is called: renaming or reweighting a deployment keeps its health, another
//! URL or another secret starts fresh.

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::failure::{Blame, Failure, HealthEffect};
use crate::base::random::Random;
use crate::base::rejection::Refusal;
use crate::base::scope::Scope;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::pool::BreakerSettings;
use crate::state::breaker::{Admission, Breaker, Lesson, Transition};
use crate::state::restrictions::APART;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How far an attempt's jittered times stray from the plan.
const JITTER: f64 = 0.2;
/// After closing, a node takes at least so many attempts at once.
const SLOW_START_FLOOR: u32 = 4;
/// What a node is assumed to carry at once when it was never seen carrying more.
const SLOW_START_PEAK: u32 = 10;
/// Weight of a new sample of first-content latency.
const LATENCY_WEIGHT: f64 = 0.2;

/// One thing that can be to blame.
#[derive(Debug)]
pub struct Node {
    /// What it is kept under.
    pub key: Arc<str>,
    inner: Mutex<Inner>,
    inflight: AtomicU32,
    peak: AtomicU32,
}

#[derive(Debug, Default)]
struct Inner {
    breaker: Breaker,
    resting: Option<(&'static str, Moment)>,
    first_content_ms: Option<f64>,
}

impl Node {
    fn new(key: &str) -> Self {
        Self { key: key.into(), inner: Mutex::default(), inflight: AtomicU32::new(0), peak: AtomicU32::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // a panic elsewhere leaves counts, not broken invariants
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rests(&self, now: Moment) -> Option<Refusal> {
        let mut inner = self.lock();
        let (class, until) = inner.resting?;
        if until <= now {
            inner.resting = None;
            return None;
        }
        Some(Refusal::Resting { class, retry_after: until.since(now) })
    }

    fn rest(&self, class: &'static str, until: Moment) {
        self.lock().resting = Some((class, until));
    }

    fn learn(
        &self,
        lesson: Lesson,
        trial: bool,
        now: Moment,
        settings: &BreakerSettings,
        jitter: f64,
    ) -> Option<Transition> {
        self.lock().breaker.learn(lesson, trial, now, settings, jitter)
    }

    /// What it takes at once: without bound, but for a while after its breaker closed.
    fn cap(&self, now: Moment, settings: &BreakerSettings) -> u32 {
        let Some(closed) = self.lock().breaker.closed_since() else { return u32::MAX };
        let healthy_for = now.since(closed);
        if healthy_for >= settings.slow_start {
            return u32::MAX;
        }
        let peak = self.peak.load(Ordering::Relaxed).max(SLOW_START_PEAK);
        let grown = f64::from(peak) * healthy_for.as_secs_f64() / settings.slow_start.as_secs_f64();
        SLOW_START_FLOOR.max(grown as u32)
    }

    /// Attempts under way.
    pub fn inflight(&self) -> u32 {
        self.inflight.load(Ordering::Relaxed)
    }

    /// The breaker's state, for metrics and people.
    pub fn state(&self, now: Moment) -> &'static str {
        self.lock().breaker.label(now)
    }

    /// Smoothed time to first content in milliseconds.
    pub fn first_content_ms(&self) -> Option<f64> {
        self.lock().first_content_ms
    }
}

/// Every node that a deployment depends on.
#[derive(Clone, Debug)]
pub struct DeploymentHealth {
    /// The deployment itself.
    pub deployment: Arc<Node>,
    /// Its host, shared with every model there.
    pub host: Arc<Node>,
    credential: Arc<Node>,
    model: Arc<Node>,
    vendor: Arc<Node>,
}

impl DeploymentHealth {
    fn all(&self) -> [&Arc<Node>; 5] {
        [&self.deployment, &self.host, &self.credential, &self.model, &self.vendor]
    }

    fn to_blame(&self, blame: Blame) -> Option<&Arc<Node>> {
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
    fn to_rest(&self, failure: &Failure) -> Option<&Arc<Node>> {
        match (failure.kind.blame(), failure.scope?) {
            (Blame::Credential | Blame::Egress | Blame::Vendor, Scope::Model) => Some(&self.deployment),
            (blame, _) => self.to_blame(blame),
        }
    }

    /// Why the deployment cannot be asked now, without asking to be let through.
    #[must_use]
    pub fn refuses(&self, now: Moment, settings: &BreakerSettings) -> Option<Refusal> {
        if let Some(resting) = self.all().into_iter().find_map(|node| node.rests(now)) {
            return Some(resting);
        }
        let open =
            [&self.deployment, &self.host].into_iter().filter_map(|node| node.lock().breaker.refuses_for(now)).max();
        if let Some(retry_after) = open {
            return Some(Refusal::Breaker { retry_after });
        }
        (self.deployment.inflight() >= self.deployment.cap(now, settings)).then_some(Refusal::Full)
    }

    /// Whether enough of its recent attempts succeeded that a call may move to it free of budget.
    #[must_use]
    pub fn is_sound(&self, now: Moment, settings: &BreakerSettings) -> bool {
        [&self.deployment, &self.host].into_iter().all(|node| {
            let inner = node.lock();
            inner.breaker.is_closed() && inner.breaker.success_percent(now, settings.samples) >= 90
        })
    }

    /// The state of the breaker that stands in the way, the deployment's own first.
    #[must_use]
    pub fn breaker_label(&self, now: Moment) -> &'static str {
        match self.deployment.state(now) {
            "closed" => self.host.state(now),
            label => label,
        }
    }

    /// The share of recent attempts that went well, in per cent; `None` without attempts.
    #[must_use]
    pub fn success_percent(&self, now: Moment) -> Option<u32> {
        self.deployment.lock().breaker.recent_success_percent(now)
    }

    /// Whether neither the deployment's nor its host's breaker stands in the way.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        [&self.deployment, &self.host].into_iter().all(|node| node.lock().breaker.is_closed())
    }
}

/// Health of everything that was ever contacted.
pub struct Health {
    nodes: Mutex<HashMap<Arc<str>, Arc<Node>>>,
    random: Random,
    sink: Arc<dyn Sink>,
}

impl Health {
    /// Nothing observed yet.
    pub fn new(sink: Arc<dyn Sink>, seed: u64) -> Self {
        Self { nodes: Mutex::default(), random: Random::seeded(seed), sink }
    }

    /// The nodes of a deployment, which are remembered from earlier snapshots.
    pub fn of(&self, deployment: &Deployment) -> DeploymentHealth {
        let vendor = &deployment.endpoint.vendor.name;
        let account = match &deployment.credential {
            Some(credential) => format!("{}/{}", credential.name, credential.secret.digest().short()),
            None => "none".to_owned(),
        };
        DeploymentHealth {
            deployment: self.node(&format!("{} {account}", deployment.health_key)),
            host: self.node(&deployment.host_key),
            credential: self.node(&format!("credential {vendor} {account}")),
            model: self.node(&format!("model {} {}", deployment.host_key, deployment.model)),
            vendor: self.node(&format!("vendor {vendor}")),
        }
    }

    fn node(&self, key: &str) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(key) {
            return Arc::clone(node);
        }
        let node = Arc::new(Node::new(key));
        nodes.insert(Arc::clone(&node.key), Arc::clone(&node));
        node
    }

    /// Asks to send an attempt to a deployment; the flight that is given must be told how it ended.
    ///
    /// With `trickle`, an open breaker lets one call a second through: for when nothing else is left to ask.
    ///
    /// # Errors
    /// Why the deployment cannot be asked now.
    pub fn begin(
        self: &Arc<Self>,
        of: &DeploymentHealth,
        settings: BreakerSettings,
        now: Moment,
        trickle: bool,
    ) -> Result<Flight, Refusal> {
        if !trickle && let Some(refusal) = of.refuses(now, &settings) {
            return Err(refusal);
        }
        let ask = |node: &Node| {
            let mut inner = node.lock();
            if trickle { inner.breaker.admit_trickle(now) } else { inner.breaker.admit(now) }
        };
        let host_trial = match ask(&of.host) {
            Admission::Refused(retry_after) => return Err(Refusal::Breaker { retry_after }),
            admission => admission == Admission::Trial,
        };
        let deployment_trial = match ask(&of.deployment) {
            Admission::Refused(retry_after) => {
                if host_trial {
                    of.host.learn(Lesson::Neutral, true, now, &settings, 1.0);
                }
                return Err(Refusal::Breaker { retry_after });
            }
            admission => admission == Admission::Trial,
        };
        let inflight = of.deployment.inflight.fetch_add(1, Ordering::Relaxed) + 1;
        of.deployment.peak.fetch_max(inflight, Ordering::Relaxed);
        Ok(Flight { health: Arc::clone(self), of: of.clone(), settings, host_trial, deployment_trial, reported: None })
    }

    /// Takes note of how a probe ended. A free one speaks for the host and the credential alone.
    pub fn probed(
        &self,
        of: &DeploymentHealth,
        settings: &BreakerSettings,
        now: Moment,
        paid: bool,
        failure: Option<&Failure>,
    ) {
        let Some(failure) = failure else {
            self.learn(&of.host, Lesson::Success, false, now, settings);
            if paid {
                self.learn(&of.deployment, Lesson::Success, false, now, settings);
            }
            of.deployment.lock().breaker.probe_went_well(now);
            return;
        };
        match failure.kind.blame() {
            Blame::Host => self.learn(&of.host, lesson(failure), false, now, settings),
            Blame::Credential
                if failure.kind.effect() == HealthEffect::Rest && failure.scope == Some(Scope::Credential) =>
            {
                of.credential.rest(failure.kind.class(), now + rest(failure));
            }
            Blame::Credential
            | Blame::Deployment
            | Blame::Account
            | Blame::Vendor
            | Blame::Model
            | Blame::Egress
            | Blame::Nobody => {}
        }
    }

    fn tell(&self, node: &Node, transition: Option<Transition>) {
        let (to, reason) = match transition {
            None => return,
            Some(Transition::Opened(reason)) => ("open", reason),
            Some(Transition::Closed) => ("closed", "trial_succeeded"),
        };
        self.sink.emit(Event::Breaker { node: Arc::clone(&node.key), to, reason });
    }

    fn learn(&self, node: &Node, lesson: Lesson, trial: bool, now: Moment, settings: &BreakerSettings) {
        let transition = node.learn(lesson, trial, now, settings, self.random.around_one(JITTER));
        self.tell(node, transition);
    }
}

/// An attempt under way. Dropped without a verdict, it gives its trial permits back and teaches nothing.
pub struct Flight {
    health: Arc<Health>,
    of: DeploymentHealth,
    settings: BreakerSettings,
    host_trial: bool,
    deployment_trial: bool,
    reported: Option<Moment>,
}

impl Flight {
    /// The attempt was answered well; `first_content` is its time to first content, where it was streamed.
    pub fn succeeded(&mut self, now: Moment, first_content: Option<Duration>) {
        self.learn_both(Lesson::Success, Lesson::Success, now);
        if let Some(took) = first_content {
            let sample = took.as_secs_f64() * 1_000.0;
            let smoothed = &mut self.of.deployment.lock().first_content_ms;
            *smoothed = Some(smoothed.map_or(sample, |old| old + LATENCY_WEIGHT * (sample - old)));
        }
    }

    /// The attempt failed.
    pub fn failed(&mut self, failure: &Failure, now: Moment) {
        let lesson = lesson(failure);
        match failure.kind.blame() {
            Blame::Host => self.learn_both(lesson, Lesson::Neutral, now),
            // whoever answers at all has a host that works
            _ if failure.said.is_some() => self.learn_both(Lesson::Success, lesson, now),
            _ => self.learn_both(Lesson::Neutral, lesson, now),
        }
        if failure.kind.effect() == HealthEffect::Rest
            && let Some(node) = self.of.to_rest(failure)
        {
            node.rest(failure.kind.class(), now + rest(failure));
        }
    }

    fn learn_both(&mut self, host: Lesson, deployment: Lesson, now: Moment) {
        let first = self.reported.is_none();
        self.reported = Some(now);
        let (host_trial, deployment_trial) = (self.host_trial && first, self.deployment_trial && first);
        self.health.learn(&self.of.host, host, host_trial, now, &self.settings);
        self.health.learn(&self.of.deployment, deployment, deployment_trial, now, &self.settings);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.of.deployment.inflight.fetch_sub(1, Ordering::Relaxed);
        if self.reported.is_none() {
            // the permit goes back; neutral lessons do not look at the time
            self.learn_both(Lesson::Neutral, Lesson::Neutral, Moment::START);
        }
    }
}

const fn lesson(failure: &Failure) -> Lesson {
    match failure.kind.effect() {
        HealthEffect::Hard => Lesson::Hard,
        HealthEffect::Open => Lesson::Open,
        HealthEffect::Ratio => Lesson::Ratio,
        HealthEffect::Rest | HealthEffect::Quota | HealthEffect::Neutral => Lesson::Neutral,
    }
}

/// How long something rests: as the vendor says, or by what is to blame.
fn rest(failure: &Failure) -> Duration {
    failure.retry_after.unwrap_or(match failure.kind.blame() {
        Blame::Credential => Duration::from_secs(15 * 60),
        // as long as it takes for a second refusal to tell something
        Blame::Model => APART,
        Blame::Vendor | Blame::Egress => Duration::from_secs(10 * 60),
        // what rests for these is told to the quota, and to breakers
        Blame::Account | Blame::Deployment | Blame::Host | Blame::Nobody => Duration::from_secs(1),
    })
}
