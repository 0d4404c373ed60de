//! Sockets that behave and misbehave, as vendors do.

mod cancel;
mod connect;
mod http1;
mod http2;

use crate::base::event::{Event, NoSink, Sink};
use crate::base::failure::{Failure, FailureKind};
use crate::base::secret::Secret;
use crate::dialect::profile::OPENAI;
use crate::price::Rates;
use crate::snapshot::deployment::{
    Credential, Deployment, Endpoint, Limits, Roots, TimeoutOverrides, Timeouts, Vendor, Voice,
};
use crate::snapshot::permit::Permit;
use crate::snapshot::proof::Proof;
use crate::upstream::resolve::Resolver;
use crate::upstream::{Connections, Incoming, Outgoing, Tokens};
use bytes::Bytes;
use http::{HeaderMap, Method};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No test waits longer for anything.
const WATCHDOG: Duration = Duration::from_secs(10);

/// A deployment to call, changed by each test where it matters.
struct Target {
    host: &'static str,
    port: u16,
    roots: Option<Roots>,
    allow_private: bool,
    http2: bool,
    timeouts: Timeouts,
}

impl Target {
    /// In clear, at `address`.
    fn plain(address: SocketAddr) -> Self {
        let second = Duration::from_secs(1);
        let timeouts = Timeouts {
            connect: second,
            handshake: second * 2,
            headers: second,
            first_content: second,
            idle: second,
            progress: second,
            trickle: second,
            answer: second,
        };
        Self { host: "127.0.0.1", port: address.port(), roots: None, allow_private: false, http2: false, timeouts }
    }

    /// Over TLS, as `host`.
    fn tls(address: SocketAddr, host: &'static str, ca: &Ca) -> Self {
        Self { host, roots: Some(ca.roots()), ..Self::plain(address) }
    }

    fn deployment(self) -> Arc<Deployment> {
        let name: Arc<str> = "vendor".into();
        let vendor = Arc::new(Vendor { name: Arc::clone(&name), profiles: Arc::from([OPENAI]), catalog: None });
        let endpoint = Endpoint {
            name,
            vendor,
            tls: self.roots.is_some(),
            host: self.host.into(),
            port: self.port,
            authority: format!("{}:{}", self.host, self.port).into(),
            path: "/v1".into(),
            roots: self.roots.unwrap_or(Roots::System),
            allow_private: self.allow_private,
            loopback: matches!(self.host, "localhost" | "127.0.0.1"),
            http2: self.http2,
            region: "eu".into(),
            reserved_for: None,
        };
        let (path, stream_path) = (OPENAI.path.into(), OPENAI.stream_path.into());
        let models_path = OPENAI.models_path.into();
        let voice = Voice { profile: OPENAI, path, stream_path, models_path, capabilities: OPENAI.capabilities };
        Arc::new(Deployment {
            index: 0,
            id: "vendor/model".into(),
            health_key: "health".into(),
            host_key: "host".into(),
            endpoint: Arc::new(endpoint),
            model: "model".into(),
            region: "eu".into(),
            credential: Some(Credential {
                name: "default".into(),
                secret: Secret::new("sk-canary".to_owned()),
                proof: Proof::Header,
            }),
            voice,
            further_voices: Vec::new(),
            limits: Limits::default(),
            rates: Rates::default(),
            default_max_tokens: 16,
            timeouts: self.timeouts,
            own_timeouts: TimeoutOverrides::default(),
            keeps_nothing: false,
        })
    }
}

/// A request with `body`.
fn post(body: impl Into<Bytes>) -> Outgoing {
    let headers = HeaderMap::new();
    Outgoing { method: Method::POST, path: "/chat/completions".to_owned(), headers, body: body.into() }
}

/// Sends `request` as the deployment's own timeouts say.
async fn send_request(
    connections: &Connections,
    to: &Arc<Deployment>,
    request: Outgoing,
    fresh: bool,
) -> Result<Box<Incoming>, Failure> {
    connections.send(&Permit::for_test(Arc::clone(to)), request, &to.timeouts, fresh).await
}

/// Sends a small request.
async fn send(connections: &Connections, to: &Arc<Deployment>) -> Result<Box<Incoming>, Failure> {
    let sent = send_request(connections, to, post("{}"), false);
    tokio::time::timeout(WATCHDOG, sent).await.expect("an answer or a failure in time")
}

/// Sends a small request and reads the whole answer.
async fn fetch(connections: &Connections, to: &Arc<Deployment>) -> Result<String, Failure> {
    let mut body = send(connections, to).await?.body;
    let mut text = Vec::new();
    while let Some(chunk) = tokio::time::timeout(WATCHDOG, body.chunk()).await.expect("a chunk in time") {
        text.extend_from_slice(&chunk?);
    }
    Ok(String::from_utf8(text).expect("text"))
}

/// Kind and reason of the failure, which there has to be.
fn told<T: std::fmt::Debug>(result: Result<T, Failure>) -> (FailureKind, String) {
    let failure = result.expect_err("a failure");
    (failure.kind, failure.reason.into_owned())
}

fn connections() -> Arc<Connections> {
    Connections::new(Arc::new(NoSink), Tokens::new(1))
}

/// Answers every name alike.
struct Names(Mutex<Result<Vec<IpAddr>, io::ErrorKind>>);

impl Names {
    fn new(addresses: &[&str]) -> Arc<Self> {
        let addresses = addresses.iter().map(|address| address.parse().expect("a literal address")).collect();
        Arc::new(Self(Mutex::new(Ok(addresses))))
    }

    fn fail(&self) {
        *self.0.lock().expect("no panic") = Err(io::ErrorKind::NotFound);
    }
}

impl Resolver for Names {
    fn look_up(&self, _: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let answer = self.0.lock().expect("no panic").clone();
        Box::pin(async move { answer.map_err(io::Error::from) })
    }
}

/// Keeps what was emitted.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Sink for Events {
    fn emit(&self, event: Event) {
        self.0.lock().expect("no panic").push(event);
    }
}

impl Events {
    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().expect("no panic").iter().filter(|event| which(event)).count()
    }
}

/// A certificate authority of the test's own.
struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        Self::named("ours")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn roots(&self) -> Roots {
        Roots::With(Arc::from([self.certificate.clone()]))
    }

    /// A server's configuration with a certificate for `name`, valid in the years given.
    fn server(&self, name: &str, years: std::ops::Range<i32>, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        server_config(certificate, &key, alpn)
    }
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair, alpn: &[&str]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("certificate and key");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A plain vendor that gives the connections' answers in turn: on each connection, for each request, the next of its bytes; then
/// it closes. Returns its address.
async fn scripted(script: &[&[&str]]) -> SocketAddr {
    let (listener, address) = listen().await;
    let owned = |answers: &&[&str]| -> Vec<String> { answers.iter().map(|answer| (*answer).to_owned()).collect() };
    let script: Vec<Vec<String>> = script.iter().map(owned).collect();
    tokio::spawn(async move {
        for answers in script {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                for answer in answers {
                    if read_request(&mut socket).await.is_none() {
                        return;
                    }
                    socket.write_all(answer.as_bytes()).await.expect("written");
                }
                socket.shutdown().await.expect("closed");
                let _ = socket.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    address
}

/// Reads one request with a `{}` body; its head, or `None` at the end.
async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        let byte = socket.read_u8().await.ok()?;
        seen.push(byte);
        if seen.ends_with(b"\r\n\r\n{}") {
            return Some(String::from_utf8(seen).expect("text"));
        }
    }
}

/// Waits until the peer has closed or reset the connection.
async fn closed(socket: &mut TcpStream) {
    let mut rest = [0; 1024];
    while matches!(socket.read(&mut rest).await, Ok(1..)) {}
}
