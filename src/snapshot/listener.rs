//! Where clients and people are accepted.

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::sign::CertifiedKey;
use std::net::SocketAddr;
use std::sync::Arc;

/// A certificate chain with its key and the names it is chosen for.
#[derive(Debug)]
pub struct Certificate {
    /// DNS names of the certificate, lower case, `*.` wildcards included.
    pub names: Vec<String>,
    /// The end of its validity, seconds since 1970.
    pub not_after: i64,
    /// The file, for metrics.
    pub file: Arc<str>,
    /// What rustls signs with.
    pub certified: Arc<CertifiedKey>,
}

/// A named address that accepts clients.
#[derive(Debug)]
pub struct Listener {
    /// Its name in the config.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Certificates to choose from by SNI, the first for everyone else; empty for plain HTTP.
    pub certificates: Vec<Arc<Certificate>>,
    /// Trust anchors for client certificates; empty for none asked for.
    pub client_roots: Vec<CertificateDer<'static>>,
    /// Revocation lists of those authorities; empty where nobody asks whether a client certificate was revoked.
    pub client_crls: Vec<CertificateRevocationListDer<'static>>,
}

/// The address for people and scrapers.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// Digests of the operators' tokens.
    pub operators: Vec<crate::base::hash::Digest>,
}
