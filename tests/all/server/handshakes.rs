//! Handshakes: versions, certificates, identities, and what fails how.

use super::{HELLO, SHORT};
use crate::support::certificates::{Authority, client, client_of};
use crate::support::serving::{Running, bounds, get, http2, listener, read_until, soon, start};
use backstay::server::bounds::Bounds;
use backstay::snapshot::listener::Listener;
use http_body_util::BodyExt;
use rustls::pki_types::CertificateRevocationListDer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
async fn f_017_a_revoked_certificate_is_refused_from_the_next_handshake_on() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let with = |lists: &[CertificateRevocationListDer<'static>]| Listener {
        client_roots: vec![clients.root()],
        client_crls: lists.to_vec(),
        ..listener(vec![authority.certificate(&["localhost"])])
    };
    let shows = |serial: u64| {
        let numbered = |params: &mut rcgen::CertificateParams| params.serial_number = Some(serial.into());
        client(&authority, Some(clients.sign(&["spiffe://corp/research"], numbered)), &[])
    };
    let greets = async |server: &Running, serial| {
        let mut stream = server.connect_tls(shows(serial), "localhost").await?;
        stream.write_all(HELLO).await?;
        stream.read_u8().await
    };
    // the last case: whom no list speaks of may have been revoked too
    let cases = [(clients.crl(&[7]), 7, "revoked_certificate"), (others.crl(&[]), 8, "bad_certificate")];
    for (list, serial, reason) in cases {
        let server = start(with(&[]), bounds());
        greets(&server, serial).await.unwrap();
        server.listener.send_replace(Arc::new(with(std::slice::from_ref(&list))));
        assert!(greets(&server, serial).await.is_err(), "{reason}");
        assert_eq!(server.sink.tls_failure().await, reason);
    }
    let server = start(with(&[clients.crl(&[7])]), bounds());
    greets(&server, 8).await.unwrap();
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
