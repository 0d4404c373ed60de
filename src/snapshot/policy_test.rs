//! What became of the policies' own tests.

use crate::base::diagnostic::Place;
use std::sync::Arc;

/// One test of the policies, after it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTestOutcome {
    /// What it shows, in a sentence.
    pub name: Arc<str>,
    /// Where it is written.
    pub place: Place,
    /// What came otherwise than it says; empty where the policies keep it.
    pub wrong: Vec<String>,
}
