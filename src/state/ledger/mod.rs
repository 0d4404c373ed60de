//! The ledger: what was spent, by whom and where, kept over restarts and crashes in one SQLite file.
//!
//! A call hands its entries over and goes on; one thread writes them in batches. What a budget may still spend is leased
//! from the ledger in steps. A batch takes entries in and lessens leases in one transaction, so that whenever the process
//! ends, what the ledger counts as spent or leased is no less than what was spent. Leases of a process that did not end
//! in good order stay counted until their period is over.

mod entry;
mod queue;
pub mod report;
mod store;
mod writer;

pub use entry::{Charge, Entry};

use crate::base::event::Sink;
use crate::snapshot::budget::Span;
use queue::Queue;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use writer::Writer;

/// The folder of the ledger within the state directory, and the file in it.
pub const FOLDER: &str = "ledger";
const FILE: &str = "ledger.sqlite";

/// A budget that asks for a lease.
pub struct Lease {
    /// Its account.
    pub account: Arc<str>,
    /// For which period.
    pub span: Span,
    /// How much, in micro-dollars; 0 only asks how much is left.
    pub amount: u64,
    /// The budget, in micro-dollars.
    pub most: u64,
    /// Who is told.
    pub borrower: Arc<dyn Borrower>,
}

/// Is told what was leased.
pub trait Borrower: Send + Sync {
    /// So much was leased, which may be less than was asked for, and so much is left, in micro-dollars.
    fn granted(&self, span: Span, amount: u64, left: u64);
}

/// The ledger of this process.
pub struct Ledger {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Opens the ledger of a state directory, and goes on trying where it cannot be opened.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(state_directory: &Path, process: u64, sink: Arc<dyn Sink>) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Queue::default());
        let path = state_directory.join(FOLDER).join(FILE);
        let writer = Writer::new(Arc::clone(&queue), path, format!("{process:016x}"), sink);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run())?;
        Ok(Arc::new(Self { queue, thread: Mutex::new(Some(thread)) }))
    }

    /// A ledger that nobody writes, for tools and tests: budgets get no lease from it.
    #[must_use]
    pub fn nowhere() -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        queue.is_failing(true);
        Arc::new(Self { queue, thread: Mutex::new(None) })
    }

    /// Hands entries over; never waits.
    pub fn record(&self, entries: Vec<Entry>) {
        self.queue.record(entries);
    }

    /// Asks for a lease; the borrower is told when there is one.
    pub fn lease(&self, lease: Lease) {
        self.queue.lease(lease);
    }

    /// Whether leases are to be had: the disk takes entries, and not too many of them wait.
    #[must_use]
    pub fn can_lease(&self) -> bool {
        self.queue.takes()
    }

    /// Entries that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Waits until everything so far is written, or the disk has been stuck for too long.
    pub fn flush(&self) {
        self.queue.flush();
    }

    /// Writes what is left and gives the leases back: the process ends in good order.
    pub fn close(&self) {
        let stuck = self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| !stuck) {
            drop(thread.join());
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
