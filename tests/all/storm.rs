//! One vendor that fails at random in every way, a sound one beside it, and clients that notice nothing.

use crate::support::client::chat_body;
use crate::support::proxy::Plan;
use backstay::demo::vendor::{Fault, Setup};
use backstay::dialect::Dialect;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CALLS: usize = 2_000;
const CLIENTS: usize = 16;
const SEED: u64 = 7;
/// Short enough for silence to be cheap, and long enough for a sound vendor on a machine that the storm keeps busy.
const TIMEOUTS: &str =
    "timeouts = { connect = \"2s\", handshake = \"3s\", headers = \"2s\", first_content = \"2s\", answer = \"4s\" }";

/// Short answers, and pauses that a test can wait for.
fn brisk(mut setup: Setup) -> Setup {
    setup.script.words = 8;
    setup.script.slow = Duration::from_secs(6);
    setup
}

/// Runs the storm over these faults. Gives how many attempts failed.
async fn storm(faults: Vec<Fault>) -> usize {
    // a breaker that hardly ever opens, so that the faults are met and not avoided
    let breaker =
        "breaker = { consecutive = 1000, samples = 1000, success_percent = 1, open = \"100ms\", cap = \"200ms\" }";
    let proxy = Plan::two(Dialect::OpenaiChat)
        .setup(0, brisk)
        .setup(1, brisk)
        .patient()
        .pool(TIMEOUTS)
        .pool(breaker)
        .start()
        .await;
    let proxy = Arc::new(proxy);
    proxy.vendors[0].misbehave_at_random(SEED, 0.5, faults);
    let (began, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(Arc::clone(&proxy), Arc::clone(&next)))).collect();
    for client in clients {
        client.await.unwrap();
    }
    let lines = proxy.log.wait_for(CALLS).await;
    assert!(lines.iter().all(|line| line["outcome"] == "served"));
    let failures = failures(&lines);
    println!("{CALLS} calls in {:.1} s; calls at the vendors: {:?}", began.elapsed().as_secs_f64(), proxy.calls());
    println!("failed attempts by class: {failures:?}");
    assert!(proxy.calls().iter().all(|calls| *calls > 0));
    assert!(proxy.admin("/metrics").await.contains("backstay_failovers_total{"));
    failures.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_succeed_while_one_of_two_vendors_fails_in_every_way() {
    storm(Fault::before_content().collect()).await;
}

/// Without the faults after which a vendor rests for long: it is asked, and fails, all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_succeed_while_one_of_two_vendors_is_flaky() {
    let rests = |fault: &Fault| {
        let resting =
            [Fault::Status401, Fault::Status403, Fault::Status404, Fault::Status429, Fault::Quota, Fault::RegionDenied];
        resting.contains(fault)
    };
    let failed = storm(Fault::before_content().filter(|fault| !rests(fault)).collect()).await;
    // how many are met depends on how soon calls are steered around the vendor: what must not be is a storm without any
    assert!(failed > 10, "{failed} failures are no storm");
}

/// Calls, streamed and not, until enough were made by all.
async fn client(proxy: Arc<crate::support::proxy::Proxy>, next: Arc<AtomicUsize>) {
    let mut connection = proxy.client().kept();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= CALLS {
            return;
        }
        let answer = connection.post("/v1/chat/completions", &chat_body(number.is_multiple_of(2))).await;
        let attempts =
            || proxy.log.lines().into_iter().find(|line| line["request_id"] == answer.header("x-request-id"));
        assert_eq!((answer.status, answer.clean), (200, true), "call {number}: {} {:?}", answer.text(), attempts());
        assert_eq!(answer.said(), proxy.vendors[1].text(), "call {number}");
    }
}

fn failures(lines: &[Value]) -> BTreeMap<String, usize> {
    let mut failures = BTreeMap::new();
    let attempts = lines.iter().flat_map(|line| line["attempts"].as_array().unwrap());
    for attempt in attempts.filter(|attempt| attempt["class"] != "ok") {
        *failures
            .entry(format!("{} {}", attempt["class"].as_str().unwrap(), attempt["reason"].as_str().unwrap_or_default()))
            .or_default() += 1;
    }
    failures
}
