//! The check of one file of a decision log: the first record that is not as it was written, and in what way.
//!
//! Each record carries the leaf hash of the one before, which tells where something was changed; the signed checkpoints tell
//! that nobody changed the rest with it. Without the signing key a change can be hidden by neither.

use crate::audit::line::{Record, checkpoint_of, hash_of, prev_of};
use crate::audit::{Checkpoint, Header, NoteError, Tree, Verifier, leaf};
use crate::base::hash::Digest;
use std::fmt;

/// In what way a log is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file's first line is no header, or does not hold.
    Header,
    /// A record was changed.
    Edited,
    /// Records are missing.
    Removed,
    /// Records stand in another order.
    Reordered,
    /// A record stands there twice.
    Repeated,
    /// The end is missing.
    Truncated,
    /// A checkpoint is not signed by the key.
    BadSignature,
    /// A checkpoint is signed, and is not of this log or no checkpoint at all.
    BadCheckpoint,
}

impl Fault {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::Reordered => "reordered",
            Self::Repeated => "repeated",
            Self::Truncated => "truncated",
            Self::BadSignature => "bad_signature",
            Self::BadCheckpoint => "bad_checkpoint",
        }
    }
}

/// The first place where a log is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In what way.
    pub fault: Fault,
    /// The line, from 1.
    pub line: usize,
    /// The sequence number of the record, where one is at fault.
    pub sequence: Option<u64>,
    /// What differs, for people.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(sequence) = self.sequence {
            write!(f, "record {sequence}: ")?;
        }
        write!(f, "{}: {}", self.fault.word(), self.detail)
    }
}

/// What a file that holds is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// The number of the file in its log.
    pub file: u64,
    /// The sequence number of its first record.
    pub first: u64,
    /// The sequence number after its last record.
    pub next: u64,
    /// The checkpoints in it.
    pub checkpoints: u64,
    /// Records up to here are signed for; those behind are held by their chain alone.
    pub signed: u64,
}

/// A file that was read to its end: what goes on after it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it is.
    pub report: Report,
    /// The tree over all records so far.
    pub tree: Tree,
    /// The hash of the last leaf.
    pub last: Option<Digest>,
    /// The last signed checkpoint, the header's where the file has none.
    pub checkpoint: String,
    /// Bytes of whole lines: what is behind them was being written when the process ended.
    pub whole_bytes: usize,
}

/// Checks a file against the key, and against a checkpoint that was kept elsewhere.
///
/// # Errors
/// The first record that is not as it was written.
pub fn verify(text: &str, verifier: &Verifier, kept: Option<&str>) -> Result<Report, Finding> {
    let reading = read(text, verifier)?;
    let lines = text.lines().count();
    if reading.whole_bytes < text.len() {
        let detail = "the last line has no end: it was being written, or the file was cut".to_owned();
        return Err(Finding { fault: Fault::Truncated, line: lines, sequence: Some(reading.report.next), detail });
    }
    if let Some(kept) = kept {
        against(&reading, text, verifier, kept, lines)?;
    }
    Ok(reading.report)
}

/// Reads a file to the last whole line; what is behind it is not looked at.
///
/// # Errors
/// The first record that is not as it was written.
pub fn read(text: &str, verifier: &Verifier) -> Result<Reading, Finding> {
    let whole_bytes = text.rfind('\n').map_or(0, |end| end + 1);
    let lines: Vec<&str> = text.get(..whole_bytes).unwrap_or_default().lines().collect();
    let wrong = |detail: String| Finding { fault: Fault::Header, line: 1, sequence: None, detail };
    let header = Header::parse(lines.first().copied().unwrap_or_default()).map_err(wrong)?;
    let tree = header.tree(verifier).map_err(wrong)?;
    let report = Report {
        origin: header.origin.clone(),
        file: header.file,
        first: header.first,
        next: header.first,
        signed: header.first,
        checkpoints: 0,
    };
    let last = hash_of(&header.prev);
    let mut walk = Walk { lines, verifier, report, before: tree.clone(), tree, last, checkpoint: header.checkpoint };
    for at in 1..walk.lines.len() {
        walk.step(at)?;
    }
    let Walk { report, tree, last, checkpoint, .. } = walk;
    Ok(Reading { report, tree, last, checkpoint, whole_bytes })
}

/// Checks a checkpoint that was kept elsewhere.
fn against(reading: &Reading, text: &str, verifier: &Verifier, kept: &str, lines: usize) -> Result<(), Finding> {
    let at_end = |fault, sequence, detail: String| Finding { fault, line: lines, sequence, detail };
    let signed = verifier
        .open(kept)
        .map_err(|error| at_end(Fault::BadSignature, None, format!("the checkpoint that was kept: {error}")))?;
    let kept = Checkpoint::parse(signed)
        .ok_or_else(|| at_end(Fault::BadCheckpoint, None, "what was kept is no checkpoint".to_owned()))?;
    let (first, next) = (reading.report.first, reading.report.next);
    if kept.origin != reading.report.origin {
        let detail = format!("the checkpoint that was kept is of {}, not of {}", kept.origin, reading.report.origin);
        return Err(at_end(Fault::BadCheckpoint, None, detail));
    }
    if kept.size > next {
        let detail = format!("the checkpoint that was kept signs {} records, the file ends before {next}", kept.size);
        return Err(at_end(Fault::Truncated, Some(next), detail));
    }
    if kept.size >= first && root_at(text, verifier, kept.size) != Some(kept.root) {
        let detail = "the checkpoint that was kept is of other records: the file was replaced or rewritten".to_owned();
        return Err(at_end(Fault::Edited, kept.size.checked_sub(1), detail));
    }
    Ok(())
}

/// The root over the first `size` records.
fn root_at(text: &str, verifier: &Verifier, size: u64) -> Option<Digest> {
    let mut tree = Header::parse(text.lines().next()?).ok()?.tree(verifier).ok()?;
    let mut records = text.lines().skip(1).filter(|line| checkpoint_of(line).is_none());
    while tree.size() < size {
        tree.push(leaf(records.next()?.as_bytes()));
    }
    Some(tree.root())
}

/// The way through a file.
struct Walk<'a> {
    lines: Vec<&'a str>,
    verifier: &'a Verifier,
    report: Report,
    /// The tree without its last leaf.
    before: Tree,
    tree: Tree,
    last: Option<Digest>,
    checkpoint: String,
}

impl Walk<'_> {
    /// Takes one line.
    fn step(&mut self, at: usize) -> Result<(), Finding> {
        let line = self.lines.get(at).copied().unwrap_or_default();
        if let Some(note) = checkpoint_of(line) {
            return self.signed(at, note);
        }
        let expected = self.report.next;
        let Ok(record) = serde_json::from_str::<Record>(line) else {
            return Err(finding(Fault::Edited, at, Some(expected), "the line is no record"));
        };
        if record.seq != expected {
            return Err(self.out_of_sequence(at, record.seq));
        }
        if record.prev != prev_of(self.last.as_ref()) {
            return Err(self.broken_chain(at, &record));
        }
        let hash = leaf(line.as_bytes());
        self.before.clone_from(&self.tree);
        self.tree.push(hash);
        self.last = Some(hash);
        self.report.next += 1;
        Ok(())
    }

    fn signed(&mut self, at: usize, note: String) -> Result<(), Finding> {
        let text = self.verifier.open(&note).map_err(|error| {
            let fault = if error == NoteError::Form { Fault::BadCheckpoint } else { Fault::BadSignature };
            finding(fault, at, None, &format!("the checkpoint: {error}"))
        })?;
        let Some(checkpoint) = Checkpoint::parse(text).filter(|found| found.origin == self.report.origin) else {
            return Err(finding(Fault::BadCheckpoint, at, None, "what is signed is no checkpoint of this log"));
        };
        let (next, signed) = (self.report.next, self.report.signed);
        if checkpoint.size > next {
            let detail = format!("records {next} to {} are missing before this checkpoint", checkpoint.size - 1);
            return Err(finding(Fault::Removed, at, Some(next), &detail));
        }
        if checkpoint.size < next {
            let detail = format!("the checkpoint of {} records stands behind {next}", checkpoint.size);
            return Err(finding(Fault::Reordered, at, None, &detail));
        }
        if checkpoint.root != self.tree.root() {
            let detail = if next.saturating_sub(signed) > 1 {
                format!("it, or records before it as far back as {signed}, are not what the next checkpoint signs")
            } else {
                "it is not what the next checkpoint signs".to_owned()
            };
            let line = self.last_record_before(at).unwrap_or(at);
            return Err(finding(Fault::Edited, line, next.checked_sub(1), &detail));
        }
        self.report.signed = next;
        self.report.checkpoints += 1;
        self.checkpoint = note;
        Ok(())
    }

    /// The record does not have the number that is due.
    fn out_of_sequence(&self, at: usize, found: u64) -> Finding {
        let expected = self.report.next;
        let numbered = |line: &str| serde_json::from_str::<Record>(line).ok().map(|record| record.seq);
        let mut following = self.lines.iter().skip(at + 1).copied().filter_map(numbered);
        if found < expected {
            let detail = format!("record {found} stands here again, where {expected} is due");
            return finding(Fault::Repeated, at, Some(found), &detail);
        }
        if following.clone().next() == Some(expected + 1) && found != expected + 1 {
            let detail = format!("its sequence number is {found}, where {expected} is due");
            return finding(Fault::Edited, at, Some(expected), &detail);
        }
        if following.any(|seq| seq == expected) {
            let detail = format!("record {found} stands where {expected} is due, which comes later");
            return finding(Fault::Reordered, at, Some(found), &detail);
        }
        let missing = if found - expected > 1 {
            format!("records {expected} to {} are", found - 1)
        } else {
            format!("record {expected} is")
        };
        finding(Fault::Removed, at, Some(expected), &format!("{missing} missing before this line"))
    }

    /// What a record says of the one before is not so: one of the two was changed.
    fn broken_chain(&self, at: usize, record: &Record) -> Finding {
        let own = leaf(self.lines.get(at).copied().unwrap_or_default().as_bytes());
        let changed_here = match self.lines.get(at + 1).copied() {
            None => false,
            Some(next) => match checkpoint_of(next) {
                Some(note) => !self.would_fit(&note, record, own),
                None => serde_json::from_str::<Record>(next).is_ok_and(|next| next.prev != prev_of(Some(&own))),
            },
        };
        match self.last_record_before(at) {
            Some(line) if !changed_here => {
                let sequence = record.seq.checked_sub(1);
                finding(Fault::Edited, line, sequence, "it is not what the record after it says was written")
            }
            Some(_) | None => {
                let detail = "what it says of the record before it is not so, and the record after it says otherwise";
                finding(Fault::Edited, at, Some(record.seq), detail)
            }
        }
    }

    /// Whether the checkpoint fits once the record before is as this one says it was.
    fn would_fit(&self, note: &str, record: &Record, own: Digest) -> bool {
        let Some(claimed) = hash_of(&record.prev) else { return false };
        let mut tree = self.before.clone();
        tree.push(claimed);
        tree.push(own);
        let checkpoint = self.verifier.open(note).ok().and_then(Checkpoint::parse);
        checkpoint.is_some_and(|checkpoint| checkpoint.root == tree.root())
    }

    fn last_record_before(&self, at: usize) -> Option<usize> {
        (1..at).rev().find(|line| self.lines.get(*line).is_some_and(|line| checkpoint_of(line).is_none()))
    }
}

/// A finding at a line that is counted from 0.
fn finding(fault: Fault, at: usize, sequence: Option<u64>, detail: &str) -> Finding {
    Finding { fault, line: at + 1, sequence, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
