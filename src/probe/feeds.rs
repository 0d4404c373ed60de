//! Vendors' status pages, read now and then. What they say is one sign among others, and never decides alone.

use super::ANSWER_BYTES;
use crate::base::event::Event;
use crate::dialect::status_page::{self, Report};
use crate::snapshot::deployment::Timeouts;
use crate::snapshot::feed::Feed;
use crate::state::world::State;
use crate::upstream::{Connections, Outgoing};
use bytes::{Bytes, BytesMut};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;

/// The pause between two readings of a page.
const READ_EVERY: Duration = Duration::from_secs(60);
/// How long a reading may take in all.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads every page for ever.
pub(super) async fn run(state: &State, connections: &Connections) {
    loop {
        for feed in &state.world().snapshot.feeds {
            if let Some(report) = read(state, connections, feed).await
                && state.health.reported(&feed.node, report, state.clock.now())
            {
                state.sink.emit(Event::VendorReport { vendor: Arc::clone(&feed.vendor), report: report.label() });
            }
        }
        let mut generations = state.generations();
        tokio::select! {
            () = tokio::time::sleep(READ_EVERY.mul_f64(state.random.around_one(0.2))) => {}
            // pages that are new are read at once
            _ = generations.changed() => {}
        }
    }
}

/// Reads one page; `None` where nobody may ask, or nothing is said.
async fn read(state: &State, connections: &Connections, feed: &Feed) -> Option<Report> {
    let permit = state.world().snapshot.feed_permit(feed).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Outgoing { method: Method::GET, path: feed.path.to_string(), headers, body: Bytes::new() };
    let timeouts = Timeouts { headers: WITHIN, ..feed.page.timeouts };
    let asked = async {
        let mut incoming = connections.send(&permit, request, &timeouts, false).await.ok()?;
        let mut body = BytesMut::new();
        while let Some(chunk) = incoming.body.chunk().await {
            body.extend_from_slice(&chunk.ok()?);
            if body.len() > ANSWER_BYTES {
                return None;
            }
        }
        incoming.status.is_success().then(|| status_page::read(&body)).flatten()
    };
    tokio::time::timeout(WITHIN, asked).await.ok().flatten()
}
