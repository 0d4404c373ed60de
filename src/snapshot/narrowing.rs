//! What request headers may say about a call: they narrow what the key says, and never widen it.

use crate::snapshot::Snapshot;
use crate::snapshot::key::Key;
use std::sync::Arc;

/// Why a residency that a client asks for cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nobody knows such a zone.
    Unknown,
    /// It does not lie within the key's zone.
    Contradicts,
}

impl Snapshot {
    /// The zone where a call's data must stay: the narrower of the key's and of the one that the client asks for,
    /// whatever the case of its letters.
    ///
    /// # Errors
    /// The zone is unknown, or neither of the two lies within the other.
    pub fn residency(&self, key: &Key, asked: &str) -> Result<Arc<str>, Unfit> {
        let vocabulary = self.policy.vocabulary();
        let asked = vocabulary.zone(asked).filter(|zone| **zone != *crate::policy::vocabulary::UNKNOWN);
        let asked = asked.ok_or(Unfit::Unknown)?;
        if vocabulary.within(&asked, &key.residency) {
            return Ok(asked);
        }
        if vocabulary.within(&key.residency, &asked) {
            return Ok(Arc::clone(&key.residency));
        }
        Err(Unfit::Contradicts)
    }

    /// The data class of this name, if there is one; policy refuses calls that hold a class which nobody knows.
    #[must_use]
    pub fn data_class(&self, name: &str) -> Option<Arc<str>> {
        self.policy.vocabulary().data.get(name).cloned()
    }
}
