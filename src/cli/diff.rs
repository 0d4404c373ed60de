//! `backstay diff`: who gains and who loses what, before a change is put in place.

use crate::cli::files;
use crate::snapshot::reach::{Kind, Reach};
use crate::state::clock::Clock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// The config's name in a folder that holds a whole one.
const CONFIG: &str = "backstay.toml";
/// Something could not be read or compiled; 1 says that there are differences.
const TROUBLE: u8 = 2;

/// One deployment that kinds of calls of one key and pool gain or lose.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    key: Arc<str>,
    pool: Arc<str>,
    gains: bool,
    deployment: Arc<str>,
    /// What stands against it where it is lost, or stood where it is gained.
    by: Vec<String>,
    /// The data classes of the calls; `None` for calls that hold what the key says and no more.
    data: Vec<Option<Arc<str>>>,
}

/// Compares what the config has with `against`, a folder of policies or of a whole config.
pub(super) fn run(config: &Path, against: &Path, json: bool) -> ExitCode {
    let whole = against.join(CONFIG);
    let (proposed_config, policies) = if whole.is_file() { (whole.as_path(), None) } else { (config, Some(against)) };
    let (Some(now), Some(then)) = (files::snapshot(config, None), files::snapshot(proposed_config, policies)) else {
        return ExitCode::from(TROUBLE);
    };
    let at = Clock::unix_seconds();
    let changes = changes(&now.reach(at), &then.reach(at));
    if json {
        println!("{:#}", as_json(&changes));
    } else {
        print!("{}", table(&changes));
    }
    if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn changes(now: &BTreeMap<Kind, Reach>, then: &BTreeMap<Kind, Reach>) -> Vec<Change> {
    let mut changes: BTreeMap<Change, Vec<Option<Arc<str>>>> = BTreeMap::new();
    let none = Reach::new();
    let kinds: BTreeSet<&Kind> = now.keys().chain(then.keys()).collect();
    for kind in kinds {
        let (before, after) = (now.get(kind).unwrap_or(&none), then.get(kind).unwrap_or(&none));
        let deployments: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for deployment in deployments {
            let may = |reach: &Reach| reach.get(deployment).is_some_and(Vec::is_empty);
            let (gains, against) = match (may(before), may(after)) {
                (true, false) => (false, after.get(deployment)),
                (false, true) => (true, before.get(deployment)),
                (true, true) | (false, false) => continue,
            };
            let by = against
                .map_or_else(|| vec!["it is not there".to_owned()], |reasons| reasons.iter().map(shown).collect());
            let (key, pool, deployment) = (Arc::clone(&kind.key), Arc::clone(&kind.pool), Arc::clone(deployment));
            let change = Change { key, pool, gains, deployment, by, data: Vec::new() };
            changes.entry(change).or_default().push(kind.data.clone());
        }
    }
    changes.into_iter().map(|(change, data)| Change { data, ..change }).collect()
}

fn shown(reason: &crate::snapshot::explain::Reason) -> String {
    match (reason.rule.as_str(), reason.file.as_str()) {
        ("", _) => reason.reason.clone(),
        (rule, "") => rule.to_owned(),
        (rule, file) => format!("{rule} ({file}:{})", reason.line),
    }
}

fn table(changes: &[Change]) -> String {
    let mut text = String::new();
    let mut heading = None;
    for change in changes {
        if heading != Some((&change.key, &change.pool)) {
            text.push_str(&format!("key {}, model {}\n", change.key, change.pool));
            heading = Some((&change.key, &change.pool));
        }
        let (verb, by) = if change.gains { ("gains", "until now refused by") } else { ("loses", "refused by") };
        text.push_str(&format!("  {verb}  {}  for {}\n", change.deployment, calls(&change.data)));
        text.push_str(&format!("         {by} {}\n", change.by.join(", ")));
    }
    let gains = changes.iter().filter(|change| change.gains).count();
    match changes.len() {
        0 => "nobody gains or loses anything\n".to_owned(),
        all => text + &format!("{gains} gained, {} lost\n", all - gains),
    }
}

/// Which calls are meant, by what they hold.
fn calls(data: &[Option<Arc<str>>]) -> String {
    let classes: Vec<&str> = data.iter().flatten().map(AsRef::as_ref).collect();
    match (data.iter().any(Option::is_none), classes.is_empty()) {
        (true, true) => "calls that hold what the key says".to_owned(),
        (true, false) => format!("calls that hold what the key says, and those with {}", classes.join(", ")),
        (false, _) => format!("calls with {}", classes.join(", ")),
    }
}

fn as_json(changes: &[Change]) -> Value {
    let of = |change: &Change| {
        json!({
            "key": change.key.as_ref(),
            "model": change.pool.as_ref(),
            "change": if change.gains { "gains" } else { "loses" },
            "deployment": change.deployment.as_ref(),
            "by": change.by,
            "data": change.data.iter().map(|class| class.as_deref()).collect::<Vec<_>>(),
        })
    };
    changes.iter().map(of).collect()
}
