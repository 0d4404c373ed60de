//! How far an exchange has come among its candidates, and whom it asks next.

use crate::base::clock::Moment;
use crate::base::failure::Failure;
use crate::base::rejection::{Refusal, Rejection};
use crate::exchange::select::{Candidate, Selection};
use std::collections::VecDeque;

/// How far the walk has come.
pub(crate) struct Walk {
    pub(crate) queue: VecDeque<Candidate>,
    /// Those that had as much as they bear when they were asked.
    pub(crate) full: VecDeque<Candidate>,
    /// The first that failed in a way that often passes: worth another try when all others have failed.
    pub(crate) passing: Option<Candidate>,
    /// Those whose breakers are open, for when all others have failed.
    pub(crate) last: VecDeque<Candidate>,
    pub(crate) trickle: bool,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) failures: Vec<Failure>,
    /// What is wrong with the call itself.
    pub(crate) invalid: Option<Rejection>,
    pub(crate) made: u32,
    pub(crate) most: u32,
    /// Whether the first move to another deployment was made.
    pub(crate) moved: bool,
}

impl Walk {
    pub(crate) fn new(Selection { candidates, last, trickle, refusals }: Selection, most: u32) -> Self {
        let (full, failures) = (VecDeque::new(), Vec::new());
        Self {
            queue: candidates.into(),
            full,
            passing: None,
            last: last.into(),
            trickle,
            refusals,
            failures,
            invalid: None,
            made: 0,
            most,
            moved: false,
        }
    }

    /// Whom to ask next, and whether to wait for a place there: for the preferred one, when nobody else is left. After a
    /// failure those go behind whose own last attempt failed.
    pub(crate) fn next(&mut self, now: Moment) -> Option<(Candidate, bool)> {
        let well = |candidate: &Candidate| !candidate.health.fails(now);
        let place = if self.failures.is_empty() { None } else { self.queue.iter().position(well) };
        if let Some(candidate) = self.queue.remove(place.unwrap_or(0)) {
            return Some((candidate, false));
        }
        if let Some(candidate) = std::mem::take(&mut self.full).pop_front() {
            return Some((candidate, true));
        }
        if let Some(candidate) = self.passing.take() {
            return Some((candidate, false));
        }
        self.trickle |= !self.last.is_empty();
        self.last.pop_front().map(|candidate| (candidate, false))
    }

    /// Whether all that are left failed when they were asked last.
    pub(crate) fn all_others_fail(&self, now: Moment) -> bool {
        self.queue.iter().all(|other| other.health.fails(now))
    }
}
