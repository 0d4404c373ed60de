//! The conversation, written for a vendor: turns as messages of blocks.

use crate::base::rejection::Refusal;
use crate::call::Call;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::seal;
use crate::call::turn::{Content, Part, Role, Source, Turn};
use crate::dialect::anthropic::NAME;
use crate::dialect::call_ids;
use crate::dialect::honour::{Extras, arguments_object, own, own_extras, unmet};
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize)]
pub(super) struct MessageOut<'a> {
    role: &'static str,
    content: ContentOut<'a>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ContentOut<'a> {
    Text(&'a str),
    Blocks(Vec<AnyBlockOut<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum AnyBlockOut<'a> {
    Own {
        #[serde(flatten)]
        block: BlockOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Json>,
    },
    Foreign(&'a Json),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockOut<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<&'a Json>,
    },
    Image {
        source: SourceOut<'a>,
    },
    Document {
        source: SourceOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Json>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<ContentOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum SourceOut<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    Text { media_type: &'static str, data: &'a str },
}

/// The system text, and the conversation. A client of this dialect places what its application says later among the
/// messages; another's is gathered at the top, as the vendor's own endpoint of the other dialect does.
pub(super) fn write_turns(call: &Call) -> Result<(Option<ContentOut<'_>>, Vec<MessageOut<'_>>), Refusal> {
    let mut system = Vec::new();
    let mut messages = Vec::with_capacity(call.turns.len());
    for (index, turn) in call.turns.iter().enumerate() {
        own_extras(&turn.extras, NAME)?;
        // The model tells speakers apart by their names, and there is no member for them.
        if turn.name.is_some() {
            return Err(Refusal::Capability("name"));
        }
        let mut blocks = write_blocks(&turn.parts)?;
        if turn.is_system() && (call.dialect != NAME || index == 0) {
            system.append(&mut blocks);
        } else if !blocks.is_empty() {
            messages.push(MessageOut {
                role: role(turn),
                content: content(blocks),
                extras: Extras::within("", &turn.extras),
            });
        }
    }
    Ok(((!system.is_empty()).then(|| content(system)), messages))
}

const fn role(turn: &Turn) -> &'static str {
    match turn.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn content(blocks: Vec<AnyBlockOut<'_>>) -> ContentOut<'_> {
    match blocks.as_slice() {
        [AnyBlockOut::Own { block: BlockOut::Text { text, citations }, cache_control: None }]
            if citations.is_empty() =>
        {
            ContentOut::Text(text)
        }
        _ => ContentOut::Blocks(blocks),
    }
}

/// The blocks of one turn, tool results first as the vendor demands. Empty texts are left out: the vendor refuses them
/// (recording `b762907d08634445`), and they say nothing.
fn write_blocks(parts: &[Part]) -> Result<Vec<AnyBlockOut<'_>>, Refusal> {
    let is_result = |part: &&Part| matches!(part.content, Content::ToolResult { .. });
    let results = parts.iter().filter(is_result);
    let others = parts.iter().filter(|part| !is_result(part));
    let mut blocks = Vec::with_capacity(parts.len());
    for part in results.chain(others) {
        blocks.extend(write_block(part)?);
    }
    Ok(blocks)
}

fn write_block(part: &Part) -> Result<Option<AnyBlockOut<'_>>, Refusal> {
    let block = match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) if text.is_empty() => return Ok(None),
        Content::Text { text, citations } => {
            let own = citations.iter().filter(|citation| citation.told.dialect == NAME);
            BlockOut::Text { text, citations: own.map(|citation| &citation.told.json).collect() }
        }
        Content::Refusal(text) => BlockOut::Text { text, citations: Vec::new() },
        Content::Image { detail: Some(_), .. } => return Err(Refusal::Capability("image_detail")),
        Content::Image { source: Source::Text(_), .. } => return Err(unmet(Need::Images)),
        Content::Image { source, detail: None } => BlockOut::Image { source: write_source(source) },
        Content::Document { source, title } => {
            BlockOut::Document { source: write_source(source), title: title.as_deref() }
        }
        Content::ToolCall(call) => BlockOut::ToolUse {
            id: call_ids::fit(&call.id, call_ids::ANTHROPIC_MOST),
            name: &call.name,
            input: Cow::Owned(arguments_object(&call.arguments)),
        },
        Content::ToolResult { id, parts, error } => {
            let blocks = write_blocks(parts)?;
            BlockOut::ToolResult {
                tool_use_id: call_ids::fit(id, call_ids::ANTHROPIC_MOST),
                content: (!blocks.is_empty()).then(|| content(blocks)),
                is_error: *error,
            }
        }
        // Another vendor's seal is nothing to this one, and thoughts without a seal of its own it does not take.
        Content::Thinking { signature: Some(signature), .. } if seal::is_named(signature) => return Ok(None),
        Content::Thinking { text, signature: Some(signature) } => BlockOut::Thinking { thinking: text, signature },
        // Thoughts without a seal are an echo of another vendor's answer, and this one takes none back.
        Content::Thinking { signature: None, .. } => return Ok(None),
        Content::RedactedThinking(data) => BlockOut::RedactedThinking { data },
        Content::Foreign(foreign) => return own(foreign, NAME).map(|json| Some(AnyBlockOut::Foreign(json))),
    };
    Ok(Some(AnyBlockOut::Own { block, cache_control: part.cache.as_ref() }))
}

fn write_source(source: &Source) -> SourceOut<'_> {
    match source {
        Source::Base64 { media_type, data } => SourceOut::Base64 { media_type, data },
        Source::Url(url) => SourceOut::Url { url },
        Source::Text(data) => SourceOut::Text { media_type: "text/plain", data },
    }
}
