//! Many clients, and the end of the server.

use super::{HELLO, SHORT, status};
use crate::support::certificates::{Authority, client};
use crate::support::serving::{bounds, get, http2, listener, read_to_end, read_until, soon, start, start_with};
use backstay::base::event::Event;
use backstay::exchange::body::BodyBounds;
use backstay::server::bounds::Bounds;
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn workers_serve_side_by_side() {
    let server = start_with(listener(Vec::new()), bounds(), BodyBounds::default(), Some(2));
    for _ in 0..6 {
        let mut stream = server.connect().await;
        stream.write_all(HELLO).await.unwrap();
        assert_eq!(status(&read_until(&mut stream, "hello").await), 200);
    }
    server.drain.begin();
    soon("the end", server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn f_123_connections_have_a_bound() {
    let server = start(listener(Vec::new()), Bounds { connections: 1, ..bounds() });
    let mut first = server.connect().await;
    first.write_all(HELLO).await.unwrap();
    read_until(&mut first, "hello").await;
    assert_eq!(server.say(b"").await, "");
    let limit = server.sink.find("a refusal", |event| match event {
        Event::LimitRejected { limit } => Some(*limit),
        _ => None,
    });
    assert_eq!(limit.await, "connections");
    first.write_all(HELLO).await.unwrap();
    read_until(&mut first, "hello").await;
}

#[tokio::test]
async fn f_146_a_drain_lets_two_hundred_streams_finish() {
    let authority = Authority::new();
    let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let sender = http2(stream).await;
    let mut old = server.connect_tls(client(&authority, None, &["http/1.1"]), "localhost").await.unwrap();
    let mut idle = server.connect_tls(client(&authority, None, &["http/1.1"]), "localhost").await.unwrap();
    idle.write_all(HELLO).await.unwrap();
    read_until(&mut idle, "hello").await;
    server.heard("called /").await;
    let answers: Vec<_> = (0..199)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let answer = sender.send_request(get("/stream")).await.unwrap();
                answer.into_body().collect().await.unwrap().to_bytes()
            })
        })
        .collect();
    for _ in 0..199 {
        server.heard("called /stream").await;
    }
    old.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.heard("called /wait").await;

    server.drain.begin();
    let left = server.sink.find("the drain's beginning", |event| match event {
        Event::Drain { left, done: false } => Some(*left),
        _ => None,
    });
    assert_eq!(left.await, 200);
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed");
    server.go_on.add_permits(200);
    for answer in answers {
        assert_eq!(soon("an answer", answer).await.unwrap(), "first second");
    }
    let answer = read_to_end(&mut old).await;
    assert!(answer.contains("connection: close") && answer.ends_with("waited"), "{answer}");
    soon("the end", server.served).await.unwrap().unwrap();
    let left = server.sink.find("the drain's end", |event| match event {
        Event::Drain { left, done: true } => Some(*left),
        _ => None,
    });
    assert_eq!(left.await, 0);
}

#[tokio::test]
async fn f_145_f_146_what_does_not_finish_is_cut_by_time_or_by_a_second_signal() {
    for (limit, begins) in [(SHORT, 1), (Duration::from_secs(600), 2)] {
        let mut server = start(listener(Vec::new()), Bounds { drain: limit, ..bounds() });
        let mut stream = server.connect().await;
        stream.write_all(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        server.heard("called /hang").await;
        for _ in 0..begins {
            server.drain.begin();
        }
        server.heard("dropped /hang").await;
        soon("the end", server.served).await.unwrap().unwrap();
        assert_eq!(read_to_end(&mut stream).await, "");
    }
}

#[tokio::test]
async fn f_146_a_drain_still_accepts_for_a_while() {
    let server = start(listener(Vec::new()), Bounds { drain_accept: Duration::from_secs(600), ..bounds() });
    server.drain.begin();
    let answer = server.say(HELLO).await;
    assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
    server.drain.begin();
    soon("the end", server.served).await.unwrap().unwrap();
}
