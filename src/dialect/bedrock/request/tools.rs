//! Tools and the choice among them, read and written.

use super::blocks::CachePointOut;
use super::read::foreign;
use super::write::Family;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::call::turn::Content;
use crate::dialect::bedrock::NAME;
use crate::dialect::bedrock::types::{self, Named};
use crate::dialect::honour::{Extras, invalid, own};
use crate::dialect::object::{Known, Object, read};
use crate::dialect::schema;
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads the tools that are offered. A cache breakpoint belongs to the function before it.
pub(super) fn read_tools(list: Vec<&RawValue>) -> Result<Vec<Tool>, Rejection> {
    let mut tools: Vec<Tool> = Vec::with_capacity(list.len());
    for raw in list {
        let Object { known: tool, unknown } =
            read::<Object<'_, types::Tool<'_>>>(raw).map_err(|error| at_fault(&error))?;
        let point = tool.cache_point.filter(|_| unknown.is_empty());
        match (point, tool.spec, tools.last_mut()) {
            (Some(point), _, Some(Tool::Function(function))) if function.cache.is_none() => {
                function.cache = Some(point.into());
            }
            (Some(_), ..) => tools.push(Tool::Foreign(foreign(Need::CacheControl, raw))),
            (None, Some(Object { known: spec, unknown: more }), _) if unknown.is_empty() && more.is_empty() => {
                let parameters = spec.schema.and_then(|Known(schema)| schema.json).map(Json::from);
                tools.push(Tool::Function(Function {
                    name: spec.name.ok_or_else(|| at_fault(&"a tool without a name"))?,
                    description: spec.description,
                    parameters,
                    strict: spec.strict,
                    cache: None,
                }));
            }
            (None, spec, _) => {
                let need = if spec.is_none() { Need::HostedTools } else { Need::UnknownMembers };
                tools.push(Tool::Foreign(foreign(need, raw)));
            }
        }
    }
    Ok(tools)
}

fn at_fault(error: &dyn std::fmt::Display) -> Rejection {
    invalid(format_args!("toolConfig.tools: {error}")).param("toolConfig")
}

/// Reads the choice among them.
pub(super) fn read_tool_choice(raw: &RawValue) -> Result<ToolChoice, Rejection> {
    let Object { known: choice, .. } = read::<Object<'_, types::ToolChoice<'_>>>(raw)
        .map_err(|error| invalid(format_args!("toolConfig.toolChoice: {error}")).param("toolConfig"))?;
    Ok(match choice {
        types::ToolChoice { auto: Some(_), any: None, tool: None } => ToolChoice::Auto,
        types::ToolChoice { auto: None, any: Some(_), tool: None } => ToolChoice::Required,
        types::ToolChoice { auto: None, any: None, tool: Some(Known(Named { name: Some(name) })) } => {
            ToolChoice::Named(name)
        }
        _ => ToolChoice::Foreign(foreign(Need::UnknownMembers, raw)),
    })
}

/// The tools as they are written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfigOut<'a> {
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    #[serde(rename_all = "camelCase")]
    Function {
        tool_spec: SpecOut<'a>,
    },
    Point(CachePointOut),
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: SchemaOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct SchemaOut<'a> {
    json: std::borrow::Cow<'a, Json>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolChoiceOut<'a> {
    Auto { auto: Nothing },
    Any { any: Nothing },
    Tool { tool: NamedOut<'a> },
    Foreign(&'a Json),
}

/// `{}`.
#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct NamedOut<'a> {
    name: &'a str,
}

/// The schema of a function without arguments, which the vendor wants to see said.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes the tools; none where the model may not call any, for which this dialect has no word but to offer none.
///
/// # Errors
/// `tool_choice` where none may be called and the conversation holds calls, whose tools the vendor wants to see;
/// `parallel_tool_calls` where one at a time is asked for; `tools` where calls are told of and no tools are offered;
/// `strict_tools` for a schema that is not closed.
pub(super) fn write_tools(call: &Call, family: Family) -> Result<Option<ToolConfigOut<'_>>, Refusal> {
    let is_own = call.dialect == NAME;
    let has_history = call
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .any(|part| matches!(part.content, Content::ToolCall(_) | Content::ToolResult { .. }));
    if !is_own && has_history && (call.tools.is_empty() || call.tool_choice == ToolChoice::None) {
        let reason = if call.tools.is_empty() { "tools" } else { "tool_choice" };
        return Err(Refusal::Capability(reason));
    }
    if call.tools.is_empty() || call.tool_choice == ToolChoice::None {
        return Ok(None);
    }
    if call.parallel_tools == Some(false) {
        return Err(Refusal::Capability("parallel_tool_calls"));
    }
    let mut tools = Vec::with_capacity(call.tools.len());
    for tool in &call.tools {
        match tool {
            Tool::Function(function) => {
                tools.push(write_function(function, is_own, family)?);
                tools.extend(function.cache.as_ref().map(|cache| ToolOut::Point(CachePointOut::of(cache))));
            }
            Tool::Foreign(foreign) => tools.push(ToolOut::Foreign(own(foreign, NAME)?)),
        }
    }
    let extras = Extras::within("toolConfig", &call.extras);
    Ok(Some(ToolConfigOut { tools, tool_choice: write_tool_choice(&call.tool_choice)?, extras }))
}

fn write_function<'a>(function: &'a Function, is_own: bool, family: Family) -> Result<ToolOut<'a>, Refusal> {
    let Function { name, description, parameters, strict, .. } = function;
    let is_closed = parameters.as_ref().is_none_or(schema::is_closed);
    if !is_own && *strict == Some(true) && (!is_closed || family != Family::Claude) {
        return Err(Refusal::Capability("strict_tools"));
    }
    let json = match parameters {
        Some(schema) => std::borrow::Cow::Borrowed(schema),
        None => std::borrow::Cow::Owned(Json::parse(NO_ARGUMENTS).unwrap_or_default()),
    };
    // most models know no such member, and not to be strict is what they do without it
    let strict = strict.filter(|strict| is_own || *strict);
    let description = description.as_deref().filter(|text| is_own || !text.is_empty());
    Ok(ToolOut::Function { tool_spec: SpecOut { name, description, input_schema: SchemaOut { json }, strict } })
}

fn write_tool_choice(choice: &ToolChoice) -> Result<Option<ToolChoiceOut<'_>>, Refusal> {
    Ok(match choice {
        ToolChoice::Unsaid | ToolChoice::None => None,
        ToolChoice::Auto => Some(ToolChoiceOut::Auto { auto: Nothing {} }),
        ToolChoice::Required => Some(ToolChoiceOut::Any { any: Nothing {} }),
        ToolChoice::Named(name) => Some(ToolChoiceOut::Tool { tool: NamedOut { name } }),
        ToolChoice::Foreign(foreign) => Some(ToolChoiceOut::Foreign(own(foreign, NAME)?)),
    })
}
