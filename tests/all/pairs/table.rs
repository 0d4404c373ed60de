//! The table of pairs and features in `docs/dialects.md`.

use super::outcome::{Asked, Outcome};
use super::{FEATURES, Pair};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the paper says before the table of pairs and features.
pub(super) const PAIRS: &str = "<!-- what each pair does: kept by the tests -->\n";
const END: &str = "<!-- end -->\n";

/// The paper with the table in its place, behind this mark.
pub(super) fn placed(paper: &str, mark: &str, table: &str) -> String {
    let (before, rest) = paper.split_once(mark).expect("the paper marks where the table begins");
    let (_, after) = rest.split_once(END).expect("the paper marks where the table ends");
    format!("{before}{mark}\n{table}\n{END}{after}")
}

/// A row for each pair, a column for each feature.
pub(super) fn of(pairs: &[Pair]) -> String {
    let mut table = String::from("| client | vendor |");
    FEATURES.iter().for_each(|feature| table += &format!(" {} |", feature.replace('_', " ")));
    table += "\n| --- | --- |";
    table += &" --- |".repeat(FEATURES.len());
    for pair in pairs {
        let outcomes: Vec<_> = pair.outcomes().collect();
        let plain = outcomes.iter().find(|(feature, _)| *feature == "plain").and_then(|(_, outcome)| outcome.body());
        table += &format!("\n| `{}` | `{}` |", pair.client.name(), pair.vendor.dialect.name());
        for (_, outcome) in &outcomes {
            table += &format!(" {} |", cell(outcome, plain));
        }
    }
    table + "\n"
}

impl Outcome {
    const fn body(&self) -> Option<&Value> {
        match &self.asked {
            Asked::Bytes(body) | Asked::Translated(body) => Some(body),
            Asked::Refused(_) | Asked::Unsaid => None,
        }
    }
}

fn cell(outcome: &Outcome, plain: Option<&Value>) -> String {
    match &outcome.asked {
        Asked::Bytes(_) => "yes".to_owned(),
        Asked::Refused(why) => format!("refused: `{why}`"),
        Asked::Unsaid => "-".to_owned(),
        Asked::Translated(body) => {
            let new = new_paths(body, plain.unwrap_or(&Value::Null));
            let new: Vec<_> = new.iter().map(|path| format!("`{path}`")).collect();
            if new.is_empty() { "translated".to_owned() } else { format!("as {}", new.join(", ")) }
        }
    }
}

/// The members that a call has beyond a plain one; of members within each other, the outermost.
fn new_paths(body: &Value, plain: &Value) -> Vec<String> {
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    collect(body, "", &mut ours);
    collect(plain, "", &mut theirs);
    let new: Vec<&String> = ours.difference(&theirs).collect();
    let outermost = |path: &&&String| !new.iter().any(|other| *other != **path && inside(path, other));
    new.iter().filter(outermost).map(|path| (**path).clone()).collect()
}

fn inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
}

fn collect(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                paths.insert(path.clone());
                collect(value, &path, paths);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let kind = ["type", "role"].iter().find_map(|name| element[name].as_str()).unwrap_or_default();
                let path = format!("{path}[{kind}]");
                paths.insert(path.clone());
                collect(element, &path, paths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
