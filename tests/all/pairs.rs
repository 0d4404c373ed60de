//! Every client dialect in front of every vendor dialect, feature by feature.
//!
//! `tests/pairs/calls` holds what a client of each dialect asks, `tests/pairs/answers` what a vendor of each dialect answers.
//! What each pair makes of them lies in `tests/pairs/golden`, one file a pair, to be read and reviewed;
//! `BACKSTAY_WRITE_DOCS=1 cargo test --test all pairs` writes it anew, and with it the table of `docs/dialects.md`, which is
//! made from the same outcomes.

mod outcome;
mod table;
mod thoughts;

use backstay::dialect::profile::{self, Profile};
use backstay::dialect::{Dialect, Task};
use outcome::{Asked, Outcome};
use serde_json::Value;
use std::{env, fs};

/// What is looked at: a row of the table each.
const FEATURES: [&str; 9] =
    ["plain", "stream", "tools", "tool_results", "images", "structured_output", "reasoning", "refusals", "errors"];

/// One client dialect and one vendor dialect.
struct Pair {
    client: Dialect,
    vendor: &'static Profile,
    calls: Value,
    answers: Value,
}

impl Pair {
    fn outcomes(&self) -> impl Iterator<Item = (&'static str, Outcome)> {
        FEATURES.into_iter().map(|feature| (feature, outcome::of(self, feature)))
    }

    fn name(&self) -> String {
        format!("{}-{}", self.client.name(), self.vendor.dialect.name())
    }
}

/// Every pair of a client's dialect with a vendor's.
fn pairs() -> Vec<Pair> {
    let generates = || Dialect::ALL.into_iter().filter(|dialect| dialect.task() == Task::Generate);
    let mut pairs = Vec::new();
    for client in generates() {
        let Some(calls) = read("calls", client) else { continue };
        for vendor in generates() {
            let Some(answers) = read("answers", vendor) else { continue };
            let profile = profile::all().find(|profile| profile.dialect == vendor).expect("a vendor speaks it");
            pairs.push(Pair { client, vendor: profile, calls: calls.clone(), answers });
        }
    }
    pairs
}

fn read(kind: &str, dialect: Dialect) -> Option<Value> {
    let text = fs::read_to_string(path(&format!("tests/pairs/{kind}/{}.json", dialect.name()))).ok()?;
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn path(relative: &str) -> String {
    format!("{}/{relative}", env!("CARGO_MANIFEST_DIR"))
}

/// Compares a kept file with what it should say, or writes it.
fn check(relative: &str, expected: &str) {
    if env::var_os("BACKSTAY_WRITE_DOCS").is_some() {
        fs::write(path(relative), expected).unwrap();
    } else {
        let kept = fs::read_to_string(path(relative)).unwrap_or_default();
        let at = kept.lines().zip(expected.lines()).position(|(kept, expected)| kept != expected);
        assert!(
            kept == expected,
            "{relative} differs from line {}; review it after BACKSTAY_WRITE_DOCS=1 cargo test --test all pairs",
            at.unwrap_or_else(|| kept.lines().count().min(expected.lines().count())) + 1
        );
    }
}

#[test]
fn every_pair_does_as_was_reviewed() {
    for pair in pairs() {
        let text: String = pair.outcomes().map(|(feature, outcome)| outcome.told(feature)).collect();
        check(&format!("tests/pairs/golden/{}.md", pair.name()), &format!("# {}\n{text}", pair.name()));
    }
}

#[test]
fn the_table_says_what_every_pair_does() {
    let paper = fs::read_to_string(path("docs/dialects.md")).expect("docs/dialects.md");
    let paper = table::placed(&paper, table::PAIRS, &table::of(&pairs()));
    check("docs/dialects.md", &table::placed(&paper, thoughts::MARK, &thoughts::table()));
}

/// What holds for every pair, whatever was reviewed.
#[test]
fn no_pair_loses_words_calls_or_tokens() {
    for pair in pairs() {
        for (feature, outcome) in pair.outcomes() {
            let place = format!("{} {feature}", pair.name());
            if let Asked::Refused(why) = &outcome.asked {
                assert!(!why.is_empty(), "{place}: a refusal says why");
            }
            let words: &[&str] = match feature {
                "plain" | "stream" | "reasoning" => &["It is -3 °C", "in Oslo."],
                "tools" => &["weather", "Oslo", "clock"],
                "structured_output" => &["celsius"],
                _ => &[],
            };
            for told in &outcome.told {
                for word in words {
                    assert!(told.text.contains(word), "{place}: `{word}` is missing in {}", told.text);
                }
            }
        }
    }
}
