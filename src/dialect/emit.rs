//! Writing server-sent events.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

/// Writes one server-sent event whose data is `value` as JSON on one line.
pub(crate) fn write_event(name: Option<&str>, value: &impl Serialize, out: &mut BytesMut) {
    if let Some(name) = name {
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        out.put_slice(b"\n");
    }
    out.put_slice(b"data: ");
    // Writing to memory fails only for maps whose keys are not text, and there are none.
    let _ = serde_json::to_writer(out.writer(), value);
    out.put_slice(b"\n\n");
}
