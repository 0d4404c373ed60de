//! What clients of each dialect of conversations ask.

use backstay::dialect::Dialect;
use serde_json::{Value, json};

/// The tool that is offered, and how simulated vendors call it.
pub(crate) const TOOL: &str = "weather";
pub(crate) const ARGUMENTS: &str = r#"{"city":"Lisbon","days":3}"#;

/// Path and body of a call, plain or with the tool offered; a streamed one asks for usage where its dialect lets it.
pub(crate) fn call(client: Dialect, model: &str, streamed: bool, tools: bool) -> (String, Value) {
    let question = json!([{"role": "user", "content": "Weather in Lisbon?"}]);
    let (path, mut body) = match client {
        Dialect::OpenaiChat => {
            let mut body = json!({"model": model, "stream": streamed, "messages": question});
            if streamed {
                body["stream_options"] = json!({"include_usage": true});
            }
            ("/v1/chat/completions".to_owned(), body)
        }
        Dialect::OpenaiResponses => {
            let body = json!({"model": model, "stream": streamed, "store": false, "input": question});
            ("/v1/responses".to_owned(), body)
        }
        Dialect::Anthropic => {
            let body = json!({"model": model, "stream": streamed, "max_tokens": 1_000, "messages": question});
            ("/v1/messages".to_owned(), body)
        }
        Dialect::Gemini => {
            let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "Weather in Lisbon?"}]}]});
            (format!("/v1beta/models/{model}:{method}"), body)
        }
        other => panic!("{} holds no conversation", other.name()),
    };
    if tools {
        body["tools"] = offered(client);
    }
    (path, body)
}

/// The tool, offered in the dialect's words.
fn offered(client: Dialect) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}});
    match client {
        Dialect::OpenaiChat => json!([{"type": "function", "function": {"name": TOOL, "parameters": schema}}]),
        Dialect::OpenaiResponses => json!([{"type": "function", "name": TOOL, "parameters": schema}]),
        Dialect::Anthropic => json!([{"name": TOOL, "input_schema": schema}]),
        Dialect::Gemini => json!([{"functionDeclarations": [{"name": TOOL, "parameters": schema}]}]),
        other => panic!("{} holds no conversation", other.name()),
    }
}
