//! What passes, what does not, and what each side sees of the other.

use super::{OTHER, Store, is_ours, proxy};
use crate::support::client::Answer;
use crate::support::proxy::Proxy;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;

const FORM: &str = "multipart/form-data; boundary=x";

fn form(content: &str) -> String {
    format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{content}\r\n--x--\r\n")
}

async fn upload(proxy: &Proxy, key: Option<&str>, content: &str) -> Answer {
    let client = proxy.client();
    let client = key.map_or_else(|| client.clone(), |key| client.key(key));
    let request = client.request("POST", "/vendor/store/files", &[("content-type", FORM)]);
    client.send(request.body(Full::new(Bytes::from(form(content)))).unwrap()).await
}

async fn delete(proxy: &Proxy, path: &str) -> Answer {
    let client = proxy.client();
    client.send(client.request("DELETE", path, &[]).body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn f_096_what_a_key_lists_passes_and_nothing_else() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let file = upload(&proxy, None, "hello").await;
    assert_eq!((file.status, file.header("x-backstay-served-by")), (200, "store/m"), "{}", file.text());
    let id = file.json()["id"].as_str().unwrap().to_owned();
    let content = proxy.client().get(&format!("/vendor/store/files/{id}/content"), &[]).await;
    assert_eq!((content.status, content.text().as_str(), content.clean), (200, "the content", true));
    assert_eq!(delete(&proxy, &format!("/vendor/store/files/{id}")).await.status, 200);
    let speech = proxy.client().post("/vendor/store/audio/speech", &json!({ "model": "m", "input": "hi" })).await;
    assert_eq!((speech.header("content-type"), speech.body.len()), ("audio/mpeg", 1 << 20));
    let came = store.count();
    for path in ["/vendor/store/models", "/vendor/store/files", "/vendor/first/files/file-1", "/vendor/nobody/files/x"]
    {
        let refused = proxy.client().get(path, &[]).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("policy_denied")), "{path}");
    }
    let listing = proxy.client().get("/vendor/store/files", &[]).await;
    assert!(listing.text().contains("share the vendor's account"), "{}", listing.text());
    assert_eq!(delete(&proxy, "/vendor/store/batches/batch_1").await.status, 403);
    assert_eq!(store.count(), came, "something refused was sent");
}

#[tokio::test]
async fn a_path_of_the_vendors_own_is_found_by_the_base_url_that_sdks_have() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let client = proxy.client();
    let request = client.request("POST", "/v1/files", &[("content-type", FORM)]);
    let file = client.send(request.body(Full::new(Bytes::from(form("x")))).unwrap()).await;
    let id = file.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/v1/files/{id}"), &[]).await.json()["id"], *id);
    assert_eq!(client.get("/v1/files", &[]).await.status, 404);
}

#[tokio::test]
async fn tricks_with_paths_and_queries_go_nowhere() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    for path in [
        "/vendor/store/files/../models",
        "/vendor/store/files/%2e%2e/models",
        "/vendor/store//files",
        "/vendor/store/files%2ffile-1",
        "/vendor/store/files/file-1%3fx",
        "/vendor/store/files/file-1;x",
        "/vendor/store/files/file-1?a=1&a=2",
        "/vendor/store/f%69les/file-1",
    ] {
        let answer = proxy.client().get(path, &[]).await;
        assert!((400..404).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    }
    assert_eq!(store.count(), 0);
}

#[tokio::test]
async fn f_128_neither_side_sees_the_others_secrets() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let headers = [
        ("content-type", "application/json"),
        ("cookie", "session=1"),
        ("openai-organization", "theirs"),
        ("idempotency-key", "one"),
        ("openai-beta", "assistants=v2"),
    ];
    let answer =
        proxy.client().post_with("/vendor/store/images?key=theirs&size=big", "{}".to_owned(), &headers[1..]).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let seen = store.last().unwrap();
    assert!(is_ours(&seen), "{:?}", seen.headers());
    assert_eq!(seen.headers()["openai-beta"], "assistants=v2");
    assert_eq!(seen.uri(), "/v1/images?size=big");
    let file = upload(&proxy, None, "x").await.json()["id"].as_str().unwrap().to_owned();
    let content = proxy.client().get(&format!("/vendor/store/files/{file}/content"), &[]).await;
    for name in ["set-cookie", "openai-organization"] {
        assert_eq!(content.header(name), "", "{name}");
    }
    assert!(content.header("x-request-id").starts_with("req_"));
}

#[tokio::test]
async fn redirects_and_failures_are_told_in_the_clients_dialect() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    for (path, status, code) in [
        ("/vendor/store/moved", 502, "upstream_redirect"),
        ("/vendor/store/broken", 503, "no_healthy_deployment"),
        ("/vendor/store/images", 404, "vendor_refused"),
    ] {
        let answer = proxy.client().post(path, &json!({})).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let told = &answer.json()["error"];
        assert!(told["code"] == *code || told["message"] == "No such thing.", "{told}");
    }
}

#[tokio::test]
async fn a_large_body_is_passed_on_as_it_comes_and_bounded() {
    let store = Store::default();
    let plan = super::plan(&store, "").await;
    let proxy = plan.server("max_body = \"1KiB\"\nmax_upload = \"3MiB\"").start().await;
    let file = upload(&proxy, None, &"a".repeat(2 << 20)).await;
    assert_eq!((file.status, file.json()["bytes"].as_u64().unwrap() > 2 << 20), (200, true));
    let refused = upload(&proxy, None, &"a".repeat(4 << 20)).await;
    assert_eq!((refused.status, refused.text().contains("max_upload")), (413, true), "{}", refused.text());
    let refused = proxy.client().post("/vendor/store/batches", &json!({ "x": "a".repeat(2000) })).await;
    assert_eq!((refused.status, refused.text().contains("max_body")), (413, true), "{}", refused.text());
}

#[tokio::test]
async fn policy_limits_and_log_hold_here_too() {
    let store = Store::default();
    let plan = super::plan(&store, "limit = { requests_per_minute = 2 }").await;
    let nothing_is_kept = "@id(\"no-storing\") forbid (principal, action, resource) when { context.stores && principal == Key::\"other\" };\n\
                           @id(\"rest\") permit (principal, action, resource);\n";
    let proxy = plan.policy("base.cedar", nothing_is_kept).start().await;
    let denied = upload(&proxy, Some(OTHER), "x").await;
    assert_eq!((denied.status, &denied.json()["error"]["refusals"][0]["rules"]), (403, &json!(["no-storing"])));
    assert_eq!(upload(&proxy, None, "x").await.status, 200);
    assert_eq!(upload(&proxy, None, "x").await.status, 200);
    assert_eq!(upload(&proxy, None, "x").await.status, 429);
    let lines = proxy.log.wait_for(4).await;
    assert_eq!(lines.len(), 4);
    let served = &lines[1];
    assert_eq!((&served["dialect"], &served["model"]), (&json!("vendor"), &json!("POST /store/files")), "{served}");
    assert_eq!((&served["outcome"], &served["pool"]), (&json!("served"), &json!("kept")), "{served}");
    assert_eq!(proxy.metric(r#"backstay_requests_total{dialect="vendor",outcome="served",pool="kept"}"#).await, 2.0);
}

#[tokio::test]
async fn a_model_that_no_pool_has_is_not_asked_around_the_pools() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let answer = proxy.client().post("/vendor/store/audio/speech", &json!({ "model": "dear", "input": "hi" })).await;
    assert_eq!((answer.status, store.count()), (404, 0), "{}", answer.text());
}
