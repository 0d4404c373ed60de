//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use super::NAME;
use super::request::read::read_tool_call;
use super::types::{
    Annotation, AnnotationOut, AnyToolCallOut, Choice, Completion, ToolCallOut, UrlCitationOut, UsageOut,
};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::needs::Need;
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Citation, Content, Foreign, Part};
use crate::call::usage::Usage;
use crate::dialect::object::{Known, Text, read};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a vendor's whole answer. Of several choices it would have to drop all but one, so it takes one alone: a call
/// for several is never translated.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect.
pub(crate) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let malformed = |reason| Failure::new(FailureKind::Malformed, Phase::Headers, reason);
    let Known(completion) =
        serde_json::from_slice::<Known<Completion<'_>>>(body).map_err(|_| malformed("not_the_dialect"))?;
    if completion.error.is_some_and(|error| error.get() != "null") {
        return Err(Failure::new(FailureKind::ServerError, Phase::Headers, "error_inside_200"));
    }
    let mut choices = completion.choices.unwrap_or_default().into_iter();
    let (Some(Known(choice)), None) = (choices.next(), choices.next()) else {
        return Err(malformed("not_one_choice"));
    };
    let finish = choice.finish_reason.as_ref().map_or(Finish::Stop, |Text(reason)| read_finish(reason));
    let parts = read_parts(choice).map_err(|_| malformed("not_the_dialect"))?;
    let refused = parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    Ok(Reply {
        id: completion.id.unwrap_or_default(),
        model: completion.model.unwrap_or_default(),
        created_s: read_created(completion.created),
        parts,
        finish: if refused { Finish::Refusal(None) } else { finish },
        usage: completion.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

/// Some vendors write the time with a fraction.
pub(super) fn read_created(created: Option<f64>) -> u64 {
    created.map_or(0, |seconds| seconds as u64)
}

fn read_parts(choice: Choice<'_>) -> Result<Vec<Part>, serde_json::Error> {
    let Some(Known(answer)) = choice.message else { return Ok(Vec::new()) };
    let mut parts = Vec::new();
    if let Some(text) = answer.reasoning_content.or(answer.reasoning).filter(|text| !text.is_empty()) {
        parts.push(Content::Thinking { text, signature: None }.into());
    }
    if let Some(text) = answer.content.filter(|text| !text.is_empty()) {
        let citations = answer.annotations.unwrap_or_default().into_iter().map(read_annotation);
        parts.push(Content::Text { text, citations: citations.collect::<Result<_, _>>()? }.into());
    }
    parts.extend(answer.refusal.filter(|text| !text.is_empty()).map(|text| Content::Refusal(text).into()));
    for call in answer.tool_calls.unwrap_or_default() {
        parts.push(read_tool_call(call)?.into());
    }
    Ok(parts)
}

/// A note on the text: a citation, with its page where it is one.
pub(super) fn read_annotation(raw: &RawValue) -> Result<Citation, serde_json::Error> {
    let Known(annotation) = read::<Known<Annotation<'_>>>(raw)?;
    let page = annotation.url_citation.filter(|_| annotation.kind.is_some_and(|Text(kind)| kind == "url_citation"));
    let (url, title) = page.map_or((None, None), |Known(page)| (page.url, page.title));
    Ok(Citation { told: Foreign { dialect: NAME, need: Need::HostedTools, json: raw.into() }, url, title })
}

/// The reasons of all vendors that speak this dialect; `tool_call` is DeepSeek's on Azure (recording
/// `97606878f29df919`), `eos` Together's (`2db78c718bd342cb`), the empty one Snowflake's.
pub(super) fn read_finish(reason: &str) -> Finish {
    match reason {
        "stop" | "eos" | "" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "tool_call" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    }
}

/// The reason in this dialect's words. SDKs know only these four, so a word of a newer vendor becomes `stop`. An answer
/// that was refused without a word ends as filtered: it is not what the model would have said.
pub(super) const fn write_finish(finish: &Finish, spoken_refusal: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Pause | Finish::Other(_) => "stop",
        Finish::Length | Finish::ContextWindow => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Refusal(_) if spoken_refusal => "stop",
        Finish::ContentFilter | Finish::Refusal(_) => "content_filter",
    }
}

/// What a client reads where the vendor refused without saying why.
const SILENT_REFUSAL: &str = "The model declined to answer.";

/// The words of a refusal that the answer itself does not hold.
pub(super) fn refusal_words(finish: &Finish, spoken_refusal: bool) -> Option<&str> {
    match finish {
        Finish::Refusal(reason) if !spoken_refusal => Some(reason.as_deref().unwrap_or(SILENT_REFUSAL)),
        _ => None,
    }
}

#[derive(Serialize)]
struct CompletionOut<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [ChoiceOut<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    message: AnswerOut<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Default, Serialize)]
struct AnswerOut<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<AnyToolCallOut<'a>>,
    annotations: Vec<AnnotationOut<'a>>,
}

/// Writes a whole answer for a client. Seals of thoughts have no place in this dialect, and neither have blocks of
/// tools that another vendor runs, which a client of this dialect cannot have asked for.
pub(crate) fn write_reply(reply: &Reply) -> Vec<u8> {
    let mut message = AnswerOut { role: "assistant", ..AnswerOut::default() };
    reply.parts.iter().for_each(|part| message.add(&part.content));
    let spoken = message.refusal.is_some();
    message.refusal = message.refusal.or_else(|| refusal_words(&reply.finish, spoken).map(Cow::Borrowed));
    let finish_reason = write_finish(&reply.finish, spoken);
    let completion = CompletionOut {
        id: &reply.id,
        object: "chat.completion",
        created: reply.created_s,
        model: &reply.model,
        choices: [ChoiceOut { index: 0, message, logprobs: None, finish_reason }],
        usage: reply.usage.map(UsageOut::from),
    };
    serde_json::to_vec(&completion).unwrap_or_default()
}

impl<'a> AnswerOut<'a> {
    fn add(&mut self, content: &'a Content) {
        match content {
            Content::Text { text, citations } => {
                let start_index = self.content.as_ref().map_or(0, |content| content.chars().count());
                let end_index = start_index + text.chars().count();
                append(&mut self.content, text);
                let notes = citations.iter().filter_map(|citation| write_annotation(citation, start_index, end_index));
                self.annotations.extend(notes);
            }
            Content::Refusal(text) => append(&mut self.refusal, text),
            Content::Thinking { text, .. } => append(&mut self.reasoning_content, text),
            Content::ToolCall(call) => self.tool_calls.push(AnyToolCallOut::Function(ToolCallOut::whole(call))),
            Content::Foreign(foreign) if foreign.dialect == NAME => {
                self.tool_calls.push(AnyToolCallOut::Foreign(&foreign.json));
            }
            Content::Image { .. }
            | Content::Document { .. }
            | Content::ToolResult { .. }
            | Content::RedactedThinking(_)
            | Content::Foreign(_) => {}
        }
    }
}

fn append<'a>(member: &mut Option<Cow<'a, str>>, text: &'a str) {
    match member {
        Some(before) => before.to_mut().push_str(text),
        None => *member = Some(Cow::Borrowed(text)),
    }
}

/// A citation as a note on the text between two characters; one that is no page has no form here.
pub(super) fn write_annotation(citation: &Citation, start_index: usize, end_index: usize) -> Option<AnnotationOut<'_>> {
    if citation.told.dialect == NAME {
        return Some(AnnotationOut::Own(&citation.told.json));
    }
    let (url, title) = (citation.url.as_deref()?, citation.title.as_deref().unwrap_or(""));
    let url_citation = UrlCitationOut { start_index, end_index, url, title };
    Some(AnnotationOut::Page { kind: "url_citation", url_citation })
}
