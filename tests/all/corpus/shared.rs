//! What both dialects can hold of a call and of a reply: what must be the same on both sides of a crossing.

use backstay::call::reply::{Finish, Reply};
use backstay::call::tool::{Tool, ToolCall, ToolChoice};
use backstay::call::turn::{Content, Part, Role, Source};
use backstay::call::usage::Usage;
use backstay::call::{Call, Format, ReasoningMode};
use backstay::dialect::Dialect;
use serde_json::Value;

/// One thing that was said, and by whom.
#[derive(Debug, PartialEq)]
enum Said {
    Text(Role, String),
    Image(Source),
    Document(Source),
    ToolCall(String, String, Value),
    ToolResult(String, String),
}

/// A tool's name, description, schema and strictness.
type SharedTool = (String, Option<String>, Option<Value>, Option<bool>);

#[derive(Debug, PartialEq)]
pub(super) struct SharedCall {
    system: Vec<String>,
    said: Vec<Said>,
    tools: Vec<SharedTool>,
    tool_choice: ToolChoice,
    one_tool_at_a_time: bool,
    max_tokens: u64,
    numbers: (Option<f64>, Option<f64>),
    stop: Vec<String>,
    user: Option<String>,
    schema: Option<Value>,
    thinks: bool,
    stream: bool,
    model: String,
}

/// What `dialect` can hold of a call.
pub(super) fn call(call: &Call, dialect: Dialect) -> SharedCall {
    let gemini = dialect == Dialect::Gemini;
    let one_tool_at_a_time = call.parallel_tools == Some(false) && call.tool_choice != ToolChoice::None;
    SharedCall {
        system: call
            .turns
            .iter()
            .filter(|turn| turn.is_system())
            .flat_map(|turn| &turn.parts)
            .map(|part| text(std::slice::from_ref(part)))
            .filter(|text| !text.is_empty())
            .collect(),
        said: numbered(
            call.turns.iter().filter(|turn| !turn.is_system()).flat_map(|turn| said(turn.role, &turn.parts)).collect(),
        ),
        // Gemini keeps every function to its schema, or none
        tools: call.tools.iter().filter_map(|offered| tool(offered, gemini)).collect(),
        tool_choice: match &call.tool_choice {
            ToolChoice::Unsaid if one_tool_at_a_time || gemini => ToolChoice::Auto,
            choice => choice.clone(),
        },
        one_tool_at_a_time,
        max_tokens: call.max_tokens.unwrap_or(4096),
        numbers: (call.temperature, call.top_p),
        stop: call.stop.clone(),
        // nothing of the answer depends on it, and Gemini has no place for it
        user: call.user.clone().filter(|_| !gemini),
        schema: match &call.format {
            Format::JsonSchema { schema, .. } => Some(closed(value(schema.text()))),
            Format::Text | Format::JsonObject => None,
        },
        thinks: call.reasoning.as_ref().is_some_and(|reasoning| match reasoning.mode {
            // whether to show thoughts, if there are any
            ReasoningMode::Off | ReasoningMode::Unsaid => reasoning.effort.is_some(),
            ReasoningMode::Adaptive | ReasoningMode::Budget(_) => true,
        }) && !ends_anothers_turn(call, dialect),
        // Gemini has both in its paths
        stream: call.stream && !gemini,
        model: if gemini { String::new() } else { call.model.clone() },
    }
}

/// Claude does not think with a budget where it ends a turn that it did not begin with thoughts of its own.
fn ends_anothers_turn(call: &Call, dialect: Dialect) -> bool {
    let claude = matches!(dialect, Dialect::Anthropic | Dialect::Bedrock) && call.dialect != dialect.name();
    let budget = call.reasoning.as_ref().is_some_and(|asked| matches!(asked.mode, ReasoningMode::Budget(_)));
    let turn = call.turns.iter().rfind(|turn| turn.role == Role::Assistant);
    let calls = turn.is_some_and(|turn| turn.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_))));
    let own = turn.and_then(|turn| turn.parts.first()).is_some_and(|part| match &part.content {
        Content::Thinking { signature: Some(seal), .. } => !seal.contains('~'),
        content => matches!(content, Content::RedactedThinking(_)),
    });
    claude && budget && calls && !own
}

/// Calls and their results by number: every vendor takes ids of its own form, and a result must find its call in all of them.
fn numbered(mut said: Vec<Said>) -> Vec<Said> {
    let mut ids: Vec<String> = Vec::new();
    for one in &mut said {
        if let Said::ToolCall(id, ..) | Said::ToolResult(id, _) = one {
            let known = ids.iter().position(|known| known == id);
            let number = known.unwrap_or(ids.len());
            if known.is_none() {
                ids.push(id.clone());
            }
            *id = number.to_string();
        }
    }
    said
}

/// Tool results first, then what is said, then tool calls: the order that every dialect can tell.
fn said(role: Role, parts: &[Part]) -> Vec<Said> {
    let mut said: Vec<Said> = parts.iter().filter_map(|part| one_said(role, &part.content)).collect();
    said.sort_by_key(|said| match said {
        Said::ToolResult(..) => 0,
        Said::Text(..) | Said::Image(_) | Said::Document(_) => 1,
        Said::ToolCall(..) => 2,
    });
    said
}

fn one_said(role: Role, content: &Content) -> Option<Said> {
    match content {
        Content::Text { text, .. } | Content::Refusal(text) => {
            (!text.is_empty()).then(|| Said::Text(role, text.clone()))
        }
        Content::Image { source, .. } => Some(Said::Image(source.clone())),
        Content::Document { source, .. } => Some(Said::Document(source.clone())),
        Content::ToolCall(ToolCall { id, name, arguments }) => {
            Some(Said::ToolCall(id.clone(), name.clone(), object(arguments)))
        }
        Content::ToolResult { id, parts, error } => {
            let prefix = if *error == Some(true) { "Error: " } else { "" };
            Some(Said::ToolResult(id.clone(), format!("{prefix}{}", text(parts))))
        }
        Content::Thinking { .. } | Content::RedactedThinking(_) | Content::Foreign(_) => None,
    }
}

fn text(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => text.as_str(),
            _ => "",
        })
        .collect()
}

fn tool(tool: &Tool, gemini: bool) -> Option<SharedTool> {
    let Tool::Function(function) = tool else { return None };
    let nothing = value(r#"{"type":"object","properties":{}}"#);
    let parameters = function.parameters.as_ref().map_or(nothing, |schema| value(schema.text()));
    let strict = function.strict.filter(|strict| *strict && !gemini);
    Some((function.name.clone(), function.description.clone(), Some(parameters), strict))
}

/// Arguments as dialects of objects tell them: what is no object is kept under one member (recording `4b99965cb2b72879`).
fn object(text: &str) -> Value {
    match value(text) {
        object @ Value::Object(_) => object,
        _ => serde_json::json!({ "_unparsed_arguments": text }),
    }
}

/// A schema without what says that no more is allowed than it names, as Gemini always means.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            members.remove("additionalProperties");
            members.values_mut().for_each(|value| *value = closed(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = closed(value.take())),
        _ => {}
    }
    schema
}

/// Arguments as they mean: nothing at all stands for no arguments.
fn value(text: &str) -> Value {
    if text.is_empty() { value("{}") } else { serde_json::from_str(text).unwrap_or_else(|_| text.into()) }
}

#[derive(Debug, PartialEq)]
pub(super) struct SharedReply {
    id: String,
    model: String,
    thoughts: String,
    text: String,
    tool_calls: Vec<(String, String, Value)>,
    finish: String,
    usage: Usage,
}

/// What a client of `dialect` can be told of a reply.
pub(super) fn reply(reply: &Reply, dialect: Dialect) -> SharedReply {
    let mut shared = SharedReply {
        id: reply.id.clone(),
        model: reply.model.clone(),
        thoughts: String::new(),
        text: String::new(),
        tool_calls: Vec::new(),
        finish: finish(&reply.finish, dialect),
        usage: usage(reply.usage.unwrap_or_default(), dialect),
    };
    for part in &reply.parts {
        match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => shared.text.push_str(text),
            Content::Thinking { text, .. } => shared.thoughts.push_str(text),
            Content::ToolCall(ToolCall { id, name, arguments }) => {
                shared.tool_calls.push((call_id(id, dialect), name.clone(), value(arguments)));
            }
            _ => {}
        }
    }
    shared
}

/// Anthropic's vendors take ids of a certain form alone, so its clients are told another for one that has another.
fn call_id(id: &str, dialect: Dialect) -> String {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let made =
        id.strip_prefix("call_").is_some_and(|hex| hex.len() == 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if dialect == Dialect::Anthropic && (!plain || made) { "another".to_owned() } else { id.to_owned() }
}

/// Gemini does not tell what was written to a cache; nobody is told for how long it is kept.
fn usage(usage: Usage, dialect: Dialect) -> Usage {
    let usage = Usage { written_1h: 0, ..usage };
    match dialect {
        Dialect::Gemini => Usage { fresh: usage.fresh + usage.written, written: 0, ..usage },
        _ => usage,
    }
}

/// The reasons that `dialect` cannot tell apart are one.
fn finish(finish: &Finish, dialect: Dialect) -> String {
    match (finish, dialect) {
        (
            Finish::StopSequence(_) | Finish::Pause,
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini,
        )
        // a call of a function is no reason of its own there
        | (Finish::ToolCalls, Dialect::OpenaiResponses | Dialect::Gemini)
        | (Finish::Other(_), _) => "Stop".to_owned(),
        (Finish::ContextWindow, Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini) => {
            "Length".to_owned()
        }
        (Finish::ContentFilter | Finish::Refusal(_), _) => "Refusal".to_owned(),
        (finish, _) => format!("{finish:?}"),
    }
}
