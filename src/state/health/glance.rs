//! What nearly every call has to know of a node: published whenever the node changes, and read without its lock.

use super::node::Inner;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What nearly every call has to know of a node. Each part stands for itself, so it does not matter that another one may be
/// newer by a moment.
#[derive(Debug)]
pub(super) struct Glance {
    troubled: AtomicBool,
    ailing: AtomicBool,
    /// The bits of a number of milliseconds; of none where nothing was measured.
    first_content_ms: AtomicU64,
}

impl Default for Glance {
    fn default() -> Self {
        let first_content_ms = AtomicU64::new(f64::NAN.to_bits());
        Self { troubled: AtomicBool::new(false), ailing: AtomicBool::new(false), first_content_ms }
    }
}

impl Glance {
    pub(super) fn publish(&self, of: &Inner) {
        let first_content_ms = of.latency.typical_ms().unwrap_or(f64::NAN);
        self.troubled.store(of.is_troubled(), Ordering::Relaxed);
        self.ailing.store(of.latency.is_uncertain() || of.breaker.has_failed(), Ordering::Relaxed);
        self.first_content_ms.store(first_content_ms.to_bits(), Ordering::Relaxed);
    }

    /// Whether something may stand in its way.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    /// Whether it may be degraded, and expected to take longer than it typically does.
    pub(super) fn is_ailing(&self) -> bool {
        self.ailing.load(Ordering::Relaxed)
    }

    /// Smoothed time to first content, where it was ever measured.
    pub(super) fn first_content_ms(&self) -> Option<f64> {
        Some(f64::from_bits(self.first_content_ms.load(Ordering::Relaxed))).filter(|ms| !ms.is_nan())
    }
}
