//! A client that leaves: the vendor's work is cancelled at once, nobody else is asked, and nobody is blamed.

use crate::support::client::{Client, chat_body};
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Fault, Setup};
use backstay::dialect::Dialect;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leave {
    /// It closes TLS and TCP in good order.
    Fin,
    /// Its socket is reset.
    Rst,
    /// Bytes of a next request lie before the end.
    FinBehindBytes,
}

const HTTP1: [Leave; 3] = [Leave::Fin, Leave::Rst, Leave::FinBehindBytes];
/// The vendor must have seen the cancel by then, however busy the machine is; what it took is printed.
const WATCHDOG: Duration = Duration::from_secs(5);

/// Far slower than any client's patience. The vendor makes up all that it will say before it says a word, which more of them would make
/// long on a machine that is busy.
fn endless(mut setup: Setup) -> Setup {
    setup.script.words = 5_000;
    setup.script.pause = Duration::from_millis(20);
    setup
}

/// Calls by hand, so that the socket can be left in any way. With `content`, waits until some has come.
async fn call(client: &Client, content: bool) -> TlsStream<TcpStream> {
    let mut socket = client.connect().await;
    let body = chat_body(true).to_string();
    let (key, length) = (crate::support::proxy::KEY, body.len());
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while content && !seen.windows(7).any(|bytes| bytes == b"content") {
        assert_ne!(socket.read_buf(&mut seen).await.unwrap(), 0);
    }
    socket
}

async fn leave(mut socket: TlsStream<TcpStream>, how: Leave) {
    match how {
        Leave::Fin => socket.shutdown().await.unwrap(),
        Leave::FinBehindBytes => {
            socket.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc").await.unwrap();
            socket.shutdown().await.unwrap();
        }
        Leave::Rst => socket.get_ref().0.set_zero_linger().unwrap(),
    }
}

/// The client leaves: the vendor sees the cancel, the log says that the client left in this phase, and nothing else happens.
async fn is_noticed(proxy: &Proxy, socket: TlsStream<TcpStream>, how: Leave, phase: &str, calls: usize) {
    let left = Instant::now();
    leave(socket, how).await;
    let log = proxy.vendors[0].log();
    let cancelled = log.wait_for(|entries| entries.calls().filter(|call| call.cancelled()).count() == calls);
    tokio::time::timeout(WATCHDOG, cancelled).await.unwrap_or_else(|_| panic!("{how:?} {phase}: the vendor works on"));
    println!("{how:?} while {phase}: the vendor saw the cancel within {} ms", left.elapsed().as_millis());
    let lines = proxy.log.wait_for(calls).await;
    let line = lines.last().unwrap();
    assert_eq!(line["outcome"], "client_gone", "{line}");
    assert_eq!(line["phase"], phase, "{line}");
    assert_eq!(
        line["status"],
        if phase == "wait" { 0 } else { 200 },
        "no head had gone out before the wait was over: {line}"
    );
    assert_eq!(line["attempts"].as_array().unwrap().len(), 1, "{line}");
    assert_eq!(line["attempts"][0]["class"], "client_gone", "{line}");
    assert_eq!(proxy.calls(), [calls, 0], "no failover for a client that is gone");
    let series = format!("backstay_client_gone_total{{phase=\"{phase}\"}}");
    assert_eq!(proxy.metric(&series).await, calls as f64);
}

/// After many departures the deployment is as sound as before: it is asked first, and answers.
async fn nobody_is_blamed(proxy: &Proxy) {
    proxy.vendors[0].heal();
    proxy.vendors[0].change_script(|script| (script.words, script.pause) = (5, Duration::ZERO));
    let answer = proxy.client().chat(true).await;
    assert_eq!(answer.header("x-backstay-served-by"), "first/model-of-first");
    assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[0].text()));
    let status = proxy.status().await;
    assert_eq!(status["pools"][0]["deployments"][0]["state"], "closed", "{status}");
    assert_eq!(status["pools"][0]["deployments"][0]["inflight"], 0, "{status}");
}

#[tokio::test]
async fn f_111_a_client_that_leaves_before_the_first_token_takes_its_call_with_it() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    let mut calls = 0;
    for how in [HTTP1, HTTP1].concat() {
        let socket = call(&proxy.client(), false).await;
        calls += 1;
        proxy.vendors[0].log().wait_for(|entries| entries.calls().count() == calls).await;
        is_noticed(&proxy, socket, how, "wait", calls).await;
    }
    nobody_is_blamed(&proxy).await;
}

#[tokio::test]
async fn f_112_a_client_that_leaves_mid_stream_takes_its_call_with_it() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().setup(0, endless).start().await;
    let mut calls = 0;
    for how in [HTTP1, HTTP1].concat() {
        let socket = call(&proxy.client(), true).await;
        calls += 1;
        is_noticed(&proxy, socket, how, "stream", calls).await;
    }
    nobody_is_blamed(&proxy).await;
}

#[tokio::test]
async fn f_112_an_http2_stream_that_is_reset_is_cancelled_alone() {
    for http2_vendor in [false, true] {
        let setup = move |setup| if http2_vendor { endless(setup).http2() } else { endless(setup) };
        let proxy = Plan::two(Dialect::OpenaiChat).patient().setup(0, setup).start().await;
        let client = proxy.client();
        let connection = client.http2().await;
        let path = "/v1/chat/completions";
        let mut stays = client.begin_stream(&connection, path, &chat_body(true)).await;
        stays.next().await;
        for calls in 1..=6 {
            let mut goes = client.begin_stream(&connection, path, &chat_body(true)).await;
            goes.next().await;
            goes.leave();
            is_noticed_beside(&proxy, "stream", calls).await;
        }
        stays.next().await;
        drop((stays, connection));
        is_noticed_beside(&proxy, "stream", 7).await;
        nobody_is_blamed(&proxy).await;
    }
}

#[tokio::test]
async fn f_111_an_http2_stream_that_is_reset_before_the_first_token_is_cancelled() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    let client = proxy.client();
    let connection = client.http2().await;
    for calls in 1..=6 {
        let (caller, stream) = (client.clone(), connection.clone());
        let waits =
            tokio::spawn(async move { caller.begin_stream(&stream, "/v1/chat/completions", &chat_body(true)).await });
        proxy.vendors[0].log().wait_for(|entries| entries.calls().count() == calls).await;
        waits.abort();
        is_noticed_beside(&proxy, "wait", calls).await;
    }
    nobody_is_blamed(&proxy).await;
}

/// A stream was left: as [`is_noticed`], whatever else goes on.
async fn is_noticed_beside(proxy: &Proxy, phase: &str, gone: usize) {
    let left = Instant::now();
    let log = proxy.vendors[0].log();
    let cancelled = log.wait_for(|entries| entries.calls().filter(|call| call.cancelled()).count() == gone);
    tokio::time::timeout(WATCHDOG, cancelled).await.expect("the vendor works on");
    println!("HTTP/2 reset while {phase}: the vendor saw the cancel within {} ms", left.elapsed().as_millis());
    let line = proxy.log.wait_for(gone).await.pop().unwrap();
    assert_eq!((&line["outcome"], &line["phase"]), (&"client_gone".into(), &phase.into()), "{line}");
    assert_eq!(proxy.calls()[1], 0);
}

#[tokio::test]
async fn f_113_bytes_behind_a_request_do_not_hide_that_the_client_left() {
    let proxy = Plan::two(Dialect::Anthropic).patient().setup(0, endless).start().await;
    for calls in 1..=3 {
        let socket = call(&proxy.client(), true).await;
        is_noticed(&proxy, socket, Leave::FinBehindBytes, "stream", calls).await;
    }
}

/// A client that closes its sending side behind the request and reads on is taken to have left, in either phase: on the wire it
/// looks like one that closed altogether. It is told nothing more, and above all no end.
#[tokio::test]
async fn f_114_a_client_that_closes_its_sending_side_has_left() {
    let proxy = Plan::two(Dialect::OpenaiChat).patient().setup(0, endless).start().await;
    for (calls, phase) in [(1, "stream"), (2, "wait")] {
        if phase == "wait" {
            proxy.vendors[0].set_fault(Fault::Silence);
        }
        let mut socket = call(&proxy.client(), phase == "stream").await;
        proxy.vendors[0].log().wait_for(|entries| entries.calls().count() == calls).await;
        socket.shutdown().await.unwrap();
        is_noticed_beside(&proxy, phase, calls).await;
        let mut said = Vec::new();
        // an end in good order or a reset, as it happens
        let _ = tokio::time::timeout(WATCHDOG, socket.read_to_end(&mut said)).await.expect("the connection is closed");
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("[DONE]") && !said.contains("\r\n0\r\n"), "{phase}: {said}");
        assert_eq!(phase == "wait", said.is_empty(), "{said}");
    }
    assert_eq!(proxy.calls(), [2, 0], "no failover for a client that is gone");
}

#[tokio::test]
async fn a_client_that_leaves_while_we_look_elsewhere_is_not_served_elsewhere() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Silence);
    proxy.vendors[1].set_fault(Fault::Silence);
    let socket = call(&proxy.client(), false).await;
    proxy.vendors[1].log().wait_for(|entries| entries.calls().count() == 1).await;
    leave(socket, Leave::Fin).await;
    proxy.vendors[1].log().wait_for(|entries| entries.calls().any(|call| call.cancelled())).await;
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!((&line["outcome"], &line["phase"]), (&"client_gone".into(), &"wait".into()), "{line}");
    assert_eq!(line["attempts"].as_array().unwrap().len(), 2, "{line}");
    assert_eq!(proxy.calls(), [1, 1]);
}
