//! Every metric that Backstay exports, and which event it counts. What an exchange counts is in `exchanges`.

use crate::base::event::Event;
use crate::config::defaults::{POLICY_DIRECTORY, POLICY_TEST_DIRECTORY, PRICE_FILE, ZONE_FILE};
use crate::observe::exchanges::Exchanges;
use crate::observe::families::{Counters, Gauges, counter, gauge};
use crate::observe::process;
use crate::observe::{alerts, decisions};
use prometheus::{Error, IntCounter, IntGauge, Registry, TextEncoder};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The state of a breaker, as `backstay_breaker_state` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// In use.
    Closed,
    /// Being tried.
    HalfOpen,
    /// Not used.
    Open,
}

impl BreakerState {
    const fn value(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// What is measured at the moment of a scrape rather than counted: a name that is no longer read is no longer shown.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Attempts under way, by deployment id; those of one id add up.
    pub inflight: Vec<(Arc<str>, u32)>,
    /// What deployments that lost calls to overload are asked to carry at once; those of one id add up.
    pub admission_caps: Vec<(Arc<str>, u32)>,
    /// Ids of deployments that a restriction keeps from being asked, each once.
    pub restricted: Vec<Arc<str>>,
    /// Ids of deployments that some pool does without for their price, each once.
    pub surged: Vec<Arc<str>>,
    /// Breakers, by node.
    pub breakers: Vec<(Arc<str>, BreakerState)>,
    /// Seconds until a certificate of ours ends, negative afterwards, by file.
    pub certificates: Vec<(Arc<str>, i64)>,
    /// Budgets of keys and teams.
    pub budgets: Vec<BudgetReading>,
    /// Entries that wait for the ledger.
    pub ledger_lag: usize,
}

/// How a budget stands, in micro-dollars.
#[derive(Clone, Debug)]
pub struct BudgetReading {
    /// `key/NAME` or `team/NAME`.
    pub account: Arc<str>,
    /// What may be spent in its period.
    pub limit_microusd: u64,
    /// What is spent or held back.
    pub gone_microusd: u64,
    /// What is held back for open calls.
    pub reserved_microusd: u64,
}

pub(super) struct Metrics {
    pub(super) exchanges: Exchanges,
    pub(super) log_lines_dropped: IntCounter,
    pub(super) audit: decisions::Meters,
    pub(super) alerts: alerts::Meters,
    registry: Registry,
    scraping: Mutex<()>,

    breaker_transitions: Counters<3>,
    retry_budget_denied: Counters<1>,
    continuations: Counters<2>,
    hedges: Counters<2>,
    limits_rejected: Counters<1>,
    tls_failures: Counters<2>,
    reloads: Counters<2>,
    probes: Counters<2>,
    connections_lost: Counters<2>,
    vendor_certificates_refused: Counters<1>,
    restrictions: Counters<2>,
    surges: Counters<2>,
    budgets_spent: Counters<2>,
    quotas_spent: Counters<2>,
    vendor_reports: Counters<2>,

    ledger_writable: IntGauge,
    ids_writable: IntGauge,
    ledger_lag: IntGauge,
    budget_limit: Gauges,
    budget_gone: Gauges,
    budget_reserved: Gauges,
    generation: IntGauge,
    isolated: IntGauge,
    last_reload_accepted: IntGauge,
    draining: IntGauge,
    restricted: Gauges,
    surged: Gauges,
    inflight: Gauges,
    admission_caps: Gauges,
    breaker_state: Gauges,
    certificate_expiry: Gauges,
}

impl Metrics {
    pub(super) fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let r = &registry;
        let changes = ["node", "to", "reason"];
        let lost = ["deployment", "class"];
        let metrics = Self {
            exchanges: Exchanges::new(r)?,
            log_lines_dropped: counter(r, "log_lines_dropped_total", "Access-log lines that were not written")?,
            audit: decisions::Meters::new(r)?,
            alerts: alerts::Meters::new(r)?,
            scraping: Mutex::new(()),
            breaker_transitions: Counters::new(r, "breaker_transitions_total", "Changes of breakers", changes)?,
            retry_budget_denied: Counters::new(r, "retry_budget_denied_total", "Attempts it refused", ["pool"])?,
            continuations: Counters::new(r, "continuations_total", "Streams that broke", ["pool", "outcome"])?,
            hedges: Counters::new(r, "hedges_total", "Slow calls that were hedged or were to be", ["pool", "outcome"])?,
            limits_rejected: Counters::new(r, "limit_rejected_total", "What our own limits refused", ["limit"])?,
            tls_failures: Counters::new(r, "tls_failures_total", "Failed TLS handshakes", ["side", "reason"])?,
            reloads: Counters::new(r, "reload_total", "Reloads; what kind of file was wrong", ["file", "result"])?,
            probes: Counters::new(r, "probes_total", "Active probes by outcome class", ["node", "class"])?,
            connections_lost: Counters::new(r, "upstream_connections_lost_total", "Broken connections", lost)?,
            vendor_certificates_refused: Counters::new(
                r,
                "vendor_certificate_refused_total",
                "Handshakes that ended because a vendor's certificate is not acceptable",
                ["host"],
            )?,
            restrictions: Counters::new(
                r,
                "restrictions_total",
                "Restrictions that began or ended",
                ["cause", "change"],
            )?,
            budgets_spent: Counters::new(r, "budget_changes_total", "Budgets spent or open again", ["budget", "to"])?,
            ledger_writable: gauge(r, "ledger_writable", "0 while the ledger cannot be written")?,
            ids_writable: gauge(r, "ids_writable", "0 while the register of vendors' ids cannot be written")?,
            ledger_lag: gauge(r, "ledger_lag_entries", "Entries that wait to be written")?,
            budget_limit: Gauges::new(r, "budget_limit_microusd", "What may be spent in a period", "budget")?,
            budget_gone: Gauges::new(r, "budget_gone_microusd", "Spent or held back of it", "budget")?,
            budget_reserved: Gauges::new(r, "budget_reserved_microusd", "Held back for open calls", "budget")?,
            quotas_spent: Counters::new(
                r,
                "quota_spent_total",
                "Credentials whose money or quota at the vendor is spent, or no longer is",
                ["credential", "change"],
            )?,
            surges: Counters::new(r, "surges_total", "Surges that began or ended", ["pool", "change"])?,
            surged: Gauges::new(r, "surged", "1 while some pool does without it for its price", "deployment")?,
            restricted: Gauges::new(r, "restricted", "1 while a restriction keeps it from being asked", "deployment")?,
            vendor_reports: Counters::new(
                r,
                "vendor_reports_total",
                "Changes of what vendors' status pages say",
                ["vendor", "report"],
            )?,
            isolated: gauge(r, "all_vendors_unreachable", "1 while no vendor can be reached at all")?,
            generation: gauge(r, "snapshot_generation", "Number of the snapshot that serves")?,
            last_reload_accepted: gauge(r, "last_reload_accepted", "1, or 0 while the files are wrong")?,
            draining: gauge(r, "draining", "1 while the process is going down")?,
            inflight: Gauges::new(r, "inflight", "Attempts under way", "deployment")?,
            admission_caps: Gauges::new(r, "admission_cap", "Attempts at once after losses to overload", "deployment")?,
            breaker_state: Gauges::new(r, "breaker_state", "0 closed, 1 half-open, 2 open", "node")?,
            certificate_expiry: Gauges::new(r, "cert_expiry_seconds", "Until a certificate of ours ends", "cert")?,
            registry,
        };
        metrics.last_reload_accepted.set(1);
        metrics.ledger_writable.set(1);
        metrics.ids_writable.set(1);
        Gauges::new(&metrics.registry, "build_info", "1, with the version", "version")?
            .replace([(env!("CARGO_PKG_VERSION"), 1)]);
        Ok(metrics)
    }

    pub(super) fn set_generation(&self, generation: u64) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    }

    /// Counts one event. Its names come from the configuration or are our own words, never a client's or a vendor's.
    pub(super) fn count(&self, event: &Event) {
        match event {
            Event::Exchange(record) => self.exchanges.count(record),
            Event::Breaker { node, to, reason } => self.breaker_transitions.with([node, to, reason]).inc(),
            Event::Isolated { began } => self.isolated.set(i64::from(*began)),
            Event::VendorReport { vendor, report } => self.vendor_reports.with([vendor, report]).inc(),
            Event::RetryBudgetDenied { pool } => self.retry_budget_denied.with([pool]).inc(),
            Event::Continuation { pool, outcome } => self.continuations.with([pool, outcome]).inc(),
            Event::Hedge { pool, outcome } => self.hedges.with([pool, outcome.label()]).inc(),
            Event::LimitRejected { limit } => self.limits_rejected.with([limit]).inc(),
            Event::TlsFailed { side, reason } => self.tls_failures.with([side, reason]).inc(),
            Event::Reload { accepted, generation, diagnostics, .. } => {
                self.last_reload_accepted.set(i64::from(*accepted));
                if *accepted {
                    self.set_generation(*generation);
                    self.reloads.with(["all", "accepted"]).inc();
                } else {
                    self.reloads.with([kind_of_file(diagnostics), "rejected"]).inc();
                }
            }
            Event::Probe { node, failure } => {
                self.probes.with([node, failure.map_or("ok", |kind| kind.class())]).inc();
            }
            Event::UpstreamConnectionLost { deployment, class } => {
                self.connections_lost.with([deployment, class]).inc();
            }
            Event::VendorCertificate { host, .. } => self.vendor_certificates_refused.with([host]).inc(),
            Event::Restriction { restriction, began, .. } => {
                let change = if *began { "began" } else { "ended" };
                self.restrictions.with([restriction.cause.label(), change]).inc();
            }
            Event::QuotaSpent { credential, spent } => {
                self.quotas_spent.with([credential, if *spent { "began" } else { "ended" }]).inc();
            }
            Event::Surge { surge, began } => {
                self.surges.with([&surge.pool, if *began { "began" } else { "ended" }]).inc();
            }
            Event::Operator { .. } => {}
            Event::Budget { account, spent } => {
                self.budgets_spent.with([account, if *spent { "spent" } else { "open" }]).inc();
            }
            Event::Ledger { failing } => self.ledger_writable.set(i64::from(failing.is_none())),
            Event::Ids { failing } => self.ids_writable.set(i64::from(failing.is_none())),
            Event::Drain { .. } => self.draining.set(1),
        }
    }

    /// Prometheus' text format.
    pub(super) fn render(&self, readings: &Readings) -> String {
        // one scrape at a time: no other sees the gauges between their reset and their setting
        let _alone = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        self.restricted.replace(readings.restricted.iter().map(|id| (&**id, 1)));
        self.surged.replace(readings.surged.iter().map(|id| (&**id, 1)));
        self.ledger_lag.set(i64::try_from(readings.ledger_lag).unwrap_or(i64::MAX));
        let budgets = |amount: fn(&BudgetReading) -> u64| {
            let shown = move |of: &BudgetReading| i64::try_from(amount(of)).unwrap_or(i64::MAX);
            readings.budgets.iter().map(move |of| (&*of.account, shown(of)))
        };
        self.budget_limit.replace(budgets(|of| of.limit_microusd));
        self.budget_gone.replace(budgets(|of| of.gone_microusd));
        self.budget_reserved.replace(budgets(|of| of.reserved_microusd));
        self.inflight.replace(readings.inflight.iter().map(|(id, count)| (&**id, i64::from(*count))));
        self.admission_caps.replace(readings.admission_caps.iter().map(|(id, cap)| (&**id, i64::from(*cap))));
        self.breaker_state.replace(readings.breakers.iter().map(|(node, state)| (&**node, state.value())));
        self.certificate_expiry.replace(readings.certificates.iter().map(|(file, seconds)| (&**file, *seconds)));
        let mut text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be written as text");
            String::new()
        });
        process::append(&mut text);
        text
    }
}

/// The kind of file that the first error is about: a closed set, because a path is no label. Certificates and secrets count
/// as config: the line that names them is where the error is.
fn kind_of_file(diagnostics: &[String]) -> &'static str {
    let place = diagnostics.iter().find_map(|text| text.split_once(": error: ")).map_or("", |(place, _)| place);
    let file = Path::new(place.trim_end_matches(|c: char| c == ':' || c.is_ascii_digit()));
    let is_named = |name| file.file_name().is_some_and(|found| found == name);
    let of_policies =
        is_named(ZONE_FILE) || file.parent().is_some_and(|folder| folder.ends_with(POLICY_TEST_DIRECTORY));
    if file.extension().is_some_and(|found| found == "cedar") || is_named(POLICY_DIRECTORY) || of_policies {
        "policy"
    } else if is_named(PRICE_FILE) {
        "prices"
    } else {
        "config"
    }
}
