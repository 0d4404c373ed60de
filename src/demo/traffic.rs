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
    /// As the answer's head tells.
    attempts: Option<u32>,
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
        let key = sample.key.min(1);
        let (name, _) = self.keys[key];
        let dialect = if sample.path == "/v1/messages" { "anthropic" } else { "openai" };
        let form = if sample.streamed { "stream" } else { "whole" };
        let (tone, told) = match outcome {
            Ok(outcome) => {
                self.summary.count(&outcome);
                let told = tell(&outcome, took, self.served[key].as_deref());
                if outcome.whole {
                    self.served[key] = outcome.served_by;
                }
                told
            }
            Err(error) => {
                self.summary.calls += 1;
                (Tone::Bad, format!("no answer: {error}"))
            }
        };
        self.screen.event(tone, format_args!("{name:<9} {dialect:<9} {form:<6}  {told}"));
    }
}

impl Summary {
    fn count(&mut self, outcome: &Outcome) {
        self.calls += 1;
        if outcome.whole {
            self.answered += 1;
            self.rescued += usize::from(outcome.attempts.is_some_and(|attempts| attempts > 1));
        }
    }
}

/// What is shown of an outcome, after the key's last whole answer came from `before`.
fn tell(outcome: &Outcome, took: Duration, before: Option<&str>) -> (Tone, String) {
    let served = outcome.served_by.as_deref().unwrap_or("nobody");
    let attempts = outcome.attempts.map_or_else(|| "?".to_owned(), |attempts| attempts.to_string());
    let text = format!("{}  {served:<26} attempts {attempts}  {:>6} ms", outcome.status, took.as_millis());
    match (outcome.whole, before) {
        (true, Some(before)) if before != served => (Tone::Warning, format!("{text}  rewired from {before}")),
        (true, _) => (Tone::Plain, text),
        (false, _) if outcome.code.is_empty() => (Tone::Bad, format!("{text}  broken off")),
        (false, _) => (Tone::Bad, format!("{text}  {}", outcome.code)),
    }
}

/// Reads an answer; `body` is `None` where it broke off.
fn read(head: &Response<()>, body: Option<Bytes>, streamed: bool) -> Outcome {
    let header = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let served_by = header("x-backstay-served-by");
    let attempts = header("x-backstay-attempts").and_then(|count| count.parse().ok());
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
            assert_eq!((outcome.whole, outcome.code.as_str(), outcome.attempts), (whole, code, Some(2)), "{body:?}");
        }
    }

    #[test]
    fn a_change_of_deployment_is_told_as_rewiring() {
        let outcome = |served: &str, whole: bool, code: &str| Outcome {
            status: if whole { 200 } else { 503 },
            served_by: Some(served.to_owned()),
            attempts: Some(1),
            whole,
            code: code.to_owned(),
        };
        for (outcome, before, tone, told) in [
            (outcome("a/m", true, ""), None, Tone::Plain, "ms"),
            (outcome("a/m", true, ""), Some("a/m"), Tone::Plain, "ms"),
            (outcome("b/m", true, ""), Some("a/m"), Tone::Warning, "rewired from a/m"),
            (outcome("b/m", false, ""), Some("a/m"), Tone::Bad, "broken off"),
            (outcome("b/m", false, "overloaded"), None, Tone::Bad, "overloaded"),
        ] {
            let (seen, text) = tell(&outcome, Duration::from_millis(5), before);
            assert!(seen == tone && text.ends_with(told), "{text}");
        }
    }
}
