//! The TLS settings of a listener, made once for each of its generations and kept until the next.

use crate::server::CurrentListener;
use crate::snapshot::listener::{Certificate, Listener};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives every new connection the TLS settings of today.
pub(crate) struct Certificates {
    current: Arc<CurrentListener>,
    provider: Arc<CryptoProvider>,
    made: Mutex<HashMap<Arc<str>, Made>>,
}

/// Settings, with the listener that they were made of.
struct Made {
    listener: Arc<Listener>,
    tls: Arc<ServerConfig>,
}

/// How a connection of a listener begins.
pub(crate) enum Beginning {
    /// With a TLS handshake.
    Tls(Arc<ServerConfig>),
    /// With HTTP: the listener has no certificates.
    Plain,
}

impl Certificates {
    pub(crate) fn new(current: Arc<CurrentListener>) -> Self {
        Self { current, provider: Arc::new(aws_lc_rs::default_provider()), made: Mutex::new(HashMap::new()) }
    }

    /// How a new connection of the listener `name` begins; `None` for a listener that is gone.
    ///
    /// # Errors
    /// When today's trust anchors cannot be used, which compiling the config should have found.
    pub(crate) fn beginning(&self, name: &Arc<str>) -> Result<Option<Beginning>, rustls::Error> {
        let Some(listener) = (self.current)(name) else { return Ok(None) };
        if listener.certificates.is_empty() {
            return Ok(Some(Beginning::Plain));
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = made.get(name).filter(|made| Arc::ptr_eq(&made.listener, &listener)) {
            return Ok(Some(Beginning::Tls(Arc::clone(&same.tls))));
        }
        let tls = Arc::new(settings(&listener, &self.provider)?);
        made.insert(Arc::clone(name), Made { listener, tls: Arc::clone(&tls) });
        Ok(Some(Beginning::Tls(tls)))
    }
}

/// TLS 1.3 and 1.2, the hybrid post-quantum key exchange first, no early data. Each call makes its own ticket keys, so that
/// no session outlives a change of certificates or trust anchors, or moves to another listener; listeners that ask
/// for client certificates resume nothing.
fn settings(listener: &Listener, provider: &Arc<CryptoProvider>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let asks_certificate = !listener.client_roots.is_empty();
    let builder = if asks_certificate {
        let mut roots = RootCertStore::empty();
        for root in &listener.client_roots {
            roots.add(root.clone())?;
        }
        // every certificate of a chain is looked up; one that no list speaks of is refused, if there are lists at all
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(listener.client_crls.iter().cloned())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut tls = builder.with_cert_resolver(Arc::new(ByName::new(&listener.certificates)));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    if asks_certificate {
        tls.send_tls13_tickets = 0;
    } else {
        tls.ticketer = aws_lc_rs::Ticketer::new()?;
        tls.send_tls13_tickets = 1;
    }
    Ok(tls)
}

/// Chooses by the name that the client asks for: exact, then wildcard, then the first certificate.
#[derive(Debug)]
struct ByName {
    named: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
}

impl ByName {
    fn new(certificates: &[Arc<Certificate>]) -> Self {
        let mut named = HashMap::new();
        for certificate in certificates {
            for name in &certificate.names {
                named.entry(name.to_ascii_lowercase()).or_insert_with(|| Arc::clone(&certificate.certified));
            }
        }
        Self { named, first: certificates.first().map(|certificate| Arc::clone(&certificate.certified)) }
    }

    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase);
        let exact = || self.named.get(name.as_deref()?);
        let wildcard = || self.named.get(&format!("*.{}", name.as_deref()?.split_once('.')?.1));
        exact().or_else(wildcard).or(self.first.as_ref()).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}
