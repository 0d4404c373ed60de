//! The decision log: one record for each exchange, each restriction, each act of an operator and each reload.
//!
//! A request hands its record over and goes on; one thread writes batches, waits for the disk and signs. While the disk does
//! not take them the records wait in a bounded queue, and where nothing may go unrecorded new calls are refused.

mod file;
pub mod keys;
mod queue;
mod record;
mod writer;

#[cfg(test)]
mod tests;

use crate::base::event::{Event, ExchangeRecord};
use crate::observe::families::{Counters, counter, gauge};
use crate::snapshot::audit::Audit;
use jiff::Timestamp;
use prometheus::{IntCounter, IntGauge, Registry};
use queue::Queue;
use record::{Entry, What};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use writer::Writer;

/// The folder of the log within the state directory.
pub const FOLDER: &str = "decisions";

/// What is counted of the log.
#[derive(Clone)]
pub(super) struct Meters {
    records: IntCounter,
    errors: Arc<Counters<1>>,
    lost: IntCounter,
    lag: IntGauge,
    writable: IntGauge,
}

impl Meters {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let meters = Self {
            records: counter(registry, "audit_records_total", "Records of the decision log that were written")?,
            errors: Arc::new(Counters::new(registry, "audit_errors_total", "What failed about the log", ["op"])?),
            lost: counter(registry, "audit_lost_total", "Records of the decision log that could not be kept")?,
            lag: gauge(registry, "audit_lag_records", "Records that wait to be written")?,
            writable: gauge(registry, "audit_writable", "0 while the decision log cannot be written")?,
        };
        for op in ["open", "write", "sync", "broken"] {
            meters.errors.with([op]);
        }
        meters.writable.set(1);
        Ok(meters)
    }
}

/// Keeps the decision log.
pub(super) struct DecisionLog {
    queue: Arc<Queue>,
    refuse: bool,
    thread: Option<JoinHandle<()>>,
}

impl DecisionLog {
    /// Opens the log, and goes on trying where it cannot be.
    pub(super) fn start(settings: Audit, state_directory: PathBuf, meters: Meters) -> io::Result<Self> {
        Self::holding(queue::CAPACITY, settings, state_directory, meters)
    }

    /// The same with so many records that may wait.
    fn holding(capacity: usize, settings: Audit, state_directory: PathBuf, meters: Meters) -> io::Result<Self> {
        let (queue, refuse) = (Arc::new(Queue::new(meters.clone(), capacity)), settings.refuse_when_unwritable);
        let mut writer = Writer::new(Arc::clone(&queue), settings, state_directory.join(FOLDER), meters);
        writer.open();
        let thread = thread::Builder::new().name("decision-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { queue, refuse, thread: Some(thread) })
    }

    /// Whether new calls may be taken.
    pub(super) fn can_record(&self) -> bool {
        !self.refuse || self.queue.takes()
    }

    /// Records an exchange; never waits.
    pub(super) fn exchange(&self, time: Timestamp, since_start: Duration, record: Arc<ExchangeRecord>) {
        self.queue.push(Entry { time, since_start, what: What::Exchange(record) });
    }

    /// Records what an auditor asks about, of all that happens beside exchanges.
    pub(super) fn event(&self, time: Timestamp, since_start: Duration, event: &Event) {
        let recorded = matches!(
            event,
            Event::Restriction { .. } | Event::Operator { .. } | Event::Reload { .. } | Event::Drain { .. }
        );
        if recorded {
            self.queue.push(Entry { time, since_start, what: What::Event(event.clone()) });
        }
    }

    /// Waits until everything so far is on the disk and signed, or the disk has been stuck for too long.
    pub(super) fn flush(&self) {
        self.queue.flush();
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        let stuck = self.queue.close();
        if let Some(thread) = self.thread.take().filter(|_| !stuck) {
            drop(thread.join());
        }
    }
}
