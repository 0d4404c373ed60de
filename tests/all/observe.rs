//! What a scraper and a reader of the access log see, from one event of every kind.

use crate::support::events::{every_event, exchange};
use backstay::base::event::{Event, Outcome, Sink};
use backstay::observe::{BreakerState, Observer, Readings};
use jiff::Timestamp;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Paper that the test can read while the observer writes on it.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn observer(paper: Option<Paper>) -> Arc<Observer> {
    let out = paper.map(|paper| Box::new(paper) as Box<dyn Write + Send>);
    Observer::start(out, Box::new(|| Timestamp::UNIX_EPOCH)).unwrap()
}

#[test]
fn every_event_is_counted() {
    let observer = observer(None);
    every_event().into_iter().for_each(|event| observer.emit(event));
    let text = observer.metrics(&Readings::default());
    for expected in [
        r#"backstay_breaker_transitions_total{node="openai",reason="consecutive",to="open"} 1"#,
        r#"backstay_retry_budget_denied_total{pool="smart"} 1"#,
        r#"backstay_continuations_total{outcome="carried_on",pool="smart"} 1"#,
        r#"backstay_limit_rejected_total{limit="concurrency"} 1"#,
        r#"backstay_tls_failures_total{reason="version",side="client"} 1"#,
        r#"backstay_reload_total{file="all",result="accepted"} 1"#,
        r#"backstay_reload_total{file="policy",result="rejected"} 1"#,
        r#"backstay_probes_total{class="connect_refused",node="openai"} 1"#,
        r#"backstay_upstream_connections_lost_total{class="goaway",deployment="openai/gpt"} 1"#,
        r#"backstay_vendor_certificate_refused_total{host="api.openai.com"} 1"#,
        "backstay_last_reload_accepted 0",
        "backstay_snapshot_generation 2",
        "backstay_draining 1",
        concat!("backstay_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn a_gauge_shows_this_scrape_alone() {
    let observer = observer(None);
    let readings = Readings {
        restricted: Vec::new(),
        surged: Vec::new(),
        admission_caps: vec![("openai/gpt".into(), 9)],
        inflight: vec![("openai/gpt".into(), 2), ("openai/gpt".into(), 1)],
        breakers: vec![("old".into(), BreakerState::Open), ("new".into(), BreakerState::HalfOpen)],
        certificates: vec![("certs/server.pem".into(), -5)],
        ..Readings::default()
    };
    let text = observer.metrics(&readings);
    assert!(text.contains(r#"backstay_inflight{deployment="openai/gpt"} 3"#), "{text}");
    assert!(text.contains(r#"backstay_admission_cap{deployment="openai/gpt"} 9"#), "{text}");
    assert!(text.contains(r#"backstay_breaker_state{node="new"} 1"#), "{text}");
    assert!(text.contains(r#"backstay_cert_expiry_seconds{cert="certs/server.pem"} -5"#), "{text}");
    let text = observer.metrics(&Readings { breakers: vec![("new".into(), BreakerState::Closed)], ..readings });
    assert!(!text.contains(r#"node="old""#), "a node that a reload removed stays open for ever: {text}");
}

#[test]
fn an_exchange_is_one_line_and_other_events_are_none() {
    let paper = Paper::default();
    let observer = observer(Some(paper.clone()));
    every_event().into_iter().for_each(|event| observer.emit(event));
    observer.flush();
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let outcomes: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["served", "rate_limited", "vendor_refused", "broken", "client_gone"]);
}

#[test]
fn the_last_lines_are_written_when_the_process_lets_go() {
    let paper = Paper::default();
    let observer = observer(Some(paper.clone()));
    (0..500).for_each(|_| observer.emit(Event::Exchange(Box::new(exchange(Outcome::Served)))));
    drop(observer);
    assert_eq!(paper.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count(), 500);
}
