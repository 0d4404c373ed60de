//! What is let through to the application, and what is refused.

use super::{HELLO, status};
use crate::support::certificates::{Authority, client};
use crate::support::serving::{bounds, get, http2, listener, read_to_end, read_until, soon, start};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn f_117_request_smuggling_is_refused() {
    let cases = [
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2, 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length : 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nhost: a\r\nx: one\r\n two\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: one\rtwo\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n",
    ];
    let server = start(listener(Vec::new()), bounds());
    for case in cases {
        let answer = server.say(&[case.as_bytes(), HELLO].concat()).await;
        assert_eq!(status(&answer), 400, "{case:?} got {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "one answer only to {case:?}: {answer:?}");
        assert!(answer.contains("connection: close"), "{case:?} got {answer:?}");
    }
}

#[tokio::test]
async fn f_117_what_follows_a_chunked_request_is_no_request() {
    let server = start(listener(Vec::new()), bounds());
    let chunked = b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = server.say(&[chunked, HELLO].concat()).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("connection: close") && answer.ends_with("abc"), "{answer}");
}

#[tokio::test]
async fn f_118_only_a_clear_host_is_served() {
    let cases = [
        ("GET / HTTP/1.1\r\nhost: localhost:4000\r\n\r\n", 200),
        ("GET http://a/ HTTP/1.1\r\nhost: A\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost:4000/#@evil\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: user@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: [fe80::1%25eth0]\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET http://b@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET /x#y HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ];
    let server = start(listener(Vec::new()), bounds());
    for (case, expected) in cases {
        let mut stream = server.connect().await;
        stream.write_all(case.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(status(&answer), expected, "{case:?} got {answer:?}");
    }
}

#[tokio::test]
async fn f_118_http2_is_held_to_the_same() {
    let authority = Authority::new();
    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let mut sender = http2(stream).await;
    let mut check = async |edit: fn(&mut http::Request<_>), expected: u16| {
        let mut request = get("/");
        edit(&mut request);
        let answer = soon("an answer", sender.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), expected);
    };
    check(|_| (), 200).await;
    check(|request| drop(request.headers_mut().insert("host", "localhost".parse().unwrap())), 200).await;
    check(|request| drop(request.headers_mut().insert("host", "evil".parse().unwrap())), 400).await;
    check(|request| *request.uri_mut() = "https://user@localhost/".parse().unwrap(), 400).await;
    check(|request| *request.uri_mut() = format!("https://a/{}", "x".repeat(9000)).parse().unwrap(), 414).await;
}

#[tokio::test]
async fn f_116_heads_have_bounds() {
    let many = "x: y\r\n".repeat(101);
    let large = format!("x: {}\r\n", "y".repeat(33 * 1024));
    let long = "x".repeat(8 * 1024 + 1);
    let cases = [
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{large}\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), 414),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000)), 414),
        (
            format!(
                "GET /{} HTTP/1.1\r\nhost: a\r\n{}connection: close\r\n\r\n",
                "x".repeat(8000),
                "x: y\r\n".repeat(98)
            ),
            200,
        ),
    ];
    let server = start(listener(Vec::new()), bounds());
    for (case, expected) in cases {
        let answer = server.say(case.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{:?}", &case[..60]);
    }
}

#[tokio::test]
async fn f_116_a_header_list_of_http2_has_a_bound() {
    let authority = Authority::new();
    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    let mut sender = http2(stream).await;
    let mut request = get("/");
    request.headers_mut().insert("x", "y".repeat(17 * 1024).parse().unwrap());
    match soon("an answer", sender.send_request(request)).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(refused) => assert!(!refused.is_timeout(), "our settings already told the client: {refused}"),
    }
    let mut request = get("/");
    for index in 0..101 {
        request.headers_mut().insert(http::HeaderName::try_from(format!("x-{index}")).unwrap(), "y".parse().unwrap());
    }
    assert_eq!(soon("an answer", sender.send_request(request)).await.unwrap().status(), 431);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = start(listener(Vec::new()), bounds());
    let mut stream = server.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    assert_eq!(status(&read_until(&mut stream, "abc").await), 200);
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_turn() {
    let server = start(listener(Vec::new()), bounds());
    let mut stream = server.connect().await;
    let body = "z".repeat(100_000);
    let post = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let last = "GET /names HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let all = [HELLO, post.as_bytes(), HELLO, last.as_bytes()].concat();
    let (mut reading, mut writing) = stream.split();
    let (answer, written) = tokio::join!(read_to_end(&mut reading), writing.write_all(&all));
    written.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 4);
    assert!(answer.contains(&body) && answer.ends_with("main "), "in order, each whole");
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered_first() {
    let mut server = start(listener(Vec::new()), bounds());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\nhost: a\n\n").await.unwrap();
    server.heard("called /wait").await;
    server.go_on.add_permits(1);
    let answer = read_to_end(&mut stream).await;
    let (first, second) = answer.split_once("waited").unwrap();
    assert_eq!((status(first), status(second)), (200, 400), "{answer}");
}
