//! What the admin address answers.

use crate::admin::{Views, guard};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use std::error::Error;
use std::net::SocketAddr;

/// Bytes of a request's body: no change needs more.
const BODY: usize = 4096;
/// The page may use what this address serves, and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                              img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Parts of a question that are read.
const MOST_PARTS: usize = 32;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers one request that came in at `local`.
pub(super) async fn answer<B>(request: Request<B>, local: SocketAddr, views: &dyn Views) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if let Err(refused) = guard::check(&head.uri, &head.headers, local) {
        return refusal(refused);
    }
    match Route::find(head.uri.path()) {
        None => {
            refusal((StatusCode::NOT_FOUND, "there are / /status /explain /metrics /livez /readyz, and POST /drain"))
        }
        Some(Route::Drain) if head.method != Method::POST => not_allowed("POST"),
        Some(Route::Drain) => match guard::check_operator(&head.headers, &views.operators()) {
            Err(refused) => refusal(refused),
            Ok(_) if Limited::new(body, BODY).collect().await.is_err() => {
                refusal((StatusCode::PAYLOAD_TOO_LARGE, "send no body, or `{}`"))
            }
            Ok(operator) => {
                tracing::warn!(operator = operator.short(), "an operator asked for the drain");
                views.drain();
                reply(StatusCode::ACCEPTED, JSON, r#"{"draining":true}"#)
            }
        },
        Some(_) if !matches!(head.method, Method::GET | Method::HEAD) => not_allowed("GET, HEAD"),
        Some(Route::File { kind, text }) => reply(StatusCode::OK, kind, text),
        Some(Route::Alive) => reply(StatusCode::OK, TEXT, "alive\n"),
        Some(Route::Ready) => match views.ready() {
            Ok(()) => reply(StatusCode::OK, TEXT, "ready\n"),
            Err(reason) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, reason + "\n"),
        },
        Some(Route::Metrics) => reply(StatusCode::OK, PROMETHEUS, views.metrics()),
        Some(Route::Status) => status(views),
        Some(Route::Explain) => explain(views, head.uri.query().unwrap_or_default()),
    }
}

/// A path that exists here.
enum Route {
    File { kind: &'static str, text: &'static str },
    Alive,
    Ready,
    Metrics,
    Status,
    Explain,
    Drain,
}

impl Route {
    fn find(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::File { kind: HTML, text: include_str!("page/index.html") },
            "/page.css" => Self::File { kind: CSS, text: include_str!("page/page.css") },
            "/page.js" => Self::File { kind: SCRIPT, text: include_str!("page/page.js") },
            "/livez" => Self::Alive,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/status" => Self::Status,
            "/explain" => Self::Explain,
            "/drain" => Self::Drain,
            _ => return None,
        })
    }
}

fn status(views: &dyn Views) -> Response<Full<Bytes>> {
    match serde_json::to_vec(&views.status()) {
        Ok(json) => reply(StatusCode::OK, JSON, json),
        Err(error) => {
            tracing::error!(%error, "the status cannot be written as JSON");
            refusal((StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be written as JSON; see the log"))
        }
    }
}

/// `?key=...&model=...`, and what else is known of the call.
fn explain(views: &dyn Views, query: &str) -> Response<Full<Bytes>> {
    let pairs =
        url::form_urlencoded::parse(query.as_bytes()).take(MOST_PARTS).map(|(name, value)| (name.into(), value.into()));
    match views.explain(&pairs.collect::<Vec<_>>()) {
        Ok(json) => reply(StatusCode::OK, JSON, json),
        Err(wrong) => reply(StatusCode::BAD_REQUEST, TEXT, wrong + "\n"),
    }
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = refusal((StatusCode::METHOD_NOT_ALLOWED, "this path takes another method, see Allow"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn refusal((status, help): guard::Refused) -> Response<Full<Bytes>> {
    reply(status, TEXT, format!("{help}\n"))
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    response
}
