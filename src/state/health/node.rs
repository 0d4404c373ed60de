//! One thing that can be to blame: what was seen of it, and what it bears.

use super::glance::Glance;
use super::mark::Mark;
use super::waiting::{Ticket, Waiting};
use crate::base::clock::Moment;
use crate::base::rejection::Refusal;
use crate::dialect::status_page::Report;
use crate::snapshot::pool::BreakerSettings;
use crate::state::admission::AdmissionCap;
use crate::state::breaker::Breaker;
use crate::state::latency::{Awaited, Latency};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// After closing, a node takes at least so many attempts at once.
const SLOW_START_FLOOR: u32 = 4;
/// What a node is assumed to carry at once when it was never seen carrying more.
const SLOW_START_PEAK: u32 = 10;
/// What a vendor says of itself counts for so long after it was read.
const REPORT_COUNTS: Duration = Duration::from_secs(600);

/// One thing that can be to blame.
#[derive(Debug)]
pub struct Node {
    /// What it is kept under.
    pub key: Arc<str>,
    /// What it is a part of.
    pub(super) parent: Option<Arc<Self>>,
    children: Mutex<Vec<Weak<Self>>>,
    inner: Mutex<Inner>,
    /// What nearly every call has to know, so that it need not take the lock.
    glance: Glance,
    inflight: AtomicU32,
    /// Told when an attempt ends.
    freed: Notify,
    /// Told when it is found to hang.
    hangs: Notify,
    /// When it was asked last.
    pub(super) active: Mark,
    /// When it proved good last: a credential taken, a vendor heard.
    pub(super) good: Mark,
    /// When it proved bad last: a credential refused, a vendor not reached.
    pub(super) bad: Mark,
}

/// What is changed together.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) breaker: Breaker,
    pub(super) resting: Option<(&'static str, Moment)>,
    pub(super) latency: Latency,
    pub(super) admission: AdmissionCap,
    pub(super) waiting: Waiting,
    /// What it carried at once before its breaker opened last.
    pub(super) carried: u32,
    /// The settings of the pool that asked last.
    pub(super) settings: Option<BreakerSettings>,
    /// What the vendor says of itself, and when that was read.
    pub(super) reported: Option<(Report, Moment)>,
}

impl Node {
    pub(super) fn new(key: &str, parent: Option<Arc<Self>>) -> Arc<Self> {
        let node = Arc::new(Self {
            key: key.into(),
            parent,
            children: Mutex::default(),
            inner: Mutex::default(),
            glance: Glance::default(),
            inflight: AtomicU32::new(0),
            freed: Notify::new(),
            hangs: Notify::new(),
            active: Mark::default(),
            good: Mark::default(),
            bad: Mark::default(),
        });
        if let Some(parent) = &node.parent {
            parent.children.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&node));
        }
        node
    }

    pub(super) fn children(&self) -> Vec<Arc<Self>> {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // a panic elsewhere leaves counts, not broken invariants
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let changed = change(&mut inner);
        self.glance.publish(&inner);
        changed
    }

    /// Whether a look under the lock is needed to know that nothing stands in its way.
    pub(super) fn is_troubled(&self) -> bool {
        self.glance.is_troubled()
    }

    /// Whether it may be degraded, and expected to take longer than it typically does.
    pub(super) fn is_ailing(&self) -> bool {
        self.glance.is_ailing()
    }

    pub(super) fn rests(&self, now: Moment) -> Option<Refusal> {
        if !self.is_troubled() {
            return None;
        }
        let (class, until) = self.lock().resting?;
        (until > now).then(|| Refusal::Resting { class, retry_after: until.since(now) })
    }

    pub(super) fn rest(&self, class: &'static str, until: Moment) {
        self.change(|inner| inner.resting = Some((class, until)));
    }

    /// Ends a rest of this class.
    pub(super) fn wake(&self, class: &str) {
        self.change(|inner| inner.resting = inner.resting.filter(|(resting, _)| *resting != class));
    }

    /// Takes a place among those under way; `None` when it has as many as it bears, unless it is `forced`.
    pub(super) fn take_place(
        &self,
        now: Moment,
        late_from: Moment,
        settings: &BreakerSettings,
        forced: bool,
    ) -> Option<Ticket> {
        self.change(|inner| {
            let inflight = self.inflight();
            if !forced && inner.cap(now, settings).is_some_and(|cap| inflight >= cap) {
                return None;
            }
            inner.settings = Some(*settings);
            inner.admission.began(inflight + 1, now);
            self.inflight.fetch_add(1, Ordering::Relaxed);
            Some(inner.waiting.begin(late_from))
        })
    }

    /// Gives the place back.
    pub(super) fn leave(&self, ticket: Ticket) {
        self.inflight.fetch_sub(1, Ordering::Relaxed);
        self.lock().waiting.end(ticket);
        self.freed.notify_one();
    }

    /// Until an attempt has ended here.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Until it is found to hang.
    pub async fn hangs(&self) {
        self.hangs.notified().await;
    }

    /// Tells all that wait here that they wait in vain.
    pub(super) fn tell_that_it_hangs(&self) {
        self.hangs.notify_waiters();
    }

    /// Whether it has as many attempts as it bears.
    pub(super) fn is_full(&self, now: Moment, settings: &BreakerSettings) -> bool {
        self.is_troubled() && self.lock().cap(now, settings).is_some_and(|cap| self.inflight() >= cap)
    }

    /// Attempts under way.
    pub fn inflight(&self) -> u32 {
        self.inflight.load(Ordering::Relaxed)
    }

    /// The breaker's state, for metrics and people.
    pub fn state(&self, now: Moment) -> &'static str {
        self.lock().breaker.label(now)
    }

    /// Smoothed time to first content in milliseconds.
    pub fn first_content_ms(&self) -> Option<f64> {
        self.glance.first_content_ms()
    }

    /// How long nearly all calls waited here of late for what is awaited; `None` while too little was seen.
    pub fn tail(&self, awaited: Awaited) -> Option<Duration> {
        self.lock().latency.tail(awaited)
    }

    /// How many attempts at once it is asked to carry; `None` where it has lost nothing to overload of late.
    pub fn admission_cap(&self, now: Moment) -> Option<u32> {
        self.lock().admission.limit(now)
    }

    /// What the vendor says of itself, where that was read of late.
    pub(super) fn report(&self, now: Moment) -> Option<Report> {
        let (report, read) = self.lock().reported?;
        (now.since(read) < REPORT_COUNTS).then_some(report)
    }
}

impl Inner {
    /// Forgets what is over.
    pub(super) fn tidy(&mut self, now: Moment) {
        self.resting = self.resting.filter(|(_, until)| *until > now);
        self.reported = self.reported.filter(|(_, read)| now.since(*read) < REPORT_COUNTS);
    }

    pub(super) fn is_troubled(&self) -> bool {
        !self.breaker.is_closed()
            || self.breaker.closed_since().is_some()
            || self.resting.is_some()
            || self.admission.is_bound()
            || self.reported.is_some_and(|(report, _)| report > Report::Well)
    }

    /// What it takes at once: what it was seen to bear, and for a while after its breaker closed a growing part of that.
    fn cap(&self, now: Moment, settings: &BreakerSettings) -> Option<u32> {
        let limit = self.admission.limit(now);
        let healthy_for = self.breaker.closed_since().map(|closed| now.since(closed));
        let Some(healthy_for) = healthy_for.filter(|time| *time < settings.slow_start) else { return limit };
        let bears = limit.unwrap_or_else(|| self.carried.max(SLOW_START_PEAK));
        let grown = f64::from(bears) * healthy_for.as_secs_f64() / settings.slow_start.as_secs_f64();
        Some(SLOW_START_FLOOR.max(grown as u32))
    }
}
