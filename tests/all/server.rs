//! The client side of the proxy, over real sockets.

use crate::support::certificates::{Authority, client, client_of};
use crate::support::serving::{
    Running, bounds, get, http2, listener, read_to_end, read_until, soon, start, start_with,
};
use backstay::base::event::Event;
use backstay::exchange::body::BodyBounds;
use backstay::server::bounds::Bounds;
use backstay::snapshot::listener::Listener;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HELLO: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const SHORT: Duration = Duration::from_millis(100);

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

// TLS

#[tokio::test]
async fn serves_both_protocols_over_both_tls_versions() {
    let authority = Authority::new();
    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = client_of(&authority, None, &["http/1.1"], &[version]);
        let mut stream = server.connect_tls(config, "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        stream.write_all(HELLO).await.unwrap();
        assert!(read_until(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));

        let config = client_of(&authority, None, &["h2", "http/1.1"], &[version]);
        let stream = server.connect_tls(config, "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let answer = soon("an answer", http2(stream).await.send_request(get("/"))).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
}

#[tokio::test]
async fn the_hybrid_post_quantum_exchange_is_preferred() {
    let authority = Authority::new();
    let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
    let stream = server.connect_tls(client(&authority, None, &[]), "localhost").await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_and_a_swap_changes_new_handshakes_only() {
    let authority = Authority::new();
    let certificates = [&["first.example"][..], &["exact.wild.example"], &["*.wild.example"]]
        .map(|names| authority.certificate(names));
    let first = certificates[0].certified.cert[0].clone();
    let exact = certificates[1].certified.cert[0].clone();
    let wild = certificates[2].certified.cert[0].clone();
    let server = start(listener(certificates.to_vec()), bounds());
    let shown = async |name: &str| {
        let config = client(&authority, None, &["http/1.1"]);
        let stream = server.connect_tls(config, name).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        Ok::<_, std::io::Error>((stream, chain[0].clone()))
    };
    let (mut old, certificate) = shown("first.example").await.unwrap();
    assert_eq!(certificate, first);
    assert_eq!(shown("exact.wild.example").await.unwrap().1, exact);
    assert_eq!(shown("other.wild.example").await.unwrap().1, wild);
    let unknown = shown("unknown.example").await.unwrap_err();
    assert!(unknown.to_string().contains("not valid for name"), "the first certificate is shown: {unknown}");

    let renewed = authority.certificate(&["first.example"]);
    let renewed_chain = renewed.certified.cert[0].clone();
    server.listener.send_replace(Arc::new(listener(vec![renewed])));
    assert_eq!(shown("first.example").await.unwrap().1, renewed_chain);
    old.write_all(HELLO).await.unwrap();
    assert!(read_until(&mut old, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn f_017_only_a_verified_certificate_gives_a_name() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let mutual =
        || Listener { client_roots: vec![clients.root()], ..listener(vec![authority.certificate(&["localhost"])]) };
    let identity = || clients.sign(&["spiffe://corp/research", "Research.corp"], |_| ());
    for protocols in [&["http/1.1"][..], &[]] {
        let server = start(mutual(), bounds());
        let config = client(&authority, Some(identity()), protocols);
        let mut stream = server.connect_tls(config, "localhost").await.unwrap();
        stream.write_all(b"GET /names HTTP/1.1\r\nhost: a\r\nx-client-cert: spiffe://corp/root\r\n\r\n").await.unwrap();
        let answer = read_until(&mut stream, "corp").await;
        assert!(answer.ends_with("main uri:spiffe://corp/research dns:research.corp"), "{answer}");
    }
    let expired = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let cases = [
        (None, "no_certificate"),
        (Some(strangers.sign(&["spiffe://corp/research"], |_| ())), "unknown_issuer"),
        (Some(clients.sign(&["spiffe://corp/research"], expired)), "expired_certificate"),
    ];
    for (identity, reason) in cases {
        let server = start(mutual(), bounds());
        if let Ok(mut stream) = server.connect_tls(client(&authority, identity, &[]), "localhost").await {
            // In TLS 1.3 the client learns of the refusal when it reads.
            assert!(stream.read_u8().await.is_err(), "{reason}");
        }
        assert_eq!(server.sink.tls_failure().await, reason);
    }
}

#[tokio::test]
async fn f_018_nothing_is_resumed_where_certificates_are_asked_for() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["localhost"]);
    let open = listener(vec![certificate.clone()]);
    let server = start(open, bounds());
    let config = client(&authority, None, &[]);
    let handshake = async |config: &rustls::ClientConfig| {
        let mut stream = server.connect_tls(config.clone(), "localhost").await?;
        stream.write_all(HELLO).await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        Ok::<_, std::io::Error>(stream.get_ref().1.handshake_kind())
    };
    assert_eq!(handshake(&config).await.unwrap(), Some(rustls::HandshakeKind::Full));
    assert_eq!(handshake(&config).await.unwrap(), Some(rustls::HandshakeKind::Resumed));
    // The same listener now asks for certificates: the ticket of before is worth nothing.
    let roots = vec![authority.root()];
    server.listener.send_replace(Arc::new(Listener { client_roots: roots, ..listener(vec![certificate]) }));
    assert!(handshake(&config).await.is_err());
    let known = client(&authority, Some(authority.sign(&["a.corp"], |_| ())), &[]);
    for _ in 0..2 {
        assert_eq!(handshake(&known).await.unwrap(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn f_015_f_016_failed_handshakes_are_told_apart() {
    let authority = Authority::new();
    // A ClientHello of TLS 1.1 without extensions.
    let mut old_hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02".to_vec();
    old_hello.extend([7; 32]);
    old_hello.extend(b"\x00\x00\x04\xc0\x13\x00\x2f\x01\x00");
    let cases: [(&[u8], &str); 3] =
        [(&old_hello, "version"), (HELLO, "not_tls"), (b"\x16\x03\x01\x02", "handshake_timeout")];
    for (bytes, reason) in cases {
        let certificates = vec![authority.certificate(&["localhost"])];
        let server = start(listener(certificates), Bounds { handshake: SHORT, ..bounds() });
        let answer = server.say(bytes).await;
        assert!(!answer.contains("HTTP/1.1"), "{reason}");
        assert_eq!(server.sink.tls_failure().await, reason);
    }
}

// What is let through

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

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends frames as fast as the server takes them, and returns what it said until it closed.
async fn flood(server: &Running, authority: &Authority, next: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let stream = server.connect_tls(client(authority, None, &["h2"]), "localhost").await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut said = Vec::new();
    let flooding = async {
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
        let mut alive = writing.write_all(&begin).await.is_ok();
        for index in 0..20_000 {
            alive = alive && writing.write_all(&next(index)).await.is_ok();
        }
    };
    // The server's end of the connection ends both.
    let reading = async {
        let _ = reading.read_to_end(&mut said).await;
    };
    soon("the connection's end", async { tokio::join!(flooding, reading) }).await;
    said
}

#[tokio::test]
async fn f_119_f_121_floods_of_http2_close_their_connection_alone() {
    // :method GET, :scheme https, :path /hang, :authority a
    let head = b"\x82\x87\x04\x05/hang\x01\x01a";
    let id = |index: u32| index * 2 + 1;
    let rapid_reset = move |index| [frame(1, 5, id(index), head), frame(3, 0, id(index), &[0, 0, 0, 8])].concat();
    let continuation = move |index| match index {
        0 => frame(1, 1, 1, head),
        _ => frame(9, 0, 1, &[&b"\x00\x01x\x7f\x81\x7e"[..], &[b'y'; 256]].concat()),
    };
    let window_overflow =
        move |index| [frame(1, 5, id(index), head), frame(8, 0, id(index), &[0x7f, 0xff, 0xff, 0xff])].concat();
    let floods: [&dyn Fn(u32) -> Vec<u8>; 3] = [&rapid_reset, &continuation, &window_overflow];
    let authority = Authority::new();
    for next in floods {
        let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let said = flood(&server, &authority, next).await;
        let goaway = said.windows(9).any(|window| window[3] == 7 && window[5..9] == [0; 4]);
        assert!(goaway, "a GOAWAY says why");
        let mut called = 0;
        while let Ok(said) = server.said.try_recv() {
            called += usize::from(said.starts_with("called"));
        }
        assert!(called <= 300, "{called} requests of a flood reached the application");
        let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
        assert_eq!(soon("an answer", http2(stream).await.send_request(get("/"))).await.unwrap().status(), 200);
    }
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

// Slow clients

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
    }
}

// Clients that leave

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

// Many, and the end

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
