//! What is read of recorded traffic as it passes: the shipped selection, and the whole collection where it lies beside the
//! clone (`../shared/vendor-traffic`, or the folder that `BACKSTAY_TRAFFIC` names).

use backstay::dialect::profile::{ANTHROPIC, GEMINI, OPENAI, OPENAI_RESPONSES, Profile};
use backstay::dialect::scan::scan;
use backstay::dialect::seen::{Mark, StreamSeen, reply};
use backstay::dialect::sse::Splitter;
use backstay::dialect::{Dialect, json};
use bytes::Bytes;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Vendors whose recordings are in one of our dialects.
const VENDORS: [&str; 16] = [
    "openai",
    "anthropic",
    "azure",
    "groq",
    "openrouter",
    "xai",
    "mistral",
    "zai",
    "deepseek",
    "together",
    "cerebras",
    "perplexity",
    "ollama",
    "huggingface",
    "vertex",
    "gemini",
];

/// One recorded exchange.
struct Record {
    vendor: &'static str,
    profile: &'static Profile,
    id: String,
    request: Bytes,
    status: u16,
    body: Bytes,
}

impl Record {
    fn is_stream(&self) -> bool {
        self.body.starts_with(b"event:") || self.body.starts_with(b"data:") || self.body.starts_with(b":")
    }

    fn start(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

/// Where recordings may lie; the collection holds the shipped ones too.
fn folders() -> [PathBuf; 2] {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let collection = crate_folder.join("../shared/vendor-traffic");
    [std::env::var_os("BACKSTAY_TRAFFIC").map_or(collection, PathBuf::from), crate_folder.join("tests/recordings")]
}

fn records(vendor: &'static str) -> Vec<Record> {
    let read = |folder: PathBuf| std::fs::read_to_string(folder.join(vendor).with_extension("jsonl")).ok();
    let Some(text) = folders().into_iter().find_map(read) else { return Vec::new() };
    text.lines()
        .filter_map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let profile = match record["dialect"].as_str().unwrap() {
                "openai_chat" => &OPENAI,
                "openai_responses" => &OPENAI_RESPONSES,
                "anthropic_messages" => &ANTHROPIC,
                "gemini_generate" => &GEMINI,
                _ => return None,
            };
            let body = record["response"]["body_text"].as_str().unwrap_or_default();
            // Google's stream as one array, which we never ask for
            if body.starts_with('[') && record["response"]["status"] == 200 {
                return None;
            }
            Some(Record {
                vendor,
                profile,
                id: record["id"].as_str().unwrap().to_owned(),
                request: record["request"]["body"].to_string().into(),
                status: record["response"]["status"].as_u64().unwrap() as u16,
                body: Bytes::copy_from_slice(body.as_bytes()),
            })
        })
        .collect()
}

/// Runs a check over every record, and shows all that went wrong at once. The check returns what went wrong.
fn check(wanted: impl Fn(&Record) -> bool, known: &[&str], verdict: impl Fn(&Record) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for vendor in VENDORS {
        for record in records(vendor).iter().filter(|record| wanted(record) && !known.contains(&record.id.as_str())) {
            if let Err(what) = verdict(record) {
                wrong.push(format!("{vendor} {} {} {what}: {}", record.id, record.status, record.start()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn requests_need_nothing_that_their_vendor_cannot_do() {
    check(
        |record| record.status == 200 && matches!(record.vendor, "openai" | "anthropic"),
        // a prompt that lies with the vendor names the model
        &["1df89a22dc5be402"],
        |record| {
            let scan = scan(record.profile.dialect, &record.request).map_err(|error| error.message)?;
            match scan.needs.unmet(record.profile.capabilities) {
                None => Ok(()),
                Some(need) => Err(format!("needs {}", need.name())),
            }
        },
    );
}

#[test]
fn whole_answers_are_accepted() {
    // two blanks that were asked for and one that was not, which nobody but the client can tell from emptiness; two errors
    // inside a 200; three that are only queued; a function call that the model bungled
    let known = [
        "36e2f232a0871412",
        "da52955f02b5e4ac",
        "318b00b3db21d983",
        "eb1af3229bd55058",
        "ea259475aa80a036",
        "450080722c5a8178",
        "6cc8aa4b35400d96",
        "49fd744118cae9ba",
        "3640634c5e4a06fe",
    ];
    check(
        |record| record.status == 200 && !record.is_stream(),
        &known,
        |record| {
            let seen = reply(record.profile, &record.body)
                .map_err(|failure| format!("{:?} {}", failure.kind, failure.reason))?;
            let told = seen.usage.ok_or("no usage")?;
            let tree: Value = serde_json::from_slice(&record.body).unwrap();
            let count = |name: &str| tree["usage"][name].as_u64().unwrap_or_default();
            let (input, output) = match record.profile.dialect {
                Dialect::OpenaiChat => (count("prompt_tokens"), count("completion_tokens")),
                Dialect::OpenaiResponses => (count("input_tokens"), count("output_tokens")),
                Dialect::Gemini => {
                    let count = |name: &str| tree["usageMetadata"][name].as_u64().unwrap_or_default();
                    (
                        count("promptTokenCount") + count("toolUsePromptTokenCount"),
                        count("candidatesTokenCount") + count("thoughtsTokenCount"),
                    )
                }
                _ => (
                    count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens"),
                    count("output_tokens"),
                ),
            };
            let beside = record.vendor == "xai" && record.profile.dialect == Dialect::OpenaiChat;
            let output = if beside { output + told.reasoning } else { output };
            if (told.input(), told.output) == (input, output) { Ok(()) } else { Err(format!("usage read as {told:?}")) }
        },
    );
}

/// The marks of a stream in a row, and how it ended.
fn watch(record: &Record, chunk_bytes: usize) -> (Vec<&'static str>, Bytes, StreamSeen) {
    let mut splitter = Splitter::new();
    let mut seen = StreamSeen::new(record.profile);
    let (mut marks, mut forwarded) = (Vec::new(), Vec::new());
    let chunks = record.body.chunks(chunk_bytes).map(Some).chain([None]);
    for chunk in chunks {
        match chunk {
            Some(chunk) => splitter.push(record.body.slice_ref(chunk)),
            None => splitter.end(),
        }
        while let Some(event) = splitter.take().unwrap() {
            marks.push(match seen.event(&event) {
                Mark::Quiet => "quiet",
                Mark::Content => "content",
                Mark::Usage => "usage",
                Mark::End => "end",
                Mark::Garbage => "garbage",
                Mark::Fault(failure) => failure.kind.class(),
            });
            splitter.forward();
        }
        forwarded.extend(std::iter::from_fn(|| splitter.forwarded()).flatten());
    }
    (marks, forwarded.into(), seen)
}

#[test]
fn streams_are_watched_alike_however_they_are_cut() {
    // a role and a terminator, nothing else
    let known = ["bbd12febc7a43c78", "bc70a4318327ec98"];
    check(
        |record| record.status == 200 && record.is_stream(),
        &known,
        |record| {
            let (marks, forwarded, seen) = watch(record, record.body.len());
            if !forwarded.starts_with(&record.body) {
                return Err("was not forwarded as it came".into());
            }
            if marks.contains(&"garbage") {
                return Err("has garbage".into());
            }
            for chunk_bytes in [1, 7, 61, 1400] {
                let cut = watch(record, chunk_bytes);
                if (&cut.0, cut.2.usage(), cut.2.finish_reason()) != (&marks, seen.usage(), seen.finish_reason()) {
                    return Err(format!("differs when cut every {chunk_bytes} bytes"));
                }
            }
            let faulty = marks.iter().any(|mark| !matches!(*mark, "quiet" | "content" | "usage" | "end"));
            match (faulty, seen.finish()) {
                (true, _) | (false, Ok(())) => Ok(()),
                (false, Err(failure)) => Err(format!("{:?} {}", failure.kind, failure.reason)),
            }
        },
    );
}

#[test]
fn every_recorded_text_passes_the_syntax_check() {
    check(
        |record| record.body.starts_with(b"{"),
        &[],
        |record| json::syntax::check(&record.body, &mut ()).map_err(|error| format!("{error:?}")),
    );
}
