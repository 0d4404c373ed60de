//! Talks to a running proxy's admin address, in plain HTTP as it is served there.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER: usize = 16 << 20;

/// The body of the answer to a GET.
///
/// # Errors
/// What went wrong, and what to try; the proxy's own words where it refuses.
pub(super) fn get(admin: &str, path: &str) -> Result<Vec<u8>, String> {
    let request = Request::builder().method(Method::GET).uri(path).header(ACCEPT, "application/json");
    Ok(exchange(admin, request, Bytes::new())?.to_vec())
}

/// Posts a JSON document for an operator; what came back, if it is a success.
///
/// # Errors
/// What went wrong, and what to try.
pub(super) fn post(admin: &str, path: &str, token: &str, body: &Value) -> Result<Value, String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json");
    let answer = exchange(admin, request, Bytes::from(body.to_string()))?;
    serde_json::from_slice(&answer).map_err(|error| format!("{admin} answered with no JSON: {error}"))
}

/// Sends one request; the answer's body, if it is a success.
fn exchange(admin: &str, request: http::request::Builder, body: Bytes) -> Result<Bytes, String> {
    let authority = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    let request = request.header(HOST, authority).body(Full::from(body));
    let request = request.map_err(|error| format!("this cannot be asked for: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    let (status, answer) = runtime
        .block_on(async { tokio::time::timeout(WITHIN, send(authority, request)).await })
        .map_err(|_| format!("{admin} did not answer within {} s", WITHIN.as_secs()))??;
    if status.is_success() {
        Ok(answer)
    } else {
        Err(format!("{} ({status})", String::from_utf8_lossy(&answer).trim()))
    }
}

async fn send(authority: &str, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
    let unreachable = |error: &dyn std::fmt::Display| {
        format!("{authority} cannot be reached: {error}; is the proxy running, and is this its [admin] address?")
    };
    let socket = TcpStream::connect(authority).await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|error| unreachable(&error))?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    connection.abort();
    Ok((status, body.map_err(|error| unreachable(&error))?.to_bytes()))
}
