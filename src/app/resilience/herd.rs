//! What a vendor meets that comes back with a tenth of its strength, while five hundred calls wait.

use super::lab::Plan;
use super::plot::{Plot, Series, svg};
use super::stories::{failed, spell};
use super::vendors::{Second, Trouble};
use std::fmt::Write as _;

const FAILS_S: f64 = 20.0;
const BACK_S: f64 = 80.0;
const END_S: f64 = 200.0;
const CALLS_PER_SECOND: f64 = 20.0;
const WAITING: usize = 500;
/// What the vendor bears at once after it is back: it took up to fifty before.
const BEARS: u32 = 5;
/// How long a vendor's share grows, and the least of it.
const SLOW_START_S: f64 = 60.0;
const SLOW_START_LEAST: f64 = 4.0;

/// The life of the vendor, and what clients saw.
pub(super) struct Herd {
    life: Vec<Second>,
    /// When its breaker closed.
    closed_s: f64,
    calls: usize,
    failed: usize,
}

pub(super) fn play() -> Herd {
    let troubles = vec![spell(FAILS_S, BACK_S, Trouble::Status(503, 1.0)), spell(BACK_S, END_S, Trouble::Bears(BEARS))];
    Plan::of(vec![troubles, vec![]]).run(async |lab| {
        lab.calls_until(BACK_S, CALLS_PER_SECOND).await;
        (0..WAITING).for_each(|_| lab.call());
        lab.calls_until(END_S, CALLS_PER_SECOND).await;
        let (seen, life) = (lab.seen().await, lab.vendors[0].seconds());
        let closed = lab.changes("v0 ", "closed").into_iter().map(|(at, _)| at).find(|at| *at >= BACK_S);
        Herd { life, closed_s: closed.unwrap_or(END_S), calls: seen.len(), failed: failed(&seen).len() }
    })
}

impl Herd {
    /// The most that may be under way at once in a second of its life: before the breaker closed two, for a trial is over with
    /// its first content, and its stream goes on beside the next; then what has grown.
    fn most(&self, second: usize) -> f64 {
        let usual = self.life.iter().take(FAILS_S as usize).map(|life| life.peak).max().unwrap_or(0);
        let since = second as f64 + 1.0 - self.closed_s;
        if since <= 0.0 { 2.0 } else { SLOW_START_LEAST.max(f64::from(usual) * since / SLOW_START_S) }
    }

    /// The seconds from its return until its share is whole again.
    fn coming_back(&self) -> impl Iterator<Item = (usize, &Second)> {
        let until = (self.closed_s + SLOW_START_S) as usize;
        self.life.iter().enumerate().take(until).skip(BACK_S as usize)
    }

    pub(super) fn figure(&self) -> String {
        let seconds = || (0..self.life.len()).map(|second| second as f64);
        let of = |part: fn(&Second) -> u32| seconds().zip(self.life.iter().map(|life| f64::from(part(life)))).collect();
        let most = self.coming_back().map(|(second, _)| (second as f64, self.most(second))).collect();
        let shaded = (FAILS_S, BACK_S, "the first vendor is down");
        svg(&[
            Plot {
                title: "Under way at once at the first vendor",
                unit: "",
                series: vec![
                    Series { name: "under way", colour: "#1f5fa8", points: of(|life| life.peak) },
                    Series { name: "allowed while it comes back", colour: "#c26a1a", points: most },
                ],
                shaded,
            },
            Plot {
                title: "Attempts a second at the first vendor",
                unit: "",
                series: vec![Series { name: "attempts", colour: "#1f5fa8", points: of(|life| life.came) }],
                shaded,
            },
        ])
    }

    pub(super) fn section(&self) -> String {
        let mut text = format!(
            "\n## No herd after recovery\n\n\
             The first of two vendors is down from second {FAILS_S} to second {BACK_S}, under {CALLS_PER_SECOND} calls a second, and comes back with a tenth of its\n\
             strength: it bears {BEARS} calls at once. At that moment {WAITING} more calls arrive.\n\n\
             ![calls at the vendor that came back](resilience-herd.svg)\n\n\
             | | |\n| --- | --- |\n| calls | {} |\n| failed calls | {} |\n| its breaker closed after it was back by | {:.1} s |\n",
            self.calls,
            self.failed,
            self.closed_s - BACK_S,
        );
        let peak = |from: f64, to: f64| {
            let seconds = self.life.iter().take(to as usize).skip(from as usize);
            seconds.map(|life| life.peak).max().unwrap_or(0)
        };
        let _ = writeln!(text, "| under way there at once until then | {} |", peak(BACK_S, self.closed_s));
        for after in [1.0, 10.0, 30.0, 60.0] {
            let most = peak(self.closed_s, self.closed_s + after + 1.0);
            let _ = writeln!(text, "| the same, in the first {after} s after | {most} |");
        }
        text
    }
}

#[test]
fn f_098_five_hundred_calls_do_not_fell_a_vendor_that_came_back_with_a_tenth_of_its_strength() {
    let herd = play();
    assert_eq!(herd.failed, 0, "of {}", herd.calls);
    assert!(herd.closed_s < END_S, "its breaker never closed");
    for (second, life) in herd.coming_back() {
        let most = herd.most(second);
        assert!(f64::from(life.peak) <= most, "{} instead of {most} at once in second {second}", life.peak);
    }
}
