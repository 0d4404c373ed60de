//! A real inference engine: llama.cpp's server, with a model of any size, asked by clients of every dialect. It has to run already, and
//! `BACKSTAY_LLAMACPP_URL` says where (`http://127.0.0.1:8080/v1`); without it these tests say so and pass.

use crate::support::proxy::{Plan, Proxy};
use backstay::dialect::Dialect;
use serde_json::{Value, json};

const SWITCH: &str = "BACKSTAY_LLAMACPP_URL";
/// Tokens of an answer: a model of random weights never ends by itself.
const MOST: u32 = 24;

/// The wire formats that the server speaks, as the vendor's table says them; its base URL lies below `/v1` but for one.
const VOICES: [(&str, &str); 3] = [
    ("dialect = \"openai\"\nprofile = \"llamacpp\"", "/v1"),
    ("dialect = \"openai\"\nspeaks = [\"responses\"]", "/v1"),
    ("dialect = \"anthropic\"", ""),
];

async fn proxy((voice, path): (&str, &str)) -> Option<Proxy> {
    let Ok(url) = std::env::var(SWITCH) else {
        println!("switched off: {SWITCH} names no llama.cpp server");
        return None;
    };
    let url = [url.trim_end_matches('/').trim_end_matches("/v1"), path].concat();
    let tables = format!(
        "[vendor.engine]\n{voice}\nseat = \"DE\"\nregion = \"eu\"\nbase_url = \"{url}\"\n\
         credential = {{ file = \"secrets/vendor\" }}\n[pool.engine]\ndeployments = [\"engine/tiny\"]\n"
    );
    let plan = Plan::of(&[("first", Dialect::OpenaiChat)]).patient().key("models = [\"smart\", \"engine\"]");
    Some(plan.with(&tables).start().await)
}

/// A question in a client's dialect, with these further members of Chat Completions where it is that.
fn asked(dialect: Dialect, question: &str, stream: bool, members: Value) -> (String, Value) {
    let messages = json!([{"role": "user", "content": question}]);
    let (path, mut body) = match dialect {
        Dialect::OpenaiChat => {
            ("/v1/chat/completions".to_owned(), json!({"messages": messages, "max_tokens": MOST, "temperature": 0}))
        }
        Dialect::OpenaiResponses => (
            "/v1/responses".to_owned(),
            json!({"input": question, "max_output_tokens": MOST, "temperature": 0, "store": false}),
        ),
        Dialect::Anthropic => {
            ("/v1/messages".to_owned(), json!({"messages": messages, "max_tokens": MOST, "temperature": 0}))
        }
        _ => {
            let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let config = json!({"maxOutputTokens": MOST, "temperature": 0});
            let body = json!({"contents": [{"parts": [{"text": question}]}], "generationConfig": config});
            return (format!("/v1beta/models/engine:{verb}"), body);
        }
    };
    (body["model"], body["stream"]) = ("engine".into(), stream.into());
    for (name, value) in members.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    (path, body)
}

#[tokio::test]
async fn an_engine_answers_clients_of_every_dialect_in_each_that_it_speaks() {
    for voice in VOICES {
        let Some(proxy) = proxy(voice).await else { return };
        for dialect in Dialect::CONVERSING {
            let mut said = Vec::new();
            for stream in [false, true] {
                let counted = dialect == Dialect::OpenaiChat && stream;
                let members = if counted { json!({"stream_options": {"include_usage": true}}) } else { Value::Null };
                let (path, body) = asked(dialect, "How warm is it in Oslo?", stream, members);
                let answer = proxy.client().post(&path, &body).await;
                let place = format!("{} from {} stream {stream}", dialect.name(), voice.0);
                assert_eq!((answer.status, answer.clean), (200, true), "{place}: {}", answer.text());
                assert!(answer.text().contains("oken"), "{place} tells its usage: {}", answer.text());
                said.push(answer.said());
            }
            // without chance the same is said whole and streamed
            assert!(!said[0].is_empty() && said[0] == said[1], "{} from {}: {said:?}", dialect.name(), voice.0);
        }
    }
}

#[tokio::test]
async fn an_engine_keeps_to_a_schema() {
    let Some(proxy) = proxy(VOICES[0]).await else { return };
    let schema = json!({"type": "object", "properties": {"colour": {"enum": ["red", "green"]}}, "required": ["colour"],
        "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "colour", "schema": schema, "strict": true}});
    // the grammar allows white space, which chance writes a good deal of
    let members = json!({"response_format": format, "max_tokens": 500});
    let (path, body) = asked(Dialect::OpenaiChat, "Which colour?", false, members);
    let answer = proxy.client().post(&path, &body).await;
    let told: Value = serde_json::from_str(&answer.said()).unwrap_or_default();
    assert!(["red", "green"].contains(&told["colour"].as_str().unwrap_or_default()), "{}", answer.text());
}

#[tokio::test]
async fn an_engine_says_when_a_prompt_is_too_long() {
    for voice in VOICES {
        let Some(proxy) = proxy(voice).await else { return };
        for stream in [false, true] {
            let (path, body) = asked(Dialect::OpenaiChat, &"word ".repeat(60_000), stream, Value::Null);
            let answer = proxy.client().post(&path, &body).await;
            let told = answer.text();
            assert!(answer.status == 400 && told.contains("exceeds the available context size"), "{}: {told}", voice.0);
            let lines = proxy.log.wait_for(1 + usize::from(stream)).await;
            let class = lines.last().map(|line| line["attempts"][0]["class"].clone());
            assert_eq!(class, Some("context_length".into()), "{}", voice.0);
        }
    }
}
