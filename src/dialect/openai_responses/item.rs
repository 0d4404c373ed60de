//! Items, which requests and answers share: what one says, as parts of a turn.

use super::types::{Annotation, Item, Part as WirePart};
use super::{NAME, namespace, seal};
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::tool::ToolCall;
use crate::call::turn::{Citation, Content, Foreign, Part, Role, Source};
use crate::dialect::object::{Known, Object, Reading, Text, read};
use crate::dialect::shapes::TextOr;
use serde::de::Error;
use serde_json::value::RawValue;

/// What an item is.
#[derive(Debug)]
pub(super) enum Said {
    /// A message of somebody.
    Message(Role, Vec<Part>),
    /// Thoughts of the model, or a call by it.
    Model(Vec<Part>),
    /// The result of a call.
    Result(Part),
    /// An item that only this dialect knows, with the need that it stands for.
    Foreign(Need),
}

/// Reads an item. One that `is_plain` says false of has members beside those known here, and is kept as it came.
pub(super) fn read_item(item: Item<'_>, is_plain: bool, reading: Reading) -> Result<Said, serde_json::Error> {
    let kind = item.kind.as_ref().map_or("message", |Text(kind)| kind);
    Ok(match kind {
        "message" => Said::Message(read_role(item.role.as_ref())?, read_parts(item.content, reading)?),
        "reasoning" => Said::Model(read_thoughts(item)?),
        "function_call" if is_plain => {
            let arguments = item.arguments.map(read::<Text<'_>>).transpose()?;
            let name = item.name.unwrap_or_default();
            let Some(name) = item.namespace.map_or(Some(name.clone()), |namespace| namespace::join(&namespace, &name))
            else {
                return Ok(Said::Foreign(need_of_item("function_call")));
            };
            let call = ToolCall {
                id: item.call_id.unwrap_or_default(),
                name,
                arguments: arguments.unwrap_or_default().0.into_owned(),
            };
            Said::Model(vec![Content::ToolCall(call).into()])
        }
        "function_call_output" if is_plain => {
            let id = item.call_id.ok_or_else(|| serde_json::Error::custom("call_id: missing"))?;
            Said::Result(Content::ToolResult { id, parts: read_parts(item.output, reading)?, error: None }.into())
        }
        kind => Said::Foreign(need_of_item(kind)),
    })
}

fn read_role(role: Option<&Text<'_>>) -> Result<Role, serde_json::Error> {
    match role.map_or("missing", |Text(role)| role) {
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        role => Err(serde_json::Error::custom(format_args!("role: `{role}` is not a role"))),
    }
}

/// What a vendor that knows such an item must offer.
pub(super) fn need_of_item(kind: &str) -> Need {
    match kind {
        "item_reference" => Need::ServerIds,
        "compaction" => Need::SignedReasoning,
        // Run by the client, in shapes of this dialect alone.
        "function_call"
        | "function_call_output"
        | "custom_tool_call"
        | "custom_tool_call_output"
        | "additional_tools"
        | "local_shell_call"
        | "local_shell_call_output"
        | "shell_call"
        | "shell_call_output"
        | "apply_patch_call"
        | "apply_patch_call_output" => Need::UnknownMembers,
        _ => Need::HostedTools,
    }
}

/// Thoughts as the vendor shows them, in full (DeepSeek, recording `f269df81c783b99d`) or in parts of a summary; their
/// seal comes after the last.
fn read_thoughts(item: Item<'_>) -> Result<Vec<Part>, serde_json::Error> {
    let mut texts = Vec::new();
    if let TextOr::List(parts) = item.content {
        for part in parts {
            texts.extend(read::<Known<WirePart<'_>>>(part)?.0.text);
        }
    }
    texts.extend(item.summary.unwrap_or_default().into_iter().filter_map(|Known(part)| part.text));
    texts.retain(|text| !text.is_empty());
    let last = texts.pop().unwrap_or_default();
    let mut thoughts: Vec<Part> =
        texts.into_iter().map(|text| Content::Thinking { text, signature: None }.into()).collect();
    thoughts.extend(seal::read(last, item.encrypted_content.as_deref()).map(Part::from));
    Ok(thoughts)
}

fn read_parts(content: TextOr<&RawValue>, reading: Reading) -> Result<Vec<Part>, serde_json::Error> {
    match content {
        TextOr::Nothing => Ok(Vec::new()),
        TextOr::Text(text) => Ok(vec![Content::text(text).into()]),
        TextOr::List(parts) => parts.into_iter().map(|part| read_part(part, reading).map(Part::from)).collect(),
    }
}

/// One part of a message or of a result.
pub(super) fn read_part(raw: &RawValue, reading: Reading) -> Result<Content, serde_json::Error> {
    let Object { known: part, unknown } = read::<Object<'_, WirePart<'_>>>(raw)?;
    let kind = part.kind.unwrap_or_default().0;
    let content = match &*kind {
        "input_text" | "text" => part.text.map(Content::text),
        "output_text" => {
            let citations = part.annotations.unwrap_or_default().into_iter().map(read_annotation);
            let citations = citations.collect::<Result<_, _>>()?;
            part.text.map(|text| Content::Text { text, citations })
        }
        "refusal" => part.refusal.map(Content::Refusal),
        "input_image" => part.image_url.map(|Text(url)| Content::Image {
            source: data_url(&url).unwrap_or_else(|| Source::Url(url.into_owned())),
            detail: part.detail.filter(|detail| detail != "auto"),
        }),
        "input_file" => match (part.file_data, part.file_url) {
            (Some(Text(data)), None) => {
                data_url(&data).map(|source| Content::Document { source, title: part.filename })
            }
            (None, Some(url)) => Some(Content::Document { source: Source::Url(url), title: part.filename }),
            _ => None,
        },
        _ => None,
    };
    let marked = unknown.iter().any(|(name, _)| name == "prompt_cache_breakpoint");
    Ok(match content.filter(|_| !reading.heeds(&unknown)) {
        Some(content) => content,
        None => Content::Foreign(foreign(if marked { Need::CacheControl } else { need_of_part(&kind) }, raw)),
    })
}

fn need_of_part(kind: &str) -> Need {
    match kind {
        "input_image" | "input_file" => Need::ServerIds,
        "input_audio" => Need::Audio,
        _ => Need::UnknownMembers,
    }
}

/// A note on a text: a citation, with its page where it is one.
pub(super) fn read_annotation(raw: &RawValue) -> Result<Citation, serde_json::Error> {
    let Known(note) = read::<Known<Annotation<'_>>>(raw)?;
    let is_page = note.kind.is_some_and(|Text(kind)| kind == "url_citation");
    let (url, title) = if is_page { (note.url, note.title) } else { (None, None) };
    Ok(Citation { told: foreign(Need::HostedTools, raw), url, title })
}

/// What only this dialect knows.
pub(super) fn foreign(need: Need, raw: &RawValue) -> Foreign {
    Foreign { dialect: NAME, need, json: Json::from(raw) }
}

/// The content of a `data:` URL (RFC 2397) in Base64.
fn data_url(url: &str) -> Option<Source> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
}
