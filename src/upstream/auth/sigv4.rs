//! AWS's Signature Version 4 over a request, by AWS's own crate: a pure function of key, request and time.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use crate::base::failure::Failure;
use crate::snapshot::proof::AwsKey;
use crate::upstream::payload::Payload;
use crate::upstream::request::unsendable;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as sign_request};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};
use std::time::SystemTime;

/// The service that a key's signature is good for.
const SERVICE: &str = "bedrock";

/// The head fields that sign the request: date, session token and authorization. Signed are host, content type, path, query
/// and body; whatever else is in the head may change on the way.
///
/// # Errors
/// `malformed` where the request has no host, or cannot be signed.
pub(super) fn sign(
    key: &AwsKey,
    request: &Request<Payload>,
    tls: bool,
    body: &Bytes,
    now: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let unsignable = || unsendable("signature");
    let session = key.session_token.as_ref().map(|token| token.expose().to_owned());
    let secret = key.secret_access_key.expose();
    let identity = Credentials::new(&key.access_key_id, secret, session, None, "backstay").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&key.region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unsignable())?;
    let headers: Vec<(&str, &str)> = [HOST, CONTENT_TYPE]
        .iter()
        .filter_map(|name| Some((name, request.headers().get(name)?.to_str().ok()?)))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).ok_or_else(unsignable)?;
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{host}{}", request.uri());
    let signable = SignableRequest::new(request.method().as_str(), url, headers.into_iter(), SignableBody::Bytes(body))
        .map_err(|_| unsignable())?;
    let (instructions, _) = sign_request(signable, &params.into()).map_err(|_| unsignable())?.into_parts();
    instructions
        .headers()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsignable())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| unsignable())?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use http::{Method, Uri};
    use std::time::{Duration, UNIX_EPOCH};

    /// AWS's example of a secret key.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2026-11-22 05:00 UTC.
    const NOW_S: u64 = 1_795_323_600;

    /// A request and what must be signed of it.
    struct Case {
        key: (&'static str, Option<&'static str>),
        region: &'static str,
        method: Method,
        path: &'static str,
        host: &'static str,
        body: &'static str,
        signed: &'static str,
        signature: &'static str,
    }

    /// The signatures were computed apart from this program, with HMAC and SHA-256 of Python's standard library.
    const CASES: [Case; 4] = [
        Case {
            key: ("AKIDEXAMPLE", None),
            region: "eu-central-1",
            method: Method::POST,
            path: "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            host: "bedrock-runtime.eu-central-1.amazonaws.com",
            body: r#"{"messages":[]}"#,
            signed: "content-type;host;x-amz-date",
            signature: "30355215829d9d08aa909e19cce4f3fec0421298452e2c2e9ae9548424dff409",
        },
        Case {
            key: ("ASIAEXAMPLE", Some("FQoGSession//token+==")),
            region: "us-east-1",
            method: Method::POST,
            path: "/model/amazon.nova-pro-v1%3A0/converse-stream",
            host: "bedrock-runtime.us-east-1.amazonaws.com",
            body: r#"{"messages":[{"role":"user","content":[{"text":"é"}]}]}"#,
            signed: "content-type;host;x-amz-date;x-amz-security-token",
            signature: "79565dadeb29cd6a2ec5366d751383d6df8efcc35aa3dcc0adc1dfde0524beb6",
        },
        Case {
            key: ("AKIDEXAMPLE", None),
            region: "us-east-1",
            method: Method::GET,
            path: "/",
            host: "127.0.0.1:8443",
            body: "",
            signed: "host;x-amz-date",
            signature: "ca577036aa80f3918f069d94adecfaeb6ccb14be74371fa659b32df463a60fb0",
        },
        Case {
            key: ("AKIDEXAMPLE", None),
            region: "us-west-2",
            method: Method::POST,
            path: "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A000000000000%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse",
            host: "bedrock-runtime.us-west-2.amazonaws.com",
            body: "{}",
            signed: "content-type;host;x-amz-date",
            signature: "6bf95f6da2c224c494c335272e02158833030fe5fc061fededff63c48ca9b28b",
        },
    ];

    #[test]
    fn a_request_is_signed_as_aws_computes_it() {
        for case in CASES {
            let (id, session) = case.key;
            let key = AwsKey {
                access_key_id: id.to_owned(),
                secret_access_key: Secret::new(SECRET.to_owned()),
                session_token: session.map(|token| Secret::new(token.to_owned())),
                region: case.region.into(),
            };
            let mut request = Request::new(Payload::from(Bytes::new()));
            *request.method_mut() = case.method;
            *request.uri_mut() = Uri::from_static(case.path);
            request.headers_mut().insert(HOST, HeaderValue::from_static(case.host));
            request.headers_mut().insert("accept", HeaderValue::from_static("application/json"));
            if !case.body.is_empty() {
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            let now = UNIX_EPOCH + Duration::from_secs(NOW_S);
            let fields = sign(&key, &request, true, &Bytes::from_static(case.body.as_bytes()), now).expect("signed");
            let field = |name: &str| {
                fields
                    .iter()
                    .find(|(other, _)| other == name)
                    .map(|(_, value)| value.to_str().expect("text").to_owned())
            };
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential={id}/20261122/{}/bedrock/aws4_request, SignedHeaders={}, Signature={}",
                case.region, case.signed, case.signature
            );
            assert_eq!(field("authorization").as_deref(), Some(expected.as_str()), "{}", case.path);
            assert_eq!(field("x-amz-date").as_deref(), Some("20261122T050000Z"));
            assert_eq!(field("x-amz-security-token").as_deref(), session);
            assert!(fields.iter().all(|(_, value)| value.is_sensitive()));
        }
    }
}
