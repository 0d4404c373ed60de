//! JSON objects written straight into bytes, for lines that are written often.

use crate::base::decimal::Decimal;
use std::io::Write;
use std::time::Duration;

/// Bytes of a string that is not our own: a client cannot make lines long.
pub(super) const FOREIGN_BYTES: usize = 256;

/// A JSON object that is being written. Member names are our own and need no escapes.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A value that prints itself as JSON.
    pub(super) fn shown(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        // writing to memory does not fail
        let _ = write!(self.out, "{value}");
    }

    pub(super) fn milliseconds(&mut self, name: &str, time: Duration) {
        self.number(name, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn number(&mut self, name: &str, value: impl Into<u64>) {
        self.decimal(name, &Decimal::new(value.into(), 0));
    }

    pub(super) fn decimal(&mut self, name: &str, value: &Decimal) {
        self.name(name);
        self.out.extend_from_slice(value.as_str().as_bytes());
    }

    pub(super) fn string(&mut self, name: &str, text: &str) {
        self.name(name);
        string(self.out, text);
    }

    pub(super) fn optional_string(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.string(name, text),
            None => self.shown(name, "null"),
        }
    }

    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::begin(self.out);
        members(&mut inner);
        inner.end();
    }

    pub(super) fn list<T>(&mut self, name: &str, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
        self.name(name);
        self.out.push(b'[');
        for (position, value) in items.iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            item(self.out, value);
        }
        self.out.push(b']');
    }
}

/// Appends a JSON string of at most [`FOREIGN_BYTES`] of `text`. Whatever could end the line, forge another or turn it
/// around on a terminal is escaped: control characters, line and paragraph separators, marks of writing direction.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let text = text.get(..text.floor_char_boundary(FOREIGN_BYTES)).unwrap_or_default();
    out.push(b'"');
    // all bytes are looked at, which the processor does for many at once
    let plain = |all, byte| all & (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\');
    if text.bytes().fold(true, plain) {
        // names of the config and our own words: nothing to escape
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escape(out, character),
            _ if character.is_control() => escape(out, character),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `\uXXXX`: every character that is escaped lies in the basic plane.
fn escape(out: &mut Vec<u8>, character: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(character));
}
