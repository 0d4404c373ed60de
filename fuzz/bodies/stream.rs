//! A vendor's stream of any bytes, cut anywhere: nothing panics, and where it is cut changes nothing.

use backstay::dialect::profile::PROFILES;
use backstay::dialect::seen::StreamSeen;
use backstay::dialect::sse::Splitter;
use bytes::Bytes;

pub(crate) fn run(input: (Vec<u8>, u8)) {
    let (stream, cut) = input;
    for profile in PROFILES {
        let whole = watch(profile, &stream, stream.len().max(1));
        assert_eq!(whole, watch(profile, &stream, usize::from(cut).max(1)));
    }
}

/// Whether the stream is whole, and what of it goes on.
fn watch(profile: &'static backstay::dialect::profile::Profile, stream: &[u8], cut: usize) -> (bool, Vec<u8>) {
    let (mut splitter, mut seen, mut forwarded) = (Splitter::new(), StreamSeen::new(profile), Vec::new());
    for chunk in stream.chunks(cut) {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Ok(Some(event)) = splitter.take() {
            seen.event(&event);
            splitter.forward();
        }
        while let Some(bytes) = splitter.forwarded() {
            forwarded.extend_from_slice(&bytes);
        }
    }
    (seen.finish().is_ok(), forwarded)
}
