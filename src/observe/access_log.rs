//! The access log's queue and thread: a request hands its record over and goes on, one thread writes lines in batches.

use crate::base::event::ExchangeRecord;
use crate::observe::line;
use jiff::Timestamp;
use prometheus::IntCounter;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Records that wait at most; beyond them lines are dropped and counted, because a slow disk must not slow requests.
const CAPACITY: usize = 16_384;
/// How long the thread lets a batch grow. Within this time a new record wakes nobody, which is what makes it cheap.
const LINGER: Duration = Duration::from_millis(10);
/// How long a flush waits for a writer that has stopped taking bytes.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// Writes one line for each exchange.
pub(super) struct AccessLog {
    queue: Arc<Queue>,
    dropped: IntCounter,
    thread: Option<JoinHandle<()>>,
}

type Entry = (Timestamp, Arc<ExchangeRecord>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// A batch is with the thread.
    writing: bool,
    closed: bool,
}

impl AccessLog {
    pub(super) fn start(out: impl Write + Send + 'static, dropped: IntCounter) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn({
            let (queue, dropped) = (Arc::clone(&queue), dropped.clone());
            move || write_batches(&queue, out, &dropped)
        })?;
        Ok(Self { queue, dropped, thread: Some(thread) })
    }

    /// Hands a record over; never waits.
    pub(super) fn push(&self, time: Timestamp, record: Arc<ExchangeRecord>) {
        let mut waiting = self.queue.lock();
        if waiting.entries.len() >= CAPACITY {
            drop(waiting);
            return self.dropped.inc();
        }
        waiting.entries.push((time, record));
        let first = waiting.entries.len() == 1;
        drop(waiting);
        if first {
            self.queue.filled.notify_one();
        }
    }

    /// Waits until all records so far are written, or the writer has been stuck for too long.
    pub(super) fn flush(&self) {
        let waiting = self.queue.lock();
        let pending = |waiting: &mut Waiting| !waiting.entries.is_empty() || waiting.writing;
        drop(self.queue.written.wait_timeout_while(waiting, FLUSH_WITHIN, pending));
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
        let mut waiting = self.queue.lock();
        waiting.closed = true;
        let stuck = waiting.writing;
        drop(waiting);
        self.queue.filled.notify_one();
        if let Some(thread) = self.thread.take().filter(|_| !stuck) {
            drop(thread.join());
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, in exchange for an empty one to fill; `None` when the log is closed.
    fn take(&self, empty: Vec<Entry>) -> Option<Vec<Entry>> {
        let idle = |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.closed;
        let mut waiting = self.filled.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if waiting.entries.is_empty() {
            return None;
        }
        waiting.writing = true;
        Some(std::mem::replace(&mut waiting.entries, empty))
    }
}

fn write_batches(queue: &Queue, mut out: impl Write, dropped: &IntCounter) {
    let mut spare = Vec::new();
    let mut text = Vec::new();
    while let Some(mut batch) = queue.take(std::mem::take(&mut spare)) {
        text.clear();
        batch.iter().for_each(|(time, record)| line::write(&mut text, *time, record));
        if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
            tracing::debug!(%error, "access-log lines cannot be written");
            dropped.inc_by(batch.len() as u64);
        }
        batch.clear();
        spare = batch;
        queue.lock().writing = false;
        queue.written.notify_all();
        thread::sleep(LINGER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{Grounds, Outcome};
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A writer that tells of each batch, and waits for leave where it is given a gate.
    struct Paper {
        batches: Sender<Vec<u8>>,
        gate: Option<Receiver<()>>,
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.batches.send(bytes.to_vec()).unwrap();
            if let Some(gate) = &self.gate {
                gate.recv().map_err(io::Error::other)?;
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn record(request_id: &str) -> Arc<ExchangeRecord> {
        Arc::new(ExchangeRecord {
            request_id: request_id.to_owned(),
            key: "".into(),
            dialect: "openai_chat",
            pool: "".into(),
            model: String::new(),
            served_by: None,
            outcome: Outcome::Rejected("invalid_api_key"),
            status: 401,
            streamed: false,
            attempts: Vec::new(),
            tokens: None,
            cost: None,
            bytes_in: 0,
            bytes_out: 0,
            took: Duration::ZERO,
            denied_by: Vec::new(),
            policy: "".into(),
            grounds: Grounds::default(),
        })
    }

    fn dropped() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    #[test]
    fn a_flush_returns_when_every_line_is_written_in_order() {
        let (batches, paper) = channel();
        let log = AccessLog::start(Paper { batches, gate: None }, dropped()).unwrap();
        for number in 0..1_000 {
            log.push(Timestamp::UNIX_EPOCH, record(&format!("r{number:04}")));
        }
        log.flush();
        let text = String::from_utf8(paper.try_iter().flatten().collect()).unwrap();
        assert_eq!(text.lines().count(), 1_000);
        assert!(text.lines().is_sorted_by_key(|line| line.split("\"request_id\":").nth(1)));
    }

    #[test]
    fn a_writer_that_is_stuck_costs_lines_and_never_a_request() {
        let (batches, paper) = channel();
        let (leave, gate) = channel();
        let dropped = dropped();
        let log = AccessLog::start(Paper { batches, gate: Some(gate) }, dropped.clone()).unwrap();
        log.push(Timestamp::UNIX_EPOCH, record("first"));
        paper.recv().unwrap();
        for _ in 0..CAPACITY + 3 {
            log.push(Timestamp::UNIX_EPOCH, record("more"));
        }
        assert_eq!(dropped.get(), 3);
        drop(leave);
        drop(log);
        assert_eq!(dropped.get(), CAPACITY as u64 + 4, "a writer that fails loses its batch, and it is counted");
    }
}
