//! Restrictions: read live at every attempt, learnt from what vendors say or set by operators, kept over restarts.

mod register;
mod store;

pub use register::{APART, Change, Listing};

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind};
use crate::base::rejection::Refusal;
use crate::base::restriction::{Cause, Reach, Restriction, Whereabouts};
use crate::base::scope::Scope;
use crate::snapshot::deployment::Deployment;
use crate::state::clock::Clock;
use arc_swap::ArcSwap;
use register::{Evidence, Register};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;

/// Everything that is restricted now.
pub struct Restrictions {
    register: Mutex<Versioned>,
    /// The register's list, to be read without a lock.
    active: ArcSwap<Vec<Arc<Restriction>>>,
    suspecting: AtomicBool,
    store: Option<Arc<Store>>,
    sink: Arc<dyn Sink>,
}

#[derive(Default)]
struct Versioned {
    register: Register,
    version: u64,
}

impl Restrictions {
    /// What was restricted when the process last ended, from the state directory.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn open(directory: &Path, sink: Arc<dyn Sink>) -> io::Result<Arc<Self>> {
        let store = Store::in_directory(directory);
        let kept = store.read()?;
        Ok(Arc::new(Self::with(Register::of(kept), Some(store), sink)))
    }

    /// Nothing restricted, and nothing kept.
    #[must_use]
    pub fn none(sink: Arc<dyn Sink>) -> Arc<Self> {
        Arc::new(Self::with(Register::default(), None, sink))
    }

    fn with(register: Register, store: Option<Store>, sink: Arc<dyn Sink>) -> Self {
        Self {
            active: ArcSwap::from_pointee(register.active().to_vec()),
            register: Mutex::new(Versioned { register, version: 0 }),
            suspecting: AtomicBool::new(false),
            store: store.map(Arc::new),
            sink,
        }
    }

    /// Everything that is restricted now, the oldest first.
    pub fn active(&self) -> Arc<Vec<Arc<Restriction>>> {
        self.active.load_full()
    }

    /// What stands against asking this deployment at all.
    pub fn refuses(&self, deployment: &Deployment) -> Option<Refusal> {
        let restriction = self.covering(deployment, |_| true)?;
        Some(Refusal::Restricted { cause: restriction.cause.label(), id: Arc::clone(&restriction.id) })
    }

    /// Whether anything is restricted now.
    pub fn restricts(&self) -> bool {
        !self.active.load().is_empty()
    }

    /// What stands against a free probe of this deployment: a withdrawn model does not, its probe finds it again.
    pub fn refuses_probe(&self, deployment: &Deployment) -> Option<Refusal> {
        let restriction = self.covering(deployment, Cause::needs_a_person)?;
        Some(Refusal::Restricted { cause: restriction.cause.label(), id: Arc::clone(&restriction.id) })
    }

    fn covering(&self, deployment: &Deployment, counts: impl Fn(Cause) -> bool) -> Option<Arc<Restriction>> {
        let active = self.active.load();
        let place = whereabouts(deployment);
        active.iter().find(|one| counts(one.cause) && one.reach.covers(place)).cloned()
    }

    /// Whether a listing should be asked for soon: a model there was refused once.
    pub fn suspects(&self, deployment: &Deployment) -> bool {
        self.suspecting.load(Ordering::Relaxed) && {
            let register = self.register.lock().unwrap_or_else(PoisonError::into_inner);
            register.register.suspects(whereabouts(deployment))
        }
    }

    /// An attempt failed, as vendors may say it.
    pub fn failed(&self, deployment: &Deployment, failure: &Failure, now: Moment) {
        let Some(cause) = cause(failure.kind) else { return };
        let reach = reach(deployment, failure.scope.unwrap_or(Scope::Model));
        let evidence = Evidence { cause, reach, reason: Arc::from(&*failure.reason) };
        let (_, unsaved) =
            self.change(|register| register.refused(evidence, now, Clock::unix_seconds()).into_iter().collect());
        unsaved.save_beside();
    }

    /// An answer names a place where the deployment, as declared, is not: nobody asks it until a person has looked, or
    /// the config declares another region.
    pub fn contradicted(&self, deployment: &Deployment, observed: &str) {
        let place = whereabouts(deployment);
        let reach = Reach {
            vendor: Some(Arc::clone(place.vendor)),
            endpoint: Some(Arc::clone(place.endpoint)),
            region: Some(Arc::clone(place.region)),
            model: Some(Arc::clone(place.model)),
            credential: None,
        };
        let reason = Arc::from(format!("an answer came from {observed}"));
        let evidence = Evidence { cause: Cause::RegionContradicted, reach, reason };
        let (_, unsaved) =
            self.change(|register| register.suspend(evidence, Clock::unix_seconds()).into_iter().collect());
        unsaved.save_beside();
    }

    /// An attempt went well.
    pub fn answered(&self, deployment: &Deployment) {
        if self.suspecting.load(Ordering::Relaxed) {
            let _ = self.change(|register| {
                register.answered(whereabouts(deployment));
                Vec::new()
            });
        }
    }

    /// A probe had the models of this deployment's endpoint and credential.
    pub fn listed(&self, deployment: &Deployment, listing: &Listing<'_>) {
        let (_, unsaved) =
            self.change(|register| register.listed(whereabouts(deployment), listing, Clock::unix_seconds()));
        unsaved.save_beside();
    }

    /// An operator restricts. Returns what is in force, and waits until it is on the disk.
    ///
    /// # Errors
    /// It is restricted already, too much is, or the disk does not take it; what was asked is in force all the same.
    pub fn restrict(&self, reach: Reach, reason: &str, by: Arc<str>) -> Result<Arc<Restriction>, String> {
        let (reason, now_s) = (Arc::from(reason), Clock::unix_seconds());
        let (changes, unsaved) =
            self.change(|register| register.restrict(reach, reason, by, now_s).into_iter().collect());
        match changes.into_iter().next() {
            Some(Change::Began(restriction)) => unsaved.save().map(|()| restriction).map_err(unkept),
            Some(Change::Ended { .. }) | None => Err("this is restricted already".to_owned()),
        }
    }

    /// An operator releases. Returns what was in force, and waits until the disk knows.
    ///
    /// # Errors
    /// Nothing has this id, or the disk does not take it.
    pub fn release(&self, id: &str, by: Arc<str>) -> Result<Arc<Restriction>, String> {
        let (changes, unsaved) = self.change(|register| register.release(id, by).into_iter().collect());
        match changes.into_iter().next() {
            Some(Change::Ended { restriction, .. }) => unsaved.save().map(|()| restriction).map_err(unkept),
            Some(Change::Began(_)) | None => Err("no restriction has this id".to_owned()),
        }
    }

    /// Changes the register, and tells of it.
    fn change(&self, change: impl FnOnce(&mut Register) -> Vec<Change>) -> (Vec<Change>, Unsaved) {
        let mut guard = self.register.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = change(&mut guard.register);
        self.suspecting.store(guard.register.has_suspicions(), Ordering::Relaxed);
        if !changes.is_empty() {
            guard.version += 1;
            self.active.store(Arc::new(guard.register.active().to_vec()));
        }
        let store = self.store.clone().filter(|_| !changes.is_empty());
        let unsaved = Unsaved { store, version: guard.version, active: self.active() };
        drop(guard);
        for change in &changes {
            self.sink.emit(told(change));
        }
        (changes, unsaved)
    }
}

/// What is in force, and remains to be written down.
struct Unsaved {
    store: Option<Arc<Store>>,
    version: u64,
    active: Arc<Vec<Arc<Restriction>>>,
}

impl Unsaved {
    /// Writes it, and waits for the disk.
    fn save(self) -> io::Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        store.write(self.version, &self.active).inspect_err(|error| {
            tracing::error!(%error, "what is restricted cannot be written down: it would not survive a restart");
        })
    }

    /// Writes it while others go on: a request does not wait for the disk.
    fn save_beside(self) {
        if self.store.is_some() {
            tokio::task::spawn_blocking(move || self.save());
        }
    }
}

fn unkept(error: io::Error) -> String {
    format!("it is in force, but would not survive a restart: {error}")
}

fn told(change: &Change) -> Event {
    match change {
        Change::Began(restriction) => {
            Event::Restriction { restriction: Arc::clone(restriction), began: true, by: Arc::clone(&restriction.by) }
        }
        Change::Ended { restriction, by } => {
            Event::Restriction { restriction: Arc::clone(restriction), began: false, by: Arc::clone(by) }
        }
    }
}

/// Which restriction a failure is evidence of.
const fn cause(kind: FailureKind) -> Option<Cause> {
    match kind {
        FailureKind::RegionDenied => Some(Cause::RegionDenied),
        FailureKind::AccountDenied => Some(Cause::AccountDenied),
        FailureKind::ModelDenied => Some(Cause::ModelDenied),
        FailureKind::ModelGone => Some(Cause::ModelGone),
        _ => None,
    }
}

/// As narrow as the evidence: a refusal of one credential's model says nothing of another's.
fn reach(deployment: &Deployment, scope: Scope) -> Reach {
    let place = whereabouts(deployment);
    let vendor = Some(Arc::clone(place.vendor));
    let endpoint = Some(Arc::clone(place.endpoint));
    let credential = place.credential.map(Arc::clone);
    match scope {
        Scope::Vendor => Reach { vendor, ..Reach::default() },
        Scope::Region => Reach { vendor, endpoint, region: Some(Arc::clone(place.region)), ..Reach::default() },
        Scope::Credential => Reach { vendor, endpoint, credential, ..Reach::default() },
        Scope::Model => {
            Reach { vendor, endpoint, credential, model: Some(Arc::clone(place.model)), ..Reach::default() }
        }
    }
}

/// Where a call to the deployment would go.
#[must_use]
pub fn whereabouts(deployment: &Deployment) -> Whereabouts<'_> {
    Whereabouts {
        vendor: &deployment.endpoint.vendor.name,
        endpoint: &deployment.endpoint.name,
        credential: deployment.credential.as_ref().map(|credential| &credential.name),
        region: &deployment.region,
        model: &deployment.model,
    }
}
