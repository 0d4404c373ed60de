//! What a vendor keeps of a call: as the client says, and nothing where the vendor's promise is to keep nothing.

use crate::support::proxy::Plan;
use backstay::dialect::Dialect;
use serde_json::{Value, json};

/// Asks a vendor of the client's own dialect, and compares the `store` that it is sent.
async fn check(client: Dialect, promise: &str, said: Value, expected: Value) {
    let proxy = Plan::of(&[("only", client)]).vendor(0, promise).start().await;
    let (path, mut body) = match client {
        Dialect::OpenaiChat => ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "Hello"}]})),
        _ => ("/v1/responses", json!({"input": "Hello"})),
    };
    body["model"] = "smart".into();
    if !said.is_null() {
        body["store"] = said.clone();
    }
    let answer = proxy.client().post(path, &body).await;
    let case = format!("{} {promise} store {said}", client.name());
    assert_eq!(answer.status, 200, "{case}: {}", answer.text());
    let sent = proxy.vendors[0].log().ask(|entries| entries.calls().last().map(|call| call.body.clone()));
    let sent: Value = serde_json::from_slice(&sent.expect("a call")).expect("JSON");
    assert_eq!(sent["store"], expected, "{case}");
}

#[tokio::test]
async fn a_vendor_is_told_to_keep_nothing_where_it_promised_so() {
    let (nothing, silent) = ("retention_days = 0\n", "");
    for (client, promise, said, expected) in [
        // silence means yes in this dialect
        (Dialect::OpenaiResponses, nothing, Value::Null, json!(false)),
        (Dialect::OpenaiResponses, nothing, json!(true), json!(false)),
        (Dialect::OpenaiResponses, silent, Value::Null, Value::Null),
        (Dialect::OpenaiResponses, silent, json!(true), json!(true)),
        (Dialect::OpenaiResponses, silent, json!(false), json!(false)),
        // and no in this one
        (Dialect::OpenaiChat, nothing, Value::Null, Value::Null),
        (Dialect::OpenaiChat, nothing, json!(true), json!(false)),
        (Dialect::OpenaiChat, silent, json!(true), json!(true)),
    ] {
        check(client, promise, said, expected).await;
    }
}
