//! What goes out: the caller's request with our own head fields, and none of those that belong to a connection or a client.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::snapshot::deployment::Deployment;
use crate::upstream::Outgoing;
use crate::upstream::payload::Payload;
use http::header::{ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

/// What hyper sends. In a box, since it is handed on from step to step until hyper takes it.
pub(super) type Outbound = Box<Request<Payload>>;

/// Why a request got no answer.
pub(super) enum Unanswered {
    /// It never left.
    Unsent(Outbound),
    /// It left, or may have.
    Failed(Failure),
}

/// Who we say we are.
pub(super) const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("backstay/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The request as HTTP/1.1 sends it: a path, and `Host`. The credential is still to be put in.
///
/// # Errors
/// `malformed` when the path or authority cannot be sent at all.
pub(super) fn assemble(deployment: &Deployment, outgoing: Outgoing) -> Result<Outbound, Failure> {
    let Outgoing { method, path, headers, body } = outgoing;
    let path = match &*deployment.endpoint.path {
        "" => path,
        prefix => [prefix, &path].concat(),
    };
    let mut request = Box::new(Request::new(Payload::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(PathAndQuery::from_maybe_shared(path).map_err(|_| unsendable("path"))?);
    *request.headers_mut() = head_fields(deployment, headers)?;
    Ok(request)
}

/// The same request as HTTP/2 sends it: scheme and authority in the URI instead of `Host` (RFC 9113 §8.3.1).
pub(super) fn for_http2(request: &mut Outbound) -> Result<(), Failure> {
    let host = request.headers_mut().remove(HOST).ok_or_else(|| unsendable("authority"))?;
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| unsendable("authority"))?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unsendable("path"))?;
    Ok(())
}

/// Undoes [`for_http2`], for a request that never left.
pub(super) fn back_to_http1(request: &mut Outbound) -> Result<(), Failure> {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let (Some(authority), Some(path)) = (parts.authority, parts.path_and_query) else {
        return Err(unsendable("authority"));
    };
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| unsendable("authority"))?;
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

fn head_fields(deployment: &Deployment, mut headers: HeaderMap) -> Result<HeaderMap, Failure> {
    strip(&mut headers);
    let profile = &deployment.voice.profile;
    let host = HeaderValue::from_str(&deployment.endpoint.authority).map_err(|_| unsendable("authority"))?;
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, USER_AGENT_VALUE);
    headers.insert(ACCEPT_ENCODING, IDENTITY);
    for (name, value) in profile.headers {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(headers)
}

/// Takes out what belongs to one connection (RFC 9110 §7.6.1) or to one client.
fn strip(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    let foreign = headers.keys().filter(|name| is_foreign(name.as_str())).cloned();
    for name in named.chain(foreign).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

fn is_foreign(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "connection"
            | "proxy-connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "content-length"
            | "upgrade"
            | "http2-settings"
            | "expect"
            | "authorization"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "x-api-key"
            | "x-goog-api-key"
            | "api-key"
            | "cookie"
    ) || name.starts_with("x-backstay-")
        || name.starts_with("x-amz-")
}

/// What cannot be sent at all.
pub(super) fn unsendable(reason: &'static str) -> Failure {
    Failure::new(FailureKind::Malformed, Phase::Connect, reason)
}
