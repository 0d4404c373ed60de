//! Writing server-sent events.

use bytes::BytesMut;
use serde::Serialize;

/// More than most events of a stream take.
const EVENT_BYTES: usize = 512;

/// Writes one server-sent event whose data is `value` as JSON on one line. It is put together apart from `out`, whose
/// writer would check its room for every comma.
pub(crate) fn write_event(name: Option<&str>, value: &impl Serialize, out: &mut BytesMut) {
    let mut event = Vec::with_capacity(EVENT_BYTES);
    if let Some(name) = name {
        event.extend_from_slice(b"event: ");
        event.extend_from_slice(name.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    let start = event.len();
    // Writing to memory fails only for maps whose keys are not text, and there are none.
    let _ = serde_json::to_writer(&mut event, value);
    // a line break that is no part of a string is white space: JSON that is carried as it came may hold some
    let data = event.get_mut(start..).unwrap_or_default();
    if memchr::memchr2(b'\n', b'\r', data).is_some() {
        data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
    event.extend_from_slice(b"\n\n");
    out.extend_from_slice(&event);
}
