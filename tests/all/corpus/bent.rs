//! Recorded traffic that was bent, and bytes of any kind: every decoder reads them or refuses them, in its own dialect and
//! on the way to every other. Nothing panics.

use super::recordings::{Recording, shipped};
use backstay::dialect::Dialect;
use backstay::dialect::profile::PROFILES;
use backstay::dialect::scan::scan;
use backstay::dialect::seen::{StreamSeen, reply};
use backstay::dialect::sse::Splitter;
use backstay::dialect::translate::{self, StreamTranslator};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::LazyLock;

/// Larger ones are bent in the same ways and take longer.
const LARGEST: usize = 8 << 10;

static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    shipped().filter(|recording| recording.request.len() < LARGEST && recording.response.len() < LARGEST).collect()
});

/// One change to some bytes.
#[derive(Clone, Debug)]
enum Bend {
    Cut(Index),
    Put(Index, u8),
    Leave(Index, usize),
    Repeat(Index, usize),
    Insert(Index, &'static str),
}

/// What decoders of these dialects look for, in places where it does not belong.
const WORDS: [&str; 14] = [
    "null",
    "\"\"",
    "{}",
    "[]",
    "[[",
    "1e999",
    "-1",
    "\\ud800",
    "\"type\":\"function_call\",",
    "\"type\":\"reasoning\",\"encrypted_content\":\"backstay:\",",
    "\"output_index\":18446744073709551615,",
    "data: [DONE]\n\n",
    "data: {\"type\":\"response.output_item.done\",\"item\":{}}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n",
];

fn bend() -> impl Strategy<Value = Bend> {
    prop_oneof![
        any::<Index>().prop_map(Bend::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Bend::Put(at, byte)),
        (any::<Index>(), 1..40usize).prop_map(|(at, length)| Bend::Leave(at, length)),
        (any::<Index>(), 1..200usize).prop_map(|(at, length)| Bend::Repeat(at, length)),
        (any::<Index>(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Bend::Insert(at, word)),
    ]
}

fn bent(bytes: &[u8], bends: &[Bend]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for bend in bends {
        let length = bytes.len().max(1);
        let within = |at: &Index, span: usize| {
            let start = at.index(length).min(bytes.len());
            start..(start + span).min(bytes.len())
        };
        match bend {
            Bend::Cut(at) => bytes.truncate(at.index(length)),
            Bend::Put(at, byte) => bytes.splice(within(at, 1), [*byte]).for_each(drop),
            Bend::Leave(at, span) => bytes.drain(within(at, *span)).for_each(drop),
            Bend::Repeat(at, span) => {
                let range = within(at, *span);
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, again).for_each(drop);
            }
            Bend::Insert(at, word) => {
                let start = within(at, 0).start;
                bytes.splice(start..start, word.bytes()).for_each(drop);
            }
        }
    }
    bytes
}

fn decode_request(body: &[u8]) {
    for dialect in Dialect::ALL {
        let _ = scan(dialect, body);
        let Ok(call) = translate::read_call(dialect, body) else { continue };
        for profile in PROFILES {
            let _ = translate::write_call(profile, &call, "model", 4096, true);
        }
    }
}

fn decode_answer(body: &[u8]) {
    for profile in PROFILES {
        let _ = reply(profile, body);
        let Ok(told) = translate::read_reply(profile, body) else { continue };
        for client in Dialect::ALL {
            let _ = translate::write_reply(client, &told);
        }
    }
}

fn decode_stream(body: &[u8]) {
    for profile in PROFILES {
        for client in Dialect::ALL {
            let (mut splitter, mut seen) = (Splitter::new(), StreamSeen::new(profile));
            let (mut translator, mut out) = (StreamTranslator::new(profile, client, true), BytesMut::new());
            splitter.push(Bytes::copy_from_slice(body));
            splitter.end();
            while let Ok(Some(event)) = splitter.take() {
                seen.event(&event);
                let _ = translator.event(&event, &mut out);
            }
            translator.end(&mut out);
            let _ = seen.finish();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn recorded_traffic_that_was_bent_is_read_or_refused(which: Index, bends in prop::collection::vec(bend(), 1..6)) {
        let recording = which.get(&RECORDINGS[..]);
        decode_request(&bent(&recording.request, &bends));
        let response = bent(&recording.response, &bends);
        if recording.stream { decode_stream(&response) } else { decode_answer(&response) }
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        decode_request(&bytes);
        decode_answer(&bytes);
        decode_stream(&bytes);
    }
}
