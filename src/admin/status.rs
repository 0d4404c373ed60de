//! What `/status` says: one document that the status page draws and that scripts may read.

use crate::base::restriction::Restriction;
use crate::snapshot::explain::{Live, PriceShown};
use serde::Serialize;
use std::sync::Arc;

/// The process at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Backstay's version.
    pub version: String,
    /// Why clients should not be sent here; `null` when they should.
    pub not_ready: Option<String>,
    /// Seconds since the process began.
    pub uptime_s: u64,
    /// Number of the snapshot that serves.
    pub generation: u64,
    /// Digest of its sources, shortened.
    pub digest: String,
    /// Digest of its policies, shortened.
    pub policy: String,
    /// The last time the files were read.
    pub last_reload: Option<ReloadStatus>,
    /// What is restricted, the oldest first.
    pub restrictions: Vec<Arc<Restriction>>,
    /// The pools, by name.
    pub pools: Vec<PoolStatus>,
    /// The budgets of keys and teams, by account.
    pub budgets: Vec<BudgetStatus>,
}

/// One budget.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BudgetStatus {
    /// `key/NAME` or `team/NAME`.
    pub budget: String,
    /// `day`, `week` or `month`.
    pub period: String,
    /// When it begins anew, RFC 3339.
    pub ends_at: String,
    /// US dollars in one period.
    pub limit_usd: f64,
    /// What is spent or held back of it; `null` as long as the ledger has not said.
    pub gone_usd: Option<f64>,
    /// What is held back for open calls.
    pub reserved_usd: f64,
    /// By how much open calls may cost more than they hold back; `null` where one of them has no bound.
    pub overshoot_at_most_usd: Option<f64>,
}

/// The last time the files were read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadStatus {
    /// When, RFC 3339.
    pub at: String,
    /// Whether what was read serves now.
    pub accepted: bool,
    /// What is wrong with the files, or worth a look.
    pub diagnostics: Vec<String>,
}

/// One pool.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PoolStatus {
    /// The public model name.
    pub name: String,
    /// Further names for it.
    pub aliases: Vec<String>,
    /// Its deployments, in order of preference.
    pub deployments: Vec<DeploymentStatus>,
}

/// One deployment, as a pool sees it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeploymentStatus {
    /// `endpoint/model`.
    pub id: String,
    /// The credential's name, where an endpoint has several; else empty.
    pub credential: String,
    /// Its tier in the pool, from 1.
    pub tier: usize,
    /// Its place in the order of asking, from 1; `null` while it is not asked. Policy and what a call needs may take others
    /// out of a call's way.
    pub place: Option<usize>,
    /// Where it processes.
    pub region: String,
    /// `closed`, `degraded`, `half_open`, `open`, `resting`, `restricted` or `too_expensive`.
    pub state: String,
    /// Why it is not closed: a failure class or a breaker's reason; empty when it is.
    pub reason: String,
    /// Milliseconds until it is tried again.
    pub retry_after_ms: Option<u64>,
    /// Share of attempts that went well of late, in per cent; `null` without attempts.
    pub success_percent: Option<u32>,
    /// What it charges, where that is known.
    pub price: Option<PriceShown>,
    /// Its breaker, what it bears, what it takes, and what is left of its quota, and why it has its place.
    #[serde(flatten)]
    pub live: Live,
}
