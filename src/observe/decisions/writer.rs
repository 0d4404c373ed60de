//! The thread that writes the decision log: batches to the file, the file to the disk, what is on the disk signed.

use crate::observe::decisions::Meters;
use crate::observe::decisions::file::LogFile;
use crate::observe::decisions::keys::Keys;
use crate::observe::decisions::queue::Queue;
use crate::observe::decisions::record::{Entry, Opened, What};
use crate::snapshot::audit::Audit;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a batch may grow. Within this time a new record wakes nobody, which is what makes it cheap.
const LINGER: Duration = Duration::from_millis(10);
/// The longest that a written record waits for the disk.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// The longest that a record waits for a checkpoint.
const SIGN_EVERY: Duration = Duration::from_secs(60);
/// The pause between attempts while the disk takes nothing.
const RETRY: Duration = Duration::from_millis(500);

/// What failed, as `backstay_audit_errors_total` counts it.
type Failed = (&'static str, io::Error);

pub(super) struct Writer {
    queue: Arc<Queue>,
    settings: Audit,
    directory: PathBuf,
    meters: Meters,
    log: Option<LogFile>,
    /// Taken from the queue and not known to be in the file.
    batch: Vec<Entry>,
    /// Where the batch began in the log when it could not be written: how much of it was is then found out.
    uncertain: Option<u64>,
    began: Instant,
    synced: Instant,
    signed: Instant,
    failing: bool,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, settings: Audit, directory: PathBuf, meters: Meters) -> Self {
        let now = Instant::now();
        let (log, batch, uncertain) = (None, Vec::new(), None);
        Self {
            queue,
            settings,
            directory,
            meters,
            log,
            batch,
            uncertain,
            began: now,
            synced: now,
            signed: now,
            failing: false,
        }
    }

    /// Opens the log, if it can be.
    pub(super) fn open(&mut self) {
        let opened = self.opened();
        self.judge(opened);
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let pause = self.pause();
            let order = self.queue.take(&mut self.batch, pause);
            if order.lost > 0 {
                let lost = self.entry(What::Lost(order.lost));
                self.batch.push(lost);
            }
            let written = self.write(order.hurry);
            let settled = matches!(written, Ok(true));
            let well = self.judge(written.map(|_| ()));
            if settled {
                self.queue.settled();
            }
            if order.closed {
                return;
            }
            thread::sleep(if well { LINGER } else { RETRY });
        }
    }

    /// How long to wait for the next record before something is due anyway.
    fn pause(&self) -> Duration {
        match &self.log {
            _ if self.failing => Duration::ZERO,
            Some(log) if log.is_synced() && !log.has_unsigned() => SIGN_EVERY,
            Some(log) if log.is_synced() => SIGN_EVERY.saturating_sub(self.signed.elapsed()),
            Some(_) | None => SYNC_EVERY.saturating_sub(self.synced.elapsed()),
        }
    }

    /// Writes the batch. Returns whether everything so far is on the disk.
    fn write(&mut self, hurry: bool) -> Result<bool, Failed> {
        self.opened()?;
        let Some(log) = &mut self.log else { return Ok(false) };
        while !self.batch.is_empty() {
            let at = log.next();
            match log.append(&self.batch) {
                Ok(count) => {
                    drop(self.batch.drain(..count));
                    self.meters.records.inc_by(count as u64);
                }
                Err(error) => {
                    (self.log, self.uncertain) = (None, Some(at));
                    return Err(("write", error));
                }
            }
        }
        let (sync_due, sign_due) = (self.synced.elapsed() >= SYNC_EVERY, self.signed.elapsed() >= SIGN_EVERY);
        let kept = if (sign_due || hurry) && log.has_unsigned() {
            self.signed = Instant::now();
            log.sign()
        } else if sync_due || hurry {
            log.sync()
        } else {
            return Ok(false);
        };
        self.synced = Instant::now();
        if let Err(error) = kept {
            (self.log, self.uncertain) = (None, None);
            return Err(("sync", error));
        }
        Ok(true)
    }

    /// Sees to it that the log is open, and that nothing is written twice.
    fn opened(&mut self) -> Result<(), Failed> {
        if self.log.is_some() {
            return Ok(());
        }
        let (log, opened) = self.found().map_err(|error| ("open", error))?;
        if let Some(at) = self.uncertain.take().filter(|_| opened.broken.is_none()) {
            let written = usize::try_from(log.next().saturating_sub(at)).unwrap_or(usize::MAX).min(self.batch.len());
            drop(self.batch.drain(..written));
        }
        if let Some(broken) = &opened.broken {
            tracing::error!(%broken, "the decision log is not as it was written; another one is begun");
            self.meters.errors.with(["broken"]).inc();
        }
        let entry = self.entry(What::Opened(opened));
        self.batch.insert(0, entry);
        self.log = Some(log);
        Ok(())
    }

    fn found(&self) -> io::Result<(LogFile, Opened)> {
        fs::create_dir_all(&self.directory)?;
        let keys = Arc::new(Keys::load(&self.settings, &self.directory)?);
        LogFile::open(&self.directory, keys, self.settings.rotate_bytes)
    }

    fn entry(&self, what: What) -> Entry {
        Entry { time: Timestamp::now(), since_start: self.began.elapsed(), what }
    }

    /// Tells once when the log cannot be written, and once when it can be again.
    fn judge(&mut self, done: Result<(), Failed>) -> bool {
        let failing = done.is_err();
        if let Err((op, error)) = done {
            self.meters.errors.with([op]).inc();
            if !self.failing {
                let directory = self.directory.display();
                let refused = self.settings.refuse_when_unwritable;
                tracing::error!(%directory, %op, %error, new_calls_are_refused = refused, "the decision log cannot be written");
            }
        } else if self.failing {
            tracing::warn!("the decision log can be written again");
        }
        if self.failing != failing {
            self.failing = failing;
            self.queue.is_failing(failing);
        }
        !failing
    }
}
