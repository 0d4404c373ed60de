//! A vendor that is not listed, described by configuration alone: what it is sent is what it takes.

use crate::support::proxy::{Plan, Proxy};
use backstay::dialect::Dialect;
use serde_json::{Value, json};

/// A vendor of OpenAI's dialect with ways of its own.
const QUIRKS: &str = r#"
[vendor.first.quirks]
max_tokens_member = "max_tokens"
usage_on_request  = false
developer_role    = false
late_system       = false
refused_members   = ["user", "stream_options"]
tool_call_ids     = "nine_alphanumerics"
efforts           = ["none", "high"]
lacks             = ["images"]
"#;

/// A conversation with a tool's result, in words that such a vendor refuses.
fn conversation() -> Value {
    json!({
        "model": "smart",
        "max_completion_tokens": 50,
        "user": "u-1",
        "reasoning_effort": "medium",
        "safe_prompt": true,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Call f."},
            {"role": "assistant", "content": null, "tool_calls":
                [{"id": "call_AbCdEfGhIjKlMnOpQrStUvWx", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_AbCdEfGhIjKlMnOpQrStUvWx", "content": "7"},
            {"role": "system", "content": "Answer in French."},
        ],
    })
}

/// What a vendor was sent last.
fn sent(proxy: &Proxy, vendor: usize) -> Value {
    let body = proxy.vendors[vendor].log().ask(|entries| entries.calls().last().map(|call| call.body.clone()));
    serde_json::from_slice(&body.expect("a call")).expect("JSON")
}

#[tokio::test]
async fn a_vendor_of_ones_own_takes_configuration_only() {
    let proxy = Plan::of(&[("first", Dialect::OpenaiChat)]).with(QUIRKS).start().await;
    let answer = proxy.client().post("/v1/chat/completions", &conversation()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = sent(&proxy, 0);
    let id = sent["messages"][3]["tool_calls"][0]["id"].as_str().expect("an id").to_owned();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sent}");
    let roles: Vec<_> =
        sent["messages"].as_array().expect("messages").iter().map(|turn| turn["role"].clone()).collect();
    assert_eq!(roles, ["system", "system", "user", "assistant", "tool"]);
    assert_eq!(sent["messages"][4]["tool_call_id"], id.as_str());
    assert_eq!(
        (&sent["max_tokens"], &sent["max_completion_tokens"], &sent["user"]),
        (&json!(50), &Value::Null, &Value::Null)
    );
    assert_eq!((&sent["reasoning_effort"], &sent["safe_prompt"]), (&json!("high"), &json!(true)));
}

#[tokio::test]
async fn a_result_finds_its_call_after_a_failover() {
    let second = QUIRKS.replace("vendor.first", "vendor.second");
    let proxy = Plan::two(Dialect::OpenaiChat).with(&second).start().await;
    let same = proxy.client().post("/v1/chat/completions", &conversation()).await;
    assert_eq!(same.header("x-backstay-served-by"), "first/model-of-first", "{}", same.text());
    assert_eq!(sent(&proxy, 0)["messages"], conversation()["messages"], "bytes pass where they may");
    proxy.vendors[0].set_fault(backstay::demo::vendor::Fault::Refuse);
    let other = proxy.client().post("/v1/chat/completions", &conversation()).await;
    assert_eq!(other.header("x-backstay-served-by"), "second/model-of-second", "{}", other.text());
    let sent = sent(&proxy, 1);
    assert_eq!(sent["messages"][3]["tool_calls"][0]["id"], sent["messages"][4]["tool_call_id"], "{sent}");
}

#[tokio::test]
async fn what_such_a_vendor_lacks_is_refused_by_name() {
    let proxy = Plan::of(&[("first", Dialect::OpenaiChat)]).with(QUIRKS).start().await;
    let image = json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}});
    let body = json!({"model": "smart", "messages": [{"role": "user", "content": [image]}]});
    let answer = proxy.client().post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("`images`"), "{}", answer.text());
    let effort =
        json!({"model": "smart", "reasoning_effort": "default", "messages": [{"role": "user", "content": "x"}]});
    let answer = proxy.client().post("/v1/chat/completions", &effort).await;
    assert!(answer.status == 400 && answer.text().contains("`reasoning_effort`"), "{}", answer.text());
    assert_eq!(proxy.calls(), [0]);
}
