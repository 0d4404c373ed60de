//! An attempt whose end is not known yet: what is noted of it until it is charged.

use crate::base::event::Whom;
use crate::base::failure::{Failure, FailureKind};
use crate::base::money::Microusd;
use crate::call::usage::Usage;
use crate::exchange::charge::{End, Heard};
use crate::snapshot::deployment::Deployment;
use crate::state::purse::Hold;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Which of two attempts that go on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// The one that was asked first.
    First,
    /// The one that was asked beside it because it was slow.
    Hedge,
}

/// An attempt whose end is not known yet.
pub(super) struct UnderWay {
    pub(super) deployment: Arc<Deployment>,
    pub(super) whom: Whom,
    pub(super) leg: Leg,
    pub(super) began: Instant,
    pub(super) first_content: Option<Duration>,
    /// The status of its answer, once one came.
    status: OnceLock<u16>,
    /// Where the vendor says that it processes the call.
    observed: Mutex<Option<Box<str>>>,
    /// How it ended while another went on beside it.
    ended: OnceLock<Ending>,
    /// The vendor's count, as far as it came.
    pub(super) usage: Option<Usage>,
    pub(super) heard: Heard,
    /// What was held back for it, of each budget.
    pub(super) held: Vec<Hold>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) failure: Option<FailureKind>,
    pub(super) reason: Cow<'static, str>,
    pub(super) maybe_billed: bool,
    pub(super) took: Duration,
}

impl UnderWay {
    pub(super) fn begin(deployment: &Arc<Deployment>, whom: Whom, leg: Leg, held: Vec<Hold>) -> Self {
        Self {
            deployment: Arc::clone(deployment),
            whom,
            leg,
            began: Instant::now(),
            first_content: None,
            status: OnceLock::new(),
            observed: Mutex::default(),
            ended: OnceLock::new(),
            usage: None,
            heard: Heard::default(),
            held,
        }
    }

    /// Response headers came: whatever happens now, the vendor had the request.
    pub(super) fn answered(&self, status: u16) {
        // an attempt has one head
        let _ = self.status.set(status);
    }

    /// The vendor says where it processes the call; its last word counts.
    pub(super) fn observed(&self, region: &str) {
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = Some(region.into());
    }

    /// It failed while another goes on beside it.
    pub(super) fn failed(&self, failure: &Failure) {
        let _ = self.ended.set(self.ending(Some(failure.kind), failure.reason.clone(), failure.maybe_billed()));
    }

    /// How it ended: as was noted at the time, or so, and now.
    pub(super) fn end(
        &mut self,
        failure: Option<FailureKind>,
        reason: Cow<'static, str>,
        maybe_billed: bool,
    ) -> Ending {
        self.whom.observed = self.observed.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.ended.take().unwrap_or_else(|| self.ending(failure, reason, maybe_billed))
    }

    fn ending(&self, failure: Option<FailureKind>, reason: Cow<'static, str>, maybe_billed: bool) -> Ending {
        Ending { failure, reason, maybe_billed, took: self.began.elapsed() }
    }

    /// How that end is billed.
    pub(super) fn billed(&self, ending: &Ending) -> End {
        let answered_with_error = self.status() >= 300;
        match ending.failure {
            None => End::Whole,
            Some(_) if answered_with_error || !(ending.maybe_billed || self.sent()) => End::Free,
            Some(_) if self.deployment.voice.profile.stops_when_left() => End::Left,
            Some(_) => End::Broken,
        }
    }

    /// The status of its answer, 0 when none came.
    pub(super) fn status(&self) -> u16 {
        self.status.get().copied().unwrap_or(0)
    }

    /// Whether the vendor is known to have had the request.
    pub(super) fn sent(&self) -> bool {
        self.status.get().is_some()
    }

    /// What is held back for it.
    pub(super) fn reserved(&self) -> Microusd {
        self.held.iter().map(Hold::amount).max().unwrap_or_default()
    }
}
