//! Our refusals in the client's dialect: as a body, and as an event that ends a stream.

use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::dialect::{Api, Dialect};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The body of an error. A vendor's own refusal goes to a client of the same dialect byte for byte.
#[must_use]
pub fn body(dialect: Dialect, rejection: &Rejection, request_id: &str) -> Bytes {
    match &rejection.said {
        Some(said) if speaks(dialect, &said.body) => said.body.clone(),
        _ => told(dialect, rejection, request_id).to_string().into(),
    }
}

/// The event that tells of an error inside a stream; nothing follows it, no terminator either. It has this `number` where the
/// dialect counts its events.
#[must_use]
pub fn event(dialect: Dialect, rejection: &Rejection, request_id: &str, number: u64) -> Bytes {
    let told = told(dialect, rejection, request_id);
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => {
            format!("data: {told}\n\n").into()
        }
        Dialect::OpenaiResponses => format!("event: error\ndata: {}\n\n", responses_event(told, number)).into(),
        Dialect::Anthropic | Dialect::AnthropicCount | Dialect::Bedrock => {
            format!("event: error\ndata: {told}\n\n").into()
        }
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => format!("data: {told}\r\n\r\n").into(),
    }
}

/// OpenAI's Responses tell the members of an error in the event itself; SDKs raise what they find under `error`.
fn responses_event(mut told: Value, number: u64) -> Value {
    let error = told["error"].clone();
    told["type"] = "error".into();
    told[NUMBER] = number.into();
    for member in ["code", "message", "param"] {
        told[member] = error[member].clone();
    }
    told
}

/// How Responses name the number of an event.
const NUMBER: &str = "sequence_number";
const QUOTED_NUMBER: &[u8] = b"\"sequence_number\"";

/// The number of the event that follows these, which are whole; `None` where none of them has one.
#[must_use]
pub fn number_after(dialect: Dialect, events: &[u8]) -> Option<u64> {
    if dialect != Dialect::OpenaiResponses {
        return None;
    }
    // within a text its quotes are escaped
    let at = memchr::memmem::rfind(events, QUOTED_NUMBER)? + QUOTED_NUMBER.len();
    let rest = events.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let number: u64 = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    number.checked_add(1)
}

/// What keeps a waiting client's timeouts at rest, and means nothing.
#[must_use]
pub const fn ping(dialect: Dialect) -> &'static [u8] {
    dialect.grammar().answer.ping
}

/// Whether an error body has the shape that clients of this dialect read.
fn speaks(dialect: Dialect, body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    let spoken = value.pointer("/error/message").is_some_and(Value::is_string);
    match dialect.api() {
        Api::Openai => spoken && value.get("type").is_none() && value.pointer("/error/status").is_none(),
        Api::Anthropic => spoken && value.get("type").is_some_and(|kind| kind == "error"),
        Api::Google => spoken && value.pointer("/error/status").is_some_and(Value::is_string),
    }
}

fn told(dialect: Dialect, rejection: &Rejection, request_id: &str) -> Value {
    if dialect.api() == Api::Google {
        return told_as_google(rejection, request_id);
    }
    let said = rejection.said.as_deref();
    let mut error = Map::new();
    error.insert("message".into(), message(rejection).into());
    error.insert("type".into(), kind(dialect, rejection).into());
    let param = said.map(|said| said.param.as_str()).filter(|param| !param.is_empty()).or(rejection.param);
    if dialect.api() == Api::Openai || param.is_some() {
        error.insert("param".into(), param.into());
    }
    error.insert("code".into(), code(rejection).into());
    if !rejection.refusals.is_empty() {
        error.insert("refusals".into(), rejection.refusals.iter().map(refusal).collect());
    }
    match dialect.api() {
        Api::Openai | Api::Google => json!({ "error": error }),
        Api::Anthropic => json!({ "type": "error", "error": error, "request_id": request_id }),
    }
}

/// Google's shape (<https://google.aip.dev/193>): the status as a number and as a word, and our code as the reason.
fn told_as_google(rejection: &Rejection, request_id: &str) -> Value {
    let said = rejection.said.as_deref();
    let mut metadata = json!({ "request_id": request_id });
    if let Some(param) = said.map(|said| said.param.as_str()).filter(|param| !param.is_empty()).or(rejection.param) {
        metadata["param"] = param.into();
    }
    let info = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code(rejection), "domain": "backstay",
        "metadata": metadata });
    let mut error = json!({ "code": rejection.status(), "message": message(rejection),
        "status": google_status(rejection.status()), "details": [info] });
    if !rejection.refusals.is_empty() {
        error["refusals"] = rejection.refusals.iter().map(refusal).collect();
    }
    json!({ "error": error })
}

/// The word that Google has for a status (`google.rpc.Code`).
const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        400..500 => "INVALID_ARGUMENT",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

fn message(rejection: &Rejection) -> &str {
    match &rejection.said {
        Some(said) if !said.message.is_empty() => &said.message,
        _ => &rejection.message,
    }
}

/// The vendor's code where it speaks and has one, which clients know to read; else ours.
fn code(rejection: &Rejection) -> &str {
    match &rejection.said {
        Some(said) if !said.code.is_empty() => &said.code,
        _ => rejection.code.as_str(),
    }
}

/// A refusal without the deployment's name: clients learn why, not whom we have.
fn refusal(refusal: &Refusal) -> Value {
    match refusal {
        Refusal::Policy(rules) => {
            let rules: Vec<&str> = rules.iter().map(|rule| &**rule).collect();
            json!({ "reason": refusal.code(), "rules": rules })
        }
        Refusal::Restricted { cause, .. } => json!({ "reason": refusal.code(), "cause": cause }),
        Refusal::Capability(need) => json!({ "reason": refusal.code(), "need": need }),
        Refusal::Budget { cause, .. } => json!({ "reason": refusal.code(), "cause": cause }),
        Refusal::Breaker { .. }
        | Refusal::Resting { .. }
        | Refusal::Headroom { .. }
        | Refusal::Full
        | Refusal::Price
        | Refusal::Surge => {
            json!({ "reason": refusal.code() })
        }
    }
}

/// The `type`, by which SDKs and people tell errors apart. It follows the status, so that both say the same.
fn kind(dialect: Dialect, rejection: &Rejection) -> &'static str {
    match (dialect.api(), rejection.status()) {
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (Api::Openai, 404) => "invalid_request_error",
        (Api::Anthropic, 404) => "not_found_error",
        (Api::Anthropic, 413) => "request_too_large",
        (Api::Openai, 429) if rejection.code == RejectionCode::BudgetExhausted => "insufficient_quota",
        (_, 429) => "rate_limit_error",
        (_, 400..500) => "invalid_request_error",
        (Api::Anthropic, 504) => "timeout_error",
        (Api::Anthropic, 503) if rejection.code == RejectionCode::Overloaded => "overloaded_error",
        (Api::Anthropic, _) => "api_error",
        (Api::Openai | Api::Google, _) => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::VendorError;
    use std::sync::Arc;
    use std::time::Duration;

    fn tree(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn refused() -> Rejection {
        let mut rejection = Rejection::new(RejectionCode::PolicyDenied, "No deployment may serve this.");
        rejection.refusals = vec![
            Refusal::Policy(Arc::from([Arc::from("eu-only")])),
            Refusal::Capability("logprobs"),
            Refusal::Resting { class: "rate_limited", retry_after: Duration::from_secs(3) },
        ];
        rejection
    }

    #[test]
    fn a_rejection_is_told_in_either_dialect() {
        let refusals = json!([
            { "reason": "policy", "rules": ["eu-only"] }, { "reason": "capability", "need": "logprobs" }, { "reason": "rate_limited" }
        ]);
        let openai = json!({ "error": {
            "message": "No deployment may serve this.", "type": "permission_error", "param": null, "code": "policy_denied",
            "refusals": refusals,
        } });
        assert_eq!(tree(&body(Dialect::OpenaiChat, &refused(), "req-1")), openai);
        let anthropic = json!({ "type": "error", "request_id": "req-1", "error": {
            "type": "permission_error", "message": "No deployment may serve this.", "code": "policy_denied", "refusals": refusals,
        } });
        assert_eq!(tree(&body(Dialect::Anthropic, &refused(), "req-1")), anthropic);
    }

    #[test]
    fn types_lead_sdks_to_the_right_class() {
        let kind = |dialect, code| tree(&body(dialect, &Rejection::new(code, "m"), "r"))["error"]["type"].clone();
        for (code, openai, anthropic) in [
            (RejectionCode::InvalidApiKey, "authentication_error", "authentication_error"),
            (RejectionCode::PolicyDenied, "permission_error", "permission_error"),
            (RejectionCode::ModelNotFound, "invalid_request_error", "not_found_error"),
            (RejectionCode::InvalidRequest, "invalid_request_error", "invalid_request_error"),
            (RejectionCode::RequestTooLarge, "invalid_request_error", "request_too_large"),
            (RejectionCode::RateLimited, "rate_limit_error", "rate_limit_error"),
            (RejectionCode::BudgetExhausted, "insufficient_quota", "rate_limit_error"),
            (RejectionCode::Overloaded, "server_error", "overloaded_error"),
            (RejectionCode::NoHealthyDeployment, "server_error", "api_error"),
            (RejectionCode::DeadlineExceeded, "server_error", "timeout_error"),
        ] {
            assert_eq!(kind(Dialect::OpenaiChat, code), openai, "{code:?}");
            assert_eq!(kind(Dialect::Anthropic, code), anthropic, "{code:?}");
        }
    }

    #[test]
    fn a_vendors_refusal_keeps_its_bytes_or_at_least_its_words() {
        let raw = Bytes::from_static(
            br#"{ "error" : {"message":"bad tools","type":"invalid_request_error","param":"tools","code":null} }"#,
        );
        let mut rejection = Rejection::new(RejectionCode::VendorRefused, "The vendor refused.").param("model");
        let said = |body: &Bytes| VendorError {
            status: 422,
            kind: "invalid_request_error".into(),
            code: String::new(),
            message: "bad tools".into(),
            param: "tools".into(),
            body: body.clone(),
        };
        rejection.said = Some(Box::new(said(&raw)));
        assert_eq!(body(Dialect::OpenaiChat, &rejection, "r"), raw);
        let expected = json!({ "type": "error", "request_id": "r", "error": {
            "type": "invalid_request_error", "message": "bad tools", "param": "tools", "code": "vendor_refused",
        } });
        assert_eq!(tree(&body(Dialect::Anthropic, &rejection, "r")), expected);

        // a page or another shape is never passed on as it is
        rejection.said = Some(Box::new(said(&Bytes::from_static(b"<html>"))));
        assert_eq!(tree(&body(Dialect::OpenaiChat, &rejection, "r"))["error"]["message"], "bad tools");
    }

    #[test]
    fn an_error_event_is_one_event() {
        let rejection = Rejection::new(RejectionCode::UpstreamBroken, "line\nbreak");
        for (dialect, name) in [(Dialect::OpenaiChat, ""), (Dialect::Anthropic, "error")] {
            let bytes = event(dialect, &rejection, "r", 0);
            let event = crate::dialect::sse::Event::parse(&bytes);
            assert_eq!((event.name, bytes.ends_with(b"\n\n")), (name.as_bytes(), true));
            let told = tree(&event.data);
            assert_eq!(
                (&told["error"]["code"], &told["error"]["message"]),
                (&json!("upstream_broken"), &json!("line\nbreak"))
            );
        }
    }

    #[test]
    fn an_error_event_counts_on() {
        for (events, expected) in [
            ("event: x\ndata: {\"type\":\"x\",\"sequence_number\":7}\n\n", Some(8)),
            (
                "data: {\"sequence_number\": 7, \"a\":1}\n\ndata: {\"sequence_number\" : 8,\"delta\":\"hi\"}\n\n",
                Some(9),
            ),
            (": keep-alive\n\n", None),
            ("", None),
        ] {
            assert_eq!(number_after(Dialect::OpenaiResponses, events.as_bytes()), expected, "{events}");
            assert_eq!(number_after(Dialect::OpenaiChat, events.as_bytes()), None);
        }
        let rejection = Rejection::new(RejectionCode::UpstreamBroken, "m");
        let bytes = event(Dialect::OpenaiResponses, &rejection, "r", 9);
        assert_eq!(tree(&crate::dialect::sse::Event::parse(&bytes).data)["sequence_number"], 9);
    }
}
