//! Records that wait for the disk, no more than so many.

use crate::observe::decisions::Meters;
use crate::observe::decisions::record::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Records that wait before new calls are refused.
pub(super) const CAPACITY: usize = 10_000;
/// How long a flush waits for a disk that has stopped taking bytes.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Queue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    filled: Condvar,
    settled: Condvar,
    failing: AtomicBool,
    full: AtomicBool,
    meters: Meters,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    lost: u64,
    /// Some entries are with the thread, or not yet on the disk.
    busy: bool,
    /// Somebody waits for the disk.
    hurry: bool,
    closed: bool,
}

/// What the thread is to do.
pub(super) struct Order {
    /// Records that were lost since the last one.
    pub(super) lost: u64,
    /// Somebody waits for the disk.
    pub(super) hurry: bool,
    /// There will be no more.
    pub(super) closed: bool,
}

impl Queue {
    pub(super) fn new(meters: Meters, capacity: usize) -> Self {
        Self {
            capacity,
            waiting: Mutex::default(),
            filled: Condvar::new(),
            settled: Condvar::new(),
            failing: AtomicBool::new(false),
            full: AtomicBool::new(false),
            meters,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another record is sure to be kept.
    pub(super) fn takes(&self) -> bool {
        !self.failing.load(Ordering::Relaxed) && !self.full.load(Ordering::Relaxed)
    }

    /// The disk takes records, or does not.
    pub(super) fn is_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
        self.meters.writable.set(i64::from(!failing));
    }

    /// Hands a record over; never waits.
    pub(super) fn push(&self, entry: Entry) {
        let mut waiting = self.lock();
        // what is under way when the log fills up is still recorded
        if waiting.entries.len() >= 2 * self.capacity {
            waiting.lost += 1;
            drop(waiting);
            return self.meters.lost.inc();
        }
        waiting.entries.push(entry);
        let count = waiting.entries.len();
        drop(waiting);
        self.full.store(count >= self.capacity, Ordering::Relaxed);
        self.meters.lag.set(i64::try_from(count).unwrap_or(i64::MAX));
        if count == 1 {
            self.filled.notify_one();
        }
    }

    /// Waits for records at most so long, and adds them to `batch`.
    pub(super) fn take(&self, batch: &mut Vec<Entry>, at_most: Duration) -> Order {
        let nothing = batch.is_empty();
        let idle = |waiting: &mut Waiting| nothing && waiting.entries.is_empty() && !waiting.closed && !waiting.hurry;
        let waited = self.filled.wait_timeout_while(self.lock(), at_most, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // while the disk takes nothing, records wait here, where they are counted
        if batch.is_empty() {
            batch.append(&mut waiting.entries);
            self.full.store(false, Ordering::Relaxed);
            self.meters.lag.set(0);
        }
        waiting.busy |= !batch.is_empty();
        Order { lost: std::mem::take(&mut waiting.lost), hurry: waiting.hurry, closed: waiting.closed }
    }

    /// Everything that was taken is on the disk.
    pub(super) fn settled(&self) {
        let mut waiting = self.lock();
        waiting.busy = false;
        waiting.hurry &= !waiting.entries.is_empty();
        drop(waiting);
        self.settled.notify_all();
    }

    /// Waits until everything so far is on the disk, or for too long.
    pub(super) fn flush(&self) {
        let mut waiting = self.lock();
        waiting.hurry = true;
        self.filled.notify_one();
        let pending = |waiting: &mut Waiting| !waiting.entries.is_empty() || waiting.busy;
        drop(self.settled.wait_timeout_while(waiting, FLUSH_WITHIN, pending));
    }

    /// There will be no more. Returns whether the disk is stuck.
    pub(super) fn close(&self) -> bool {
        self.flush();
        let mut waiting = self.lock();
        waiting.closed = true;
        let stuck = waiting.busy || !waiting.entries.is_empty();
        drop(waiting);
        self.filled.notify_one();
        stuck
    }
}
