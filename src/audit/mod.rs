//! Floor 2: the decision log's form, so that nobody can change it unseen: a Merkle tree over its records, checkpoints that
//! are signed, and the check of both. Pure: who writes the log is `observe`, who reads it is the command line.
//!
//! `docs/audit.md` tells the format to auditors.

mod checkpoint;
mod header;
mod line;
mod merkle;
mod note;
mod verify;

pub use checkpoint::Checkpoint;
pub use header::Header;
pub use line::{Record, checkpoint_line, checkpoint_of, is_header, prev_of};
pub use merkle::{Tree, leaf};
pub use note::{KeyError, NoteError, Signer, Verifier};
pub use verify::{Fault, Finding, Reading, Report, read, verify};
