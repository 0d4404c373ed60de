//! A [`Call`], written for a vendor.

use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::seal;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::call::turn::{Content, Part, Role, Source, Turn};
use crate::call::{Call, Format, Reasoning, ReasoningMode};
use crate::dialect::anthropic::NAME;
use crate::dialect::call_ids;
use crate::dialect::grammar::Target;
use crate::dialect::honour::{Extras, arguments_object, may_think, own, own_extras, unmet};
use crate::dialect::profile::Profile;
use crate::dialect::schema;
use serde::Serialize;
use std::borrow::Cow;

/// Writes the body for a vendor; the target's `default_max_tokens` caps an answer that the client leaves open, as the vendor demands
/// a cap.
///
/// # Errors
/// A refusal that names what this dialect cannot say.
pub(crate) fn write_call(_: &Profile, call: &Call, target: &Target<'_>) -> Result<Vec<u8>, Refusal> {
    write_capped(call, target.model, Some(call.max_tokens.unwrap_or(target.default_max_tokens)))
}

/// Writes the body with this cap, or with none where nothing is to be answered.
pub(crate) fn write_capped(call: &Call, model: &str, max_tokens: Option<u64>) -> Result<Vec<u8>, Refusal> {
    refuse_unsayable(call)?;
    let (system, messages) = write_turns(call)?;
    let reasoning = call.reasoning.as_ref();
    let request = RequestOut {
        model,
        max_tokens,
        system,
        messages,
        tools: call.tools.iter().map(write_tool).collect::<Result<_, _>>()?,
        tool_choice: write_tool_choice(call)?,
        temperature: call.temperature,
        top_p: call.top_p,
        top_k: call.sampling.top_k,
        stop_sequences: &call.stop,
        thinking: reasoning.filter(|_| may_think(call)).and_then(|reasoning| write_thinking(reasoning, call)),
        output_config: write_output_config(call)?,
        metadata: write_metadata(call),
        cache_control: call.cache.as_ref(),
        stream: call.stream.then_some(true),
        extras: Extras::within("", &call.extras),
    };
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

/// What no member of this dialect could say.
fn refuse_unsayable(call: &Call) -> Result<(), Refusal> {
    own_extras(&call.extras, NAME)?;
    if call.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(Refusal::Capability("temperature"));
    }
    // A stop text of white space alone is refused by the vendor.
    if call.stop.iter().any(|text| text.trim().is_empty()) {
        return Err(Refusal::Capability("stop"));
    }
    // While it thinks, the vendor takes neither a forced tool nor another temperature than its own.
    let thinks = call.reasoning.as_ref().is_some_and(|reasoning| reasoning.mode == ReasoningMode::Adaptive);
    if thinks && call.dialect != NAME {
        if matches!(call.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(Refusal::Capability("tool_choice"));
        }
        if call.temperature.is_some_and(|temperature| temperature < 1.0) {
            return Err(Refusal::Capability("temperature"));
        }
    }
    // A conversation has to have begun.
    if call.turns.iter().all(Turn::is_system) {
        return Err(Refusal::Capability("no_user_turn"));
    }
    // The model would carry the last turn on, where the client expects an answer to it.
    if call.ends_with_assistant() && !call.prefill {
        return Err(unmet(Need::Prefill));
    }
    Ok(())
}

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<ContentOut<'a>>,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfigOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: ContentOut<'a>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ContentOut<'a> {
    Text(&'a str),
    Blocks(Vec<AnyBlockOut<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyBlockOut<'a> {
    Own {
        #[serde(flatten)]
        block: BlockOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Json>,
    },
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockOut<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<&'a Json>,
    },
    Image {
        source: SourceOut<'a>,
    },
    Document {
        source: SourceOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Json>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<ContentOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SourceOut<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    Text { media_type: &'static str, data: &'a str },
}

/// The system text, and the conversation. A client of this dialect places what its application says later among the
/// messages; another's is gathered at the top, as the vendor's own endpoint of the other dialect does.
fn write_turns(call: &Call) -> Result<(Option<ContentOut<'_>>, Vec<MessageOut<'_>>), Refusal> {
    let mut system = Vec::new();
    let mut messages = Vec::with_capacity(call.turns.len());
    for (index, turn) in call.turns.iter().enumerate() {
        own_extras(&turn.extras, NAME)?;
        // The model tells speakers apart by their names, and there is no member for them.
        if turn.name.is_some() {
            return Err(Refusal::Capability("name"));
        }
        let mut blocks = write_blocks(&turn.parts)?;
        if turn.is_system() && (call.dialect != NAME || index == 0) {
            system.append(&mut blocks);
        } else if !blocks.is_empty() {
            messages.push(MessageOut {
                role: role(turn),
                content: content(blocks),
                extras: Extras::within("", &turn.extras),
            });
        }
    }
    Ok(((!system.is_empty()).then(|| content(system)), messages))
}

const fn role(turn: &Turn) -> &'static str {
    match turn.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn content(blocks: Vec<AnyBlockOut<'_>>) -> ContentOut<'_> {
    match blocks.as_slice() {
        [AnyBlockOut::Own { block: BlockOut::Text { text, citations }, cache_control: None }]
            if citations.is_empty() =>
        {
            ContentOut::Text(text)
        }
        _ => ContentOut::Blocks(blocks),
    }
}

/// The blocks of one turn, tool results first as the vendor demands. Empty texts are left out: the vendor refuses them
/// (recording `b762907d08634445`), and they say nothing.
fn write_blocks(parts: &[Part]) -> Result<Vec<AnyBlockOut<'_>>, Refusal> {
    let is_result = |part: &&Part| matches!(part.content, Content::ToolResult { .. });
    let results = parts.iter().filter(is_result);
    let others = parts.iter().filter(|part| !is_result(part));
    let mut blocks = Vec::with_capacity(parts.len());
    for part in results.chain(others) {
        blocks.extend(write_block(part)?);
    }
    Ok(blocks)
}

fn write_block(part: &Part) -> Result<Option<AnyBlockOut<'_>>, Refusal> {
    let block = match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) if text.is_empty() => return Ok(None),
        Content::Text { text, citations } => {
            let own = citations.iter().filter(|citation| citation.told.dialect == NAME);
            BlockOut::Text { text, citations: own.map(|citation| &citation.told.json).collect() }
        }
        Content::Refusal(text) => BlockOut::Text { text, citations: Vec::new() },
        Content::Image { detail: Some(_), .. } => return Err(Refusal::Capability("image_detail")),
        Content::Image { source: Source::Text(_), .. } => return Err(unmet(Need::Images)),
        Content::Image { source, detail: None } => BlockOut::Image { source: write_source(source) },
        Content::Document { source, title } => {
            BlockOut::Document { source: write_source(source), title: title.as_deref() }
        }
        Content::ToolCall(call) => BlockOut::ToolUse {
            id: call_ids::fit(&call.id, call_ids::ANTHROPIC_MOST),
            name: &call.name,
            input: Cow::Owned(arguments_object(&call.arguments)),
        },
        Content::ToolResult { id, parts, error } => {
            let blocks = write_blocks(parts)?;
            BlockOut::ToolResult {
                tool_use_id: call_ids::fit(id, call_ids::ANTHROPIC_MOST),
                content: (!blocks.is_empty()).then(|| content(blocks)),
                is_error: *error,
            }
        }
        // Another vendor's seal is nothing to this one, and thoughts without a seal of its own it does not take.
        Content::Thinking { signature: Some(signature), .. } if seal::is_named(signature) => return Ok(None),
        Content::Thinking { text, signature: Some(signature) } => BlockOut::Thinking { thinking: text, signature },
        // Thoughts without a seal are an echo of another vendor's answer, and this one takes none back.
        Content::Thinking { signature: None, .. } => return Ok(None),
        Content::RedactedThinking(data) => BlockOut::RedactedThinking { data },
        Content::Foreign(foreign) => return own(foreign, NAME).map(|json| Some(AnyBlockOut::Foreign(json))),
    };
    Ok(Some(AnyBlockOut::Own { block, cache_control: part.cache.as_ref() }))
}

fn write_source(source: &Source) -> SourceOut<'_> {
    match source {
        Source::Base64 { media_type, data } => SourceOut::Base64 { media_type, data },
        Source::Url(url) => SourceOut::Url { url },
        Source::Text(data) => SourceOut::Text { media_type: "text/plain", data },
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Cow<'a, Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Json>,
    },
    Foreign(&'a Json),
}

/// The schema of a function without arguments, which the vendor wants to see said.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

fn write_tool(tool: &Tool) -> Result<ToolOut<'_>, Refusal> {
    match tool {
        Tool::Function(Function { name, description, parameters, strict, cache }) => {
            if *strict == Some(true) && !parameters.as_ref().is_none_or(schema::is_closed) {
                return Err(Refusal::Capability("strict_tools"));
            }
            let input_schema = match parameters {
                Some(schema) => Cow::Borrowed(schema),
                None => Cow::Owned(Json::parse(NO_ARGUMENTS).unwrap_or_default()),
            };
            let (description, cache_control) = (description.as_deref(), cache.as_ref());
            Ok(ToolOut::Function { name, description, input_schema, strict: *strict, cache_control })
        }
        Tool::Foreign(foreign) => own(foreign, NAME).map(ToolOut::Foreign),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolChoiceOut<'a> {
    Own {
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Foreign(&'a Json),
}

fn write_tool_choice(call: &Call) -> Result<Option<ToolChoiceOut<'_>>, Refusal> {
    let disable_parallel_tool_use = call.parallel_tools.map(|parallel| !parallel);
    let own = |kind, name| Some(ToolChoiceOut::Own { kind, name, disable_parallel_tool_use });
    Ok(match &call.tool_choice {
        ToolChoice::Unsaid if call.tools.is_empty() || disable_parallel_tool_use != Some(true) => None,
        ToolChoice::Unsaid | ToolChoice::Auto => own("auto", None),
        ToolChoice::Required => own("any", None),
        ToolChoice::Named(name) => own("tool", Some(name.as_str())),
        ToolChoice::None => Some(ToolChoiceOut::Own { kind: "none", name: None, disable_parallel_tool_use: None }),
        ToolChoice::Foreign(foreign) => Some(ToolChoiceOut::Foreign(self::own(foreign, NAME)?)),
    })
}

#[derive(Serialize)]
struct ThinkingOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

fn write_thinking<'a>(reasoning: &'a Reasoning, call: &'a Call) -> Option<ThinkingOut<'a>> {
    let (kind, budget_tokens) = match reasoning.mode {
        ReasoningMode::Unsaid => return None,
        ReasoningMode::Off => ("disabled", None),
        ReasoningMode::Adaptive => ("adaptive", None),
        ReasoningMode::Budget(budget) => ("enabled", Some(budget)),
    };
    // a client of another dialect asks for a summary in its own words
    let display = reasoning.display.as_deref().map(|display| if call.dialect == NAME { display } else { "summarized" });
    let (display, extras) = (display, Extras::within("thinking", &call.extras));
    Some(ThinkingOut { kind, budget_tokens, display, extras })
}

#[derive(Serialize)]
struct OutputConfigOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct FormatOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a Json,
}

fn write_output_config(call: &Call) -> Result<Option<OutputConfigOut<'_>>, Refusal> {
    let format = match &call.format {
        Format::Text => None,
        Format::JsonObject => return Err(unmet(Need::JsonObject)),
        Format::JsonSchema { schema, .. } if call.dialect != NAME && !schema::is_closed(schema) => {
            return Err(unmet(Need::JsonSchema));
        }
        Format::JsonSchema { schema, .. } => Some(FormatOut { kind: "json_schema", schema }),
    };
    let effort = call.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref()).map(write_effort);
    let extras = Extras::within("output_config", &call.extras);
    let says_nothing = effort.is_none() && format.is_none() && extras.is_empty();
    Ok((!says_nothing).then_some(OutputConfigOut { effort, format, extras }))
}

/// The effort in this dialect's words, whose least is `low`.
fn write_effort(effort: &str) -> &str {
    if effort == "minimal" { "low" } else { effort }
}

#[derive(Serialize)]
struct MetadataOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

fn write_metadata(call: &Call) -> Option<MetadataOut<'_>> {
    let (user_id, extras) = (call.user.as_deref(), Extras::within("metadata", &call.extras));
    (user_id.is_some() || !extras.is_empty()).then_some(MetadataOut { user_id, extras })
}

#[cfg(test)]
mod tests {
    use crate::base::rejection::Refusal;
    use crate::dialect::profile::ANTHROPIC;
    use crate::dialect::{Dialect, translate};
    use serde_json::{Value, json};

    /// An OpenAI request with these members, written for Anthropic.
    fn cross(members: &Value) -> Result<Value, Refusal> {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in members.as_object().expect("an object") {
            request[name] = value.clone();
        }
        let call = translate::read_call(Dialect::OpenaiChat, request.to_string().as_bytes()).expect("a valid request");
        let body = translate::write_call(&ANTHROPIC, &call, "claude", 1000, true)?;
        Ok(serde_json::from_slice(&body).expect("JSON"))
    }

    fn check(members: Value, expected: Value) {
        let mut wanted =
            json!({"model": "claude", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in expected.as_object().expect("an object") {
            wanted[name] = value.clone();
        }
        assert_eq!(cross(&members).expect("no refusal"), wanted, "{members}");
    }

    #[test]
    fn members_find_their_place() {
        check(json!({"max_tokens": 7}), json!({"max_tokens": 7}));
        check(json!({"max_completion_tokens": 8}), json!({"max_tokens": 8}));
        check(json!({"temperature": 1, "top_p": 0.5}), json!({"temperature": 1.0, "top_p": 0.5}));
        check(json!({"stop": "a"}), json!({"stop_sequences": ["a"]}));
        check(json!({"user": "u"}), json!({"metadata": {"user_id": "u"}}));
        check(json!({"safety_identifier": "u"}), json!({"metadata": {"user_id": "u"}}));
        check(json!({"stream": true, "stream_options": {"include_usage": true}}), json!({"stream": true}));
        check(json!({"reasoning_effort": "none"}), json!({"thinking": {"type": "disabled"}}));
        check(
            json!({"reasoning_effort": "minimal"}),
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        );
    }

    #[test]
    fn what_asks_for_nothing_is_no_need() {
        check(
            json!({"n": 1, "store": false, "logprobs": false, "logit_bias": {}, "presence_penalty": 0, "seed": null,
                   "service_tier": "auto", "modalities": ["text"], "response_format": {"type": "text"}}),
            json!({}),
        );
    }

    #[test]
    fn system_texts_are_gathered_at_the_top() {
        check(
            json!({"messages": [
                {"role": "system", "content": "a"},
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "yes"},
                {"role": "developer", "content": "b"},
                {"role": "user", "content": "on"},
            ]}),
            json!({
                "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": "yes"},
                    {"role": "user", "content": "on"},
                ],
            }),
        );
    }

    #[test]
    fn results_of_parallel_calls_are_one_turn() {
        let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        check(
            json!({"messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": null, "refusal": null, "annotations": [],
                 "tool_calls": [call("a", r#"{"x":1}"#), call("b", ""), call("c", "not JSON")]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
                {"role": "tool", "tool_call_id": "c", "content": ""},
            ]}),
            json!({"messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                    {"type": "tool_use", "id": "b", "name": "f", "input": {}},
                    {"type": "tool_use", "id": "c", "name": "f", "input": {"_unparsed_arguments": "not JSON"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                    {"type": "tool_result", "tool_use_id": "c"},
                ]},
            ]}),
        );
    }

    #[test]
    fn tools_and_choices_find_their_words() {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let written = json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}}]);
        for (choice, expected) in [
            (json!({"tool_choice": "required"}), json!({"tool_choice": {"type": "any"}})),
            (json!({"tool_choice": "none", "parallel_tool_calls": false}), json!({"tool_choice": {"type": "none"}})),
            (
                json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
                json!({"tool_choice": {"type": "tool", "name": "f"}}),
            ),
            (
                json!({"parallel_tool_calls": false}),
                json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
            ),
        ] {
            let (mut choice, mut expected) = (choice, expected);
            (choice["tools"], expected["tools"]) = (tools.clone(), written.clone());
            check(choice, expected);
        }
    }

    #[test]
    fn images_and_schemas_are_carried_over() {
        let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "auto"}});
        check(
            json!({"messages": [{"role": "user",
                "content": [url("data:image/png;base64,AAAA"), url("https://a/b.png"), {"type": "text", "text": "what?"}]}]}),
            json!({"messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
                {"type": "text", "text": "what?"},
            ]}]}),
        );
        let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
        check(
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}}}),
            json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
        );
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let open = json!({"type": "object", "properties": {}});
        let detail = json!({"type": "image_url", "image_url": {"url": "https://a", "detail": "high"}});
        for (members, reason) in [
            (json!({"temperature": 1.5}), "temperature"),
            (json!({"temperature": 0.2, "reasoning_effort": "low"}), "temperature"),
            (json!({"tool_choice": "required", "reasoning_effort": "low"}), "tool_choice"),
            (json!({"n": 2}), "n"),
            (json!({"seed": 1}), "seed"),
            (json!({"logprobs": true}), "logprobs"),
            (json!({"logit_bias": {"1": 2}}), "logit_bias"),
            (json!({"presence_penalty": 0.5}), "penalties"),
            (json!({"store": true}), "store"),
            (json!({"service_tier": "flex"}), "service_tier"),
            (json!({"prediction": {"type": "content", "content": ""}}), "prediction"),
            (json!({"web_search_options": {}}), "hosted_tools"),
            (json!({"new_member": 1}), "unknown_members"),
            (json!({"user": "a", "safety_identifier": "b"}), "unknown_members"),
            (json!({"stop": [" "]}), "stop"),
            (json!({"response_format": {"type": "json_object"}}), "json_object"),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": open}}}),
                "json_schema",
            ),
            (json!({"messages": [{"role": "system", "content": "a"}]}), "no_user_turn"),
            (json!({"messages": [{"role": "user", "content": "a", "name": "Ann"}]}), "name"),
            (json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}), "prefill"),
            (json!({"messages": [{"role": "user", "content": [detail]}]}), "image_detail"),
            (json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}), "audio"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}),
                "server_ids",
            ),
        ] {
            assert_eq!(cross(&members), Err(Refusal::Capability(reason)), "{members}");
        }
    }
}
