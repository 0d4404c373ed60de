//! Posts a document to one address.

use crate::base::secret::Secret;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use url::Url;

/// How long a delivery may take.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Webhook {
    /// Webhooks carry their token in the address, so that it is never shown.
    url: Secret,
    runtime: Runtime,
    tls: Arc<ClientConfig>,
}

impl Webhook {
    pub(super) fn new(url: Secret) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(io::Error::other)?
            .with_no_client_auth();
        Ok(Self { url, runtime, tls: Arc::new(tls) })
    }

    /// Posts the document, and waits until it is taken.
    ///
    /// # Errors
    /// What stood in the way, without the address.
    pub(super) fn post(&self, document: &str) -> Result<(), String> {
        let sent = async { tokio::time::timeout(WITHIN, self.send(document.to_owned())).await };
        let status = self.runtime.block_on(sent).map_err(|_| "no answer in time".to_owned())??;
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    }

    async fn send(&self, document: String) -> Result<StatusCode, String> {
        let url = Url::parse(self.url.expose()).map_err(|error| error.to_string())?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let socket = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
        let request = request(&url, document)?;
        if url.scheme() == "http" {
            return exchange(socket, request).await;
        }
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, socket).await.map_err(|error| error.to_string())?;
        exchange(stream, request).await
    }
}

fn request(url: &Url, document: String) -> Result<Request<Full<Bytes>>, String> {
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("backstay/", env!("CARGO_PKG_VERSION")))
        .body(Full::from(Bytes::from(document)))
        .map_err(|error| error.to_string())
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    connection.abort();
    Ok(response.status())
}
