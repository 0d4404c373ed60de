//! The conversation, written for a vendor: turns as messages.

use crate::base::rejection::Refusal;
use crate::call::Call;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::turn::{Content, Part, Role, Source, Turn};
use crate::dialect::call_ids;
use crate::dialect::honour::{Extras, own, own_extras, unmet};
use crate::dialect::openai_chat::NAME;
use crate::dialect::openai_chat::types::written::{AnyToolCallOut, ToolCallOut};
use crate::dialect::profile::quirks::{Member, Quirks, ToolCallIds};
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize)]
pub(super) struct MessageOut<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    content: Option<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<AnyToolCallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<bool>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ContentOut<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<PartOut<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum PartOut<'a> {
    Own(OwnPartOut<'a>),
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OwnPartOut<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrlOut<'a> },
    File { file: FileOut<'a> },
}

#[derive(Serialize)]
struct ImageUrlOut<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct FileOut<'a> {
    file_data: String,
    filename: &'a str,
}

/// The conversation; what each turn says, as one message or several.
pub(super) fn write_messages<'a>(quirks: &Quirks, call: &'a Call) -> Result<Vec<MessageOut<'a>>, Refusal> {
    let mut messages = Vec::with_capacity(call.turns.len());
    // where system texts may not come late, they all come first
    let early = |turn: &&Turn| !quirks.late_system && turn.is_system();
    for turn in call.turns.iter().filter(early).chain(call.turns.iter().filter(|turn| !early(turn))) {
        own_extras(&turn.extras, NAME)?;
        if turn.name.is_some() && quirks.refused_members.has(Member::Name) {
            return Err(Refusal::Capability(Member::Name.name()));
        }
        write_results(quirks, call, turn, &mut messages)?;
        let mut said = Said::default();
        turn.parts.iter().try_for_each(|part| said.add(quirks, call, part, turn.role))?;
        let only_results = said.parts.is_empty() && turn.parts.iter().any(is_result);
        if !only_results {
            messages.push(MessageOut {
                role: role(quirks, turn.role),
                name: turn.name.as_deref(),
                content: said.content(turn.role),
                refusal: said.refusal,
                tool_calls: said.tool_calls,
                tool_call_id: None,
                prefix: None,
                extras: Extras::within("", &turn.extras),
            });
        }
    }
    if call.prefill
        && quirks.prefix
        && let Some(begun) = messages.last_mut()
    {
        begun.prefix = Some(true);
    }
    Ok(messages)
}

const fn role(quirks: &Quirks, role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer if !quirks.developer_role => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

const fn is_result(part: &Part) -> bool {
    matches!(part.content, Content::ToolResult { .. })
}

/// Every tool result is a message of its own, before what the user says.
fn write_results<'a>(
    quirks: &Quirks,
    call: &Call,
    turn: &'a Turn,
    messages: &mut Vec<MessageOut<'a>>,
) -> Result<(), Refusal> {
    for part in &turn.parts {
        let Content::ToolResult { id, parts, error } = &part.content else { continue };
        let mut said = Said::default();
        for part in parts {
            // OpenAI takes images from the user alone (recording `db9c528d55ae3660`).
            let seen = quirks.tool_result_images;
            if !seen && matches!(part.content, Content::Image { .. } | Content::Document { .. }) {
                return Err(Refusal::Capability("tool_result_images"));
            }
            said.add(quirks, call, part, Role::User)?;
        }
        let content = match said.content(Role::User) {
            // There is no flag for a tool that failed, so the text says it.
            Some(ContentOut::Text(text)) if *error == Some(true) => ContentOut::Text(format!("Error: {text}").into()),
            Some(content) => content,
            None => ContentOut::Text("".into()),
        };
        messages.push(MessageOut {
            role: "tool",
            name: None,
            content: Some(content),
            refusal: None,
            tool_calls: Vec::new(),
            tool_call_id: Some(call_id(quirks, call, id)),
            prefix: None,
            extras: Extras::within("", &[]),
        });
    }
    Ok(())
}

/// The id of a tool call as the vendor takes it; this dialect's own clients know what ids theirs takes.
fn call_id<'a>(quirks: &Quirks, call: &Call, id: &'a str) -> Cow<'a, str> {
    match quirks.tool_call_ids {
        ToolCallIds::Any if call.dialect != NAME => call_ids::fit(id, call_ids::CHAT_MOST),
        ids => ids.fit(id),
    }
}

/// What one turn says, sorted into a message's members.
#[derive(Default)]
struct Said<'a> {
    parts: Vec<PartOut<'a>>,
    refusal: Option<&'a str>,
    tool_calls: Vec<AnyToolCallOut<'a>>,
}

impl<'a> Said<'a> {
    fn add(&mut self, quirks: &Quirks, call: &Call, part: &'a Part, role: Role) -> Result<(), Refusal> {
        match &part.content {
            // Citations in the history are notes on an earlier answer: no vendor of this dialect reads them.
            Content::Text { text, .. } => self.parts.push(PartOut::Own(OwnPartOut::Text { text })),
            Content::Refusal(text) => self.refusal = Some(text),
            Content::Image { source, detail } if role == Role::User => {
                let url = match source {
                    Source::Url(url) => Cow::Borrowed(url.as_str()),
                    Source::Base64 { media_type, data } => data_url(media_type, data).into(),
                    Source::Text(_) => return Err(unmet(Need::Images)),
                };
                let image_url = ImageUrlOut { url, detail: detail.as_deref() };
                self.parts.push(PartOut::Own(OwnPartOut::ImageUrl { image_url }));
            }
            Content::Document { source: Source::Base64 { media_type, data }, title } if role == Role::User => {
                let filename = title.as_deref().unwrap_or("document.pdf");
                let file = FileOut { file_data: data_url(media_type, data), filename };
                self.parts.push(PartOut::Own(OwnPartOut::File { file }));
            }
            Content::Image { .. } => return Err(unmet(Need::Images)),
            Content::Document { .. } => return Err(unmet(Need::Documents)),
            Content::ToolCall(made) => {
                let id = Some(call_id(quirks, call, &made.id));
                self.tool_calls.push(AnyToolCallOut::Function(ToolCallOut { id, ..ToolCallOut::whole(made) }));
            }
            Content::ToolResult { .. } => {}
            // There is no member for thoughts that all vendors take back, and none for anybody's seal.
            Content::Thinking { .. } | Content::RedactedThinking(_) => {}
            Content::Foreign(foreign) => {
                let json = own(foreign, NAME)?;
                if foreign.need == Need::Tools {
                    self.tool_calls.push(AnyToolCallOut::Foreign(json));
                } else {
                    self.parts.push(PartOut::Foreign(json));
                }
            }
        }
        Ok(())
    }

    /// One text is written as a string, which every vendor takes; nothing at all as null beside tool calls.
    fn content(&mut self, role: Role) -> Option<ContentOut<'a>> {
        let mut parts = std::mem::take(&mut self.parts);
        match parts.as_slice() {
            [] if role == Role::Assistant => None,
            [] => Some(ContentOut::Text("".into())),
            [PartOut::Own(OwnPartOut::Text { text })] => Some(ContentOut::Text((*text).into())),
            _ => Some(ContentOut::Parts(std::mem::take(&mut parts))),
        }
    }
}

fn data_url(media_type: &str, data: &str) -> String {
    ["data:", media_type, ";base64,", data].concat()
}
