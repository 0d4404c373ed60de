//! `backstay prove`: statements about whatever the policies permit, looked at over all calls.
//!
//! First calls are searched for that refute a property: what is found is true, and told in the config's own words. What
//! the search leaves is proved or refuted over all requests by a solver. The solver, and what speaks to it, are no part
//! of the proxy: without them the output says that finding nothing is no proof, and how to get them.

#[cfg(feature = "prove")]
mod counterexample;
#[cfg(feature = "prove")]
mod solver;
#[cfg(feature = "prove")]
mod symbolic;

use crate::cli::{files, print};
use crate::config::load::load_properties;
use crate::config::sources::PolicySource;
use crate::snapshot::Snapshot;
use crate::snapshot::properties::{PropertyOutcome, Verdict};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something is neither refuted nor proved.
const UNPROVED: u8 = 2;

/// Why nothing can be proved here, and how to change that.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unready {
    why: String,
    /// Steps of a list; empty where something went wrong that is not missing.
    steps: Vec<&'static str>,
}

const SEARCHED: &str =
    "What is unproved was searched for counterexamples, and searching is no proof. For proofs over all requests:";
const SOLVER: &str = concat!(
    "  - install the solver cvc5, one of the two:\n",
    "      python3 -m venv solver && solver/bin/pip install cvc5, then CVC5=solver/bin/python3\n",
    "      https://github.com/cvc5/cvc5/releases, 1.3.1 or later, then CVC5=/path/to/cvc5, or cvc5 along PATH\n",
);

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
            (None, Verdict::Refuted(call)) => format!("refuted by\n{call}"),
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
    let (told, unready) = judge(&snapshot, outcomes);
    if json {
        println!("{:#}", as_json(&told));
    } else {
        print!("{}", table(&told));
        let steps = unready.map(|unready| unready.steps.concat()).unwrap_or_default();
        if !steps.is_empty() {
            println!("\n{SEARCHED}\n{steps}  - run `backstay prove` again");
        }
    }
    if told.iter().any(|told| told.word() == "refuted") {
        ExitCode::FAILURE
    } else if told.iter().all(|told| told.word() == "proved") {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNPROVED)
    }
}

/// Asks the solver about what the search did not refute; and why it could not be asked, where it could not.
fn judge(snapshot: &Snapshot, outcomes: Vec<PropertyOutcome>) -> (Vec<Told>, Option<Unready>) {
    let open: Vec<&str> = outcomes.iter().filter(|one| one.refuted_by.is_none()).map(|one| one.text.as_str()).collect();
    let (verdicts, unready) = match prove(snapshot, &open) {
        Ok(verdicts) => (verdicts, None),
        Err(unready) => (Vec::new(), Some(unready)),
    };
    let why = unready.as_ref().map_or("", |unready| &unready.why);
    let mut verdicts = verdicts.into_iter();
    let mut next = |outcome: &PropertyOutcome| match outcome.refuted_by {
        Some(_) => Verdict::Untold(String::new()),
        None => verdicts.next().unwrap_or_else(|| Verdict::Untold(why.to_owned())),
    };
    (outcomes.into_iter().map(|outcome| Told { verdict: next(&outcome), outcome }).collect(), unready)
}

/// One verdict for each property.
#[cfg(feature = "prove")]
fn prove(snapshot: &Snapshot, properties: &[&str]) -> Result<Vec<Verdict>, Unready> {
    symbolic::judge(&symbolic::Subject::of(snapshot, properties), properties)
}

#[cfg(not(feature = "prove"))]
fn prove(_: &Snapshot, _: &[&str]) -> Result<Vec<Verdict>, Unready> {
    let build = "  - build Backstay with the feature: cargo install --locked --path . --features prove\n";
    Err(Unready { why: "this program was built without the feature `prove`".to_owned(), steps: vec![build, SOLVER] })
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
        let why = told.why().replace('\n', "\n            ");
        text.push_str(&format!("          {statement}\n          {why}\n"));
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
