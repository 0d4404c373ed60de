//! A vendor of every dialect that nobody of this project wrote, asked by clients of every dialect: plain, streamed, with a tool
//! and its result.

use super::{SWITCH, installed, scripts};
use crate::support::client::{Answer, Client};
use crate::support::proxy::{Plan, Proxy};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

const HELLO: &str = "Hi there, this is a mock.";
const RAIN: &str = "It rains in Oslo.";
/// The pools, each with one vendor of a dialect: what its table says, and the prefix that its base URL has.
const VENDORS: [(&str, &str, &str); 4] = [
    ("chat", "dialect = \"openai\"\nspeaks = [\"chat\"]", "/v1"),
    ("responses", "dialect = \"openai\"\nspeaks = [\"responses\"]", "/v1"),
    ("anthropic", "dialect = \"anthropic\"", ""),
    ("gemini", "dialect = \"gemini\"", ""),
];

#[tokio::test]
async fn chat_clients_are_served_by_aimock_in_every_dialect() {
    every_vendor(Dialect::OpenaiChat).await;
}

#[tokio::test]
async fn responses_clients_are_served_by_aimock_in_every_dialect() {
    every_vendor(Dialect::OpenaiResponses).await;
}

#[tokio::test]
async fn anthropic_clients_are_served_by_aimock_in_every_dialect() {
    every_vendor(Dialect::Anthropic).await;
}

#[tokio::test]
async fn gemini_clients_are_served_by_aimock_in_every_dialect() {
    every_vendor(Dialect::Gemini).await;
}

async fn every_vendor(dialect: Dialect) {
    if std::env::var(SWITCH).as_deref() != Ok("1") {
        println!("switched off: aimock is asked with {SWITCH}=1, which installs it");
        return;
    }
    let mock = tokio::task::spawn_blocking(Mock::start).await.unwrap();
    let proxy = proxy(&mock.url).await;
    for (pool, _, _) in VENDORS {
        let asked = Asked { client: proxy.client(), dialect, pool };
        let what = format!("{} client, {pool} vendor", dialect.name());
        for stream in [false, true] {
            let answer = asked.ask(&asked.user("Hello"), stream).await;
            assert_eq!((answer.status, answer.clean), (200, true), "{what}: {}", answer.text());
            assert_eq!(answer.said(), HELLO, "{what}, stream {stream}: {}", answer.text());
        }
        let streamed = asked.ask(&asked.user("the weather?"), true).await;
        assert!(streamed.clean && streamed.text().contains("weather") && streamed.text().contains("Oslo"), "{what}");
        let question = asked.user("the weather?");
        let answer = asked.ask(&question, false).await;
        let with_result = asked.with_result(question, &answer);
        let answer = asked.ask(&with_result, false).await;
        assert_eq!((answer.status, answer.said().as_str()), (200, RAIN), "{what}: {}", answer.text());
    }
}

/// Asks for a pool in a client's dialect.
struct Asked {
    client: Client,
    dialect: Dialect,
    pool: &'static str,
}

impl Asked {
    /// A conversation that a user begins.
    fn user(&self, text: &str) -> Vec<Value> {
        vec![match self.dialect {
            Dialect::Gemini => json!({ "role": "user", "parts": [{ "text": text }] }),
            _ => json!({ "role": "user", "content": text }),
        }]
    }

    async fn ask(&self, turns: &[Value], stream: bool) -> Answer {
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
        let (name, about, pool) = ("weather", "Tells the weather.", self.pool);
        let (path, body) = match self.dialect {
            Dialect::OpenaiChat => {
                let tool = json!({ "type": "function", "function": { "name": name, "description": about, "parameters": schema } });
                (
                    "/v1/chat/completions".to_owned(),
                    json!({ "model": pool, "stream": stream, "messages": turns, "tools": [tool] }),
                )
            }
            Dialect::OpenaiResponses => {
                let tool = json!({ "type": "function", "name": name, "description": about, "parameters": schema, "strict": false });
                let body = json!({ "model": pool, "stream": stream, "store": false, "input": turns, "tools": [tool] });
                ("/v1/responses".to_owned(), body)
            }
            Dialect::Anthropic => {
                let tool = json!({ "name": name, "description": about, "input_schema": schema });
                let body =
                    json!({ "model": pool, "stream": stream, "max_tokens": 100, "messages": turns, "tools": [tool] });
                ("/v1/messages".to_owned(), body)
            }
            _ => {
                let tool =
                    json!({ "functionDeclarations": [{ "name": name, "description": about, "parameters": schema }] });
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                (format!("/v1beta/models/{pool}:{method}"), json!({ "contents": turns, "tools": [tool] }))
            }
        };
        self.client.post(&path, &body).await
    }

    /// The conversation with the call that the answer makes, and its result.
    fn with_result(&self, mut turns: Vec<Value>, answer: &Answer) -> Vec<Value> {
        let said = answer.json();
        let find = |list: &Value, kind: &str| {
            let items = list.as_array().into_iter().flatten();
            items.into_iter().find(|item| item["type"] == kind).cloned().unwrap_or_default()
        };
        let (name, arguments) = match self.dialect {
            Dialect::OpenaiChat => {
                let message = said["choices"][0]["message"].clone();
                let call = message["tool_calls"][0].clone();
                turns.extend([message, json!({ "role": "tool", "tool_call_id": call["id"], "content": "rain" })]);
                (call["function"]["name"].clone(), call["function"]["arguments"].to_string())
            }
            Dialect::OpenaiResponses => {
                let call = find(&said["output"], "function_call");
                let result = json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "rain" });
                let seen = (call["name"].clone(), call["arguments"].to_string());
                turns.extend([call, result]);
                seen
            }
            Dialect::Anthropic => {
                let call = find(&said["content"], "tool_use");
                let result = json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "rain" });
                turns.push(json!({ "role": "assistant", "content": said["content"] }));
                turns.push(json!({ "role": "user", "content": [result] }));
                (call["name"].clone(), call["input"].to_string())
            }
            _ => {
                let content = said["candidates"][0]["content"].clone();
                let call = content["parts"][0]["functionCall"].clone();
                let mut result = json!({ "name": call["name"], "response": { "weather": "rain" } });
                if !call["id"].is_null() {
                    result["id"] = call["id"].clone();
                }
                turns.push(content);
                turns.push(json!({ "role": "user", "parts": [{ "functionResponse": result }] }));
                (call["name"].clone(), call["args"].to_string())
            }
        };
        assert!(name == "weather" && arguments.contains("Oslo"), "{} over {}: {said}", self.dialect.name(), self.pool);
        turns
    }
}

async fn proxy(url: &str) -> Proxy {
    let table = |(pool, dialect, prefix): &(&str, &str, &str)| {
        format!(
            "[vendor.{pool}]\n{dialect}\nseat = \"US\"\nregion = \"us\"\nbase_url = \"{url}{prefix}\"\n\
             credential = {{ file = \"secrets/vendor\" }}\n[pool.{pool}]\ndeployments = [\"{pool}/mock-{pool}\"]\n"
        )
    };
    let tables: String = VENDORS.iter().map(table).collect();
    Plan::of(&[("first", Dialect::OpenaiChat)]).patient().with(&tables).start().await
}

/// A running aimock.
struct Mock {
    child: Child,
    url: String,
}

impl Mock {
    fn start() -> Self {
        let mut command = Command::new("node");
        command.arg(AIMOCK.join("vendor.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.find_map(|line| line.unwrap().strip_prefix("at ").map(str::to_owned));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: told.expect("aimock did not start") }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

static AIMOCK: LazyLock<PathBuf> = LazyLock::new(|| {
    let list = scripts().join("aimock");
    let folder = installed("aimock", "aimock/package.json", |folder| {
        fs::copy(list.join("package.json"), folder.join("package.json")).unwrap();
        let mut packages = Command::new("npm");
        packages.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        vec![packages]
    });
    fs::copy(list.join("vendor.mjs"), folder.join("vendor.mjs")).unwrap();
    folder
});
