//! Names, addresses, TCP and TLS, up to the first byte of HTTP.

use super::*;
use FailureKind::{ConnectRefused, ConnectTimeout, DnsDenied, DnsError, TlsCert, TlsError};
use socket2::{Domain, Socket, Type};
use std::time::Instant;
use tokio_rustls::TlsAcceptor;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers one request on each connection, over TLS.
async fn tls_vendor(config: Arc<ServerConfig>) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                while read_request(&mut socket).await.is_some() {
                    socket.write_all(OK.as_bytes()).await.expect("written");
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn f_001_a_refused_connection_fails_at_once() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut target = Target::plain(address);
    target.timeouts.connect = WATCHDOG * 6;
    assert_eq!(told(send(&connections(), &target.deployment()).await), (ConnectRefused, String::new()));
}

#[tokio::test]
async fn f_002_a_black_hole_fails_after_the_connect_timeout() {
    // a full backlog: the kernel answers no further SYN
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    full.listen(0).expect("listening");
    let address = full.local_addr().expect("an address").as_socket().expect("an IP address");
    let within = Duration::from_millis(200);
    let mut held = Vec::new();
    while let Ok(Ok(socket)) = tokio::time::timeout(within, TcpStream::connect(address)).await {
        held.push(socket);
    }
    let mut target = Target::plain(address);
    target.timeouts.connect = within;
    let begun = Instant::now();
    assert_eq!(told(send(&connections(), &target.deployment()).await), (ConnectTimeout, String::new()));
    assert!(begun.elapsed() >= within);
}

#[tokio::test]
async fn f_003_the_next_address_is_tried_when_the_first_is_dead() {
    let ca = Ca::new();
    let address = tls_vendor(ca.server("vendor.test", 2020..2090, &[])).await;
    // nothing listens at 127.0.0.2 and ::1, and both belong to this machine
    let names = Names::new(&["127.0.0.2", "::1", "127.0.0.1"]);
    let connections = Connections::with_resolver(Arc::new(NoSink), Tokens::new(1), names);
    let target = Target { host: "localhost", ..Target::tls(address, "localhost", &ca) };
    // the name is checked after the connection: what matters here is that one was made
    assert_eq!(told(send(&connections, &target.deployment()).await), (TlsCert, "name_mismatch".to_owned()));
}

#[tokio::test]
async fn f_004_f_005_a_name_without_addresses_is_a_dns_error() {
    let (_listener, address) = listen().await;
    for (addresses, reason) in [(&[][..], "empty"), (&["127.0.0.1"][..], "resolver")] {
        let names = Names::new(addresses);
        if reason == "resolver" {
            names.fail();
        }
        let connections = Connections::with_resolver(Arc::new(NoSink), Tokens::new(1), names);
        let target = Target { host: "vendor.test", ..Target::plain(address) };
        assert_eq!(told(send(&connections, &target.deployment()).await), (DnsError, reason.to_owned()));
    }
}

#[tokio::test]
async fn f_006_a_vendor_at_a_private_address_is_denied_before_any_connection() {
    let (listener, address) = listen().await;
    let cases = [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.1", "private"),
        ("169.254.169.254", "metadata"),
    ];
    for (resolved, reason) in cases {
        let connections = Connections::with_resolver(Arc::new(NoSink), Tokens::new(1), Names::new(&[resolved]));
        let target = Target { host: "vendor.test", ..Target::plain(address) };
        assert_eq!(told(send(&connections, &target.deployment()).await), (DnsDenied, reason.to_owned()), "{resolved}");
    }
    let accepted = tokio::time::timeout(Duration::from_millis(10), listener.accept()).await;
    assert!(accepted.is_err(), "somebody connected");
}

#[tokio::test]
async fn f_007_f_010_f_011_f_012_a_bad_certificate_is_refused_with_its_reason() {
    let (ca, stranger) = (Ca::new(), Ca::named("stranger"));
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let self_signed = params.self_signed(&key).expect("a certificate").der().clone();
    let cases = [
        (ca.server("localhost", 2020..2021, &[]), "expired", "expired at 2021-01-01T00:00:00Z"),
        (ca.server("localhost", 2080..2090, &[]), "not_yet_valid", "not valid before 2080-01-01T00:00:00Z"),
        (ca.server("somebody.else", 2020..2090, &[]), "name_mismatch", "name_mismatch"),
        (stranger.server("localhost", 2020..2090, &[]), "unknown_issuer", "unknown_issuer"),
        (server_config(self_signed, &key, &[]), "unknown_issuer", "unknown_issuer"),
    ];
    for (config, reason, told_people) in cases {
        let events = Arc::new(Events::default());
        let connections = Connections::new(Arc::clone(&events) as Arc<dyn Sink>, Tokens::new(1));
        let deployment = Target::tls(tls_vendor(config).await, "localhost", &ca).deployment();
        for _ in 0..2 {
            assert_eq!(told(send(&connections, &deployment).await), (TlsCert, reason.to_owned()));
        }
        let complaints =
            events.count(|event| matches!(event, Event::VendorCertificate { reason, .. } if reason == told_people));
        assert_eq!(complaints, 1, "{reason}: once a minute");
    }
}

#[tokio::test]
async fn a_good_certificate_is_accepted_and_the_connection_kept() {
    let ca = Ca::new();
    let address = tls_vendor(ca.server("localhost", 2020..2090, &["http/1.1"])).await;
    let deployment = Target { http2: true, ..Target::tls(address, "localhost", &ca) }.deployment();
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(fetch(&connections, &deployment).await.expect("an answer"), "ok");
    }
}

#[tokio::test]
async fn f_013_a_handshake_that_stalls_fails_in_time() {
    let (_listener, address) = listen().await;
    let mut target = Target::tls(address, "localhost", &Ca::new());
    target.timeouts.handshake = Duration::from_millis(100);
    assert_eq!(told(send(&connections(), &target.deployment()).await), (TlsError, "timeout".to_owned()));
}
