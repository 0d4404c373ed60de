//! Vendors' status pages are read, shown, told, and never decide alone.

use crate::support::proxy::Plan;
use crate::support::serving::soon;
use backstay::dialect::Dialect;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A status page that says this, and how often it was read.
async fn page(says: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            let length = socket.read(&mut bytes).await.unwrap();
            let head = String::from_utf8_lossy(&bytes[..length]).to_lowercase();
            assert!(head.starts_with("get /api/v2/summary.json http/1.1\r\n"), "{head}");
            assert!(!head.contains("authorization") && !head.contains("canary"), "{head}");
            count.fetch_add(1, Ordering::SeqCst);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{says}", says.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (format!("status_url = \"http://{address}/api/v2/summary.json\"\n"), read)
}

#[tokio::test]
async fn a_vendor_that_tells_of_an_incident_is_shown_and_still_asked() {
    let (line, _) = page(r#"{"status":{"indicator":"critical","description":"all is lost"}}"#).await;
    let proxy = Plan::two(Dialect::OpenaiChat).vendor(0, &line).start().await;
    let shown = soon("the report", async {
        loop {
            let status = proxy.status().await;
            let first = status["pools"][0]["deployments"][0].clone();
            if first["vendor_report"] == "major" {
                return (status, first);
            }
            tokio::task::yield_now().await;
        }
    });
    let (status, first) = shown.await;
    assert_eq!(first["state"], "closed", "it never decides alone");
    assert!(status["pools"][0]["deployments"][1]["vendor_report"].is_null());
    assert_eq!(proxy.metric("backstay_vendor_reports_total{report=\"major\",vendor=\"first\"}").await, 1.0);
    assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "first/model-of-first");
}

#[tokio::test]
async fn f_094_the_page_of_a_vendor_that_nobody_may_use_is_not_read() {
    let (excluded, not_read) = page(r#"{"status":{"indicator":"none"}}"#).await;
    let (allowed, read) = page(r#"{"status":{"indicator":"none"}}"#).await;
    let plan = Plan::two(Dialect::OpenaiChat).vendor(0, &excluded).vendor(1, &allowed);
    let forbid = "@id(\"not-first\") @reason(\"test\") forbid (principal, action, resource in Vendor::\"first\");\n";
    let _proxy = plan.policy("base.cedar", backstay::policy::BASE).policy("own.cedar", forbid).start().await;
    soon("the other page", async {
        while read.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(not_read.load(Ordering::SeqCst), 0, "pages are read in the order of their names");
}
