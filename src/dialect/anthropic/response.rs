//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use super::NAME;
use super::request::read::read_block;
use super::types::{Answer, StopDetails, UsageOut};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::json::Json;
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Citation, Content, Part};
use crate::call::usage::Usage;
use crate::dialect::call_ids;
use crate::dialect::honour::arguments_object;
use crate::dialect::object::{Known, Reading, Text, read_known, said};
use crate::dialect::shapes::unfinished;
use serde::Serialize;
use std::borrow::Cow;

/// Reads a vendor's whole answer.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect, [`FailureKind::Truncated`] where it does not say why
/// it ended.
pub(crate) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let malformed = || Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect");
    let answer: Answer<'_> = read_known(body).ok_or_else(malformed)?;
    let is_message = answer.kind.is_some_and(|Text(kind)| kind == "message");
    let content = answer.content.filter(|_| is_message).ok_or_else(malformed)?;
    let parts = content
        .into_iter()
        .map(|block| read_block(block, Reading::Answer))
        .collect::<Result<Vec<Part>, _>>()
        .map_err(|_| malformed())?;
    let reason = said(&answer.stop_reason).ok_or_else(unfinished)?;
    let says_nothing = |part: &Part| matches!(&part.content, Content::Text { text, .. } if text.is_empty());
    Ok(Reply {
        id: answer.id.unwrap_or_default(),
        model: answer.model.unwrap_or_default(),
        created_s: 0,
        parts: parts.into_iter().filter(|part| !says_nothing(part)).collect(),
        finish: read_finish(reason, answer.stop_sequence, answer.stop_details),
        usage: answer.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

/// The stop reason with what is told beside it.
pub(super) fn read_finish(reason: &str, sequence: Option<String>, details: Option<Known<StopDetails>>) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal(details.and_then(|Known(details)| details.explanation)),
        "pause_turn" => Finish::Pause,
        "model_context_window_exceeded" => Finish::ContextWindow,
        other => Finish::Other(other.to_owned()),
    }
}

/// The stop reason in this dialect's words. SDKs know only these, so a word of a newer vendor becomes `end_turn`; a cut
/// by a filter is a refusal here.
pub(super) const fn write_finish(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Other(_) => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal(_) => "refusal",
        Finish::Pause => "pause_turn",
        Finish::ContextWindow => "model_context_window_exceeded",
    }
}

/// How an answer ended, as it is written.
#[derive(Serialize)]
pub(super) struct EndOut<'a> {
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<StopDetailsOut<'a>>,
}

#[derive(Serialize)]
struct StopDetailsOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    category: Option<&'a str>,
    explanation: &'a str,
}

impl<'a> From<&'a Finish> for EndOut<'a> {
    fn from(finish: &'a Finish) -> Self {
        let stop_sequence = match finish {
            Finish::StopSequence(sequence) => sequence.as_deref(),
            _ => None,
        };
        let stop_details = match finish {
            Finish::Refusal(Some(explanation)) => Some(StopDetailsOut { kind: "refusal", category: None, explanation }),
            _ => None,
        };
        Self { stop_reason: Some(write_finish(finish)), stop_sequence, stop_details }
    }
}

#[derive(Serialize)]
struct AnswerOut<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<AnyBlockOut<'a>>,
    #[serde(flatten)]
    end: EndOut<'a>,
    usage: UsageOut,
}

/// A block, or one that only this dialect knows.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum AnyBlockOut<'a> {
    Own(BlockOut<'a>),
    Foreign(&'a Json),
}

/// A block of an answer, whole or as it begins in a stream.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockOut<'a> {
    /// Text.
    Text {
        /// The text; empty where it begins.
        text: &'a str,
        /// What it rests on.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<CitationOut<'a>>,
    },
    /// Thoughts, which SDKs want with a seal even if it is empty.
    Thinking {
        /// The thoughts; empty where they begin.
        thinking: &'a str,
        /// Their seal.
        signature: &'a str,
    },
    /// Thoughts that only the vendor can read.
    RedactedThinking {
        /// As they came.
        data: &'a str,
    },
    /// A tool call.
    ToolUse {
        /// Its id, as vendors of this dialect take it back.
        id: Cow<'a, str>,
        /// The function.
        name: &'a str,
        /// The arguments; empty where it begins.
        input: Json,
    },
}

/// What a text rests on, as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CitationOut<'a> {
    /// As it came.
    Own(&'a Json),
    /// A page that another dialect's vendor found.
    Page(PageOut<'a>),
}

/// A page, in the form that this dialect gives to what its web search finds.
#[derive(Serialize)]
pub(super) struct PageOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    cited_text: &'a str,
    encrypted_index: &'a str,
    title: Option<&'a str>,
    url: &'a str,
}

/// A citation; one of another dialect that is no page has no form here.
pub(super) fn write_citation(citation: &Citation) -> Option<CitationOut<'_>> {
    if citation.told.dialect == NAME {
        return Some(CitationOut::Own(&citation.told.json));
    }
    Some(CitationOut::Page(PageOut {
        kind: "web_search_result_location",
        cited_text: "",
        encrypted_index: "",
        title: citation.title.as_deref(),
        url: citation.url.as_deref()?,
    }))
}

/// Writes a whole answer for a client. The words of a refusal are its text.
pub(crate) fn write_reply(reply: &Reply) -> Vec<u8> {
    let answer = AnswerOut {
        id: &reply.id,
        kind: "message",
        role: "assistant",
        model: &reply.model,
        content: reply.parts.iter().filter_map(|part| write_block(&part.content)).collect(),
        end: EndOut::from(&reply.finish),
        usage: reply.usage.unwrap_or_default().into(),
    };
    serde_json::to_vec(&answer).unwrap_or_default()
}

fn write_block(content: &Content) -> Option<AnyBlockOut<'_>> {
    Some(AnyBlockOut::Own(match content {
        Content::Text { text, citations } => {
            BlockOut::Text { text, citations: citations.iter().filter_map(write_citation).collect() }
        }
        Content::Refusal(text) => BlockOut::Text { text, citations: Vec::new() },
        Content::ToolCall(call) => {
            let id = call_ids::fit(&call.id, call_ids::ANTHROPIC_MOST);
            BlockOut::ToolUse { id, name: &call.name, input: arguments_object(&call.arguments) }
        }
        Content::Thinking { text, signature } => {
            BlockOut::Thinking { thinking: text, signature: signature.as_deref().unwrap_or("") }
        }
        Content::RedactedThinking(data) => BlockOut::RedactedThinking { data },
        Content::Foreign(foreign) if foreign.dialect == NAME => return Some(AnyBlockOut::Foreign(&foreign.json)),
        Content::Foreign(_) | Content::Image { .. } | Content::Document { .. } | Content::ToolResult { .. } => {
            return None;
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, profile, translate};
    use serde_json::{Value, json};

    /// What an OpenAI message becomes for a client of this dialect.
    fn check(message: Value, finish_reason: &str, content: Value, stop_reason: &str) {
        let answer = json!({"id": "c1", "model": "gpt", "created": 5,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 1}}});
        let reply = translate::read_reply(&profile::OPENAI, answer.to_string().as_bytes()).expect("an answer");
        let written: Value = serde_json::from_slice(&translate::write_reply(Dialect::Anthropic, &reply)).expect("JSON");
        let usage = json!({"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4,
            "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 1}});
        let wanted = json!({"id": "c1", "type": "message", "role": "assistant", "model": "gpt", "content": content,
            "stop_reason": stop_reason, "stop_sequence": null, "usage": usage});
        assert_eq!(written, wanted, "{message}");
    }

    #[test]
    fn answers_are_retold() {
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        check(json!({"content": "a"}), "stop", text("a"), "end_turn");
        check(json!({"content": ""}), "length", json!([]), "max_tokens");
        check(json!({"content": "a"}), "content_filter", text("a"), "refusal");
        check(json!({"content": "a"}), "eos", text("a"), "end_turn");
        check(json!({"content": null, "refusal": "no"}), "stop", text("no"), "refusal");
        check(
            json!({"content": "a", "reasoning_content": "hm"}),
            "stop",
            json!([{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "a"}]),
            "end_turn",
        );
        let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        check(
            json!({"content": null, "tool_calls": [call("a", r#"{"x": 1}"#), call("b", ""), call("c", "{oops")]}),
            "tool_calls",
            json!([
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"_unparsed_arguments": "{oops"}},
            ]),
            "tool_use",
        );
        check(
            json!({"content": "a", "annotations": [{"type": "url_citation",
                "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 1}}]}),
            "stop",
            json!([{"type": "text", "text": "a", "citations": [{"type": "web_search_result_location", "cited_text": "",
                "encrypted_index": "", "title": "A", "url": "https://a"}]}]),
            "end_turn",
        );
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        for body in ["<html>", "{}", r#"{"type": "message"}"#, r#"{"type": "error", "content": []}"#] {
            assert_eq!(read_reply(body.as_bytes()).expect_err(body).kind, FailureKind::Malformed, "{body}");
        }
    }
}
