//! HTTP/1.1: reuse, framing, truncation.

use super::*;
use FailureKind::{HeadersTimeout, Malformed, ResetBeforeHeaders, StaleConn, Truncated};
use std::time::Instant;
use tokio_rustls::TlsAcceptor;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_request_carries_our_head_fields_and_no_foreign_ones() {
    let (listener, address) = listen().await;
    let vendor = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let head = read_request(&mut socket).await.expect("a request");
        socket.write_all(OK.as_bytes()).await.expect("written");
        head
    });
    let mut request = post("{}");
    for (name, value) in [
        ("authorization", "Bearer client-key"),
        ("x-api-key", "client-key"),
        ("cookie", "a=b"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("host", "evil.test"),
        ("accept-encoding", "br"),
        ("content-type", "application/json"),
    ] {
        request.headers.insert(name, value.parse().expect("a value"));
    }
    let deployment = Target::plain(address).deployment();
    send_request(&connections(), &deployment, request, false).await.expect("an answer");
    let head = vendor.await.expect("the vendor");
    let mut lines: Vec<&str> = head.trim_end_matches("\r\n\r\n{}").split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", address.port());
    let agent = concat!("user-agent: backstay/", env!("CARGO_PKG_VERSION"));
    let mut expected = [
        "accept-encoding: identity",
        "authorization: Bearer sk-canary",
        "content-length: 2",
        "content-type: application/json",
        &host,
        agent,
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_connection_carries_one_exchange_after_another() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let script: &[&[&str]] = &[&[OK, chunked, OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    }
}

#[tokio::test]
async fn a_connection_is_kept_when_the_caller_stops_at_the_last_content() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let script: &[&[&str]] = &[&[chunked, OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    let mut body = send(&connections, &deployment).await.expect("an answer").body;
    assert_eq!(body.chunk().await.expect("a chunk").expect("content"), "ok");
    drop(body);
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
}

#[tokio::test]
async fn a_connection_outlives_a_reload_that_leaves_its_endpoint_alone() {
    let address = scripted(&[&[OK, OK]]).await;
    let connections = connections();
    for _ in 0..2 {
        let reloaded = Target::plain(address).deployment();
        assert_eq!(fetch(&connections, &reloaded).await.expect("an answer"), "ok");
    }
}

#[tokio::test]
async fn a_connection_that_rested_long_enough_is_closed() {
    let (listener, address) = listen().await;
    let vendor = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        read_request(&mut socket).await.expect("a request");
        socket.write_all(OK.as_bytes()).await.expect("written");
        closed(&mut socket).await;
    });
    let connections = connections();
    assert_eq!(fetch(&connections, &Target::plain(address).deployment()).await.expect("an answer"), "ok");
    connections.sweep(Instant::now() + Duration::from_secs(56));
    tokio::time::timeout(WATCHDOG, vendor).await.expect("closed in time").expect("the vendor");
}

#[tokio::test]
async fn f_022_a_connection_that_the_vendor_closed_is_replaced_unseen() {
    let deployment = Target::plain(scripted(&[&[OK], &[OK], &[OK]]).await).deployment();
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    }
}

#[tokio::test]
async fn f_022_a_pooled_connection_that_dies_with_the_request_is_stale() {
    let script: &[&[&str]] = &[&[OK, ""], &[OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    assert_eq!(told(send(&connections, &deployment).await), (StaleConn, String::new()));
    let again = send_request(&connections, &deployment, post("{}"), true).await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn f_021_a_new_connection_that_dies_with_the_request_is_a_reset() {
    let deployment = Target::plain(scripted(&[&[""]]).await).deployment();
    assert_eq!(told(send(&connections(), &deployment).await), (ResetBeforeHeaders, String::new()));
}

#[tokio::test]
async fn f_022_an_advertised_idle_time_is_undercut() {
    let short = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=4\r\ncontent-length: 2\r\n\r\nok";
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    // were a connection used again, its second request would find no answer
    let script: &[&[&str]] = &[&[short, "never"], &[close, "never"], &[OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    }
}

#[tokio::test]
async fn f_024_f_026_f_139_an_ambiguous_answer_is_malformed() {
    let interims = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17);
    let large = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(201));
    let cases: &[(&str, &str)] = &[
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "two_lengths",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "content_length"),
        ("HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", "content_length"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "transfer_encoding"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "status"),
        ("HTTP/1.1 999 Odd\r\n\r\n", "status"),
        ("HTTP/1.1 000 Odd\r\n\r\n", "status"),
        ("<html>no HTTP at all</html>\r\n\r\n", "status_line"),
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\nok", "status_line"),
        (&interims, "interims"),
        (&large, "head_too_large"),
        (&many, "head_too_large"),
    ];
    for (answer, reason) in cases {
        let script: &[&[&str]] = &[&[*answer]];
        let deployment = Target::plain(scripted(script).await).deployment();
        assert_eq!(told(send(&connections(), &deployment).await), (Malformed, (*reason).to_owned()), "{answer:.60}");
    }
}

#[tokio::test]
async fn f_024_garbage_for_a_chunk_is_malformed() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\n";
    let script: &[&[&str]] = &[&[answer]];
    let deployment = Target::plain(scripted(script).await).deployment();
    assert_eq!(told(fetch(&connections(), &deployment).await), (Malformed, "chunk".to_owned()));
}

#[tokio::test]
async fn f_025_an_answer_to_nobody_is_never_anybodys() {
    // the stray answer comes with the first one, in the same bytes
    let stray = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
    let script: &[&[&str]] = &[&[stray, "never"], &[OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
}

#[tokio::test]
async fn f_025_an_answer_that_comes_while_nobody_asks_is_never_anybodys() {
    let (listener, address) = listen().await;
    let (stray_sent, stray_seen) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("a connection");
        read_request(&mut first).await.expect("a request");
        first.write_all(OK.as_bytes()).await.expect("written");
        first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray").await.expect("written");
        stray_sent.send(()).expect("the test waits");
        let (mut second, _) = listener.accept().await.expect("another connection");
        read_request(&mut second).await.expect("a request");
        second.write_all(OK.as_bytes()).await.expect("written");
        closed(&mut first).await;
    });
    let deployment = Target::plain(address).deployment();
    let connections = connections();
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    stray_seen.await.expect("the vendor");
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
}

#[tokio::test]
async fn f_028_a_redirect_is_an_answer_and_not_followed() {
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let script: &[&[&str]] = &[&[redirect]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let answer = send(&connections(), &deployment).await.expect("an answer");
    assert_eq!(answer.status, 307);
}

#[tokio::test]
async fn f_038_f_045_a_body_that_ends_early_is_truncated() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok",
    ] {
        let script: &[&[&str]] = &[&[answer]];
        let deployment = Target::plain(scripted(script).await).deployment();
        assert_eq!(told(fetch(&connections(), &deployment).await), (Truncated, "closed".to_owned()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_ends_by_close_says_so() {
    let script: &[&[&str]] = &[&["HTTP/1.1 200 OK\r\n\r\nok"], &[OK]];
    let deployment = Target::plain(scripted(script).await).deployment();
    let connections = connections();
    for (ends_by_close, length) in [(true, None), (false, Some(2))] {
        let mut body = send(&connections, &deployment).await.expect("an answer").body;
        assert_eq!((body.ends_by_close(), body.length()), (ends_by_close, length));
        assert_eq!(body.chunk().await.expect("a chunk").expect("content"), "ok");
        assert!(body.chunk().await.is_none());
    }
}

#[tokio::test]
async fn a_vendor_that_never_answers_runs_into_the_headers_timeout() {
    let (_listener, address) = listen().await;
    let mut target = Target::plain(address);
    target.timeouts.headers = Duration::from_millis(50);
    let sent = send(&connections(), &target.deployment()).await;
    assert_eq!(told(sent), (HeadersTimeout, String::new()));
}

#[tokio::test]
async fn f_027_an_answer_that_comes_before_the_upload_ends_is_read() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("a connection");
        let refusal = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nok";
        first.write_all(refusal).await.expect("written");
        let (mut second, _) = listener.accept().await.expect("another connection");
        read_request(&mut second).await.expect("a request");
        second.write_all(OK.as_bytes()).await.expect("written");
        closed(&mut first).await;
    });
    let deployment = Target::plain(address).deployment();
    let connections = connections();
    let large = post(vec![b' '; 20 << 20]);
    let mut answer = send_request(&connections, &deployment, large, false).await.expect("an answer");
    assert_eq!(answer.status, 413);
    while answer.body.chunk().await.is_some() {}
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
}

/// Answers each request over TLS with its own body, in chunks, on as many connections as come.
async fn echo(config: Arc<ServerConfig>) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                while let Some(said) = read_ten_bytes(&mut socket).await {
                    let chunks = format!("5\r\n{}\r\n5\r\n{}\r\n0\r\n\r\n", &said[..5], &said[5..]);
                    socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.expect("written");
                    socket.write_all(chunks.as_bytes()).await.expect("written");
                }
            });
        }
    });
    address
}

/// The body of a request that has ten bytes of it.
async fn read_ten_bytes(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(socket.read_u8().await.ok()?);
    }
    let mut body = [0; 10];
    socket.read_exact(&mut body).await.ok()?;
    Some(String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_136_every_exchange_gets_its_own_answer() {
    let ca = Ca::new();
    let address = echo(ca.server("localhost", 2020..2090, &[])).await;
    let deployment = Target::tls(address, "localhost", &ca).deployment();
    let connections = connections();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..16 {
        let (connections, deployment) = (Arc::clone(&connections), Arc::clone(&deployment));
        clients.spawn(async move {
            for exchange in 0..20 {
                let said = format!("{client:05}{exchange:05}");
                let sent = send_request(&connections, &deployment, post(said.clone()), false).await;
                let mut body = sent.expect("an answer").body;
                let mut heard = Vec::new();
                while let Some(chunk) = body.chunk().await {
                    heard.extend_from_slice(&chunk.expect("content"));
                }
                assert_eq!(String::from_utf8(heard).expect("text"), said);
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test]
async fn a_body_that_ends_without_a_tls_farewell_is_truncated() {
    let ca = Ca::new();
    let (listener, address) = listen().await;
    let acceptor = TlsAcceptor::from(ca.server("localhost", 2020..2090, &[]));
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a connection");
        let mut socket = acceptor.accept(socket).await.expect("a handshake");
        read_request(&mut socket).await.expect("a request");
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").await.expect("written");
        socket.flush().await.expect("written");
        socket.get_mut().0.shutdown().await.expect("closed without a word");
    });
    let deployment = Target::tls(address, "localhost", &ca).deployment();
    assert_eq!(told(fetch(&connections(), &deployment).await), (Truncated, "closed".to_owned()));
}
