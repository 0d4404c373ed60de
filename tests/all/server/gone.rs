//! Clients that leave, and answers that break.

use crate::support::certificates::{Authority, client};
use crate::support::serving::{bounds, get, http2, listener, read_to_end, soon, start};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn f_111_f_112_f_114_a_client_that_leaves_drops_its_request() {
    for path in ["/hang", "/hanging-stream"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        for leave in ["fin", "rst", "half_close"] {
            let mut server = start(listener(Vec::new()), bounds());
            let mut stream = server.connect().await;
            stream.write_all(request.as_bytes()).await.unwrap();
            server.heard(&format!("called {path}")).await;
            let kept = match leave {
                "fin" => {
                    drop(stream);
                    None
                }
                "rst" => {
                    stream.set_zero_linger().unwrap();
                    drop(stream);
                    None
                }
                _ => {
                    stream.shutdown().await.unwrap();
                    Some(stream)
                }
            };
            server.heard(&format!("dropped {path}")).await;
            drop(kept);
        }
    }
}

#[tokio::test]
async fn f_111_f_112_an_http2_stream_that_is_reset_drops_its_request_alone() {
    let authority = Authority::new();
    let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let mut sender = http2(stream).await;
    {
        let hanging = sender.send_request(get("/hang"));
        tokio::select! {
            biased;
            _ = hanging => unreachable!("/hang is never answered"),
            () = server.heard("called /hang") => {}
        }
    }
    server.heard("dropped /hang").await;
    let answer = soon("an answer", sender.send_request(get("/hanging-stream"))).await.unwrap();
    server.heard("called /hanging-stream").await;
    drop(answer);
    server.heard("dropped /hanging-stream").await;
    assert_eq!(soon("an answer", sender.send_request(get("/"))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn f_113_bytes_behind_a_request_do_not_hide_that_its_client_left() {
    let chunked = "POST /hang HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    for (head, behind) in [
        ("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n", 1),
        ("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n", 60_000),
        (chunked, 100),
    ] {
        let mut server = start(listener(Vec::new()), bounds());
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; behind]).await.unwrap();
        server.heard("called /hang").await;
        drop(stream);
        server.heard("dropped /hang").await;
    }
}

#[tokio::test]
async fn f_113_too_much_behind_a_request_closes() {
    let mut server = start(listener(Vec::new()), bounds());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.heard("called /hang").await;
    let _ = stream.write_all(&vec![b'x'; 200_000]).await;
    server.heard("dropped /hang").await;
}

#[tokio::test]
async fn an_answer_that_breaks_is_never_taken_for_a_whole_one() {
    let authority = Authority::new();
    let server = start(listener(Vec::new()), bounds());
    let answer = server.say(b"GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.contains("transfer-encoding: chunked") && !answer.contains("\r\n0\r\n"), "{answer:?}");
    assert!(answer.contains("first "), "what was said before the break arrives: {answer:?}");

    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let mut sender = http2(stream).await;
    let answer = soon("an answer", sender.send_request(get("/broken"))).await.unwrap();
    let mut body = answer.into_body();
    let first = soon("what was said", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first ");
    assert!(soon("the reset", body.frame()).await.unwrap().is_err());
    assert_eq!(soon("an answer", sender.send_request(get("/"))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn f_155_a_panic_ends_one_exchange_and_nothing_else() {
    let authority = Authority::new();
    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    for path in ["/panic", "/panic-at-once"] {
        let mut first = server.connect_tls(client(&authority, None, &["http/1.1"]), "localhost").await.unwrap();
        first.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(read_to_end(&mut first).await, "", "{path}");
    }
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let mut sender = http2(stream).await;
    for path in ["/panic", "/panic-at-once"] {
        assert!(soon("a reset", sender.send_request(get(path))).await.is_err(), "{path}");
    }
    let answer = soon("an answer", sender.send_request(get("/"))).await.unwrap();
    assert_eq!(soon("the body", answer.into_body().collect()).await.unwrap().to_bytes(), "hello");
    drop(sender);
    server.drain.begin();
    soon("the end, with every exchange counted out", server.served).await.unwrap().unwrap();
}
