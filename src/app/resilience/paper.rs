//! `docs/resilience.md`: what many incidents cost, against an oracle, and how one total failure looks second by second.
//!
//! Always played small; with `BACKSTAY_WRITE_DOCS` at full length, and written down.

use super::herd::{self, Herd};
use super::incidents::{self, KINDS, Tally, Totals};
use super::lab::{Plan, Seen};
use super::plot::{Plot, Series, svg};
use super::stories::{failed, spell};
use super::vendors::{Second, Trouble};
use std::fmt::Write as _;
use std::{env, fs};

/// Incidents of the short play, and of the one that is written down.
const FEW: usize = 40;
const MANY: usize = 500;
/// Seeds of the play that is written down; the short one has the first alone.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// What an oracle may have more than we, as a share of all calls; the short play has too few to tell a thousandth.
const WITHIN: f64 = 0.001;
const WITHIN_FEW: f64 = 0.004;

const CAVEAT: &str = "\
What this does not say: the oracle asks when the call is made, and once; one that could wait for a vendor to come back would
have more. A common front that fails in part alone is not played. An answer that was held for ten seconds begins before its
attempts are known, and counts none of them in the column below. Qualities of answers are not seen at all.

";

const PAPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/resilience.md");
const FIGURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/resilience.svg");
const HERD_FIGURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/resilience-herd.svg");

/// A vendor bears so many calls at once; the load is three fifths of that.
const CAPACITY: u32 = 50;
const CALLS_PER_SECOND: f64 = 21.5;
const FAILS_S: f64 = 60.0;
const BACK_S: f64 = 150.0;
const END_S: f64 = 270.0;

/// The run in which the first of two vendors fails completely.
struct Run {
    seen: Vec<Seen>,
    vendors: [Vec<Second>; 2],
    closed_s: f64,
}

fn total_failure() -> Run {
    let spells = vec![vec![spell(FAILS_S, BACK_S, Trouble::Status(503, 1.0))], vec![]];
    let plan = Plan { capacity: CAPACITY, ..Plan::of(spells) };
    plan.run(async |lab| {
        lab.calls_until(END_S, CALLS_PER_SECOND).await;
        let seen = lab.seen().await;
        let closed_s = lab.changes("v0 ", "closed").first().map_or(END_S, |(at, _)| *at);
        Run { seen, vendors: [lab.vendors[0].seconds(), lab.vendors[1].seconds()], closed_s }
    })
}

#[test]
fn many_incidents_cost_little_beside_an_oracle_and_one_total_failure_nothing() {
    let writes = env::var_os("BACKSTAY_WRITE_DOCS").is_some();
    let run = total_failure();
    assert_eq!(failed(&run.seen).len(), 0, "with the first of two vendors failing completely");
    let (incidents, seeds, within) = if writes { (MANY, &SEEDS[..], WITHIN) } else { (FEW, &SEEDS[..1], WITHIN_FEW) };
    let plays: Vec<_> = seeds.iter().map(|seed| incidents::play(incidents, *seed)).collect();
    let mut totals = Totals::default();
    plays.iter().for_each(|play| totals.add(play));
    let all = totals.all();
    if writes {
        fs::write(FIGURE, figure(&run)).expect("the figure");
        let herd = herd::play();
        fs::write(HERD_FIGURE, herd.figure()).expect("the figure");
        fs::write(PAPER, paper(&run, &herd, &plays, &totals)).expect("the paper");
    }
    assert!(all.missed() <= within, "{} of {} calls missed: {}", all.servable - all.served, all.calls, table(&totals));
}

fn per_cent(part: usize, whole: usize) -> String {
    format!("{:.3} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn row(name: &str, seen: &str, tally: &Tally) -> String {
    let attempts = tally.attempts as f64 / tally.calls.max(1) as f64;
    format!(
        "| {name} | {seen} | {} | {} | {} | {} | {attempts:.2} | {:.1} s | {:.1} s |\n",
        tally.incidents,
        tally.calls,
        per_cent(tally.served, tally.calls),
        per_cent(tally.servable, tally.calls),
        tally.quantile(0.5),
        tally.quantile(0.99),
    )
}

fn table(totals: &Totals) -> String {
    let mut text = String::from(
        "| what happens | where it was seen | incidents | calls | served | oracle | attempts | median | 99 % |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (kind, tally) in KINDS.iter().zip(&totals.0) {
        text += &row(kind.name, kind.seen, tally);
    }
    if let Some(calm) = totals.0.last() {
        text += &row("nothing", "", calm);
    }
    text + &row("**all**", "", &totals.all())
}

/// What there is at which second.
type Points = Vec<(f64, f64)>;

/// By second: the median and the longest of the calls that began in it.
fn latencies(seen: &[Seen]) -> (Points, Points) {
    let (mut median, mut longest) = (Vec::new(), Vec::new());
    for second in 0..END_S as usize {
        let second = second as f64;
        let calls = seen.iter().filter(|call| (second..second + 1.0).contains(&call.at_s));
        let mut took: Vec<_> = calls.map(|call| call.took_s).collect();
        took.sort_by(f64::total_cmp);
        median.extend(took.get(took.len() / 2).map(|took| (second, *took)));
        longest.extend(took.last().map(|took| (second, *took)));
    }
    (median, longest)
}

fn figure(run: &Run) -> String {
    let (median, longest) = latencies(&run.seen);
    let shaded = (FAILS_S, BACK_S, "the first vendor is down");
    let came = |vendor: &[Second]| {
        let seconds = vendor.iter().enumerate();
        seconds.map(|(second, life)| (second as f64, f64::from(life.came))).collect::<Vec<_>>()
    };
    let peaks = |vendor: &[Second]| {
        let seconds = vendor.iter().enumerate();
        seconds.map(|(second, life)| (second as f64, f64::from(life.peak))).collect::<Vec<_>>()
    };
    let [first, second] = &run.vendors;
    let lost: Vec<_> = (0..END_S as usize)
        .map(|at| {
            let at = at as f64;
            let lost = failed(&run.seen).into_iter().filter(|call| (at..at + 1.0).contains(&call.at_s)).count();
            (at, lost as f64)
        })
        .collect();
    svg(&[
        Plot {
            title: "What clients wait for a whole answer",
            unit: " s",
            series: vec![
                Series { name: "median", colour: "#1f5fa8", points: median },
                Series { name: "longest", colour: "#c26a1a", points: longest },
            ],
            shaded,
        },
        Plot {
            title: "Attempts a second, and calls that failed",
            unit: "",
            series: vec![
                Series { name: "at the first vendor", colour: "#1f5fa8", points: came(first) },
                Series { name: "at the second vendor", colour: "#2e8540", points: came(second) },
                Series { name: "failed calls", colour: "#c0272d", points: lost },
            ],
            shaded,
        },
        Plot {
            title: "Under way at once",
            unit: "",
            series: vec![
                Series { name: "at the first vendor", colour: "#1f5fa8", points: peaks(first) },
                Series { name: "at the second vendor", colour: "#2e8540", points: peaks(second) },
            ],
            shaded,
        },
    ])
}

/// What the oracle has more than we, by seed and on the whole, in per cent of all calls.
fn missed(plays: &[Totals]) -> String {
    let mut text =
        String::from("| seed | incidents | calls | served | oracle | less |\n| --- | --- | --- | --- | --- | --- |\n");
    let plays: Vec<_> = plays.iter().map(Totals::all).collect();
    for (seed, all) in SEEDS.iter().zip(&plays) {
        let (served, servable) = (per_cent(all.served, all.calls), per_cent(all.servable, all.calls));
        let missed = 100.0 * all.missed();
        let _ =
            writeln!(text, "| {seed} | {} | {} | {served} | {servable} | {missed:.4} % |", all.incidents, all.calls);
    }
    let worst = plays.iter().map(Tally::missed).fold(0.0, f64::max);
    let mean = plays.iter().map(Tally::missed).sum::<f64>() / plays.len().max(1) as f64;
    let _ = write!(
        text,
        "\nThe worst seed misses {:.4} %, the mean of the seeds is {:.4} %.\n\n",
        100.0 * worst,
        100.0 * mean
    );
    text
}

fn paper(run: &Run, herd: &Herd, plays: &[Totals], totals: &Totals) -> String {
    let all = totals.all();
    let [first, _] = &run.vendors;
    let usual = first.iter().take(FAILS_S as usize).map(|second| second.peak).max().unwrap_or(0);
    let in_outage: u32 = first.iter().take(BACK_S as usize).skip(FAILS_S as usize).map(|second| second.came).sum();
    let mut text = String::from(
        "# Resilience, simulated\n\n\
         The whole proxy but its sockets runs on a paused clock in front of simulated vendors: keys, policy, selection, breakers,\n\
         admission caps, retry budget, probes, streams. Nothing of it is a copy. `src/app/resilience` plays it small in every test\n\
         run, and writes this paper and its figure with `BACKSTAY_WRITE_DOCS=1 cargo test --lib resilience`. Chance comes from seeds.\n\n\
         ## The first of two vendors fails completely\n\n",
    );
    let _ = write!(
        text,
        "Each vendor bears {CAPACITY} calls at once; {CALLS_PER_SECOND} streamed calls a second are three fifths of that. From second {FAILS_S}\n\
         to second {BACK_S} every call to the first one is answered with 503.\n\n\
         ![latency and attempts by the second](resilience.svg)\n\n\
         | | |\n| --- | --- |\n\
         | calls | {} |\n| failed calls | {} |\n\
         | attempts at the first vendor while it was down | {in_outage} of {} calls |\n\
         | the first vendor's breaker closed after it was back by | {:.1} s |\n\
         | under way at once at the first vendor before the outage | {usual} at most |\n",
        run.seen.len(),
        failed(&run.seen).len(),
        run.seen.iter().filter(|call| (FAILS_S..BACK_S).contains(&call.at_s)).count(),
        run.closed_s - BACK_S,
    );
    for after in [5.0, 15.0, 30.0, 60.0] {
        let seconds = first.iter().take((run.closed_s + after) as usize).skip(run.closed_s as usize);
        let peak = seconds.map(|second| second.peak).max().unwrap_or(0);
        let _ = writeln!(text, "| the same, in the first {after} s after its breaker closed | {peak} |");
    }
    text += &herd.section();
    let _ = write!(
        text,
        "\n## {} incidents\n\n\
         Pools of two to four vendors, whom one incident after another befalls, of the kinds that vendors had; lengths are drawn\n\
         between 20 seconds and what they truly were, and cut at 15 minutes, because a breaker learns nothing new after that. One in\n\
         eight begins before the last one is over, and one kind befalls two vendors at once. Calls come every four seconds. Pauses\n\
         between incidents are minutes, not weeks: what is counted here is nearly all trouble.\n\n\
         The oracle knows what nobody can: which vendor would answer when the call is made, and asks that one. Where vendors fail for\n\
         a part of the calls it throws its own dice, and what we had served against its dice counts as its own too. Of {} calls it\n\
         has {} served; we had {}, which is {:.4} % of all calls less.\n\n",
        all.incidents,
        all.calls,
        all.servable,
        all.served,
        100.0 * all.missed(),
    );
    text += &missed(plays);
    text += CAVEAT;
    text += &table(totals);
    text
}
