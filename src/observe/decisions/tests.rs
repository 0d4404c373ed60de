//! The log on a real disk: what is in it, what a crash leaves of it, and what happens while it cannot be written.

use super::*;
use crate::audit::{Report, Verifier, verify};
use crate::base::event::{Considered, Grounds, Outcome};
use crate::base::rejection::Refusal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn settings() -> Audit {
    Audit { origin: None, refuse_when_unwritable: true, rotate_bytes: 64 << 20, signing_key: None, hash_key: None }
}

fn meters() -> Meters {
    Meters::new(&Registry::new()).unwrap()
}

fn start(settings: Audit, state: &Path) -> DecisionLog {
    DecisionLog::start(settings, state.to_owned(), meters()).unwrap()
}

fn record() -> Arc<ExchangeRecord> {
    let refusal = Refusal::Policy(Arc::from([Arc::from("residency")]));
    Arc::new(ExchangeRecord {
        request_id: "req_1".to_owned(),
        key: "research-app".into(),
        dialect: "openai_chat",
        pool: "smart".into(),
        model: "a prompt as a model".to_owned(),
        served_by: None,
        outcome: Outcome::Rejected("policy_denied"),
        status: 403,
        streamed: false,
        attempts: Vec::new(),
        tokens: None,
        cost: None,
        bytes_in: 0,
        bytes_out: 0,
        took: Duration::from_millis(3),
        denied_by: Vec::new(),
        policy: "0123456789ab".into(),
        grounds: Grounds {
            subject: Some("uri:spiffe://corp/somebody".into()),
            data: vec!["personal".into()],
            residency: "EU".into(),
            considered: vec![Considered::of(&"cn/qwen".into(), Some(&refusal))],
        },
    })
}

fn push(log: &DecisionLog, count: usize) {
    for _ in 0..count {
        log.exchange(Timestamp::UNIX_EPOCH, Duration::from_millis(5), record());
    }
}

fn files(state: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(state.join(FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

fn verifier(state: &Path) -> Verifier {
    Verifier::parse(&fs::read_to_string(state.join(FOLDER).join("verifier.key")).unwrap()).unwrap()
}

fn checked(state: &Path, file: &Path) -> Report {
    let kept = fs::read_to_string(state.join(FOLDER).join("checkpoint")).unwrap();
    verify(&fs::read_to_string(file).unwrap(), &verifier(state), Some(&kept)).unwrap()
}

/// The records of a file.
fn records(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("seq").is_some()).collect()
}

#[test]
fn a_record_says_what_was_decided_and_on_what_grounds_in_no_clear_names() {
    let state = tempfile::tempdir().unwrap();
    let log = start(settings(), state.path());
    push(&log, 1);
    log.flush();
    let file = &files(state.path())[0];
    let text = fs::read_to_string(file).unwrap();
    for clear in ["research-app", "somebody", "a prompt as a model"] {
        assert!(!text.contains(clear), "{clear} is in {text}");
    }
    let mut found = records(file).pop().unwrap();
    let object = found.as_object_mut().unwrap();
    for name in ["prev", "key", "subject"] {
        assert!(object.remove(name).unwrap().as_str().unwrap().len() >= 32, "{name}");
    }
    let expected = json!({
        "seq": 1, "time": "1970-01-01T00:00:00.000Z", "since_start_ms": 5, "kind": "exchange", "request_id": "req_1",
        "data": ["personal"], "residency": "EU", "dialect": "openai_chat", "pool": "smart", "policy": "0123456789ab",
        "considered": [{ "deployment": "cn/qwen", "refused": "policy", "rules": ["residency"] }], "attempts": [],
        "served_by": null, "outcome": "policy_denied", "status": 403, "ms": 3,
    });
    assert_eq!(found, expected);
    assert_eq!(checked(state.path(), file).signed, 2);
}

#[test]
fn a_log_is_gone_on_with_after_a_restart_and_signed_every_thousand_records() {
    let state = tempfile::tempdir().unwrap();
    for start_of in 0..2 {
        let log = start(settings(), state.path());
        push(&log, 1_200);
        drop(log);
        let report = checked(state.path(), &files(state.path())[0]);
        assert_eq!((report.next, report.signed), ((start_of + 1) * 1_201, (start_of + 1) * 1_201));
    }
    assert!(checked(state.path(), &files(state.path())[0]).checkpoints >= 4);
}

#[test]
fn f_147_a_torn_tail_is_set_aside_and_recorded() {
    let state = tempfile::tempdir().unwrap();
    drop(start(settings(), state.path()));
    let file = &files(state.path())[0];
    let torn = b"{\"seq\":1,\"prev\":\"\xff";
    fs::write(file, [fs::read(file).unwrap().as_slice(), torn].concat()).unwrap();
    let log = start(settings(), state.path());
    push(&log, 1);
    drop(log);
    assert_eq!(checked(state.path(), file).next, 3);
    assert_eq!(records(file)[1]["torn_bytes"], torn.len());
    assert_eq!(fs::read(file.with_extension("torn-1")).unwrap(), torn);
}

#[test]
fn f_153_what_was_changed_is_not_written_on() {
    let state = tempfile::tempdir().unwrap();
    let log = start(settings(), state.path());
    push(&log, 5);
    drop(log);
    let first = files(state.path()).remove(0);
    let changed = fs::read_to_string(&first).unwrap().replacen("policy_denied", "served", 1);
    fs::write(&first, &changed).unwrap();
    drop(start(settings(), state.path()));
    assert_eq!(fs::read_to_string(&first).unwrap(), changed, "the evidence stays as it is");
    let second = &files(state.path())[1];
    let report = checked(state.path(), second);
    assert_eq!((report.first, report.file), (0, 2));
    assert!(report.origin.ends_with("/2"), "the signer never signs two histories of one log: {}", report.origin);
    let broken = records(second)[0]["broken"].to_string();
    assert!(broken.contains("record 1: edited"), "{broken}");
}

#[test]
fn f_153_a_tail_that_was_cut_below_its_checkpoint_is_not_gone_on_from() {
    let state = tempfile::tempdir().unwrap();
    let log = start(settings(), state.path());
    push(&log, 5);
    drop(log);
    let first = files(state.path()).remove(0);
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, &text[..text.find("{\"seq\":3,").unwrap()]).unwrap();
    drop(start(settings(), state.path()));
    let broken = records(&files(state.path())[1])[0]["broken"].to_string();
    assert!(broken.contains("6 records were signed, and 3 are left"), "{broken}");
}

#[test]
fn a_large_file_is_followed_by_another_of_the_same_log() {
    let state = tempfile::tempdir().unwrap();
    let log = start(Audit { rotate_bytes: 64 << 10, ..settings() }, state.path());
    for _ in 0..10 {
        push(&log, 100);
        log.flush();
    }
    drop(log);
    let files = files(state.path());
    assert!(files.len() > 2, "{files:?}");
    let (mut next, verifier) = (0, verifier(state.path()));
    for (number, file) in files.iter().enumerate() {
        let report = verify(&fs::read_to_string(file).unwrap(), &verifier, None).unwrap();
        assert_eq!((report.first, report.file), (next, number as u64 + 1));
        next = report.next;
    }
    assert_eq!((next, checked(state.path(), files.last().unwrap()).signed), (1_001, 1_001));
}

#[test]
fn f_150_while_the_log_cannot_be_written_calls_are_refused_and_nothing_is_lost() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join(FOLDER);
    fs::write(&folder, "in the way").unwrap();
    let meters = meters();
    let log = DecisionLog::start(settings(), state.path().to_owned(), meters.clone()).unwrap();
    let easy = DecisionLog { queue: Arc::clone(&log.queue), refuse: false, thread: None };
    assert!(!log.can_record(), "nothing goes out unrecorded");
    assert!(easy.can_record(), "unless it may");
    assert_eq!((meters.writable.get(), meters.errors.with(["open"]).get() > 0), (0, true));
    push(&log, 3);
    fs::remove_file(&folder).unwrap();
    log.flush();
    assert!(log.can_record());
    assert_eq!(checked(state.path(), &files(state.path())[0]).next, 4, "what was under way is recorded");
    std::mem::forget(easy);
}

#[test]
fn f_150_what_is_lost_leaves_a_record() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join(FOLDER);
    fs::write(&folder, "in the way").unwrap();
    let meters = meters();
    let log = DecisionLog::holding(10, settings(), state.path().to_owned(), meters.clone()).unwrap();
    // the thread may have taken some of them out of the queue meanwhile, and no more than twice
    push(&log, 100);
    assert!(meters.lost.get() >= 40, "{}", meters.lost.get());
    fs::remove_file(&folder).unwrap();
    log.flush();
    let lost: u64 = records(&files(state.path())[0]).iter().filter_map(|record| record["lost_records"].as_u64()).sum();
    assert_eq!(lost, meters.lost.get());
}

#[test]
fn f_150_a_file_that_is_taken_away_is_missed_before_anything_is_written_to_it() {
    for take_away in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| {
            fs::rename(path, path.with_extension("1")).unwrap();
            fs::write(path, "").unwrap();
        },
    ] {
        let state = tempfile::tempdir().unwrap();
        let meters = meters();
        let log = DecisionLog::start(settings(), state.path().to_owned(), meters.clone()).unwrap();
        push(&log, 3);
        log.flush();
        take_away(&files(state.path())[0]);
        push(&log, 2);
        log.flush();
        assert_eq!(meters.errors.with(["write"]).get(), 1);
        let found = records(files(state.path()).last().unwrap());
        assert!(found[0]["broken"].is_string(), "the next log says why it was begun: {}", found[0]);
        assert_eq!((found.len(), meters.lost.get(), meters.writable.get()), (3, 0, 1), "and has what came since");
    }
}
