//! A [`Call`], written for a vendor. The model and whether to stream go into the path.

use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::{Function, Tool, ToolCall, ToolChoice};
use crate::call::turn::{Content, Part, Role, Turn};
use crate::call::{Call, Format};
use crate::dialect::gemini::request::config::{ConfigOut, has_levels, write_config};
use crate::dialect::gemini::request::parts::write_output;
use crate::dialect::gemini::types::{AnyPartOut, FunctionCallOut, FunctionResponseOut, PartOut};
use crate::dialect::gemini::{NAME, ids, media, seals};
use crate::dialect::honour::{Extras, arguments_object, own, own_extras, unmet};
use serde::Serialize;

/// Writes the body for a vendor. The client's name for its end user has no place here, and asks nothing of the answer.
///
/// # Errors
/// A refusal that names what this dialect cannot say.
pub(crate) fn write_call(call: &Call, model: &str) -> Result<Vec<u8>, Refusal> {
    Ok(serde_json::to_vec(&write_request(call, model)?).unwrap_or_default())
}

/// The body, which may lie in another.
pub(crate) fn write_request<'a>(call: &'a Call, model: &str) -> Result<RequestOut<'a>, Refusal> {
    own_extras(&call.extras, NAME)?;
    // A conversation has to have begun.
    if call.turns.iter().all(Turn::is_system) {
        return Err(Refusal::Capability("no_user_turn"));
    }
    // The model would carry the last turn on, where the client expects an answer to it.
    if call.ends_with_assistant() && call.dialect != NAME {
        return Err(unmet(Need::Prefill));
    }
    // Nothing here keeps the model from calling several functions at once.
    if call.parallel_tools == Some(false) && !call.tools.is_empty() && call.tool_choice != ToolChoice::None {
        return Err(Refusal::Capability("parallel_tools"));
    }
    // Models before Gemini 3 refuse functions beside an answer in JSON (recording `bc325db8275658b1`).
    if call.dialect != NAME && call.format != Format::Text && !call.tools.is_empty() && !has_levels(model) {
        return Err(unmet(Need::JsonSchema));
    }
    let mut writing = Writing { call, wants_seals: has_levels(model), names: Vec::new() };
    let (mut system, mut contents) = (Vec::new(), Vec::with_capacity(call.turns.len()));
    for turn in &call.turns {
        own_extras(&turn.extras, NAME)?;
        let parts = writing.parts(turn)?;
        match turn.role {
            Role::System | Role::Developer => system.extend(parts),
            _ if parts.is_empty() && turn.extras.is_empty() => {}
            role => {
                let role = if role == Role::Assistant { "model" } else { "user" };
                contents.push(ContentOut { role: Some(role), parts, extras: Extras::within("", &turn.extras) });
            }
        }
    }
    // turns of empty text alone are none
    if contents.is_empty() && call.dialect != NAME {
        return Err(Refusal::Capability("no_user_turn"));
    }
    let system = ContentOut { role: None, parts: system, extras: Extras::within("", &[]) };
    Ok(RequestOut {
        contents,
        system_instruction: (!system.parts.is_empty()).then_some(system),
        tools: write_tools(&call.tools)?,
        tool_config: write_tool_config(call)?,
        generation_config: write_config(call, model)?,
        extras: Extras::within("", &call.extras),
    })
}

/// The body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestOut<'a> {
    contents: Vec<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfigOut<'a>>,
    generation_config: ConfigOut<'a>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct ContentOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<AnyPartOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

/// A conversation as it is written.
struct Writing<'a> {
    call: &'a Call,
    /// The first function call of each turn must have a seal, or say that it has none
    /// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
    wants_seals: bool,
    /// The calls so far, by id: results are told by the function's name.
    names: Vec<(&'a str, &'a str)>,
}

impl<'a> Writing<'a> {
    fn parts(&mut self, turn: &'a Turn) -> Result<Vec<AnyPartOut<'a>>, Refusal> {
        if turn.name.is_some() {
            return Err(Refusal::Capability("name"));
        }
        let mut written = Vec::with_capacity(turn.parts.len());
        let (mut seal, mut called) = (None, false);
        for (place, part) in turn.parts.iter().enumerate() {
            let out = match &part.content {
                Content::Thinking { text, signature } => {
                    // the seal of another dialect is left out with its thoughts: nobody else reads it
                    let own = signature.as_deref().and_then(seals::own);
                    let follows = turn.parts.get(place + 1).is_some_and(takes_seal);
                    seal = own.filter(|_| follows);
                    // Thoughts without a seal are an echo of an answer; those of this dialect's own clients are kept.
                    let shown = !text.is_empty() && (own.is_some() || self.call.dialect == NAME);
                    match thoughts(text, shown, own.filter(|_| !follows)) {
                        Some(out) => out,
                        None => continue,
                    }
                }
                Content::Foreign(foreign) => {
                    written.push(AnyPartOut::Foreign(own(foreign, NAME)?));
                    continue;
                }
                Content::RedactedThinking(_) => continue,
                Content::Text { text, .. } if text.is_empty() => continue,
                content => {
                    let mut out = self.part(content)?;
                    let first_call = out.function_call.is_some() && !std::mem::replace(&mut called, true);
                    seal = seal.or((first_call && self.wants_seals).then_some(seals::NONE));
                    out.thought_signature = seal.take().map(Into::into);
                    out
                }
            };
            written.push(AnyPartOut::Own(Box::new(out)));
        }
        Ok(written)
    }

    /// A part that may be sealed.
    fn part(&mut self, content: &'a Content) -> Result<PartOut<'a>, Refusal> {
        Ok(match content {
            // Citations in the history are notes on an earlier answer, which nobody reads.
            Content::Text { text, .. } | Content::Refusal(text) => PartOut { text: Some(text), ..PartOut::default() },
            Content::Image { detail: Some(_), .. } => return Err(Refusal::Capability("image_detail")),
            Content::Image { source, .. } => media::write(source, None, Need::Images)?,
            Content::Document { source, title } => media::write(source, title.as_deref(), Need::Documents)?,
            Content::ToolCall(ToolCall { id, name, arguments }) => {
                self.names.push((id, name));
                let call = FunctionCallOut { id: ids::given(id), name, args: arguments_object(arguments) };
                PartOut { function_call: Some(call), ..PartOut::default() }
            }
            Content::ToolResult { id, parts, error } => {
                let response = self.result(id, parts, *error)?;
                PartOut { function_response: Some(response), ..PartOut::default() }
            }
            Content::RedactedThinking(_) | Content::Thinking { .. } => return Err(unmet(Need::SignedReasoning)),
            Content::Foreign(_) => return Err(unmet(Need::UnknownMembers)),
        })
    }

    fn result(
        &mut self,
        id: &'a str,
        parts: &'a [Part],
        error: Option<bool>,
    ) -> Result<FunctionResponseOut<'a>, Refusal> {
        // A result without its call has no name.
        let (_, name) = *self.names.iter().rfind(|(call, _)| *call == id).ok_or(Refusal::Capability("tool_result"))?;
        let (mut text, mut media) = (String::new(), Vec::new());
        for part in parts {
            match &part.content {
                Content::Text { text: more, .. } => text.push_str(more),
                Content::Foreign(foreign) => media.push(AnyPartOut::Foreign(own(foreign, NAME)?)),
                content => media.push(AnyPartOut::Own(Box::new(self.part(content)?))),
            }
        }
        Ok(FunctionResponseOut { id: ids::given(id), name, response: write_output(&text, error), parts: media })
    }
}

/// Whether a part takes the seal of the thoughts before it.
const fn takes_seal(part: &Part) -> bool {
    match &part.content {
        Content::Text { text, .. } => !text.is_empty(),
        content => !matches!(content, Content::Thinking { .. } | Content::Foreign(_)),
    }
}

/// Thoughts, or a seal that nothing follows.
fn thoughts<'a>(text: &'a str, shown: bool, seal: Option<&'a str>) -> Option<PartOut<'a>> {
    (shown || seal.is_some()).then(|| PartOut {
        text: Some(if shown { text } else { "" }),
        thought: shown.then_some(true),
        thought_signature: seal.map(Into::into),
        ..PartOut::default()
    })
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    Functions {
        #[serde(rename = "functionDeclarations")]
        functions: Vec<FunctionOut<'a>>,
    },
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Json>,
}

fn write_tools(tools: &[Tool]) -> Result<Vec<ToolOut<'_>>, Refusal> {
    let (mut functions, mut foreign) = (Vec::with_capacity(tools.len()), Vec::new());
    for tool in tools {
        match tool {
            Tool::Function(Function { name, description, parameters, .. }) => functions.push(FunctionOut {
                name,
                description: description.as_deref(),
                parameters_json_schema: parameters.as_ref(),
            }),
            Tool::Foreign(tool) => foreign.push(ToolOut::Foreign(own(tool, NAME)?)),
        }
    }
    let functions = (!functions.is_empty()).then_some(ToolOut::Functions { functions });
    Ok(functions.into_iter().chain(foreign).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfigOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_calling_config: Option<CallingOut<'a>>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum CallingOut<'a> {
    Own {
        mode: &'static str,
        #[serde(rename = "allowedFunctionNames", skip_serializing_if = "Option::is_none")]
        allowed: Option<[&'a str; 1]>,
    },
    Foreign(&'a Json),
}

/// A function that must be called keeps to its schema anyway; one that may be does so when that is demanded of any.
fn write_tool_config(call: &Call) -> Result<Option<ToolConfigOut<'_>>, Refusal> {
    let strict = |tool: &Tool| matches!(tool, Tool::Function(Function { strict: Some(true), .. }));
    let validated = call.tools.iter().any(strict);
    let plain = |mode| Some(CallingOut::Own { mode, allowed: None });
    let function_calling_config = match &call.tool_choice {
        ToolChoice::Unsaid | ToolChoice::Auto if validated => plain("VALIDATED"),
        ToolChoice::Unsaid => None,
        ToolChoice::Auto => plain("AUTO"),
        ToolChoice::None => plain("NONE"),
        ToolChoice::Required => plain("ANY"),
        ToolChoice::Named(name) => Some(CallingOut::Own { mode: "ANY", allowed: Some([name]) }),
        ToolChoice::Foreign(foreign) => Some(CallingOut::Foreign(own(foreign, NAME)?)),
    };
    let extras = Extras::within("toolConfig", &call.extras);
    let says_nothing = function_calling_config.is_none() && extras.is_empty();
    Ok((!says_nothing).then_some(ToolConfigOut { function_calling_config, extras }))
}
