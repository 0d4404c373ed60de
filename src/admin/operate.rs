//! What operators may do: each act needs a token, and is recorded before it takes effect.

use crate::admin::{Denied, Views, guard};
use crate::base::restriction::Reach;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::sync::Arc;

/// Bytes of a request's body: no act needs more.
const BODY: usize = 4096;
/// Characters of an operator's reason.
const REASON: usize = 200;

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Begins the drain.
    Drain,
    /// Restricts a vendor, endpoint, credential, region or model.
    Restrict,
    /// Releases what is restricted.
    Release,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    id: String,
}

/// Does what is asked, and says what came of it.
pub(super) async fn act<B>(act: Act, head: &Parts, body: B, views: &dyn Views) -> Result<(StatusCode, Value), Denied>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let operator = guard::check_operator(&head.headers, &views.operators());
    let operator = operator.map_err(|(status, help)| (status, help.to_owned()))?;
    let by: Arc<str> = format!("operator {}", operator.short()).into();
    let body = Limited::new(body, BODY).collect().await;
    let body =
        body.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "no act needs a body of more than 4 KiB".to_owned()))?;
    let body = body.to_bytes();
    match act {
        Act::Drain => {
            views.drain(by);
            Ok((StatusCode::ACCEPTED, json!({ "draining": true })))
        }
        Act::Restrict => {
            let form = r#"{"vendor": "...", "model": "...", "reason": "..."}"#;
            let mut wish: Map<String, Value> = read(&body, form)?;
            let reason = wish.shift_remove("reason").unwrap_or_default();
            // a part that is misspelt must not widen the rest
            let reach: Reach = read(&Value::Object(wish).to_string().into(), form)?;
            if reach.is_empty() {
                let help = "name what to restrict: vendor, endpoint, credential, region, model, or several of them";
                return Err((StatusCode::UNPROCESSABLE_ENTITY, help.to_owned()));
            }
            let reason = reason.as_str().unwrap_or_default();
            let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON).collect();
            let restricted = views.restrict(reach, &reason, by)?;
            Ok((StatusCode::OK, json!({ "restricted": restricted.restriction, "deployments": restricted.deployments })))
        }
        Act::Release => {
            let Release { id } = read(&body, r#"{"id": "..."}"#)?;
            Ok((StatusCode::OK, json!({ "released": views.release(&id, by)? })))
        }
    }
}

fn read<T: DeserializeOwned>(body: &Bytes, form: &str) -> Result<T, Denied> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}; send {form}")))
}
