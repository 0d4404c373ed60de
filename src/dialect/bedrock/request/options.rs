//! What is asked beside the conversation: reasoning, the form of the answer, whose call it is.

use super::write::{Family, top_k};
use crate::base::hash::Digest;
use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::{Call, Format, Reasoning, ReasoningMode};
use crate::dialect::bedrock::NAME;
use crate::dialect::honour::{Extras, may_think, unmet};
use crate::dialect::schema;
use serde::Serialize;
use std::borrow::Cow;

/// What the model's own maker takes.
#[derive(Default, Serialize)]
pub(super) struct AdditionalOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<EffortOut<'a>>,
    #[serde(rename = "reasoningConfig", skip_serializing_if = "Option::is_none")]
    nova: Option<NovaOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Json>,
    #[serde(flatten)]
    extras: Option<Extras<'a>>,
}

#[derive(Serialize)]
pub(super) struct ThinkingOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
pub(super) struct EffortOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

/// Recording `10f8d3d2e173b88e`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NovaOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_reasoning_effort: Option<&'a str>,
}

/// What the model's own maker takes, where the call asks for any of it.
///
/// # Errors
/// `reasoning` where this maker's models cannot be asked for it in these words.
pub(super) fn write_additional(call: &Call, family: Family) -> Result<Option<AdditionalOut<'_>>, Refusal> {
    let extras = Extras::within("additionalModelRequestFields", &call.extras);
    let top_k = top_k(call).filter(|_| family == Family::Claude);
    let mut out = AdditionalOut { top_k, extras: Some(extras), ..AdditionalOut::default() };
    let asks = match (&call.reasoning, family) {
        (None, _) => false,
        (Some(reasoning), Family::Claude) => claude(reasoning, call, &mut out),
        (Some(reasoning), Family::Nova) => nova(reasoning, &mut out)?,
        (Some(reasoning), Family::Other) => other(reasoning, &mut out)?,
    };
    Ok((asks || top_k.is_some() || !extras.is_empty()).then_some(out))
}

fn claude<'a>(reasoning: &'a Reasoning, call: &'a Call, out: &mut AdditionalOut<'a>) -> bool {
    let (kind, budget_tokens) = match reasoning.mode {
        ReasoningMode::Unsaid => (None, None),
        _ if !may_think(call) => (None, None),
        ReasoningMode::Off => (Some("disabled"), None),
        ReasoningMode::Adaptive => (Some("adaptive"), None),
        ReasoningMode::Budget(budget) => (Some("enabled"), Some(budget)),
    };
    let (display, extras) = (reasoning.display.as_deref(), Extras::within("thinking", &call.extras));
    out.thinking = kind.map(|kind| ThinkingOut { kind, budget_tokens, display, extras });
    let effort = reasoning.effort.as_deref().map(|effort| if effort == "minimal" { "low" } else { effort });
    let extras = Extras::within("output_config", &call.extras);
    out.output_config = (effort.is_some() || !extras.is_empty()).then_some(EffortOut { effort, extras });
    out.thinking.is_some() || out.output_config.is_some()
}

fn nova(reasoning: &Reasoning, out: &mut AdditionalOut<'_>) -> Result<bool, Refusal> {
    out.nova = Some(match (reasoning.mode, reasoning.effort.as_deref()) {
        (ReasoningMode::Budget(_), _) => return Err(unmet(Need::Reasoning)),
        (ReasoningMode::Off, _) => NovaOut { kind: "disabled", max_reasoning_effort: None },
        (ReasoningMode::Unsaid | ReasoningMode::Adaptive, effort) => {
            let effort = match effort {
                Some("minimal" | "low") => "low",
                None | Some("medium") => "medium",
                Some(_) => "high",
            };
            NovaOut { kind: "enabled", max_reasoning_effort: Some(effort) }
        }
    });
    Ok(true)
}

/// gpt-oss takes the word itself (recordings `e5aa6b571698dcf2`, `3e8e7ef25a9146f1`); others take none.
fn other<'a>(reasoning: &'a Reasoning, out: &mut AdditionalOut<'a>) -> Result<bool, Refusal> {
    match (reasoning.mode, reasoning.effort.as_deref()) {
        (ReasoningMode::Unsaid | ReasoningMode::Adaptive, effort @ Some("low" | "medium" | "high")) => {
            out.reasoning_effort = effort;
            Ok(true)
        }
        (ReasoningMode::Off, _) => Ok(false),
        _ => Err(unmet(Need::Reasoning)),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfigOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormatOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
pub(super) struct TextFormatOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: StructureOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StructureOut<'a> {
    json_schema: SchemaOut<'a>,
}

#[derive(Serialize)]
pub(super) struct SchemaOut<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// The form of the answer, where it is to be JSON.
///
/// # Errors
/// `json_schema` where the model would refuse the schema, `json_object` which has no word here.
pub(super) fn write_output_config(call: &Call, family: Family) -> Result<Option<OutputConfigOut<'_>>, Refusal> {
    let text_format = match &call.format {
        Format::Text => None,
        Format::JsonObject => return Err(unmet(Need::JsonObject)),
        Format::JsonSchema { schema, .. }
            if call.dialect != NAME && (family != Family::Claude || !schema::is_closed(schema)) =>
        {
            return Err(unmet(Need::JsonSchema));
        }
        Format::JsonSchema { schema, name, description, .. } => {
            let json_schema =
                SchemaOut { schema: schema.text(), name: name.as_deref(), description: description.as_deref() };
            Some(TextFormatOut { kind: "json_schema", structure: StructureOut { json_schema } })
        }
    };
    let extras = Extras::within("outputConfig", &call.extras);
    Ok((text_format.is_some() || !extras.is_empty()).then_some(OutputConfigOut { text_format, extras }))
}

#[derive(Serialize)]
pub(super) struct MetadataOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Cow<'a, str>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

/// Longest value that the vendor takes here, and what it may hold beside letters, digits and blanks (API reference,
/// `requestMetadata`).
const METADATA_BYTES: usize = 256;
const METADATA_MARKS: &str = ":_@$#=/+,-.";

/// The end user's id; one that the vendor would refuse is told by its digest, by which end users differ as well.
pub(super) fn write_metadata(call: &Call) -> Option<MetadataOut<'_>> {
    let extras = Extras::within("requestMetadata", &call.extras);
    let fits = |id: &str| {
        id.len() <= METADATA_BYTES
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || METADATA_MARKS.contains(c))
    };
    let user_id = call
        .user
        .as_deref()
        .map(|id| if fits(id) { Cow::Borrowed(id) } else { Cow::Owned(Digest::plain(id.as_bytes()).to_string()) });
    (user_id.is_some() || !extras.is_empty()).then_some(MetadataOut { user_id, extras })
}
