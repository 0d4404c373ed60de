//! A request's way in: which dialect it speaks, its body under a bound, and one scan of it.

use crate::base::rejection::{Rejection, RejectionCode};
use crate::call::Call;
use crate::dialect::Dialect;
use crate::dialect::scan::{Scan, ScanError, scan};
use crate::exchange::body::{self, BodyBounds, BodyError};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, Method};

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// An answer from a model.
    Chat(Dialect),
    /// The models that the key may ask for.
    Models(Dialect),
    /// The path is known, the method is not.
    WrongMethod(Dialect),
    /// Nothing is here.
    Unknown(Dialect),
}

impl Route {
    /// The dialect that errors are written in.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat(dialect) | Self::Models(dialect) | Self::WrongMethod(dialect) | Self::Unknown(dialect) => {
                dialect
            }
        }
    }
}

/// Finds what a request asks for.
pub(crate) fn route(parts: &Parts) -> Route {
    let (dialect, method, known) = match parts.uri.path() {
        "/v1/chat/completions" => (Dialect::OpenaiChat, Method::POST, true),
        "/v1/responses" => (Dialect::OpenaiResponses, Method::POST, true),
        "/v1/messages" => (Dialect::Anthropic, Method::POST, true),
        "/v1/models" => (spoken(&parts.headers), Method::GET, false),
        _ => return Route::Unknown(spoken(&parts.headers)),
    };
    match (parts.method == method, known) {
        (false, _) => Route::WrongMethod(dialect),
        (true, true) => Route::Chat(dialect),
        (true, false) => Route::Models(dialect),
    }
}

/// The dialect that a client's headers speak, where the path does not say.
fn spoken(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        Dialect::Anthropic
    } else {
        Dialect::OpenaiChat
    }
}

/// A request whose body was read and scanned once.
pub(crate) struct Ingress {
    pub(crate) dialect: Dialect,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) scan: Scan,
    pub(crate) call: Option<Call>,
}

/// Reads the body and scans it.
///
/// # Errors
/// A body that is too large, too slow, encoded, cut off, or not a call of the dialect.
pub(crate) async fn read<B>(
    dialect: Dialect,
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
    let body = body::collect_bounded(body, limits).await.map_err(|error| body_rejection(&error, limits))?;
    let scan = scan(dialect, &body).map_err(scan_rejection)?;
    Ok(Ingress { dialect, headers, body, scan, call: None })
}

fn body_rejection(error: &BodyError, limits: &BodyBounds) -> Rejection {
    match error {
        BodyError::TooLarge => Rejection::new(
            RejectionCode::RequestTooLarge,
            format!("The request's body is larger than the limit `max_body` of {} bytes.", limits.bytes),
        )
        .limit("max_body"),
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
