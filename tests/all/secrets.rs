//! Nothing secret and nothing said comes out where it does not belong, whatever goes wrong.

use crate::support::proxy::{CREDENTIAL, KEY, Plan, Proxy};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use serde_json::json;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the client says, which nobody but the vendor may learn.
const PROMPT: &str = "prompt-canary-71c3";

/// The operational log of the whole test binary, at a level at which everything is told.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The log from the first call on; there is one for a process.
    fn of_process() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let lines = log.clone();
            let filter = tracing_subscriber::EnvFilter::new("debug,backstay=trace");
            let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
            subscriber.with_writer(move || lines.clone()).init();
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// What the admin address answers.
async fn look(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Calls once; everything that came back.
async fn call(proxy: &Proxy, stream: bool) -> String {
    let body = json!({ "model": "smart", "stream": stream, "messages": [{ "role": "user", "content": PROMPT }] });
    let answer = proxy.client().post("/v1/chat/completions", &body).await;
    format!("{:?}\n{}\n", answer.headers, answer.text())
}

fn check(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{what} holds {secret}:\n{text}");
    }
}

#[tokio::test]
async fn f_134_no_secret_and_no_word_of_a_call_comes_out() {
    let log = Log::of_process();
    // one vendor that stays in use, so that every fault is met
    let never_out = "breaker = { consecutive = 1_000_000, samples = 1_000_000 }";
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).pool(never_out).start().await;
    let said = proxy.vendors[0].text();
    let (key, credential) = (&KEY[..KEY.len() - 5], &CREDENTIAL[..CREDENTIAL.len() - 5]);

    // too much or too slow is tested elsewhere: here it would only take its time
    let telling =
        Fault::ALL.iter().filter(|fault| !matches!(fault, Fault::Oversize | Fault::OversizeEvent | Fault::Drip));
    for (number, fault) in telling.enumerate() {
        proxy.vendors[0].set_fault(*fault);
        check(&format!("what a client gets after {fault}"), &call(&proxy, number % 2 == 0).await, &[key, credential]);
    }
    for bad in ["wrong-key-canary-0d2b", KEY] {
        let answer = proxy.client().key(bad).post("/v1/chat/completions", &json!({ "model": PROMPT })).await;
        check("a rejection", &answer.text(), &["wrong-key-canary", key, credential]);
    }
    proxy.vendors[0].heal();
    call(&proxy, false).await;

    let everything = [key, credential, "wrong-key-canary", PROMPT, &said];
    for path in ["/metrics", "/status", "/", "/readyz"] {
        check(path, &look(proxy.app.admin, path).await, &everything);
    }
    let lines = proxy.log.wait_for(1).await;
    assert!(!lines.is_empty());
    // the model that was asked for is logged as it came, so only there may the word stand that was sent as a model
    let access = proxy.log.text().replace(&format!("\"model\":\"{PROMPT}\""), "");
    check("the access log", &access, &everything);
    assert!(log.text().contains("DEBUG"), "the operational log is not taken at its most talkative");
    check("the operational log", &log.text(), &everything);
}

#[tokio::test]
async fn what_happened_is_seen_once_in_each_place() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Status503);
    let answer = proxy.client().chat(true).await;
    assert_eq!(answer.header("x-backstay-served-by"), "second/model-of-second");

    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["request_id"], answer.header("x-request-id"));
    assert_eq!((&line["key"], &line["pool"], &line["outcome"]), (&json!("app"), &json!("smart"), &json!("served")));
    assert_eq!(line["attempts"].as_array().unwrap().len(), 2, "{line}");
    assert_eq!(line["attempts"][1]["class"], "ok");

    let metrics = look(proxy.app.admin, "/metrics").await;
    for expected in [
        r#"backstay_requests_total{dialect="openai_chat",outcome="served",pool="smart"} 1"#,
        r#"backstay_attempts_total{class="ok",deployment="second/model-of-second"} 1"#,
        r#"backstay_ttft_seconds_count{deployment="second/model-of-second"} 1"#,
        "backstay_snapshot_generation 1",
        r#"backstay_cert_expiry_seconds{cert=""#,
    ] {
        assert!(metrics.contains(expected), "{expected} is missing in\n{metrics}");
    }
    let status: serde_json::Value =
        serde_json::from_str(look(proxy.app.admin, "/status").await.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(status["pools"][0]["deployments"][1]["id"], "second/model-of-second", "{status}");
}
