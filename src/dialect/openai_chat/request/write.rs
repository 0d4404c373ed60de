//! A [`Call`], written for a vendor.

use super::messages::{MessageOut, write_messages};
use super::tools::{ToolChoiceOut, ToolOut, write_parallel_tools, write_tool, write_tool_choice};
use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::{Call, Format, ReasoningMode};
use crate::dialect::grammar::Target;
use crate::dialect::honour::{Extras, effort, own_extras, unmet};
use crate::dialect::openai_chat::NAME;
use crate::dialect::openai_chat::types::written::StreamOptionsOut;
use crate::dialect::profile::Profile;
use crate::dialect::profile::quirks::{Member, Quirks};
use crate::dialect::schema;
use serde::Serialize;

/// Writes the body for a vendor.
///
/// # Errors
/// A refusal that names what this dialect cannot say.
pub(crate) fn write_call(profile: &Profile, call: &Call, target: &Target<'_>) -> Result<Vec<u8>, Refusal> {
    let quirks = &profile.quirks;
    let caps_newer = profile.max_tokens_member == "max_completion_tokens";
    if call.stop.len() > quirks.stops && (call.dialect != NAME || quirks.stops < Quirks::NONE.stops) {
        return Err(Refusal::Capability("stop"));
    }
    own_extras(&call.extras, NAME)?;
    let request = RequestOut {
        model: target.model,
        messages: write_messages(quirks, call)?,
        tools: call.tools.iter().map(|tool| write_tool(quirks, tool, call)).collect::<Result<_, _>>()?,
        tool_choice: write_tool_choice(quirks, &call.tool_choice)?,
        parallel_tool_calls: write_parallel_tools(quirks, call)?,
        max_tokens: call.max_tokens.filter(|_| !caps_newer),
        max_completion_tokens: call.max_tokens.filter(|_| caps_newer),
        temperature: call.temperature,
        top_p: call.top_p,
        top_k: call.sampling.top_k,
        seed: call.sampling.seed,
        presence_penalty: call.sampling.presence_penalty,
        frequency_penalty: call.sampling.frequency_penalty,
        stop: &call.stop,
        response_format: write_format(quirks, &call.format, call)?,
        reasoning_effort: write_effort(profile, call)?,
        user: call.user.as_deref().filter(|_| !quirks.refused_members.has(Member::User)),
        stream: call.stream.then_some(true),
        stream_options: (call.stream && target.include_usage && !quirks.refused_members.has(Member::StreamOptions))
            .then_some(StreamOptionsOut { include_usage: true }),
        extras: Extras::within("", &call.extras),
    };
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptionsOut>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FormatOut<'a> {
    JsonObject,
    JsonSchema { json_schema: JsonSchemaOut<'a> },
}

#[derive(Serialize)]
struct JsonSchemaOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

fn write_format<'a>(quirks: &Quirks, format: &'a Format, call: &Call) -> Result<Option<FormatOut<'a>>, Refusal> {
    Ok(match format {
        Format::Text => None,
        Format::JsonObject => Some(FormatOut::JsonObject),
        Format::JsonSchema { name, description, schema, strict } => {
            // Strict schemas here must require every property (recording `f1693f7096750a84`); elsewhere they need not.
            if call.dialect != NAME && quirks.strict_schemas && !schema::requires_all(schema) {
                return Err(unmet(Need::JsonSchema));
            }
            let name = name.as_deref().unwrap_or("answer");
            let json_schema = JsonSchemaOut { name, description: description.as_deref(), schema, strict: *strict };
            Some(FormatOut::JsonSchema { json_schema })
        }
    })
}

/// The effort in the vendor's words: the nearest that it takes. A model that never thinks need not be told not to.
fn write_effort<'a>(profile: &Profile, call: &'a Call) -> Result<Option<&'a str>, Refusal> {
    let Some(reasoning) = &call.reasoning else { return Ok(None) };
    if reasoning.mode == ReasoningMode::Off && !profile.capabilities.has(Need::Reasoning) {
        return Ok(None);
    }
    let nearest = |effort| profile.quirks.efforts.nearest(effort).ok_or(Refusal::Capability("reasoning_effort"));
    effort(reasoning).map(nearest).transpose()
}

#[cfg(test)]
mod tests {
    use crate::base::rejection::Refusal;
    use crate::dialect::profile::OPENAI;
    use crate::dialect::{Dialect, translate};
    use serde_json::{Value, json};

    fn cross(anthropic: &Value) -> Result<Value, Refusal> {
        let call = translate::read_call(Dialect::Anthropic, anthropic.to_string().as_bytes()).expect("a valid request");
        let body = translate::write_call(&OPENAI, &call, "gpt", 1000, true)?;
        Ok(serde_json::from_slice(&body).expect("JSON"))
    }

    /// What an Anthropic request with these members becomes, beyond what every request has.
    fn check(members: Value, expected: Value) {
        let mut request = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        let mut wanted =
            json!({"model": "gpt", "max_completion_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        for (object, members) in [(&mut request, members), (&mut wanted, expected)] {
            for (name, value) in members.as_object().expect("an object") {
                object[name] = value.clone();
            }
        }
        assert_eq!(cross(&request).expect("no refusal"), wanted, "{request}");
    }

    #[test]
    fn members_find_their_place() {
        check(json!({"temperature": 0.5, "top_p": 0.9}), json!({"temperature": 0.5, "top_p": 0.9}));
        check(json!({"stop_sequences": ["a", "b"]}), json!({"stop": ["a", "b"]}));
        check(json!({"metadata": {"user_id": "u"}}), json!({"user": "u"}));
        check(json!({"stream": true}), json!({"stream": true, "stream_options": {"include_usage": true}}));
        check(json!({"service_tier": "auto"}), json!({}));
        check(json!({"thinking": {"type": "disabled"}}), json!({"reasoning_effort": "none"}));
        check(json!({"thinking": {"type": "adaptive"}}), json!({"reasoning_effort": "high"}));
        check(json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), json!({"reasoning_effort": "low"}));
        check(json!({"output_config": {"effort": "max"}}), json!({"reasoning_effort": "max"}));
    }

    #[test]
    fn system_texts_come_first_and_stay_apart() {
        check(
            json!({"system": "be brief"}),
            json!({"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}),
        );
        check(
            json!({"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            json!({"messages": [
                {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "content": "hi"},
            ]}),
        );
    }

    #[test]
    fn tool_turns_become_messages_of_their_own() {
        let turns = json!([
            {"role": "assistant", "content": [
                {"type": "text", "text": "both"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "t2", "is_error": true,
                 "content": [{"type": "text", "text": "two"}]},
                {"type": "text", "text": "and now?"},
            ]},
        ]);
        let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        check(
            json!({"messages": turns}),
            json!({"messages": [
                {"role": "assistant", "content": "both", "tool_calls": [call("t1", "f", r#"{"a":1}"#), call("t2", "g", "{}")]},
                {"role": "tool", "content": "one", "tool_call_id": "t1"},
                {"role": "tool", "content": "Error: two", "tool_call_id": "t2"},
                {"role": "user", "content": "and now?"},
            ]}),
        );
    }

    #[test]
    fn tools_and_choices_find_their_words() {
        let tool = json!([{"name": "f", "description": "d", "input_schema": {"type": "object"}}]);
        let function = json!([{"type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]);
        for (choice, expected) in [
            (json!({"type": "any"}), json!({"tool_choice": "required"})),
            (json!({"type": "none"}), json!({"tool_choice": "none"})),
            (
                json!({"type": "tool", "name": "f"}),
                json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
            ),
            (
                json!({"type": "auto", "disable_parallel_tool_use": true}),
                json!({"tool_choice": "auto", "parallel_tool_calls": false}),
            ),
        ] {
            let mut expected = expected;
            expected["tools"] = function.clone();
            check(json!({"tools": tool, "tool_choice": choice}), expected);
        }
    }

    #[test]
    fn images_and_documents_become_parts() {
        let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
        let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "BBBB"});
        check(
            json!({"messages": [{"role": "user", "content": [
                {"type": "image", "source": source},
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
                {"type": "document", "source": pdf, "title": "b.pdf"},
            ]}]}),
            json!({"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,BBBB", "filename": "b.pdf"}},
            ]}]}),
        );
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        let said = |block: Value| json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [block]}]);
        let asked = |block: Value| json!([{"role": "user", "content": [block]}]);
        for (members, reason) in [
            (json!({"top_k": 5}), "top_k"),
            (json!({"container": "c"}), "server_ids"),
            (json!({"service_tier": "standard_only"}), "service_tier"),
            (json!({"inference_geo": "us"}), "unknown_members"),
            (json!({"metadata": {"user_id": "u", "more": 1}}), "unknown_members"),
            (json!({"stop_sequences": ["a", "b", "c", "d", "e"]}), "stop"),
            (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), "hosted_tools"),
            (json!({"tools": [{"name": "f", "input_schema": {}, "defer_loading": true}]}), "unknown_members"),
            (json!({"tools": [{"name": "f", "input_schema": closed, "strict": true}]}), "strict_tools"),
            (json!({"output_config": {"format": {"type": "json_schema", "schema": closed}}}), "json_schema"),
            (json!({"messages": said(json!({"type": "text", "text": "I"}))}), "prefill"),
            (json!({"messages": asked(json!({"type": "container_upload", "file_id": "f"}))}), "server_ids"),
            (
                json!({"messages": asked(json!({"type": "document", "source": {"type": "url", "url": "https://a"}}))}),
                "documents",
            ),
            (
                json!({"messages": asked(json!({"type": "tool_result", "tool_use_id": "t", "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://a"}}]}))}),
                "tool_result_images",
            ),
        ] {
            let mut request = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
            for (name, value) in members.as_object().expect("an object") {
                request[name] = value.clone();
            }
            assert_eq!(cross(&request), Err(Refusal::Capability(reason)), "{members}");
        }
    }
}
