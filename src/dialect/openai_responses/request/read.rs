//! What a client asks, read as a [`Call`].

use crate::base::rejection::Rejection;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::call::turn::{Content, Foreign, Part, Role, Turn};
use crate::call::{Call, Extra, Format, Reasoning, ReasoningMode, Sampling};
use crate::dialect::honour::{invalid, within};
use crate::dialect::object::{Known, Object, Reading, Text, plain, read, read_str};
use crate::dialect::openai_responses::item::{Said, foreign, read_item};
use crate::dialect::openai_responses::types::{self, Item, RawInput, Request, TextForm, TextFormat, Thinking};
use crate::dialect::openai_responses::{NAME, namespace, seal};
use crate::dialect::shapes::TextOr;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a client's body.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub(crate) fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: request, unknown } = read_str::<Object<'_, Request<'_>>>(text).map_err(invalid)?;
    let (mut extras, mut hints) = (Vec::new(), Vec::new());
    for (member, value) in unknown {
        let need = need_of_member("", &member, value);
        let value = foreign(need.unwrap_or(Need::UnknownMembers), value);
        let list = if need.is_some() { &mut extras } else { &mut hints };
        list.push(Extra { within: "", member: member.into_owned(), value });
    }
    let user = match (request.safety_identifier, request.user) {
        (Some(identifier), Some(user)) if identifier != user => {
            let json = Json::parse(&serde_json::Value::from(identifier).to_string()).unwrap_or_default();
            let value = Foreign { dialect: NAME, need: Need::UnknownMembers, json };
            extras.push(Extra { within: "", member: "safety_identifier".to_owned(), value });
            Some(user)
        }
        (identifier, user) => user.or(identifier),
    };
    let turns = read_turns(text, request.instructions, request.input)?;
    Ok(Call {
        dialect: NAME,
        model: request.model.unwrap_or_default(),
        stream: request.stream.unwrap_or(false),
        include_usage: true,
        turns,
        prefill: false,
        tools: read_tools(request.tools.unwrap_or_default())?,
        tool_choice: request.tool_choice.map_or(Ok(ToolChoice::Unsaid), read_tool_choice)?,
        sampling: Sampling::default(),
        parallel_tools: request.parallel_tool_calls,
        max_tokens: request.max_output_tokens,
        temperature: within("temperature", request.temperature, 2.0)?,
        top_p: within("top_p", request.top_p, 1.0)?,
        stop: Vec::new(),
        format: request.text.map_or(Ok(Format::Text), |text| read_text(text, &mut extras))?,
        reasoning: request.reasoning.and_then(|thinking| read_reasoning(thinking, &mut extras)),
        user,
        cache: None,
        extras,
        hints,
    })
}

fn add_extras(inside: &'static str, unknown: Vec<(Cow<'_, str>, &RawValue)>, extras: &mut Vec<Extra>) {
    extras.extend(unknown.into_iter().filter_map(|(member, value)| {
        let value = foreign(need_of_member(inside, &member, value)?, value);
        Some(Extra { within: inside, member: member.into_owned(), value })
    }));
}

/// What a member demands beyond those that all dialects share; `None` where it asks nothing of the answer: a value that
/// is the default, a hint to the vendor's own cache, the client's notes for its own logs, and seals of thoughts, which
/// each vendor gives as it does. What `metadata` notes is told again in the answer, which is all that is made of it where
/// nobody keeps that.
fn need_of_member(inside: &str, member: &str, value: &RawValue) -> Option<Need> {
    Some(match (inside, member, plain(value).as_str()) {
        ("", "store" | "background", "false")
        | ("", "top_logprobs", "0")
        | ("", "truncation", r#""disabled""#)
        | ("", "service_tier", r#""auto""# | r#""default""#)
        | ("", "metadata", _)
        | ("", "prompt_cache_key" | "prompt_cache_retention" | "stream_options" | "client_metadata", _)
        | ("text", "verbosity", r#""medium""#)
        | ("reasoning", "context", r#""auto""#)
        | ("reasoning", "mode", r#""standard""#) => return None,
        ("", "include", _) => return need_of_include(value),
        ("", "store" | "background", _) => Need::Stores,
        ("", "previous_response_id" | "conversation" | "prompt", _) => Need::ServerIds,
        ("", "service_tier", _) => Need::ServiceTier,
        ("", "top_logprobs", _) => Need::Logprobs,
        ("", "max_tool_calls", _) => Need::HostedTools,
        ("", "prompt_cache_options", _) => Need::CacheControl,
        _ => Need::UnknownMembers,
    })
}

fn need_of_include(value: &RawValue) -> Option<Need> {
    let Ok(included) = read::<Vec<Text<'_>>>(value) else { return Some(Need::UnknownMembers) };
    included.iter().find_map(|Text(name)| match &**name {
        "reasoning.encrypted_content" => None,
        "message.output_text.logprobs" => Some(Need::Logprobs),
        "message.input_image.image_url" => Some(Need::UnknownMembers),
        _ => Some(Need::HostedTools),
    })
}

fn read_turns(
    body: &str,
    instructions: TextOr<&RawValue>,
    input: TextOr<Object<'_, Item<'_>>>,
) -> Result<Vec<Turn>, Rejection> {
    let mut turns = Turns { body, list: Vec::new(), raw: None };
    match instructions {
        TextOr::Nothing => {}
        TextOr::Text(text) => turns.list.push(Turn::new(Role::System, vec![Content::text(text).into()])),
        TextOr::List(_) => return Err(invalid("instructions: must be a string").param("instructions")),
    }
    match input {
        TextOr::Nothing => {}
        TextOr::Text(text) => turns.list.push(Turn::new(Role::User, vec![Content::text(text).into()])),
        TextOr::List(items) => {
            turns.list.reserve(items.len());
            for (index, item) in items.into_iter().enumerate() {
                turns.add(index, item)?;
            }
        }
    }
    Ok(turns.list)
}

/// Turns under way: what the model says at once is one, and so are the results of its calls.
struct Turns<'a> {
    body: &'a str,
    list: Vec<Turn>,
    /// The items as they came, once one is to be kept so.
    raw: Option<Vec<&'a RawValue>>,
}

impl<'a> Turns<'a> {
    fn add(&mut self, index: usize, Object { known: item, unknown }: Object<'a, Item<'a>>) -> Result<(), Rejection> {
        // What we told a client of another vendor's thoughts, and nobody sealed, is an echo that no vendor takes back.
        if item.encrypted_content.as_deref() == Some(seal::THEIRS) {
            return Ok(());
        }
        let said = read_item(item, unknown.is_empty(), Reading::Request).map_err(|error| at(index, &error))?;
        match said {
            Said::Message(Role::Assistant, parts) if unknown.is_empty() => self.model(parts),
            Said::Message(role, parts) => {
                let mut turn = Turn::new(role, parts);
                add_extras("", unknown, &mut turn.extras);
                self.list.push(turn);
            }
            Said::Model(parts) => self.model(parts),
            Said::Result(result) => {
                let is_result = |part: &Part| matches!(part.content, Content::ToolResult { .. });
                self.carry_on(Role::User, vec![result], |turn| turn.parts.last().is_some_and(is_result));
            }
            Said::Foreign(need) => {
                let raw = self.raw(index)?;
                self.model(vec![Content::Foreign(foreign(need, raw)).into()]);
            }
        }
        Ok(())
    }

    fn model(&mut self, parts: Vec<Part>) {
        self.carry_on(Role::Assistant, parts, |turn| turn.extras.is_empty());
    }

    /// Adds parts to the turn under way, where it is the same speaker's and one that may go on, or to a new one.
    fn carry_on(&mut self, role: Role, mut parts: Vec<Part>, may: impl Fn(&Turn) -> bool) {
        match self.list.last_mut().filter(|turn| turn.role == role && may(turn)) {
            Some(turn) => turn.parts.append(&mut parts),
            None => self.list.push(Turn::new(role, parts)),
        }
    }

    fn raw(&mut self, index: usize) -> Result<&'a RawValue, Rejection> {
        if self.raw.is_none() {
            let Known(RawInput { input }) = read_str(self.body).map_err(invalid)?;
            self.raw = Some(if let TextOr::List(items) = input { items } else { Vec::new() });
        }
        let items = self.raw.as_deref().unwrap_or_default();
        items.get(index).copied().ok_or_else(|| invalid("input: given twice").param("input"))
    }
}

fn at(index: usize, error: &serde_json::Error) -> Rejection {
    invalid(format_args!("input[{index}]: {error}")).param("input")
}

fn read_tools(list: Vec<&RawValue>) -> Result<Vec<Tool>, Rejection> {
    let mut tools = Vec::with_capacity(list.len());
    for raw in list {
        let Object { known: tool, unknown } = read_any_tool(raw)?;
        let is_namespace = unknown.is_empty() && tool.kind.as_ref().is_some_and(|Text(kind)| kind == "namespace");
        let within = if is_namespace { read_namespace(&tool)? } else { None };
        match within {
            Some(mut within) => tools.append(&mut within),
            None => tools.push(read_tool(raw)?),
        }
    }
    Ok(tools)
}

fn read_any_tool(raw: &RawValue) -> Result<Object<'_, types::Tool<'_>>, Rejection> {
    read(raw).map_err(|error| invalid(format_args!("tools: {error}")).param("tools"))
}

/// The functions of a namespace under their longer names, the first with what the namespace says of them all; `None`
/// where it holds anything else.
fn read_namespace(tool: &types::Tool<'_>) -> Result<Option<Vec<Tool>>, Rejection> {
    let (Some(namespace), Some(list)) = (&tool.name, &tool.tools) else { return Ok(None) };
    let mut said = tool.description.as_deref().filter(|said| !said.is_empty());
    let mut within = Vec::with_capacity(list.len());
    for raw in list {
        let Tool::Function(mut function) = read_tool(raw)? else { return Ok(None) };
        let Some(name) = namespace::join(namespace, &function.name) else { return Ok(None) };
        function.name = name;
        if let Some(said) = said.take() {
            let own = function.description.unwrap_or_default();
            function.description = Some([said, "\n\n", &own].concat());
        }
        within.push(Tool::Function(function));
    }
    Ok(Some(within))
}

fn read_tool(raw: &RawValue) -> Result<Tool, Rejection> {
    let Object { known: tool, unknown } = read_any_tool(raw)?;
    let kind = tool.kind.unwrap_or_default().0;
    Ok(match (&*kind, tool.name) {
        // a name that looks like one within a namespace would come back as such
        ("function", Some(name)) if unknown.is_empty() && namespace::split(&name).0.is_none() => {
            Tool::Function(Function {
                name,
                description: tool.description,
                parameters: tool.parameters.filter(|schema| schema.get() != "null").map(Json::from),
                strict: tool.strict,
                cache: None,
            })
        }
        (kind, _) => Tool::Foreign(foreign(need_of_tool(kind), raw)),
    })
}

/// What a tool needs by its `type`; those that the client itself runs are shapes of this dialect.
pub(in crate::dialect::openai_responses) fn need_of_tool(kind: &str) -> Need {
    match kind {
        "function" | "custom" | "namespace" | "local_shell" | "shell" | "apply_patch" => Need::UnknownMembers,
        _ => Need::HostedTools,
    }
}

fn read_tool_choice(raw: &RawValue) -> Result<ToolChoice, Rejection> {
    Ok(match plain(raw).as_str() {
        "null" => ToolChoice::Unsaid,
        r#""none""# => ToolChoice::None,
        r#""auto""# => ToolChoice::Auto,
        r#""required""# => ToolChoice::Required,
        _ if raw.get().starts_with('{') => {
            let choice: Object<'_, types::Tool<'_>> =
                read(raw).map_err(|error| invalid(format_args!("tool_choice: {error}")).param("tool_choice"))?;
            let kind = choice.known.kind.unwrap_or_default().0;
            match choice.known.name {
                Some(name) if kind == "function" && choice.unknown.is_empty() => ToolChoice::Named(name),
                _ if matches!(&*kind, "function" | "custom" | "allowed_tools" | "") => {
                    ToolChoice::Foreign(foreign(Need::UnknownMembers, raw))
                }
                _ => ToolChoice::Foreign(foreign(need_of_tool(&kind), raw)),
            }
        }
        _ => {
            let message = format!("tool_choice: {} is not one of none, auto, required or an object", raw.get());
            return Err(invalid(message).param("tool_choice"));
        }
    })
}

fn read_text(text: Object<'_, TextForm<'_>>, extras: &mut Vec<Extra>) -> Result<Format, Rejection> {
    add_extras("text", text.unknown, extras);
    text.known.format.map_or(Ok(Format::Text), |Object { known: format, .. }| read_format(format))
}

fn read_format(format: TextFormat<'_>) -> Result<Format, Rejection> {
    let kind = format.kind.unwrap_or_default().0;
    match (&*kind, format.schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(schema)) => Ok(Format::JsonSchema {
            name: format.name,
            description: format.description,
            schema: schema.into(),
            strict: format.strict,
        }),
        (kind, _) => {
            let message =
                format!("text.format: `{kind}` is not one of text, json_object, or json_schema with a schema");
            Err(invalid(message).param("text.format"))
        }
    }
}

fn read_reasoning(thinking: Object<'_, Thinking>, extras: &mut Vec<Extra>) -> Option<Reasoning> {
    add_extras("reasoning", thinking.unknown, extras);
    let Thinking { effort, summary: display } = thinking.known;
    match effort.as_deref() {
        Some("none") => Some(Reasoning { mode: ReasoningMode::Off, effort: None, display }),
        Some(_) => Some(Reasoning { mode: ReasoningMode::Adaptive, effort, display }),
        None => display.map(|display| Reasoning { display: Some(display), ..Reasoning::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let rejection = read_call(body.as_bytes()).expect_err(body);
        assert_eq!(rejection.status(), 400, "{body}");
        assert!(rejection.message.contains(expected), "{body}: {}", rejection.message);
    }

    #[test]
    fn a_rejection_names_the_member_at_fault() {
        for (body, expected) in [
            ("[]", "an object"),
            ("{", "line 1 column 1"),
            (r#"{"input": 5}"#, "input: "),
            (r#"{"input": [{"role": "king", "content": ""}]}"#, "input[0]: role: `king`"),
            (r#"{"input": [{"role": "user", "content": 5}]}"#, "input: "),
            (r#"{"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}"#, "input[0]: text: "),
            (r#"{"input": ["a", {"type": "function_call_output"}]}"#, "input: "),
            (r#"{"input": [{"type": "function_call_output"}]}"#, "input[0]: call_id: missing"),
            (r#"{"instructions": ["a"]}"#, "instructions: must be a string"),
            (r#"{"input": "", "temperature": 2.5}"#, "temperature: 2.5 is not between 0 and 2"),
            (r#"{"input": "", "tool_choice": "any"}"#, "tool_choice: \"any\""),
            (r#"{"input": "", "text": {"format": {"type": "xml"}}}"#, "text.format: `xml`"),
            (r#"{"input": "", "tools": [5]}"#, "tools: "),
        ] {
            check(body, expected);
        }
        assert!(read_call(b"\"\xff\"").is_err());
    }

    #[test]
    fn what_the_model_says_at_once_is_one_turn_and_so_are_results() {
        let body = r#"{"model": "m", "instructions": "be brief", "input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "both", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_image", "image_url": "https://a/b.png", "detail": "auto"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "and now?"}]}
        ]}"#;
        let call = read_call(body.as_bytes()).expect("a call");
        let shape: Vec<(Role, usize)> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
        assert_eq!(shape, [(Role::System, 1), (Role::User, 1), (Role::Assistant, 4), (Role::User, 2), (Role::User, 1)]);
        let thoughts = Content::Thinking { text: "hm".into(), signature: Some("openai_responses~gAAA".into()) };
        assert_eq!(call.turns[2].parts[0].content, thoughts);
    }

    #[test]
    fn needs_are_read_of_what_only_this_dialect_knows() {
        let check = |members: &str, expected: &[Need]| {
            let body = format!(r#"{{"model": "m", "input": "hi", {members}}}"#);
            let needs = read_call(body.as_bytes()).expect(&body).needs();
            let expected = expected.iter().fold(crate::call::needs::Needs::NONE, |needs, need| needs.with(*need));
            assert_eq!(needs, expected, "{members}");
        };
        check(r#""store": false, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k""#, &[]);
        check(r#""background": false, "truncation": "disabled", "text": {"verbosity": "medium"}"#, &[]);
        check(r#""store": true"#, &[Need::Stores]);
        check(r#""previous_response_id": "resp_1""#, &[Need::ServerIds]);
        check(r#""conversation": {"id": "c"}, "background": true"#, &[Need::ServerIds, Need::Stores]);
        check(r#""tools": [{"type": "web_search"}]"#, &[Need::Tools, Need::HostedTools]);
        check(r#""tools": [{"type": "custom", "name": "p"}]"#, &[Need::Tools, Need::UnknownMembers]);
        check(r#""include": ["web_search_call.action.sources"]"#, &[Need::HostedTools]);
        check(r#""truncation": "auto", "reasoning": {"effort": "low"}"#, &[Need::UnknownMembers, Need::Reasoning]);
        check(r#""service_tier": "flex", "reasoning": {"effort": "none"}"#, &[Need::ServiceTier]);
    }
}
