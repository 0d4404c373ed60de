//! The breaker: a pure function of its state, an outcome, the time and the settings.
//!
//! Closed, it counts; five hard failures in a row or a bad ratio open it. Open, it refuses until its time is up, then
//! lets one attempt at a time through (half-open) and closes after enough successes. Opening again soon after holds it
//! down for longer, so that a flapping vendor does not drag its clients up and down.

use crate::base::clock::Moment;
use crate::snapshot::pool::BreakerSettings;
use std::collections::VecDeque;
use std::time::Duration;

/// Length of one bucket of the sliding window; ten of them make the window.
const BUCKET: Duration = Duration::from_secs(3);
const BUCKETS: usize = 10;
/// Early in an outage the open time stays short, so that a vendor that is back is used again within half a minute.
const EARLY: Duration = Duration::from_secs(300);
const EARLY_CAP: Duration = Duration::from_secs(15);
/// Openings within this time count towards the hold-down.
const FLAPPING: Duration = Duration::from_secs(600);
const FLAPPING_OPENINGS: usize = 3;
const HOLD_DOWN: Duration = Duration::from_secs(60);
const HOLD_DOWN_SUCCESSES: u32 = 5;
/// The back-off falls by one step for each such time of health.
const FORGIVE: Duration = Duration::from_secs(30);
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Moment },
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    good: u32,
    bad: u32,
}

/// A breaker's state.
#[derive(Debug)]
pub struct Breaker {
    phase: Phase,
    window: [Bucket; BUCKETS],
    consecutive: u32,
    /// Steps of back-off: the open time is `open * 2^steps`.
    steps: u32,
    openings: VecDeque<Moment>,
    outage_since: Moment,
    closed_since: Option<Moment>,
    trial_out: bool,
    trial_successes: u32,
    last_trickle: Option<Moment>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            phase: Phase::Closed,
            window: [Bucket::default(); BUCKETS],
            consecutive: 0,
            steps: 0,
            openings: VecDeque::new(),
            outage_since: Moment::START,
            closed_since: None,
            trial_out: false,
            trial_successes: 0,
            last_trickle: None,
        }
    }
}

impl Breaker {
    /// Asks whether an attempt may go ahead. An [`Admission::Trial`] must be followed by [`Breaker::learn`].
    pub fn admit(&mut self, now: Moment) -> Admission {
        let Phase::Open { until } = self.phase else { return Admission::Free };
        if now < until {
            return Admission::Refused(until.since(now));
        }
        self.take_trial(now)
    }

    /// Asks for the one call a second that a breaker lets through when nothing else is left to ask.
    pub fn admit_trickle(&mut self, now: Moment) -> Admission {
        match self.phase {
            Phase::Closed => Admission::Free,
            Phase::Open { .. } if self.last_trickle.is_some_and(|last| now.since(last) < TRICKLE) => {
                Admission::Refused(TRICKLE)
            }
            Phase::Open { .. } => self.take_trial(now),
        }
    }

    fn take_trial(&mut self, now: Moment) -> Admission {
        if self.trial_out {
            return Admission::Refused(TRICKLE);
        }
        self.trial_out = true;
        self.last_trickle = Some(now);
        Admission::Trial
    }

    /// How long it will refuse, without asking to be let through.
    #[must_use]
    pub fn refuses_for(&self, now: Moment) -> Option<Duration> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open { until } if now < until => Some(until.since(now)),
            Phase::Open { .. } if self.trial_out => Some(TRICKLE),
            Phase::Open { .. } => None,
        }
    }

    /// Whether it is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// The `state` that metrics and people see.
    #[must_use]
    pub fn label(&self, now: Moment) -> &'static str {
        match self.phase {
            Phase::Closed => "closed",
            Phase::Open { until } if now < until => "open",
            Phase::Open { .. } => "half_open",
        }
    }

    /// When it closed last, after having been open.
    #[must_use]
    pub const fn closed_since(&self) -> Option<Moment> {
        self.closed_since
    }

    /// The share of successes in the window, in per cent; 100 while there are fewer than `samples`.
    #[must_use]
    pub fn success_percent(&self, now: Moment, samples: u32) -> u32 {
        let (good, bad) = self.counts(now);
        if good + bad < samples.max(1) { 100 } else { good * 100 / (good + bad) }
    }

    /// The same, and `None` without any.
    #[must_use]
    pub fn recent_success_percent(&self, now: Moment) -> Option<u32> {
        let (good, bad) = self.counts(now);
        (good * 100).checked_div(good + bad)
    }

    /// Takes in how an attempt ended. `jitter` is a factor around one that spreads the trials of many breakers.
    pub fn learn(
        &mut self,
        lesson: Lesson,
        trial: bool,
        now: Moment,
        settings: &BreakerSettings,
        jitter: f64,
    ) -> Option<Transition> {
        if trial {
            self.trial_out = false;
        }
        match (lesson, self.phase) {
            (Lesson::Neutral, _) => None,
            (Lesson::Success, Phase::Closed) => {
                self.bucket(now).good += 1;
                self.consecutive = 0;
                self.forgive(now);
                None
            }
            (Lesson::Success, Phase::Open { .. }) => self.trial_went_well(now, settings),
            (Lesson::Ratio, Phase::Closed) => {
                self.bucket(now).bad += 1;
                self.open_if_ratio_is_bad(now, settings, jitter)
            }
            (Lesson::Hard, Phase::Closed) => {
                self.bucket(now).bad += 1;
                self.consecutive += 1;
                if self.consecutive >= settings.consecutive {
                    return Some(self.open("consecutive", now, settings, jitter));
                }
                self.open_if_ratio_is_bad(now, settings, jitter)
            }
            (Lesson::Open, Phase::Closed) => Some(self.open("certain", now, settings, jitter)),
            // what began before the breaker opened says nothing new
            (Lesson::Hard | Lesson::Open | Lesson::Ratio, Phase::Open { .. }) if !trial => None,
            (Lesson::Hard | Lesson::Open | Lesson::Ratio, Phase::Open { .. }) => {
                self.trial_successes = 0;
                self.phase = Phase::Open { until: now + self.open_time(now, settings, jitter) };
                self.steps += 1;
                Some(Transition::Opened("trial_failed"))
            }
        }
    }

    /// An active probe found the endpoint answering: the next attempt may be the trial, without waiting longer.
    pub fn probe_went_well(&mut self, now: Moment) {
        if let Phase::Open { until } = &mut self.phase {
            *until = (*until).min(now);
        }
    }

    fn trial_went_well(&mut self, now: Moment, settings: &BreakerSettings) -> Option<Transition> {
        self.trial_successes += 1;
        let needed = if self.is_flapping(now) { HOLD_DOWN_SUCCESSES } else { settings.close_after };
        // the way is free for the next trial, whenever this one was asked for
        self.phase = Phase::Open { until: now };
        if self.trial_successes < needed {
            return None;
        }
        self.phase = Phase::Closed;
        self.window = [Bucket::default(); BUCKETS];
        self.consecutive = 0;
        self.trial_out = false;
        self.closed_since = Some(now);
        Some(Transition::Closed)
    }

    fn open_if_ratio_is_bad(&mut self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Option<Transition> {
        let (good, bad) = self.counts(now);
        let bad_ratio = good + bad >= settings.samples && good * 100 < (good + bad) * settings.success_percent;
        bad_ratio.then(|| self.open("ratio", now, settings, jitter))
    }

    fn open(&mut self, reason: &'static str, now: Moment, settings: &BreakerSettings, jitter: f64) -> Transition {
        self.forgive(now);
        if self.steps == 0 {
            self.outage_since = now;
        }
        self.openings.push_back(now);
        while self.openings.front().is_some_and(|first| now.since(*first) > FLAPPING) {
            self.openings.pop_front();
        }
        self.trial_successes = 0;
        self.consecutive = 0;
        self.phase = Phase::Open { until: now + self.open_time(now, settings, jitter) };
        self.steps += 1;
        Transition::Opened(reason)
    }

    fn open_time(&self, now: Moment, settings: &BreakerSettings, jitter: f64) -> Duration {
        let early = now.since(self.outage_since) < EARLY;
        let cap = if early { settings.cap.min(EARLY_CAP) } else { settings.cap };
        let backed_off = settings.open.saturating_mul(1 << self.steps.min(16)).min(cap.max(settings.open));
        let held = if self.is_flapping(now) { backed_off.max(HOLD_DOWN.min(settings.cap)) } else { backed_off };
        held.mul_f64(jitter.clamp(0.5, 1.5))
    }

    fn is_flapping(&self, now: Moment) -> bool {
        self.openings.iter().filter(|opening| now.since(**opening) <= FLAPPING).count() >= FLAPPING_OPENINGS
    }

    fn forgive(&mut self, now: Moment) {
        let Some(since) = self.closed_since else { return };
        let healthy = u32::try_from(now.since(since).as_secs() / FORGIVE.as_secs()).unwrap_or(u32::MAX);
        if healthy > 0 && self.steps > 0 {
            self.steps = self.steps.saturating_sub(healthy);
            self.closed_since = Some(now);
        }
    }

    fn bucket(&mut self, now: Moment) -> &mut Bucket {
        let number = bucket_number(now);
        let bucket = &mut self.window[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket { number, good: 0, bad: 0 };
        }
        bucket
    }

    fn counts(&self, now: Moment) -> (u32, u32) {
        let newest = bucket_number(now);
        self.window
            .iter()
            .filter(|bucket| bucket.number + BUCKETS as u64 > newest)
            .fold((0, 0), |(good, bad), bucket| (good + bucket.good, bad + bucket.bad))
    }
}

const fn bucket_number(now: Moment) -> u64 {
    now.since(Moment::START).as_secs() / BUCKET.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        consecutive: 5,
        samples: 10,
        success_percent: 50,
        open: Duration::from_secs(5),
        cap: Duration::from_secs(120),
        close_after: 2,
        slow_start: Duration::from_secs(60),
    };

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    /// Plays a story of `(second, word)`: `ok`, `hard`, `cert`, `ratio`, `neutral` are lessons of ordinary attempts;
    /// `free`, `refused` and `trial` ask for admission and expect that answer; `+ok`, `+hard`, `+neutral` end a trial.
    fn check(story: &[(f64, &str)]) {
        let mut breaker = Breaker::default();
        for (second, word) in story {
            let now = at(*second);
            let mut learn = |lesson, trial| {
                breaker.learn(lesson, trial, now, &SETTINGS, 1.0);
            };
            match *word {
                "ok" => learn(Lesson::Success, false),
                "hard" => learn(Lesson::Hard, false),
                "cert" => learn(Lesson::Open, false),
                "ratio" => learn(Lesson::Ratio, false),
                "neutral" => learn(Lesson::Neutral, false),
                "+ok" => learn(Lesson::Success, true),
                "+hard" => learn(Lesson::Hard, true),
                "+neutral" => learn(Lesson::Neutral, true),
                expected => {
                    let answer = match breaker.admit(now) {
                        Admission::Free => "free",
                        Admission::Trial => "trial",
                        Admission::Refused(_) => "refused",
                    };
                    assert_eq!(answer, expected, "at {second} s of {story:?}");
                }
            }
        }
    }

    #[test]
    fn opens_after_five_hard_failures_in_a_row_and_not_before() {
        let four = [(0.0, "hard"); 4];
        check(&[&four[..], &[(0.0, "free"), (0.1, "hard"), (0.1, "refused")]].concat());
        check(&[&four[..], &[(0.1, "ok")], &four[..], &[(0.2, "free")]].concat());
    }

    #[test]
    fn opens_on_a_bad_ratio_with_enough_samples() {
        let mixed: Vec<_> = (0..11).map(|i| (f64::from(i) * 0.1, if i % 3 == 0 { "ok" } else { "hard" })).collect();
        check(&[&mixed[..], &[(1.2, "refused")]].concat());
        let old: Vec<_> = (0..9).map(|i| (f64::from(i) * 0.1, "ratio")).collect();
        check(&[&old[..], &[(40.0, "ratio"), (40.0, "free")]].concat());
    }

    #[test]
    fn a_bad_certificate_opens_at_once() {
        check(&[(0.0, "cert"), (0.0, "refused")]);
    }

    #[test]
    fn neutral_outcomes_never_open_it() {
        check(&[&[(0.0, "neutral"); 100][..], &[(0.0, "free")]].concat());
    }

    #[test]
    fn half_open_lets_one_trial_through_and_two_successes_close_it() {
        let opened = [(0.0, "hard"); 5];
        check(
            &[
                &opened[..],
                &[
                    (4.9, "refused"),
                    (5.1, "trial"),
                    (5.1, "refused"),
                    (5.2, "+ok"),
                    (5.2, "trial"),
                    (5.3, "+ok"),
                    (5.3, "free"),
                    (5.3, "free"),
                ],
            ]
            .concat(),
        );
    }

    #[test]
    fn f_099_a_trial_without_verdict_gives_the_permit_back() {
        let opened = [(0.0, "hard"); 5];
        check(
            &[&opened[..], &[(5.1, "trial"), (5.2, "+neutral"), (5.2, "trial"), (5.3, "+hard"), (5.4, "refused")]]
                .concat(),
        );
    }

    #[test]
    fn backs_off_but_is_tried_again_within_a_quarter_minute_early_in_an_outage() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.learn(Lesson::Hard, false, at(0.0), &SETTINGS, 1.0);
        }
        let mut now = 0.0;
        let mut waits = Vec::new();
        for _ in 0..5 {
            let wait = breaker.refuses_for(at(now)).unwrap_or_default().as_secs_f64();
            waits.push(wait.round());
            now += wait + 0.001;
            assert_eq!(breaker.admit(at(now)), Admission::Trial);
            breaker.learn(Lesson::Hard, true, at(now), &SETTINGS, 1.0);
        }
        assert_eq!(waits, [5.0, 10.0, 15.0, 15.0, 15.0]);
    }

    #[test]
    fn a_flapping_vendor_is_held_down() {
        let mut story = Vec::new();
        for opening in 0..3 {
            let start = f64::from(opening) * 30.0;
            story.extend([(start, "hard"); 5]);
            if opening < 2 {
                story.extend([
                    (start + 21.0, "trial"),
                    (start + 21.0, "+ok"),
                    (start + 21.1, "trial"),
                    (start + 21.1, "+ok"),
                ]);
            }
        }
        story.extend([(60.0 + 50.0, "refused"), (60.0 + 61.0, "trial")]);
        check(&story);
    }

    #[test]
    fn trickle_is_one_call_a_second() {
        let mut breaker = Breaker::default();
        breaker.learn(Lesson::Open, false, at(0.0), &SETTINGS, 1.0);
        assert_eq!(breaker.admit_trickle(at(0.1)), Admission::Trial);
        breaker.learn(Lesson::Neutral, true, at(0.2), &SETTINGS, 1.0);
        assert_eq!(breaker.admit_trickle(at(0.5)), Admission::Refused(TRICKLE));
        assert_eq!(breaker.admit_trickle(at(1.2)), Admission::Trial);
    }
}
