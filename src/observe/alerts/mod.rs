//! Alerts to a webhook: one JSON document when something begins and one when it has ended, sent from a thread of its own.

mod board;
mod webhook;

use crate::base::clock::Moment;
use crate::base::event::Event;
use crate::base::secret::Secret;
use crate::observe::families::Counters;
use board::{Alert, Board};
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use webhook::Webhook;

/// Events that wait for the thread; beyond them the newest are dropped and counted.
const WAITING: usize = 1_000;
/// How often the board is asked what has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Attempts to deliver one alert: about ten minutes with the pauses between them.
const ATTEMPTS: u32 = 14;
/// The first pause between two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is counted of alerts.
#[derive(Clone)]
pub(super) struct Meters {
    alerts: Arc<Counters<2>>,
    deliveries: Arc<Counters<1>>,
}

impl Meters {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let alerts = Counters::new(registry, "alerts_total", "Alerts that began or ended", ["kind", "change"])?;
        let deliveries = Counters::new(registry, "alert_deliveries_total", "What became of them", ["result"])?;
        for result in ["delivered", "failed", "dropped"] {
            deliveries.with([result]);
        }
        alerts.with([board::Kind::Outage.label(), "began"]);
        Ok(Self { alerts: Arc::new(alerts), deliveries: Arc::new(deliveries) })
    }
}

/// Sends alerts.
pub(super) struct Alerts {
    events: SyncSender<Event>,
    meters: Meters,
}

impl Alerts {
    /// Begins to send to the webhook of this address.
    pub(super) fn start(url: Secret, meters: Meters) -> io::Result<Self> {
        let (events, inbox) = sync_channel(WAITING);
        let webhook = Webhook::new(url)?;
        let thread = Thread { board: Board::default(), began: Instant::now(), webhook, meters: meters.clone() };
        thread::Builder::new().name("alerts".to_owned()).spawn(move || thread.run(&inbox))?;
        Ok(Self { events, meters })
    }

    /// Takes an event; never waits.
    pub(super) fn note(&self, event: &Event) {
        let matters = matches!(
            event,
            Event::Breaker { .. }
                | Event::Restriction { .. }
                | Event::Surge { .. }
                | Event::Reload { .. }
                | Event::Isolated { .. }
                | Event::VendorReport { .. }
                | Event::Budget { .. }
                | Event::Ledger { .. }
                | Event::QuotaSpent { .. }
        );
        if matters && self.events.try_send(event.clone()).is_err() {
            self.meters.deliveries.with(["dropped"]).inc();
        }
    }
}

struct Thread {
    board: Board,
    began: Instant,
    webhook: Webhook,
    meters: Meters,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Event>) {
        loop {
            let now = |thread: &Self| Moment::after_start(thread.began.elapsed());
            match inbox.recv_timeout(LOOK_EVERY) {
                Ok(event) => {
                    let alert = self.board.note(&event, now(&self));
                    alert.iter().for_each(|alert| self.tell(alert));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let ended = self.board.due(now(&self));
            ended.iter().for_each(|alert| self.tell(alert));
        }
    }

    fn tell(&self, alert: &Alert) {
        let change = if alert.began { "began" } else { "ended" };
        self.meters.alerts.with([alert.kind.label(), change]).inc();
        let document = json!({
            "source": "backstay",
            "alert": alert.kind.label(),
            "state": change,
            "subject": &*alert.subject,
            "detail": alert.detail,
            "at": Timestamp::now().to_string(),
        });
        let result = if self.deliver(&document.to_string()) { "delivered" } else { "failed" };
        self.meters.deliveries.with([result]).inc();
    }

    fn deliver(&self, document: &str) -> bool {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.webhook.post(document) {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, attempt, "an alert was not taken by the webhook"),
            }
            if attempt < ATTEMPTS {
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        false
    }
}
