//! The blocks of a conversation, as they are written.

use super::media::{Medium, document_name};
use super::write::Family;
use crate::base::rejection::Refusal;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::seal;
use crate::call::turn::{Content, Part, Source};
use crate::dialect::bedrock::NAME;
use crate::dialect::call_ids;
use crate::dialect::honour::{arguments_object, own, unmet};
use serde::Serialize;
use std::borrow::Cow;

/// One block: its one member tells its kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialect::bedrock) enum BlockOut<'a> {
    Text(&'a str),
    Image(MediaOut<'a>),
    Document(MediaOut<'a>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: &'a str,
        input: Json,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Self>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
    },
    ReasoningContent(ThoughtsOut<'a>),
    CitationsContent {
        content: [TextOut<'a>; 1],
        citations: Vec<&'a Json>,
    },
    #[serde(untagged)]
    Point(CachePointOut),
    #[serde(untagged)]
    Foreign(&'a Json),
}

#[derive(Serialize)]
pub(in crate::dialect::bedrock) struct TextOut<'a> {
    text: &'a str,
}

#[derive(Serialize)]
pub(in crate::dialect::bedrock) struct MediaOut<'a> {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: SourceOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialect::bedrock) enum SourceOut<'a> {
    Bytes(&'a str),
    Text(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialect::bedrock) enum ThoughtsOut<'a> {
    ReasoningText {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'a str>,
    },
    RedactedContent(&'a str),
}

/// A cache breakpoint, as a block of its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialect::bedrock) struct CachePointOut {
    cache_point: PointOut,
}

#[derive(Serialize)]
pub(in crate::dialect::bedrock) struct PointOut {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
}

impl CachePointOut {
    /// A breakpoint as any client wrote it: all name how long it lives alike, if they say so.
    pub(super) fn of(cache: &Json) -> Self {
        let told: Option<serde_json::Value> = serde_json::from_str(cache.text()).ok();
        let ttl = told.as_ref().and_then(|told| told.get("ttl")?.as_str()).map(str::to_owned);
        Self { cache_point: PointOut { kind: "default", ttl } }
    }
}

/// Writes blocks; remembers of a call what they have to know of each other.
pub(in crate::dialect::bedrock) struct Blocks {
    is_own: bool,
    family: Family,
    /// Documents so far, whose names must differ.
    documents: usize,
}

impl Blocks {
    /// A writer for a model of `family`; `is_own` where the call was written in this dialect, and goes out as it came.
    pub(in crate::dialect::bedrock) const fn new(is_own: bool, family: Family) -> Self {
        Self { is_own, family, documents: 0 }
    }

    /// The blocks of one turn; of another dialect's, tool results first, as models demand.
    pub(in crate::dialect::bedrock) fn turn<'a>(&mut self, parts: &'a [Part]) -> Result<Vec<BlockOut<'a>>, Refusal> {
        let is_result = |part: &&Part| !self.is_own && matches!(part.content, Content::ToolResult { .. });
        let (results, others): (Vec<_>, Vec<_>) = parts.iter().partition(is_result);
        let mut blocks = Vec::with_capacity(parts.len());
        for part in results.into_iter().chain(others) {
            blocks.extend(self.block(part)?);
            let within = match &part.content {
                Content::ToolResult { parts, .. } => parts.iter().find_map(|part| part.cache.as_ref()),
                _ => None,
            };
            let cache = part.cache.as_ref().or(within);
            blocks.extend(cache.map(|cache| BlockOut::Point(CachePointOut::of(cache))));
        }
        Ok(blocks)
    }

    /// One block. Empty texts are left out: the vendor refuses them, and they say nothing.
    fn block<'a>(&mut self, part: &'a Part) -> Result<Option<BlockOut<'a>>, Refusal> {
        Ok(Some(match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) if text.is_empty() && !self.is_own => return Ok(None),
            Content::Text { text, citations } => {
                let own = citations.iter().filter(|citation| citation.told.dialect == NAME);
                let citations: Vec<_> = own.map(|citation| &citation.told.json).collect();
                if citations.is_empty() {
                    BlockOut::Text(text)
                } else {
                    BlockOut::CitationsContent { content: [TextOut { text }], citations }
                }
            }
            Content::Refusal(text) => BlockOut::Text(text),
            Content::Image { detail: Some(_), .. } => return Err(Refusal::Capability("image_detail")),
            Content::Image { source, detail: None } => BlockOut::Image(MediaOut {
                format: format_of(source, Medium::Image)?,
                name: None,
                source: write_source(source, Medium::Image)?,
            }),
            Content::Document { source, title } => {
                let name = match title {
                    Some(title) if self.is_own => title.clone(),
                    title => document_name(title.as_deref(), self.documents),
                };
                self.documents += 1;
                BlockOut::Document(MediaOut {
                    format: format_of(source, Medium::Document)?,
                    name: Some(name),
                    source: write_source(source, Medium::Document)?,
                })
            }
            Content::ToolCall(call) => BlockOut::ToolUse {
                tool_use_id: call_ids::fit(&call.id, call_ids::BEDROCK_MOST),
                name: &call.name,
                input: arguments_object(&call.arguments),
            },
            Content::ToolResult { id, parts, error } => {
                let mut content = Vec::with_capacity(parts.len());
                for part in parts {
                    content.extend(self.block(part)?);
                }
                let status = error.map(|error| if error { "error" } else { "success" });
                let tool_use_id = call_ids::fit(id, call_ids::BEDROCK_MOST);
                BlockOut::ToolResult { tool_use_id, content, status }
            }
            Content::Thinking { text, signature } => return Ok(self.thoughts(text, signature.as_deref())),
            Content::RedactedThinking(_) if !self.is_own && self.family != Family::Claude => return Ok(None),
            Content::RedactedThinking(data) => BlockOut::ReasoningContent(ThoughtsOut::RedactedContent(data)),
            Content::Foreign(foreign) => BlockOut::Foreign(own(foreign, NAME)?),
        }))
    }

    /// Thoughts. Claude takes those back that Claude signed, whoever served it
    /// (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>); nobody takes another's.
    fn thoughts<'a>(&self, text: &'a str, signature: Option<&'a str>) -> Option<BlockOut<'a>> {
        let claudes = signature.is_some_and(|seal| self.family == Family::Claude && !seal::is_named(seal));
        (self.is_own || claudes).then_some(BlockOut::ReasoningContent(ThoughtsOut::ReasoningText { text, signature }))
    }
}

fn format_of(source: &Source, medium: Medium) -> Result<&'static str, Refusal> {
    let format = match source {
        Source::Base64 { media_type, .. } => medium.format(media_type),
        Source::Text(_) if medium == Medium::Document => Some("txt"),
        // no model fetches what lies elsewhere
        Source::Text(_) | Source::Url(_) => None,
    };
    format.ok_or(match (medium, source) {
        (_, Source::Url(_)) => Refusal::Capability("media_url"),
        (Medium::Image, _) => unmet(Need::Images),
        (Medium::Document, _) => unmet(Need::Documents),
    })
}

fn write_source(source: &Source, medium: Medium) -> Result<SourceOut<'_>, Refusal> {
    match source {
        Source::Base64 { data, .. } => Ok(SourceOut::Bytes(data)),
        Source::Text(text) if medium == Medium::Document => Ok(SourceOut::Text(text)),
        Source::Text(_) | Source::Url(_) => Err(Refusal::Capability("media_url")),
    }
}
