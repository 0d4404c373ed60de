//! Thoughts that another vendor sealed, at a vendor that speaks the client's own dialect and refuses them: it is asked again
//! without, so that a conversation with tools goes on.

use crate::support::proxy::Plan;
use backstay::demo::vendor::{Cuts, Recording};
use backstay::dialect::Dialect;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the vendor cannot read.
const SEAL: &str = "c2VhbGVkIGJ5IGFub3RoZXI";

/// How a vendor of each dialect refuses a seal that is not its own, and a conversation that holds one.
fn conversation(dialect: Dialect) -> (&'static str, Value, Value) {
    let question = json!({"role": "user", "content": "How warm is it in Oslo?"});
    match dialect {
        Dialect::OpenaiResponses => (
            "/v1/responses",
            json!({"model": "smart", "store": false, "include": ["reasoning.encrypted_content"], "input": [
                question,
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEAL},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "-3"},
            ]}),
            json!({"error": {"message": "The encrypted content could not be verified.", "type": "invalid_request_error",
                "param": null, "code": "invalid_encrypted_content"}}),
        ),
        Dialect::Anthropic => (
            "/v1/messages",
            json!({"model": "smart", "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": [
                question,
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "A tool.", "signature": SEAL},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "-3"}]},
            ]}),
            json!({"type": "error", "error": {"type": "invalid_request_error",
                "message": "messages.1.content.0: Invalid `signature` in `thinking` block"}}),
        ),
        _ => (
            "/v1beta/models/smart:generateContent",
            json!({"contents": [
                {"role": "user", "parts": [{"text": "How warm is it in Oslo?"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": SEAL}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"output": "-3"}}}]},
            ]}),
            json!({"error": {"code": 400, "message": "Thought signature is not valid.", "status": "INVALID_ARGUMENT"}}),
        ),
    }
}

#[tokio::test]
async fn a_vendor_that_refuses_anothers_seal_is_asked_again_without() {
    for dialect in [Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini] {
        let (path, call, refusal) = conversation(dialect);
        let proxy = Plan::of(&[("only", dialect)]).start().await;
        let refused = Recording {
            status: 400,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Bytes::from(refusal.to_string()),
            cuts: Cuts::Whole,
        };
        let objects = (SEAL.to_owned(), Arc::new(refused));
        proxy.vendors[0].change_script(|script| script.objects_to = Some(objects));
        let answer = proxy.client().post(path, &call).await;
        assert_eq!(answer.status, 200, "{}: {}", dialect.name(), answer.text());
        assert_eq!(proxy.calls(), [2], "{}", dialect.name());
        // the call that was answered holds the tool's result, and nobody's thoughts
        let told = proxy.vendors[0].log().entries().requests;
        let last = String::from_utf8_lossy(&told.last().expect("a call").body).into_owned();
        assert!(last.contains("weather") && last.contains("-3") && !last.contains(SEAL), "{last}");
        assert!(!last.contains("\"thinking\""), "{last}");
    }
}
