//! Sample calls through the proxy, made as any client makes them: over TLS, with a virtual key, in an SDK's dialect.

use super::screen::{Screen, Tone};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PAUSE: Duration = Duration::from_millis(700);
/// Longer than the proxy takes to give up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the sample calls came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls that were made.
    pub calls: usize,
    /// Calls that got a whole answer.
    pub answered: usize,
    /// Answered calls that took more than one attempt.
    pub rescued: usize,
}

/// Where the sample calls go, and in whose name.
pub(super) struct Traffic {
    tls: TlsConnector,
    port: u16,
    /// Names of the keys and their secrets.
    keys: [(&'static str, String); 2],
    screen: Screen,
    summary: Summary,
    /// Who served each key last.
    served: [Option<String>; 2],
}

/// One kind of sample call.
#[derive(Clone, Copy, Debug)]
struct Sample {
    key: usize,
    path: &'static str,
    streamed: bool,
}

const SAMPLES: [Sample; 4] = [
    Sample { key: 0, path: "/v1/chat/completions", streamed: true },
    Sample { key: 1, path: "/v1/chat/completions", streamed: false },
    Sample { key: 0, path: "/v1/messages", streamed: true },
    Sample { key: 0, path: "/v1/chat/completions", streamed: false },
];

/// What came of a sample call.
struct Outcome {
    status: u16,
    served_by: Option<String>,
    attempts: String,
    whole: bool,
    /// The error's code, where there is one.
    code: String,
}

impl Traffic {
    /// Calls that trust the authority in `ca`.
    pub(super) fn new(ca: &Path, port: u16, keys: [(&'static str, String); 2], screen: Screen) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).map_err(io::Error::other)?).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { tls, port, keys, screen, summary: Summary::default(), served: [None, None] })
    }

    /// What the calls came to so far.
    pub(super) const fn summary(&self) -> Summary {
        self.summary
    }

    /// Makes call after call, and shows each.
    pub(super) async fn trickle(&mut self) {
        for sample in SAMPLES.iter().cycle() {
            let asked = Instant::now();
            let outcome = match tokio::time::timeout(PATIENCE, self.ask(*sample)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
            };
            self.show(*sample, outcome, asked.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, sample: Sample) -> io::Result<Outcome> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let stream = self.tls.connect(ServerName::try_from("localhost").map_err(io::Error::other)?, stream).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let call = async {
            let response = sender.send_request(self.request(sample)?).await.map_err(io::Error::other)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes());
            Ok(read(&Response::from_parts(head, ()), body.ok(), sample.streamed))
        };
        tokio::pin!(call);
        // The connection is driven beside the call, and dropped with it.
        tokio::select! {
            outcome = &mut call => outcome,
            _ = connection => call.await,
        }
    }

    fn request(&self, sample: Sample) -> io::Result<Request<Full<Bytes>>> {
        let (_, secret) = &self.keys[sample.key.min(1)];
        let body = json!({"model": "smart", "stream": sample.streamed, "max_tokens": 400,
            "messages": [{"role": "user", "content": "What keeps a mast standing when the wind shifts?"}]});
        let request = Request::post(sample.path)
            .header("host", format!("localhost:{}", self.port))
            .header("content-type", "application/json");
        let request = match sample.path {
            "/v1/messages" => request.header("x-api-key", secret).header("anthropic-version", "2023-06-01"),
            _ => request.header("authorization", format!("Bearer {secret}")),
        };
        request.body(Full::from(body.to_string())).map_err(io::Error::other)
    }

    fn show(&mut self, sample: Sample, outcome: io::Result<Outcome>, took: Duration) {
        let (key, _) = self.keys[sample.key.min(1)];
        let dialect = if sample.path == "/v1/messages" { "anthropic" } else { "openai" };
        let form = if sample.streamed { "stream" } else { "whole" };
        let what = format!("{key:<9} {dialect:<9} {form:<6}");
        self.summary.calls += 1;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.screen.event(Tone::Bad, format_args!("{what}  no answer: {error}")),
        };
        let milliseconds = took.as_millis();
        let served = outcome.served_by.clone().unwrap_or_else(|| "nobody".to_owned());
        let text =
            format!("{what}  {}  {served:<26} {} attempt(s) {milliseconds:>6} ms", outcome.status, outcome.attempts);
        let before = &mut self.served[sample.key.min(1)];
        let moved = outcome.whole && before.is_some() && *before != outcome.served_by;
        let was = before.clone().unwrap_or_default();
        if outcome.whole {
            before.clone_from(&outcome.served_by);
        }
        if outcome.whole {
            self.summary.answered += 1;
            self.summary.rescued += usize::from(outcome.attempts != "1");
        }
        match (outcome.whole, moved) {
            (true, true) => self.screen.event(Tone::Warning, format_args!("{text}  rewired from {was}")),
            (true, false) => self.screen.event(Tone::Plain, text),
            (false, _) if outcome.code.is_empty() => self.screen.event(Tone::Bad, format_args!("{text}  broken off")),
            (false, _) => self.screen.event(Tone::Bad, format_args!("{text}  {}", outcome.code)),
        }
    }
}

/// Reads an answer; `body` is `None` where it broke off.
fn read(head: &Response<()>, body: Option<Bytes>, streamed: bool) -> Outcome {
    let header = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let served_by = header("x-backstay-served-by");
    let attempts = header("x-backstay-attempts").unwrap_or_else(|| "?".to_owned());
    let status = head.status().as_u16();
    let text = String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
    let whole = status == 200
        && match streamed {
            true => text.contains("data: [DONE]") || text.contains("\"message_stop\""),
            false => serde_json::from_str::<Value>(&text).is_ok(),
        };
    let error: Value = serde_json::from_str(&text).unwrap_or_default();
    let code = error["error"]["code"].as_str().or(error["error"]["type"].as_str()).unwrap_or_default().to_owned();
    Outcome { status, served_by, attempts, whole, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_only_with_its_end() {
        let response =
            |status: u16| Response::builder().status(status).header("x-backstay-attempts", "2").body(()).unwrap();
        for (status, body, streamed, whole, code) in [
            (200, Some("data: {}\n\ndata: [DONE]\n\n"), true, true, ""),
            (200, Some("data: {}\n\n"), true, false, ""),
            (200, Some("{\"choices\": []}"), false, true, ""),
            (200, None, false, false, ""),
            (503, Some("{\"error\": {\"code\": \"no_healthy_deployment\"}}"), false, false, "no_healthy_deployment"),
        ] {
            let outcome = read(&response(status), body.map(Bytes::from), streamed);
            assert_eq!(
                (outcome.whole, outcome.code.as_str(), outcome.attempts.as_str()),
                (whole, code, "2"),
                "{body:?}"
            );
        }
    }
}
