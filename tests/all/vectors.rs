//! Embeddings and legacy completions through the real proxy.

use crate::support::proxy::Plan;
use backstay::dialect::Dialect;
use serde_json::{Value, json};

#[tokio::test]
async fn vectors_pass_as_they_are_and_are_translated() {
    for (vendor, base64, numbers) in
        [(Dialect::OpenaiChat, false, json!([0.5, -0.25, 1.0])), (Dialect::Gemini, true, Value::Null)]
    {
        let proxy = Plan::of(&[("first", vendor)]).start().await;
        let mut body = json!({"model": "smart", "input": ["a", "b"]});
        if base64 {
            body["encoding_format"] = json!("base64");
        }
        let answer = proxy.client().post("/v1/embeddings", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        assert_eq!((&told["object"], told["data"].as_array().map(Vec::len)), (&json!("list"), Some(2)), "{told}");
        match base64 {
            true => assert!(told["data"][1]["embedding"].is_string(), "{told}"),
            false => assert_eq!(told["data"][1]["embedding"], numbers, "{told}"),
        }
        assert_eq!(answer.header("x-backstay-served-by"), "first/model-of-first");
    }
}

#[tokio::test]
async fn a_vendor_without_vectors_is_no_candidate() {
    let proxy = Plan::of(&[("first", Dialect::Anthropic)]).start().await;
    let answer = proxy.client().post("/v1/embeddings", &json!({"model": "smart", "input": "a"})).await;
    assert!(answer.status == 400 && answer.text().contains("openai_embeddings"), "{}", answer.text());
}

#[tokio::test]
async fn a_legacy_completion_is_answered_by_a_chat_vendor() {
    let proxy = Plan::of(&[("first", Dialect::Anthropic)]).start().await;
    for stream in [false, true] {
        let body = json!({"model": "smart", "prompt": "Once", "max_tokens": 50, "stream": stream});
        let answer = proxy.client().post("/v1/completions", &body).await;
        assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
        assert!(answer.text().contains("text_completion"), "{}", answer.text());
        assert_eq!(answer.text().contains("[DONE]"), stream, "{}", answer.text());
    }
    let many = proxy.client().post("/v1/completions", &json!({"model": "smart", "prompt": ["a", "b"]})).await;
    assert!(many.status == 400 && many.text().contains("token_inputs"), "{}", many.text());
}

#[tokio::test]
async fn one_model_is_told_under_every_name_it_goes_by() {
    let proxy = Plan::of(&[("first", Dialect::OpenaiChat)]).pool("aliases = [\"org/gpt-5.5\"]").start().await;
    for (path, id) in [("/v1/models/smart", "smart"), ("/v1/models/org%2Fgpt-5.5", "org/gpt-5.5")] {
        let openai = proxy.client().get(path, &[]).await;
        assert_eq!(
            (openai.status, openai.json()),
            (200, json!({"id": id, "object": "model", "created": 0, "owned_by": "backstay"}))
        );
        let anthropic = proxy.client().get(path, &[("anthropic-version", "2023-06-01")]).await.json();
        assert_eq!((&anthropic["type"], &anthropic["id"]), (&json!("model"), &json!(id)));
    }
    assert_eq!(proxy.client().get("/v1/models/other", &[]).await.status, 404);
}
