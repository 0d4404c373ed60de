//! What is kept at a vendor belongs to the key that created it, although all keys share the account.

use super::{OTHER, Store, plan, proxy};
use crate::support::client::{Answer, Client};
use crate::support::proxy::Proxy;
use backstay::dialect::Dialect;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};

async fn file(client: &Client) -> String {
    let request = client.request("POST", "/vendor/store/files", &[("content-type", "multipart/form-data; boundary=x")]);
    let answer = client.send(request.body(Full::new(Bytes::from_static(b"--x--"))).unwrap()).await;
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn is_denied(answer: &Answer) -> bool {
    answer.status == 403 && answer.json()["error"]["code"] == "id_denied"
}

#[tokio::test]
async fn a_foreign_id_and_an_unknown_one_are_refused_alike() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let (own, other) = (proxy.client(), proxy.client().key(OTHER));
    let id = file(&own).await;
    assert_eq!(own.get(&format!("/vendor/store/files/{id}"), &[]).await.status, 200);
    let came = store.count();
    let foreign = other.get(&format!("/vendor/store/files/{id}"), &[]).await;
    let unknown = other.get("/vendor/store/files/file-nobody000000", &[]).await;
    assert!(is_denied(&foreign) && is_denied(&unknown), "{} {}", foreign.text(), unknown.text());
    assert_eq!(foreign.json()["error"]["message"], unknown.json()["error"]["message"]);
    let batch = json!({ "input_file_id": id, "endpoint": "/v1/chat/completions" });
    assert!(is_denied(&other.post("/vendor/store/batches", &batch).await));
    let anywhere = json!({ "steps": [{ "what": id }] });
    assert!(is_denied(&other.post("/vendor/store/images", &anywhere).await));
    let query = format!("/vendor/store/images?after={id}");
    assert!(is_denied(&other.post(&query, &json!({})).await));
    assert_eq!(store.count(), came, "something refused was sent");
}

#[tokio::test]
async fn what_a_batch_makes_belongs_to_its_owner() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let own = proxy.client();
    let id = file(&own).await;
    let batch = own.post("/vendor/store/batches", &json!({ "input_file_id": id })).await.json();
    assert_eq!(batch["id"], "batch_000000000001");
    let output = "/vendor/store/files/file-output000001/content";
    assert!(is_denied(&own.get(output, &[]).await));
    assert_eq!(own.get("/vendor/store/batches/batch_000000000001", &[]).await.status, 200);
    assert_eq!(own.get(output, &[]).await.status, 200);
    assert!(is_denied(&proxy.client().key(OTHER).get(output, &[]).await));
}

#[tokio::test]
async fn an_id_in_a_body_that_nobody_reads_stops_it() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let id = file(&proxy.client()).await;
    let other = proxy.client().key(OTHER);
    let body = format!("--x\r\ncontent-disposition: form-data; name=\"file_id\"\r\n\r\n{id}\r\n--x--\r\n");
    let request = other.request("POST", "/vendor/store/files", &[("content-type", "multipart/form-data; boundary=x")]);
    let answer = other.send(request.body(Full::new(Bytes::from(body))).unwrap()).await;
    assert!(is_denied(&answer), "{}", answer.text());
}

#[tokio::test]
async fn an_earlier_answer_is_continued_by_its_own_key_alone_and_after_a_restart() {
    let store = Store::default();
    let mut proxy = plan(&store, "").await.start().await;
    for stream in [false, true] {
        let first = json!({ "model": "kept", "input": "Hello", "stream": stream });
        let answer = proxy.client().post("/v1/responses", &first).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = if stream {
            serde_json::from_str::<Value>(&answer.events()[0]).unwrap()["response"]["id"].clone()
        } else {
            answer.json()["id"].clone()
        };
        let next = json!({ "model": "kept", "input": "And?", "previous_response_id": id });
        assert!(is_denied(&proxy.client().key(OTHER).post("/v1/responses", &next).await));
        proxy = proxy.restart().await;
        let answer = proxy.client().post("/v1/responses", &next).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let kept = proxy.client().get(&format!("/v1/responses/{}", id.as_str().unwrap()), &[]).await;
        assert_eq!((kept.status, &kept.json()["id"]), (200, &id));
        assert!(is_denied(&proxy.client().key(OTHER).post("/v1/responses", &next).await));
    }
}

#[tokio::test]
async fn an_answer_that_was_not_to_be_kept_is_no_ones() {
    let store = Store::default();
    let proxy = proxy(&store, "").await;
    let first = json!({ "model": "kept", "input": "Hello", "store": false });
    let id = proxy.client().post("/v1/responses", &first).await.json()["id"].clone();
    let next = json!({ "model": "kept", "input": "And?", "previous_response_id": id });
    assert!(is_denied(&proxy.client().post("/v1/responses", &next).await));
}

#[tokio::test]
async fn f_110_what_is_kept_at_one_deployment_is_not_sent_to_another() {
    let store = Store::default();
    let proxy = two_places(&store).await;
    let first = json!({ "model": "both", "input": "Hello" });
    let id = proxy.client().post("/v1/responses", &first).await.json()["id"].clone();
    let before = proxy.calls()[0];
    let next = json!({ "model": "both", "input": "And?", "previous_response_id": id });
    let answer = proxy.client().post("/v1/responses", &next).await;
    assert_eq!((answer.status, answer.header("x-backstay-served-by")), (200, "store/m"), "{}", answer.text());
    let elsewhere = json!({ "model": "smart", "input": "And?", "previous_response_id": id });
    let answer = proxy.client().post("/v1/responses", &elsewhere).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (409, &json!("not_portable")), "{}", answer.text());
    assert_eq!(proxy.calls()[0], before);
}

/// A store and another vendor of the same dialect in one pool.
async fn two_places(store: &Store) -> Proxy {
    let address = store.start().await;
    let tables = format!(
        "[vendor.store]\ndialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\nbase_url = \"http://{address}/v1\"\n\
         credential = {{ file = \"secrets/vendor\" }}\n[pool.both]\ndeployments = [\"store/m\", \"first/model-of-first\"]\n"
    );
    crate::support::proxy::Plan::of(&[("first", Dialect::OpenaiResponses)]).with(&tables).start().await
}

#[tokio::test]
async fn a_granted_id_and_a_reserved_account_need_no_creator() {
    let store = Store::default();
    let granted = proxy(&store, "server_ids = [\"store/file-shared*\"]").await;
    assert_eq!(granted.client().get("/vendor/store/files/file-shared0001", &[]).await.status, 200);
    assert!(is_denied(&granted.client().key(OTHER).get("/vendor/store/files/file-shared0001", &[]).await));

    let address = store.start().await;
    let reserved = format!(
        "[vendor.store]\ndialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\nbase_url = \"http://{address}/v1\"\n\
         reserved_for = \"app\"\n[pool.kept]\ndeployments = [\"store/m\"]\n\
         [key.other]\nsecret = {{ file = \"secrets/other\" }}\nresidency = \"any\"\ndata = []\nmodels = [\"smart\"]\n"
    );
    let plan =
        crate::support::proxy::Plan::of(&[("first", Dialect::OpenaiChat)]).key("vendor_paths = [\"GET /store/**\"]");
    let proxy = plan.with(&reserved).file("secrets/other", OTHER).start().await;
    assert_eq!(proxy.client().get("/vendor/store/files/file-anything", &[]).await.status, 200);
    assert_eq!(proxy.client().key(OTHER).get("/vendor/store/files/file-anything", &[]).await.status, 403);
}
