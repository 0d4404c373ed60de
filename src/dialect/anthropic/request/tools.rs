//! Tools and what is said of their use, written for a vendor.

use crate::base::rejection::Refusal;
use crate::call::Call;
use crate::call::json::Json;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::dialect::anthropic::NAME;
use crate::dialect::honour::own;
use crate::dialect::schema;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolOut<'a> {
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

pub(super) fn write_tool(tool: &Tool) -> Result<ToolOut<'_>, Refusal> {
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
pub(super) enum ToolChoiceOut<'a> {
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

pub(super) fn write_tool_choice(call: &Call) -> Result<Option<ToolChoiceOut<'_>>, Refusal> {
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
