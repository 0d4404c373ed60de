//! Clients that take their time.

use super::{HELLO, SHORT, status};
use crate::support::certificates::{Authority, client};
use crate::support::serving::{bounds, get, http2, listener, read_until, soon, start, start_with};
use backstay::base::event::Event;
use backstay::exchange::body::BodyBounds;
use backstay::server::bounds::Bounds;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn f_115_slow_heads_bodies_and_idle_connections_end() {
    let slow = Bounds { head: SHORT, idle: SHORT * 2, ..bounds() };
    let body_bounds = BodyBounds { stall: SHORT, grace: SHORT, ..BodyBounds::default() };
    let server = start_with(listener(Vec::new()), slow, body_bounds, None);
    let cases: [(&str, u16); 4] = [
        ("", 0),
        ("GET / HTTP/1.1\r\nhost:", 408),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc", 408),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", 408),
    ];
    for (case, expected) in cases {
        assert_eq!(status(&server.say(case.as_bytes()).await), expected, "{case:?}");
    }
    let begin = Instant::now();
    let answer = server.say(HELLO).await;
    assert!(status(&answer) == 200 && begin.elapsed() >= SHORT * 2, "an idle connection is kept for its time");
}

#[tokio::test]
async fn f_115_a_trickle_of_body_ends_although_it_never_stalls() {
    let body_bounds = BodyBounds { grace: SHORT, bytes_per_second: 1024, ..BodyBounds::default() };
    let server = start_with(listener(Vec::new()), bounds(), body_bounds, None);
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let trickle = async {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = read_until(&mut reading, "too slow") => answer,
        () = trickle => unreachable!("the trickle has no end"),
    };
    assert_eq!(status(&answer), 408);
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_before_it_is_sent_and_the_client_can_read_why() {
    let body_bounds = BodyBounds { bytes: 1000, ..BodyBounds::default() };
    let server = start_with(listener(Vec::new()), bounds(), body_bounds, None);
    let declared = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(100_000));
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2000)
    );
    for case in [declared, chunked] {
        let answer = server.say(case.as_bytes()).await;
        assert_eq!(status(&answer), 413, "{answer}");
    }
}

#[tokio::test]
async fn f_059_a_client_that_accepts_nothing_is_cut() {
    let authority = Authority::new();
    for protocol in ["http/1.1", "h2", "plain"] {
        let certificates = if protocol == "plain" { Vec::new() } else { vec![authority.certificate(&["localhost"])] };
        let mut server = start(listener(certificates), Bounds { write_stall: SHORT, ..bounds() });
        let request = b"GET /firehose HTTP/1.1\r\nhost: a\r\n\r\n";
        let config = client(&authority, None, &[protocol]);
        match protocol {
            "plain" => {
                let mut stream = server.connect().await;
                stream.write_all(request).await.unwrap();
                server.heard("called /firehose").await;
                server.heard("dropped /firehose").await;
            }
            "http/1.1" => {
                let mut stream = server.connect_tls(config, "localhost").await.unwrap();
                stream.write_all(request).await.unwrap();
                server.heard("called /firehose").await;
                server.heard("dropped /firehose").await;
            }
            _ => {
                let stream = server.connect_tls(config, "localhost").await.unwrap();
                let mut sender = http2(stream).await;
                let answer = soon("an answer", sender.send_request(get("/firehose"))).await.unwrap();
                server.heard("called /firehose").await;
                server.heard("dropped /firehose").await;
                drop(answer);
            }
        }
        let limit = server.sink.find("the limit", |event| match event {
            Event::LimitRejected { limit } => Some(*limit),
            _ => None,
        });
        assert_eq!(limit.await, "write_stall");
    }
}
