//! Bedrock's Converse over recorded traffic. Its streams are binary, its models stand in the path, and no client speaks
//! it, so that it is read here and not with the others.

use super::recordings::{self, Binary};
use super::{grammar, profile_of, shared};
use backstay::base::failure::{Failure, FailureKind, Phase};
use backstay::call::Call;
use backstay::call::delta::Fold;
use backstay::call::reply::Reply;
use backstay::call::tool::{Tool, ToolChoice};
use backstay::dialect::eventstream::Splitter;
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::seen::{self, Mark, StreamSeen};
use backstay::dialect::translate::{self, StreamReader, StreamTranslator, Unsaid};
use backstay::dialect::{Dialect, signals};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

fn answered() -> impl Iterator<Item = Binary> {
    recordings::bedrock().filter(|recording| recording.status == 200)
}

fn call(recording: &Binary) -> Call {
    translate::read_call(Dialect::Bedrock, recording.request.to_string().as_bytes())
        .unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message))
}

fn fold(chunks: &[&[u8]]) -> Result<Reply, Failure> {
    let (mut reader, mut fold, mut splitter) = (StreamReader::new(&BEDROCK), Fold::default(), Splitter::new());
    for chunk in chunks {
        splitter.push(chunk);
        while let Some(event) = splitter.take().expect("recorded frames are whole") {
            reader.event(&event, |delta| fold.add(&delta))?;
        }
    }
    Ok(fold.into_reply())
}

/// Objects without what is null, and without empty lists of stop texts: what is not said and what is said to be nothing
/// are the same.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let said = |(name, value): &(&String, &Value)| {
                !(value.is_null() || *name == "stopSequences" && **value == json!([]))
            };
            object.iter().filter(said).map(|(name, value)| (name.clone(), tidy(value))).collect()
        }
        Value::Array(values) => values.iter().map(tidy).collect(),
        Value::Number(number) => number.as_f64().map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

#[test]
fn a_call_is_written_again_as_it_came() {
    let mut read = 0;
    for recording in answered() {
        let call = call(&recording);
        let written = translate::write_call(&BEDROCK, &call, &recording.model, 4096, true)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", recording.id));
        let again = translate::read_call(Dialect::Bedrock, &written).expect("we write what we read");
        assert_eq!(again, call, "{}", recording.id);
        let written: Value = serde_json::from_slice(&written).expect("JSON");
        let mut expected = tidy(&recording.request);
        // what says nothing is not written
        expected.as_object_mut().expect("an object").retain(|_, value| ![json!([]), json!({})].contains(value));
        assert_eq!(tidy(&written), expected, "{}", recording.id);
        read += 1;
    }
    assert!(read > 20, "{read}");
}

#[test]
fn a_call_of_another_dialect_is_written_for_claude_and_means_the_same() {
    let (mut crossed, mut refused) = (0, std::collections::BTreeMap::<&str, usize>::new());
    for recording in recordings::shipped().filter(|recording| recording.dialect != Dialect::Bedrock) {
        let mut call = super::read_call(&recording);
        for tool in &mut call.tools {
            // not to be strict, and not to say what it does, is what a tool is without the word
            if let Tool::Function(function) = tool {
                function.description = function.description.take().filter(|text| !text.is_empty());
                function.strict = function.strict.filter(|strict| *strict);
            }
        }
        let model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
        match translate::write_call(&BEDROCK, &call, model, 4096, true) {
            Ok(written) => {
                let mut again = translate::read_call(Dialect::Bedrock, &written).expect("we write what we read");
                (again.model, again.stream) = (call.model.clone(), call.stream);
                (again.max_tokens, again.parallel_tools) = (call.max_tokens, call.parallel_tools);
                if call.tool_choice == ToolChoice::None {
                    // to offer no tools is the word for it
                    (again.tools, again.tool_choice) = (call.tools.clone(), call.tool_choice.clone());
                }
                assert_eq!(
                    shared::call(&again, Dialect::Bedrock),
                    shared::call(&call, Dialect::Bedrock),
                    "{}",
                    recording.id
                );
                crossed += 1;
            }
            Err(backstay::base::rejection::Refusal::Capability(reason)) => *refused.entry(reason).or_default() += 1,
            Err(other) => panic!("{}: {other:?}", recording.id),
        }
    }
    assert!(crossed > 80, "{crossed} {refused:?}");
}

#[test]
fn a_reply_survives_and_reaches_every_client() {
    for recording in answered().filter(|recording| !recording.stream) {
        let place = &recording.id;
        let reply = translate::read_reply(&BEDROCK, &recording.response)
            .unwrap_or_else(|failure| panic!("{place}: {failure:?}"));
        let again = translate::read_reply(&BEDROCK, &translate::write_reply(Dialect::Bedrock, &reply));
        assert_eq!(again.ok().as_ref(), Some(&reply), "{place}");
        for client in Dialect::CONVERSING {
            let heard =
                translate::read_reply(profile_of(client), &translate::write_reply(client, &reply)).expect(place);
            assert_eq!(shared::reply(&heard, client), shared::reply(&reply, client), "{place} as {}", client.name());
        }
        let told: Value = serde_json::from_slice(&recording.response).expect("JSON");
        let seen = seen::reply_even_empty(&BEDROCK, &recording.response)
            .unwrap_or_else(|failure| panic!("{place}: {failure:?}"));
        let count = |name: &str| told["usage"][name].as_u64().unwrap_or_default();
        let input = count("inputTokens") + count("cacheReadInputTokens") + count("cacheWriteInputTokens");
        assert_eq!(
            seen.usage.map(|usage| (usage.input(), usage.output)),
            Some((input, count("outputTokens"))),
            "{place}"
        );
        assert_eq!(seen.usage, reply.usage, "{place}");
        assert_eq!(seen.finish.as_deref(), told["stopReason"].as_str(), "{place}");
    }
}

#[test]
fn a_stream_adds_up_to_the_same_reply_however_it_is_cut() {
    for recording in answered().filter(|recording| recording.stream) {
        let body = &recording.response;
        let whole = fold(&[body]).unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id));
        for size in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(
                fold(&body.chunks(size).collect::<Vec<_>>()).ok().as_ref(),
                Some(&whole),
                "{} by {size}",
                recording.id
            );
        }
        let step = (body.len() * body.len() / super::CUT_BYTES).max(1);
        for cut in (0..body.len()).step_by(step) {
            assert_eq!(fold(&[&body[..cut], &body[cut..]]).ok().as_ref(), Some(&whole), "{} at {cut}", recording.id);
        }
    }
}

#[test]
fn a_stream_reaches_every_client_in_the_order_that_sdks_demand() {
    for recording in answered().filter(|recording| recording.stream) {
        let told = fold(&[&recording.response]).expect("read whole before");
        for client in Dialect::CONVERSING {
            let unsaid = Unsaid { id: "amzn-1".to_owned(), model: "claude".into(), created_s: 7, ..Unsaid::default() };
            let (mut out, mut splitter) = (BytesMut::new(), Splitter::new());
            let mut translator = StreamTranslator::new(&BEDROCK, client, true).unsaid(unsaid);
            splitter.push(&recording.response);
            while let Some(event) = splitter.take().expect("recorded frames are whole") {
                translator.event(&event, &mut out).expect("the vendor's stream has an order");
            }
            translator.end(&mut out);
            let retold = out.freeze();
            grammar::check(client, &retold, &recording.id);
            let heard = super::fold(profile_of(client), &[retold]).expect("we write what we read");
            let mut expected = told.clone();
            (expected.id, expected.model) = ("amzn-1".to_owned(), "claude".to_owned());
            assert_eq!(
                shared::reply(&heard, client),
                shared::reply(&expected, client),
                "{} as {}",
                recording.id,
                client.name()
            );
        }
    }
}

#[test]
fn a_stream_is_watched_from_its_first_content_to_its_end() {
    for recording in answered().filter(|recording| recording.stream) {
        let (mut seen, mut splitter, mut marks) = (StreamSeen::new(&BEDROCK), Splitter::new(), Vec::new());
        splitter.push(&recording.response);
        while let Some(event) = splitter.take().expect("recorded frames are whole") {
            marks.push(seen.event(&event));
        }
        assert!(!splitter.is_cut(), "{}", recording.id);
        assert!(marks.iter().all(|mark| matches!(mark, Mark::Quiet | Mark::Content | Mark::End)), "{}", recording.id);
        assert!(matches!(marks.last(), Some(Mark::End)), "{}", recording.id);
        assert!(seen.finish().is_ok(), "{}", recording.id);
        assert_eq!(seen.usage(), fold(&[&recording.response]).expect("read whole before").usage, "{}", recording.id);
    }
}

#[test]
fn what_errors_mean_agrees_with_their_labels() {
    let mut read = 0;
    for recording in recordings::bedrock().filter(|recording| recording.status != 200) {
        let failure = signals::classify(&BEDROCK, recording.status, &recording.headers, &recording.response, 0);
        let expected: &[FailureKind] = match recording.error_class.as_deref().unwrap_or_default() {
            "context_too_long" => &[FailureKind::ContextLength],
            "capability_unsupported" => &[FailureKind::Unsupported],
            "model_not_found_or_retired" | "model_not_found" => &[FailureKind::ModelGone],
            "bad_request" => &[FailureKind::BadRequest, FailureKind::Unsupported],
            "auth" => &[FailureKind::AuthKey],
            "permission" => &[FailureKind::AuthKey, FailureKind::ModelGone],
            "rate_limited" => &[FailureKind::RateLimited],
            "server_error" => &[FailureKind::ServerError],
            "overloaded" => &[FailureKind::Overloaded],
            other => panic!("{}: the label {other} is new", recording.id),
        };
        let text = String::from_utf8_lossy(&recording.response);
        assert!(expected.contains(&failure.kind), "{} {} {failure:?}: {text}", recording.id, recording.status);
        read += 1;
    }
    assert!(read > 8, "{read}");
}

#[test]
fn a_broken_body_is_an_error_and_never_a_panic() {
    for recording in answered().filter(|recording| recording.response.len() < 20_000) {
        let body = &recording.response;
        for cut in (0..body.len()).step_by(61) {
            if recording.stream {
                let mut broken = body.to_vec();
                broken[cut] ^= 0x55;
                let mut splitter = Splitter::new();
                splitter.push(&broken);
                while let Ok(Some(_)) = splitter.take() {}
                assert!(splitter.take().is_err() || splitter.is_cut(), "{} at {cut}", recording.id);
            } else if cut < body.trim_ascii_end().len() {
                assert!(translate::read_reply(&BEDROCK, &body[..cut]).is_err(), "{} at {cut}", recording.id);
            }
        }
    }
    let told = signals::in_event(&BEDROCK, Phase::Content, b"throttlingException", br#"{"message":"slow down"}"#);
    assert_eq!(told.kind, FailureKind::RateLimited);
    let told = signals::in_event(&BEDROCK, Phase::Content, b"internalServerException", &Bytes::from_static(b"{}"));
    assert_eq!(told.kind, FailureKind::ServerError);
}
