//! A request's way in: which dialect it speaks, its body under a bound, and one scan of it.

use crate::base::rejection::{Rejection, RejectionCode};
use crate::dialect::Dialect;
use crate::dialect::scan::{Scan, ScanError, scan};
use crate::dialect::translate::Asked;
use crate::exchange::body::{self, BodyBounds, BodyError};
use crate::exchange::google::{self, Google, InPath};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, Method};
use std::sync::Arc;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A call of a model, and what the path says of it.
    Chat(Dialect, Option<InPath>),
    /// The models that the key may ask for.
    Models(Dialect),
    /// One of them.
    Model(Dialect, String),
    /// What a vendor offers beside the calls that we speak, under `/vendor/`.
    Vendor(Dialect),
    /// The path is known, the method is not.
    WrongMethod(Dialect),
    /// Nothing is here.
    Unknown(Dialect),
}

impl Route {
    /// The dialect that errors are written in.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Chat(dialect, _)
            | Self::Models(dialect)
            | Self::Model(dialect, _)
            | Self::Vendor(dialect)
            | Self::WrongMethod(dialect)
            | Self::Unknown(dialect) => *dialect,
        }
    }
}

/// Finds what a request asks for.
pub(crate) fn route(parts: &Parts) -> Route {
    let (dialect, method, known) = match parts.uri.path() {
        "/v1/chat/completions" => (Dialect::OpenaiChat, Method::POST, true),
        "/v1/responses" => (Dialect::OpenaiResponses, Method::POST, true),
        "/v1/completions" => (Dialect::OpenaiCompletions, Method::POST, true),
        "/v1/embeddings" => (Dialect::OpenaiEmbeddings, Method::POST, true),
        "/v1/messages" => (Dialect::Anthropic, Method::POST, true),
        "/v1/messages/count_tokens" => (Dialect::AnthropicCount, Method::POST, true),
        "/v1/models" => (spoken(&parts.headers), Method::GET, false),
        path if path.starts_with("/vendor/") => return Route::Vendor(spoken(&parts.headers)),
        _ => return google_route(parts),
    };
    match (parts.method == method, known) {
        (false, _) => Route::WrongMethod(dialect),
        (true, true) => Route::Chat(dialect, None),
        (true, false) => Route::Models(dialect),
    }
}

fn google_route(parts: &Parts) -> Route {
    let get = parts.method == Method::GET;
    // others have one model under `/v1` too, in another shape
    let teller = if parts.uri.path().starts_with("/v1beta/") { Dialect::Gemini } else { spoken(&parts.headers) };
    match google::read(&parts.uri) {
        Some(Google::Models) if get => Route::Models(Dialect::Gemini),
        Some(Google::Model(name)) if get => Route::Model(teller, name),
        Some(Google::Call(dialect, in_path)) if parts.method == Method::POST => Route::Chat(dialect, Some(in_path)),
        Some(Google::Models | Google::Model(_)) => Route::WrongMethod(teller),
        Some(Google::Call(dialect, _)) => Route::WrongMethod(dialect),
        None => Route::Unknown(teller),
    }
}

/// The dialect that a client's headers speak, where the path does not say.
fn spoken(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        Dialect::Anthropic
    } else if headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::OpenaiChat
    }
}

/// A request whose body was read and scanned once.
#[derive(Clone)]
pub(crate) struct Ingress {
    pub(crate) dialect: Dialect,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) scan: Scan,
    /// Whether a stream is to be one JSON array.
    pub(crate) array: bool,
    pub(crate) asked: Option<Arc<Asked>>,
}

/// Reads the body and scans it.
///
/// # Errors
/// A body that is too large, too slow, encoded, cut off, or not a call of the dialect.
pub(crate) async fn read<B>(
    dialect: Dialect,
    in_path: Option<InPath>,
    headers: HeaderMap,
    body: B,
    limits: &BodyBounds,
) -> Result<Ingress, Rejection>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let message = "Request bodies are read as they are: send no Content-Encoding.";
        return Err(Rejection::new(RejectionCode::UnsupportedEncoding, message));
    }
    let body = body::collect_bounded(body, limits).await.map_err(|error| body_rejection(&error, limits, "max_body"))?;
    let mut scan = scan(dialect, &body).map_err(scan_rejection)?;
    let array = in_path.as_ref().is_some_and(|in_path| in_path.array);
    if let Some(in_path) = in_path {
        (scan.model, scan.stream) = (in_path.model, in_path.stream);
    }
    Ok(Ingress { dialect, headers, body, scan, array, asked: None })
}

/// What the client is told of a body that did not become whole; `limit` is what its size is bounded by.
pub(crate) fn body_rejection(error: &BodyError, limits: &BodyBounds, limit: &'static str) -> Rejection {
    match error {
        BodyError::TooLarge => Rejection::new(
            RejectionCode::RequestTooLarge,
            format!("The request's body is larger than the limit `{limit}` of {} bytes.", limits.bytes),
        )
        .limit(limit),
        BodyError::TooSlow => {
            Rejection::new(RejectionCode::RequestTimeout, "The request's body came too slowly.").limit("body")
        }
        BodyError::Gone => {
            Rejection::new(RejectionCode::InvalidRequest, "The request's body ended before it was whole.")
        }
        BodyError::Malformed => {
            Rejection::new(RejectionCode::InvalidRequest, "The request's body is not framed as HTTP wants it.")
        }
    }
}

fn scan_rejection(error: ScanError) -> Rejection {
    let place = format!("{} (at byte {} of the body)", error.message, error.offset);
    let message = match error.limit {
        Some(limit) => format!("{place}; the limit is `{limit}`."),
        None => format!("{place}."),
    };
    let mut rejection = Rejection::new(RejectionCode::InvalidRequest, message);
    rejection.param = error.param;
    rejection.limit = error.limit;
    rejection
}
