//! Alert rules and dashboards stand only on what is exported.

use crate::support::events::every_event;
use crate::support::source;
use backstay::base::event::Sink;
use backstay::base::failure::FailureKind;
use backstay::observe::{BreakerState, BudgetReading, Observer, Readings};
use std::collections::BTreeSet;

/// Names of all series that a busy process exports.
fn exported() -> BTreeSet<String> {
    let observer = Observer::start(None, Box::new(jiff::Timestamp::now)).unwrap();
    every_event().into_iter().for_each(|event| observer.emit(event));
    let readings = Readings {
        inflight: vec![("a/b".into(), 1)],
        admission_caps: vec![("a/b".into(), 9)],
        restricted: vec!["a/b".into()],
        surged: vec!["a/b".into()],
        breakers: vec![("a".into(), BreakerState::Open)],
        certificates: vec![("a.pem".into(), 1)],
        budgets: vec![BudgetReading {
            account: "key/app".into(),
            limit_microusd: 9,
            gone_microusd: 5,
            reserved_microusd: 1,
        }],
        ledger_lag: 1,
    };
    let text = observer.metrics(&readings);
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// Words that are ours by their prefix, wherever they stand.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("backstay_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// Values of `class` in matchers such as `class="ok"` and `class=~"auth_key|quota"`.
fn classes_in(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\\"", "\"");
    let matchers = ["class=\"", "class!=\"", "class=~\""].into_iter().flat_map(|start| text.split(start).skip(1));
    matchers.flat_map(|rest| rest.split('"').next().unwrap_or_default().split('|')).map(str::to_owned).collect()
}

fn check(path: &str) {
    let text = source::file(path).text;
    let exported = exported();
    let used = metrics_in(&text);
    assert!(!used.is_empty(), "{path} uses no metric of ours");
    let missing: Vec<_> = used.difference(&exported).collect();
    assert!(missing.is_empty(), "{path} stands on what is not exported: {missing:?}");
    let known: BTreeSet<_> =
        FailureKind::ALL.iter().map(|kind| kind.class()).chain(["ok"]).map(str::to_owned).collect();
    let strange: Vec<_> = classes_in(&text).difference(&known).cloned().collect();
    assert!(strange.is_empty(), "{path} asks for classes that do not exist: {strange:?}");
}

#[test]
fn alert_rules_stand_on_exported_metrics() {
    check("dashboards/alerts.yml");
}

#[test]
fn the_dashboard_stands_on_exported_metrics() {
    check("dashboards/overview.json");
    let text = source::file("dashboards/overview.json").text;
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
}

#[test]
fn the_operations_page_names_every_metric() {
    let documented = metrics_in(&source::file("docs/operations.md").text);
    let family =
        |name: &str| name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count").to_owned();
    let exported: BTreeSet<_> = exported().iter().map(|name| family(name)).collect();
    let silent: Vec<_> = exported.difference(&documented).collect();
    assert!(silent.is_empty(), "docs/operations.md does not name {silent:?}");
    let invented: Vec<_> = documented.difference(&exported).collect();
    assert!(invented.is_empty(), "docs/operations.md names what is not exported: {invented:?}");
}
