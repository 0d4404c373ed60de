//! Floor 5: what was seen. Events become metrics, one access-log line for each exchange, and operational log lines.
//!
//! Nothing here decides anything, and nothing here makes a request wait: counters are atomics that were resolved when the
//! snapshot was installed, and access-log lines are written by a thread of their own.

mod access_log;
mod alerts;
pub mod decisions;
mod exchanges;
mod families;
mod json;
mod line;
pub mod logs;
mod metrics;
mod process;

pub use metrics::{BreakerState, BudgetReading, Readings};

use crate::base::event::{Event, ExchangeRecord, Sink};
use crate::base::secret::Secret;
use crate::observe::access_log::AccessLog;
use crate::observe::alerts::Alerts;
use crate::observe::decisions::DecisionLog;
use crate::observe::logs::OncePerMinute;
use crate::observe::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::snapshot::audit::Audit;
use jiff::Timestamp;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Tells the wall clock's time, for access-log lines.
pub type WallClock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Why observing could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two metrics of one name, or a name that Prometheus does not take.
    #[error("a metric cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A log's thread did not start.
    #[error("a log's thread cannot be started: {0}; is there a limit on threads (ulimit -u)?")]
    Thread(#[from] io::Error),
}

/// Where what was seen goes, beside metrics and operational log lines.
#[derive(Default)]
pub struct Outputs {
    /// Access-log lines.
    pub access_log: Option<Box<dyn Write + Send>>,
    /// The decision log: how it is kept, and in which state directory.
    pub decisions: Option<(Audit, PathBuf)>,
    /// The address that alerts are posted to.
    pub webhook: Option<Secret>,
}

/// Turns events into metrics and log lines.
pub struct Observer {
    metrics: Metrics,
    access_log: Option<AccessLog>,
    decisions: Option<DecisionLog>,
    alerts: Option<Alerts>,
    began: Instant,
    certificate_alerts: OncePerMinute,
    clock: WallClock,
}

impl Observer {
    /// An observer that writes access-log lines to `access_log`, or none where that is `None`.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(access_log: Option<Box<dyn Write + Send>>, clock: WallClock) -> Result<Arc<Self>, StartError> {
        Self::with(Outputs { access_log, ..Outputs::default() }, clock)
    }

    /// An observer with these outputs.
    ///
    /// # Errors
    /// [`StartError`]. A decision log that cannot be written is no reason not to start: it says so, and goes on trying.
    pub fn with(outputs: Outputs, clock: WallClock) -> Result<Arc<Self>, StartError> {
        let metrics = Metrics::new()?;
        let Outputs { access_log, decisions, webhook } = outputs;
        let access_log = access_log.map(|out| AccessLog::start(out, metrics.log_lines_dropped.clone())).transpose()?;
        let decisions = decisions
            .map(|(settings, directory)| DecisionLog::start(settings, directory, metrics.audit.clone()))
            .transpose()?;
        let alerts = webhook.map(|url| Alerts::start(url, metrics.alerts.clone())).transpose()?;
        let (certificate_alerts, began) = (OncePerMinute::default(), Instant::now());
        Ok(Arc::new(Self { metrics, access_log, decisions, alerts, began, certificate_alerts, clock }))
    }

    /// Learns the names that a snapshot's configuration gives: pools, deployments and keys of other names count as
    /// `other`. To be called before the snapshot serves.
    pub fn install(&self, snapshot: &Snapshot) {
        self.metrics.set_generation(snapshot.generation);
        self.metrics.exchanges.install(snapshot);
    }

    /// All metrics in Prometheus' text format, with the gauges as `readings` has them now.
    #[must_use]
    pub fn metrics(&self, readings: &Readings) -> String {
        self.metrics.render(readings)
    }

    /// Waits until every access-log line so far is written: before the process ends.
    pub fn flush(&self) {
        if let Some(log) = &self.access_log {
            log.flush();
        }
        if let Some(log) = &self.decisions {
            log.flush();
        }
    }

    fn exchange(&self, record: Box<ExchangeRecord>) {
        self.metrics.exchanges.count(&record);
        let (now, record) = ((self.clock)(), Arc::<ExchangeRecord>::from(record));
        if let Some(log) = &self.access_log {
            log.push(now, Arc::clone(&record));
        }
        if let Some(log) = &self.decisions {
            log.exchange(now, self.began.elapsed(), record);
        }
    }
}

impl Sink for Observer {
    fn emit(&self, event: Event) {
        match event {
            Event::Exchange(record) => self.exchange(record),
            event => {
                if let Some(log) = &self.decisions {
                    log.event((self.clock)(), self.began.elapsed(), &event);
                }
                if let Some(alerts) = &self.alerts {
                    alerts.note(&event);
                }
                self.metrics.count(&event);
                logs::tell(&event, |host| self.certificate_alerts.allows(host, Instant::now()));
            }
        }
    }

    fn can_record(&self) -> bool {
        self.decisions.as_ref().is_none_or(DecisionLog::can_record)
    }
}
