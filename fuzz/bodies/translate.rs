//! Any bytes as a request, an answer and a stream, in every dialect: nothing panics, and what was read can be written and
//! read again.

use backstay::dialect::Dialect;
use backstay::dialect::profile::PROFILES;
use backstay::dialect::sse::Splitter;
use backstay::dialect::translate::{Asked, StreamTranslator, read_reply, write_reply};
use bytes::{Bytes, BytesMut};

pub(crate) fn run(bytes: &[u8]) {
    for client in Dialect::ALL {
        let asked = Asked::read(client, bytes, "model", false);
        for profile in PROFILES {
            if let Ok(asked) = &asked
                && let Ok(written) = asked.write(profile, "model", 1_000, false)
            {
                Asked::read(profile.dialect, &written, "model", false).expect("what we write can be read");
            }
            if profile.dialect.task() == client.task() {
                let mut translator = StreamTranslator::new(profile, client, true);
                let (mut splitter, mut out) = (Splitter::new(), BytesMut::new());
                splitter.push(Bytes::copy_from_slice(bytes));
                splitter.end();
                while let Ok(Some(event)) = splitter.take() {
                    let _ = translator.event(&event, &mut out);
                }
                translator.end(&mut out);
            }
        }
    }
    for profile in PROFILES {
        if let Ok(reply) = read_reply(profile, bytes) {
            read_reply(profile, &write_reply(profile.dialect, &reply)).expect("what we write can be read");
            for client in Dialect::ALL {
                let _ = write_reply(client, &reply);
            }
        }
    }
}
