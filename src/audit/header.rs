//! The first line of each file of a decision log: which log it is, and where the file before it ended.

use crate::audit::line::{hash_of, hash_text};
use crate::audit::{Checkpoint, Tree, Verifier};
use crate::base::hash::Digest;
use serde::{Deserialize, Serialize};

/// The form's number.
const FORM: u32 = 1;

/// The first line of a file: one log runs through all of its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The form of what follows.
    backstay_log: u32,
    /// The log's name, as in its checkpoints.
    pub origin: String,
    /// The number of the file in its log, from 1.
    pub file: u64,
    /// The sequence number of its first record.
    pub first: u64,
    /// The leaf hash of the record before that, empty where there is none.
    pub prev: String,
    /// The full subtrees over all records before, the largest first.
    peaks: Vec<String>,
    /// The signed checkpoint that the file before ended with, empty in the first.
    pub checkpoint: String,
}

impl Header {
    /// The header of the file that goes on after `tree` and its last leaf, where the log before was signed so.
    #[must_use]
    pub fn new(origin: &str, file: u64, tree: &Tree, last: Option<&Digest>, checkpoint: &str) -> Self {
        Self {
            backstay_log: FORM,
            origin: origin.to_owned(),
            file,
            first: tree.size(),
            prev: last.map(hash_text).unwrap_or_default(),
            peaks: tree.peaks().iter().map(hash_text).collect(),
            checkpoint: checkpoint.to_owned(),
        }
    }

    /// Reads the line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let header: Self =
            serde_json::from_str(line).map_err(|error| format!("the first line is no header: {error}"))?;
        if header.backstay_log != FORM {
            return Err(format!("the form {} is not known; a newer Backstay reads it", header.backstay_log));
        }
        Ok(header)
    }

    /// The line, without its line feed.
    #[must_use]
    pub fn line(&self) -> String {
        // a structure of strings and numbers always has a JSON form
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The tree over all records before this file, if header and signed checkpoint agree on it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn tree(&self, verifier: &Verifier) -> Result<Tree, String> {
        let peaks: Option<Vec<Digest>> = self.peaks.iter().map(|text| hash_of(text)).collect();
        let tree = peaks.and_then(|peaks| Tree::of_peaks(self.first, peaks));
        let tree = tree.ok_or("the header's subtrees do not fit its first sequence number")?;
        if self.checkpoint.is_empty() {
            return if self.first == 0 {
                Ok(tree)
            } else {
                Err("the header lacks the checkpoint before it".to_owned())
            };
        }
        let text = verifier.open(&self.checkpoint).map_err(|error| format!("the header's checkpoint: {error}"))?;
        let checkpoint = Checkpoint::parse(text).ok_or("the header's checkpoint is none")?;
        let expected = Checkpoint { origin: self.origin.clone(), size: self.first, root: tree.root() };
        if checkpoint == expected { Ok(tree) } else { Err("the header and its checkpoint differ".to_owned()) }
    }
}
