//! What is refused at the edge, in the client's own dialect, and what never crosses from one side to the other.

use crate::support::client::{Answer, Client, chat_body};
use crate::support::proxy::{CREDENTIAL, KEY, Plan, Proxy};
use backstay::demo::vendor::{Fault, Setup};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// The dialects that do not name the model in the path.
const WITH_MODEL: [Dialect; 3] = [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic];

fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => CHAT,
        Dialect::OpenaiResponses => RESPONSES,
        Dialect::Anthropic => MESSAGES,
        other => panic!("{} has the model in its path", other.name()),
    }
}

async fn one() -> Proxy {
    Plan::of(&[("only", Dialect::OpenaiChat)]).start().await
}

/// Our own error with this status and code, in the shape of the dialect; gives its message.
fn refused(dialect: Dialect, answer: &Answer, status: u16, code: &str) -> String {
    let body = answer.json();
    assert_eq!((answer.status, body["error"]["code"].as_str()), (status, Some(code)), "{}", answer.text());
    assert_eq!(body["type"] == "error", dialect == Dialect::Anthropic, "{body}");
    assert!(!answer.header("x-request-id").is_empty());
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// Sends a head and the beginning of a body by hand and reads what comes back until the connection ends.
async fn raw(proxy: &Proxy, headers: &str, body: &[u8]) -> String {
    let mut socket = proxy.client().connect().await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n{headers}\r\n\r\n"
    );
    socket.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    // the connection may be reset under what we still send: what came before is what counts
    while socket.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn f_040_a_body_over_the_limit_is_refused_before_it_is_read() {
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).server("max_body = \"64KiB\"").start().await;
    let declared = raw(&proxy, "content-length: 1073741824", b"{").await;
    let endless = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat().repeat(2);
    let chunked = raw(&proxy, "transfer-encoding: chunked", &endless).await;
    for answer in [declared, chunked] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("request_too_large") && answer.contains("max_body"), "{answer}");
    }
    assert_eq!(proxy.metric("backstay_limit_rejected_total{limit=\"max_body\"}").await, 2.0);
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn f_039_json_that_two_readers_could_read_differently_is_refused() {
    let proxy = one().await;
    let deep = format!("{{\"model\":\"smart\",\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, word) in [
        (r#"{"model":"smart","model":"other","messages":[]}"#, "model"),
        (r#"{"model":"smart","mod\u0065l":"other","messages":[]}"#, "model"),
        (deep.as_str(), "json_depth"),
        (r#"{"model":"smart","messages":[}"#, "byte"),
        (r#"{"model":"smart","messages":[]} {}"#, "byte"),
        (r#"{"model":"smart","messages":[],"temperature":NaN}"#, "byte"),
        (r#"{"model":"\ud800","messages":[]}"#, "byte"),
        ("", "byte"),
        (r#"["model"]"#, "byte"),
    ] {
        for dialect in WITH_MODEL {
            let answer = proxy.client().post_with(path(dialect), body.to_owned(), &[]).await;
            let message = refused(dialect, &answer, 400, "invalid_request");
            assert!(message.contains(word), "{word:?} is not in: {message}");
        }
    }
    assert!(proxy.metric("backstay_limit_rejected_total{limit=\"json_depth\"}").await >= 2.0);
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn f_041_encoded_bodies_are_refused() {
    let proxy = one().await;
    for encoding in ["gzip", "br", "zstd", "gzip, gzip", "deflate"] {
        for dialect in WITH_MODEL {
            let answer = proxy
                .client()
                .post_with(path(dialect), chat_body(false).to_string(), &[("content-encoding", encoding)])
                .await;
            refused(dialect, &answer, 415, "unsupported_encoding");
        }
    }
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn f_128_nobody_gets_what_was_meant_for_somebody_else() {
    let foreign = [
        ("cookie", "session=canary-foreign"),
        ("openai-organization", "canary-foreign"),
        ("openai-project", "canary-foreign"),
        ("x-amz-security-token", "canary-foreign"),
        ("x-amz-date", "canary-foreign"),
        ("proxy-authorization", "Basic canary-foreign"),
        ("x-forwarded-for", "canary-foreign"),
        ("x-backstay-data", "personal"),
    ];
    for (client, vendor) in [(CHAT, Dialect::OpenaiChat), (CHAT, Dialect::Anthropic), (MESSAGES, Dialect::Anthropic)] {
        let proxy = Plan::of(&[("only", vendor)]).start().await;
        proxy.vendors[0].set_fault(Fault::StrayHeaders);
        for stream in [false, true] {
            let mut body = chat_body(stream);
            body["max_tokens"] = 100.into();
            let answer = proxy.client().post_with(client, body.to_string(), &foreign).await;
            assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
            for stray in ["set-cookie", "alt-svc", "strict-transport-security"] {
                assert_eq!(answer.header(stray), "", "{stray}");
            }
            assert_eq!(
                (answer.header("x-backstay-served-by"), answer.header("x-backstay-attempts")),
                ("only/model-of-only", "1")
            );
            assert_ne!(answer.header("x-backstay-cost-usd"), "99");
            assert!(!format!("{:?}{}", answer.headers, answer.text()).contains(CREDENTIAL));
        }
        for request in &proxy.vendors[0].log().entries().requests {
            let seen = format!(
                "{}{:?}{}",
                String::from_utf8_lossy(&request.head),
                request.headers,
                String::from_utf8_lossy(&request.body)
            );
            assert!(!seen.contains(KEY) && !seen.contains("canary-foreign") && !seen.contains("x-backstay"), "{seen}");
            assert!(seen.contains(CREDENTIAL));
        }
        let log = proxy.log.text();
        assert!(!log.contains(KEY) && !log.contains(CREDENTIAL));
    }
}

#[tokio::test]
async fn f_128_a_key_in_either_header_counts_and_two_different_ones_do_not() {
    let proxy = one().await;
    let keyless = proxy.client().key("");
    let call =
        async |headers: &[(&str, &str)]| keyless.post_with(CHAT, chat_body(false).to_string(), headers).await.status;
    let bearer = format!("Bearer {KEY}");
    assert_eq!(call(&[("authorization", &bearer)]).await, 200);
    assert_eq!(call(&[("x-api-key", KEY)]).await, 200);
    assert_eq!(call(&[("authorization", &bearer), ("x-api-key", KEY)]).await, 200);
    assert_eq!(call(&[("authorization", &bearer), ("x-api-key", "sk-ant-own-key")]).await, 401);
    assert_eq!(call(&[("authorization", "Basic dXNlcjpwYXNz")]).await, 401);
}

#[tokio::test]
async fn f_129_control_characters_make_no_new_header_line_on_either_side() {
    let proxy = one().await;
    for model in ["smart\r\nx-injected: 1", "smart\0", "\u{85}smart", "sm\u{202e}art"] {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
        let answer = proxy.client().post(CHAT, &body).await;
        refused(Dialect::OpenaiChat, &answer, 404, "model_not_found");
        assert_eq!(answer.header("x-injected"), "");
    }
    for header in ["x-backstay-data: a\0b", "x-backstay-data: a\rb", "x-backstay-data: a\nb: c"] {
        let answer = raw(&proxy, &format!("{header}\r\ncontent-length: 2"), b"{}").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{header:?}: {answer}");
    }
    let injected =
        proxy.client().post_with(CHAT, chat_body(false).to_string(), &[("x-backstay-residency", "EU US")]).await;
    refused(Dialect::OpenaiChat, &injected, 400, "invalid_request");
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_what_the_key_may_ask_for() {
    let more = "[pool.secret]\ndeployments = [\"only/m\"]\n[key.other]\nsecret = { file = \"secrets/other\" }\nresidency = \"any\"\ndata = []\nmodels = [\"secret\"]";
    let plan = Plan::of(&[("only", Dialect::OpenaiChat)])
        .key("models = [\"smart\"]")
        .with(more)
        .file("secrets/other", "sk-test-other-3311");
    let proxy = plan.start().await;
    for model in ["nothing", "secret", "SMART"] {
        for dialect in WITH_MODEL {
            let body = json!({ "model": model, "max_tokens": 9, "messages": [{ "role": "user", "content": "Hello" }] });
            let answer = proxy.client().post(path(dialect), &body).await;
            let message = refused(dialect, &answer, 404, "model_not_found");
            assert!(message.contains("`smart`") && !message.contains("`secret`."), "{message}");
        }
    }
    let names = |answer: &Answer| -> Vec<Value> {
        let body = answer.json();
        body["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect()
    };
    let openai = proxy.client().get("/v1/models", &[]).await;
    assert_eq!(
        (openai.status, openai.json()["object"].clone(), names(&openai)),
        (200, "list".into(), vec![json!("smart")])
    );
    let anthropic = proxy.client().get("/v1/models", &[("anthropic-version", "2023-06-01")]).await;
    assert_eq!(
        (anthropic.json()["data"][0]["type"].clone(), names(&anthropic)),
        ("model".into(), vec![json!("smart")])
    );
    assert_eq!(names(&proxy.client().key("sk-test-other-3311").get("/v1/models", &[]).await), [json!("secret")]);
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn without_a_valid_key_nothing_is_told() {
    let more =
        "[key.old]\nsecret = { file = \"secrets/old\" }\nresidency = \"any\"\ndata = []\nexpires = \"2021-01-01\"";
    let proxy =
        Plan::of(&[("only", Dialect::OpenaiChat)]).with(more).file("secrets/old", "sk-test-expired-88").start().await;
    for key in ["", "sk-wrong", "sk-test-expired-88", CREDENTIAL] {
        for dialect in WITH_MODEL {
            let message = refused(
                dialect,
                &proxy.client().key(key).post(path(dialect), &chat_body(false)).await,
                401,
                "invalid_api_key",
            );
            assert!(!message.contains("expired") && !message.contains("smart"), "all look the same: {message}");
        }
        assert_eq!(proxy.client().key(key).get("/v1/models", &[]).await.status, 401);
        assert_eq!(proxy.client().key(key).get("/nothing", &[]).await.status, 401);
    }
    assert_eq!(proxy.client().get("/nothing", &[]).await.status, 404);
    assert_eq!(proxy.client().get(CHAT, &[]).await.status, 405);
    assert_eq!(proxy.calls(), [0]);
}

#[tokio::test]
async fn http2_clients_are_served() {
    for vendor in Dialect::CONVERSING {
        let proxy = Plan::of(&[("only", vendor)]).setup(0, Setup::http2).start().await;
        for stream in [false, true] {
            let answer = proxy.client().send_http2(CHAT, &chat_body(stream)).await;
            assert_eq!((answer.status, answer.clean, answer.said()), (200, true, proxy.vendors[0].text()));
        }
    }
}

fn two_regions() -> Plan {
    let base = include_str!("../../policies/base.cedar");
    Plan::of(&[("america", Dialect::OpenaiChat), ("europe", Dialect::OpenaiChat)])
        .region(1, "eu")
        .policy("base.cedar", base)
}

async fn within(proxy: &Proxy, zone: &str) -> Answer {
    proxy.client().post_with(CHAT, chat_body(false).to_string(), &[("x-backstay-residency", zone)]).await
}

#[tokio::test]
async fn a_call_that_is_bound_to_a_place_stays_there() {
    let proxy = two_regions().without_kept_out().start().await;
    assert_eq!(proxy.client().chat(false).await.header("x-backstay-served-by"), "america/model-of-america");
    let before = proxy.vendors[0].log().ask(|entries| entries.connections.len());
    for _ in 0..5 {
        assert_eq!(within(&proxy, "EU").await.header("x-backstay-served-by"), "europe/model-of-europe");
    }
    let answer = within(&proxy, "JP").await;
    let message = refused(Dialect::OpenaiChat, &answer, 403, "policy_denied");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(answer.text().contains("residency-of-the-call"), "{}", answer.text());
    for name in ["america", "europe", "model-of", "127.0.0.1"] {
        assert!(!answer.text().contains(name), "{name} in {message}");
    }
    assert_eq!(proxy.vendors[0].log().ask(|entries| entries.connections.len()), before);
    let line = proxy.log.wait_for(7).await.pop().unwrap();
    assert_eq!(line["denied_by"], json!(["residency-of-the-call"]));
    assert!(proxy.metric("backstay_policy_denied_total{rule=\"residency-of-the-call\"}").await >= 6.0);
}

#[tokio::test]
async fn f_085_with_everything_eligible_down_what_is_excluded_is_not_even_connected_to() {
    for fault in [Fault::Status503, Fault::Refuse, Fault::Status401, Fault::Status429] {
        let proxy = two_regions().start().await;
        proxy.vendors[1].set_fault(fault);
        for _ in 0..30 {
            let answer = within(&proxy, "EU").await;
            assert!([429, 503].contains(&answer.status), "{fault}: {}", answer.text());
            assert!(!answer.text().contains("america"), "{}", answer.text());
        }
        let connections = proxy.vendors[0].log().ask(|entries| entries.connections.len());
        assert_eq!(connections, 0, "{fault}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_a_key() {
    let listener = "[listener.mutual]\naddress = \"127.0.0.1:0\"\ncertificate = \"certs/server.pem\"\nprivate_key = \"certs/server.key\"\nclient_roots = \"certs/ca.pem\"\n\
                    [key.service]\ncertificate = { san_uri = \"spiffe://corp/app\" }\nresidency = \"any\"\ndata = []";
    let proxy = Plan::of(&[("only", Dialect::OpenaiChat)]).with(listener).start().await;
    let address = proxy.app.listeners.iter().find(|(name, _)| &**name == "mutual").unwrap().1;
    let shows = |name| Client::certified(address, &proxy.authority, &proxy.authority.issue_client(&[name]).unwrap());
    assert_eq!(shows("spiffe://corp/app").chat(false).await.status, 200);
    assert_eq!(proxy.log.wait_for(1).await[0]["key"], "service");
    assert_eq!(shows("spiffe://corp/other").chat(false).await.status, 401);
    assert_eq!(shows("spiffe://corp/other").key(KEY).chat(false).await.status, 200, "a secret counts more");
    assert_eq!(proxy.client().key("").chat(false).await.status, 401, "the other listener asks for no certificate");
}

#[tokio::test]
async fn f_126_whoever_guesses_keys_is_told_to_wait_and_nobody_else_is() {
    let proxy = one().await;
    let guesser = proxy.client().key("sk-backstay-guessed");
    let mut wrong = 0;
    let told = loop {
        let answer = guesser.chat(false).await;
        if answer.status != 401 {
            break answer;
        }
        wrong += 1;
    };
    refused(Dialect::OpenaiChat, &told, 429, "rate_limited");
    assert!(wrong >= 20, "after {wrong}");
    let wait: u64 = told.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(proxy.client().chat(false).await.status, 200, "a right key from the same address");
    let elsewhere = guesser.from("127.0.0.2".parse().unwrap());
    assert_eq!(elsewhere.chat(false).await.status, 401, "another address");
    assert_eq!(proxy.metric("backstay_limit_rejected_total{limit=\"wrong_keys\"}").await, 1.0);
    assert!(!proxy.log.text().contains("guessed"));
}

#[tokio::test]
async fn f_127_a_key_in_the_url_is_none() {
    let proxy = one().await;
    let nobody = proxy.client().key("");
    for path in [CHAT, "/v1/models", "/v1beta/models/smart:generateContent"] {
        for name in ["key", "api_key", "access_token"] {
            let path = format!("{path}?{name}={KEY}");
            let method = if path.starts_with("/v1/models") { "GET" } else { "POST" };
            let request = nobody.request(method, &path, &[]).body(chat_body(false).to_string().into_bytes().into());
            assert_eq!(nobody.send(request.unwrap()).await.status, 401, "{path}");
        }
    }
    assert_eq!(proxy.calls(), [0]);
    let lines = proxy.log.wait_for(9).await;
    assert!(lines.iter().all(|line| !line.to_string().contains(KEY)));
}

fn limited(limit: &str) -> Plan {
    let long = |mut setup: Setup| {
        setup.script.words = 20;
        setup.script.pause = Duration::from_millis(20);
        setup
    };
    Plan::of(&[("only", Dialect::OpenaiChat)]).setup(0, long).key(&format!("limit = {{ {limit} }}"))
}

async fn over_the_limit(proxy: &Proxy, limit: &str, seconds: std::ops::RangeInclusive<u64>) {
    for dialect in WITH_MODEL {
        let answer = proxy.client().post(path(dialect), &chat_body(false)).await;
        let message = refused(dialect, &answer, 429, "rate_limited");
        assert!(message.contains(limit), "{message}");
        assert!(seconds.contains(&answer.header("retry-after").parse().unwrap()), "{:?}", answer.headers);
    }
    let series = format!("backstay_limit_rejected_total{{limit=\"{limit}\"}}");
    assert_eq!(proxy.metric(&series).await, WITH_MODEL.len() as f64);
}

#[tokio::test]
async fn requests_a_minute_are_limited_for_a_key() {
    let proxy = limited("requests_per_minute = 3").start().await;
    for _ in 0..3 {
        assert_eq!(proxy.client().chat(false).await.status, 200);
    }
    over_the_limit(&proxy, "requests_per_minute", 1..=60).await;
    assert_eq!(proxy.calls(), [3]);
}

#[tokio::test]
async fn a_stream_counts_among_a_keys_calls_at_once_until_it_ends() {
    let proxy = limited("concurrency = 1").start().await;
    let mut stream = proxy.client().begin(CHAT, &chat_body(true)).await;
    stream.next().await;
    over_the_limit(&proxy, "concurrency", 1..=2).await;
    assert!(stream.finish().await.clean);
    proxy.log.wait_for(3).await;
    assert_eq!(proxy.client().chat(false).await.status, 200, "the place is free again");

    let mut left = proxy.client().begin(CHAT, &chat_body(true)).await;
    left.next().await;
    left.leave();
    proxy.log.wait_for(5).await;
    assert_eq!(proxy.client().chat(false).await.status, 200, "and after a client that left");
}

#[tokio::test]
async fn what_nobody_can_do_is_refused_by_its_name() {
    let proxy = Plan::of(&[("only", Dialect::Anthropic)]).start().await;
    let mut body = chat_body(false);
    body["logprobs"] = true.into();
    let message = refused(Dialect::OpenaiChat, &proxy.client().post(CHAT, &body).await, 400, "no_capable_deployment");
    assert!(message.contains("`logprobs`"), "{message}");
    assert_eq!(proxy.calls(), [0]);
}
