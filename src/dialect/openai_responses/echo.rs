//! The settings that an answer repeats: the API's description demands most of them in every response, whole and in the events
//! that hold one, and so do the types of its SDKs. Where another dialect's vendor answers they are told as the client set
//! them.

use crate::call::echo::Echo;
use crate::call::json::Json;
use crate::dialect::object::{object, plain, read, read_known};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::LazyLock;

object! {
    /// The settings, of a request or of a vendor's response.
    Settings<'a> {
        background = "background": Option<&'a RawValue>,
        instructions = "instructions": Option<&'a RawValue>,
        max_output_tokens = "max_output_tokens": Option<&'a RawValue>,
        max_tool_calls = "max_tool_calls": Option<&'a RawValue>,
        metadata = "metadata": Option<&'a RawValue>,
        parallel_tool_calls = "parallel_tool_calls": Option<&'a RawValue>,
        previous_response_id = "previous_response_id": Option<&'a RawValue>,
        prompt_cache_key = "prompt_cache_key": Option<&'a RawValue>,
        reasoning = "reasoning": Option<&'a RawValue>,
        safety_identifier = "safety_identifier": Option<&'a RawValue>,
        store = "store": Option<&'a RawValue>,
        temperature = "temperature": Option<&'a RawValue>,
        text = "text": Option<&'a RawValue>,
        tool_choice = "tool_choice": Option<&'a RawValue>,
        tools = "tools": Option<Vec<&'a RawValue>>,
        top_p = "top_p": Option<&'a RawValue>,
        truncation = "truncation": Option<&'a RawValue>,
        user = "user": Option<&'a RawValue>,
    }
}

/// What the answers of another dialect's vendor to this request repeat.
pub(in crate::dialect) fn of_request(body: &[u8]) -> Echo {
    // a call that is translated is kept by nobody: one that asks to be kept never comes so far
    let settings = Settings { store: None, background: None, ..read_known(body).unwrap_or_default() };
    echo(settings)
}

/// What a vendor of this dialect repeated in its `response`, for whoever carries its stream on.
pub(super) fn of_response(response: &RawValue) -> Echo {
    echo(read_known(response.get().as_bytes()).unwrap_or_default())
}

/// What an answer repeats where the request is not known.
pub(super) fn unsaid() -> &'static Echo {
    static UNSAID: LazyLock<Echo> = LazyLock::new(|| echo(Settings::default()));
    &UNSAID
}

/// The settings with the API's own values where the client set none. `temperature` and `top_p` stay unknown there: only the
/// vendor's own default would be true.
fn echo(set: Settings<'_>) -> Echo {
    let or = |set: Option<&RawValue>, unset: &'static str| set.map_or_else(|| own(unset), Json::from);
    Echo::of([
        ("background", or(set.background, "false")),
        ("instructions", or(set.instructions, "null")),
        ("max_output_tokens", or(set.max_output_tokens, "null")),
        ("max_tool_calls", or(set.max_tool_calls, "null")),
        ("parallel_tool_calls", or(set.parallel_tool_calls, "true")),
        ("previous_response_id", or(set.previous_response_id, "null")),
        ("prompt_cache_key", or(set.prompt_cache_key, "null")),
        ("reasoning", filled(set.reasoning, &[("effort", "null"), ("summary", "null")])),
        ("safety_identifier", or(set.safety_identifier, "null")),
        ("store", or(set.store, "false")),
        ("temperature", or(set.temperature, "null")),
        ("text", filled(set.text, &[("format", r#"{"type":"text"}"#)])),
        ("tool_choice", or(set.tool_choice, r#""auto""#)),
        ("tools", tools(set.tools.unwrap_or_default())),
        ("top_p", or(set.top_p, "null")),
        ("truncation", or(set.truncation, r#""disabled""#)),
        ("user", or(set.user, "null")),
        ("metadata", or(set.metadata, "{}")),
    ])
}

fn own(json: &str) -> Json {
    Json::parse(json).unwrap_or_default()
}

/// The tools, functions with the members that the API always tells of them: one that does not say how strictly it is meant
/// is not meant to the letter.
fn tools(tools: Vec<&RawValue>) -> Json {
    let told: Vec<Json> = tools.into_iter().map(tool).collect();
    serde_json::to_string(&told).map_or_else(|_| own("[]"), |text| own(&text))
}

fn tool(tool: &RawValue) -> Json {
    let is_function = read::<BTreeMap<String, &RawValue>>(tool)
        .is_ok_and(|members| members.get("type").is_some_and(|kind| plain(kind) == r#""function""#));
    if is_function { filled(Some(tool), &[("parameters", "null"), ("strict", "false")]) } else { tool.into() }
}

/// An object, with these members where it lacks them.
fn filled(object: Option<&RawValue>, unset: &[(&str, &'static str)]) -> Json {
    let mut members = match object.map(read::<BTreeMap<String, &RawValue>>) {
        Some(Ok(members)) => members,
        // no object: refused when the call was read
        Some(Err(_)) | None => BTreeMap::new(),
    };
    members.retain(|_, value| value.get() != "null");
    for (name, json) in unset {
        if let Ok(value) = serde_json::from_str(json) {
            members.entry((*name).to_owned()).or_insert(value);
        }
    }
    serde_json::to_string(&members).map_or_else(|_| own("{}"), |text| own(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(echo: &Echo) -> Value {
        serde_json::to_value(echo).expect("a tree")
    }

    #[test]
    fn what_the_client_set_is_told_again() {
        let set = json!({
            "model": "m", "input": [{"role": "user", "content": "hi"}], "stream": true, "store": null,
            "instructions": "be brief", "max_output_tokens": 99, "parallel_tool_calls": false, "temperature": 0.25,
            "top_p": 0.5, "truncation": "disabled", "metadata": {"a": "b"}, "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_object"}}, "tool_choice": {"type": "function", "name": "f"},
            "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}], "user": "u",
        });
        let seen = told(&of_request(set.to_string().as_bytes()));
        for member in [
            "instructions",
            "max_output_tokens",
            "parallel_tool_calls",
            "temperature",
            "top_p",
            "truncation",
            "metadata",
            "text",
            "tool_choice",
            "user",
        ] {
            assert_eq!(seen[member], set[member], "{member}");
        }
        assert_eq!(seen["reasoning"], json!({"effort": "low", "summary": null}));
        let function = json!({"type": "function", "name": "f", "parameters": null, "strict": false});
        assert_eq!(seen["tools"], json!([function, {"type": "custom", "name": "g"}]));
        assert_eq!((&seen["store"], &seen["previous_response_id"]), (&json!(false), &Value::Null));
    }

    #[test]
    fn what_the_client_left_unsaid_has_the_apis_own_values() {
        for body in ["{}", r#"{"tools": null, "text": {"format": null}, "reasoning": null}"#, "not JSON"] {
            assert_eq!(told(&of_request(body.as_bytes())), told(unsaid()), "{body}");
        }
        let seen = told(unsaid());
        let expected = (&json!([]), &json!("auto"), &json!(true));
        assert_eq!((&seen["tools"], &seen["tool_choice"], &seen["parallel_tool_calls"]), expected);
        assert_eq!(seen["text"], json!({"format": {"type": "text"}}));
    }
}
