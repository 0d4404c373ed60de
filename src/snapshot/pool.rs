//! Pools: the deployments behind one public model name.

use crate::config::defaults;
use crate::price::{Ceiling, Factor};
use crate::snapshot::deployment::{Deployment, Timeouts};
use std::sync::Arc;
use std::time::Duration;

/// The order within a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As listed.
    Listed,
    /// Cheapest first.
    Price,
    /// Fastest first content first.
    Latency,
}

/// The deployments behind one public model name.
#[derive(Debug)]
pub struct Pool {
    /// The public name.
    pub name: Arc<str>,
    /// Further names for it.
    pub aliases: Vec<Arc<str>>,
    /// Tiers in order of preference.
    pub tiers: Vec<Vec<Arc<Deployment>>>,
    /// The order within a tier.
    pub order: Order,
    /// The most that a deployment may charge for a call.
    pub max_price: Ceiling,
    /// When a deployment whose price has risen is left and used again; without it `max_price` alone decides.
    pub surge: Option<SurgeSettings>,
    /// How long to wait for the preferred deployment before moving.
    pub patience: Duration,
    /// Attempts of one exchange, budget-free resends not counted.
    pub attempts: u32,
    /// Time of one exchange until content goes out.
    pub deadline: Duration,
    /// Whether broken streams are carried on.
    pub continuation: bool,
    /// How often another deployment is asked beside one that is slow for once; `None` for never.
    pub hedge: Option<HedgeSettings>,
    /// The pool's own timeouts; a deployment's win where it has some.
    pub timeouts: Timeouts,
    /// How its deployments' breakers behave.
    pub breaker: BreakerSettings,
    /// How its deployments are probed.
    pub probe: ProbeSettings,
}

impl Pool {
    /// Every deployment, in order of preference.
    pub fn deployments(&self) -> impl Iterator<Item = &Arc<Deployment>> {
        self.tiers.iter().flatten()
    }

    /// The most that a call may be charged: with a surge rule, what a deployment may rise to before it is left.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        self.surge.map_or(self.max_price, |surge| self.max_price.times(surge.leave))
    }

    /// How long an attempt of this pool waits at `deployment`: the deployment's own timeouts win.
    #[must_use]
    pub fn timeouts_at(&self, deployment: &Deployment) -> Timeouts {
        self.timeouts.with(deployment.own_timeouts)
    }
}

/// When a deployment whose price has risen is left and used again. Factors are of the pool's `max_price`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurgeSettings {
    /// Above it the deployment is left.
    pub leave: Factor,
    /// At or below it the deployment is used again.
    pub back: Factor,
    /// How long the price must have been so low.
    pub hold: Duration,
}

/// How often two deployments are asked at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeSettings {
    /// The share of calls that may be, in per cent.
    pub share_percent: u32,
}

/// How a breaker behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Consecutive hard failures that open it.
    pub consecutive: u32,
    /// Fewest samples for the ratio to count.
    pub samples: u32,
    /// It opens when fewer than this share of the window's samples succeeded, in per cent.
    pub success_percent: u32,
    /// First open time.
    pub open: Duration,
    /// Longest open time.
    pub cap: Duration,
    /// Successes in a row that close it from half-open.
    pub close_after: u32,
    /// How long the concurrency cap after closing grows until it is lifted.
    pub slow_start: Duration,
}

impl BreakerSettings {
    /// Those of a pool that says nothing.
    pub const USUAL: Self = Self {
        consecutive: defaults::BREAKER_CONSECUTIVE,
        samples: defaults::BREAKER_SAMPLES,
        success_percent: defaults::BREAKER_SUCCESS_PERCENT,
        open: defaults::BREAKER_OPEN,
        cap: defaults::BREAKER_CAP,
        close_after: defaults::BREAKER_CLOSE_AFTER,
        slow_start: defaults::BREAKER_SLOW_START,
    };
}

/// What an active probe may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// No active probes: traffic alone tells.
    Off,
    /// TLS handshake and the vendor's free model listing.
    Free,
    /// A call of a few tokens, which the vendor bills.
    Paid,
}

/// When and how deployments are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// What a probe may cost.
    pub kind: ProbeKind,
    /// The pause between probes of an open deployment.
    pub every: Duration,
}
