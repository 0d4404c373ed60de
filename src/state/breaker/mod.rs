//! The breaker: a pure function of its state, an outcome, the time and the settings.
//!
//! Closed, it counts; five hard failures in a row or a bad ratio open it. Open, it refuses until its time is up, then
//! lets one attempt at a time through (half-open) and closes after enough successes. Opening again soon after holds it
//! down for longer, so that a flapping vendor does not drag its clients up and down.

mod back_off;
#[cfg(test)]
mod tests;
mod window;

use crate::base::clock::Moment;
use crate::snapshot::pool::BreakerSettings;
use back_off::BackOff;
use std::time::Duration;
use window::Window;

/// Successes that close the breaker of who flaps.
const HOLD_DOWN_SUCCESSES: u32 = 5;
/// With no more than this share of successes it is shaky, in per cent.
const SHAKY_PERCENT: u32 = 90;
/// The longest that a vendor's own word keeps it open.
const LONGEST_HINT: Duration = Duration::from_secs(300);
/// A trial that is out for longer has been lost: no attempt takes so long to its verdict.
const LONGEST_TRIAL: Duration = Duration::from_secs(900);
/// With every candidate open, one call a second finds out whether a deployment is back.
pub const TRICKLE: Duration = Duration::from_secs(1);

/// What an attempt taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It went well.
    Success,
    /// It failed in a way that counts.
    Hard,
    /// It failed in a way that needs no second proof.
    Open,
    /// It failed in a way that counts towards the ratio alone.
    Ratio,
    /// It says nothing.
    Neutral,
}

impl Lesson {
    /// Whether it is a failure of whoever was asked.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Hard | Self::Open | Self::Ratio)
    }
}

/// What kind of attempt taught it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One that was let through while the breaker was closed.
    Call,
    /// The trial of a half-open breaker.
    Trial,
    /// A probe, which asks no breaker.
    Probe,
}

/// Whether an attempt may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Free,
    /// It may, as the single trial of a half-open breaker: its end must be reported.
    Trial,
    /// It may not, for so long.
    Refused(Duration),
}

/// A change of state, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It opened, or stayed open after a failed trial; why.
    Opened(&'static str),
    /// It closed.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: Moment,
        /// Whether it opened because most of what stands below it is open.
        rolled_up: bool,
    },
}

/// A breaker's state.
#[derive(Debug, Default)]
pub struct Breaker {
    phase: Phase,
    window: Window,
    consecutive: u32,
    back_off: BackOff,
    closed_since: Option<Moment>,
    /// When it opened, or a trial failed, last.
    failed_at: Option<Moment>,
    trial_since: Option<Moment>,
    trial_successes: u32,
    last_trickle: Option<Moment>,
}

impl Breaker {
    /// Asks whether an attempt may go ahead. An [`Admission::Trial`] must be followed by [`Breaker::learn`].
    pub fn admit(&mut self, now: Moment) -> Admission {
        match self.phase {
            Phase::Closed => Admission::Free,
            Phase::Open { until, .. } if now < until => Admission::Refused(until.since(now)),
            Phase::Open { .. } => self.take_trial(now),
        }
    }

    /// Asks for the one call a second that a breaker lets through when nothing else is left to ask. It does not wait for the end
    /// of a trial: one that hangs would keep everybody else out for as long.
    pub fn admit_trickle(&mut self, now: Moment) -> Admission {
        match self.phase {
            Phase::Closed => Admission::Free,
            Phase::Open { .. } if self.last_trickle.is_some_and(|last| now.since(last) < TRICKLE) => {
                Admission::Refused(TRICKLE)
            }
            Phase::Open { .. } => self.begin_trial(now),
        }
    }

    /// Asks for an attempt that is the trial of a breaker above this one, whose time alone counts.
    pub fn admit_below(&mut self, now: Moment) -> Admission {
        match self.phase {
            Phase::Closed => Admission::Free,
            Phase::Open { .. } => self.take_trial(now),
        }
    }

    fn take_trial(&mut self, now: Moment) -> Admission {
        if self.is_on_trial(now) {
            return Admission::Refused(TRICKLE);
        }
        self.begin_trial(now)
    }

    const fn begin_trial(&mut self, now: Moment) -> Admission {
        self.trial_since = Some(now);
        self.last_trickle = Some(now);
        Admission::Trial
    }

    /// The trial ended without a verdict.
    pub const fn give_back(&mut self) {
        self.trial_since = None;
    }

    fn is_on_trial(&self, now: Moment) -> bool {
        self.trial_since.is_some_and(|since| now.since(since) < LONGEST_TRIAL)
    }

    /// How long it will refuse, without asking to be let through.
    #[must_use]
    pub fn refuses_for(&self, now: Moment) -> Option<Duration> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open { until, .. } if now < until => Some(until.since(now)),
            Phase::Open { .. } => self.is_on_trial(now).then_some(TRICKLE),
        }
    }

    /// Whether it is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Hard failures since the last success, while it is closed.
    #[must_use]
    pub const fn failures_in_a_row(&self) -> u32 {
        self.consecutive
    }

    /// Whether it is open because most of what stands below it is.
    #[must_use]
    pub const fn is_rolled_up(&self) -> bool {
        matches!(self.phase, Phase::Open { rolled_up: true, .. })
    }

    /// The `state` that metrics and people see.
    #[must_use]
    pub fn label(&self, now: Moment) -> &'static str {
        match self.phase {
            Phase::Closed => "closed",
            Phase::Open { until, .. } if now < until => "open",
            Phase::Open { .. } => "half_open",
        }
    }

    /// When it closed last, after having been open.
    #[must_use]
    pub const fn closed_since(&self) -> Option<Moment> {
        self.closed_since
    }

    /// When it opened, or its trial failed, last; `None` while it is closed.
    #[must_use]
    pub fn failed_at(&self) -> Option<Moment> {
        self.failed_at.filter(|_| !self.is_closed())
    }

    /// The share of successes in the window, in per cent; 100 while there are fewer than `samples`.
    #[must_use]
    pub fn success_percent(&self, now: Moment, samples: u32) -> u32 {
        let counts = self.window.counts(now);
        if counts.all() < samples.max(1) { 100 } else { counts.good * 100 / counts.all() }
    }

    /// The same, and `None` without any.
    #[must_use]
    pub fn recent_success_percent(&self, now: Moment) -> Option<u32> {
        let counts = self.window.counts(now);
        (counts.good * 100).checked_div(counts.all())
    }

    /// Whether anything may have gone wrong of late: where nothing has, it is not shaky.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.window.has_bad()
    }

    /// Whether more of the window went wrong than chance explains, though not enough to open.
    #[must_use]
    pub fn is_shaky(&self, now: Moment, samples: u32) -> bool {
        self.success_percent(now, samples) <= SHAKY_PERCENT
    }

    /// A success turned out to be none: its stream broke off later, and is about to be reported.
    pub fn take_back(&mut self, now: Moment) {
        self.window.take_back(now);
    }

    /// Takes in how an attempt ended. `jitter` is a factor around one that spreads the trials of many breakers.
    pub fn learn(
        &mut self,
        lesson: Lesson,
        by: By,
        now: Moment,
        settings: &BreakerSettings,
        jitter: f64,
    ) -> Option<Transition> {
        if by == By::Trial {
            self.trial_since = None;
        }
        match (lesson, self.phase) {
            (Lesson::Neutral, _) => None,
            (Lesson::Success, Phase::Closed) => {
                self.window.good(now);
                self.consecutive = 0;
                self.back_off.forgive(now);
                None
            }
            // what began before the breaker opened says nothing of whether it is over
            (Lesson::Success, Phase::Open { until, .. }) if by == By::Call && now < until => None,
            (Lesson::Success, Phase::Open { rolled_up, .. }) => self.trial_went_well(rolled_up, now, settings),
            (Lesson::Ratio, Phase::Closed) => {
                self.window.bad(now);
                self.open_if_ratio_is_bad(now, settings, jitter)
            }
            (Lesson::Hard, Phase::Closed) => {
                self.window.bad(now);
                self.consecutive += 1;
                if self.consecutive >= settings.consecutive {
                    return Some(self.open("consecutive", now, settings, jitter));
                }
                self.open_if_ratio_is_bad(now, settings, jitter)
            }
            (Lesson::Open, Phase::Closed) => Some(self.open("certain", now, settings, jitter)),
            // what began before the breaker opened says nothing new
            (Lesson::Hard | Lesson::Open | Lesson::Ratio, Phase::Open { .. }) if by == By::Call => None,
            (Lesson::Hard | Lesson::Open | Lesson::Ratio, Phase::Open { rolled_up, .. }) => {
                self.trial_successes = 0;
                self.failed_at = Some(now);
                self.phase = Phase::Open { until: now + self.back_off.stays_open(now, settings, jitter), rolled_up };
                Some(Transition::Opened("trial_failed"))
            }
        }
    }

    /// Opens it for what no single attempt tells; why. `None` where it is open already.
    pub fn trip(
        &mut self,
        reason: &'static str,
        now: Moment,
        settings: &BreakerSettings,
        jitter: f64,
    ) -> Option<Transition> {
        self.is_closed().then(|| self.open(reason, now, settings, jitter))
    }

    /// Opens it because most of what stands below it is open; from now on it owns the only trial of them all.
    pub fn roll_up(&mut self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Option<Transition> {
        let transition = self.trip("children", now, settings, jitter)?;
        if let Phase::Open { rolled_up, .. } = &mut self.phase {
            *rolled_up = true;
        }
        Some(transition)
    }

    /// An active probe found the endpoint answering: the next attempt may be the trial, without waiting longer. Who flaps
    /// answers probes as well, now and then.
    pub fn probe_went_well(&mut self, now: Moment) {
        if !self.back_off.is_flapping(now) {
            self.try_by(now);
        }
    }

    /// The next trial comes no later than this.
    pub fn try_by(&mut self, latest: Moment) {
        if let Phase::Open { until, .. } = &mut self.phase {
            *until = (*until).min(latest);
        }
    }

    /// The vendor says how long it needs: no trial comes earlier, up to a bound.
    pub fn wait_for(&mut self, hint: Duration, now: Moment) {
        if let Phase::Open { until, .. } = &mut self.phase {
            *until = (*until).max(now + hint.min(LONGEST_HINT));
        }
    }

    fn trial_went_well(&mut self, rolled_up: bool, now: Moment, settings: &BreakerSettings) -> Option<Transition> {
        self.trial_successes += 1;
        let needed = if self.back_off.is_flapping(now) { HOLD_DOWN_SUCCESSES } else { settings.close_after };
        // the way is free for the next trial, whenever this one was asked for
        self.phase = Phase::Open { until: now, rolled_up };
        if self.trial_successes < needed {
            return None;
        }
        self.phase = Phase::Closed;
        self.window = Window::default();
        self.consecutive = 0;
        self.trial_since = None;
        self.closed_since = Some(now);
        self.back_off.closes(now);
        Some(Transition::Closed)
    }

    fn open_if_ratio_is_bad(&mut self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Option<Transition> {
        let counts = self.window.counts(now);
        let bad_ratio = counts.all() >= settings.samples && counts.good * 100 < counts.all() * settings.success_percent;
        bad_ratio.then(|| self.open("ratio", now, settings, jitter))
    }

    fn open(&mut self, reason: &'static str, now: Moment, settings: &BreakerSettings, jitter: f64) -> Transition {
        self.trial_successes = 0;
        self.consecutive = 0;
        self.failed_at = Some(now);
        let until = now + self.back_off.opens(now, settings, jitter);
        self.phase = Phase::Open { until, rolled_up: false };
        Transition::Opened(reason)
    }
}
