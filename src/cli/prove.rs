//! `backstay prove`: statements about whatever the policies permit, looked at over all calls.
//!
//! First calls are searched for that refute a property: what is found is true. A proof needs a solver, which is no part of
//! this binary; without one the output says that finding nothing is no proof, and how to get one.

use crate::cli::solver::{Solver, Verdict};
use crate::cli::{files, print};
use crate::config::load::load_properties;
use crate::config::sources::PolicySource;
use crate::snapshot::Snapshot;
use crate::snapshot::properties::PropertyOutcome;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something is neither refuted nor proved.
const UNPROVED: u8 = 2;

/// How to get what this binary does not have.
const SOLVER: &str = "\
What is unproved was searched for counterexamples, and searching is no proof. For proofs over all requests:
  - install cvc5 1.3.1 or later (https://github.com/cvc5/cvc5/releases) and set CVC5 to its path;
  - install Cedar's tool with its symbolic compiler: the archive cedar-policy-cli-experimental of
    https://github.com/cedar-policy/cedar/releases, or cargo install cedar-policy-cli --features analyze;
  - run `backstay prove` again: it uses `cedar symcc` where it finds it.
";

/// One property, and what became of it.
struct Told {
    outcome: PropertyOutcome,
    verdict: Verdict,
}

impl Told {
    fn word(&self) -> &'static str {
        match (&self.outcome.refuted_by, &self.verdict) {
            (Some(_), _) | (None, Verdict::Refuted(_)) => "refuted",
            (None, Verdict::Proved) => "proved",
            (None, Verdict::Untold(_)) => "unproved",
        }
    }

    /// The call that refutes it, in words; or why it is not proved.
    fn why(&self) -> String {
        match (&self.outcome.refuted_by, &self.verdict) {
            (Some(call), _) => format!("refuted by {call}"),
            (None, Verdict::Refuted(call)) => format!("refuted: {call}"),
            (None, Verdict::Proved) => "holds for all requests and all entities".to_owned(),
            (None, Verdict::Untold(why)) => {
                format!("no counterexample among {} calls, and no proof: {why}", self.outcome.cases)
            }
        }
    }
}

/// Looks at every property of the folder of policies.
pub(super) fn run(config: &Path, policies: Option<&Path>, schema: bool, json: bool) -> ExitCode {
    let Some((snapshot, folder)) = subject(config, policies) else { return ExitCode::FAILURE };
    if schema {
        print!("{}", snapshot.policy_schema());
        return ExitCode::SUCCESS;
    }
    let outcomes = match load_properties(&folder).and_then(|files| snapshot.refute(&files)) {
        Ok(outcomes) => outcomes,
        Err(diagnostics) => {
            print::diagnostics(&diagnostics);
            return ExitCode::FAILURE;
        }
    };
    if outcomes.is_empty() {
        eprintln!("error: there is no property in {}; see docs/policy.md", folder.join("properties").display());
        return ExitCode::FAILURE;
    }
    let told = judge(&snapshot, outcomes);
    if json {
        println!("{:#}", as_json(&told));
    } else {
        print!("{}", table(&told));
    }
    if told.iter().any(|told| told.word() == "refuted") {
        ExitCode::FAILURE
    } else if told.iter().all(|told| told.word() == "proved") {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNPROVED)
    }
}

/// Asks the solver about what the search did not refute.
fn judge(snapshot: &Snapshot, outcomes: Vec<PropertyOutcome>) -> Vec<Told> {
    let solver = Solver::find(&snapshot.policy_schema(), &snapshot.policy_text());
    let ask = |outcome: &PropertyOutcome| match &solver {
        _ if outcome.refuted_by.is_some() => Verdict::Untold(String::new()),
        Ok(Some(solver)) => solver.implies(&outcome.text),
        Ok(None) => Verdict::Untold("no solver is installed".to_owned()),
        Err(error) => Verdict::Untold(error.to_string()),
    };
    outcomes.into_iter().map(|outcome| Told { verdict: ask(&outcome), outcome }).collect()
}

fn subject(config: &Path, policies: Option<&Path>) -> Option<(Snapshot, PathBuf)> {
    let snapshot = files::snapshot(config, policies)?;
    let folder = match policies {
        Some(folder) => folder.to_owned(),
        None => match files::read(config, None).ok()?.policies {
            PolicySource::Folder { path, .. } => path,
            PolicySource::BuiltIn => {
                eprintln!("error: there is no folder of policies beside {}", config.display());
                return None;
            }
        },
    };
    Some((snapshot, folder))
}

fn table(told: &[Told]) -> String {
    let mut text = String::new();
    for told in told {
        let PropertyOutcome { id, statement, place, .. } = &told.outcome;
        text.push_str(&format!("{:8}  {id}  {}:{}\n", told.word(), place.file.display(), place.line));
        text.push_str(&format!("          {statement}\n          {}\n", told.why()));
    }
    if told.iter().any(|told| told.word() == "unproved") {
        text.push('\n');
        text.push_str(SOLVER);
    }
    text
}

fn as_json(told: &[Told]) -> Value {
    let of = |told: &Told| {
        json!({
            "id": told.outcome.id.as_ref(),
            "statement": told.outcome.statement.as_ref(),
            "file": told.outcome.place.file,
            "line": told.outcome.place.line,
            "verdict": told.word(),
            "why": told.why(),
        })
    };
    told.iter().map(of).collect()
}
