//! How long a deployment takes to its first content: for people, for the order `latency`, as a sign that it is sick, and as
//! the time after which another is asked beside it.

use crate::base::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// A sample's weight is what the time since the last one leaves of this, so that a burst counts little more than one.
const DECAY: Duration = Duration::from_secs(30);
const LEAST_WEIGHT: f64 = 0.1;
/// What is assumed of who was never measured.
const SEED_MS: f64 = 1_000.0;
/// What a failure adds, where the vendor does not ask for more.
const PENALTY: Duration = Duration::from_secs(5);
const LONGEST_PENALTY: Duration = Duration::from_secs(300);
/// A penalty below this is forgotten.
const FADED_MS: f64 = 0.2;

/// Upper ends of the classes of prompts, in tokens: long prompts take long, and that is no sickness.
const CLASSES: [u64; 3] = [1_000, 8_000, 32_000];
/// Samples of a class that a judgement stands on, and how old they may be.
const SAMPLES: usize = 10;
const RECENT: Duration = Duration::from_secs(60);
/// A class is slow when its median is above this many times its usual, and above this.
const TIMES_USUAL: f64 = 3.0;
const SLOW_MS: f64 = 5_000.0;
/// The usual is learnt over an hour, and needs so many samples.
const USUAL_OVER: Duration = Duration::from_secs(3_600);
const USUAL_SAMPLES: u32 = 20;
/// Who was found slow and asked nothing since is no longer thought slow after so long.
const STALE: Duration = Duration::from_secs(300);

/// Samples that the slow end is read from, and the fewest that tell it.
const TAIL_SAMPLES: usize = 100;
const LEAST_TAIL_SAMPLES: usize = 20;
/// Of a hundred calls so many are not slower.
const TAIL_PERCENT: usize = 95;

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The first content of a stream whose prompt has so many tokens.
    FirstContent(u64),
    /// A whole answer that is short by its nature.
    ShortAnswer,
}

/// First-content latency of one deployment.
#[derive(Debug, Default)]
pub struct Latency {
    smoothed_ms: Option<f64>,
    sampled_at: Moment,
    penalty_ms: f64,
    penalised_at: Moment,
    classes: [Class; CLASSES.len() + 1],
    short_answers: Tail,
}

impl Latency {
    /// An attempt with a prompt of so many tokens had its first content after this time.
    pub fn sample(&mut self, took: Duration, input_tokens: u64, now: Moment) {
        let sample = took.as_secs_f64() * 1_000.0;
        let weight = (1.0 - decayed(now.since(self.sampled_at), DECAY)).max(LEAST_WEIGHT);
        self.smoothed_ms = Some(self.smoothed_ms.map_or(sample, |old| old + weight * (sample - old)));
        self.sampled_at = now;
        let faded = self.penalty_ms(now) / 2.0;
        self.penalty_ms = if faded > FADED_MS { faded } else { 0.0 };
        self.penalised_at = now;
        self.waited(took, Awaited::FirstContent(input_tokens), now);
    }

    /// What was awaited came after this time, or had not come by then.
    pub fn waited(&mut self, took: Duration, awaited: Awaited, now: Moment) {
        let sample = took.as_secs_f64() * 1_000.0;
        match awaited {
            Awaited::FirstContent(input_tokens) => {
                if let Some(class) = self.classes.get_mut(class(input_tokens)) {
                    class.sample(sample, now);
                    class.tail.sample(sample);
                }
            }
            Awaited::ShortAnswer => self.short_answers.sample(sample),
        }
    }

    /// How long nearly all that was awaited took of late; `None` while too little was seen.
    #[must_use]
    pub fn tail(&self, awaited: Awaited) -> Option<Duration> {
        let tail = match awaited {
            Awaited::FirstContent(input_tokens) => &self.classes.get(class(input_tokens))?.tail,
            Awaited::ShortAnswer => &self.short_answers,
        };
        tail.end()
    }

    /// An attempt failed, and the vendor perhaps asks to wait.
    pub fn failed(&mut self, hint: Option<Duration>, now: Moment) {
        let penalty = hint.unwrap_or(PENALTY).clamp(PENALTY, LONGEST_PENALTY);
        self.penalty_ms = self.penalty_ms(now).max(penalty.as_secs_f64() * 1_000.0);
        self.penalised_at = now;
    }

    /// Smoothed time to first content in milliseconds, where it was ever measured.
    #[must_use]
    pub const fn typical_ms(&self) -> Option<f64> {
        self.smoothed_ms
    }

    /// What the next attempt is expected to take, failures considered, in milliseconds; `None` where nothing was seen.
    #[must_use]
    pub fn expected_ms(&self, now: Moment) -> Option<f64> {
        let penalty = self.penalty_ms(now);
        let seed = (penalty > 1.0).then_some(SEED_MS);
        self.smoothed_ms.or(seed).map(|typical| typical + penalty)
    }

    /// Whether what it typically takes says too little: it failed of late, or takes far longer than usual.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.penalty_ms > 0.0 || self.classes.iter().any(|class| class.slow)
    }

    /// Whether a failure is remembered still, about five minutes long.
    #[must_use]
    pub fn failed_of_late(&self, now: Moment) -> bool {
        self.penalty_ms(now) > FADED_MS
    }

    /// Whether it takes far longer than usual with prompts of some length.
    #[must_use]
    pub fn is_slow(&self, now: Moment) -> bool {
        self.classes.iter().any(|class| class.is_slow(now))
    }

    fn penalty_ms(&self, now: Moment) -> f64 {
        self.penalty_ms * decayed(now.since(self.penalised_at), DECAY)
    }
}

/// The class of a prompt of so many tokens.
fn class(input_tokens: u64) -> usize {
    CLASSES.iter().filter(|end| input_tokens > **end).count()
}

fn decayed(passed: Duration, over: Duration) -> f64 {
    (-passed.as_secs_f64() / over.as_secs_f64()).exp()
}

/// Prompts of about one length.
#[derive(Debug, Default)]
struct Class {
    recent: [(f64, Moment); SAMPLES],
    seen: u32,
    /// Logarithm of the usual milliseconds: a mean of logarithms is not carried off by one that took minutes.
    usual_ln: f64,
    slow: bool,
    tail: Tail,
}

impl Class {
    fn sample(&mut self, ms: f64, now: Moment) {
        let last = self.recent[0].1;
        self.recent.rotate_right(1);
        self.recent[0] = (ms, now);
        let ln = ms.max(1.0).ln();
        let settled = self.seen >= USUAL_SAMPLES;
        let least = if settled { 0.0 } else { 1.0 / f64::from(self.seen + 1) };
        let weight = (1.0 - decayed(now.since(last), USUAL_OVER)).max(least);
        self.slow = settled && self.judge(now);
        self.usual_ln += weight * (ln - self.usual_ln);
        self.seen = self.seen.saturating_add(1);
    }

    /// Slow at the median of enough recent samples; once found slow, old samples do.
    fn judge(&self, now: Moment) -> bool {
        let all_recent = self.recent.iter().all(|(_, at)| now.since(*at) <= RECENT);
        let mut sorted = self.recent.map(|(ms, _)| ms);
        sorted.sort_by(f64::total_cmp);
        let median = f64::midpoint(sorted[(SAMPLES - 1) / 2], sorted[SAMPLES / 2]);
        (all_recent || self.slow) && median > SLOW_MS && median > TIMES_USUAL * self.usual_ln.exp()
    }

    fn is_slow(&self, now: Moment) -> bool {
        self.slow && now.since(self.recent[0].1) < STALE
    }
}

/// The last samples, in milliseconds.
#[derive(Debug, Default)]
struct Tail {
    last: VecDeque<f32>,
}

impl Tail {
    fn sample(&mut self, ms: f64) {
        if self.last.len() == TAIL_SAMPLES {
            self.last.pop_front();
        }
        self.last.push_back(ms as f32);
    }

    fn end(&self) -> Option<Duration> {
        let mut samples = Vec::from_iter(self.last.iter().copied());
        if samples.len() < LEAST_TAIL_SAMPLES {
            return None;
        }
        let place = (samples.len() * TAIL_PERCENT / 100).min(samples.len() - 1);
        let (_, ms, _) = samples.select_nth_unstable_by(place, f32::total_cmp);
        Some(Duration::from_secs_f64(f64::from(*ms) / 1_000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn f_103_five_times_the_usual_latency_is_slow_within_a_minute() {
        let mut latency = Latency::default();
        for i in 0..600 {
            latency.sample(seconds(1.2), 500, at(f64::from(i)));
        }
        assert!(!latency.is_slow(at(600.0)));
        let found = (0..60).find(|i| {
            let now = at(600.0 + f64::from(*i));
            latency.sample(seconds(6.0), 500, now);
            latency.is_slow(now)
        });
        assert!(found.is_some_and(|second| second < 15), "{found:?}");
        (0..10).for_each(|i| latency.sample(seconds(1.2), 500, at(700.0 + f64::from(i))));
        assert!(!latency.is_slow(at(710.0)), "and as quickly found well again");
    }

    #[test]
    fn f_103_long_prompts_alone_are_no_sickness() {
        let mut latency = Latency::default();
        for i in 0..600 {
            latency.sample(seconds(1.2), 500, at(f64::from(i)));
        }
        for i in 0..60 {
            latency.sample(seconds(15.0), 100_000, at(600.0 + f64::from(i)));
        }
        assert!(!latency.is_slow(at(660.0)));
    }

    #[test]
    fn a_few_slow_answers_or_quick_ones_that_slow_down_are_no_sickness() {
        let check = |usual: f64, now_takes: f64, times: u32| {
            let mut latency = Latency::default();
            (0..100).for_each(|i| latency.sample(seconds(usual), 500, at(f64::from(i))));
            (0..times).for_each(|i| latency.sample(seconds(now_takes), 500, at(100.0 + f64::from(i))));
            assert!(!latency.is_slow(at(200.0)), "{usual} {now_takes} {times}");
        };
        check(1.0, 9.0, 4);
        check(0.3, 2.0, 50);
        check(4.0, 9.0, 50);
    }

    #[test]
    fn the_slow_end_is_learnt_by_the_length_of_prompts() {
        let (mut latency, short) = (Latency::default(), Awaited::FirstContent(500));
        (1..20).for_each(|i| latency.sample(seconds(0.1 * f64::from(i)), 500, at(f64::from(i))));
        assert_eq!(latency.tail(short), None, "too little was seen");
        (0..200).for_each(|i| latency.sample(seconds(0.01 * f64::from(i % 100)), 500, at(f64::from(20 + i))));
        let tail = latency.tail(short).unwrap().as_secs_f64();
        assert!((0.94..=0.96).contains(&tail), "{tail}");
        assert_eq!(latency.tail(Awaited::FirstContent(50_000)), None);
        assert_eq!(latency.tail(Awaited::ShortAnswer), None);
        (0..20).for_each(|i| latency.waited(seconds(2.0), Awaited::ShortAnswer, at(f64::from(300 + i))));
        assert_eq!(latency.tail(Awaited::ShortAnswer), Some(seconds(2.0)));
    }

    #[test]
    fn a_failure_weighs_five_seconds_and_fades() {
        let mut latency = Latency::default();
        assert_eq!(latency.expected_ms(at(0.0)), None);
        latency.sample(seconds(0.5), 100, at(0.0));
        latency.failed(None, at(0.0));
        assert_eq!(latency.expected_ms(at(0.0)), Some(5_500.0));
        assert!(latency.expected_ms(at(30.0)) < Some(2_500.0));
        latency.failed(Some(seconds(9_000.0)), at(60.0));
        assert!(
            latency.expected_ms(at(60.0)) > Some(300_000.0) && latency.expected_ms(at(60.0)) < Some(301_000.0),
            "a hint counts up to a bound"
        );
        assert_eq!(latency.typical_ms(), Some(500.0), "what people are shown was measured");
    }

    #[test]
    fn a_change_shows_at_once_after_a_pause_and_gently_in_a_burst() {
        let mut latency = Latency::default();
        latency.sample(seconds(1.0), 100, at(0.0));
        latency.sample(seconds(3.0), 100, at(0.1));
        assert_eq!(latency.typical_ms(), Some(1_200.0));
        latency.sample(seconds(3.0), 100, at(120.0));
        assert!(latency.typical_ms() > Some(2_900.0));
    }
}
