//! What one pair makes of one feature.

use super::Pair;
use backstay::base::failure::FailureKind;
use backstay::base::rejection::{Refusal, Rejection, RejectionCode};
use backstay::dialect::scan::scan;
use backstay::dialect::splice::{Edits, splice};
use backstay::dialect::sse::{Event, Splitter};
use backstay::dialect::translate::{self, StreamTranslator, Unsaid};
use backstay::dialect::{error, signals};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use serde_json::Value;
use std::borrow::Cow;

/// The model's name at the vendor.
const MODEL: &str = "vendor-model";
/// The cap that is sent where the vendor demands one.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// What became of a feature.
pub(super) struct Outcome {
    pub(super) asked: Asked,
    /// What the client is told, for each answer that the vendor gives.
    pub(super) told: Vec<Told>,
}

/// What the vendor is asked.
pub(super) enum Asked {
    /// The client's own bytes.
    Bytes(Value),
    /// A translation.
    Translated(Value),
    /// The vendor is no candidate; the need that it cannot meet.
    Refused(String),
    /// The client's dialect has no such call.
    Unsaid,
}

/// What the client is told.
pub(super) struct Told {
    /// The vendor's answer, by its name.
    pub(super) answer: String,
    pub(super) text: String,
}

impl Outcome {
    /// The outcome as it is kept for review.
    pub(super) fn told(&self, feature: &str) -> String {
        let asked = match &self.asked {
            Asked::Bytes(body) | Asked::Translated(body) => json(body),
            Asked::Refused(why) => format!("refused: {why}\n"),
            Asked::Unsaid => "the client's dialect has no such call\n".to_owned(),
        };
        let mut text = format!("\n## {feature}\n\nThe vendor is asked:\n\n```\n{asked}```\n");
        for Told { answer, text: told } in &self.told {
            text += &format!("\nIt answers `{answer}`, and the client is told:\n\n```\n{}\n```\n", told.trim_end());
        }
        text
    }
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a tree prints") + "\n"
}

pub(super) fn of(pair: &Pair, feature: &str) -> Outcome {
    let call = match feature {
        "refusals" | "errors" => pair.calls.get("plain"),
        feature => pair.calls.get(feature),
    };
    let Some(call) = call else { return Outcome { asked: Asked::Unsaid, told: Vec::new() } };
    let asked = asked(pair, call);
    if matches!(asked, Asked::Refused(_)) {
        return Outcome { asked, told: Vec::new() };
    }
    let own = translate::Asked::read(pair.client, call.to_string().as_bytes(), MODEL, false);
    let own = own.unwrap_or_else(|rejection| panic!("{}", rejection.message));
    let whole = |name: &str| pair.answers.get(name).map(|answer| (name.to_owned(), whole(pair, &own, answer)));
    let streamed = |name: &str| pair.answers.get(name).map(|answer| (name.to_owned(), streamed(pair, &own, answer)));
    let told = match feature {
        "stream" => vec![streamed("stream")],
        "tools" => vec![whole("tools"), streamed("tools_stream")],
        "reasoning" => vec![whole("reasoning"), streamed("reasoning_stream")],
        "errors" => vec![pair.answers.get("errors").map(|answer| ("errors".to_owned(), failed(pair, answer)))],
        // what comes back is no different from a plain answer
        "tool_results" | "images" => Vec::new(),
        feature => vec![whole(feature)],
    };
    let told = told.into_iter().flatten().map(|(answer, text)| Told { answer, text }).collect();
    Outcome { asked, told }
}

fn asked(pair: &Pair, call: &Value) -> Asked {
    let body = Bytes::from(call.to_string());
    let scan = scan(pair.client, &body).unwrap_or_else(|error| panic!("{}: {}", pair.name(), error.message));
    let profile = pair.vendor;
    if let Some(need) = scan.needs.unmet(profile.capabilities) {
        return Asked::Refused(need.name().to_owned());
    }
    let include_usage = scan.stream && profile.usage_on_request;
    if pair.client == profile.dialect {
        let edits = Edits { model: Some(MODEL), include_usage, ..Edits::default() };
        return Asked::Bytes(tree(&splice(&body, &scan, &edits)));
    }
    let call = translate::read_call(pair.client, &body).unwrap_or_else(|rejection| panic!("{}", rejection.message));
    match translate::write_call(profile, &call, MODEL, DEFAULT_MAX_TOKENS, include_usage) {
        Ok(body) => Asked::Translated(tree(&body)),
        Err(Refusal::Capability(need)) => Asked::Refused(need.to_owned()),
        Err(refusal) => Asked::Refused(refusal.code().to_owned()),
    }
}

/// A whole answer.
fn whole(pair: &Pair, asked: &translate::Asked, answer: &Value) -> String {
    if pair.client == pair.vendor.dialect {
        return json(answer);
    }
    let unsaid = Unsaid { echo: asked.echo(), ..Unsaid::default() };
    let told = asked.retell(pair.vendor, pair.client, answer.to_string().as_bytes(), &unsaid);
    json(&tree(&told.expect("an answer")))
}

/// A streamed answer: text as a vendor sends it, or pairs of a frame's type and its data.
fn streamed(pair: &Pair, asked: &translate::Asked, answer: &Value) -> String {
    let mut out = BytesMut::new();
    let unsaid = Unsaid { echo: asked.echo(), ..Unsaid::default() };
    let mut translator = StreamTranslator::new(pair.vendor, pair.client, true).unsaid(unsaid);
    if let Some(text) = answer.as_str() {
        if pair.client == pair.vendor.dialect {
            return text.to_owned();
        }
        let mut splitter = Splitter::new();
        splitter.push(Bytes::copy_from_slice(text.as_bytes()));
        splitter.end();
        while let Some(event) = splitter.take().expect("short events") {
            translator.event(&event, &mut out).expect("an event");
        }
    }
    for frame in answer.as_array().into_iter().flatten() {
        let (name, data) = (frame[0].as_str().expect("a type"), frame[1].to_string().into_bytes());
        let event = Event { name: name.as_bytes(), data: Cow::Owned(data), raw: b"" };
        translator.event(&event, &mut out).expect("an event");
    }
    translator.end(&mut out);
    String::from_utf8(out.to_vec()).expect("text")
}

/// An error of the vendor, and what a client is told when nobody else can serve.
fn failed(pair: &Pair, answer: &Value) -> String {
    let body = Bytes::from(answer.to_string());
    let failure = signals::classify(pair.vendor, 429, &HeaderMap::new(), &body, 0);
    assert_eq!(failure.kind, FailureKind::RateLimited, "{}", pair.name());
    let rejection = Rejection::new(RejectionCode::RateLimited, "Every deployment of this model is throttled.");
    json(&tree(&error::body(pair.client, &rejection, "req_1")))
}

fn tree(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}
