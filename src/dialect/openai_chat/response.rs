//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use super::NAME;
use super::request::read::read_tool_call;
use super::think::{self, Piece};
use super::types::answer::{Annotation, Choice, Completion, UrlCitation};
use super::types::usage::UsageOut;
use super::types::written::{AnnotationOut, AnyToolCallOut, ToolCallOut, UrlCitationOut};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::needs::Need;
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Citation, Content, Foreign, Part};
use crate::call::usage::Usage;
use crate::dialect::object::{Known, Text, read, read_known};
use crate::dialect::profile::Profile;
use crate::dialect::shapes::{First, unfinished};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a vendor's whole answer. Of several choices it would have to drop all but one, so it takes one alone: a call
/// for several is never translated.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect, [`FailureKind::Truncated`] where it does not say why
/// it ended, unless the profile says that its vendor never does.
pub(crate) fn read_reply(profile: &Profile, body: &[u8]) -> Result<Reply, Failure> {
    let malformed = |reason| Failure::new(FailureKind::Malformed, Phase::Headers, reason);
    let completion: Completion<'_> = read_known(body).ok_or_else(|| malformed("not_the_dialect"))?;
    if completion.error.is_some_and(|error| error.get() != "null") {
        return Err(Failure::new(FailureKind::ServerError, Phase::Headers, "error_inside_200"));
    }
    let First { one: Some(Known(choice)), more: false } = completion.choices else {
        return Err(malformed("not_one_choice"));
    };
    let told = choice.finish_reason.as_ref().map(|Text(reason)| read_finish(reason));
    let mut parts = read_parts(profile, choice).map_err(|_| malformed("not_the_dialect"))?;
    let found = Found { results: completion.results, pages: completion.pages };
    let texts = parts.iter_mut().filter_map(|part| match &mut part.content {
        Content::Text { citations, .. } => Some(citations),
        _ => None,
    });
    texts.last().into_iter().for_each(|citations| citations.extend(found.citations()));
    let id = completion.id.unwrap_or_default();
    name_calls(&id, &mut parts);
    let has = |is: fn(&Content) -> bool| parts.iter().any(|part| is(&part.content));
    let finish = match told {
        None if !profile.terminator_is_final => return Err(unfinished()),
        _ if has(|content| matches!(content, Content::Refusal(_))) => Finish::Refusal(None),
        Some(finish) => finish,
        None if has(|content| matches!(content, Content::ToolCall(_))) => Finish::ToolCalls,
        None => Finish::Stop,
    };
    Ok(Reply {
        id,
        model: completion.model.unwrap_or_default(),
        created_s: completion.created.unwrap_or(0),
        parts,
        finish,
        usage: completion.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

/// Gives tool calls without ids (Gemini's endpoint of this dialect, recording `9be398e0fba56f59`) one, as their results
/// need it.
fn name_calls(answer: &str, parts: &mut [Part]) {
    let calls = parts.iter_mut().filter_map(|part| match &mut part.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    });
    for (index, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = made_up_id(answer, index);
    }
}

/// An id for a tool call of an answer that names none.
pub(super) fn made_up_id(answer: &str, index: usize) -> String {
    format!("call_{answer}_{index}")
}

fn read_parts(profile: &Profile, choice: Choice<'_>) -> Result<Vec<Part>, serde_json::Error> {
    let Some(Known(answer)) = choice.message else { return Ok(Vec::new()) };
    let mut parts = Vec::new();
    let mut thoughts = answer.reasoning_content.or(answer.reasoning).unwrap_or_default();
    let mut text = String::new();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Thoughts(more) => thoughts.push_str(more),
        Piece::Text(more) => text.push_str(more),
    };
    if profile.quirks.think_tags {
        let mut think = think::Splitter::default();
        answer.content.each(&mut |piece| match piece {
            Piece::Text(text) => think.push(text, &mut take),
            piece => take(piece),
        });
        think.end(&mut take);
    } else {
        answer.content.each(&mut take);
    }
    if !thoughts.is_empty() {
        parts.push(Content::Thinking { text: thoughts, signature: None }.into());
    }
    if !text.is_empty() {
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

/// What a vendor that searches for every answer found, told beside it: whole at Perplexity (recording `fc256beeafda0d3b`), as
/// addresses at xAI.
pub(super) struct Found<'a> {
    pub(super) results: Option<Vec<&'a RawValue>>,
    pub(super) pages: Option<Vec<&'a RawValue>>,
}

/// No dialect's own form of a citation: it is told as a page.
const FOUND: &str = "found";

impl Found<'_> {
    /// What was found, as citations of the whole answer. What is none is left out.
    pub(super) fn citations(&self) -> impl Iterator<Item = Citation> {
        let results = self.results.iter().flatten().filter_map(|raw| {
            let Known(UrlCitation { url, title }) = read(raw).ok()?;
            Some((raw, url?, title))
        });
        let pages = self.pages.iter().flatten().filter(|_| self.results.is_none()).filter_map(|raw| {
            let Text(url) = read(raw).ok()?;
            Some((raw, url.into_owned(), None))
        });
        results.chain(pages).map(|(raw, url, title)| {
            let told = Foreign { dialect: FOUND, need: Need::HostedTools, json: (*raw).into() };
            Citation { told, url: Some(url), title }
        })
    }
}

/// The reasons of all vendors that speak this dialect; `tool_call` is DeepSeek's on Azure (recording
/// `97606878f29df919`), `eos` Together's (`2db78c718bd342cb`), the empty one Snowflake's.
pub(in crate::dialect) fn read_finish(reason: &str) -> Finish {
    match reason {
        "stop" | "eos" | "" => Finish::Stop,
        // Mistral's word for a full context, z.ai's for its filter
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "tool_call" | "function_call" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    }
}

/// The reason in this dialect's words. SDKs know only these four, so a word of a newer vendor becomes `stop`. An answer
/// that was refused without a word ends as filtered: it is not what the model would have said.
pub(in crate::dialect) const fn write_finish(finish: &Finish, spoken_refusal: bool) -> &'static str {
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
    Some(AnnotationOut::Page { index: None, kind: "url_citation", url_citation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, profile, translate};
    use serde_json::{Value, json};

    /// What an Anthropic answer with these members becomes for a client of this dialect: the choice and the usage.
    fn check(members: Value, message: Value, finish_reason: &str) {
        let mut answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
            "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2}});
        for (name, value) in members.as_object().expect("an object") {
            answer[name] = value.clone();
        }
        let reply = translate::read_reply(&profile::ANTHROPIC, answer.to_string().as_bytes()).expect("an answer");
        let written: Value =
            serde_json::from_slice(&translate::write_reply(Dialect::OpenaiChat, &reply)).expect("JSON");
        let mut wanted = json!({"role": "assistant", "content": null, "refusal": null, "annotations": []});
        for (name, value) in message.as_object().expect("an object") {
            wanted[name] = value.clone();
        }
        assert_eq!(written["choices"][0]["message"], wanted, "{members}");
        assert_eq!(written["choices"][0]["finish_reason"], finish_reason, "{members}");
        assert_eq!((&written["model"], &written["id"]), (&json!("claude"), &json!("msg_1")));
    }

    #[test]
    fn answers_are_retold() {
        let text = |text: &str| json!({"type": "text", "text": text});
        check(json!({"content": [text("a"), text("b")]}), json!({"content": "ab"}), "stop");
        check(json!({"stop_reason": "max_tokens", "content": [text("a")]}), json!({"content": "a"}), "length");
        check(json!({"stop_reason": "stop_sequence", "stop_sequence": "X"}), json!({}), "stop");
        check(json!({"stop_reason": "model_context_window_exceeded"}), json!({}), "length");
        check(json!({"stop_reason": "some_new_reason"}), json!({}), "stop");
        check(json!({"stop_reason": "refusal"}), json!({"refusal": SILENT_REFUSAL}), "content_filter");
        check(
            json!({"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "no"}}),
            json!({"refusal": "no"}),
            "content_filter",
        );
        check(
            json!({"stop_reason": "tool_use", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
            ]}),
            json!({"reasoning_content": "hm",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": r#"{"a":[1]}"#}}]}),
            "tool_calls",
        );
        check(
            json!({"content": [text("é "), {"type": "text", "text": "cited", "citations": [
                {"type": "web_search_result_location", "url": "https://a", "title": "A", "encrypted_index": "e"}]}]}),
            json!({"content": "é cited", "annotations": [{"type": "url_citation",
                "url_citation": {"start_index": 2, "end_index": 7, "url": "https://a", "title": "A"}}]}),
            "stop",
        );
    }

    #[test]
    fn usage_is_told_in_the_dialects_own_sums() {
        let check = |usage: Value, expected: Usage| {
            let body = json!({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": usage});
            assert_eq!(
                read_reply(&profile::OPENAI, body.to_string().as_bytes()).expect("an answer").usage,
                Some(expected),
                "{usage}"
            );
        };
        let counts = |fresh, cached, written, output, reasoning| {
            let none = Usage::default();
            Usage { fresh, cached, written, output, reasoning, ..none }
        };
        check(
            json!({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": null}),
            counts(5, 0, 0, 2, 0),
        );
        check(
            json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 5}}),
            counts(3, 4, 3, 7, 5),
        );
        check(
            json!({"prompt_tokens": 401, "completion_tokens": 44, "total_tokens": 702,
                "completion_tokens_details": {"reasoning_tokens": 257}}),
            counts(401, 0, 0, 301, 257),
        );
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        for (body, kind) in [
            ("<html>", FailureKind::Malformed),
            ("{}", FailureKind::Malformed),
            (r#"{"choices": []}"#, FailureKind::Malformed),
            (r#"{"choices": [{}, {}]}"#, FailureKind::Malformed),
            (r#"{"error": {"code": 502}}"#, FailureKind::ServerError),
        ] {
            assert_eq!(read_reply(&profile::OPENAI, body.as_bytes()).expect_err(body).kind, kind, "{body}");
        }
    }

    #[test]
    fn tool_calls_without_ids_get_distinct_ones() {
        let call = json!({"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let message = json!({"tool_calls": [call, call]});
        let body = json!({"id": "x", "choices": [{"message": message, "finish_reason": "tool_calls"}]});
        let reply = read_reply(&profile::OPENAI, body.to_string().as_bytes()).expect("an answer");
        let ids = reply.parts.iter().filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        });
        assert_eq!(ids.collect::<Vec<_>>(), ["call_x_0", "call_x_1"]);
    }
}
