//! Entries that wait for the disk, no more than so many.

use crate::state::ledger::{Entry, Lease};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Entries that wait one by one; beyond them those of one key and deployment are summed up, and no lease is given.
pub(super) const CAPACITY: usize = 10_000;
/// How long a flush waits for a disk that has stopped taking bytes.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    /// Told when somebody waits for what is written next.
    urged: Condvar,
    settled: Condvar,
    failing: AtomicBool,
    full: AtomicBool,
}

/// Key, pool and deployment.
type Whose = (Arc<str>, Arc<str>, Arc<str>);

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// What came when there was no more room.
    sums: HashMap<Whose, Entry>,
    leases: Vec<Lease>,
    /// Some of it is with the thread, and not yet written.
    busy: bool,
    closed: bool,
    /// Somebody waits for what is written next.
    urgent: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.leases.is_empty() && self.sums.is_empty()
    }
}

/// What is to be written at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) leases: Vec<Lease>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.leases.is_empty()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another entry is sure to be kept as it is.
    pub(super) fn takes(&self) -> bool {
        !self.failing.load(Ordering::Relaxed) && !self.full.load(Ordering::Relaxed)
    }

    /// The disk takes entries, or does not.
    pub(super) fn is_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> usize {
        let waiting = self.lock();
        waiting.entries.len() + waiting.sums.len()
    }

    pub(super) fn record(&self, entries: Vec<Entry>) {
        let mut waiting = self.lock();
        let idle = waiting.is_empty();
        for entry in entries {
            if waiting.entries.len() < CAPACITY {
                waiting.entries.push(entry);
            } else {
                sum_up(&mut waiting.sums, entry);
            }
        }
        let full = waiting.entries.len() >= CAPACITY;
        drop(waiting);
        self.full.store(full, Ordering::Relaxed);
        if idle {
            self.filled.notify_one();
        }
    }

    pub(super) fn lease(&self, lease: Lease) {
        let mut waiting = self.lock();
        // each account asks once at a time, so that there are no more of them than accounts
        waiting.leases.push(lease);
        waiting.urgent = true;
        drop(waiting);
        self.filled.notify_one();
        self.urged.notify_one();
    }

    /// Lets entries gather for so long, or until somebody waits for what they come to.
    pub(super) fn gather(&self, at_most: Duration) {
        let calm = |waiting: &mut Waiting| !waiting.urgent && !waiting.closed;
        drop(self.urged.wait_timeout_while(self.lock(), at_most, calm));
    }

    /// Waits until there is something to write, or for so long, and adds it to `batch`. Returns whether there will be more.
    pub(super) fn take(&self, batch: &mut Batch, at_most: Duration) -> bool {
        let nothing = batch.is_empty();
        let idle = |waiting: &mut Waiting| nothing && waiting.is_empty() && !waiting.closed;
        let waited = self.filled.wait_timeout_while(self.lock(), at_most, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // a batch stays as it is until it is written; meanwhile entries wait here, where they are counted
        if batch.is_empty() {
            batch.entries.append(&mut waiting.entries);
            batch.entries.extend(std::mem::take(&mut waiting.sums).into_values());
            batch.leases.append(&mut waiting.leases);
            waiting.urgent = false;
            self.full.store(false, Ordering::Relaxed);
        }
        waiting.busy |= !batch.is_empty();
        !waiting.closed
    }

    /// Everything that was taken is written.
    pub(super) fn settled(&self) {
        self.lock().busy = false;
        self.settled.notify_all();
    }

    /// Waits until everything so far is written, or for too long. Returns whether it is.
    pub(super) fn flush(&self) -> bool {
        let pending = |waiting: &mut Waiting| !waiting.is_empty() || waiting.busy;
        let mut waiting = self.lock();
        waiting.urgent = true;
        self.urged.notify_one();
        let waited = self.settled.wait_timeout_while(waiting, FLUSH_WITHIN, pending);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.is_empty() && !waiting.busy
    }

    /// There will be no more. Returns whether the disk is stuck.
    pub(super) fn close(&self) -> bool {
        let stuck = !self.failing.load(Ordering::Relaxed) && !self.flush();
        self.lock().closed = true;
        self.filled.notify_one();
        self.urged.notify_one();
        stuck
    }
}

fn sum_up(sums: &mut HashMap<Whose, Entry>, entry: Entry) {
    let whose = (Arc::clone(&entry.key), Arc::clone(&entry.pool), Arc::clone(&entry.deployment));
    match sums.get_mut(&whose) {
        Some(sum) => sum.fold(entry),
        None => drop(sums.insert(whose, entry)),
    }
}
