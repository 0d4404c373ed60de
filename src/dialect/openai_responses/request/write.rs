//! A [`Call`], written for a vendor.

use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolChoice};
use crate::call::{Call, Format, Reasoning, ReasoningMode, Sampling};
use crate::dialect::honour::{Extras, effort, own, own_extras, unmet};
use crate::dialect::openai_responses::request::turns::{ItemOut, write_turns};
use crate::dialect::openai_responses::{NAME, namespace};
use crate::dialect::{Dialect, schema};
use serde::Serialize;

/// Writes the body for a vendor, which is told to keep nothing of a call of another dialect: nobody asked for that there, and
/// here silence would mean yes. A client of this dialect says for itself what is kept.
///
/// # Errors
/// A refusal that names what this dialect cannot say.
pub(crate) fn write_call(call: &Call, model: &str) -> Result<Vec<u8>, Refusal> {
    own_extras(&call.extras, NAME)?;
    if !call.stop.is_empty() {
        return Err(Refusal::Capability("stop"));
    }
    // There are no members for these, and a need for each of them was asked before.
    debug_assert_eq!(call.sampling, Sampling::default());
    let crossing = call.dialect != NAME;
    if crossing && call.max_tokens.is_some_and(|most| most < LEAST_TOKENS) {
        return Err(Refusal::Capability("max_tokens"));
    }
    let thinks = call.reasoning.as_ref().is_some_and(|reasoning| reasoning.mode != ReasoningMode::Off);
    let request = RequestOut {
        model,
        input: write_turns(call)?,
        tools: write_tools(call)?,
        tool_choice: write_tool_choice(&call.tool_choice)?,
        parallel_tool_calls: call.parallel_tools.filter(|_| !call.tools.is_empty()),
        max_output_tokens: call.max_tokens,
        temperature: call.temperature,
        top_p: call.top_p,
        text: write_text(call)?,
        reasoning: write_reasoning(call),
        user: call.user.as_deref(),
        stream: call.stream.then_some(true),
        store: crossing.then_some(false),
        // Without it the thoughts of an answer that is not kept could not be sent back.
        include: (crossing && thinks).then_some(["reasoning.encrypted_content"]),
        extras: Extras::within("", &call.extras),
        hints: Extras::within("", if crossing { &[] } else { &call.hints }),
    };
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

/// The vendor refuses a lower cap (recording `1fdba142a3b8ad60`).
const LEAST_TOKENS: u64 = 16;

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    input: Vec<ItemOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(flatten)]
    extras: Extras<'a>,
    #[serde(flatten)]
    hints: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Option<&'a Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
    Namespace {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'a str,
        description: &'static str,
        tools: Vec<Self>,
    },
    Foreign(&'a Json),
}

/// The tools, those of a namespace within it.
fn write_tools(call: &Call) -> Result<Vec<ToolOut<'_>>, Refusal> {
    let mut written: Vec<ToolOut<'_>> = Vec::with_capacity(call.tools.len());
    for tool in &call.tools {
        let out = write_tool(tool, call)?;
        let namespace = match tool {
            Tool::Function(function) => namespace::split(&function.name).0,
            Tool::Foreign(_) => None,
        };
        match (namespace, written.last_mut()) {
            (None, _) => written.push(out),
            (Some(namespace), Some(ToolOut::Namespace { name, tools, .. })) if *name == namespace => tools.push(out),
            (Some(name), _) => {
                written.push(ToolOut::Namespace { kind: "namespace", name, description: "", tools: vec![out] });
            }
        }
    }
    Ok(written)
}

/// A tool. Here a function is strict unless it is said not to be, elsewhere the other way round.
fn write_tool<'a>(tool: &'a Tool, call: &Call) -> Result<ToolOut<'a>, Refusal> {
    match tool {
        Tool::Function(Function { name, description, parameters, strict, cache: _ }) => {
            let crossing = call.dialect != NAME;
            if crossing && *strict == Some(true) && !parameters.as_ref().is_none_or(schema::requires_all) {
                return Err(Refusal::Capability("strict_tools"));
            }
            let (_, name) = namespace::split(name);
            let strict = strict.or(crossing.then_some(false));
            let (description, parameters) = (description.as_deref(), parameters.as_ref());
            Ok(ToolOut::Function { kind: "function", name, description, parameters, strict })
        }
        Tool::Foreign(foreign) => own(foreign, NAME).map(ToolOut::Foreign),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolChoiceOut<'a> {
    Word(&'static str),
    Named {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'a str,
    },
    Foreign(&'a Json),
}

fn write_tool_choice(choice: &ToolChoice) -> Result<Option<ToolChoiceOut<'_>>, Refusal> {
    Ok(match choice {
        ToolChoice::Unsaid => None,
        ToolChoice::Auto => Some(ToolChoiceOut::Word("auto")),
        ToolChoice::None => Some(ToolChoiceOut::Word("none")),
        ToolChoice::Required => Some(ToolChoiceOut::Word("required")),
        ToolChoice::Named(name) => Some(ToolChoiceOut::Named { kind: "function", name }),
        ToolChoice::Foreign(foreign) => Some(ToolChoiceOut::Foreign(own(foreign, NAME)?)),
    })
}

#[derive(Serialize)]
struct TextOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FormatOut<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

fn write_text(call: &Call) -> Result<Option<TextOut<'_>>, Refusal> {
    let format = match &call.format {
        Format::Text => None,
        Format::JsonObject => Some(FormatOut::JsonObject),
        Format::JsonSchema { name, description, schema, strict } => {
            // OpenAI's clients may ask for a schema that is not kept to the letter; the others have no such word.
            let openais = [NAME, Dialect::OpenaiChat.name()].contains(&call.dialect);
            let strict = strict.or((!openais).then_some(true));
            // Strict schemas here must require every property (recording `f1693f7096750a84`); elsewhere they need not.
            if call.dialect != NAME && strict == Some(true) && !schema::requires_all(schema) {
                return Err(unmet(Need::JsonSchema));
            }
            let (name, description) = (name.as_deref().unwrap_or("answer"), description.as_deref());
            Some(FormatOut::JsonSchema { name, description, schema, strict })
        }
    };
    let extras = Extras::within("text", &call.extras);
    Ok((format.is_some() || !extras.is_empty()).then_some(TextOut { format, extras }))
}

#[derive(Serialize)]
struct ReasoningOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

fn write_reasoning(call: &Call) -> Option<ReasoningOut<'_>> {
    let effort = call.reasoning.as_ref().and_then(effort);
    let summary = call.reasoning.as_ref().and_then(|reasoning| write_summary(reasoning, call));
    let extras = Extras::within("reasoning", &call.extras);
    (effort.is_some() || summary.is_some() || !extras.is_empty()).then_some(ReasoningOut { effort, summary, extras })
}

/// How thoughts are to be shown: only where the client asks for it, since OpenAI gives summaries to verified
/// organisations alone.
fn write_summary<'a>(reasoning: &'a Reasoning, call: &Call) -> Option<&'a str> {
    match reasoning.display.as_deref() {
        display if call.dialect == NAME => display,
        Some("summarized") => Some("auto"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai_responses::request::read::read_call;
    use serde_json::{Value, json};

    #[test]
    fn a_call_written_anew_says_what_its_client_said_and_no_more() {
        for members in [
            json!({}),
            json!({"store": false}),
            json!({"store": true}),
            json!({"reasoning": {"effort": "low"}}),
            json!({"store": false, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}),
            json!({"metadata": {"team": "a"}, "prompt_cache_key": "k", "client_metadata": {"b": "c"}}),
            json!({"background": true, "service_tier": "flex", "text": {"verbosity": "low"}, "truncation": "auto"}),
        ] {
            let mut body = json!({"model": "m", "input": [{"role": "user", "content": "hi"}]});
            for (name, value) in members.as_object().expect("an object") {
                body[name] = value.clone();
            }
            let call = read_call(body.to_string().as_bytes()).expect("a call");
            let written: Value = serde_json::from_slice(&write_call(&call, "m").expect("words")).expect("JSON");
            assert_eq!(written, body);
        }
    }
}
