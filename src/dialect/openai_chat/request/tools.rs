//! Tools and what is said of their use, written for a vendor.

use crate::base::rejection::Refusal;
use crate::call::Call;
use crate::call::json::Json;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::dialect::honour::own;
use crate::dialect::openai_chat::NAME;
use crate::dialect::profile::quirks::{Member, Quirks};
use crate::dialect::schema;
use serde::Serialize;

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolOut<'a> {
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: FunctionOut<'a>,
    },
    Foreign(&'a Json),
}

#[derive(Serialize)]
pub(super) struct FunctionOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

pub(super) fn write_tool<'a>(quirks: &Quirks, tool: &'a Tool, call: &Call) -> Result<ToolOut<'a>, Refusal> {
    match tool {
        Tool::Function(Function { name, description, parameters, strict, cache: _ }) => {
            let kept = || parameters.as_ref().is_none_or(schema::requires_all);
            if call.dialect != NAME && *strict == Some(true) && quirks.strict_schemas && !kept() {
                return Err(Refusal::Capability("strict_tools"));
            }
            let (description, parameters) = (description.as_deref(), parameters.as_ref());
            let function = FunctionOut { name, description, parameters, strict: *strict };
            Ok(ToolOut::Function { kind: "function", function })
        }
        Tool::Foreign(foreign) => own(foreign, NAME).map(ToolOut::Foreign),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolChoiceOut<'a> {
    Word(&'static str),
    Named {
        #[serde(rename = "type")]
        kind: &'static str,
        function: NamedOut<'a>,
    },
    Foreign(&'a Json),
}

#[derive(Serialize)]
pub(super) struct NamedOut<'a> {
    name: &'a str,
}

pub(super) fn write_tool_choice<'a>(
    quirks: &Quirks,
    choice: &'a ToolChoice,
) -> Result<Option<ToolChoiceOut<'a>>, Refusal> {
    let forced = !matches!(choice, ToolChoice::Unsaid | ToolChoice::Auto | ToolChoice::None);
    if forced && quirks.refused_members.has(Member::ForcedTools) {
        return Err(Refusal::Capability(Member::ForcedTools.name()));
    }
    Ok(match choice {
        ToolChoice::Unsaid => None,
        ToolChoice::Auto => Some(ToolChoiceOut::Word("auto")),
        ToolChoice::None => Some(ToolChoiceOut::Word("none")),
        ToolChoice::Required => Some(ToolChoiceOut::Word("required")),
        ToolChoice::Named(name) => Some(ToolChoiceOut::Named { kind: "function", function: NamedOut { name } }),
        ToolChoice::Foreign(foreign) => Some(ToolChoiceOut::Foreign(own(foreign, NAME)?)),
    })
}

/// Several calls at once are what every vendor may do unless it is told not to.
pub(super) fn write_parallel_tools(quirks: &Quirks, call: &Call) -> Result<Option<bool>, Refusal> {
    match call.parallel_tools.filter(|_| !call.tools.is_empty()) {
        Some(false) if quirks.refused_members.has(Member::ParallelToolCalls) => {
            Err(Refusal::Capability(Member::ParallelToolCalls.name()))
        }
        told => Ok(told.filter(|_| !quirks.refused_members.has(Member::ParallelToolCalls))),
    }
}
