//! A client over TLS that sees what an SDK would, and how the connection ended.

use backstay::demo::certificates::Authority;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Calls the proxy; each call opens its own connection.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
    tls_http2: TlsConnector,
    key: String,
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
            return whole.unwrap_or_default().to_owned();
        }
        let events = self.events().into_iter().filter_map(|data| serde_json::from_str::<Value>(&data).ok());
        let piece = |event: Value| {
            let text = event["choices"][0]["delta"]["content"].as_str().or(event["delta"]["text"].as_str());
            text.unwrap_or_default().to_owned()
        };
        events.map(piece).collect()
    }
}

fn connector(authority: &Authority, alpn: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

impl Client {
    pub(crate) fn new(address: SocketAddr, authority: &Authority, key: &str) -> Self {
        let (tls, tls_http2) = (connector(authority, b"http/1.1"), connector(authority, b"h2"));
        Self { address, tls, tls_http2, key: key.to_owned() }
    }

    /// The same client with another key.
    pub(crate) fn key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// A connection to be used by hand.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address).await.unwrap();
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
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = collect(sender.send_request(request).await.unwrap()).await;
        driver.abort();
        answer
    }

    /// The same over HTTP/2.
    pub(crate) async fn send_http2(&self, path: &str, body: &Value) -> Answer {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let stream = self.tls_http2.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = http::Request::post(format!("https://localhost{path}"))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = collect(sender.send_request(request).await.unwrap()).await;
        driver.abort();
        answer
    }
}

/// A simple chat body.
pub(crate) fn chat_body(stream: bool) -> Value {
    json!({ "model": "smart", "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

async fn collect(response: http::Response<hyper::body::Incoming>) -> Answer {
    let (parts, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let clean = loop {
        match incoming.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
        }
    };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, clean }
}
