//! The TLS handshake: who the client is, which protocol it speaks, or why it did not come to that.

use crate::server::bounds::Bounds;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error as TlsError, InvalidMessage, PeerIncompatible, ServerConfig};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A connection that has become private.
pub(crate) struct Private {
    /// In a box, since it is handed on from step to step and lasts as long as the connection.
    pub(crate) stream: Box<TlsStream<TcpStream>>,
    /// Names of the client's verified certificate, as in `uri:spiffe://...` or `dns:...`.
    pub(crate) certificate_names: Vec<String>,
    /// Whether the client chose HTTP/2.
    pub(crate) http2: bool,
}

/// Shakes hands within the time that the bounds allow.
///
/// # Errors
/// Why it failed, as one of a closed set of reasons.
pub(crate) async fn shake(socket: TcpStream, tls: Arc<ServerConfig>, bounds: &Bounds) -> Result<Private, &'static str> {
    let shaking = TlsAcceptor::from(tls).accept(socket);
    let stream = match tokio::time::timeout(bounds.handshake, shaking).await {
        Err(_) => return Err("handshake_timeout"),
        Ok(Err(error)) => return Err(reason(&error)),
        Ok(Ok(stream)) => Box::new(stream),
    };
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    let certificate_names = session.peer_certificates().and_then(<[_]>::first).map(names).unwrap_or_default();
    Ok(Private { stream, certificate_names, http2 })
}

/// The alternative names that identify a workload: URIs and DNS names, in the certificate's order.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return Vec::new() };
    alternatives
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(format!("uri:{uri}")),
            GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
            _ => None,
        })
        .collect()
}

fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(error) => tls_reason(error),
        None => "closed",
    }
}

fn tls_reason(error: &TlsError) -> &'static str {
    match error {
        TlsError::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            // Every client of TLS 1.2 sends it (RFC 5246, 7.4.1.4.1), so who does not is older.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => "version",
        TlsError::PeerIncompatible(_) => "nothing_in_common",
        TlsError::NoApplicationProtocol => "alpn",
        TlsError::NoCertificatesPresented => "no_certificate",
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "expired_certificate"
        }
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => "unknown_issuer",
        TlsError::InvalidCertificate(CertificateError::Revoked) => "revoked_certificate",
        TlsError::InvalidCertificate(_) => "bad_certificate",
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => "not_tls",
        TlsError::AlertReceived(_) => "alert",
        _ => "protocol",
    }
}
