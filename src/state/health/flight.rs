//! An attempt under way, and what health learns from how it ends.

use super::lineage::{DeploymentHealth, Trials};
use super::waiting::Ticket;
use super::{Health, rest};
use crate::base::clock::Moment;
use crate::base::failure::{Blame, Failure, FailureKind, HealthEffect};
use crate::base::scope::Scope;
use crate::snapshot::pool::BreakerSettings;
use crate::state::breaker::{By, Lesson};
use crate::state::latency::Awaited;
use std::sync::Arc;
use std::time::Duration;

/// Losses to overload within the time that an answer takes to begin are one; this where that was never measured.
const ROUND: Duration = Duration::from_secs(1);

/// An attempt under way. Dropped without a verdict, it gives its trial permits back and teaches nothing.
pub struct Flight {
    pub(super) health: Arc<Health>,
    pub(super) of: Arc<DeploymentHealth>,
    pub(super) settings: BreakerSettings,
    pub(super) trials: Trials,
    pub(super) ticket: Ticket,
    pub(super) input_tokens: u64,
    pub(super) reported: Option<Reported>,
}

/// What was reported of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reported {
    Success,
    Failure,
}

impl Flight {
    /// The attempt was answered well; `first_content` is its time to first content, where it was streamed.
    pub fn succeeded(&mut self, now: Moment, first_content: Option<Duration>) {
        self.learn([Lesson::Success; 4], now);
        self.reported = Some(Reported::Success);
        self.of.credential.good.note(now);
        self.health.heard(&self.of.vendor, now);
        let inflight = self.of.deployment.inflight();
        self.of.deployment.change(|inner| {
            inner.waiting.answered();
            inner.admission.succeeded(inflight, now);
            if let Some(took) = first_content {
                inner.latency.sample(took, self.input_tokens, now);
            }
        });
    }

    /// What was awaited had not come after this time, when another deployment had it; or came whole, and was short.
    pub fn waited(&mut self, took: Duration, awaited: Awaited, now: Moment) {
        self.of.deployment.change(|inner| inner.latency.waited(took, awaited, now));
    }

    /// The failure with what the other credentials of the vendor tell: when all of them are refused at once, that is the
    /// vendor's fault, and no key's.
    #[must_use]
    pub fn judged(&self, failure: Failure, now: Moment) -> Failure {
        if failure.kind != FailureKind::AuthKey {
            return failure;
        }
        self.of.credential.bad.note(now);
        if !self.health.all_credentials_refused(&self.of.vendor, now) {
            return failure;
        }
        Failure {
            kind: FailureKind::AuthVendor,
            reason: "every_credential".into(),
            scope: Some(Scope::Vendor),
            ..failure
        }
    }

    /// The attempt failed.
    pub fn failed(&mut self, failure: &Failure, now: Moment) {
        if self.reported == Some(Reported::Success) {
            // its stream had begun well
            self.of.deployment.change(|inner| inner.breaker.take_back(now));
        }
        if failure.said.is_some() {
            self.health.heard(&self.of.vendor, now);
        } else if is_local(failure.kind) {
            self.health.unheard(&self.of.vendor, now);
        }
        self.learn(self.lessons(failure), now);
        self.reported = Some(Reported::Failure);
        self.weigh(failure, now);
        if failure.kind.effect() == HealthEffect::Rest
            && let Some(node) = self.of.to_rest(failure)
        {
            node.rest(failure.kind.class(), now + rest(failure));
        }
        if failure.kind == FailureKind::AuthVendor {
            self.health.trip(&self.of.vendor, "every_credential", now, &self.settings);
            self.health.credentials_of(&self.of.vendor).iter().for_each(|key| key.wake(FailureKind::AuthKey.class()));
        }
    }

    /// What latency and admission learn of a failure.
    fn weigh(&self, failure: &Failure, now: Moment) {
        let inflight = self.of.deployment.inflight();
        self.of.deployment.change(|inner| {
            if is_overload(failure.kind) {
                let round = inner.latency.typical_ms().map_or(ROUND, |ms| Duration::from_secs_f64(ms / 1_000.0));
                inner.admission.lost(inflight, now, round);
            }
            if failure.kind.blame() != Blame::Nobody {
                inner.latency.failed(failure.retry_after, now);
            }
            if let (HealthEffect::Hard, Some(hint)) = (failure.kind.effect(), failure.retry_after) {
                inner.breaker.wait_for(hint, now);
            }
        });
    }

    /// What each node on the way learns: whoever is to blame the failure, and whose trial it was for those below it as well.
    fn lessons(&self, failure: &Failure) -> [Lesson; 4] {
        let lesson = lesson(failure);
        // whoever answers at all has a host that works
        let host = if failure.said.is_some() { Lesson::Success } else { Lesson::Neutral };
        let mut lessons = match failure.kind.blame() {
            Blame::Host => [Lesson::Neutral, lesson, Lesson::Neutral, Lesson::Neutral],
            Blame::Vendor => [lesson, Lesson::Neutral, Lesson::Neutral, Lesson::Neutral],
            Blame::Deployment | Blame::Account | Blame::Credential | Blame::Model | Blame::Egress | Blame::Nobody => {
                [Lesson::Neutral, host, Lesson::Neutral, lesson]
            }
        };
        for (index, node) in self.of.path().into_iter().enumerate() {
            if self.trials[index] && lesson.is_bad() && node.lock().breaker.is_rolled_up() {
                lessons[index] = lesson;
            }
        }
        lessons
    }

    fn learn(&mut self, lessons: [Lesson; 4], now: Moment) {
        let trials = if self.reported.is_none() { self.trials } else { Trials::default() };
        for (index, node) in self.of.path().into_iter().enumerate() {
            let by = if trials[index] { By::Trial } else { By::Call };
            // vendor and model learn nothing of single calls while nothing stands in their way
            let inner_node = matches!(index, 0 | 2);
            if inner_node && by == By::Call && (!node.is_troubled() || lessons[index] == Lesson::Neutral) {
                continue;
            }
            self.health.learn(node, lessons[index], by, now, &self.settings);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.of.deployment.leave(self.ticket);
        if self.reported.is_none() {
            self.of.give_back(self.trials);
        }
    }
}

/// Failures that come from our side of the network as often as from theirs.
const fn is_local(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::DnsError | FailureKind::ConnectRefused | FailureKind::ConnectTimeout | FailureKind::TlsError
    )
}

/// Failures that say: too much at once.
const fn is_overload(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::RateLimited
            | FailureKind::Overloaded
            | FailureKind::HeadersTimeout
            | FailureKind::FirstContentTimeout
    )
}

pub(super) const fn lesson(failure: &Failure) -> Lesson {
    match failure.kind.effect() {
        HealthEffect::Hard => Lesson::Hard,
        HealthEffect::Open => Lesson::Open,
        HealthEffect::Ratio => Lesson::Ratio,
        HealthEffect::Rest | HealthEffect::Quota | HealthEffect::Neutral => Lesson::Neutral,
    }
}
