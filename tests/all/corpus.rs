//! Translation over recorded traffic: the shipped selection, and the whole collection where it lies beside the clone
//! (`../shared/vendor-traffic`, or the folder that `BACKSTAY_RECORDINGS` names).

mod bedrock;
mod bent;
mod family;
mod fuzz;
mod grammar;
mod recordings;
mod replayed;
mod shared;
mod unrecorded;
mod varied;

use backstay::base::failure::{Failure, FailureKind};
use backstay::base::rejection::Refusal;
use backstay::call::Call;
use backstay::call::delta::Fold;
use backstay::call::reply::Reply;
use backstay::dialect::Dialect;
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::profile::{
    ANTHROPIC, ANTHROPIC_COUNT, GEMINI, GEMINI_COUNT, GEMINI_EMBED, OPENAI, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES, Profile,
};
use backstay::dialect::sse::Splitter;
use backstay::dialect::translate::{self, StreamReader, StreamTranslator, Unsaid};
use bytes::{Bytes, BytesMut};
use recordings::Recording;
use std::collections::BTreeMap;

const fn profile_of(dialect: Dialect) -> &'static Profile {
    match dialect {
        Dialect::OpenaiChat => &OPENAI,
        Dialect::OpenaiResponses => &OPENAI_RESPONSES,
        Dialect::OpenaiCompletions => &OPENAI_COMPLETIONS,
        Dialect::OpenaiEmbeddings => &OPENAI_EMBEDDINGS,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Bedrock => &BEDROCK,
        Dialect::AnthropicCount => &ANTHROPIC_COUNT,
        Dialect::Gemini => &GEMINI,
        Dialect::GeminiCount => &GEMINI_COUNT,
        Dialect::GeminiEmbed => &GEMINI_EMBED,
    }
}

/// The other dialects of conversations.
fn others(dialect: Dialect) -> impl Iterator<Item = Dialect> {
    Dialect::CONVERSING.into_iter().filter(move |other| *other != dialect)
}

fn read_call(recording: &Recording) -> Call {
    translate::read_call(recording.dialect, &recording.request)
        .unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message))
}

fn write_call(profile: &Profile, call: &Call) -> Result<Bytes, Refusal> {
    translate::write_call(profile, call, &call.model, 4096, call.include_usage)
}

fn events(stream: &[Bytes], mut take: impl FnMut(&backstay::dialect::sse::Event<'_>)) {
    let mut splitter = Splitter::new();
    for chunk in stream {
        splitter.push(chunk.clone());
        while let Some(event) = splitter.take().expect("recorded events are short") {
            take(&event);
        }
    }
    splitter.end();
    while let Some(event) = splitter.take().expect("recorded events are short") {
        take(&event);
    }
}

fn fold(profile: &Profile, stream: &[Bytes]) -> Result<Reply, Failure> {
    let (mut reader, mut fold, mut failure) = (StreamReader::new(profile), Fold::default(), None);
    events(stream, |event| {
        if let Err(told) = reader.event(event, |delta| fold.add(&delta)) {
            failure.get_or_insert(told);
        }
    });
    failure.map_or(Ok(fold.into_reply()), Err)
}

fn retell(from: &Profile, to: Dialect, stream: &[Bytes]) -> Bytes {
    let (mut translator, mut out) = (StreamTranslator::new(from, to, true), BytesMut::new());
    events(stream, |event| translator.event(event, &mut out).expect("the vendor's stream has an order"));
    translator.end(&mut out);
    out.freeze()
}

#[test]
fn a_call_survives_its_own_dialect() {
    for recording in recordings::answered() {
        let call = read_call(&recording);
        let written = write_call(profile_of(recording.dialect), &call)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", recording.id));
        let again = translate::read_call(recording.dialect, &written)
            .unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message));
        assert_eq!(again, call, "{}", recording.id);
    }
}

#[test]
fn a_call_crosses_whole_or_is_refused_by_name() {
    let mut told = BTreeMap::<&str, usize>::new();
    for recording in recordings::answered() {
        let call = read_call(&recording);
        for there in others(recording.dialect) {
            let written = match write_call(profile_of(there), &call) {
                Ok(written) => written,
                Err(Refusal::Capability(reason)) => {
                    *told.entry(reason).or_default() += 1;
                    continue;
                }
                Err(refusal) => panic!("{}: {refusal:?}", recording.id),
            };
            *told.entry("crossed").or_default() += 1;
            let crossed = translate::read_call(there, &written)
                .unwrap_or_else(|rejection| panic!("{}: {}", recording.id, rejection.message));
            let place = format!("{} as {}", recording.id, there.name());
            assert_eq!(shared::call(&crossed, there), shared::call(&call, there), "{place}");
        }
    }
    // Of the shipped selection alone, which is rich in what only one dialect knows.
    assert!(told["crossed"] > 80, "{told:?}");
}

#[test]
fn a_reply_survives_its_own_dialect_and_crosses() {
    for recording in recordings::answered().filter(|recording| !recording.stream) {
        let here = profile_of(recording.dialect);
        let Some(reply) = one_reply(&recording) else { continue };
        let again = translate::read_reply(here, &translate::write_reply(recording.dialect, &reply))
            .unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id));
        assert_eq!(again, reply, "{}", recording.id);
        for there in others(recording.dialect) {
            let crossed = translate::read_reply(profile_of(there), &translate::write_reply(there, &reply))
                .unwrap_or_else(|failure| panic!("{}: {failure:?}", recording.id));
            assert_eq!(shared::reply(&crossed, there), shared::reply(&reply, there), "{}", recording.id);
        }
    }
}

/// The answer of a recording, unless it holds several choices, is made in the background, or does not say why it ended, as the
/// `8b3dcb88ae3dd4bc` of a simulated vendor: none of these is translated.
fn one_reply(recording: &Recording) -> Option<Reply> {
    match translate::read_reply(profile_of(recording.dialect), &recording.response) {
        Ok(reply) => Some(reply),
        Err(failure) if ["not_one_choice", "not_finished", "no_finish_reason"].contains(&&*failure.reason) => None,
        Err(failure) => panic!("{}: {failure:?}", recording.id),
    }
}

/// How many bytes of one stream are read over and over: small streams are cut at every byte, large ones at fewer.
const CUT_BYTES: usize = 1 << 19;

#[test]
fn a_stream_adds_up_to_the_same_reply_however_it_is_cut() {
    for recording in recordings::answered().filter(|recording| recording.stream) {
        let profile = profile_of(recording.dialect);
        let body = &recording.response;
        let Ok(whole) = fold(profile, std::slice::from_ref(body)) else { continue };
        for size in [1, 2, 3, 7, 64, 1000] {
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
fn a_stream_crosses_in_the_order_that_sdks_demand() {
    for recording in recordings::answered().filter(|recording| recording.stream) {
        let here = profile_of(recording.dialect);
        let stream = std::slice::from_ref(&recording.response);
        let reply = match fold(here, stream) {
            Ok(reply) => reply,
            Err(failure) => {
                let several = failure.reason == "not_one_choice";
                assert!(several || failure.kind == FailureKind::SseError, "{}: {failure:?}", recording.id);
                continue;
            }
        };
        for client in Dialect::CONVERSING {
            let retold = retell(here, client, stream);
            grammar::check(client, &retold, &recording.id);
            let crossed = fold(profile_of(client), &[retold])
                .unwrap_or_else(|failure| panic!("{} as {}: {failure:?}", recording.id, client.name()));
            let place = format!("{} as {}", recording.id, client.name());
            assert_eq!(shared::reply(&crossed, client), shared::reply(&reply, client), "{place}");
        }
    }
}

#[test]
fn a_broken_body_is_an_error_and_never_a_panic() {
    for recording in recordings::answered().filter(|recording| recording.request.len() < 20_000) {
        for cut in (0..recording.request.len()).step_by(97) {
            let told = translate::read_call(recording.dialect, &recording.request[..cut]);
            assert!(told.is_err(), "{} at {cut}", recording.id);
        }
        for cut in (0..recording.response.trim_ascii_end().len()).step_by(97) {
            let half = &recording.response[..cut];
            let told = translate::read_reply(profile_of(recording.dialect), half);
            assert!(told.is_err(), "{} at {cut}", recording.id);
        }
    }
}

/// The shipped recordings of Google's dialect, from which arbitrary input grows.
static GOOGLES: std::sync::LazyLock<Vec<Recording>> = std::sync::LazyLock::new(|| {
    recordings::shipped().filter(|recording| recording.dialect == Dialect::Gemini).collect()
});

proptest::proptest! {
    /// What a stranger writes over a recording, anywhere, is an answer, an error, or another call: never a panic.
    #[test]
    fn a_mutated_recording_panics_nobody(
        which in 0..1000_usize,
        at in proptest::num::usize::ANY,
        with in "[\\[\\]{}\",:0-9a-zA-Z\\\\ ]{0,12}",
        over in 0..24_usize,
    ) {
        let recording = &GOOGLES[which % GOOGLES.len()];
        for body in [&recording.request, &recording.response] {
            let start = at % (body.len() + 1);
            let mutated = [&body[..start], with.as_bytes(), &body[(start + over).min(body.len())..]].concat();
            take(&mutated);
        }
        take(with.as_bytes());
    }
}

/// Gives the bytes to everything that reads Google's dialects.
fn take(bytes: &[u8]) {
    for dialect in [Dialect::Gemini, Dialect::GeminiCount, Dialect::GeminiEmbed, Dialect::AnthropicCount] {
        let profile = profile_of(dialect);
        let _ = backstay::dialect::scan::scan(dialect, bytes);
        let _ = backstay::dialect::seen::reply(profile, bytes);
        if let Ok(asked) = translate::Asked::read(dialect, bytes, "m", false) {
            let _ = asked.write(profile, "m", 9, false);
            let _ = asked.retell(profile, dialect, bytes, &Unsaid::default());
        }
        let _ = fold(profile, &[Bytes::copy_from_slice(bytes)]);
    }
}
