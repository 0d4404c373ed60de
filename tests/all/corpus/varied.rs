//! Recorded traffic, said in other ways that mean the same: what no recording here shows and another vendor, or the same one
//! next year, may send. Each way is a row; whatever is read of a recording must be read of it in every way.

use super::recordings::{Recording, answered};
use super::{family, fold, profile_of, shared};
use backstay::call::Call;
use backstay::call::reply::Reply;
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::profile::{ANTHROPIC, GEMINI, OPENAI, OPENAI_RESPONSES, Profile};
use backstay::dialect::scan::scan;
use backstay::dialect::seen::{self, StreamSeen};
use backstay::dialect::sse::Splitter;
use backstay::dialect::{Dialect, translate};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Larger ones are said in the same ways and take longer.
const LARGEST: usize = 24 << 10;

/// What lies below is the client's or the model's own, and not the dialect's.
const OPAQUE: [&str; 9] =
    ["input", "args", "arguments", "parameters", "schema", "input_schema", "response", "metadata", "logit_bias"];

/// One other way to say JSON.
struct Way {
    name: &'static str,
    say: fn(&Value, Dialect) -> String,
}

const WAYS: [Way; 8] = [
    Way {
        name: "as it is, in other white space",
        say: |body, _| serde_json::to_string_pretty(body).expect("a tree prints"),
    },
    Way { name: "with every letter of its texts escaped", say: |body, _| escaped(body) },
    Way { name: "with its members in the other order", say: |body, _| changed(body, &reordered).to_string() },
    Way { name: "with members of a later version", say: |body, _| changed(body, &widened).to_string() },
    Way { name: "with null for what is absent", say: |body, dialect| nulled(body, dialect, "").to_string() },
    Way { name: "without what is null", say: |body, _| changed(body, &without_nulls).to_string() },
    Way { name: "with whole numbers as fractions", say: |body, _| changed(body, &fractions).to_string() },
    Way { name: "with other ids", say: |body, _| changed(body, &renamed).to_string() },
];

/// The value with every object of the dialect's own changed, the innermost first.
fn changed(value: &Value, change: &dyn Fn(Map<String, Value>) -> Map<String, Value>) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(|element| changed(element, change)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let is_opaque = OPAQUE.contains(&name.as_str());
                (name.clone(), if is_opaque { value.clone() } else { changed(value, change) })
            });
            Value::Object(change(members.collect()))
        }
        other => other.clone(),
    }
}

fn reordered(members: Map<String, Value>) -> Map<String, Value> {
    members.into_iter().rev().collect()
}

fn widened(members: Map<String, Value>) -> Map<String, Value> {
    let later = json!({"x_trace": {"id": "a", "type": "text", "text": "b"}, "x_list": [[], {}, "\u{1f980}", -1.5e-7]});
    let Value::Object(later) = later else { return members };
    let mut wider = Map::new();
    for (place, (name, value)) in members.into_iter().enumerate() {
        if place == 1 {
            wider.extend(later.clone());
        }
        wider.insert(name, value);
    }
    wider
}

fn without_nulls(members: Map<String, Value>) -> Map<String, Value> {
    members.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// Token counts and times as some servers write them.
fn fractions(members: Map<String, Value>) -> Map<String, Value> {
    let fraction = |name: &str, value: Value| match value.as_u64() {
        Some(number) if name.to_lowercase().contains("token") || name.starts_with("created") => json!(number as f64),
        _ => value,
    };
    members.into_iter().map(|(name, value)| (name.clone(), fraction(&name, value))).collect()
}

/// Ids of answers in a form that nobody uses yet.
fn renamed(members: Map<String, Value>) -> Map<String, Value> {
    let is_id = |name: &str| matches!(name, "id" | "responseId");
    let rename = |name: &str, value: Value| match value.as_str() {
        Some(id) if is_id(name) && !id.is_empty() => json!(other_id(id)),
        _ => value,
    };
    members.into_iter().map(|(name, value)| (name.clone(), rename(&name, value))).collect()
}

fn other_id(id: &str) -> String {
    format!("urn:é/{id}?b=\"1\"")
}

fn escaped(value: &Value) -> String {
    let text = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::String(said) => text(said),
        Value::Array(elements) => format!("[{}]", elements.iter().map(escaped).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), escaped(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// The members that each kind of object has in some recording of a dialect, by its place and its type.
static MEMBERS: LazyLock<BTreeMap<(Dialect_, String), BTreeSet<String>>> = LazyLock::new(|| {
    let mut members = BTreeMap::new();
    for recording in answered().filter(|recording| !recording.stream) {
        if let Ok(body) = serde_json::from_slice(&recording.response) {
            note_members(&body, recording.dialect.name(), String::new(), &mut members);
        }
    }
    members
});

/// A dialect's name, which has an order.
type Dialect_ = &'static str;

fn note_members(
    value: &Value,
    dialect: Dialect_,
    place: String,
    members: &mut BTreeMap<(Dialect_, String), BTreeSet<String>>,
) {
    match value {
        Value::Array(elements) => {
            elements.iter().for_each(|element| note_members(element, dialect, place.clone(), members))
        }
        Value::Object(object) => {
            let kind = kinded(&place, object);
            let names = object.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone());
            members.entry((dialect, kind)).or_default().extend(names);
            for (name, value) in object.iter().filter(|(name, _)| !OPAQUE.contains(&name.as_str())) {
                note_members(value, dialect, format!("{place}.{name}"), members);
            }
        }
        _ => {}
    }
}

fn kinded(place: &str, object: &Map<String, Value>) -> String {
    format!("{place} {}", object.get("type").and_then(Value::as_str).unwrap_or_default())
}

/// Members that are null in some answer of the dialect, as null where they are absent.
fn nulled(value: &Value, dialect: Dialect, place: &str) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(|element| nulled(element, dialect, place)).collect(),
        Value::Object(object) => {
            let mut told: Map<String, Value> = object
                .iter()
                .map(|(name, value)| {
                    let is_opaque = OPAQUE.contains(&name.as_str());
                    let inner = || nulled(value, dialect, &format!("{place}.{name}"));
                    (name.clone(), if is_opaque { value.clone() } else { inner() })
                })
                .collect();
            for name in MEMBERS.get(&(dialect.name(), kinded(place, object))).into_iter().flatten() {
                told.entry(name.clone()).or_insert(Value::Null);
            }
            Value::Object(told)
        }
        other => other.clone(),
    }
}

/// What matters of an answer, whatever its id.
fn told(reply: &Reply, dialect: Dialect) -> String {
    // the same, but for ids that are told to its clients in another form
    let dialect = if dialect == Dialect::Anthropic { Dialect::Bedrock } else { dialect };
    format!("{:?} {:?}", shared::reply(&Reply { id: String::new(), ..reply.clone() }, dialect), reply.finish)
}

/// The same as `told`, with ids as they were before they were renamed.
fn unnamed(told: &str) -> String {
    let told = told.replace("?b=\\\"1\\\"", "").replace("urn:é/", "");
    told.replace("?b=\\\\\\\"1\\\\\\\"", "")
}

/// Every recorded answer of a size, with whoever gave it.
fn answers(stream: bool) -> impl Iterator<Item = (String, Profile, Bytes)> {
    let own = answered().filter(move |recording| recording.stream == stream);
    let own = own.map(|Recording { id, dialect, response, .. }| (id, *profile_of(dialect), response));
    own.chain(family::answers(stream)).filter(|(_, _, response)| response.len() < LARGEST)
}

#[test]
fn an_answer_means_the_same_however_it_is_said() {
    let mut found: Vec<(String, String)> = Vec::new();
    for (id, profile, response) in answers(false) {
        let Ok(reply) = translate::read_reply(&profile, &response) else { continue };
        let body: Value = serde_json::from_slice(&response).expect("it was read");
        let (expected, usage) = (told(&reply, profile.dialect), reply.usage);
        for way in &WAYS {
            let said = (way.say)(&body, profile.dialect);
            let place = format!("{} {}", profile.name, way.name);
            match translate::read_reply(&profile, said.as_bytes()) {
                Ok(again) if unnamed(&told(&again, profile.dialect)) == expected && again.usage == usage => {}
                Ok(again) => found
                    .push((place.clone(), format!("{id}: {}\n instead of {expected}", told(&again, profile.dialect)))),
                Err(failure) => {
                    found.push((place.clone(), format!("{id}: {} {}", failure.kind.class(), failure.reason)))
                }
            }
            match seen::reply(&profile, said.as_bytes()) {
                Ok(seen) if seen.usage == seen::reply(&profile, &response).ok().and_then(|seen| seen.usage) => {}
                Ok(seen) => found.push((place.clone(), format!("{id}: seen with {:?}", seen.usage))),
                Err(failure) if seen::reply(&profile, &response).is_ok() => {
                    found.push((place.clone(), format!("{id}: seen as {} {}", failure.kind.class(), failure.reason)));
                }
                Err(_) => {}
            }
        }
    }
    report(found);
}

/// One other way to send server-sent events: what becomes of each event's lines.
struct Framing {
    name: &'static str,
    frame: fn(&[String], Dialect) -> String,
}

const FRAMINGS: [Framing; 9] = [
    Framing { name: "with CRLF", frame: |lines, _| lines.join("\r\n") + "\r\n\r\n" },
    Framing { name: "with CR", frame: |lines, _| lines.join("\r") + "\r\r" },
    Framing {
        name: "with comments between and within",
        frame: |lines, _| format!(": keep-alive\n\n:\n{}\n: more\n\n", lines.join("\n")),
    },
    Framing {
        name: "with padding",
        frame: |lines, _| lines.iter().map(|line| format!("{line}  \n")).collect::<String>() + "\n",
    },
    Framing {
        name: "without blanks after colons",
        frame: |lines, _| lines.join("\n").replace("data: ", "data:").replace("event: ", "event:") + "\n\n",
    },
    Framing {
        name: "with the data before the event's name",
        frame: |lines, _| lines.iter().rev().cloned().collect::<Vec<_>>().join("\n") + "\n\n",
    },
    Framing { name: "with ids and waits", frame: |lines, _| format!("id: 7\nretry: 3000\n{}\n\n", lines.join("\n")) },
    Framing { name: "with blank lines between", frame: |lines, _| format!("\n\n{}\n\n\n", lines.join("\n")) },
    Framing {
        name: "with events of a later version",
        frame: |lines, dialect| format!("{}\n\n{}", lines.join("\n"), later(dialect)),
    },
];

/// An event that the dialect does not know, and says to pass over; none where every event is an answer.
const fn later(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "event: heartbeat\ndata: {\"type\":\"heartbeat\",\"at\":1}\n\n",
        Dialect::OpenaiResponses => {
            "event: response.weather\ndata: {\"type\":\"response.weather\",\"sequence_number\":1}\n\n"
        }
        _ => "",
    }
}

/// The lines of each event; `None` where some line is not one that we would write.
fn events(body: &Bytes) -> Option<Vec<Vec<String>>> {
    let text = std::str::from_utf8(body).ok()?.replace("\r\n", "\n");
    let events =
        text.split("\n\n").map(|event| event.lines().filter(|line| !line.is_empty() && !line.starts_with(':')));
    let events: Vec<Vec<String>> = events.map(|lines| lines.map(str::to_owned).collect()).collect();
    let known = |line: &String| line.starts_with("data: ") || line.starts_with("event: ");
    let events: Vec<_> = events.into_iter().filter(|lines| !lines.is_empty()).collect();
    let plain = |lines: &Vec<String>| {
        lines.iter().all(known) && lines.iter().filter(|line| line.starts_with("data: ")).count() == 1
    };
    events.iter().all(plain).then_some(events)
}

/// What is made of a stream: what a client is told, and what the proxy saw while it passed.
fn read(profile: &Profile, stream: &str) -> Result<(String, String), String> {
    let body = Bytes::from(stream.to_owned());
    let reply = fold(profile, std::slice::from_ref(&body))
        .map_err(|failure| format!("{} {}", failure.kind.class(), failure.reason))?;
    let (mut splitter, mut seen) = (Splitter::new(), StreamSeen::new(profile));
    splitter.push(body);
    splitter.end();
    while let Some(event) = splitter.take().map_err(|_| "too_long".to_owned())? {
        seen.event(&event);
    }
    let ended = seen.finish().map_err(|failure| failure.reason.to_string());
    Ok((unnamed(&told(&reply, profile.dialect)), format!("{ended:?} {:?} {:?}", seen.usage(), reply.usage)))
}

#[test]
fn a_stream_means_the_same_however_it_is_sent() {
    let mut found: Vec<(String, String)> = Vec::new();
    for (id, profile, response) in answers(true) {
        let Some(events) = events(&response) else { continue };
        let whole = std::str::from_utf8(&response).expect("text");
        let Ok(expected) = read(&profile, whole) else { continue };
        let mut check = |name: &str, stream: String| {
            let again = read(&profile, &stream);
            if again.as_ref() != Ok(&expected) {
                found.push((format!("{} {name}", profile.name), format!("{id}: {again:?}\n instead of {expected:?}")));
            }
        };
        for framing in &FRAMINGS {
            check(framing.name, events.iter().map(|lines| (framing.frame)(lines, profile.dialect)).collect());
        }
        check("with a byte order mark", format!("\u{feff}{whole}"));
        for way in &WAYS {
            // events name places within the answer by its parts' ids
            if way.name == "with null for what is absent" {
                continue;
            }
            let said = events
                .iter()
                .map(|lines| lines.iter().map(|line| reworded(line, way, profile.dialect)).collect::<String>() + "\n");
            check(way.name, said.collect());
        }
    }
    report(found);
}

/// The data of an event in another way; on one line, as events are.
fn reworded(line: &str, way: &Way, dialect: Dialect) -> String {
    let data = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
    let Some(data) = data else { return format!("{line}\n") };
    let said = (way.say)(&data, dialect);
    said.lines().map(|line| format!("data: {line}\n")).collect()
}

/// Fails with the first of each kind of difference, and how many there are.
fn report(found: Vec<(String, String)>) {
    let mut kinds = BTreeMap::<String, (usize, String)>::new();
    for (kind, what) in found {
        kinds.entry(kind).or_insert((0, what)).0 += 1;
    }
    let told = kinds.iter().map(|(kind, (count, first))| format!("{kind}: {count}, first {first}"));
    assert!(kinds.is_empty(), "{}", told.collect::<Vec<_>>().join("\n"));
}

/// Other ways to write a call; what is null or unknown may mean something there.
const CALL_WAYS: [&str; 3] =
    ["as it is, in other white space", "with every letter of its texts escaped", "with its members in the other order"];

#[test]
fn a_call_means_the_same_however_it_is_written() {
    let mut found: Vec<(String, String)> = Vec::new();
    for recording in answered().filter(|recording| recording.request.len() < LARGEST) {
        let Recording { id, dialect, request, .. } = recording;
        let body: Value = serde_json::from_slice(&request).expect("recorded requests are JSON");
        // what is demanded must be seen alike by the reader that takes nothing apart and by the other
        let read = |body: &[u8]| {
            let scan = scan(dialect, body).map_err(|error| error.message)?;
            let call = translate::read_call(dialect, body).map_err(|rejection| rejection.message)?;
            let asked = ASKED.map(|profile| written(profile, &call));
            Ok::<_, String>((scan.needs, scan.stream, scan.model, scan.translated, call.needs(), asked))
        };
        let expected = read(&request);
        for way in WAYS.iter().filter(|way| CALL_WAYS.contains(&way.name)) {
            let again = read((way.say)(&body, dialect).as_bytes());
            if again != expected {
                let what = format!("{id}: {again:?}\n instead of {expected:?}");
                found.push((format!("{} {}", dialect.name(), way.name), what));
            }
        }
    }
    report(found);
}

/// A vendor of each dialect.
const ASKED: [&Profile; 5] = [&OPENAI, &OPENAI_RESPONSES, &ANTHROPIC, &BEDROCK, &GEMINI];

/// What a vendor is asked for a call, or why it is not.
fn written(profile: &Profile, call: &Call) -> Value {
    match translate::write_call(profile, call, "model", 4096, true) {
        Ok(body) => unfolded(&serde_json::from_slice(&body).expect("what is written is JSON")),
        Err(refusal) => json!(refusal.code()),
    }
}

/// The value, with JSON that a text holds in the text's place: arguments and results are carried as they were written.
fn unfolded(value: &Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        Value::Array(elements) => elements.iter().map(unfolded).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), unfolded(value))).collect(),
        other => other.clone(),
    }
}
