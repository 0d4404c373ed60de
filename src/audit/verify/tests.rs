//! What is done to a log, and what the check says of it.

use super::*;
use crate::audit::{Signer, checkpoint_line};

const ORIGIN: &str = "backstay.example/decisions";

fn signer() -> Signer {
    Signer::new("backstay.example", [42; 32]).unwrap()
}

/// A log that is being written: records with a checkpoint after every fourth.
struct Log {
    lines: Vec<String>,
    tree: Tree,
    last: Option<Digest>,
    note: String,
    outcome: &'static str,
}

impl Log {
    fn begin() -> Self {
        let tree = Tree::default();
        let header = Header::new(ORIGIN, 1, &tree, None, "");
        Self { lines: vec![header.line()], tree, last: None, note: String::new(), outcome: "served" }
    }

    /// What the records to come say.
    fn saying(self, outcome: &'static str) -> Self {
        Self { outcome, ..self }
    }

    fn records(mut self, count: u64) -> Self {
        for _ in 0..count {
            let seq = self.tree.size();
            let (prev, outcome) = (prev_of(self.last.as_ref()), self.outcome);
            let line = format!("{{\"seq\":{seq},\"prev\":\"{prev}\",\"outcome\":\"{outcome}\"}}");
            self.last = Some(leaf(line.as_bytes()));
            self.tree.push(leaf(line.as_bytes()));
            self.lines.push(line);
            if self.tree.size().is_multiple_of(4) {
                self.sign();
            }
        }
        self
    }

    fn sign(&mut self) {
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: self.tree.size(), root: self.tree.root() };
        self.note = signer().sign(&checkpoint.to_string());
        self.lines.push(checkpoint_line(&self.note));
    }

    /// The next file of the same log.
    fn rotated(mut self) -> Self {
        self.sign();
        let header = Header::new(ORIGIN, 2, &self.tree, self.last.as_ref(), &self.note);
        self.lines = vec![header.line()];
        self
    }

    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The line of a record, counted from 0.
    fn line_of(&self, seq: u64) -> usize {
        self.lines.iter().position(|line| line.starts_with(&format!("{{\"seq\":{seq},"))).unwrap()
    }
}

#[test]
fn what_was_written_holds() {
    let log = Log::begin().records(10);
    let report = verify(&log.text(), &signer().verifier(), Some(&log.note)).unwrap();
    let expected = Report { origin: ORIGIN.to_owned(), file: 1, first: 0, next: 10, checkpoints: 2, signed: 8 };
    assert_eq!(report, expected);
    let second = log.rotated().records(5);
    let report = verify(&second.text(), &signer().verifier(), Some(&second.note)).unwrap();
    assert_eq!((report.first, report.next, report.signed), (10, 15, 12));
}

#[test]
fn a_reading_goes_on_where_the_last_whole_line_ended() {
    let log = Log::begin().records(6);
    let whole = log.text();
    let torn = format!("{whole}{{\"seq\":6,\"prev\":\"");
    let reading = read(&torn, &signer().verifier()).unwrap();
    assert_eq!((reading.tree, reading.last, reading.whole_bytes), (log.tree, log.last, whole.len()));
    let finding = verify(&torn, &signer().verifier(), None).unwrap_err();
    assert_eq!((finding.fault, finding.sequence), (Fault::Truncated, Some(6)));
}

/// What somebody does to a log of fourteen records, and the fault and record that must be named.
type Case = (&'static str, fn(&mut Log), Fault, Option<u64>);

const CASES: &[Case] = &[
    ("a field is edited", |log| edit(log, 5, "served", "rejected"), Fault::Edited, Some(5)),
    ("the first record is edited", |log| edit(log, 0, "served", "rejected"), Fault::Edited, Some(0)),
    ("the record before a checkpoint is edited", |log| edit(log, 7, "served", "rejected"), Fault::Edited, Some(7)),
    ("the record after a checkpoint is edited", |log| edit(log, 8, "served", "rejected"), Fault::Edited, Some(8)),
    ("the hash of the one before is edited", |log| edit_prev(log, 5), Fault::Edited, Some(5)),
    ("the same before a checkpoint", |log| edit_prev(log, 7), Fault::Edited, Some(7)),
    ("a sequence number is edited", |log| edit(log, 5, "\"seq\":5,", "\"seq\":99,"), Fault::Edited, Some(5)),
    ("a line is no JSON any more", |log| edit(log, 5, "{", "["), Fault::Edited, Some(5)),
    ("a line is removed", |log| remove(log, 5), Fault::Removed, Some(5)),
    ("a line before a checkpoint is removed", |log| remove(log, 7), Fault::Removed, Some(7)),
    ("two lines are swapped", |log| swap(log, 5, 6), Fault::Reordered, Some(6)),
    ("a line is copied", |log| repeat(log, 5), Fault::Repeated, Some(5)),
    ("a record is put in between", |log| invent(log, 5), Fault::Repeated, Some(6)),
    ("a record is put in the place of another", |log| supplant(log, 5), Fault::Edited, Some(5)),
    ("the tail is cut within a line", cut_within_a_line, Fault::Truncated, Some(13)),
    ("the tail is cut before the last checkpoint", cut_a_checkpoint, Fault::Truncated, Some(11)),
    ("a checkpoint is signed by somebody else", forge, Fault::BadSignature, None),
    ("a checkpoint's root is edited", edit_root, Fault::BadSignature, None),
    ("the header's subtrees are edited", |log| edit_line(log, 0, "\"first\":0", "\"first\":1"), Fault::Header, None),
];

fn edit(log: &mut Log, seq: u64, from: &str, to: &str) {
    let at = log.line_of(seq);
    edit_line(log, at, from, to);
}

fn edit_line(log: &mut Log, at: usize, from: &str, to: &str) {
    log.lines[at] = log.lines[at].replacen(from, to, 1);
}

fn edit_prev(log: &mut Log, seq: u64) {
    let other = prev_of(Some(&leaf(b"something else")));
    let at = log.line_of(seq);
    log.lines[at] = format!("{{\"seq\":{seq},\"prev\":\"{other}\",\"outcome\":\"served\"}}");
}

fn remove(log: &mut Log, seq: u64) {
    let at = log.line_of(seq);
    log.lines.remove(at);
}

fn swap(log: &mut Log, one: u64, other: u64) {
    let (one, other) = (log.line_of(one), log.line_of(other));
    log.lines.swap(one, other);
}

fn repeat(log: &mut Log, seq: u64) {
    let at = log.line_of(seq);
    log.lines.insert(at + 1, log.lines[at].clone());
}

/// A record of somebody's own, which goes on from this one as the next should.
fn invent(log: &mut Log, seq: u64) {
    let at = log.line_of(seq);
    let prev = prev_of(Some(&leaf(log.lines[at].as_bytes())));
    log.lines.insert(at + 1, format!("{{\"seq\":{},\"prev\":\"{prev}\",\"outcome\":\"denied\"}}", seq + 1));
}

/// A record of somebody's own in the place of this one.
fn supplant(log: &mut Log, seq: u64) {
    invent(log, seq - 1);
    let at = log.line_of(seq);
    log.lines.remove(at + 1);
}

fn cut_within_a_line(log: &mut Log) {
    let last = log.lines.pop().unwrap();
    log.lines.push(last[..10].to_owned() + "\u{0}");
}

/// The last checkpoint was kept elsewhere.
fn cut_a_checkpoint(log: &mut Log) {
    let at = log.line_of(11);
    log.lines.truncate(at);
}

fn forge(log: &mut Log) {
    let at = log.lines.iter().rposition(|line| checkpoint_of(line).is_some()).unwrap();
    let note = checkpoint_of(&log.lines[at]).unwrap();
    let text = signer().verifier().open(&note).unwrap().to_owned();
    log.lines[at] = checkpoint_line(&Signer::new("backstay.example", [1; 32]).unwrap().sign(&text));
}

fn edit_root(log: &mut Log) {
    let at = log.lines.iter().rposition(|line| checkpoint_of(line).is_some()).unwrap();
    let note = checkpoint_of(&log.lines[at]).unwrap();
    log.lines[at] = checkpoint_line(&note.replacen("\n12\n", "\n13\n", 1));
}

#[test]
fn f_153_what_was_done_to_a_log_is_named_with_the_first_bad_record() {
    for (what, change, fault, sequence) in CASES {
        let mut log = Log::begin().records(14);
        change(&mut log);
        let text = log.text();
        // the cut within a line leaves no line feed behind it
        let text = text.strip_suffix("\u{0}\n").unwrap_or(&text);
        let finding = verify(text, &signer().verifier(), Some(&log.note)).expect_err(what);
        assert_eq!((finding.fault, finding.sequence), (*fault, *sequence), "{what}: {finding}");
    }
}

#[test]
fn f_153_another_key_holds_no_log() {
    let log = Log::begin().records(14);
    let other = Signer::new("backstay.example", [1; 32]).unwrap().verifier();
    let finding = verify(&log.text(), &other, None).unwrap_err();
    assert_eq!((finding.fault, finding.line), (Fault::BadSignature, 6), "{finding}");
}

#[test]
fn f_153_a_log_that_was_written_anew_from_some_record_on_does_not_fit_what_was_signed() {
    let (log, mut anew) = (Log::begin().records(14), Log::begin().records(5).saying("denied").records(9));
    // whoever has no signing key can only leave the old checkpoint in its place
    let second =
        |log: &Log| log.lines.iter().enumerate().filter(|(_, line)| checkpoint_of(line).is_some()).nth(1).unwrap().0;
    let at = second(&anew);
    anew.lines[at] = log.lines[second(&log)].clone();
    let finding = verify(&anew.text(), &signer().verifier(), None).unwrap_err();
    assert_eq!((finding.fault, finding.sequence), (Fault::Edited, Some(7)));
    assert!(finding.detail.contains("as far back as 4"), "{finding}");
}

#[test]
fn f_153_an_old_file_that_was_put_back_is_told_by_the_checkpoint_that_was_kept() {
    let (old, new) = (Log::begin().records(5), Log::begin().records(13));
    assert!(verify(&old.text(), &signer().verifier(), None).is_ok(), "by itself it is whole");
    let finding = verify(&old.text(), &signer().verifier(), Some(&new.note)).unwrap_err();
    assert_eq!((finding.fault, finding.sequence), (Fault::Truncated, Some(5)));
}
