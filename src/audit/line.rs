//! The lines of a decision log.

use crate::base::hash::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// What checking needs of a record; the rest is for people.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Its number in the log, from 0.
    pub seq: u64,
    /// The leaf hash of the record before it, empty in the first.
    pub prev: String,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    checkpoint: String,
}

/// Whether the line is a file's header.
#[must_use]
pub fn is_header(line: &str) -> bool {
    line.starts_with("{\"backstay_log\":")
}

/// The line of a signed checkpoint, without its line feed.
#[must_use]
pub fn checkpoint_line(note: &str) -> String {
    // a string always has a JSON form
    serde_json::to_string(&Signed { checkpoint: note.to_owned() }).unwrap_or_default()
}

/// The signed checkpoint of a line, if it is one.
#[must_use]
pub fn checkpoint_of(line: &str) -> Option<String> {
    let signed = line.starts_with("{\"checkpoint\":").then(|| serde_json::from_str::<Signed>(line).ok());
    signed.flatten().map(|signed| signed.checkpoint)
}

/// What a record says of the leaf before it.
#[must_use]
pub fn prev_of(last: Option<&Digest>) -> String {
    last.map(hash_text).unwrap_or_default()
}

pub(super) fn hash_text(hash: &Digest) -> String {
    BASE64.encode(hash.0)
}

pub(super) fn hash_of(text: &str) -> Option<Digest> {
    BASE64.decode(text).ok()?.try_into().ok().map(Digest)
}
