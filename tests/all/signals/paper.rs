//! `docs/signals.md` is written from the tables, so that it cannot say anything else.

use crate::support::source;
use backstay::base::failure::{Blame, FailureKind, HealthEffect, NextStep};
use backstay::dialect::signals::listing::{self, Line};
use std::fmt::Write as _;

const PAPER: &str = "docs/signals.md";
const CLASSES: (&str, &str) = ("<!-- classes: written by a test -->", "<!-- end of classes -->");
const LINES: (&str, &str) = ("<!-- lines: written by a test -->", "<!-- end of lines -->");

const fn next(kind: FailureKind) -> &'static str {
    match kind.next_step() {
        NextStep::Resend => "sent once more on a fresh connection, free of budget",
        NextStep::Move => "the next deployment",
        NextStep::RetryOrMove => "the same once more where the pool has patience; then the next deployment",
        NextStep::MoveOrResend => "the next deployment; with none left, the same once more",
        NextStep::Answer => "the vendor's words go to the client",
        NextStep::Stop => "nothing",
    }
}

const fn effect(kind: FailureKind) -> &'static str {
    match kind.effect() {
        HealthEffect::Hard => "counts towards an outage",
        HealthEffect::Open => "opens the breaker at once",
        HealthEffect::Ratio => "counts towards the failure ratio",
        HealthEffect::Rest => "rests",
        HealthEffect::Quota => "its quota is told",
        HealthEffect::Neutral => "nothing",
    }
}

const fn blame(kind: FailureKind) -> &'static str {
    match kind.blame() {
        Blame::Host => "host",
        Blame::Deployment => "deployment",
        Blame::Account => "account, for this model",
        Blame::Credential => "credential",
        Blame::Vendor => "vendor",
        Blame::Model => "model",
        Blame::Egress => "vendor, from here",
        Blame::Nobody => "nobody",
    }
}

fn classes() -> String {
    let mut text =
        String::from("| class | blamed | its health | what happens next | |\n| --- | --- | --- | --- | --- |\n");
    for kind in FailureKind::ALL {
        let restricts = if kind.restricts() { "restriction" } else { "" };
        let row = format!("| `{}` | {} | {} | {} | {restricts} |", kind.class(), blame(kind), effect(kind), next(kind));
        writeln!(text, "{}", row.replace("|  |", "| |")).unwrap();
    }
    text
}

fn asks(line: &Line) -> String {
    let quoted = |words: &[&str], mark: &str| {
        let words: Vec<_> = words.iter().map(|word| format!("{mark}{}{mark}", word.replace('|', "\\|"))).collect();
        words.join(", ")
    };
    let coded = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    };
    let mut asks = Vec::new();
    match line.statuses {
        Some([0]) => asks.push("inside an answer".to_owned()),
        Some(statuses) => {
            let told = statuses.iter().filter(|status| **status != 0).map(u16::to_string).collect::<Vec<_>>();
            asks.push(format!(
                "{}{}",
                told.join(", "),
                if statuses.contains(&0) { ", or inside an answer" } else { "" }
            ));
        }
        None if line.any_but_5xx => asks.push("not 5xx".to_owned()),
        None => {}
    }
    if !line.codes.is_empty() {
        asks.push(coded(line.codes));
    }
    if !line.says.is_empty() {
        asks.push(format!("says {}", quoted(line.says, "\"").replace('`', "'")));
    }
    if !line.also.is_empty() {
        asks.push(format!("and says {}", quoted(line.also, "\"").replace('`', "'")));
    }
    if line.is_final {
        asks.push("and forbids another try".to_owned());
    }
    asks.join("; ")
}

fn lines() -> String {
    let (mut text, mut of) = (String::new(), "");
    for line in listing::lines() {
        if line.of != of {
            of = line.of;
            let mut letters = of.chars();
            let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            writeln!(text, "\n### {title}\n\n| the answer | class | reason | reaches |\n| --- | --- | --- | --- |")
                .unwrap();
        }
        let scope = line.scope.map_or("this attempt", |scope| scope.name());
        writeln!(text, "| {} | `{}` | `{}` | {scope} |", asks(&line), line.kind.class(), line.reason).unwrap();
    }
    text.push_str("\n### The status alone\n\n| status | class | reason |\n| --- | --- | --- |\n");
    let mut rows: Vec<(u16, u16)> = Vec::new();
    for status in 300..600 {
        match rows.last_mut() {
            Some((_, last)) if listing::alone(*last) == listing::alone(status) => *last = status,
            _ => rows.push((status, status)),
        }
    }
    for (first, last) in rows {
        let (kind, reason) = listing::alone(first);
        let statuses = if first == last { first.to_string() } else { format!("{first} to {last}") };
        writeln!(text, "| {statuses} | `{}` | `{reason}` |", kind.class()).unwrap();
    }
    text + "\n"
}

fn between(paper: &str, (begin, end): (&str, &str), text: &str) -> String {
    let (before, rest) = paper.split_once(begin).expect("the paper marks where its tables begin");
    let (_, after) = rest.split_once(end).expect("and where they end");
    format!("{before}{begin}\n{text}{end}{after}")
}

#[test]
fn the_paper_shows_the_tables_as_they_are() {
    let paper = source::file(PAPER).text;
    let expected = between(&between(&paper, CLASSES, &classes()), LINES, &lines());
    if std::env::var_os("BACKSTAY_WRITE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signals.md"), expected).unwrap();
    } else {
        assert!(paper == expected, "{PAPER} is out of date; write it with BACKSTAY_WRITE_DOCS=1 cargo test signals");
    }
}
