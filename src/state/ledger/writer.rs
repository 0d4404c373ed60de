//! The thread that writes the ledger: batch after batch, each in one transaction, again until the disk takes it.

use crate::base::event::{Event, Sink};
use crate::state::clock::Clock;
use crate::state::ledger::queue::{Batch, Queue};
use crate::state::ledger::store::{Store, Unwritable};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a batch may grow while nobody waits for it: a transaction for many entries costs little more than for one.
const LINGER: Duration = Duration::from_millis(20);
/// The pause between attempts while the disk takes nothing.
const RETRY: Duration = Duration::from_millis(250);
/// How often what is too old is removed, and how old that is.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const KEEP_ENTRIES_S: i64 = 35 * 86_400;

pub(super) struct Writer {
    queue: Arc<Queue>,
    path: PathBuf,
    process: String,
    sink: Arc<dyn Sink>,
    store: Option<Store>,
    batch: Batch,
    /// Counts batches, so that none is written twice.
    number: i64,
    failing: bool,
    pruned: Option<Instant>,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, path: PathBuf, process: String, sink: Arc<dyn Sink>) -> Self {
        let batch = Batch::default();
        Self { queue, path, process, sink, store: None, batch, number: 1, failing: false, pruned: None }
    }

    /// Writes until the queue is closed and empty; then gives back what was leased.
    pub(super) fn run(mut self) {
        loop {
            let more = self.queue.take(&mut self.batch, if self.failing { Duration::ZERO } else { PRUNE_EVERY });
            let written = self.write();
            let well = self.judge(written);
            if !more && (!well || self.batch.is_empty()) {
                break;
            }
            if well {
                self.queue.gather(LINGER);
            } else {
                thread::sleep(RETRY);
            }
        }
        if let Some(Err(error)) = self.store.as_mut().map(Store::end) {
            tracing::error!(%error, "the ledger's leases were not given back; they count as spent in this period");
        }
    }

    fn write(&mut self) -> Result<(), Unwritable> {
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(&self.path, &self.process)?),
        };
        let now = Clock::unix_seconds();
        if !self.batch.is_empty() {
            let granted = store.write(self.number, &self.batch, now)?;
            self.number += 1;
            self.batch.entries.clear();
            for (lease, grant) in std::mem::take(&mut self.batch.leases).into_iter().zip(granted) {
                lease.borrower.granted(lease.span, grant.amount, grant.left);
            }
        }
        self.queue.settled();
        if self.pruned.is_none_or(|then| then.elapsed() >= PRUNE_EVERY) {
            self.pruned = Some(Instant::now());
            store.prune(now - KEEP_ENTRIES_S)?;
        }
        Ok(())
    }

    /// Tells once when the ledger cannot be written, and once when it can be again.
    fn judge(&mut self, written: Result<(), Unwritable>) -> bool {
        let failing = written.is_err();
        if failing != self.failing {
            self.failing = failing;
            self.queue.is_failing(failing);
            let why = written.err().map(|error| Arc::from(format!("{}: {error}", self.path.display())));
            self.sink.emit(Event::Ledger { failing: why });
        }
        !failing
    }
}
