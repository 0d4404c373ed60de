//! Writing server-sent events.

use bytes::BytesMut;
use serde::Serialize;

/// More than most events of a stream take.
const EVENT_BYTES: usize = 512;

/// Writes one server-sent event whose data is `value` as JSON on one line.
pub(crate) fn write_event(name: Option<&str>, value: &impl Serialize, out: &mut BytesMut) {
    let mut event = Vec::with_capacity(EVENT_BYTES);
    if let Some(name) = name {
        event.extend_from_slice(b"event: ");
        event.extend_from_slice(name.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(DATA);
    write_json(value, &mut event);
    end_event(&mut event, out);
}

/// The members that every event of an answer begins with, written once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// The members of `value`, which has one at least.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        let mut head = DATA.to_vec();
        write_json(value, &mut head);
        // the object goes on
        head.pop();
        Self(head)
    }

    /// Writes an event with these members and those of `rest`, which has one at least.
    pub(crate) fn write_event(&self, rest: &impl Serialize, out: &mut BytesMut) {
        let mut event = Vec::with_capacity(EVENT_BYTES);
        event.extend_from_slice(&self.0);
        let brace = event.len();
        write_json(rest, &mut event);
        if let Some(brace) = event.get_mut(brace) {
            *brace = b',';
        }
        end_event(&mut event, out);
    }
}

const DATA: &[u8] = b"data: ";

fn write_json(value: &impl Serialize, event: &mut Vec<u8>) {
    let start = event.len();
    // Writing to memory fails only for maps whose keys are not text, and there are none.
    let _ = serde_json::to_writer(&mut *event, value);
    // a line break that is no part of a string is white space: JSON that is carried as it came may hold some
    let data = event.get_mut(start..).unwrap_or_default();
    if memchr::memchr2(b'\n', b'\r', data).is_some() {
        data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
}

/// An event is put together apart from `out`, whose writer would check its room for every comma.
fn end_event(event: &mut Vec<u8>, out: &mut BytesMut) {
    event.extend_from_slice(b"\n\n");
    out.extend_from_slice(event);
}
