//! The decision log of the real proxy: what is in it, that it survives, and what an auditor's commands say of it.

use crate::support::proxy::{CREDENTIAL, KEY, OPERATOR, Plan, Prepared, Proxy};
use crate::support::serving::soon;
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BACKSTAY: &str = env!("CARGO_BIN_EXE_backstay");

fn audit(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(BACKSTAY).arg("audit").args(arguments).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn verified(folder: &Path) -> (Option<i32>, String) {
    let key = folder.join("verifier.key");
    audit(&["verify", folder.to_str().unwrap(), "--key", key.to_str().unwrap()])
}

fn shown(folder: &Path, filter: &[&str]) -> Vec<Value> {
    let arguments = [&["show", folder.to_str().unwrap(), "--json"], filter].concat();
    let (status, text) = audit(&arguments);
    assert_eq!(status, Some(0), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ends the proxy; its files stay.
async fn ended(proxy: Proxy) -> (PathBuf, Prepared) {
    let prepared = proxy.end().await;
    (prepared.directory.path().join("state/decisions"), prepared)
}

#[tokio::test]
async fn an_exchange_leaves_a_record_of_who_was_asked_and_why_others_were_not() {
    let policy = "@id(\"all\")\npermit (principal, action, resource);\n\
                  @id(\"not-third\")\nforbid (principal, action, resource) when { resource.vendor == Vendor::\"third\" };\n";
    let vendors = [("first", Dialect::OpenaiChat), ("second", Dialect::OpenaiChat), ("third", Dialect::OpenaiChat)];
    let proxy = Plan::of(&vendors).policy("base.cedar", policy).key("jurisdiction = \"DE\"").start().await;
    proxy.vendors[0].queue([Some(Fault::RegionDenied)]);
    let answer = proxy.client().chat(false).await;
    assert_eq!(answer.status, 200);
    let id = proxy.status().await["restrictions"][0]["id"].clone();
    proxy.operate("/release", &json!({ "id": id })).await;
    let said = proxy.vendors[1].text();
    let (folder, _files) = ended(proxy).await;

    assert_eq!(verified(&folder).0, Some(0), "{}", verified(&folder).1);
    let exchanges = shown(&folder, &["--kind", "exchange"]);
    assert_eq!(exchanges.len(), 1);
    let record = &exchanges[0];
    assert_eq!(
        record["considered"],
        json!([
            { "deployment": "first/model-of-first", "refused": null },
            { "deployment": "second/model-of-second", "refused": null },
            { "deployment": "third/model-of-third", "refused": "policy", "rules": ["not-third"] },
            { "deployment": "kept-out/model-of-kept-out", "refused": "policy", "rules": ["kept-out"] },
        ])
    );
    let attempts = record["attempts"].as_array().unwrap();
    let told = |attempt: &Value| {
        ["deployment", "vendor", "seat", "region_declared", "transfer", "class"]
            .map(|member| attempt[member].as_str().unwrap().to_owned())
    };
    assert_eq!(told(&attempts[0]), ["first/model-of-first", "first", "US", "us", "none_declared", "region_denied"]);
    assert_eq!(told(&attempts[1]), ["second/model-of-second", "second", "US", "us", "none_declared", "ok"]);
    assert_eq!((&record["outcome"], &record["served_by"]), (&json!("served"), &json!("second/model-of-second")));

    for (filter, count) in [
        (&["--key", "app"][..], 1),
        (&["--key", "other"], 0),
        (&["--vendor", "second"], 1),
        (&["--vendor", "third"], 0),
        (&["--deployment", "third/model-of-third"], 1),
        (&["--rule", "not-third"], 1),
        (&["--outcome", "served", "--since", "2020-01-01"], 1),
        (&["--outcome", "served", "--until", "2020-01-01"], 0),
        (&["--kind", "restricted"], 1),
        (&["--kind", "released"], 1),
    ] {
        assert_eq!(shown(&folder, filter).len(), count, "{filter:?}");
    }
    let all = fs::read_to_string(folder.join("decisions-000001.jsonl")).unwrap();
    for secret in [KEY, CREDENTIAL, OPERATOR, &said, "\"app\""] {
        assert!(!all.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn f_153_a_log_that_was_changed_is_caught_at_the_record() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    for _ in 0..5 {
        assert_eq!(proxy.client().chat(false).await.status, 200);
    }
    let (folder, _files) = ended(proxy).await;
    let file = folder.join("decisions-000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let changed: Vec<_> = text
        .lines()
        .map(|line| {
            if line.starts_with("{\"seq\":3,") {
                line.replace("\"outcome\":\"served\"", "\"outcome\":\"broken\"")
            } else {
                line.to_owned()
            }
        })
        .collect();
    fs::write(&file, changed.join("\n") + "\n").unwrap();
    let (status, said) = verified(&folder);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("record 3: edited"), "{said}");
}

#[tokio::test]
async fn f_147_a_killed_process_leaves_a_log_that_holds_and_goes_on() {
    let prepared = Plan::two(Dialect::OpenaiChat).prepare().await;
    let folder = prepared.directory.path().join("state/decisions");
    let file = folder.join("decisions-000001.jsonl");
    let mut served = 0;
    for _ in 0..3 {
        let serving = crate::process::Serving::start(&prepared);
        let records = |file: &Path| fs::read_to_string(file).map_or(0, |text| text.matches("\"seq\":").count());
        let before = records(&file);
        soon("records on the disk", async {
            while records(&file) < before + 12 {
                assert_eq!(serving.client().chat(false).await.status, 200);
                served += 1;
            }
        })
        .await;
        serving.kill();
    }
    // whoever starts next sets aside what was being written
    let serving = crate::process::Serving::start(&prepared);
    serving.end().await;
    let (status, said) = verified(&folder);
    assert_eq!(status, Some(0), "{said}");
    let kept = shown(&folder, &["--kind", "exchange"]).len();
    assert!(kept >= 30 && kept <= served, "{kept} of {served}");
    assert_eq!(shown(&folder, &["--kind", "opened"]).len(), 4);
}

#[tokio::test]
async fn f_150_regulated_calls_are_refused_while_the_log_cannot_be_written() {
    for (when_unwritable, status) in [("refuse", 503), ("carry_on", 200)] {
        let audit = format!("[audit]\nwhen_unwritable = \"{when_unwritable}\"");
        let proxy = Plan::two(Dialect::OpenaiChat).with(&audit).file("state/decisions", "in the way").start().await;
        let answer = proxy.client().chat(false).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(proxy.metric("backstay_audit_writable").await, 0.0);
        if status == 503 {
            assert_eq!(answer.json()["error"]["code"], "audit_unavailable");
            assert_eq!(proxy.calls(), [0, 0]);
        }
        fs::remove_file(proxy.path("state/decisions")).unwrap();
        soon("a log that can be written", async {
            while proxy.metric("backstay_audit_writable").await < 1.0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(proxy.client().chat(false).await.status, 200);
    }
}

#[test]
fn a_pair_of_keys_is_made_and_used() {
    let (status, pair) = audit(&["key", "proxy.corp.example/decisions"]);
    assert_eq!(status, Some(0), "{pair}");
    let lines: Vec<_> = pair.lines().collect();
    assert!(lines[0].starts_with("PRIVATE+KEY+proxy.corp.example/decisions+"), "{pair}");
    assert!(lines[1].starts_with("proxy.corp.example/decisions+"), "{pair}");
    assert_eq!(audit(&["key", "two words"]).0, Some(2));
}
