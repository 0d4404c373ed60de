//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use super::ids::{self, Calls};
use super::request::parts::read_parts;
use super::types::{
    Answer, AnyPartOut, Candidate, Citations, FunctionCallOut, Grounding, GroundingChunk, Page, PartOut, UsageOut,
};
use super::{NAME, media, seals};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Citation, Content, Foreign, Part};
use crate::call::usage::Usage;
use crate::dialect::honour::arguments_object;
use crate::dialect::object::{Known, Reading, Text, read, read_known};
use crate::dialect::shapes::{First, unfinished};
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads a vendor's whole answer. Of several candidates it would have to drop all but one, so it takes one alone: a call for
/// several is never translated.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect, [`FailureKind::Truncated`] where it does not say why
/// it ended.
pub(crate) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let malformed = |reason| Failure::new(FailureKind::Malformed, Phase::Headers, reason);
    let answer: Answer<'_> = read_known(body).ok_or_else(|| malformed("not_the_dialect"))?;
    if answer.error.is_some() {
        return Err(Failure::new(FailureKind::ServerError, Phase::Headers, "error_inside_200"));
    }
    let text = |text: &Option<Text<'_>>| text.as_ref().map_or_else(String::new, |Text(text)| text.as_ref().to_owned());
    let mut reply = Reply {
        id: text(&answer.id),
        model: text(&answer.model),
        created_s: read_created(answer.created.as_ref()),
        usage: answer.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
        ..Reply::default()
    };
    if is_blocked(&answer) {
        reply.finish = Finish::ContentFilter;
        return Ok(reply);
    }
    let First { one: Some(Known(candidate)), more: false } = answer.candidates else {
        return Err(malformed("not_one_choice"));
    };
    let finish = candidate.finish.and_then(read_finish).ok_or_else(unfinished)?;
    let citations = read_citations(&candidate).map_err(|_| malformed("not_the_dialect"))?;
    let wire = candidate.content.map(|Known(content)| content.parts).unwrap_or_default();
    let mut calls = Calls::of(&reply.id);
    reply.parts = read_parts(wire, &mut calls, Reading::Answer).map_err(|_| malformed("not_the_dialect"))?;
    cite(&mut reply.parts, citations);
    reply.finish = if finish == Finish::Stop && calls.len() > 0 { Finish::ToolCalls } else { finish };
    Ok(reply)
}

/// Whether the prompt was found unfit to be answered: there are then no candidates.
pub(super) fn is_blocked(answer: &Answer<'_>) -> bool {
    answer.candidates.one.is_none()
        && answer.feedback.as_ref().is_some_and(|Known(feedback)| feedback.block_reason.is_some())
}

/// When an answer was made; only Vertex AI says so.
pub(super) fn read_created(created: Option<&Text<'_>>) -> u64 {
    let moment = created.and_then(|Text(created)| created.parse::<jiff::Timestamp>().ok());
    moment.and_then(|moment| u64::try_from(moment.as_second()).ok()).unwrap_or(0)
}

/// Words and numbers that tell no reason: without one "the model has not stopped generating tokens"
/// (<https://ai.google.dev/api/generate-content#candidate>).
pub(super) const UNSAID: [&str; 4] = ["", "null", "FINISH_REASON_UNSPECIFIED", "0"];

/// The reason in a word, or in the number that it has in Google's protocol buffers (recording `c1a227c2a6755930`).
pub(super) fn read_finish(raw: &RawValue) -> Option<Finish> {
    // a number where a client asked for enums as such
    let text = read::<Text<'_>>(raw).map_or(raw.get().into(), |Text(text)| text);
    Some(match &*text {
        unsaid if UNSAID.contains(&unsaid) => return None,
        "STOP" | "1" => Finish::Stop,
        "MAX_TOKENS" | "2" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "3"
        | "4" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    })
}

/// The reason in this dialect's words. One in capitals can only be its own; other vendors' are `OTHER`.
pub(super) fn write_finish(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length | Finish::ContextWindow => "MAX_TOKENS",
        Finish::ContentFilter | Finish::Refusal(_) => "SAFETY",
        Finish::Other(word) if word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => word,
        Finish::Other(_) => "OTHER",
    }
}

/// What an answer rests on: what searches found, and works that it recites.
pub(super) fn read_citations(candidate: &Candidate<'_>) -> Result<Vec<Citation>, serde_json::Error> {
    let found = candidate.grounding.as_ref().and_then(|Known(Grounding { chunks })| chunks.as_ref());
    let recited = candidate.citations.as_ref().and_then(|Known(Citations { sources })| sources.as_ref());
    let found = found.into_iter().flatten().map(|raw| {
        let Known(found) = read::<Known<GroundingChunk>>(raw)?;
        Ok(citation(raw, found.place().map(|Known(page)| page)))
    });
    let recited = recited.into_iter().flatten().map(|raw| {
        let Known(page) = read::<Known<Page>>(raw)?;
        Ok(citation(raw, Some(page)))
    });
    found.chain(recited).collect()
}

fn citation(raw: &RawValue, page: Option<Page>) -> Citation {
    let (url, title) = page.map_or((None, None), |page| (page.uri, page.title));
    Citation { told: Foreign { dialect: NAME, need: Need::HostedTools, json: raw.into() }, url, title }
}

/// Citations are told of the whole answer: they go to its last text.
fn cite(parts: &mut Vec<Part>, told: Vec<Citation>) {
    if told.is_empty() {
        return;
    }
    let last = parts.iter_mut().rev().find_map(|part| match &mut part.content {
        Content::Text { citations, .. } => Some(citations),
        _ => None,
    });
    match last {
        Some(citations) => citations.extend(told),
        None => parts.push(Content::Text { text: String::new(), citations: told }.into()),
    }
}

/// A whole answer.
#[derive(Serialize)]
struct AnswerOut<'a> {
    #[serde(flatten)]
    piece: PieceOut<'a>,
    #[serde(flatten)]
    head: HeadOut<'a>,
}

/// What an answer says, or a piece of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PieceOut<'a> {
    pub(super) candidates: [CandidateOut<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageOut>,
}

/// What every piece tells of its answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeadOut<'a> {
    pub(super) model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) create_time: Option<&'a str>,
    pub(super) response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CandidateOut<'a> {
    pub(super) content: ContentOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grounding_metadata: Option<GroundingOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) citation_metadata: Option<RecitedOut<'a>>,
    pub(super) index: u32,
}

#[derive(Serialize)]
pub(super) struct ContentOut<'a> {
    pub(super) parts: Vec<AnyPartOut<'a>>,
    pub(super) role: &'static str,
}

/// What searches found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingOut<'a> {
    grounding_chunks: Vec<ChunkOut<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChunkOut<'a> {
    Own(&'a Json),
    Page { web: PageOut<'a> },
}

#[derive(Serialize)]
struct PageOut<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

/// Works that the answer recites.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecitedOut<'a> {
    citation_sources: Vec<&'a Json>,
}

/// Citations in the two forms that this dialect has; those of another that are no pages have none here.
pub(super) fn write_citations<'a>(
    citations: impl Iterator<Item = &'a Citation>,
) -> (Option<GroundingOut<'a>>, Option<RecitedOut<'a>>) {
    let (mut grounding_chunks, mut citation_sources) = (Vec::new(), Vec::new());
    for citation in citations {
        let json = &citation.told.json;
        if citation.told.dialect != NAME {
            let web = citation.url.as_deref().map(|uri| PageOut { uri, title: citation.title.as_deref() });
            grounding_chunks.extend(web.map(|web| ChunkOut::Page { web }));
        } else if is_chunk(json) {
            grounding_chunks.push(ChunkOut::Own(json));
        } else {
            citation_sources.push(json);
        }
    }
    let found = (!grounding_chunks.is_empty()).then_some(GroundingOut { grounding_chunks });
    (found, (!citation_sources.is_empty()).then_some(RecitedOut { citation_sources }))
}

/// Whether searches found it: a chunk holds one object that says where.
fn is_chunk(json: &Json) -> bool {
    serde_json::from_str::<Known<GroundingChunk>>(json.text()).is_ok_and(|Known(chunk)| chunk.place().is_some())
}

/// Writes a whole answer for a client. The words of a refusal are its text.
pub(crate) fn write_reply(reply: &Reply) -> Vec<u8> {
    let citations = reply.parts.iter().filter_map(|part| match &part.content {
        Content::Text { citations, .. } => Some(citations),
        _ => None,
    });
    let (grounding_metadata, citation_metadata) = write_citations(citations.flatten());
    let candidate = CandidateOut {
        content: ContentOut { parts: write_parts(&reply.parts), role: "model" },
        finish_reason: Some(write_finish(&reply.finish)),
        grounding_metadata,
        citation_metadata,
        index: 0,
    };
    let create_time = write_created(reply.created_s);
    let piece = PieceOut { candidates: [candidate], usage_metadata: reply.usage.map(UsageOut::from) };
    let create_time = create_time.as_deref();
    let head = HeadOut { model_version: &reply.model, create_time, response_id: &reply.id };
    serde_json::to_vec(&AnswerOut { piece, head }).unwrap_or_default()
}

/// When an answer was made, as Vertex AI tells it.
pub(super) fn write_created(created_s: u64) -> Option<String> {
    let seconds = i64::try_from(created_s).ok().filter(|seconds| *seconds > 0)?;
    jiff::Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

fn write_parts(parts: &[Part]) -> Vec<AnyPartOut<'_>> {
    let mut written = Vec::with_capacity(parts.len());
    let (mut seal, mut called) = (None, false);
    for (place, part) in parts.iter().enumerate() {
        let mut out = match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) if !text.is_empty() => text_out(text),
            Content::ToolCall(call) => call_out(&call.id, &call.name, arguments_object(&call.arguments)),
            Content::Thinking { text, signature } => {
                let sealed = signature.as_deref().map(seals::write);
                let follows = parts.get(place + 1).is_some_and(takes_seal);
                let (mine, next) = if follows { (None, sealed) } else { (sealed, None) };
                seal = next;
                if text.is_empty() && mine.is_none() {
                    continue;
                }
                let thought = (!text.is_empty()).then_some(true);
                PartOut { thought, thought_signature: mine, ..text_out(text) }
            }
            // what the model drew
            Content::Image { source, .. } => match media::write(source, None, Need::Images) {
                Ok(out) => out,
                Err(_) => continue,
            },
            Content::Foreign(foreign) if foreign.dialect == NAME => {
                written.push(AnyPartOut::Foreign(&foreign.json));
                continue;
            }
            // Not of an answer, or nothing that a client of this dialect can have asked for.
            _ => continue,
        };
        if out.thought_signature.is_none() && out.thought.is_none() {
            out.thought_signature = seal.take();
        }
        if out.function_call.is_some() && !std::mem::replace(&mut called, true) {
            out.thought_signature = out.thought_signature.or_else(|| seals::of_call(None, true));
        }
        written.push(AnyPartOut::Own(Box::new(out)));
    }
    written
}

const fn takes_seal(part: &Part) -> bool {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => !text.is_empty(),
        content => matches!(content, Content::ToolCall(_)),
    }
}

/// A part of text.
pub(super) fn text_out(text: &str) -> PartOut<'_> {
    PartOut { text: Some(text), ..PartOut::default() }
}

/// A part of a function call.
pub(super) fn call_out<'a>(id: &'a str, name: &'a str, args: Json) -> PartOut<'a> {
    let call = FunctionCallOut { id: ids::given(id), name, args };
    PartOut { function_call: Some(call), ..PartOut::default() }
}
