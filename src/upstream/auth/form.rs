//! A token endpoint's request and answer (RFC 6749, sections 4.4, 5 and 6).

use super::assertion::{self, Claims};
use super::tokens::Token;
use super::{no_token, sensitive};
use crate::base::failure::{Failure, VendorError};
use crate::snapshot::proof::{Grant, TokenSource};
use crate::upstream::payload::Payload;
use crate::upstream::request::{Outbound, USER_AGENT_VALUE, unsendable};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri};
use serde_json::Value;
use std::time::{Duration, Instant};
use url::form_urlencoded::Serializer;

/// The type of an assertion as a grant (RFC 7523, section 2.1).
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a token lives where the endpoint does not say.
const USUAL_LIFETIME: Duration = Duration::from_secs(300);
/// No token is trusted for longer.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The request for a token, as a form.
///
/// # Errors
/// `auth_key` where the key cannot sign, `malformed` where the endpoint's path cannot be sent.
pub(super) fn request(source: &TokenSource, now_s: u64) -> Result<Outbound, Failure> {
    let endpoint = &source.endpoint;
    let mut request = Box::new(Request::new(Payload::from(body(&source.grant, now_s)?)));
    *request.method_mut() = Method::POST;
    let path = if endpoint.path.is_empty() { "/" } else { &endpoint.path };
    *request.uri_mut() = Uri::from(PathAndQuery::try_from(path).map_err(|_| unsendable("path"))?);
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&endpoint.authority).map_err(|_| unsendable("authority"))?);
    headers.insert(USER_AGENT, USER_AGENT_VALUE);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(request)
}

fn body(grant: &Grant, now_s: u64) -> Result<Bytes, Failure> {
    let mut form = Serializer::new(String::new());
    match grant {
        Grant::Assertion { issuer, key_id, key, audience, scope } => {
            let claims = Claims { issuer, key_id: key_id.as_deref(), audience, scope };
            let assertion = assertion::sign(&claims, key, now_s).ok_or_else(|| no_token("token_key"))?;
            form.append_pair("grant_type", ASSERTION).append_pair("assertion", &assertion);
        }
        Grant::RefreshToken { client_id, client_secret, refresh_token } => {
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", client_id)
                .append_pair("client_secret", client_secret.expose())
                .append_pair("refresh_token", refresh_token.expose());
        }
        Grant::ClientCredentials { client_id, client_secret, scope } => {
            form.append_pair("grant_type", "client_credentials")
                .append_pair("client_id", client_id)
                .append_pair("client_secret", client_secret.expose())
                .append_pair("scope", scope);
        }
    }
    Ok(form.finish().into())
}

/// The token in an answer that came `now`; `None` where there is none.
pub(super) fn token(answer: &[u8], now: Instant) -> Option<Token> {
    let told: Value = serde_json::from_slice(answer).ok()?;
    let token = told.get("access_token")?.as_str().filter(|token| !token.is_empty())?;
    let lifetime = match told.get("expires_in") {
        // Entra's older endpoint writes the number as a text
        Some(Value::String(text)) => text.parse().ok().map(Duration::from_secs),
        Some(number) => number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        None => None,
    };
    let lifetime = lifetime.unwrap_or(USUAL_LIFETIME).min(LONGEST_LIFETIME);
    Some(Token { value: sensitive(format!("Bearer {token}")).ok()?, fetched: now, lifetime })
}

/// What an endpoint says of a request that it refuses: `error` and `error_description`.
pub(super) fn said(status: u16, answer: &Bytes) -> Option<Box<VendorError>> {
    let told: Value = serde_json::from_slice(answer).ok()?;
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Box::new(VendorError {
        status,
        kind: text("error"),
        code: String::new(),
        message: text("error_description"),
        param: String::new(),
        body: Bytes::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_as_long_as_its_endpoint_says() {
        let now = Instant::now();
        for (answer, expected_s) in [
            (r#"{"access_token":"a","expires_in":3599,"token_type":"Bearer"}"#, Some(3599)),
            (r#"{"access_token":"a","expires_in":"3600"}"#, Some(3600)),
            (r#"{"access_token":"a"}"#, Some(300)),
            (r#"{"access_token":"a","expires_in":-5}"#, Some(300)),
            (r#"{"access_token":"a","expires_in":1e99}"#, Some(300)),
            (r#"{"access_token":"a","expires_in":999999999}"#, Some(86_400)),
            (r#"{"access_token":""}"#, None),
            (r#"{"access_token":"a\nb"}"#, None),
            (r#"{"error":"invalid_grant"}"#, None),
            ("<html>", None),
        ] {
            let found = token(answer.as_bytes(), now);
            assert_eq!(found.map(|token| token.lifetime.as_secs()), expected_s, "{answer}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_endpoints_words() {
        let answer = Bytes::from_static(br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#);
        let said = said(400, &answer).expect("words");
        assert_eq!((said.kind.as_str(), said.message.as_str()), ("invalid_grant", "Invalid JWT Signature."));
    }
}
