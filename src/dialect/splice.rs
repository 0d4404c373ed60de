//! Changes a few top-level members of a request's body, and leaves every other byte as it is.

use crate::dialect::Dialect;
use crate::dialect::json::value::Value;
use crate::dialect::scan::Scan;
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// What is to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits<'a> {
    /// The vendor's name of the model.
    pub model: Option<&'a str>,
    /// Ask for the usage of a stream; only where the dialect has it and a stream is asked for.
    pub include_usage: bool,
    /// Forbid the vendor to keep the call; only where the dialect has it.
    pub store_false: bool,
}

/// One change: the bytes at `range` become `text`.
struct Change {
    range: Range<usize>,
    text: String,
}

/// The body with the edits made; the same bytes, uncopied, when they change nothing.
#[must_use]
pub fn splice(body: &Bytes, scan: &Scan, edits: &Edits<'_>) -> Bytes {
    let mut changes: Vec<Change> = Vec::new();
    let head = scan.spots.head;
    if let Some(model) = edits.model.filter(|model| *model != scan.model) {
        changes.push(set(head, "model", scan.spots.model.as_ref(), quoted(model)));
    }
    if scan.dialect == Dialect::OpenaiChat {
        if edits.include_usage && scan.stream && !scan.include_usage {
            changes.push(with_usage(body, head, scan.spots.stream_options.as_ref()));
        }
        let stored = scan.spots.store.as_ref();
        if edits.store_false && stored.and_then(|range| body.get(range.clone())) != Some(b"false") {
            changes.push(set(head, "store", stored, "false".to_owned()));
        }
    }
    if changes.is_empty() {
        return body.clone();
    }
    changes.sort_by_key(|change| change.range.start);
    apply(body, &changes)
}

/// Gives the top-level member `name` this value: in its place, or at the head of an object that is never empty, for a model it has.
fn set(head: usize, name: &str, spot: Option<&Range<usize>>, value: String) -> Change {
    match spot {
        Some(range) => Change { range: range.clone(), text: value },
        None => Change { range: head..head, text: format!("\"{name}\":{value},") },
    }
}

/// Sets `include_usage` among the `stream_options` that are there, or gives it new ones.
fn with_usage(body: &[u8], head: usize, spot: Option<&Range<usize>>) -> Change {
    let options = spot.and_then(|range| body.get(range.clone())).map(Value::new);
    let mut text = String::from(r#"{"include_usage":true"#);
    for (name, value) in options.into_iter().flat_map(Value::members).filter(|(name, _)| name != "include_usage") {
        text.push(',');
        text.push_str(&quoted(&name));
        text.push(':');
        text.push_str(&String::from_utf8_lossy(value.raw()));
    }
    text.push('}');
    set(head, "stream_options", spot, text)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `changes` are ordered and do not overlap.
fn apply(body: &[u8], changes: &[Change]) -> Bytes {
    let grown: usize = changes.iter().map(|change| change.text.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + grown);
    let mut copied = 0;
    for change in changes {
        out.extend_from_slice(body.get(copied..change.range.start).unwrap_or_default());
        out.extend_from_slice(change.text.as_bytes());
        copied = change.range.end;
    }
    out.extend_from_slice(body.get(copied..).unwrap_or_default());
    out.freeze()
}
