//! What a client asks, read as a [`Call`]; a [`Call`], written for a vendor.

use super::NAME;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::needs::Need;
use crate::call::turn::{Content, Foreign, Role, Turn};
use crate::call::{Call, Extra};
use crate::dialect::honour::{Extras, invalid, own_extras, within};
use crate::dialect::object::{Known, Object, object, plain, read_str};
use crate::dialect::openai_chat::types::request::StreamOptions;
use crate::dialect::openai_chat::types::written::StreamOptionsOut;
use crate::dialect::shapes::TextOr;
use serde::Serialize;
use serde_json::value::RawValue;

object! {
    /// What a client asks.
    Wire<'a> {
        model = "model": Option<String>,
        prompt = "prompt": Option<&'a RawValue>,
        stream = "stream": Option<bool>,
        stream_options = "stream_options": Option<Known<StreamOptions>>,
        max_tokens = "max_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        stop = "stop": TextOr<String>,
        user = "user": Option<String>,
    }
}

/// Only a prompt of one text means the same to a model that is asked in turns.
pub(super) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: wire, unknown } = read_str::<Object<'_, Wire<'_>>>(text).map_err(invalid)?;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let prompt = wire.prompt.map_or("\"\"", RawValue::get);
    let mut turns = Vec::new();
    let one = if prompt.starts_with('[') {
        serde_json::from_str::<[String; 1]>(prompt).ok().map(|[text]| text)
    } else {
        Some(serde_json::from_str(prompt).map_err(|error| invalid(format_args!("prompt: {error}")).param("prompt"))?)
    };
    match (one, wire.prompt) {
        (Some(text), _) => turns.push(Turn::new(Role::User, vec![Content::text(text).into()])),
        (None, Some(raw)) => {
            extras.push(Extra { within: "", member: "prompt".to_owned(), value: foreign(Need::TokenInputs, raw) });
        }
        (None, None) => {}
    }
    Ok(Call {
        dialect: NAME,
        model: wire.model.unwrap_or_default(),
        stream: wire.stream.unwrap_or(false),
        include_usage: wire.stream_options.and_then(|Known(options)| options.include_usage).unwrap_or(false),
        turns,
        max_tokens: wire.max_tokens,
        temperature: within("temperature", wire.temperature, 2.0)?,
        top_p: within("top_p", wire.top_p, 1.0)?,
        stop: match wire.stop {
            TextOr::Nothing => Vec::new(),
            TextOr::Text(text) => vec![text],
            TextOr::List(texts) => texts,
        },
        user: wire.user,
        extras,
        ..Call::default()
    })
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, plain(value).as_str()) {
        ("n" | "best_of", "1")
        | ("echo", "false")
        | ("suffix", "\"\"")
        | ("logit_bias", "{}")
        | ("presence_penalty" | "frequency_penalty", "0") => return None,
        ("n" | "best_of", _) => Need::Choices,
        ("seed", _) => Need::Seed,
        ("logprobs", _) => Need::Logprobs,
        ("logit_bias", _) => Need::LogitBias,
        ("presence_penalty" | "frequency_penalty", _) => Need::Penalties,
        ("echo" | "suffix", _) => Need::Prefill,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: "", member: member.to_owned(), value: foreign(need, value) })
}

fn foreign(need: Need, raw: &RawValue) -> Foreign {
    Foreign { dialect: NAME, need, json: raw.into() }
}

#[derive(Serialize)]
struct WireOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptionsOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

/// A conversation cannot be asked here: models of this dialect know no turns.
pub(super) fn write_call(call: &Call, model: &str, include_usage: bool) -> Result<Vec<u8>, Refusal> {
    if call.dialect != NAME {
        return Err(Refusal::Capability(NAME));
    }
    own_extras(&call.extras, NAME)?;
    let prompt = call.turns.first().and_then(|turn| turn.parts.first()).and_then(|part| match &part.content {
        Content::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let wire = WireOut {
        model,
        prompt,
        stream: call.stream.then_some(true),
        stream_options: (call.stream && include_usage).then_some(StreamOptionsOut { include_usage }),
        max_tokens: call.max_tokens,
        temperature: call.temperature,
        top_p: call.top_p,
        stop: &call.stop,
        user: call.user.as_deref(),
        extras: Extras::within("", &call.extras),
    };
    Ok(serde_json::to_vec(&wire).unwrap_or_default())
}
