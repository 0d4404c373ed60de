//! `generationConfig`: how the answer shall be.

use crate::base::rejection::{Refusal, Rejection};
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::{Call, Extra, Format, Reasoning, ReasoningMode, Sampling};
use crate::dialect::gemini::request::read::{foreign, inside};
use crate::dialect::gemini::types::{Config, Thinking};
use crate::dialect::gemini::{NAME, openapi};
use crate::dialect::honour::{Extras, invalid, within};
use crate::dialect::object::{Object, Text, plain};
use serde::Serialize;
use serde_json::value::RawValue;

/// What it says.
#[derive(Debug, Default)]
pub(super) struct Configured {
    pub(super) max_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) sampling: Sampling,
    pub(super) stop: Vec<String>,
    pub(super) format: Format,
    pub(super) reasoning: Option<Reasoning>,
    pub(super) extras: Vec<Extra>,
}

/// Where extras lie.
const WITHIN: &str = "generationConfig";

/// Reads it.
///
/// # Errors
/// A rejection of numbers out of range, and of a schema without its media type.
pub(super) fn read_config(config: Object<'_, Config<'_>>) -> Result<Configured, Rejection> {
    let Object { known: config, unknown } = config;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let reasoning = config.thinking.and_then(|Object { known, unknown }| {
        extras.extend(inside("thinkingConfig", Need::UnknownMembers, unknown));
        read_thinking(known)
    });
    Ok(Configured {
        max_tokens: config.max_tokens,
        temperature: within("temperature", config.temperature, 2.0)?,
        top_p: within("topP", config.top_p, 1.0)?,
        sampling: Sampling {
            // a float on this wire
            top_k: config.top_k.map(|top_k| top_k as u64),
            seed: config.seed,
            presence_penalty: config.presence_penalty.filter(|penalty| *penalty != 0.0),
            frequency_penalty: config.frequency_penalty.filter(|penalty| *penalty != 0.0),
        },
        stop: config.stop.unwrap_or_default(),
        format: read_format(config.mime_type, config.schema, config.json_schema, &mut extras)?,
        reasoning,
        extras,
    })
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, plain(value).to_ascii_uppercase().as_str()) {
        ("candidateCount" | "candidate_count", "1")
        | ("responseLogprobs" | "response_logprobs", "FALSE")
        | ("responseModalities" | "response_modalities", r#"["TEXT"]"# | "[]") => return None,
        ("candidateCount" | "candidate_count", _) => Need::Choices,
        ("responseLogprobs" | "response_logprobs" | "logprobs", _) => Need::Logprobs,
        ("responseModalities" | "response_modalities", list) if list.contains("AUDIO") => Need::Audio,
        ("speechConfig" | "speech_config", _) => Need::Audio,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: WITHIN, member: member.to_owned(), value: foreign(need, value.into()) })
}

fn read_format(
    mime_type: Option<Text<'_>>,
    openapi: Option<&RawValue>,
    json_schema: Option<&RawValue>,
    extras: &mut Vec<Extra>,
) -> Result<Format, Rejection> {
    let schema = json_schema.or(openapi).map(|schema| openapi::answer(schema.get()));
    match (mime_type.as_ref().map_or("", |Text(mime_type)| mime_type), schema) {
        ("application/json", None) => Ok(Format::JsonObject),
        ("application/json", Some(schema)) => {
            Ok(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        ("" | "text/plain", None) => Ok(Format::Text),
        ("" | "text/plain", Some(_)) => {
            Err(invalid("responseMimeType: a schema needs `application/json`").param("generationConfig"))
        }
        (other, schema) => {
            let mime_type = Json::parse(&serde_json::Value::from(other).to_string()).unwrap_or_default();
            let odd = |member: &str, json| Extra {
                within: WITHIN,
                member: member.to_owned(),
                value: foreign(Need::JsonSchema, json),
            };
            extras.push(odd("responseMimeType", mime_type));
            extras.extend(schema.map(|schema| odd("responseJsonSchema", schema)));
            Ok(Format::Text)
        }
    }
}

/// Thoughts are kept back unless they are asked for; so to say that they be kept back asks for nothing.
fn read_thinking(thinking: Thinking) -> Option<Reasoning> {
    let mode = match (thinking.budget, &thinking.level) {
        (Some(0), _) => ReasoningMode::Off,
        (Some(budget), _) => u64::try_from(budget).map_or(ReasoningMode::Adaptive, ReasoningMode::Budget),
        (None, Some(_)) => ReasoningMode::Adaptive,
        (None, None) => ReasoningMode::Unsaid,
    };
    let display = thinking.include.map(|include| if include { SHOWN } else { HIDDEN }.to_owned());
    let effort = thinking.level.map(|level| level.to_ascii_lowercase());
    let asks = mode != ReasoningMode::Unsaid || display.as_deref() == Some(SHOWN);
    asks.then_some(Reasoning { mode, effort, display })
}

/// The words that Anthropic has for thoughts that are shown, and that are kept back.
const SHOWN: &str = "summarized";
const HIDDEN: &str = "omitted";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
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
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

/// As the API's description says of `stopSequences`.
const MOST_STOPS: usize = 5;

/// Writes it.
///
/// # Errors
/// A refusal of what it has no form for.
pub(super) fn write_config<'a>(call: &'a Call, model: &str) -> Result<ConfigOut<'a>, Refusal> {
    if call.dialect != NAME && call.stop.len() > MOST_STOPS {
        return Err(Refusal::Capability("stop"));
    }
    let (response_mime_type, response_json_schema) = match &call.format {
        Format::Text => (None, None),
        Format::JsonObject => (Some("application/json"), None),
        Format::JsonSchema { schema, .. } => (Some("application/json"), Some(schema)),
    };
    Ok(ConfigOut {
        max_output_tokens: call.max_tokens,
        temperature: call.temperature,
        top_p: call.top_p,
        top_k: call.sampling.top_k,
        seed: call.sampling.seed,
        presence_penalty: call.sampling.presence_penalty,
        frequency_penalty: call.sampling.frequency_penalty,
        stop_sequences: &call.stop,
        response_mime_type,
        response_json_schema,
        thinking_config: write_thinking(call, model),
        extras: Extras::within(WITHIN, &call.extras),
    })
}

fn write_thinking<'a>(call: &'a Call, model: &str) -> Option<ThinkingOut<'a>> {
    use ReasoningMode::{Adaptive, Budget, Off, Unsaid};
    let extras = Extras::within("thinkingConfig", &call.extras);
    let Some(reasoning) = &call.reasoning else {
        let bare = ThinkingOut { thinking_budget: None, thinking_level: None, include_thoughts: None, extras };
        return (!extras.is_empty()).then_some(bare);
    };
    let by_level = has_levels(model) || call.dialect == NAME;
    let (thinking_budget, thinking_level) = match (reasoning.mode, reasoning.effort.as_deref()) {
        (Off, _) => (Some(0), None),
        (Budget(budget), _) => (i64::try_from(budget).ok(), None),
        (Adaptive | Unsaid, Some(effort)) if by_level => (None, Some(level_of(effort))),
        (Adaptive | Unsaid, Some(effort)) => (Some(budget_of(effort)), None),
        (Adaptive, None) => (Some(-1), None),
        (Unsaid, None) => (None, None),
    };
    // where Anthropic's models think, their thoughts are shown unless the client says otherwise
    let shown = call.dialect == "anthropic" && matches!(reasoning.mode, Adaptive | Budget(_));
    let include_thoughts = match reasoning.display.as_deref() {
        Some(display) => Some(display != HIDDEN),
        None => shown.then_some(true),
    };
    Some(ThinkingOut { thinking_budget, thinking_level, include_thoughts, extras })
}

/// Whether a model is told how much to think by a level: all since Gemini 3. Those before know a budget of tokens alone
/// (<https://ai.google.dev/gemini-api/docs/thinking>).
pub(super) fn has_levels(model: &str) -> bool {
    !["gemini-1", "gemini-2"].iter().any(|old| model.contains(old))
}

/// The level in this dialect's words, whose most is `HIGH`.
fn level_of(effort: &str) -> String {
    match effort {
        "xhigh" | "max" => "HIGH".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

/// The budgets that Google's own endpoint of OpenAI's dialect gives for an effort
/// (<https://ai.google.dev/gemini-api/docs/openai>).
fn budget_of(effort: &str) -> i64 {
    match effort {
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        _ => 24_576,
    }
}
