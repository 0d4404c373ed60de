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
        Self::begun(DATA.to_vec(), value)
    }

    /// The same of events with this name.
    pub(crate) fn named(name: &str, value: &impl Serialize) -> Self {
        Self::begun([b"event: ", name.as_bytes(), b"\n", DATA].concat(), value)
    }

    fn begun(mut head: Vec<u8>, value: &impl Serialize) -> Self {
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

/// An event that comes again and again, each time with another text: written once, up to the text and from there on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Pattern {
    /// The pattern of what `write` writes of any text.
    pub(crate) fn of(write: impl FnOnce(&str, &mut BytesMut)) -> Self {
        let mut event = BytesMut::new();
        write(MARK, &mut event);
        // what a vendor names stands before the text: the last one is ours
        let place = memchr::memmem::rfind(&event, MARK_WRITTEN).unwrap_or(event.len());
        let (before, rest) = event.split_at(place);
        let after = rest.strip_prefix(MARK_WRITTEN).unwrap_or_default();
        Self { before: before.to_vec(), after: after.to_vec() }
    }

    /// Writes the event with this text.
    pub(crate) fn write_event(&self, text: &str, out: &mut BytesMut) {
        let mut event = Vec::with_capacity(EVENT_BYTES);
        event.extend_from_slice(&self.before);
        // Writing a text to memory does not fail.
        let _ = serde_json::to_writer(&mut event, text);
        event.extend_from_slice(&self.after);
        out.extend_from_slice(&event);
    }
}

/// Stands where a pattern's text goes.
const MARK: &str = "\u{1}";
const MARK_WRITTEN: &[u8] = br#""\u0001""#;

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_writes_what_is_written_without_it() {
        let write =
            |text: &str, out: &mut BytesMut| write_event(Some("piece"), &json!({"id": MARK, "text": text}), out);
        let pattern = Pattern::of(write);
        for text in ["", " word", "a \"quote\", a\nline, \u{1} and é", MARK] {
            let (mut out, mut expected) = (BytesMut::new(), BytesMut::new());
            pattern.write_event(text, &mut out);
            write(text, &mut expected);
            assert_eq!(out, expected, "{text:?}");
        }
    }
}
