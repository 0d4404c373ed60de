//! `backstay test`: runs the policies' own tests.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::cli::{files, print};
use crate::snapshot::policy_test::PolicyTestOutcome;
use crate::snapshot::test_policies;
use crate::state::clock::Clock;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Runs the tests, and prints what became of each.
pub(super) fn run(config: &Path, policies: Option<&Path>, json: bool) -> ExitCode {
    let sources = match files::read(config, policies) {
        Ok(sources) => sources,
        Err(diagnostics) => {
            print::diagnostics(&diagnostics);
            return ExitCode::FAILURE;
        }
    };
    let (outcomes, found) = test_policies(&sources, Clock::unix_seconds());
    // broken tests are told one by one below
    let broken = |found: &Diagnostic| outcomes.iter().any(|outcome| outcome.place == found.place);
    let mut wrong = files::policy_errors(&sources, &found);
    wrong.retain(|found| !broken(found));
    if wrong.is_empty() && outcomes.is_empty() {
        wrong = found.into_iter().filter(|found| found.severity == Severity::Error).collect();
    }
    if json {
        println!("{:#}", as_json(&outcomes, &wrong));
    } else {
        print::diagnostics(&wrong);
        print!("{}{}", table(&outcomes), sum(&outcomes, wrong.len()));
    }
    let kept = outcomes.iter().all(|outcome| outcome.wrong.is_empty());
    if kept && wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn table(outcomes: &[PolicyTestOutcome]) -> String {
    let mut text = String::new();
    let mut file = None;
    for outcome in outcomes {
        if file != Some(&outcome.place.file) {
            text.push_str(&format!("{}\n", outcome.place.file.display()));
            file = Some(&outcome.place.file);
        }
        let mark = if outcome.wrong.is_empty() { "kept  " } else { "BROKEN" };
        text.push_str(&format!("  {mark}  {}\n", outcome.name));
        if !outcome.wrong.is_empty() {
            text.push_str(&format!("          --> {}\n", outcome.place));
        }
        for wrong in &outcome.wrong {
            text.push_str(&format!("          {wrong}\n"));
        }
    }
    text
}

/// How many tests were kept, and whether anything else stands against the policies.
fn sum(outcomes: &[PolicyTestOutcome], errors: usize) -> String {
    let broken = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count();
    let hint = match (outcomes.is_empty(), errors) {
        (true, 0) => "; tests are written in `tests/*.toml` beside the policies".to_owned(),
        (true, errors) => format!("; none was run, because of {errors} error(s)"),
        (false, 0) => String::new(),
        (false, errors) => format!("; with {errors} error(s) the policies would not be served"),
    };
    format!("{} test(s), {} kept, {broken} broken{hint}\n", outcomes.len(), outcomes.len() - broken)
}

fn as_json(outcomes: &[PolicyTestOutcome], wrong: &[Diagnostic]) -> Value {
    let tests: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name.as_ref(),
                "file": outcome.place.file,
                "line": outcome.place.line,
                "kept": outcome.wrong.is_empty(),
                "wrong": outcome.wrong,
            })
        })
        .collect();
    json!({ "tests": tests, "diagnostics": print::as_json(wrong) })
}
