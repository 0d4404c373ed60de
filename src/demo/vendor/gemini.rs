//! Gemini's `generateContent`, as Google writes it in 2026: the model and the manner are in the path.

use super::speech::{Answer, Saying};
use bytes::Bytes;
use serde_json::{Value, json};

/// The whole answer.
pub(super) fn reply(saying: &Saying<'_>) -> Value {
    let part = match &saying.asked.tool {
        Some((name, arguments)) => call(saying, name, arguments),
        None => json!({"text": saying.whole()}),
    };
    event(saying, &json!([part]), Some("STOP"))
}

/// The streamed answer; nothing but the end of the connection ends it.
pub(super) fn stream(saying: &Saying<'_>) -> Answer {
    let said = |parts: Value, finish| Bytes::from(format!("data: {}\r\n\r\n", event(saying, &parts, finish)));
    let content = match &saying.asked.tool {
        Some((name, arguments)) => vec![said(json!([call(saying, name, arguments)]), None)],
        None => saying.text.iter().map(|word| said(json!([{"text": word}]), None)).collect(),
    };
    let closing = vec![said(json!([{"text": ""}]), Some("STOP"))];
    Answer { streamed: true, opening: Vec::new(), content, closing, terminator: Bytes::new() }
}

/// How many tokens a call has.
pub(super) fn token_count(prompt_tokens: usize) -> Value {
    json!({"totalTokens": prompt_tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}]})
}

/// Vectors of three numbers, the first of which is the text's length.
pub(super) fn embeddings(body: &[u8]) -> Value {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let vector = |request: &Value| {
        let text = request.pointer("/content/parts/0/text").and_then(Value::as_str).unwrap_or_default();
        json!({"values": [text.len(), 0.25, -0.5]})
    };
    match call["requests"].as_array() {
        Some(requests) => json!({"embeddings": requests.iter().map(vector).collect::<Vec<_>>()}),
        None => json!({"embedding": vector(&call)}),
    }
}

/// A function is called with the seal of thoughts, without which newer models take no history back.
fn call(saying: &Saying<'_>, name: &str, arguments: &Value) -> Value {
    json!({"functionCall": {"name": name, "args": arguments}, "thoughtSignature": format!("{}AAAA", saying.id)})
}

fn event(saying: &Saying<'_>, parts: &Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    let (input, output) = (saying.asked.prompt_tokens, saying.output_tokens());
    json!({"candidates": [candidate], "modelVersion": saying.model, "responseId": saying.id,
        "usageMetadata": {"promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}]}})
}
