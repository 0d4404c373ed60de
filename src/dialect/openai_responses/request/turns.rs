//! The conversation, written for a vendor: turns as items.

use crate::base::rejection::Refusal;
use crate::call::Call;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::seal;
use crate::call::tool::ToolCall;
use crate::call::turn::{Content, Part, Role, Source, Turn};
use crate::dialect::call_ids;
use crate::dialect::honour::{Extras, own, own_extras, unmet};
use crate::dialect::object::{Kind, Text, read_known};
use crate::dialect::openai_responses::{NAME, namespace};
use serde::Serialize;
use std::borrow::Cow;

/// Items in the shapes that every vendor of this dialect takes: a message without `type`, calls without item ids.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ItemOut<'a> {
    Message {
        role: &'static str,
        content: ContentOut<'a>,
        #[serde(flatten)]
        extras: Extras<'a>,
    },
    Own(OwnItemOut<'a>),
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OwnItemOut<'a> {
    Reasoning {
        summary: Vec<PartOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: ContentOut<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ContentOut<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<AnyPartOut<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum AnyPartOut<'a> {
    Own(PartOut<'a>),
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum PartOut<'a> {
    InputText {
        text: &'a str,
    },
    OutputText {
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        annotations: Vec<&'a Json>,
    },
    SummaryText {
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
    InputImage {
        image_url: Cow<'a, str>,
        detail: &'a str,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
    },
}

/// The conversation as items.
pub(super) fn write_turns(call: &Call) -> Result<Vec<ItemOut<'_>>, Refusal> {
    let mut items = Vec::with_capacity(call.turns.len());
    for turn in &call.turns {
        own_extras(&turn.extras, NAME)?;
        // The model tells speakers apart by their names, and there is no member for them.
        if turn.name.is_some() {
            return Err(Refusal::Capability("name"));
        }
        let before = items.len();
        let mut message = Vec::new();
        for part in &turn.parts {
            if let Some(item) = write_item(part, call)? {
                close(turn, &mut message, &mut items);
                items.push(item);
            } else {
                message.extend(write_part(part, turn.role)?);
            }
        }
        // A speaker who says nothing still takes a turn; thoughts that are left out do not.
        if items.len() == before && message.is_empty() && !turn.parts.is_empty() {
            continue;
        }
        if !message.is_empty() || items.len() == before {
            push_message(turn, message, &mut items);
        }
    }
    Ok(items)
}

/// Writes what has been said before another item, so that all stays in its order.
fn close<'a>(turn: &'a Turn, message: &mut Vec<AnyPartOut<'a>>, items: &mut Vec<ItemOut<'a>>) {
    if !message.is_empty() {
        push_message(turn, std::mem::take(message), items);
    }
}

fn push_message<'a>(turn: &'a Turn, parts: Vec<AnyPartOut<'a>>, items: &mut Vec<ItemOut<'a>>) {
    let extras = Extras::within("", &turn.extras);
    items.push(ItemOut::Message { role: role(turn.role), content: content(parts), extras });
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// One text is written as a string, which every vendor takes.
fn content(parts: Vec<AnyPartOut<'_>>) -> ContentOut<'_> {
    match parts.as_slice() {
        [] => ContentOut::Text("".into()),
        [AnyPartOut::Own(PartOut::InputText { text })] => ContentOut::Text((*text).into()),
        [AnyPartOut::Own(PartOut::OutputText { text, annotations })] if annotations.is_empty() => {
            ContentOut::Text((*text).into())
        }
        _ => ContentOut::Parts(parts),
    }
}

/// The part as an item of its own, if it is one.
fn write_item<'a>(part: &'a Part, call: &Call) -> Result<Option<ItemOut<'a>>, Refusal> {
    Ok(Some(match &part.content {
        Content::ToolCall(ToolCall { id: call_id, name, arguments }) => {
            let (namespace, name) = namespace::split(name);
            ItemOut::Own(OwnItemOut::FunctionCall { call_id: fit(call_id, call), namespace, name, arguments })
        }
        Content::ToolResult { id, parts, error } => ItemOut::Own(OwnItemOut::FunctionCallOutput {
            call_id: fit(id, call),
            output: write_output(parts, *error)?,
        }),
        // Thoughts without a seal are an echo of an answer, and no vendor takes back another's.
        Content::Thinking { signature: None, .. } if call.dialect != NAME => return Ok(None),
        Content::Thinking { signature: Some(signature), .. } if seal::of(NAME, signature).is_none() => return Ok(None),
        Content::Thinking { text, signature } => {
            let encrypted_content = signature.as_ref().and_then(|signature| seal::of(NAME, signature));
            let summary = if text.is_empty() { Vec::new() } else { vec![PartOut::SummaryText { text }] };
            ItemOut::Own(OwnItemOut::Reasoning { summary, encrypted_content })
        }
        Content::RedactedThinking(_) => return Ok(None),
        Content::Foreign(foreign) => {
            let json = own(foreign, NAME)?;
            if is_part(json) {
                return Ok(None);
            }
            ItemOut::Foreign(json)
        }
        Content::Text { .. } | Content::Refusal(_) | Content::Image { .. } | Content::Document { .. } => {
            return Ok(None);
        }
    }))
}

/// The id of a tool call; this dialect's own clients know what ids it takes.
fn fit<'a>(id: &'a str, call: &Call) -> Cow<'a, str> {
    if call.dialect == NAME { id.into() } else { call_ids::fit(id, call_ids::RESPONSES_MOST) }
}

/// What a call gave. There is no flag for a tool that failed, so the text says it.
fn write_output(parts: &[Part], error: Option<bool>) -> Result<ContentOut<'_>, Refusal> {
    let mut said = Vec::with_capacity(parts.len());
    if error == Some(true) {
        said.push(AnyPartOut::Own(PartOut::InputText { text: "Error: " }));
    }
    for part in parts {
        said.extend(write_part(part, Role::User)?);
    }
    match said.as_slice() {
        [AnyPartOut::Own(PartOut::InputText { text: prefix }), AnyPartOut::Own(PartOut::InputText { text })]
            if error == Some(true) =>
        {
            Ok(ContentOut::Text([*prefix, *text].concat().into()))
        }
        _ => Ok(content(said)),
    }
}

/// Whether what only this dialect knows is a part of a message rather than an item.
fn is_part(json: &Json) -> bool {
    let kind = read_known::<Kind<'_>>(json.text().as_bytes()).and_then(|part| part.kind);
    kind.is_some_and(|Text(kind)| kind.starts_with("input_") || kind.starts_with("output_"))
}

fn write_part(part: &Part, role: Role) -> Result<Option<AnyPartOut<'_>>, Refusal> {
    let own_part = match &part.content {
        Content::Text { text, citations } if role == Role::Assistant => {
            let told = citations.iter().filter(|citation| citation.told.dialect == NAME);
            PartOut::OutputText { text, annotations: told.map(|citation| &citation.told.json).collect() }
        }
        Content::Text { text, .. } => PartOut::InputText { text },
        Content::Refusal(refusal) => PartOut::Refusal { refusal },
        Content::Image { source, detail } => {
            let image_url = match source {
                Source::Url(url) => Cow::Borrowed(url.as_str()),
                Source::Base64 { media_type, data } => data_url(media_type, data).into(),
                Source::Text(_) => return Err(unmet(Need::Images)),
            };
            PartOut::InputImage { image_url, detail: detail.as_deref().unwrap_or("auto") }
        }
        Content::Document { source, title } => {
            let filename = title.as_deref();
            match source {
                Source::Base64 { media_type, data } => PartOut::InputFile {
                    file_data: Some(data_url(media_type, data)),
                    file_url: None,
                    filename: filename.or(Some("document.pdf")),
                },
                Source::Url(url) => PartOut::InputFile { file_data: None, file_url: Some(url), filename },
                Source::Text(_) => return Err(unmet(Need::Documents)),
            }
        }
        // Items of their own, or left out: see `write_item`.
        Content::Thinking { .. } | Content::RedactedThinking(_) | Content::ToolCall(_) | Content::ToolResult { .. } => {
            return Ok(None);
        }
        Content::Foreign(foreign) => return own(foreign, NAME).map(|json| Some(AnyPartOut::Foreign(json))),
    };
    Ok(Some(AnyPartOut::Own(own_part)))
}

fn data_url(media_type: &str, data: &str) -> String {
    ["data:", media_type, ";base64,", data].concat()
}
