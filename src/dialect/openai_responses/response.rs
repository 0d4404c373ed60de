//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use super::item::{Said, foreign, read_item};
use super::seen::says_failed;
use super::types::{Item, Response, UsageOut};
use super::{NAME, echo, namespace, seal};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::echo::Echo;
use crate::call::json::Json;
use crate::call::reply::{Finish, Reply};
use crate::call::tool::ToolCall;
use crate::call::turn::{Citation, Content, Part};
use crate::call::usage::Usage;
use crate::dialect::object::{Known, Reading, Text, read, read_known};
use crate::dialect::shapes::unfinished;
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads a vendor's whole answer.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect, or one that is not finished yet;
/// [`FailureKind::Truncated`] where it does not say whether it is.
pub(crate) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let malformed = |reason| Failure::new(FailureKind::Malformed, Phase::Headers, reason);
    let response: Response<'_> = read_known(body).ok_or_else(|| malformed("not_the_dialect"))?;
    let status = response.status.as_ref().map_or("", |Text(status)| status);
    let error = response.error.is_some_and(|error| error.get() != "null");
    let speaks = response.output.as_ref().is_some_and(|output| !output.is_empty());
    if status != "cancelled" && says_failed(error, status, speaks) {
        return Err(Failure::new(FailureKind::ServerError, Phase::Headers, "error_inside_200"));
    }
    if matches!(status, "queued" | "in_progress" | "cancelled") {
        return Err(malformed("not_finished"));
    }
    if status.is_empty() {
        return Err(unfinished());
    }
    let output = response.output.as_deref().ok_or_else(|| malformed("not_the_dialect"))?;
    let mut parts = Vec::with_capacity(output.len());
    for item in output {
        parts.append(&mut read_output(item).map_err(|_| malformed("not_the_dialect"))?);
    }
    Ok(Reply {
        finish: read_finish(&response, status == "incomplete", Spoken::of(&parts)),
        usage: response.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
        id: response.id.unwrap_or_default(),
        model: response.model.unwrap_or_default(),
        created_s: response.created_at.unwrap_or(0),
        parts,
    })
}

/// An item of an answer, as parts. Empty texts say nothing.
pub(super) fn read_output(raw: &RawValue) -> Result<Vec<Part>, serde_json::Error> {
    let Known(item) = read::<Known<Item<'_>>>(raw)?;
    let mut parts = match read_item(item, true, Reading::Answer)? {
        Said::Message(_, parts) | Said::Model(parts) => parts,
        Said::Result(part) => vec![part],
        Said::Foreign(need) => vec![Content::Foreign(foreign(need, raw)).into()],
    };
    parts.retain(|part| !matches!(&part.content, Content::Text { text, .. } if text.is_empty()));
    Ok(parts)
}

/// What an answer says that decides why it ended: this dialect has no word for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spoken {
    /// It calls tools that the client runs.
    pub(super) calls: bool,
    /// It refuses.
    pub(super) refuses: bool,
}

impl Spoken {
    fn of(parts: &[Part]) -> Self {
        let has = |is: fn(&Content) -> bool| parts.iter().any(|part| is(&part.content));
        Self {
            calls: has(|content| matches!(content, Content::ToolCall(_))),
            refuses: has(|content| matches!(content, Content::Refusal(_))),
        }
    }
}

/// Why the answer ended. One that is `cut` for a reason that is not told, or not known here, is told as too long: it is the one
/// word that clients of all dialects know for an answer that is not whole.
pub(super) fn read_finish(response: &Response<'_>, cut: bool, spoken: Spoken) -> Finish {
    let reason = response.incomplete.as_ref().and_then(|Known(incomplete)| incomplete.reason.as_ref());
    match reason.map(|Text(reason)| &**reason) {
        Some("content_filter") => Finish::ContentFilter,
        Some(_) => Finish::Length,
        None if cut => Finish::Length,
        None if spoken.refuses => Finish::Refusal(None),
        None if spoken.calls => Finish::ToolCalls,
        None => Finish::Stop,
    }
}

/// Why an answer is not whole, in this dialect's words. One that was refused without a word is none that the model gave: a
/// filter cut it
/// (<https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals>).
pub(super) const fn cut(finish: &Finish, spoken_refusal: bool) -> Option<&'static str> {
    match finish {
        Finish::Length | Finish::ContextWindow => Some("max_output_tokens"),
        Finish::Refusal(_) if spoken_refusal => None,
        Finish::ContentFilter | Finish::Refusal(_) => Some("content_filter"),
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Pause | Finish::Other(_) => None,
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

/// Why an answer is not whole, as it is written.
#[derive(Debug, Serialize)]
pub(super) struct IncompleteOut {
    reason: &'static str,
}

/// The whole `response`, with every member that the API's description demands.
#[derive(Debug, Serialize)]
pub(super) struct ResponseOut<'a, O> {
    pub(super) id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    error: Option<()>,
    incomplete_details: Option<IncompleteOut>,
    model: &'a str,
    output: O,
    usage: Option<UsageOut>,
    #[serde(flatten)]
    settings: &'a Echo,
}

impl<'a, O> ResponseOut<'a, O> {
    /// A response under way that repeats what the client asked.
    pub(super) fn new(id: &'a str, model: &'a str, created_at: u64, output: O, asked: &'a Echo) -> Self {
        Self {
            id,
            object: "response",
            created_at,
            status: "in_progress",
            error: None,
            incomplete_details: None,
            model,
            output,
            usage: None,
            settings: if asked.is_empty() { echo::unsaid() } else { asked },
        }
    }

    /// The same, ended: as a whole, or `cut` for a reason.
    pub(super) fn ended(mut self, cut: Option<&'static str>, usage: Option<Usage>) -> Self {
        self.incomplete_details = cut.map(|reason| IncompleteOut { reason });
        self.status = status(cut);
        self.usage = usage.map(UsageOut::from);
        self
    }
}

/// The status of an answer, and of its last item.
pub(super) const fn status(cut: Option<&'static str>) -> &'static str {
    if cut.is_some() { "incomplete" } else { "completed" }
}

/// An item, whole or as it begins in a stream.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ItemOut<'a, P> {
    /// One of this dialect's, written anew.
    Own(OwnItemOut<'a, P>),
    /// One that only this dialect knows.
    Foreign(&'a Json),
}

/// An item that is written anew; `P` is how its parts are at hand.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OwnItemOut<'a, P> {
    Message {
        id: &'a str,
        status: &'static str,
        role: &'static str,
        content: P,
    },
    Reasoning {
        id: &'a str,
        summary: P,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<String>,
    },
    FunctionCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        name: &'a str,
        arguments: &'a str,
    },
}

/// A part of an item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum PartOut<'a> {
    OutputText { text: &'a str, annotations: Vec<NoteOut<'a>>, logprobs: [(); 0] },
    Refusal { refusal: &'a str },
    SummaryText { text: &'a str },
}

impl<'a> PartOut<'a> {
    /// A text and its notes.
    pub(super) const fn text(text: &'a str, annotations: Vec<NoteOut<'a>>) -> Self {
        Self::OutputText { text, annotations, logprobs: [] }
    }
}

/// A note on a text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum NoteOut<'a> {
    Own(&'a Json),
    Page {
        #[serde(rename = "type")]
        kind: &'static str,
        start_index: usize,
        end_index: usize,
        url: &'a str,
        title: &'a str,
    },
}

/// A citation as a note on the first `end_index` characters of its text; one that is no page has no form here.
pub(super) fn write_note(citation: &Citation, end_index: usize) -> Option<NoteOut<'_>> {
    if citation.told.dialect == NAME {
        return Some(NoteOut::Own(&citation.told.json));
    }
    let (url, title) = (citation.url.as_deref()?, citation.title.as_deref().unwrap_or(""));
    Some(NoteOut::Page { kind: "url_citation", start_index: 0, end_index, url, title })
}

/// An id for the item at `index`. Vendors of this dialect allow 64 letters, digits, dashes and underscores.
pub(super) fn item_id(prefix: &str, answer: &str, index: usize) -> String {
    let mut end: Vec<char> = answer.chars().rev().filter(char::is_ascii_alphanumeric).take(40).collect();
    end.reverse();
    format!("{prefix}_{}_{index}", String::from_iter(end))
}

/// Writes a whole answer for a client, with what it repeats of the request.
pub(crate) fn write_reply(reply: &Reply, asked: &Echo) -> Vec<u8> {
    let spoken = Spoken::of(&reply.parts);
    let words = refusal_words(&reply.finish, spoken.refuses).map(|words| Content::Refusal(words.to_owned()));
    let contents: Vec<&Content> = reply.parts.iter().map(|part| &part.content).chain(&words).collect();
    let cut = cut(&reply.finish, spoken.refuses);
    let items: Vec<Group<'_>> = group(&contents);
    let ids: Vec<String> =
        items.iter().enumerate().map(|(index, group)| item_id(group.prefix(), &reply.id, index)).collect();
    let output: Vec<_> = items.iter().zip(&ids).map(|(group, id)| group.write(id, status(cut))).collect();
    let response = ResponseOut::new(&reply.id, &reply.model, reply.created_s, output, asked);
    serde_json::to_vec(&response.ended(cut, reply.usage)).unwrap_or_default()
}

/// What becomes one item: texts and refusals in a row are one message.
enum Group<'a> {
    Message(Vec<&'a Content>),
    Thoughts(&'a str, Option<String>),
    Call(&'a ToolCall),
    Foreign(&'a Json),
}

fn group<'a>(contents: &[&'a Content]) -> Vec<Group<'a>> {
    let mut groups = Vec::with_capacity(contents.len());
    for content in contents {
        match content {
            Content::Text { .. } | Content::Refusal(_) => match groups.last_mut() {
                Some(Group::Message(parts)) => parts.push(*content),
                _ => groups.push(Group::Message(vec![*content])),
            },
            Content::Thinking { text, signature } => {
                groups.push(Group::Thoughts(text, Some(seal::write(signature.as_deref()))));
            }
            Content::RedactedThinking(data) => groups.push(Group::Thoughts("", Some(seal::write_redacted(data)))),
            Content::ToolCall(call) => groups.push(Group::Call(call)),
            Content::Foreign(foreign) if foreign.dialect == NAME => groups.push(Group::Foreign(&foreign.json)),
            // Blocks of tools that another vendor runs, which a client of this dialect cannot have asked for.
            Content::Foreign(_) | Content::Image { .. } | Content::Document { .. } | Content::ToolResult { .. } => {}
        }
    }
    groups
}

impl Group<'_> {
    const fn prefix(&self) -> &'static str {
        match self {
            Self::Message(_) => "msg",
            Self::Thoughts(..) => "rs",
            Self::Call(_) | Self::Foreign(_) => "fc",
        }
    }

    fn write<'b>(&'b self, id: &'b str, status: &'static str) -> ItemOut<'b, Vec<PartOut<'b>>> {
        ItemOut::Own(match self {
            Self::Message(parts) => {
                let content = parts.iter().filter_map(|part| write_part(part)).collect();
                OwnItemOut::Message { id, status, role: "assistant", content }
            }
            Self::Thoughts(text, sealed) => {
                let summary = if text.is_empty() { Vec::new() } else { vec![PartOut::SummaryText { text }] };
                OwnItemOut::Reasoning { id, summary, encrypted_content: sealed.clone() }
            }
            Self::Call(ToolCall { id: call_id, name, arguments }) => {
                // clients read JSON
                let arguments = if arguments.is_empty() { "{}" } else { arguments };
                let (namespace, name) = namespace::split(name);
                OwnItemOut::FunctionCall { id, status, call_id, namespace, name, arguments }
            }
            Self::Foreign(json) => return ItemOut::Foreign(json),
        })
    }
}

fn write_part(content: &Content) -> Option<PartOut<'_>> {
    match content {
        Content::Text { text, citations } => {
            let end = if citations.is_empty() { 0 } else { text.chars().count() };
            Some(PartOut::text(text, citations.iter().filter_map(|citation| write_note(citation, end)).collect()))
        }
        Content::Refusal(refusal) => Some(PartOut::Refusal { refusal }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, sse, translate};
    use serde_json::{Value, json};

    /// What a client is told of the end, whole and as a stream: the status, why it is cut, and the last part.
    fn check(finish: &Finish, parts: &[&Content], status: &str, reason: Option<&str>, last: &Value) {
        let parts: Vec<Part> = parts.iter().map(|part| Part::from((*part).clone())).collect();
        let reply = Reply { parts, finish: finish.clone(), ..Reply::default() };
        let whole: Value = serde_json::from_slice(&write_reply(&reply, &Echo::default())).expect("JSON");
        let stream = translate::stream_of(Dialect::OpenaiResponses, &reply, true, &Echo::default()).expect("an order");
        let last_event = stream.trim_ascii().rsplit(|byte| *byte == b'\n').next().expect("an event");
        let event: Value = serde_json::from_slice(&sse::Event::parse(last_event).data).expect("JSON");
        assert_eq!(event["type"], format!("response.{status}"), "{finish:?}");
        for told in [&whole, &event["response"]] {
            let item = &told["output"][0];
            let reason = reason.map_or(Value::Null, |reason| json!({ "reason": reason }));
            assert_eq!((&told["status"], &told["incomplete_details"]), (&json!(status), &reason), "{finish:?}");
            assert_eq!(item["status"], status, "{finish:?}");
            let part = item["content"].as_array().and_then(|parts| parts.last()).cloned().unwrap_or_default();
            assert_eq!(part, *last, "{finish:?}");
        }
    }

    #[test]
    fn an_answer_that_was_refused_beside_its_words_is_not_complete() {
        let said = json!({"type": "output_text", "text": "So", "annotations": [], "logprobs": []});
        let refusal = |words: &str| json!({"type": "refusal", "refusal": words});
        let (text, spoken) = (Content::text("So"), Content::Refusal("No.".to_owned()));
        check(&Finish::Stop, &[&text], "completed", None, &said);
        check(&Finish::Length, &[&text], "incomplete", Some("max_output_tokens"), &said);
        check(&Finish::ContentFilter, &[&text], "incomplete", Some("content_filter"), &said);
        check(&Finish::Refusal(None), &[&spoken], "completed", None, &refusal("No."));
        let silent = refusal(SILENT_REFUSAL);
        check(&Finish::Refusal(None), &[], "incomplete", Some("content_filter"), &silent);
        check(&Finish::Refusal(None), &[&text], "incomplete", Some("content_filter"), &silent);
        let told = Finish::Refusal(Some("It could harm.".to_owned()));
        check(&told, &[], "incomplete", Some("content_filter"), &refusal("It could harm."));
    }
}
