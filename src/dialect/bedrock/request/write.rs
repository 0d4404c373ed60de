//! A [`Call`], written for a vendor. The model and whether to stream stand in the path, not here.

use super::blocks::{BlockOut, Blocks, CachePointOut};
use super::options::{
    AdditionalOut, MetadataOut, OutputConfigOut, write_additional, write_metadata, write_output_config,
};
use super::tools::{ToolConfigOut, write_tools};
use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::ToolChoice;
use crate::call::turn::{Role, Turn};
use crate::call::{Call, Extra, ReasoningMode};
use crate::dialect::bedrock::NAME;
use crate::dialect::honour::{Extras, own_extras, unmet};
use serde::Serialize;

/// Whose model it is, as far as it matters to what it takes beyond what all models share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect::bedrock) enum Family {
    Claude,
    Nova,
    Other,
}

impl Family {
    /// By the id of a model or inference profile, or an ARN that holds one.
    pub(super) fn of(model: &str) -> Self {
        match model {
            _ if model.contains("anthropic.claude") => Self::Claude,
            _ if model.contains("amazon.nova") => Self::Nova,
            _ => Self::Other,
        }
    }
}

/// Writes the body for a vendor's `model`.
///
/// # Errors
/// A refusal that names what this dialect, or this model in it, cannot say.
pub(crate) fn write_call(call: &Call, model: &str) -> Result<Vec<u8>, Refusal> {
    let family = Family::of(model);
    refuse_unsayable(call, family)?;
    let (system, messages) = write_turns(call, family)?;
    let inference = InferenceOut {
        max_tokens: call.max_tokens,
        temperature: call.temperature,
        top_p: call.top_p,
        stop_sequences: &call.stop,
        top_k: top_k(call).filter(|_| family == Family::Nova),
        extras: Extras::within("inferenceConfig", &call.extras),
    };
    let own_members: &[Extra] = if call.dialect == NAME { &call.extras } else { &[] };
    let request = RequestOut {
        system,
        messages,
        inference_config: (!inference.says_nothing()).then_some(inference),
        tool_config: write_tools(call, family)?,
        additional_model_request_fields: write_additional(call, family)?,
        output_config: write_output_config(call, family)?,
        request_metadata: write_metadata(call),
        extras: Extras::within("", own_members),
    };
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

/// What no member of this dialect could say.
fn refuse_unsayable(call: &Call, family: Family) -> Result<(), Refusal> {
    if call.dialect == NAME {
        return own_extras(&call.extras, NAME);
    }
    if let Some(extra) = call.extras.iter().find(|extra| !is_top_k(extra)) {
        return Err(unmet(extra.value.need));
    }
    if top_k(call).is_some() && family == Family::Other {
        return Err(unmet(Need::TopK));
    }
    if call.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(Refusal::Capability("temperature"));
    }
    if call.stop.iter().any(|text| text.trim().is_empty()) {
        return Err(Refusal::Capability("stop"));
    }
    let thinks = call.reasoning.as_ref().is_some_and(|reasoning| reasoning.mode == ReasoningMode::Adaptive);
    if thinks && family == Family::Claude {
        // while it thinks, Claude takes neither a forced tool nor another temperature than its own
        if matches!(call.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(Refusal::Capability("tool_choice"));
        }
        if call.temperature.is_some_and(|temperature| temperature < 1.0) {
            return Err(Refusal::Capability("temperature"));
        }
    }
    // the vendor wants the user to speak first
    if call.turns.iter().find(|turn| !turn.is_system()).is_none_or(|turn| turn.role != Role::User) {
        return Err(Refusal::Capability("no_user_turn"));
    }
    if call.ends_with_assistant() && (!call.prefill || family != Family::Claude) {
        return Err(unmet(Need::Prefill));
    }
    Ok(())
}

fn is_top_k(extra: &Extra) -> bool {
    extra.within.is_empty() && extra.member == "top_k" && extra.value.need == Need::TopK
}

/// Another dialect's `top_k`, which is a number there too.
pub(super) fn top_k(call: &Call) -> Option<&Json> {
    call.extras.iter().find(|extra| call.dialect != NAME && is_top_k(extra)).map(|extra| &extra.value.json)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<BlockOut<'a>>,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference_config: Option<InferenceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfigOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<AdditionalOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfigOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_metadata: Option<MetadataOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Json>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

impl InferenceOut<'_> {
    fn says_nothing(&self) -> bool {
        let numbers = self.max_tokens.is_none() && self.temperature.is_none() && self.top_p.is_none();
        numbers && self.stop_sequences.is_empty() && self.top_k.is_none() && self.extras.is_empty()
    }
}

/// The system text, and the conversation, in which the two speakers take turns: the vendor refuses it otherwise.
fn write_turns(call: &Call, family: Family) -> Result<(Vec<BlockOut<'_>>, Vec<MessageOut<'_>>), Refusal> {
    let is_own = call.dialect == NAME;
    let mut writer = Blocks::new(is_own, family);
    let mut system = Vec::new();
    let mut messages: Vec<MessageOut<'_>> = Vec::with_capacity(call.turns.len());
    for turn in &call.turns {
        own_extras(&turn.extras, NAME)?;
        if turn.name.is_some() {
            return Err(Refusal::Capability("name"));
        }
        let mut content = writer.turn(&turn.parts)?;
        if turn.is_system() {
            system.append(&mut content);
            continue;
        }
        let role = role(turn);
        match messages.last_mut() {
            _ if content.is_empty() && !is_own => {}
            Some(last) if last.role == role && !is_own => last.content.append(&mut content),
            _ => messages.push(MessageOut { role, content, extras: Extras::within("", &turn.extras) }),
        }
    }
    if let (Some(cache), Some(last)) = (&call.cache, messages.last_mut()) {
        last.content.push(BlockOut::Point(CachePointOut::of(cache)));
    }
    Ok((system, messages))
}

const fn role(turn: &Turn) -> &'static str {
    match turn.role {
        Role::Assistant => "assistant",
        Role::User | Role::System | Role::Developer => "user",
    }
}
