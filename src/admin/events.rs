//! `/events`: the status as server-sent events, one whenever it has changed, for pages and scripts that watch.

use crate::admin::{Status, Views};
use bytes::Bytes;
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the status is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// After so many looks at what has not changed the watcher gets a sign of life: what lies between may close silent connections.
const QUIET_LOOKS: u32 = 15;

/// Whoever watches; it has no end of its own.
pub(super) struct Events {
    views: Arc<dyn Views>,
    looks: Interval,
    /// What was told last, but for the time that passes.
    told: String,
    quiet: u32,
    _place: OwnedSemaphorePermit,
}

impl Events {
    pub(super) fn new(views: Arc<dyn Views>, place: OwnedSemaphorePermit) -> Self {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { views, looks, told: String::new(), quiet: 0, _place: place }
    }

    /// What there is to tell now.
    fn look(&mut self) -> Option<Bytes> {
        let status = self.views.status();
        let lasting = serde_json::to_string(&Status { uptime_s: 0, ..status.clone() }).unwrap_or_default();
        self.quiet += 1;
        if lasting == self.told {
            return (self.quiet >= QUIET_LOOKS).then(|| {
                self.quiet = 0;
                Bytes::from_static(b":\n\n")
            });
        }
        (self.told, self.quiet) = (lasting, 0);
        let told = serde_json::to_string(&status).unwrap_or_default();
        Some(Bytes::from(format!("event: status\ndata: {told}\n\n")))
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let events = self.get_mut();
        loop {
            ready!(events.looks.poll_tick(cx));
            if let Some(told) = events.look() {
                return Poll::Ready(Some(Ok(Frame::data(told))));
            }
        }
    }
}
