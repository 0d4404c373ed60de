//! What the admin address answers.

use crate::admin::events::Events;
use crate::admin::operate::{self, Act};
use crate::admin::{Views, guard};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The page may use what this address serves, and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                              img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Parts of a question that are read.
const MOST_PARTS: usize = 32;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
/// WHATWG HTML, section 9.2.
const EVENTS: &str = "text/event-stream";
const TEXT: &str = "text/plain; charset=utf-8";
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What an answer consists of: all of it, or what is still to happen.
pub(super) type Answer = Either<Full<Bytes>, Events>;

/// Answers one request that came in at `local`.
pub(super) async fn answer<B>(
    request: Request<B>,
    local: SocketAddr,
    views: &Arc<dyn Views>,
    watchers: &Arc<Semaphore>,
) -> Response<Answer>
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
            let help =
                "there are / /status /events /explain /metrics /livez /readyz, and POST /restrict /release /drain";
            refusal((StatusCode::NOT_FOUND, help))
        }
        Some(Route::Act(_)) if head.method != Method::POST => not_allowed("POST"),
        Some(Route::Act(act)) => match operate::act(act, &head, body, views.as_ref()).await {
            Ok((status, answer)) => reply(status, JSON, answer.to_string()),
            Err((status, help)) => reply(status, TEXT, help + "\n"),
        },
        Some(_) if !matches!(head.method, Method::GET | Method::HEAD) => not_allowed("GET, HEAD"),
        Some(Route::File { kind, text }) => reply(StatusCode::OK, kind, text),
        Some(Route::Alive) => reply(StatusCode::OK, TEXT, "alive\n"),
        Some(Route::Ready) => match views.ready() {
            Ok(()) => reply(StatusCode::OK, TEXT, "ready\n"),
            Err(reason) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, reason + "\n"),
        },
        Some(Route::Metrics) => reply(StatusCode::OK, PROMETHEUS, views.metrics()),
        Some(Route::Status) => status(views.as_ref()),
        // a head alone has nothing to watch
        Some(Route::Events) if head.method == Method::HEAD => reply(StatusCode::OK, EVENTS, ""),
        Some(Route::Events) => match Arc::clone(watchers).try_acquire_owned() {
            Ok(place) => {
                let events = Events::new(Arc::clone(views), place);
                reply(StatusCode::OK, EVENTS, "").map(|_| Either::Right(events))
            }
            Err(_) => refusal((StatusCode::SERVICE_UNAVAILABLE, "too many watch already; /status has the same")),
        },
        Some(Route::Explain) => explain(views.as_ref(), head.uri.query().unwrap_or_default()),
    }
}

/// A path that exists here.
enum Route {
    File { kind: &'static str, text: &'static str },
    Alive,
    Ready,
    Metrics,
    Status,
    Events,
    Explain,
    Act(Act),
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
            "/events" => Self::Events,
            "/explain" => Self::Explain,
            "/drain" => Self::Act(Act::Drain),
            "/restrict" => Self::Act(Act::Restrict),
            "/release" => Self::Act(Act::Release),
            _ => return None,
        })
    }
}

fn status(views: &dyn Views) -> Response<Answer> {
    match serde_json::to_vec(&views.status()) {
        Ok(json) => reply(StatusCode::OK, JSON, json),
        Err(error) => {
            tracing::error!(%error, "the status cannot be written as JSON");
            refusal((StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be written as JSON; see the log"))
        }
    }
}

/// `?key=...&model=...`, and what else is known of the call.
fn explain(views: &dyn Views, query: &str) -> Response<Answer> {
    let pairs =
        url::form_urlencoded::parse(query.as_bytes()).take(MOST_PARTS).map(|(name, value)| (name.into(), value.into()));
    match views.explain(&pairs.collect::<Vec<_>>()) {
        Ok(json) => reply(StatusCode::OK, JSON, json),
        Err(wrong) => reply(StatusCode::BAD_REQUEST, TEXT, wrong + "\n"),
    }
}

fn not_allowed(methods: &'static str) -> Response<Answer> {
    let mut response = refusal((StatusCode::METHOD_NOT_ALLOWED, "this path takes another method, see Allow"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn refusal((status, help): guard::Refused) -> Response<Answer> {
    reply(status, TEXT, format!("{help}\n"))
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    response
}
