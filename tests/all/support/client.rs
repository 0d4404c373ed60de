//! A client over TLS that sees what an SDK would, and how the connection ended.

use backstay::demo::certificates::{Authority, Issued};
use backstay::dialect::Dialect;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Calls the proxy; each call opens its own connection.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
    tls_http2: TlsConnector,
    key: String,
    /// The address it calls from, where that is not the system's choice.
    from: Option<IpAddr>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP wants it; a broken connection is `false`.
    pub(crate) clean: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `data` of every event of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        self.text()
            .split("\n\n")
            .flat_map(|event| event.lines())
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }

    /// The text of a chat answer, streamed or whole, in either dialect.
    pub(crate) fn said(&self) -> String {
        if !self.header("content-type").starts_with("text/event-stream") {
            let body = self.json();
            let whole = body["choices"][0]["message"]["content"].as_str().or(body["content"][0]["text"].as_str());
            let whole = whole.or(body["output"][0]["content"][0]["text"].as_str());
            let whole = whole.or(body["candidates"][0]["content"]["parts"][0]["text"].as_str());
            return whole.unwrap_or_default().to_owned();
        }
        let events = self.events().into_iter().filter_map(|data| serde_json::from_str::<Value>(&data).ok());
        let piece = |event: Value| {
            let text = event["choices"][0]["delta"]["content"].as_str().or(event["delta"]["text"].as_str());
            let text = text.or(event["delta"].as_str());
            let text = text.or(event["candidates"][0]["content"]["parts"][0]["text"].as_str());
            text.unwrap_or_default().to_owned()
        };
        events.map(piece).collect()
    }
}

/// An answer whose head has come.
pub(crate) struct Begun {
    response: http::Response<hyper::body::Incoming>,
    body: Vec<u8>,
    driver: JoinHandle<()>,
}

impl Begun {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Waits for the next bytes of the body and keeps them.
    pub(crate) async fn next(&mut self) {
        let frame = self.response.body_mut().frame().await.unwrap().unwrap();
        self.body.extend_from_slice(frame.data_ref().unwrap());
    }

    /// Reads the answer to its end.
    pub(crate) async fn finish(self) -> Answer {
        let answer = collect(self.response, self.body).await;
        self.driver.abort();
        answer
    }

    /// Goes away.
    pub(crate) fn leave(self) {
        self.driver.abort();
    }
}

/// A connection that is kept from call to call, and made anew once the other side has closed it.
pub(crate) struct Kept {
    client: Client,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Kept {
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask(path, body).await.unwrap()
    }

    /// The same; `None` where the connection ends without an answer.
    pub(crate) async fn ask(&mut self, path: &str, body: &Value) -> Option<Answer> {
        let kept = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.client.http1().await.0,
        };
        let request = self.client.request("POST", path, &[]).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
        let answer = collect(sender.send_request(request).await.ok()?, Vec::new()).await;
        self.sender = Some(sender);
        Some(answer)
    }

    /// The same over one connection to a server that may die: `None` once it has.
    pub(crate) async fn try_post(&mut self, path: &str, body: &Value) -> Option<Answer> {
        let mut sender = match self.sender.take() {
            Some(mut sender) => sender.ready().await.ok().map(|()| sender)?,
            None => self.client.http1().await.0,
        };
        let request = self.client.request("POST", path, &[]).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
        let answer = collect(sender.send_request(request).await.ok()?, Vec::new()).await;
        self.sender = Some(sender);
        answer.clean.then_some(answer)
    }
}

/// The certificate and key that a client shows.
fn identity(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    (chain, PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap())
}

fn connector(authority: &Authority, shown: Option<&Issued>, alpn: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown.map(identity) {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

impl Client {
    pub(crate) fn new(address: SocketAddr, authority: &Authority, key: &str) -> Self {
        let (tls, tls_http2) = (connector(authority, None, b"http/1.1"), connector(authority, None, b"h2"));
        Self { address, tls, tls_http2, key: key.to_owned(), from: None }
    }

    /// A client without a key that shows a certificate.
    pub(crate) fn certified(address: SocketAddr, authority: &Authority, issued: &Issued) -> Self {
        let (tls, tls_http2) =
            (connector(authority, Some(issued), b"http/1.1"), connector(authority, Some(issued), b"h2"));
        Self { address, tls, tls_http2, key: String::new(), from: None }
    }

    /// The same client with another key.
    pub(crate) fn key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The same, calling from this address.
    pub(crate) fn from(&self, address: IpAddr) -> Self {
        Self { from: Some(address), ..self.clone() }
    }

    async fn dial(&self) -> TcpStream {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        if let Some(from) = self.from {
            socket.bind((from, 0).into()).unwrap();
        }
        socket.connect(self.address).await.unwrap()
    }

    /// A connection to be used by hand.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let socket = self.dial().await;
        self.tls.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap()
    }

    /// A simple chat call in OpenAI's dialect.
    pub(crate) async fn chat(&self, stream: bool) -> Answer {
        self.post("/v1/chat/completions", &chat_body(stream)).await
    }

    /// A simple call in Anthropic's dialect.
    pub(crate) async fn message(&self, stream: bool) -> Answer {
        let body = json!({ "model": "smart", "max_tokens": 100, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] });
        self.post("/v1/messages", &body).await
    }

    /// A simple call in OpenAI's Responses dialect.
    pub(crate) async fn response(&self, stream: bool) -> Answer {
        let body = json!({ "model": "smart", "stream": stream, "store": false, "input": "Hello" });
        self.post("/v1/responses", &body).await
    }

    /// A simple call in Gemini's dialect.
    pub(crate) async fn content(&self, stream: bool) -> Answer {
        let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] });
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        self.post(&format!("/v1beta/models/smart:{method}"), &body).await
    }

    /// A simple call in this dialect of conversations.
    pub(crate) async fn ask(&self, dialect: Dialect, stream: bool) -> Answer {
        match dialect {
            Dialect::OpenaiChat => self.chat(stream).await,
            Dialect::OpenaiResponses => self.response(stream).await,
            Dialect::Anthropic => self.message(stream).await,
            Dialect::Gemini => self.content(stream).await,
            other => panic!("{} holds no conversation", other.name()),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, body.to_string(), &[]).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Answer {
        let request = self.request("POST", path, headers).header("content-type", "application/json");
        self.send(request.body(Full::new(Bytes::from(body))).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(self.request("GET", path, headers).body(Full::default()).unwrap()).await
    }

    /// The builder of a request with host and key.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> http::request::Builder {
        let mut request = http::Request::builder().method(method).uri(path).header("host", "localhost");
        if !self.key.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    pub(crate) async fn send(&self, request: http::Request<Full<Bytes>>) -> Answer {
        let (mut sender, driver) = self.http1().await;
        let answer = collect(sender.send_request(request).await.unwrap(), Vec::new()).await;
        driver.abort();
        answer
    }

    /// Sends a call and waits for the head of its answer.
    pub(crate) async fn begin(&self, path: &str, body: &Value) -> Begun {
        let (mut sender, driver) = self.http1().await;
        let request = self.request("POST", path, &[]).header("content-type", "application/json");
        let response =
            sender.send_request(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await.unwrap();
        Begun { response, body: Vec::new(), driver }
    }

    /// A connection for call after call.
    pub(crate) fn kept(&self) -> Kept {
        Kept { client: self.clone(), sender: None }
    }

    async fn http1(&self) -> (http1::SendRequest<Full<Bytes>>, JoinHandle<()>) {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        (sender, tokio::spawn(async { drop(connection.await) }))
    }

    /// The same over HTTP/2.
    pub(crate) async fn send_http2(&self, path: &str, body: &Value) -> Answer {
        self.begin_stream(&self.http2().await, path, body).await.finish().await
    }

    /// Sends a call as one stream of an HTTP/2 connection and waits for the head of its answer.
    pub(crate) async fn begin_stream(
        &self,
        connection: &http2::SendRequest<Full<Bytes>>,
        path: &str,
        body: &Value,
    ) -> Begun {
        let request = http::Request::post(format!("https://localhost{path}"))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())));
        let response = connection.clone().send_request(request.unwrap()).await.unwrap();
        // the connection lives as long as its streams
        Begun { response, body: Vec::new(), driver: tokio::spawn(std::future::ready(())) }
    }

    /// A connection to be used for several streams.
    pub(crate) async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let socket = self.dial().await;
        let stream = self.tls_http2.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async { drop(connection.await) });
        sender
    }
}

/// A simple chat body.
pub(crate) fn chat_body(stream: bool) -> Value {
    json!({ "model": "smart", "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// Reads an answer to its end; `body` is what was read of it before.
async fn collect(response: http::Response<hyper::body::Incoming>, mut body: Vec<u8>) -> Answer {
    let (parts, mut incoming) = response.into_parts();
    let clean = loop {
        match incoming.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
        }
    };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, clean }
}
