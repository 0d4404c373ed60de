//! Whole answers: read from a vendor as a [`Reply`]; written again, to prove on recordings that nothing is lost.

use super::request::blocks::Blocks;
use super::request::read::read_answer;
use super::request::write::Family;
use super::types::{AdditionalAnswer, Answer};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Content, Part};
use crate::call::usage::Usage;
use crate::dialect::bedrock::request::blocks::BlockOut;
use crate::dialect::object::{Known, read, read_known, said};
use crate::dialect::shapes::unfinished;
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads a vendor's whole answer. It tells neither its id, which is in a header, nor its model, which is the one that was
/// asked.
///
/// # Errors
/// [`FailureKind::Malformed`] where the body is no answer of this dialect, [`FailureKind::Truncated`] where it does not say why
/// it ended.
pub(crate) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let malformed = || Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect");
    let answer: Answer<'_> = read_known(body).ok_or_else(malformed)?;
    let message = answer.output.and_then(|Known(output)| output.message).map(|Known(message)| message);
    let content = message.and_then(|message| message.content).ok_or_else(malformed)?;
    let parts = read_answer(content).map_err(|_| malformed())?;
    let reason = said(&answer.stop_reason).ok_or_else(unfinished)?;
    let says_nothing = |part: &Part| matches!(&part.content, Content::Text { text, .. } if text.is_empty());
    Ok(Reply {
        id: String::new(),
        model: String::new(),
        created_s: 0,
        parts: parts.into_iter().filter(|part| !says_nothing(part)).collect(),
        finish: read_finish(reason, answer.additional),
        usage: answer.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

/// The stop reason, with the stop text where the model's maker tells it beside the answer.
pub(super) fn read_finish(reason: &str, additional: Option<&RawValue>) -> Finish {
    let told = |raw: &RawValue| read::<Known<AdditionalAnswer>>(raw).ok().and_then(|Known(told)| told.stop_sequence);
    match reason {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(additional.and_then(told)),
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        // recordings 286b763eee1f8891, 3797910cd9a4c983
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "model_context_window_exceeded" => Finish::ContextWindow,
        other => Finish::Other(other.to_owned()),
    }
}

fn write_finish(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::Pause => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal(_) => "content_filtered",
        Finish::ContextWindow => "model_context_window_exceeded",
        Finish::Other(word) => word,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerOut<'a> {
    output: OutputOut<'a>,
    stop_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_fields: Option<AdditionalOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct OutputOut<'a> {
    message: MessageOut<'a>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
}

#[derive(Serialize)]
struct AdditionalOut<'a> {
    stop_sequence: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageOut {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.fresh,
            output_tokens: usage.output,
            total_tokens: usage.input().saturating_add(usage.output),
            cache_read_input_tokens: usage.cached,
            cache_write_input_tokens: usage.written,
        }
    }
}

/// Writes a whole answer in this dialect; parts that it has no form for are left out.
pub(crate) fn write_reply(reply: &Reply) -> Vec<u8> {
    let mut blocks = Blocks::new(true, Family::Claude);
    let content =
        reply.parts.iter().filter_map(|part| blocks.turn(std::slice::from_ref(part)).ok()).flatten().collect();
    let stop_sequence = match &reply.finish {
        Finish::StopSequence(Some(text)) => Some(AdditionalOut { stop_sequence: text }),
        _ => None,
    };
    let answer = AnswerOut {
        output: OutputOut { message: MessageOut { role: "assistant", content } },
        stop_reason: write_finish(&reply.finish),
        additional_model_response_fields: stop_sequence,
        usage: reply.usage.map(UsageOut::from),
    };
    serde_json::to_vec(&answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content: &str, stop: &str) -> String {
        format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":{content}}}}},"stopReason":"{stop}","metrics":{{"latencyMs":1}},
            "usage":{{"inputTokens":7,"outputTokens":2,"totalTokens":14,"cacheReadInputTokens":3,"cacheWriteInputTokens":2}}}}"#
        )
    }

    #[test]
    fn an_answer_is_read_with_its_thoughts_calls_and_counts() {
        let content = r#"[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"AA=="}},
            {"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{"x":1}}}]"#;
        let reply = read_reply(answer(content, "tool_use").as_bytes()).expect("an answer");
        let kinds: Vec<_> = reply
            .parts
            .iter()
            .map(|part| match &part.content {
                Content::Thinking { text, signature } => format!("{text} {signature:?}"),
                Content::RedactedThinking(data) => data.clone(),
                Content::Text { text, .. } => text.clone(),
                Content::ToolCall(call) => format!("{} {} {}", call.id, call.name, call.arguments),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["hm Some(\"s\")", "AA==", "a", "t f {\"x\":1}"]);
        assert_eq!(reply.finish, Finish::ToolCalls);
        assert_eq!(reply.usage.map(|usage| (usage.fresh, usage.input(), usage.output)), Some((7, 12, 2)));
    }

    #[test]
    fn stop_reasons_have_one_meaning() {
        for (word, expected) in [
            ("end_turn", Finish::Stop),
            ("max_tokens", Finish::Length),
            ("guardrail_intervened", Finish::ContentFilter),
            ("content_filtered", Finish::ContentFilter),
            ("stop_sequence", Finish::StopSequence(None)),
            ("malformed_tool_use", Finish::Other("malformed_tool_use".to_owned())),
        ] {
            let reply = read_reply(answer(r#"[{"text":"a"}]"#, word).as_bytes()).expect("an answer");
            assert_eq!(reply.finish, expected, "{word}");
        }
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        for body in ["<html>", "{}", r#"{"message":"x"}"#, r#"{"output":{"message":{}}}"#] {
            assert_eq!(read_reply(body.as_bytes()).expect_err(body).kind, FailureKind::Malformed, "{body}");
        }
    }
}
