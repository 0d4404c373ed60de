//! A request, a whole answer and a stream of any bytes, in every dialect: they are read or refused, and what was read can
//! be written in every other.

#![no_main]

use backstay::dialect::Dialect;
use backstay::dialect::profile::PROFILES;
use backstay::dialect::sse::Splitter;
use backstay::dialect::translate::{self, StreamTranslator};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for dialect in Dialect::ALL {
        let Ok(call) = translate::read_call(dialect, body) else { continue };
        for profile in PROFILES {
            let _ = translate::write_call(profile, &call, "model", 4096, true);
        }
    }
    for profile in PROFILES {
        if let Ok(reply) = translate::read_reply(profile, body) {
            for client in Dialect::ALL {
                let _ = translate::write_reply(client, &reply);
            }
        }
        for client in Dialect::ALL {
            let (mut splitter, mut out) = (Splitter::new(), BytesMut::new());
            let mut translator = StreamTranslator::new(profile, client, true);
            splitter.push(Bytes::copy_from_slice(body));
            splitter.end();
            while let Ok(Some(event)) = splitter.take() {
                let _ = translator.event(&event, &mut out);
            }
            translator.end(&mut out);
        }
    }
});
