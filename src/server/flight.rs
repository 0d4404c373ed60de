//! What the two ends of an HTTP/1 connection tell each other: the guard under hyper, which sees the bytes, and the service
//! above it, which sees requests and answers.

use crate::server::head_guard::Fault;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by one HTTP/1 connection's guard and service; all of it runs in one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flight(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    in_flight: AtomicBool,
    just_landed: AtomicBool,
    last: AtomicBool,
    leaving: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

impl Flight {
    /// The guard lets a request through; `last`: no other may follow it on this connection.
    pub(crate) fn begin(&self, last: bool) {
        self.0.in_flight.store(true, Ordering::Relaxed);
        if last {
            self.0.last.store(true, Ordering::Relaxed);
        }
    }

    /// The guard refuses a request: the service answers the stand-in that hyper gets for it.
    pub(crate) fn refuse(&self, fault: Fault) {
        self.begin(true);
        *self.0.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// The fault of the request that the service was called with, if the guard found one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        // The lock is taken for last requests only, which spares the common case.
        if !self.0.last.load(Ordering::Relaxed) {
            return None;
        }
        self.0.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The answer is on its way as a whole, or was given up.
    pub(crate) fn land(&self) {
        self.0.in_flight.store(false, Ordering::Relaxed);
        self.0.just_landed.store(true, Ordering::Relaxed);
    }

    /// Whether a request awaits its answer.
    pub(crate) fn in_flight(&self) -> bool {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// Whether an answer was finished since this was asked last: hyper must then be polled again, for the next head.
    pub(crate) fn just_landed(&self) -> bool {
        self.0.just_landed.swap(false, Ordering::Relaxed)
    }

    /// The drain has begun: no other request after the present one, or after the first on a new connection.
    pub(crate) fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether the drain has begun.
    pub(crate) fn leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed)
    }

    /// Whether the connection ends with the request in flight.
    pub(crate) fn last(&self) -> bool {
        self.0.last.load(Ordering::Relaxed)
    }
}
