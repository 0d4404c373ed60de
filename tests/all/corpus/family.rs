//! Vendors that speak OpenAI's chat dialect in their own ways: what they really took and answered.

use super::{events, fold, grammar, retell, shared};
use backstay::call::Call;
use backstay::call::needs::Needs;
use backstay::call::reply::Reply;
use backstay::call::turn::Content;
use backstay::catalog::Catalog;
use backstay::dialect::profile::{ANTHROPIC, OPENAI, Profile, compatible, find};
use backstay::dialect::seen::StreamSeen;
use backstay::dialect::{Dialect, translate};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// One exchange that a vendor answered with 200.
struct Recording {
    id: String,
    profile: Profile,
    stream: bool,
    request: Bytes,
    response: Bytes,
}

/// How the vendor of a recording speaks. Those that are not listed in the config's words are gateways and servers that
/// keep to what compatible ones have in common.
fn profile(vendor: &str) -> Profile {
    match vendor {
        "azure" | "mirascope_router" => OPENAI,
        "ollama_cloud" => compatible::OLLAMA,
        // it finishes with an empty reason (recording `c9cd3b6297db3bd0`)
        "snowflake" => Profile { terminator_is_final: true, ..compatible::GENERIC },
        "crusoe" => compatible::VLLM,
        "vercel_gateway" => compatible::OPENROUTER,
        name => find("openai", Some(name)).first().copied().unwrap_or(compatible::GENERIC),
    }
}

fn answered() -> impl Iterator<Item = Recording> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside =
        std::env::var_os("BACKSTAY_RECORDINGS").map_or_else(|| here.join("../shared/vendor-traffic"), PathBuf::from);
    let folders = [here.join("tests/recordings"), beside].into_iter().filter(|folder| folder.is_dir());
    let files = folders.flat_map(|folder| {
        let listed = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files = listed.map(|entry| entry.expect("a file").path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")).collect::<Vec<_>>()
    });
    files.flat_map(|file| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.lines().filter_map(recording).collect::<Vec<_>>()
    })
}

fn recording(line: &str) -> Option<Recording> {
    if !line.contains(r#""openai_chat""#) || line.contains(r#""vendor":"openai""#) {
        return None;
    }
    let exchange: serde_json::Value = serde_json::from_str(line).expect("recordings are JSON");
    let vendor = exchange["vendor"].as_str()?;
    if exchange["dialect"] != "openai_chat" || vendor == "openai" || exchange["response"]["status"] != 200 {
        return None;
    }
    Some(Recording {
        id: format!("{vendor} {}", exchange["id"].as_str()?),
        profile: profile(vendor),
        stream: exchange["stream"].as_bool()?,
        request: exchange["request"]["body"].to_string().into(),
        response: exchange["response"]["body_text"].as_str()?.to_owned().into(),
    })
}

/// The answers, with whoever gave them.
pub(super) fn answers(stream: bool) -> impl Iterator<Item = (String, Profile, Bytes)> {
    answered()
        .filter(move |recording| recording.stream == stream)
        .map(|Recording { id, profile, response, .. }| (id, profile, response))
}

/// The call of a recording; `None` for one that names no call beside a tool's result, which only z.ai takes (recording
/// `c76f242f4108377f`).
fn read_call(recording: &Recording) -> Option<Call> {
    match translate::read_call(Dialect::OpenaiChat, &recording.request) {
        Err(rejection) if rejection.message.contains("tool_call_id: missing") => None,
        call => Some(call.unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message))),
    }
}

#[test]
fn what_a_vendor_took_is_written_to_it_as_it_was() {
    let mut found = Vec::new();
    for recording in answered() {
        let Some(mut call) = read_call(&recording) else { continue };
        match translate::write_call(&recording.profile, &call, &call.model, 4096, call.include_usage) {
            Err(refusal) => found.push(format!("{}: {refusal:?}", recording.id)),
            Ok(written) => {
                let again = translate::read_call(Dialect::OpenaiChat, &written)
                    .unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message));
                // it means nothing without tools, and some refuse it then
                call.parallel_tools = call.parallel_tools.filter(|_| !call.tools.is_empty());
                if again != call {
                    found.push(format!(
                        "{}: {}\nbecame {}",
                        recording.id,
                        String::from_utf8_lossy(&recording.request),
                        String::from_utf8_lossy(&written)
                    ));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_call_that_was_answered_is_refused_for_its_model() {
    let (mut listed, mut found) = (0, Vec::new());
    for recording in answered() {
        let Some(call) = read_call(&recording) else { continue };
        let known = recording.profile.known.catalog.and_then(|vendor| Catalog::built_in().find(vendor, &call.model));
        let Some(model) = known else { continue };
        listed += 1;
        let unmet = call.needs().unmet(Needs::all().minus(model.lacks));
        let strict = recording.profile.quirks.strict_max_tokens;
        let cap = call.max_tokens.filter(|_| strict).unwrap_or(0);
        if unmet.is_some() || model.output.is_some_and(|most| cap > most) {
            found.push(format!("{} {} {unmet:?} {cap}", recording.id, call.model));
        }
    }
    assert!(found.is_empty(), "of {listed}: {}", found.join("\n"));
}

/// A citation's address and title.
type Note = (Option<String>, Option<String>);

/// The answer with its citations as addresses and titles: what a vendor found beside its answer is told as notes on it.
fn noted(mut reply: Reply) -> (Reply, Vec<Note>) {
    let mut notes = Vec::new();
    for part in &mut reply.parts {
        if let Content::Text { citations, .. } = &mut part.content {
            notes.extend(citations.drain(..).map(|citation| (citation.url, citation.title)));
        }
    }
    (reply, notes)
}

#[test]
fn a_reply_of_the_family_survives_and_crosses() {
    for recording in answered().filter(|recording| !recording.stream) {
        let reply = match translate::read_reply(&recording.profile, &recording.response) {
            Err(failure) if matches!(&*failure.reason, "not_one_choice" | "error_inside_200") => continue,
            reply => reply.unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id)),
        };
        let written = translate::write_reply(Dialect::OpenaiChat, &reply);
        let again = translate::read_reply(&OPENAI, &written).expect(&recording.id);
        assert_eq!(noted(again), noted(reply.clone()), "{} {}", recording.profile.name, recording.id);
        let crossed = translate::write_reply(Dialect::Anthropic, &reply);
        let crossed = translate::read_reply(&ANTHROPIC, &crossed).expect(&recording.id);
        let (there, here) = (shared::reply(&crossed, Dialect::Anthropic), shared::reply(&reply, Dialect::Anthropic));
        assert_eq!(there, here, "{}", recording.id);
    }
}

/// How many bytes of one stream are read over and over: small streams are cut at every byte, large ones at fewer.
const CUT_BYTES: usize = 1 << 19;

#[test]
fn a_stream_of_the_family_adds_up_however_it_is_cut() {
    for recording in answered().filter(|recording| recording.stream) {
        let (profile, body) = (&recording.profile, &recording.response);
        let Ok(whole) = fold(profile, std::slice::from_ref(body)) else { continue };
        for size in [1, 7, 64, 1000] {
            let chunks: Vec<_> = body.chunks(size).map(|chunk| body.slice_ref(chunk)).collect();
            assert_eq!(fold(profile, &chunks).expect("read whole before"), whole, "{} by {size}", recording.id);
        }
        let step = (body.len() * body.len() / CUT_BYTES).max(1);
        for cut in (0..body.len()).step_by(step) {
            let halves = [body.slice(..cut), body.slice(cut..)];
            assert_eq!(fold(profile, &halves).expect("read whole before"), whole, "{} at {cut}", recording.id);
        }
    }
}

#[test]
fn a_stream_of_the_family_is_whole_and_crosses() {
    for recording in answered().filter(|recording| recording.stream) {
        let stream = std::slice::from_ref(&recording.response);
        let Ok(reply) = fold(&recording.profile, stream) else {
            assert!(recording.response.windows(7).any(|bytes| bytes == b"\"error\""), "{}", recording.id);
            continue;
        };
        let mut seen = StreamSeen::new(&recording.profile);
        events(stream, |event| {
            let _ = seen.event(event);
        });
        // what says nothing is no answer (recording `bbd12febc7a43c78`), nor what an error ends (`e4f3ed8ea16dc80b`)
        if reply.parts.is_empty() {
            continue;
        }
        assert!(
            seen.finish().is_ok() || recording.response.windows(7).any(|bytes| bytes == b"\"error\""),
            "{}",
            recording.id
        );
        assert_eq!(seen.usage(), reply.usage, "{}", recording.id);
        for client in [Dialect::OpenaiChat, Dialect::Anthropic] {
            let profile = if client == Dialect::OpenaiChat { OPENAI } else { ANTHROPIC };
            let retold = retell(&recording.profile, client, stream);
            grammar::check(client, &retold, &recording.id);
            let crossed = fold(&profile, &[retold]).unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id));
            assert_eq!(shared::reply(&crossed, client), shared::reply(&reply, client), "{}", recording.id);
        }
    }
}
