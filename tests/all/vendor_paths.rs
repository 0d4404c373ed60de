//! What a vendor offers beside the calls that we speak, as clients reach it: who may have what, and what the vendor sees.

mod ids;
mod passing;

use crate::support::proxy::{CREDENTIAL, Plan, Proxy};
use backstay::dialect::Dialect;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// The secret of a second key, which may do the same as the first.
const OTHER: &str = "sk-test-canary-other-11d2";
/// What both keys list.
const LISTED: &str = r#"vendor_paths = ["POST /store/files", "GET /store/files/*", "GET /store/files/*/content", "DELETE /store/files/*",
    "POST /store/batches", "GET /store/batches/*", "POST /store/audio/speech", "POST /store/moved", "POST /store/broken", "POST /store/images",
    "GET /store/responses/*", "DELETE /store/responses/*"]"#;

/// A vendor that keeps files, batches and answers, in plain HTTP.
#[derive(Clone, Default)]
struct Store {
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Store {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, this) = (listener.local_addr().unwrap(), self.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let this = this.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let this = this.clone();
                    async move { Ok::<_, Infallible>(this.answer(request).await) }
                });
                tokio::spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(socket), service).await)
                });
            }
        });
        address
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return told(StatusCode::BAD_REQUEST, &json!({})) };
        let body = body.to_bytes();
        let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
        let count = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Request::from_parts(parts, body.clone()));
            seen.len()
        };
        let path: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match (&*method, path.as_slice()) {
            ("POST", ["files"]) => {
                ok(&json!({ "id": format!("file-00000000000{count}"), "object": "file", "bytes": body.len() }))
            }
            ("GET", ["files", id]) => ok(&json!({ "id": id, "object": "file" })),
            ("GET", ["files", _, "content"]) => Response::builder()
                .header("content-type", "application/octet-stream")
                .header("set-cookie", "vendor=1")
                .header("openai-organization", "our-org")
                .body(Full::new(Bytes::from_static(b"the content")))
                .unwrap(),
            ("DELETE", ["files" | "responses", id]) => ok(&json!({ "id": id, "deleted": true })),
            ("POST", ["batches"]) => {
                let asked: Value = serde_json::from_slice(&body).unwrap();
                ok(
                    &json!({ "id": "batch_000000000001", "input_file_id": asked["input_file_id"], "output_file_id": null }),
                )
            }
            ("GET", ["batches", id]) => ok(&json!({ "id": id, "output_file_id": "file-output000001" })),
            ("POST", ["audio", "speech"]) => Response::builder()
                .header("content-type", "audio/mpeg")
                .body(Full::new(Bytes::from(vec![7; 1 << 20])))
                .unwrap(),
            ("POST", ["moved"]) => Response::builder()
                .status(302)
                .header("location", "http://127.0.0.1:1/elsewhere")
                .body(Full::default())
                .unwrap(),
            ("POST", ["broken"]) => told(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": { "message": "no" } })),
            ("POST", ["responses"]) => self.respond(&serde_json::from_slice(&body).unwrap(), count),
            ("GET", ["responses", id]) => ok(&response(id)),
            _ => told(
                StatusCode::NOT_FOUND,
                &json!({ "error": { "message": "No such thing.", "type": "invalid_request_error" } }),
            ),
        }
    }

    fn respond(&self, asked: &Value, count: usize) -> Response<Full<Bytes>> {
        let whole = response(&format!("resp_00000000000{count}"));
        if asked["stream"] != true {
            return ok(&whole);
        }
        let mut begun = whole.clone();
        (begun["status"], begun["output"]) = (json!("in_progress"), json!([]));
        let events = [
            json!({ "type": "response.created", "sequence_number": 0, "response": begun }),
            json!({ "type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "output_index": 0,
                "content_index": 0, "delta": "Hello", "logprobs": [] }),
            json!({ "type": "response.completed", "sequence_number": 2, "response": whole }),
        ];
        let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        let events: String = events.iter().map(event).collect();
        Response::builder().header("content-type", "text/event-stream").body(Full::new(Bytes::from(events))).unwrap()
    }

    /// The last request that came, if one did.
    fn last(&self) -> Option<Request<Bytes>> {
        self.seen.lock().unwrap().last().cloned()
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn response(id: &str) -> Value {
    json!({ "id": id, "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [
        { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": "Hello", "annotations": [] }] }
    ], "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 } })
}

fn ok(body: &Value) -> Response<Full<Bytes>> {
    told(StatusCode::OK, body)
}

fn told(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body.to_string()))).unwrap()
}

/// A proxy in front of a store, with two keys that list what the store offers; `more` goes to the first key.
async fn proxy(store: &Store, more: &str) -> Proxy {
    plan(store, more).await.start().await
}

async fn plan(store: &Store, more: &str) -> Plan {
    let address = store.start().await;
    Plan::of(&[("first", Dialect::OpenaiChat)])
        .key(LISTED)
        .key(more)
        .with(&format!(
            "[vendor.store]\ndialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\nbase_url = \"http://{address}/v1\"\n\
             credential = {{ file = \"secrets/vendor\" }}\n[pool.kept]\ndeployments = [\"store/m\"]\n\
             [key.other]\nsecret = {{ file = \"secrets/other\" }}\nresidency = \"any\"\ndata = []\n{LISTED}\n"
        ))
        .file("secrets/other", OTHER)
}

/// Whether our credential, and nothing of the client's, came with a request.
fn is_ours(request: &Request<Bytes>) -> bool {
    let bearer = request.headers().get("authorization").is_some_and(|value| value == &*format!("Bearer {CREDENTIAL}"));
    let clients = ["cookie", "x-api-key", "x-goog-api-key", "openai-organization", "idempotency-key"];
    bearer && clients.iter().all(|name| !request.headers().contains_key(*name))
}
