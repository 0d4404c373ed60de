//! Clouds behind an unmodified client: AWS Bedrock, Azure OpenAI and Claude on Vertex AI, with signatures and tokens.

use crate::support::proxy::{Plan, Proxy};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A token endpoint on loopback: gives numbered tokens, or refuses as it is told, and keeps the forms that came.
#[derive(Clone)]
struct TokenEndpoint {
    address: SocketAddr,
    state: Arc<Mutex<Asked>>,
}

#[derive(Default)]
struct Asked {
    forms: Vec<String>,
    /// Statuses of the next answers; then 200.
    statuses: VecDeque<u16>,
    given: usize,
}

impl TokenEndpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = endpoint.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let endpoint = serving.clone();
                tokio::spawn(async move { endpoint.answer(socket).await });
            }
        });
        endpoint
    }

    async fn answer(&self, mut socket: TcpStream) {
        let mut request = String::new();
        let body = loop {
            let mut buffer = [0; 4096];
            let Ok(count @ 1..) = socket.read(&mut buffer).await else { return };
            request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            if let Some((head, body)) = request.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
                if body.len() == length.parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            }
        };
        let (status, answer) = {
            let mut state = self.state.lock().unwrap();
            state.forms.push(body);
            match state.statuses.pop_front() {
                Some(status) => (status, json!({"error": "invalid_grant", "error_description": "no"})),
                None => {
                    state.given += 1;
                    (200, json!({"access_token": format!("token-{}", state.given), "expires_in": 3600}))
                }
            }
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        let _ = socket.write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()).await;
    }

    fn refuse(&self, statuses: &[u16]) {
        self.state.lock().unwrap().statuses = statuses.iter().copied().collect();
    }

    fn forms(&self) -> Vec<String> {
        self.state.lock().unwrap().forms.clone()
    }

    /// The lines of a vendor that fetches its tokens here with the credential in `file`.
    fn lines(&self, auth: &str, file: &str) -> String {
        let address = self.address;
        format!("auth = \"{auth}\"\ntoken_url = \"http://{address}/token\"\ncredential = {{ file = \"{file}\" }}\n")
    }
}

/// The key file of a service account, as Google writes it.
fn service_account() -> String {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    json!({"type": "service_account", "client_email": "robot@p.iam.gserviceaccount.com", "private_key_id": "k",
        "private_key": pem, "token_uri": "https://elsewhere.example/token"})
    .to_string()
}

const AWS: &str = r#"{"Version":1,"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"c2VjcmV0","SessionToken":"session"}"#;
const ENTRA: &str = r#"{"appId":"app","password":"pass word&","tenant":"t"}"#;
const VERTEX: &str = "profile = \"vertex\"\nproject = \"my-project\"\nlocation = \"us-east5\"\n";

fn bedrock() -> Plan {
    Plan::of(&[("aws", Dialect::Bedrock), ("spare", Dialect::OpenaiChat)])
        .region(0, "us-east-1")
        .vendor(0, "auth = \"sigv4\"\ncredential = { file = \"secrets/aws\" }\n")
        .file("secrets/aws", AWS)
}

/// The tool and the question that makes simulated vendors call it.
fn with_tool(stream: bool) -> Value {
    json!({"model": "smart", "stream": stream, "max_tokens": 99, "messages": [{"role": "user", "content": "weather?"}],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "Tells it.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]})
}

/// An OpenAI client's chat, tool call and streams through a plan's first vendor; gives paths and heads of what it saw.
async fn served(plan: Plan) -> (Proxy, Vec<backstay::demo::vendor::Request>) {
    let proxy = plan.start().await;
    for stream in [false, true] {
        let answer = proxy.client().chat(stream).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
        assert_eq!(answer.said(), proxy.vendors[0].text(), "stream={stream}");
        let answer = proxy.client().post("/v1/chat/completions", &with_tool(stream)).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
        let called = answer.text();
        assert!(called.contains("\"weather\"") && called.contains("tool_calls"), "stream={stream}: {called}");
    }
    let answer = proxy.client().message(true).await;
    assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
    let seen = proxy.vendors[0].log().ask(|log| log.requests.clone());
    (proxy, seen)
}

fn paths(seen: &[backstay::demo::vendor::Request]) -> Vec<&str> {
    let mut paths: Vec<&str> = seen.iter().filter(|request| request.is_call()).map(|call| call.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[tokio::test]
async fn an_openai_client_is_served_by_bedrock_under_a_signature() {
    let (proxy, seen) = served(bedrock()).await;
    assert_eq!(paths(&seen), ["/model/model-of-aws/converse", "/model/model-of-aws/converse-stream"]);
    for call in &seen {
        let signed = call.header("authorization").expect("signed");
        assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
        assert!(signed.contains(
            "/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"
        ));
        assert_eq!(call.header("x-amz-security-token"), Some("session"));
    }
    let answer = proxy.client().chat(false).await.json();
    assert_eq!(answer["model"], "model-of-aws");
    assert!(answer["id"].as_str().is_some_and(|id| id.starts_with("demo-")), "{answer}");
    assert!(answer["usage"]["prompt_tokens"].as_u64().is_some_and(|count| count > 0), "{answer}");
}

#[tokio::test]
async fn an_openai_client_is_served_by_azure_in_both_forms_of_urls() {
    for (lines, path) in [
        ("profile = \"azure\"\n", "/v1/openai/v1/chat/completions"),
        (
            "profile = \"azure\"\nurl_form = \"classic\"\napi_version = \"2024-10-21\"\n",
            "/v1/openai/deployments/model-of-azure/chat/completions?api-version=2024-10-21",
        ),
    ] {
        let (_, seen) = served(Plan::of(&[("azure", Dialect::OpenaiChat)]).vendor(0, lines)).await;
        assert_eq!(paths(&seen), [path]);
        assert!(seen.iter().all(|call| call.header("api-key").is_some() && call.header("authorization").is_none()));
    }
}

#[tokio::test]
async fn entra_gives_azure_a_token() {
    let tokens = TokenEndpoint::start().await;
    let lines = format!("profile = \"azure\"\n{}", tokens.lines("entra", "secrets/entra"));
    let plan = Plan::of(&[("azure", Dialect::OpenaiChat)]).vendor(0, &lines).file("secrets/entra", ENTRA);
    let (_, seen) = served(plan).await;
    assert!(seen.iter().all(|call| call.header("authorization") == Some("Bearer token-1")));
    let forms = tokens.forms();
    assert_eq!(forms.len(), 1, "{forms:?}");
    assert!(forms[0].starts_with("grant_type=client_credentials&client_id=app&client_secret=pass+word%26&scope=https"));
}

#[tokio::test]
async fn claude_on_vertex_gets_the_clients_bytes_without_the_model() {
    let tokens = TokenEndpoint::start().await;
    let lines = format!("{VERTEX}{}", tokens.lines("google", "secrets/google"));
    let plan = Plan::of(&[("google", Dialect::Anthropic)]).vendor(0, &lines).file("secrets/google", &service_account());
    let (proxy, seen) = served(plan).await;
    let prefix = "/v1/projects/my-project/locations/us-east5/publishers/anthropic/models/model-of-google";
    assert_eq!(paths(&seen), [format!("{prefix}:rawPredict"), format!("{prefix}:streamRawPredict")]);
    for call in seen.iter().filter(|request| request.is_call()) {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((&body["anthropic_version"], body.get("model")), (&json!("vertex-2023-10-16"), None), "{body}");
        assert_eq!((call.header("authorization"), call.header("anthropic-version")), (Some("Bearer token-1"), None));
    }
    assert!(
        tokens.forms()[0].starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey")
    );

    let own = r#"{ "model" : "smart", "max_tokens":9,  "messages":[{"role":"user","content":"\u00e9"}] }"#;
    let answer = proxy.client().post_with("/v1/messages", own.to_owned(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = proxy.vendors[0].log().ask(|log| log.requests.last().unwrap().body.clone());
    let expected = r#"{"anthropic_version":"vertex-2023-10-16",  "max_tokens":9,  "messages":[{"role":"user","content":"\u00e9"}] }"#;
    assert_eq!(std::str::from_utf8(&sent).unwrap(), expected);
}

#[tokio::test]
async fn gemini_on_vertex_is_asked_at_its_project_and_location() {
    let tokens = TokenEndpoint::start().await;
    let lines = format!("{VERTEX}{}", tokens.lines("google", "secrets/google"));
    let plan = Plan::of(&[("google", Dialect::Gemini)]).vendor(0, &lines).file("secrets/google", &service_account());
    let (proxy, seen) = served(plan).await;
    let prefix = "/v1/projects/my-project/locations/us-east5/publishers/google/models/model-of-google";
    assert_eq!(paths(&seen), [format!("{prefix}:generateContent"), format!("{prefix}:streamGenerateContent?alt=sse")]);
    assert!(seen.iter().all(|call| call.header("authorization") == Some("Bearer token-1")));

    let own = r#"{ "contents" : [{"role":"user","parts":[{"text":"\u00e9"}]}] }"#;
    let answer = proxy.client().post_with("/v1beta/models/smart:generateContent", own.to_owned(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = proxy.vendors[0].log().ask(|log| log.requests.last().unwrap().body.clone());
    assert_eq!(std::str::from_utf8(&sent).unwrap(), own, "Gemini's bodies do not name the model");
}

#[tokio::test]
async fn f_084_one_token_is_fetched_however_many_wait_for_it_and_again_when_it_is_refused() {
    let tokens = TokenEndpoint::start().await;
    let lines = format!("{VERTEX}{}", tokens.lines("google", "secrets/google"));
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    let plan = Plan::of(&[("google", Dialect::Anthropic), ("spare", Dialect::OpenaiChat)]);
    let proxy = plan.vendor(0, &lines).file("secrets/google", user).start().await;
    let client = proxy.client();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.message(false).await })
        })
        .collect();
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!((answer.status, answer.header("x-backstay-served-by")), (200, "google/model-of-google"));
    }
    assert_eq!(tokens.forms(), ["grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r"]);

    proxy.vendors[0].queue([Some(Fault::Status401)]);
    let answer = client.message(false).await;
    assert_eq!(
        (answer.status, answer.header("x-backstay-served-by")),
        (200, "spare/model-of-spare"),
        "{}",
        answer.text()
    );
    // the credential rests after the refusal; the next token is fetched all the same
    proxy.vendors[0].log().wait_for(|_| true).await;
    assert!(proxy.calls()[0] == 9, "{:?}", proxy.calls());
}

#[tokio::test]
async fn without_a_token_another_deployment_answers_and_the_credential_is_to_blame() {
    let tokens = TokenEndpoint::start().await;
    tokens.refuse(&[400, 400, 400, 400, 500, 500]);
    let lines = format!("{VERTEX}{}", tokens.lines("google", "secrets/google"));
    let plan = Plan::of(&[("google", Dialect::Anthropic), ("spare", Dialect::OpenaiChat)]);
    let proxy = plan.vendor(0, &lines).file("secrets/google", &service_account()).start().await;
    let answer = proxy.client().message(true).await;
    assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
    assert_eq!(answer.header("x-backstay-served-by"), "spare/model-of-spare");
    assert_eq!(proxy.calls(), [0, 1], "without a token nothing is sent");
    let line = &proxy.log.wait_for(1).await[0];
    assert_eq!(line["attempts"][0]["class"], "auth_key", "{line}");
    assert!(!proxy.log.text().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn bedrocks_faults_lead_to_the_next_deployment_before_content() {
    for (fault, class) in [
        (Fault::Status429, "rate_limited"),
        (Fault::Status503, "overloaded"),
        (Fault::Status500, "server_error"),
        (Fault::Status401, "auth_key"),
        (Fault::ContextLength, "context_length"),
        (Fault::ErrorFirst, "server_error"),
        (Fault::ErrorFirstSplit, "server_error"),
        (Fault::EmptyStream, "truncated"),
        (Fault::Html, "malformed"),
    ] {
        let proxy = bedrock().start().await;
        proxy.vendors[0].set_fault(fault);
        let answer = proxy.client().chat(true).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{fault}: {}", answer.text());
        assert_eq!(answer.said(), proxy.vendors[1].text(), "{fault}");
        let line = &proxy.log.wait_for(1).await[0];
        assert_eq!(line["attempts"][0]["class"], class, "{fault}: {line}");
    }
}

#[tokio::test]
async fn what_breaks_in_bedrocks_frames_after_content_never_ends_cleanly() {
    for fault in [
        Fault::CutReset,
        Fault::CutClose,
        Fault::ErrorAfterContent,
        Fault::MalformedEvent,
        Fault::OversizeEvent,
        Fault::TerminatorOnly,
        Fault::FinishCut,
    ] {
        let proxy = bedrock().start().await;
        proxy.vendors[0].set_fault(fault);
        let answer = proxy.client().chat(true).await;
        assert_eq!((answer.status, answer.clean), (200, false), "{fault}: {}", answer.text());
        assert!(
            answer.text().contains("upstream_broken") && !answer.text().contains("[DONE]"),
            "{fault}: {}",
            answer.text()
        );
    }
    // the counts alone are missing, or come twice: the answer is whole
    for fault in [Fault::NoTerminator, Fault::TerminatorCut, Fault::TwoTerminators] {
        let proxy = bedrock().start().await;
        proxy.vendors[0].set_fault(fault);
        let answer = proxy.client().chat(true).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{fault}: {}", answer.text());
        assert_eq!(answer.said(), proxy.vendors[0].text(), "{fault}");
    }
}
