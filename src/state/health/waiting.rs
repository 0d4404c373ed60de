//! Attempts that wait for their first content: many that wait for long, without one success since, are a vendor that hangs.

use crate::base::clock::Moment;
use std::collections::BTreeMap;

/// So many attempts must wait for too long.
const MANY: usize = 5;
/// The oldest of those that wait are looked at.
const LOOKED_AT: usize = 64;

/// One attempt among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// The attempts that wait, each with the moment from which it waits for too long.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next: u64,
    late_from: BTreeMap<u64, Moment>,
}

impl Waiting {
    pub(super) fn begin(&mut self, late_from: Moment) -> Ticket {
        self.next += 1;
        self.late_from.insert(self.next, late_from);
        Ticket(self.next)
    }

    /// It ended without an answer.
    pub(super) fn end(&mut self, ticket: Ticket) {
        self.late_from.remove(&ticket.0);
    }

    /// One was answered: those that began before it prove nothing any more.
    pub(super) fn answered(&mut self) {
        self.late_from.clear();
    }

    /// Whether enough of them wait for too long.
    pub(super) fn hangs(&self, now: Moment) -> bool {
        self.late_from.values().take(LOOKED_AT).filter(|late_from| **late_from <= now).count() >= MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn five_that_wait_for_too_long_without_a_success_since_are_a_hang() {
        let mut waiting = Waiting::default();
        let tickets: Vec<_> = (0..5).map(|second| waiting.begin(at(second + 5))).collect();
        assert!(!waiting.hangs(at(8)));
        assert!(waiting.hangs(at(9)));
        waiting.end(tickets[2]);
        assert!(!waiting.hangs(at(9)), "one of them gave up");
        waiting.begin(at(9));
        assert!(waiting.hangs(at(9)));
        waiting.answered();
        assert!(!waiting.hangs(at(99)));
    }
}
