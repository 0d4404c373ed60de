//! Every fault does what it says, over real loopback sockets; tests wait on the vendor's log, never on time.

use super::*;
use crate::demo::certificates::{Authority, LOOPBACK_NAMES};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longer than anything takes on a busy machine.
const WATCHDOG: Duration = Duration::from_secs(30);

/// What a client got until the connection ended.
#[derive(Debug)]
struct Got {
    text: String,
    reset: bool,
}

impl Got {
    /// The body, unchunked as far as it came.
    fn body(&self) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap_or_default();
        if !head.contains("transfer-encoding: chunked") {
            return body.to_owned();
        }
        let (mut rest, mut whole) = (body, String::new());
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or(0);
            whole.push_str(&after[..size.min(after.len())]);
            rest = after.get(size + 2..).unwrap_or_default();
        }
        whole
    }

    fn ended_whole(&self) -> bool {
        !self.reset && (self.text.ends_with("0\r\n\r\n") || !self.text.contains("transfer-encoding: chunked"))
    }

    /// The words of an OpenAI stream.
    fn words(&self) -> String {
        let body = self.body();
        let events = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        let words = events.filter_map(|event| serde_json::from_str::<Value>(event).ok());
        words.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
    }
}

fn call(streamed: bool) -> Value {
    json!({"model": "gpt-5.5", "stream": streamed, "messages": [{"role": "user", "content": "hello"}]})
}

fn post(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn read_to_end(mut stream: impl AsyncRead + Unpin) -> Got {
    let mut bytes = Vec::new();
    let reset = timeout(WATCHDOG, stream.read_to_end(&mut bytes)).await.expect("the connection ends").is_err();
    Got { text: String::from_utf8_lossy(&bytes).into_owned(), reset }
}

async fn send(vendor: &Vendor, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(vendor.address()).await.unwrap();
    // A vendor that resets at once may do so while we write.
    let _ = stream.write_all(request.as_bytes()).await;
    stream
}

async fn ask(vendor: &Vendor, streamed: bool) -> Got {
    read_to_end(send(vendor, &post("/v1/chat/completions", &call(streamed))).await).await
}

async fn openai() -> Vendor {
    let script = Script {
        ping_every: Duration::from_millis(1),
        drip_every: Duration::ZERO,
        oversize_bytes: 1 << 20,
        slow: Duration::from_millis(1),
        ..Script::default()
    };
    Vendor::start(Setup::new(Dialect::OpenaiChat).script(script)).await.unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(WATCHDOG, future).await.expect("it happens in time")
}

#[tokio::test]
async fn answers_in_its_dialect_plain_and_streamed() {
    let vendor = openai().await;
    let plain: Value = serde_json::from_str(&ask(&vendor, false).await.body()).unwrap();
    assert_eq!(plain["choices"][0]["message"]["content"].as_str(), Some(vendor.text().as_str()));
    assert_eq!(plain["usage"]["completion_tokens"], 60);
    let streamed = ask(&vendor, true).await;
    assert_eq!(streamed.words(), vendor.text());
    assert!(streamed.body().ends_with("data: [DONE]\n\n") && streamed.ended_whole());
    assert!(!streamed.body().contains("prompt_tokens"), "usage was not asked for");

    let vendor = Vendor::start(Setup::new(Dialect::Anthropic)).await.unwrap();
    let got = read_to_end(send(&vendor, &post("/v1/messages", &call(true))).await).await;
    assert!(got.body().starts_with("event: message_start\n") && got.body().contains("event: message_stop\n"));
    let got = read_to_end(send(&vendor, &post("/v1/messages", &call(false))).await).await;
    let plain: Value = serde_json::from_str(&got.body()).unwrap();
    assert_eq!(plain["content"][0]["text"].as_str(), Some(vendor.text().as_str()));
}

#[tokio::test]
async fn calls_the_tool_offered_and_tells_usage_when_asked() {
    let vendor = openai().await;
    let mut call = call(true);
    call["stream_options"] = json!({"include_usage": true});
    call["tools"] = json!([{"type": "function", "function": {"name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let body = read_to_end(send(&vendor, &post("/v1/chat/completions", &call)).await).await.body();
    assert!(body.contains("\"name\":\"weather\"") && body.contains("\"finish_reason\":\"tool_calls\""), "{body}");
    assert!(body.contains("\"completion_tokens\":60"), "{body}");
}

#[tokio::test]
async fn replays_a_recording_to_the_byte() {
    let vendor = openai().await;
    let body = bytes::Bytes::from_static(b"data: {\"a\": 1}   \n\ndata: [DONE]\n\n");
    for cuts in [Cuts::Whole, Cuts::EveryByte, Cuts::Lengths(vec![5, 9])] {
        let headers = vec![("x-odd".to_owned(), "Kept".to_owned()), ("content-length".to_owned(), "7".to_owned())];
        let recording = Recording { status: 203, headers, body: body.clone(), cuts };
        vendor.change_script(|script| script.replay = Some(Arc::new(recording)));
        let got = ask(&vendor, true).await;
        assert!(got.text.starts_with("HTTP/1.1 203 ") && got.text.contains("x-odd: Kept\r\n"), "{got:?}");
        assert_eq!(got.body().as_bytes(), body);
    }
}

/// What a fault looks like to a client that reads to the end: part of the text, and whether it was reset or broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    Broken,
    Reset,
}

#[tokio::test]
async fn faults_that_end_do_what_they_say() {
    use Ending::{Broken, Reset, Whole};
    let streamed = true;
    let plain = false;
    for (fault, stream, shows, ending) in [
        (Fault::ResetOnAccept, plain, "", Reset),
        (Fault::Reset, plain, "", Reset),
        (Fault::Close, plain, "", Whole),
        (Fault::Garbage, plain, "no HTTP at all", Whole),
        (Fault::Html, plain, "<html>", Whole),
        (Fault::EmptyBody, plain, "content-length: 0\r\n", Whole),
        (Fault::EmptyObject, plain, "\r\n\r\n{}", Whole),
        (Fault::TruncatedLength, plain, "\"chat.completion\"", Whole),
        (Fault::TruncatedLength, streamed, "data: {", Broken),
        (Fault::TruncatedJson, streamed, "data: {", Whole),
        (Fault::Redirect, plain, "307 Temporary Redirect\r\nlocation: https://169.254.169.254/\r\n", Whole),
        (Fault::LengthAndChunked, plain, "transfer-encoding: chunked\r\n\r\n", Whole),
        (Fault::ConflictingLengths, plain, "content-length: ", Whole),
        (Fault::ExtraResponse, plain, "STRAY", Whole),
        (Fault::InterimStorm, plain, "103 Early Hints", Whole),
        (Fault::Status500, plain, "500 Internal Server Error\r\n", Whole),
        (Fault::Status502, plain, "502 Bad Gateway\r\n", Whole),
        (Fault::Status503, plain, "503 Service Unavailable\r\n", Whole),
        (Fault::Status529, plain, "529 ", Whole),
        (Fault::Status429, plain, "retry-after: 20\r\n", Whole),
        (Fault::Status401, plain, "invalid_api_key", Whole),
        (Fault::Status403, plain, "not allowed to sample", Whole),
        (Fault::Status404, plain, "model_not_found", Whole),
        (Fault::Quota, plain, "insufficient_quota", Whole),
        (Fault::RegionDenied, plain, "unsupported_country_region_territory", Whole),
        (Fault::ContextLength, plain, "context_length_exceeded", Whole),
        (Fault::Status400, plain, "400 Bad Request\r\n", Whole),
        (Fault::ErrorFirst, streamed, "data: {\"error\"", Whole),
        (Fault::ErrorFirstSplit, streamed, "\r\n1\r\nd\r\n1\r\na\r\n", Whole),
        (Fault::EmptyStream, streamed, "\r\ndata: [DONE]\n\n", Whole),
        (Fault::EmptyStream, plain, "\"choices\":[]", Whole),
        (Fault::JsonBomb, plain, "[[[[[[[[", Whole),
        (Fault::Oversize, plain, "aaaaaaaa", Whole),
        (Fault::SlowFirstContent, streamed, "[DONE]", Whole),
        (Fault::StrayHeaders, plain, "set-cookie: session=stray", Whole),
        (Fault::ConnectionClose, plain, "connection: close\r\n", Whole),
        (Fault::CutReset, streamed, "data: {", Reset),
        (Fault::CutClose, streamed, "data: {", Broken),
        (Fault::Drip, streamed, "\r\n1\r\nd\r\n1\r\na\r\n", Whole),
        (Fault::ErrorAfterContent, streamed, "data: {\"error\"", Whole),
        (Fault::MalformedEvent, streamed, "[oops", Whole),
        (Fault::OversizeEvent, streamed, "aaaaaaaa", Whole),
        (Fault::FinishCut, streamed, "data: {", Broken),
        (Fault::TerminatorCut, streamed, "\"finish_reason\":\"stop\"", Broken),
    ] {
        let vendor = openai().await;
        vendor.set_fault(fault);
        let got = ask(&vendor, stream).await;
        assert!(got.text.contains(shows), "{fault}: {}", &got.text[..got.text.len().min(600)]);
        let ending_seen = match (got.reset, got.ended_whole()) {
            (true, _) => Reset,
            (false, true) => Whole,
            (false, false) => Broken,
        };
        assert_eq!(ending_seen, ending, "{fault}");
    }
}

#[tokio::test]
async fn streams_end_as_their_fault_says() {
    for (fault, words, finishes, terminators) in [
        (Fault::CutClose, 20, 0, 0),
        (Fault::ErrorAfterContent, 20, 0, 0),
        (Fault::NoTerminator, 60, 1, 0),
        (Fault::TerminatorOnly, 60, 0, 1),
        (Fault::TerminatorCut, 60, 1, 0),
        (Fault::FinishCut, 60, 0, 0),
        (Fault::MalformedEvent, 60, 1, 1),
        (Fault::TwoTerminators, 60, 2, 2),
        (Fault::Drip, 60, 1, 1),
    ] {
        let vendor = openai().await;
        vendor.set_fault(fault);
        let body = ask(&vendor, true).await.body();
        let count = |part: &str| body.matches(part).count();
        // the opening chunk holds an empty content
        assert_eq!(count("\"delta\":{\"content\":"), words, "{fault}");
        assert_eq!(count("\"finish_reason\":\"stop\""), finishes, "{fault}");
        assert_eq!(count("data: [DONE]\n\n"), terminators, "{fault}");
    }
}

#[tokio::test]
async fn faults_that_hang_end_with_the_client_and_say_so() {
    for (fault, sends) in [
        (Fault::Silence, false),
        (Fault::HeadersThenSilence, true),
        (Fault::PingsFirst, true),
        (Fault::Stall, true),
        (Fault::PingsOnly, true),
    ] {
        let vendor = openai().await;
        vendor.set_fault(fault);
        let stream = send(&vendor, &post("/v1/chat/completions", &call(true))).await;
        let log = vendor.log();
        within(log.wait_for(|log| log.calls().any(|call| (call.sent > 0) == sends))).await;
        assert!(log.ask(|log| log.requests[0].ended.is_none()), "{fault}");
        drop(stream);
        within(log.wait_for(|log| log.requests[0].cancelled() && log.connections[0].closed.is_some())).await;
    }
}

#[tokio::test]
async fn a_vendor_that_refuses_or_blackholes_comes_back_on_its_port() {
    let vendor = openai().await;
    vendor.set_fault(Fault::Refuse);
    let error = TcpStream::connect(vendor.address()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    vendor.set_fault(Fault::Blackhole);
    let connecting = timeout(Duration::from_millis(200), TcpStream::connect(vendor.address())).await;
    assert!(connecting.is_err(), "nothing is accepted: {connecting:?}");
    vendor.heal();
    assert_eq!(ask(&vendor, true).await.words(), vendor.text());
}

#[tokio::test]
async fn idle_connections_are_closed_when_connecting_breaks_and_stale_ones_are_reset() {
    let vendor = openai().await;
    let request = post("/v1/chat/completions", &call(false)).replace("connection: close\r\n", "");
    let idle = send(&vendor, &request).await;
    let log = vendor.log();
    within(log.wait_for(|log| log.requests.iter().any(|request| request.ended.is_some()))).await;
    vendor.set_fault(Fault::Refuse);
    assert!(read_to_end(idle).await.text.starts_with("HTTP/1.1 200"));

    vendor.set_fault(Fault::StaleKeepAlive);
    let mut stale = send(&vendor, &request).await;
    within(log.wait_for(|log| log.requests.len() == 2 && log.requests[1].ended.is_some())).await;
    stale.write_all(request.as_bytes()).await.unwrap();
    assert!(read_to_end(stale).await.reset);
    within(log.wait_for(|log| log.connections[1].closed.is_some_and(|closed| closed.kind == CloseKind::OurReset)))
        .await;
}

async fn connect_tls(vendor: &Vendor, authority: &Authority) -> io::Result<impl AsyncRead + AsyncWrite + Unpin> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(vendor.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn speaks_tls_well_and_badly() {
    let authority = Authority::new("test").unwrap();
    let tls = authority.vendor(&LOOPBACK_NAMES).unwrap();
    let vendor = Vendor::start(Setup::new(Dialect::OpenaiChat).tls(tls)).await.unwrap();
    let mut stream = connect_tls(&vendor, &authority).await.unwrap();
    stream.write_all(post("/v1/chat/completions", &call(true)).as_bytes()).await.unwrap();
    assert_eq!(read_to_end(stream).await.words(), vendor.text());
    let handshake = vendor.log().ask(|log| log.connections[0].handshake.clone().unwrap().unwrap());
    assert_eq!(handshake.server_name.as_deref(), Some("localhost"));

    for (fault, says) in [
        (Fault::CertificateExpired, "xpired"),
        (Fault::CertificateSelfSigned, "nknown"),
        (Fault::CertificateWrongName, "not valid for name"),
        (Fault::TlsGarbage, "corrupt message"),
        (Fault::ResetOnAccept, ""),
    ] {
        vendor.set_fault(fault);
        let error = within(connect_tls(&vendor, &authority)).await.err().expect("no handshake");
        assert!(error.to_string().contains(says), "{fault}: {error}");
    }
    vendor.set_fault(Fault::TlsStall);
    let stalled = timeout(Duration::from_millis(100), connect_tls(&vendor, &authority)).await;
    assert!(stalled.is_err(), "no ServerHello");
}

#[tokio::test]
async fn every_fault_leaves_a_log_entry_that_ends() {
    let vendor = openai().await;
    let log = vendor.log();
    vendor.queue(Fault::ALL.iter().filter(|fault| !fault.strikes_connection()).copied().map(Some));
    let expected = Fault::ALL.iter().filter(|fault| !fault.strikes_connection()).count();
    for number in 0..expected {
        let stream = send(&vendor, &post("/v1/chat/completions", &call(true))).await;
        within(log.wait_for(|log| log.requests.len() > number)).await;
        drop(stream);
        within(log.wait_for(|log| log.requests[number].ended.is_some())).await;
    }
    let met: Vec<_> = log.ask(|log| log.requests.iter().filter_map(|request| request.fault).collect());
    assert_eq!(met.len(), expected);
}

#[tokio::test]
async fn lists_its_models_and_knows_no_other_path() {
    let vendor = openai().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(read_to_end(send(&vendor, &get("/v1/models")).await).await.text.contains("\"object\":\"list\""));
    assert!(read_to_end(send(&vendor, &get("/elsewhere")).await).await.text.starts_with("HTTP/1.1 404"));
    let wrong = read_to_end(send(&vendor, &post("/v1/messages", &call(false))).await).await;
    assert!(wrong.text.starts_with("HTTP/1.1 404"), "the other dialect's path");
    vendor.set_fault(Fault::Status503);
    assert!(read_to_end(send(&vendor, &get("/v1/models")).await).await.text.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn http2_counts_cancelled_streams_and_keeps_the_connection() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

    const STREAMS: usize = 300;
    let vendor = Vendor::start(Setup::new(Dialect::OpenaiChat).http2()).await.unwrap();
    let log = vendor.log();
    let stream = TcpStream::connect(vendor.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_reset_streams(4_096)
        .handshake::<_, Full<bytes::Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = || {
        let uri = format!("http://{}/v1/chat/completions", vendor.address());
        http::Request::post(uri).body(Full::from(call(true).to_string())).unwrap()
    };
    vendor.set_fault(Fault::Stall);
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        let mut answer = sender.clone().send_request(request()).await.unwrap().into_body();
        answer.frame().await.unwrap().unwrap();
        answers.push(answer);
    }
    drop(answers);
    within(log.wait_for(|log| log.calls().filter(|call| call.cancelled()).count() == STREAMS)).await;
    vendor.heal();
    let body = sender.clone().send_request(request()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(log.ask(|log| (log.connections.len(), log.open().count())), (1, 1));

    vendor.set_fault(Fault::CutReset);
    let cut = sender.clone().send_request(request()).await.unwrap().into_body().collect().await;
    assert!(cut.is_err(), "the stream is reset");
    connection.abort();
}
