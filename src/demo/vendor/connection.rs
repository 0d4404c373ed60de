//! Accepts connections, shakes hands well or badly, and hands over to HTTP.

use super::log::{CloseKind, Handshake};
use super::script::{Lot, Tls};
use super::wire::{Resetter, Wire};
use super::{Fault, Shared, http1, http2};
use rustls::ServerConfig;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How the vendor's connections begin.
#[derive(Debug)]
pub(super) struct Handshakes {
    tls: Option<Tls>,
    http2: bool,
}

impl Handshakes {
    pub(super) fn new(tls: Option<Tls>, http2: bool) -> Self {
        let offer = |config: Arc<ServerConfig>| {
            let mut config = ServerConfig::clone(&config);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            if http2 {
                config.alpn_protocols.insert(0, b"h2".to_vec());
            }
            Arc::new(config)
        };
        let tls = tls.map(|tls| Tls {
            good: offer(tls.good),
            expired: tls.expired.map(offer),
            self_signed: tls.self_signed.map(offer),
            wrong_name: tls.wrong_name.map(offer),
        });
        Self { tls, http2 }
    }

    /// The configuration that a fault calls for; the good one without a fault of certificates.
    fn config(&self, fault: Option<Fault>) -> Option<Arc<ServerConfig>> {
        let tls = self.tls.as_ref()?;
        match fault {
            Some(Fault::CertificateExpired) => tls.expired.clone(),
            Some(Fault::CertificateSelfSigned) => tls.self_signed.clone(),
            Some(Fault::CertificateWrongName) => tls.wrong_name.clone(),
            _ => Some(Arc::clone(&tls.good)),
        }
    }
}

/// Accepts until the vendor is dropped, which breaks every connection.
pub(super) async fn accept_all(shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = shared.door.accept() => if let Ok(stream) = accepted {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let lot = shared.lot_for_connection();
    let id = shared.log.accepted(if let Lot::Strike(fault) = lot { Some(fault) } else { None });
    // The resetter goes before the log speaks: only then is the socket closed for good.
    let kind = match (Resetter::of(&stream), lot) {
        (Ok(resetter), Lot::Strike(fault)) => strike(fault, stream, &resetter, id, &shared).await,
        (Ok(resetter), lot) => serve_well(stream, &resetter, id, &shared, lot).await,
        (Err(_), _) => CloseKind::PeerReset,
    };
    shared.log.closed(id, kind);
}

/// What a new connection meets under a fault that strikes connections.
async fn strike(
    fault: Fault,
    mut stream: TcpStream,
    resetter: &Resetter,
    id: usize,
    shared: &Arc<Shared>,
) -> CloseKind {
    match fault {
        Fault::Blackhole | Fault::TlsStall => until_gone(&mut stream).await,
        Fault::TlsGarbage => {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nwhat is this").await;
            let _ = stream.shutdown().await;
            until_gone(&mut stream).await;
            CloseKind::OurFin
        }
        Fault::CertificateExpired | Fault::CertificateSelfSigned | Fault::CertificateWrongName => {
            serve_with(fault, stream, resetter, id, shared).await
        }
        _ => {
            resetter.arm();
            CloseKind::OurReset
        }
    }
}

async fn serve_with(
    fault: Fault,
    stream: TcpStream,
    resetter: &Resetter,
    id: usize,
    shared: &Arc<Shared>,
) -> CloseKind {
    match shared.handshakes.config(Some(fault)) {
        Some(config) => serve_tls(config, stream, resetter, id, shared, Lot::Open).await,
        None => {
            resetter.arm();
            CloseKind::OurReset
        }
    }
}

async fn serve_well(stream: TcpStream, resetter: &Resetter, id: usize, shared: &Arc<Shared>, lot: Lot) -> CloseKind {
    // Every chunk is to leave as it was written.
    let _ = stream.set_nodelay(true);
    match shared.handshakes.config(None) {
        Some(config) => serve_tls(config, stream, resetter, id, shared, lot).await,
        None if shared.handshakes.http2 => http2::serve(Wire::Plain(stream), id, shared, lot).await,
        None => http1::serve(Wire::Plain(stream), resetter, id, shared, lot).await,
    }
}

async fn serve_tls(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    resetter: &Resetter,
    id: usize,
    shared: &Arc<Shared>,
    lot: Lot,
) -> CloseKind {
    let stream = match TlsAcceptor::from(config).accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            shared.log.handshake(id, Err(error.to_string()));
            return CloseKind::PeerReset;
        }
    };
    let (_, agreed) = stream.get_ref();
    let protocol = agreed.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let speaks_http2 = protocol.as_deref() == Some("h2");
    shared.log.handshake(id, Ok(Handshake { server_name: agreed.server_name().map(str::to_owned), protocol }));
    let wire = Wire::Tls(Box::new(stream));
    if speaks_http2 {
        http2::serve(wire, id, shared, lot).await
    } else {
        http1::serve(wire, resetter, id, shared, lot).await
    }
}

/// Reads and says nothing until the peer goes.
async fn until_gone(stream: &mut TcpStream) -> CloseKind {
    let mut rest = [0; 4_096];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => return CloseKind::PeerFin,
            Ok(_) => {}
            Err(_) => return CloseKind::PeerReset,
        }
    }
}
