//! Recorded answers, given again by a simulated vendor over TLS and passed through the real proxy: byte for byte to a client
//! of their own dialect, by value to one of the other, however the vendor's bytes are cut.

use super::recordings::{Recording, shipped};
use super::{fold, one_reply, others, profile_of, shared};
use crate::support::client::Answer;
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{self, Cuts};
use backstay::dialect::{Dialect, translate};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Streams up to this size are given byte by byte too.
const SMALL_BYTES: usize = 12 << 10;

async fn proxy(vendor: Dialect) -> Proxy {
    // recorded requests name what their clients created; a whole recording in single bytes takes its time in a build without
    // optimisation
    Plan::of(&[("only", vendor)]).key("server_ids = [\"only/*\"]").patient().start().await
}

/// Has the vendor answer with the recording, and asks as `client`.
async fn ask(proxy: &Proxy, client: Dialect, recording: &Recording, cuts: Cuts) -> Answer {
    let kind = if recording.stream { "text/event-stream" } else { "application/json" };
    let replay = vendor::Recording {
        status: 200,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: recording.response.clone(),
        cuts,
    };
    proxy.vendors[0].change_script(|script| script.replay = Some(Arc::new(replay)));
    let path = match client {
        Dialect::OpenaiChat => "/v1/chat/completions",
        Dialect::OpenaiResponses => "/v1/responses",
        Dialect::Anthropic => "/v1/messages",
        Dialect::Gemini if recording.stream => "/v1beta/models/smart:streamGenerateContent?alt=sse",
        Dialect::Gemini => "/v1beta/models/smart:generateContent",
        other => panic!("{} holds no conversation", other.name()),
    };
    proxy.client().post(path, &request(client, recording)).await
}

/// The recorded request in its own dialect, a simple one in the other.
fn request(client: Dialect, recording: &Recording) -> Value {
    let mut body = if client == recording.dialect {
        serde_json::from_slice(&recording.request).expect("recorded requests are JSON")
    } else {
        let usage = (client == Dialect::OpenaiChat && recording.stream).then(|| json!({ "include_usage": true }));
        let question = json!([{ "role": "user", "content": "Hello" }]);
        let mut body = match client {
            Dialect::Gemini => return json!({ "contents": [{ "parts": [{ "text": "Hello" }] }] }),
            Dialect::OpenaiResponses => json!({ "input": question, "store": false }),
            _ => json!({ "max_tokens": 99, "messages": question }),
        };
        if let Some(usage) = usage {
            body["stream_options"] = usage;
        }
        body["stream"] = recording.stream.into();
        body
    };
    if client != Dialect::Gemini {
        body["model"] = "smart".into();
    }
    body
}

fn cuts(recording: &Recording) -> Vec<Cuts> {
    let mut cuts = vec![Cuts::Whole];
    if recording.stream {
        cuts.push(Cuts::Lengths(vec![97; recording.response.len() / 97]));
        if recording.response.len() < SMALL_BYTES {
            cuts.push(Cuts::EveryByte);
        }
    }
    cuts
}

/// Whether the vendor reports an error in the stream: that is a failure, and not for the client.
fn is_error(recording: &Recording) -> bool {
    memchr::memmem::find(&recording.response, b"event: error").is_some()
}

/// The recording; without the usage chunk where the recorded client had not asked for it, for then the proxy has.
fn expected(recording: &Recording) -> Vec<u8> {
    let request: Value = serde_json::from_slice(&recording.request).expect("recorded requests are JSON");
    let asked = request["stream_options"]["include_usage"] == true;
    if recording.dialect != Dialect::OpenaiChat || !recording.stream || asked {
        return recording.response.to_vec();
    }
    let text = std::str::from_utf8(&recording.response).expect("recorded streams are UTF-8");
    let extra = |event: &&str| event.contains("\"choices\":[]") && event.contains("\"usage\":{");
    text.split_inclusive("\n\n").filter(|event| !extra(event)).collect::<String>().into_bytes()
}

#[tokio::test]
async fn a_recorded_answer_passes_byte_for_byte_in_its_own_dialect() {
    for dialect in Dialect::CONVERSING {
        let proxy = proxy(dialect).await;
        let mut passed = 0;
        for recording in shipped().filter(|recording| recording.dialect == dialect && !is_error(recording)) {
            for cuts in cuts(&recording) {
                let answer = ask(&proxy, dialect, &recording, cuts.clone()).await;
                let place = format!("{} {cuts:?}", recording.id);
                assert_eq!((answer.status, answer.clean), (200, true), "{place}: {}", answer.text());
                assert!(answer.body == expected(&recording), "{place}:\n{}", answer.text());
            }
            passed += 1;
        }
        assert!(passed > 40, "{passed} recordings of {}", dialect.name());
    }
}

#[tokio::test]
async fn a_recorded_answer_reaches_other_dialects_by_value() {
    for vendor in Dialect::CONVERSING {
        let proxy = proxy(vendor).await;
        let mut passed = 0;
        for recording in shipped().filter(|recording| recording.dialect == vendor) {
            let told = if recording.stream {
                fold(profile_of(vendor), std::slice::from_ref(&recording.response)).ok()
            } else {
                one_reply(&recording)
            };
            // several choices, or an error inside the stream: neither is translated
            let Some(mut told) = told else { continue };
            // who does not say which model answered is taken to have asked the right one
            if told.model.is_empty() {
                told.model = "model-of-only".to_owned();
            }
            for client in others(vendor) {
                let answer = ask(&proxy, client, &recording, Cuts::Whole).await;
                assert_eq!((answer.status, answer.clean), (200, true), "{}: {}", recording.id, answer.text());
                let heard = if recording.stream {
                    fold(profile_of(client), &[Bytes::from(answer.body)])
                } else {
                    translate::read_reply(profile_of(client), &answer.body)
                };
                let heard = heard.unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id));
                assert_eq!(shared::reply(&heard, client), shared::reply(&told, client), "{}", recording.id);
            }
            passed += 1;
        }
        assert!(passed > 40, "{passed} recordings of {}", vendor.name());
    }
}
