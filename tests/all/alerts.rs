//! Alerts reach a webhook, once when something begins and once when it has ended, however often the webhook stumbles.

use crate::support::proxy::Plan;
use crate::support::serving::soon;
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A webhook that answers with these statuses in turn, the last one for ever; and what was posted to it.
async fn webhook(mut statuses: Vec<u16>) -> (String, UnboundedReceiver<(u16, String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (posted, received) = unbounded_channel();
    statuses.reverse();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            let body = loop {
                let mut bytes = [0; 4096];
                let count = socket.read(&mut bytes).await.unwrap();
                text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                if let Some(body) = body {
                    break body;
                }
            };
            let status = if statuses.len() > 1 { statuses.pop().unwrap() } else { statuses[0] };
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            let line = text.lines().next().unwrap().to_owned();
            posted.send((status, line, body)).unwrap();
        }
    });
    (format!("http://{address}/hook?token=canary-of-webhook"), received)
}

#[tokio::test]
async fn a_restriction_is_told_when_it_begins_and_when_it_ends_even_if_the_webhook_stumbles() {
    let (address, mut posted) = webhook(vec![500, 204]).await;
    let plan = Plan::two(Dialect::OpenaiChat).file("secrets/webhook", &address);
    let proxy = plan.with("[alerts]\nwebhook = { file = \"secrets/webhook\" }").start().await;
    let (_, answer) = proxy.operate("/restrict", &json!({ "vendor": "first", "reason": "an order" })).await;
    let id = serde_json::from_str::<Value>(&answer).unwrap()["restricted"]["id"].clone();

    let (status, line, first) = soon("the first delivery", posted.recv()).await.unwrap();
    assert_eq!((status, line.as_str()), (500, "POST /hook?token=canary-of-webhook HTTP/1.1"));
    assert_eq!((&first["alert"], &first["state"], &first["subject"]), (&json!("restriction"), &json!("began"), &id));
    assert_eq!(first["detail"], "operator: vendor first (an order)");
    let (status, _, again) = soon("the second attempt", posted.recv()).await.unwrap();
    assert_eq!((status, again), (204, first), "it is the same alert");

    assert_eq!(proxy.operate("/release", &json!({ "id": id })).await.0, 200);
    let (_, _, ended) = soon("the end", posted.recv()).await.unwrap();
    assert_eq!((&ended["alert"], &ended["state"], &ended["subject"]), (&json!("restriction"), &json!("ended"), &id));
    soon("the count", async {
        while proxy.metric("backstay_alert_deliveries_total{result=\"delivered\"}").await < 2.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for page in ["/status", "/metrics"] {
        assert!(!proxy.admin(page).await.contains("canary-of-webhook"), "{page} shows the token");
    }
}

#[tokio::test]
async fn a_surge_says_what_it_costs_and_what_replaces_it() {
    let (address, mut posted) = webhook(vec![200]).await;
    let book = |input: &str| {
        format!(
            "[price]\n\"first/model-of-first\" = {{ input = {input}, output = 8 }}\n\"second/model-of-second\" = {{ input = 2, output = 8 }}\n"
        )
    };
    let surge = "max_price = { input = 4.0 }\nsurge = { leave = 1.5, return = 1.0, hold = \"0s\" }";
    let plan =
        Plan::two(Dialect::OpenaiChat).pool(surge).file("secrets/webhook", &address).file("prices.toml", &book("4"));
    let proxy = plan.with("[alerts]\nwebhook = { file = \"secrets/webhook\" }").start().await;
    proxy.change(|proxy| proxy.write("prices.toml", &book("6.25"))).await;
    let (_, _, began) = soon("the surge", posted.recv()).await.unwrap();
    assert_eq!((&began["alert"], &began["state"]), (&json!("surge"), &json!("began")));
    assert_eq!(began["subject"], "smart first/model-of-first");
    let detail = "it costs 6.25 / 8 USD per million tokens of prompt / answer, the pool pays 4 / any; second/model-of-second serves in its place";
    assert_eq!(began["detail"], detail);
    proxy.change(|proxy| proxy.write("prices.toml", &book("4"))).await;
    let (_, _, ended) = soon("the end", posted.recv()).await.unwrap();
    assert_eq!((&ended["alert"], &ended["state"]), (&json!("surge"), &json!("ended")));
}

#[tokio::test]
async fn refused_files_are_told_once() {
    let (address, mut posted) = webhook(vec![200]).await;
    let plan = Plan::two(Dialect::OpenaiChat).file("secrets/webhook", &address);
    let proxy = plan.with("[alerts]\nwebhook = { file = \"secrets/webhook\" }").start().await;
    proxy.change(|proxy| proxy.edit("backstay.toml", "[pool.smart]", "[pool.smart]\nattemps = 2")).await;
    let (_, _, began) = soon("the refusal", posted.recv()).await.unwrap();
    assert_eq!((&began["alert"], &began["state"]), (&json!("files_refused"), &json!("began")));
    assert!(began["detail"].as_str().unwrap().contains("attemps"), "{began}");
    proxy.change(|proxy| proxy.edit("backstay.toml", "\nattemps = 2", "")).await;
    let (_, _, ended) = soon("the end", posted.recv()).await.unwrap();
    assert_eq!(ended["state"], "ended");
}
