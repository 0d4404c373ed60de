//! The health of whatever can be to blame: vendors, hosts, models there, deployments, and credentials.
//!
//! Kept by what was measured, not by what it is called: renaming or reweighting a deployment keeps its health, another
//! URL or another secret starts fresh.

mod flight;
mod glance;
mod lineage;
mod mark;
mod node;
mod roll_up;
#[cfg(test)]
mod tests;
mod waiting;

pub use flight::Flight;
pub use lineage::DeploymentHealth;
pub use node::Node;

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::failure::{Blame, Failure, FailureKind, HealthEffect};
use crate::base::random::Random;
use crate::base::rejection::Refusal;
use crate::base::scope::Scope;
use crate::dialect::status_page::Report;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::pool::BreakerSettings;
use crate::state::breaker::{By, Lesson, Transition};
use crate::state::restrictions::APART;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How far an attempt's jittered times stray from the plan.
const JITTER: f64 = 0.2;
/// All credentials of a vendor refused within this time, each taken within the other, are the vendor's fault.
const REFUSED_TOGETHER: Duration = Duration::from_secs(30);
const TAKEN_BEFORE: Duration = Duration::from_secs(600);
/// Every vendor out of reach within this time is our own fault; then nothing is left alone for longer than that.
const UNREACHED_TOGETHER: Duration = Duration::from_secs(10);
const OWN_FAULT_CAP: Duration = Duration::from_secs(10);

/// What an attempt would be, for health to judge.
#[derive(Clone, Copy, Debug)]
pub struct Bid {
    /// How the pool's breakers behave.
    pub settings: BreakerSettings,
    /// How long it would wait for its first content.
    pub limit: Duration,
    /// Tokens of its prompt, as estimated.
    pub input_tokens: u64,
    /// With nothing else left to ask: an open breaker lets one call a second through.
    pub trickle: bool,
}

/// Health of everything that was ever contacted.
pub struct Health {
    nodes: Mutex<Nodes>,
    /// Whether every vendor is out of reach, which is probably our own fault.
    isolated: AtomicBool,
    random: Random,
    sink: Arc<dyn Sink>,
}

#[derive(Default)]
struct Nodes {
    by_key: BTreeMap<Arc<str>, Arc<Node>>,
    vendors: Vec<Arc<Node>>,
    /// The credentials of each vendor, by the vendor's key.
    credentials: HashMap<Arc<str>, Vec<Arc<Node>>>,
}

impl Nodes {
    fn of(&mut self, key: &str, parent: Option<&Arc<Node>>) -> Arc<Node> {
        if let Some(node) = self.by_key.get(key) {
            return Arc::clone(node);
        }
        let node = Node::new(key, parent.map(Arc::clone));
        self.by_key.insert(Arc::clone(&node.key), Arc::clone(&node));
        node
    }
}

impl Health {
    /// Nothing observed yet.
    pub fn new(sink: Arc<dyn Sink>, seed: u64) -> Self {
        Self { nodes: Mutex::default(), isolated: AtomicBool::new(false), random: Random::seeded(seed), sink }
    }

    /// The nodes of a deployment, which are remembered from earlier snapshots.
    pub fn of(&self, deployment: &Deployment) -> Arc<DeploymentHealth> {
        let account = match &deployment.credential {
            Some(credential) => format!("{}/{}", credential.name, credential.secret.digest().short()),
            None => "none".to_owned(),
        };
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        // a key begins with its parent's, so that an outage above covers what is below
        let vendor = nodes.of(&deployment.endpoint.vendor.name, None);
        let host = nodes.of(&deployment.host_key, Some(&vendor));
        let model = nodes.of(&format!("{} {}", deployment.host_key, deployment.model), Some(&host));
        let key = format!("{} {account}", deployment.health_key);
        let deployment = nodes.of(&key, Some(&model));
        let credential = nodes.of(&format!("credential {} {account}", vendor.key), None);
        if !nodes.vendors.iter().any(|known| known.key == vendor.key) {
            nodes.vendors.push(Arc::clone(&vendor));
        }
        let credentials = nodes.credentials.entry(Arc::clone(&vendor.key)).or_default();
        if !credentials.iter().any(|known| known.key == credential.key) {
            credentials.push(Arc::clone(&credential));
        }
        Arc::new(DeploymentHealth { deployment, host, credential, model, vendor })
    }

    /// Asks to send an attempt to a deployment; the flight that is given must be told how it ended.
    ///
    /// # Errors
    /// Why the deployment cannot be asked now.
    pub fn begin(self: &Arc<Self>, of: &Arc<DeploymentHealth>, bid: &Bid, now: Moment) -> Result<Flight, Refusal> {
        let settings = of.tempered(bid.settings, now);
        if !bid.trickle
            && let Some(refusal) = of.refuses(now, &settings)
        {
            return Err(refusal);
        }
        let trials = of.admit(now, bid.trickle).map_err(|retry_after| Refusal::Breaker { retry_after })?;
        let late_from = now + bid.limit / 2;
        let Some(ticket) = of.deployment.take_place(now, late_from, &settings, bid.trickle) else {
            of.give_back(trials);
            return Err(Refusal::Full);
        };
        of.path().into_iter().for_each(|node| node.active.note(now));
        let (health, of, input_tokens) = (Arc::clone(self), Arc::clone(of), bid.input_tokens);
        Ok(Flight { health, of, settings, trials, ticket, input_tokens, reported: None })
    }

    /// Takes note of how a probe ended. A free one speaks for the host and the credential alone.
    pub fn probed(
        &self,
        of: &DeploymentHealth,
        settings: BreakerSettings,
        now: Moment,
        paid: bool,
        failure: Option<&Failure>,
    ) {
        let Some(failure) = failure else {
            self.heard(&of.vendor, now);
            self.learn(&of.host, Lesson::Success, By::Probe, now, &settings);
            if paid {
                for node in [&of.vendor, &of.model, &of.deployment] {
                    self.learn(node, Lesson::Success, By::Probe, now, &settings);
                }
            }
            // the listing was given for this very key
            of.credential.good.note(now);
            of.credential.wake(FailureKind::AuthKey.class());
            // what it cannot close, it may let try sooner
            of.path().into_iter().for_each(|node| node.change(|inner| inner.breaker.probe_went_well(now)));
            return;
        };
        match failure.kind.blame() {
            Blame::Host => self.learn(&of.host, flight::lesson(failure), By::Call, now, &settings),
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

    /// Takes note of what the status page of a vendor or a host says, by its node; whether that is news.
    pub fn reported(&self, node: &str, report: Report, now: Moment) -> bool {
        let node = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).by_key.get(node).cloned();
        let Some(node) = node else { return false };
        let before = node.report(now).unwrap_or(Report::Well);
        node.change(|inner| inner.reported = Some((report, now)));
        before != report
    }

    /// Looks for what no single attempt tells: vendors that hang, and parents most of whose children are open. To be called
    /// about once a second.
    pub fn watch(&self, now: Moment) {
        let nodes: Vec<_> = {
            let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.by_key.values().cloned().collect()
        };
        for node in nodes {
            let (hangs, settings) = node.change(|inner| {
                inner.tidy(now);
                (inner.waiting.hangs(now), inner.settings)
            });
            if let Some(settings) = settings.filter(|_| hangs) {
                self.trip(&node, "hung", now, &settings);
                node.tell_that_it_hangs();
            } else if let Some(settings) = settings {
                self.roll_up(&node, now, &settings);
            }
        }
    }

    /// Whether every vendor is out of reach, which is probably our own fault.
    pub fn is_isolated(&self) -> bool {
        self.isolated.load(Ordering::Relaxed)
    }

    /// The credentials of a vendor.
    fn credentials_of(&self, vendor: &Node) -> Vec<Arc<Node>> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.credentials.get(&vendor.key).cloned().unwrap_or_default()
    }

    /// Whether all credentials that a vendor took of late are refused now, or it is out for that already.
    fn all_credentials_refused(&self, vendor: &Node, now: Moment) -> bool {
        let breaker_is_open = {
            let inner = vendor.lock();
            !inner.breaker.is_closed() && !inner.breaker.is_rolled_up()
        };
        if breaker_is_open {
            return true;
        }
        let (mut refused, mut taken) = (0, 0);
        for key in self.credentials_of(vendor) {
            let was_taken = key.good.within(TAKEN_BEFORE, now);
            let is_refused = key.bad.within(REFUSED_TOGETHER, now) && key.bad.last() >= key.good.last();
            if is_refused && !was_taken {
                return false;
            }
            refused += usize::from(is_refused);
            taken += usize::from(was_taken);
        }
        refused >= 2 && refused == taken
    }

    /// A vendor answered, whatever it said: we are not cut off.
    fn heard(&self, vendor: &Node, now: Moment) {
        vendor.good.note(now);
        if self.is_isolated() && self.isolated.swap(false, Ordering::Relaxed) {
            self.sink.emit(Event::Isolated { began: false });
        }
    }

    /// A vendor could not be reached. When that is so of all of them at once, it is our own fault.
    fn unheard(&self, vendor: &Node, now: Moment) {
        vendor.bad.note(now);
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut unreached, mut asked) = (0, 0);
        for vendor in nodes.vendors.iter().filter(|vendor| vendor.active.within(UNREACHED_TOGETHER, now)) {
            asked += 1;
            let failed = vendor.bad.within(UNREACHED_TOGETHER, now) && vendor.bad.last() >= vendor.good.last();
            unreached += usize::from(failed);
        }
        if asked < 2 || unreached < asked || self.isolated.swap(true, Ordering::Relaxed) {
            return;
        }
        let latest = now + OWN_FAULT_CAP.mul_f64(self.random.around_one(JITTER));
        let all: Vec<_> = nodes.by_key.values().cloned().collect();
        drop(nodes);
        all.iter().for_each(|node| node.change(|inner| inner.breaker.try_by(latest)));
        self.sink.emit(Event::Isolated { began: true });
    }

    fn tell(&self, node: &Node, transition: Transition) {
        let (to, reason) = match transition {
            Transition::Opened(reason) => ("open", reason),
            Transition::Closed => ("closed", "trial_succeeded"),
        };
        self.sink.emit(Event::Breaker { node: Arc::clone(&node.key), to, reason });
    }

    fn learn(&self, node: &Arc<Node>, lesson: Lesson, by: By, now: Moment, settings: &BreakerSettings) {
        let settings = self.capped(*settings);
        let jitter = self.random.around_one(JITTER);
        let transition = node.change(|inner| {
            let transition = inner.breaker.learn(lesson, by, now, &settings, jitter);
            if matches!(transition, Some(Transition::Opened(_))) {
                inner.carried = inner.admission.peak(now).max(inner.carried / 2);
            }
            transition
        });
        self.changed(node, transition, now, &settings);
    }

    fn trip(&self, node: &Arc<Node>, reason: &'static str, now: Moment, settings: &BreakerSettings) {
        let settings = self.capped(*settings);
        let jitter = self.random.around_one(JITTER);
        let transition = node.change(|inner| inner.breaker.trip(reason, now, &settings, jitter));
        self.changed(node, transition, now, &settings);
    }

    /// Tells of a breaker's change, and lets the rest of the tree know.
    fn changed(&self, node: &Arc<Node>, transition: Option<Transition>, now: Moment, settings: &BreakerSettings) {
        let Some(transition) = transition else { return };
        self.tell(node, transition);
        match transition {
            Transition::Opened(_) => self.roll_up(node, now, settings),
            // what was out with it is tried now, one call at a time
            Transition::Closed => {
                node.children().iter().for_each(|child| child.change(|inner| inner.breaker.try_by(now)));
            }
        }
    }

    /// Opens whatever stands above a node and has most of its children open.
    fn roll_up(&self, node: &Node, now: Moment, settings: &BreakerSettings) {
        let mut above = node.parent.as_ref();
        while let Some(parent) = above {
            if parent.lock().breaker.is_closed() && roll_up::most_are_open(parent, now) {
                let settings = self.capped(*settings);
                let jitter = self.random.around_one(JITTER);
                let opened = parent.change(|inner| {
                    inner.settings = Some(settings);
                    inner.breaker.roll_up(now, &settings, jitter)
                });
                if let Some(opened) = opened {
                    self.tell(parent, opened);
                }
            }
            above = parent.parent.as_ref();
        }
    }

    /// While we are cut off ourselves, nothing is left alone for long.
    fn capped(&self, settings: BreakerSettings) -> BreakerSettings {
        if !self.is_isolated() {
            return settings;
        }
        BreakerSettings { cap: settings.cap.min(OWN_FAULT_CAP), open: settings.open.min(OWN_FAULT_CAP), ..settings }
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
