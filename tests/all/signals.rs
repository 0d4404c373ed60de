//! What recorded errors mean: each label of the recordings is agreed with, or the disagreement is listed with its reason in
//! `tests/recordings/disagreements.tsv`. The shipped selection is read, and the whole collection where it lies beside the clone
//! (`../shared/vendor-traffic`, or the folder that `BACKSTAY_TRAFFIC` names).

mod paper;

use backstay::base::failure::{Failure, FailureKind, Phase};
use backstay::dialect::profile::{ANTHROPIC, OPENAI, PROFILES, Profile};
use backstay::dialect::signals::{self, quota};
use backstay::dialect::sse::Splitter;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One recorded answer.
struct Answer {
    id: String,
    vendor: String,
    dialect: String,
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    label: Option<String>,
    /// When it was given, in seconds since 1970.
    now_s: u64,
}

impl Answer {
    fn read(line: &str) -> Self {
        let exchange: Value = serde_json::from_str(line).expect("recordings are JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let response = &exchange["response"];
        let pairs = response["headers"].as_object().expect("headers");
        let headers: HeaderMap = pairs
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value.as_str()?.parse().ok()?)))
            .collect();
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let now = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp().as_second());
        Self {
            id: text(&exchange["id"]),
            vendor: text(&exchange["vendor"]),
            dialect: text(&exchange["dialect"]),
            status: u16::try_from(response["status"].as_u64().expect("a status")).expect("a status"),
            body: text(&response["body_text"]).into(),
            label: exchange["error_class"].as_str().map(str::to_owned),
            now_s: now.and_then(|now| u64::try_from(now).ok()).unwrap_or_default(),
            headers,
        }
    }

    /// The vendor's own profile, where there is one.
    fn profile(&self) -> &'static Profile {
        let own = PROFILES.into_iter().find(|profile| profile.name == self.vendor);
        own.unwrap_or(if self.dialect.starts_with("anthropic") { &ANTHROPIC } else { &OPENAI })
    }

    fn classify(&self, profile: &Profile) -> Failure {
        signals::classify(profile, self.status, &self.headers, &self.body, self.now_s)
    }
}

/// Every recorded answer that lies here or beside; the collection holds the shipped ones too.
fn answers() -> Vec<Answer> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside =
        std::env::var_os("BACKSTAY_TRAFFIC").map_or_else(|| here.join("../shared/vendor-traffic"), PathBuf::from);
    let mut seen = BTreeSet::new();
    let folders = [here.join("tests/recordings"), beside];
    let entries = folders.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let files =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension() == Some("jsonl".as_ref()));
    let texts = files.map(|path| std::fs::read_to_string(path).expect("recordings are text"));
    let answers = texts.flat_map(|text| text.lines().map(Answer::read).collect::<Vec<_>>());
    answers.filter(|answer| seen.insert(answer.id.clone())).collect()
}

fn errors() -> impl Iterator<Item = Answer> {
    answers().into_iter().filter(|answer| answer.status >= 400)
}

/// The classes that a label stands for.
fn labelled(label: &str) -> &'static [FailureKind] {
    use FailureKind::*;
    match label {
        "auth" => &[AuthKey],
        "permission" => &[AuthKey, ModelDenied],
        "rate_limited" => &[RateLimited],
        "quota_exhausted" => &[Quota],
        "overloaded" => &[Overloaded],
        "unavailable" => &[Overloaded, ServerError],
        "server_error" | "timeout" => &[ServerError],
        "model_not_found_or_retired" => &[ModelGone],
        "capability_unsupported" => &[Unsupported],
        "context_too_long" => &[ContextLength],
        "request_too_large" => &[ContextLength, OverWindow],
        "content_filtered" => &[ContentFilter],
        "region_restricted" => &[RegionDenied],
        // what a model spoilt itself is told as a bad request
        "bad_request" => &[BadRequest, Malformed],
        _ => &[],
    }
}

/// Recordings whose label we do not share: the class that we read, and why.
fn disagreements() -> BTreeMap<String, String> {
    let text = include_str!("../recordings/disagreements.tsv");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        let [id, _label, class, reason] = cells[..] else { panic!("four cells: {line}") };
        assert!(reason.len() > 20, "a reason that says something: {line}");
        (id.to_owned(), class.to_owned())
    };
    lines.map(read).collect()
}

fn check_labels(profile: impl Fn(&Answer) -> &'static Profile) {
    let (known, mut all, mut wrong) = (disagreements(), 0, Vec::new());
    for answer in errors() {
        all += 1;
        let failure = answer.classify(profile(&answer));
        let label = answer.label.clone().unwrap_or_default();
        let agrees = match known.get(&answer.id) {
            Some(class) => failure.kind.class() == class,
            None => labelled(&label).contains(&failure.kind),
        };
        if !agrees {
            let start: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            let Answer { id, vendor, status, .. } = &answer;
            wrong.push(format!(
                "{id}\t{label}\t{}\t{} ({vendor} {status}) {start}",
                failure.kind.class(),
                failure.reason
            ));
        }
    }
    assert!(all >= 230, "{all}");
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn recorded_errors_mean_what_they_are_labelled() {
    check_labels(Answer::profile);
}

#[test]
fn recorded_errors_mean_the_same_where_the_vendor_is_not_named() {
    check_labels(|answer| if answer.dialect.starts_with("anthropic") { &ANTHROPIC } else { &OPENAI });
}

#[test]
fn a_refusal_for_length_tells_the_numbers_that_the_vendor_told() {
    let mut told = 0;
    for answer in errors() {
        let failure = answer.classify(answer.profile());
        let Some(excess) = failure.excess else { continue };
        told += 1;
        let (limit, asked) = (excess.limit_tokens.unwrap_or(0), excess.asked_tokens.unwrap_or(u64::MAX));
        assert!(limit >= 1_000 && asked > limit, "{}: {excess:?}", answer.id);
    }
    assert!(told >= 12, "{told}");
}

#[test]
fn what_an_error_tells_inside_a_stream_is_read_by_the_same_table() {
    let shown = answers().into_iter().filter(|answer| answer.status == 200 && answer.body.starts_with(b"event: error"));
    for answer in shown {
        let mut splitter = Splitter::new();
        splitter.push(answer.body.clone());
        let event = splitter.take().expect("short").expect("whole");
        let failure = signals::in_answer(answer.profile(), Phase::Headers, &event.data);
        assert_eq!(failure.kind, FailureKind::Overloaded, "{}", answer.id);
    }
}

#[test]
fn recorded_quotas_are_read_and_can_be() {
    let mut vendors = BTreeSet::new();
    for answer in answers() {
        let quota = quota::read(&answer.headers, answer.now_s);
        let windows = [quota.requests, quota.tokens, quota.input_tokens, quota.output_tokens];
        for window in windows.into_iter().flatten() {
            vendors.insert(answer.vendor.clone());
            assert!(window.limit.is_none_or(|limit| limit >= window.remaining), "{}: {quota:?}", answer.id);
            let days = window.reset.map_or(0, |reset| reset.as_secs() / 86_400);
            assert!(days <= 1 || answer.now_s == 0, "{}: {quota:?}", answer.id);
        }
        // a wait that comes with a success is no wait: recordings 48eea359644d99c6, 622d7187c8205a37
        let spent = windows.iter().flatten().any(|window| window.remaining == 0);
        assert_eq!(spent, quota.is_spent(), "{}", answer.id);
        assert!(spent || quota.whole_in().is_none(), "{}", answer.id);
    }
    assert!(vendors.contains("anthropic") && vendors.contains("openai"), "{vendors:?}");
}

/// The rows of a table, without its remarks.
fn table<const CELLS: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; CELLS]> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|cells| panic!("{cells:?}")))
}

fn profile_named(vendor: &str) -> &'static Profile {
    let own = PROFILES.into_iter().find(|profile| profile.name == vendor);
    own.unwrap_or(if vendor == "anthropic" { &ANTHROPIC } else { &OPENAI })
}

#[test]
fn vendors_that_were_not_recorded_are_understood_too() {
    let mut wrong = Vec::new();
    for [vendor, status, kind, body, class] in table(include_str!("signals/wordings.tsv")) {
        let status = status.parse().expect("a status");
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert("x-amzn-errortype", kind.parse().expect("a header"));
        }
        for profile in [profile_named(vendor), &OPENAI] {
            let failure = signals::classify(profile, status, &headers, &Bytes::from_static(body.as_bytes()), 0);
            if failure.kind.class() != class {
                let read = (failure.kind.class(), failure.reason);
                wrong.push(format!("{vendor} as {} {status} is read as {read:?}, not {class}: {body}", profile.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn f_045_an_error_inside_an_answer_is_what_its_status_would_have_been() {
    for [vendor, kind, data, class] in table(include_str!("signals/events.tsv")) {
        for profile in [profile_named(vendor), &OPENAI] {
            let failure = signals::in_frame(profile, Phase::Content, kind, data.as_bytes());
            assert_eq!((failure.kind.class(), failure.phase), (class, Phase::Content), "{vendor}: {data}");
            let status = failure.said.expect("the vendor spoke").status;
            assert!((400..600).contains(&status), "{vendor}: {data}: {status}");
        }
    }
}
