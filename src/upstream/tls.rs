//! TLS to vendors: who is trusted, and what a failed handshake means.

use crate::base::event::{Event, Sink};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::snapshot::deployment::Roots;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How often a host's certificate is complained about.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

/// The client configurations, one for each set of roots and protocols, so that sessions are resumed.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    configs: Mutex<Vec<(Roots, bool, Arc<ClientConfig>)>>,
    complaints: Mutex<HashMap<Arc<str>, Instant>>,
    sink: Arc<dyn Sink>,
}

impl Tls {
    /// Without any configuration yet: the operating system's roots are read when they are first needed.
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Self { provider, configs: Mutex::default(), complaints: Mutex::default(), sink }
    }

    /// The configuration that trusts `roots`, and offers HTTP/2 or not.
    ///
    /// # Errors
    /// `tls_error` when no roots can be had at all.
    pub(super) fn config(&self, roots: &Roots, http2: bool) -> Result<Arc<ClientConfig>, Failure> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, config)) = configs.iter().find(|(r, h, _)| same_roots(r, roots) && *h == http2) {
            return Ok(Arc::clone(config));
        }
        let config = self.build(roots, http2).map_err(|_| tls_error("no_roots"))?;
        configs.push((roots.clone(), http2, Arc::clone(&config)));
        Ok(config)
    }

    fn build(&self, roots: &Roots, http2: bool) -> Result<Arc<ClientConfig>, rustls::Error> {
        let extra = match roots {
            Roots::System => &[][..],
            Roots::With(extra) => extra,
        };
        let verifier: Arc<dyn ServerCertVerifier> =
            Arc::new(Verifier::new_with_extra_roots(extra.iter().cloned(), Arc::clone(&self.provider))?);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        if http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }

    /// Shakes hands over `socket` with the host that was configured.
    ///
    /// # Errors
    /// `tls_cert` when its certificate is not acceptable, else `tls_error`.
    pub(super) async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
        host: &Arc<str>,
        socket: TcpStream,
        within: Duration,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(host.to_string()).map_err(|_| tls_error("host_name"))?;
        let shaken = TlsConnector::from(Arc::clone(config)).connect(name, socket);
        let (failure, detail) = match tokio::time::timeout(within, shaken).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure_of(&error),
            Err(_) => (tls_error("timeout"), None),
        };
        self.report(host, &failure, detail);
        Err(failure)
    }

    /// `detail` tells a person more than the reason does.
    fn report(&self, host: &Arc<str>, failure: &Failure, detail: Option<String>) {
        if let Cow::Borrowed(reason) = failure.reason {
            self.sink.emit(Event::TlsFailed { side: "vendor", reason });
        }
        if failure.kind == FailureKind::TlsCert && self.may_complain(host) {
            let reason = detail.map_or_else(|| failure.reason.clone(), Cow::Owned);
            self.sink.emit(Event::VendorCertificate { host: Arc::clone(host), reason });
        }
    }

    fn may_complain(&self, host: &Arc<str>) -> bool {
        let now = Instant::now();
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.retain(|_, last| now.saturating_duration_since(*last) < COMPLAINT_PAUSE);
        let silent = !complaints.contains_key(host);
        if silent {
            complaints.insert(Arc::clone(host), now);
        }
        silent
    }
}

/// Whether two sets of roots are the same certificates.
pub(super) fn same_roots(left: &Roots, right: &Roots) -> bool {
    match (left, right) {
        (Roots::System, Roots::System) => true,
        (Roots::With(left), Roots::With(right)) => Arc::ptr_eq(left, right) || left == right,
        (Roots::System, Roots::With(_)) | (Roots::With(_), Roots::System) => false,
    }
}

fn tls_error(reason: &'static str) -> Failure {
    Failure::new(FailureKind::TlsError, Phase::Connect, reason)
}

/// What a failed handshake means, and what a person should know beside.
fn failure_of(error: &io::Error) -> (Failure, Option<String>) {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return (tls_error("closed"), None);
    };
    let failure = match error {
        rustls::Error::InvalidCertificate(error) => {
            let failure = Failure::new(FailureKind::TlsCert, Phase::Connect, certificate_reason(error));
            return (failure, certificate_detail(error));
        }
        rustls::Error::AlertReceived(_) => tls_error("alert"),
        rustls::Error::PeerIncompatible(_) => tls_error("incompatible"),
        rustls::Error::NoApplicationProtocol => tls_error("protocol"),
        _ => tls_error("handshake"),
    };
    (failure, None)
}

/// When a certificate that is out of its time was or will be valid.
fn certificate_detail(error: &CertificateError) -> Option<String> {
    let date =
        |time: &UnixTime| Some(jiff::Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()?.to_string());
    match error {
        CertificateError::ExpiredContext { not_after, .. } => Some(format!("expired at {}", date(not_after)?)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            Some(format!("not valid before {}", date(not_before)?))
        }
        _ => None,
    }
}

fn certificate_reason(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_yet_valid",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "name_mismatch",
        CertificateError::UnknownIssuer => "unknown_issuer",
        CertificateError::Revoked => "revoked",
        _ => "other",
    }
}
