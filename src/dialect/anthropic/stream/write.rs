//! [`Delta`]s, written as the events that a client reads.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::json::Json;
use crate::call::reply::Finish;
use crate::call::usage::Usage;
use crate::dialect::anthropic::NAME;
use crate::dialect::anthropic::response::{AnyBlockOut, BlockOut, CitationOut, EndOut, write_citation};
use crate::dialect::anthropic::types::{Event, UsageOut};
use crate::dialect::call_ids;
use crate::dialect::emit::{Pattern, write_event};
use crate::dialect::grammar::WriteDeltas;
use crate::dialect::object::{Kind, read_known};
use crate::dialect::sse;
use bytes::BytesMut;
use serde::Serialize;

/// Writes the stream that a client reads: blocks one after the other, and the end only when all is known.
#[derive(Clone, Debug, Default)]
pub(in crate::dialect) struct Writer {
    open: Option<Open>,
    /// A piece of the open block.
    piece: Pattern,
    blocks: usize,
    tool_calls: usize,
    finish: Option<Finish>,
    usage: Usage,
}

/// The kind of the open block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    ToolCall(usize),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum EventOut<'a> {
    MessageStart { message: MessageOut<'a> },
    ContentBlockStart { index: usize, content_block: AnyBlockOut<'a> },
    ContentBlockDelta { index: usize, delta: DeltaOut<'a> },
    ContentBlockStop { index: usize },
    MessageDelta { delta: EndOut<'a>, usage: UsageOut },
    MessageStop,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: UsageOut,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DeltaOut<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: CitationOut<'a> },
}

impl WriteDeltas for Writer {
    /// Fails where the vendor goes back to a tool call after it began the next: blocks of this dialect follow each other,
    /// and clients run a tool when its block closes.
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, .. } => write_start(id, model, out),
            Delta::Text(text) | Delta::Refusal(text) => {
                self.open_text(out);
                self.piece.write_event(text, out);
            }
            Delta::Citation(citation) => {
                if let Some(citation) = write_citation(citation) {
                    self.open_text(out);
                    self.add(DeltaOut::Citations { citation }, out);
                }
            }
            Delta::Thinking(thinking) => {
                self.open_thinking(out);
                if !thinking.is_empty() {
                    self.piece.write_event(thinking, out);
                }
            }
            Delta::Signature(signature) => {
                self.open_thinking(out);
                self.add(DeltaOut::Signature { signature }, out);
            }
            Delta::RedactedThinking(data) => {
                self.whole(AnyBlockOut::Own(BlockOut::RedactedThinking { data }), out);
            }
            Delta::ToolCall { index, id, name } => {
                self.tool_calls = index + 1;
                let input = Json::parse("{}").unwrap_or_default();
                let id = call_ids::fit(id, call_ids::ANTHROPIC_MOST);
                self.begin(Open::ToolCall(index), BlockOut::ToolUse { id, name, input }, out);
            }
            Delta::Arguments { index, json } => {
                if self.open != Some(Open::ToolCall(index)) {
                    return Err(Failure::new(FailureKind::Malformed, Phase::Content, "interleaved_tool_calls"));
                }
                self.piece.write_event(json, out);
            }
            Delta::Foreign(foreign) => {
                if foreign.dialect == NAME {
                    self.whole(AnyBlockOut::Foreign(&foreign.json), out);
                }
            }
            Delta::Close => self.close(out),
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = usage,
        }
        Ok(())
    }

    /// The finish is written only now, as other vendors tell the usage after it.
    fn end(&mut self, out: &mut BytesMut) {
        self.close(out);
        let unsaid = if self.tool_calls > 0 { Finish::ToolCalls } else { Finish::Stop };
        let finish = self.finish.take().unwrap_or(unsaid);
        write(&EventOut::MessageDelta { delta: EndOut::from(&finish), usage: self.usage.into() }, out);
        write(&EventOut::MessageStop, out);
    }

    fn adopt(&mut self, event: &sse::Event<'_>) {
        let Some(event) = read_known::<Event<'_>>(event.data.trim_ascii()) else { return };
        let Some(index) = event.index.and_then(|index| usize::try_from(index).ok()) else { return };
        match event.kind.unwrap_or_default().0.as_ref() {
            "content_block_start" => {
                let block = event.content_block.and_then(|block| read_known::<Kind<'_>>(block.get().as_bytes()));
                self.blocks = index;
                self.opened(match block.and_then(|block| block.kind).unwrap_or_default().0.as_ref() {
                    "thinking" | "redacted_thinking" => Open::Thinking,
                    "tool_use" => Open::ToolCall(self.tool_calls.saturating_sub(1)),
                    _ => Open::Text,
                });
            }
            "content_block_stop" => (self.open, self.blocks) = (None, index + 1),
            _ => {}
        }
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    fn open_text(&mut self, out: &mut BytesMut) {
        if self.open != Some(Open::Text) {
            self.begin(Open::Text, BlockOut::Text { text: "", citations: Vec::new() }, out);
        }
    }

    fn open_thinking(&mut self, out: &mut BytesMut) {
        if self.open != Some(Open::Thinking) {
            self.begin(Open::Thinking, BlockOut::Thinking { thinking: "", signature: "" }, out);
        }
    }

    fn begin(&mut self, open: Open, block: BlockOut<'_>, out: &mut BytesMut) {
        self.close(out);
        self.opened(open);
        write(&EventOut::ContentBlockStart { index: self.blocks, content_block: AnyBlockOut::Own(block) }, out);
    }

    fn opened(&mut self, open: Open) {
        let index = self.blocks;
        self.piece = Pattern::of(|text, out| {
            let delta = match open {
                Open::Text => DeltaOut::Text { text },
                Open::Thinking => DeltaOut::Thinking { thinking: text },
                Open::ToolCall(_) => DeltaOut::InputJson { partial_json: text },
            };
            write(&EventOut::ContentBlockDelta { index, delta }, out);
        });
        self.open = Some(open);
    }

    fn add(&self, delta: DeltaOut<'_>, out: &mut BytesMut) {
        write(&EventOut::ContentBlockDelta { index: self.blocks, delta }, out);
    }

    fn whole(&mut self, content_block: AnyBlockOut<'_>, out: &mut BytesMut) {
        self.close(out);
        write(&EventOut::ContentBlockStart { index: self.blocks, content_block }, out);
        write(&EventOut::ContentBlockStop { index: self.blocks }, out);
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            write(&EventOut::ContentBlockStop { index: self.blocks }, out);
            self.blocks += 1;
        }
    }
}

/// The head of an answer whose usage is not known yet: SDKs take it from the end.
fn write_start(id: &str, model: &str, out: &mut BytesMut) {
    let usage = Usage::default().into();
    let message = MessageOut {
        id,
        kind: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: None,
        stop_sequence: None,
        usage,
    };
    write(&EventOut::MessageStart { message }, out);
}

fn write(event: &EventOut<'_>, out: &mut BytesMut) {
    write_event(Some(event.name()), event, out);
}

impl EventOut<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sse;
    use crate::dialect::translate::StreamTranslator;
    use crate::dialect::{Dialect, profile};
    use serde_json::{Value, json};

    fn retell(chunks: &[Value]) -> Result<Vec<Value>, Failure> {
        let mut translator = StreamTranslator::new(&profile::OPENAI, Dialect::Anthropic, true);
        let mut out = BytesMut::new();
        for chunk in chunks {
            let raw = format!("data: {chunk}\n\n");
            translator.event(&sse::Event::parse(raw.as_bytes()), &mut out)?;
        }
        translator.event(&sse::Event::parse(b"data: [DONE]\n\n"), &mut out)?;
        translator.end(&mut out);
        let text = String::from_utf8(out.to_vec()).expect("UTF-8");
        let data = text.trim_end().split("\n\n").filter_map(|event| event.split_once("data: "));
        Ok(data.map(|(_, data)| serde_json::from_str(data).expect("JSON")).collect())
    }

    fn chunk(delta: Value) -> Value {
        json!({"id": "c", "model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    }

    fn finish(reason: &str) -> Value {
        json!({"id": "c", "model": "gpt", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    }

    fn block(index: u32, block: Value) -> Value {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    }

    fn delta(index: u32, delta: Value) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn stop(index: u32) -> Value {
        json!({"type": "content_block_stop", "index": index})
    }

    /// What an Anthropic client is told between the head and the end.
    fn check(chunks: &[Value], expected: &[Value], stop_reason: &str) {
        let events = retell(chunks).expect("an order");
        let (start, rest) = events.split_first().expect("events");
        assert_eq!((&start["type"], &start["message"]["model"]), (&json!("message_start"), &json!("gpt")));
        let (between, end) = rest.split_at(rest.len() - 2);
        assert_eq!(between, expected);
        assert_eq!(end[0]["delta"]["stop_reason"], stop_reason);
        assert_eq!(end[1], json!({"type": "message_stop"}));
    }

    #[test]
    fn deltas_become_blocks_one_after_the_other() {
        let call = |call: Value| chunk(json!({"tool_calls": [call]}));
        check(
            &[
                json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []}),
                chunk(json!({"role": "assistant", "content": ""})),
                chunk(json!({"reasoning_content": "hm"})),
                chunk(json!({"content": "a"})),
                chunk(json!({"content": "b"})),
                call(json!({"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}})),
                call(json!({"index": 0, "function": {"arguments": "{\"x\":"}})),
                call(json!({"index": 0, "function": {"arguments": "1}"}})),
                call(json!({"index": 1, "id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}})),
                finish("tool_calls"),
            ],
            &[
                block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
                delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
                stop(0),
                block(1, json!({"type": "text", "text": ""})),
                delta(1, json!({"type": "text_delta", "text": "a"})),
                delta(1, json!({"type": "text_delta", "text": "b"})),
                stop(1),
                block(2, json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
                delta(2, json!({"type": "input_json_delta", "partial_json": "{\"x\":"})),
                delta(2, json!({"type": "input_json_delta", "partial_json": "1}"})),
                stop(2),
                block(3, json!({"type": "tool_use", "id": "t2", "name": "g", "input": {}})),
                delta(3, json!({"type": "input_json_delta", "partial_json": "{}"})),
                stop(3),
            ],
            "tool_use",
        );
    }

    #[test]
    fn vendors_quirks_are_understood() {
        let text = |text: &str| {
            vec![
                block(0, json!({"type": "text", "text": ""})),
                delta(0, json!({"type": "text_delta", "text": text})),
                stop(0),
            ]
        };
        check(&[chunk(json!({"refusal": "no"})), finish("stop")], &text("no"), "refusal");
        // a terminator alone
        check(&[chunk(json!({"content": "a"}))], &text("a"), "end_turn");
        // an empty finish reason on every chunk
        let mut quirk = chunk(json!({"content": "a"}));
        quirk["choices"][0]["finish_reason"] = json!("");
        check(&[quirk, finish("length")], &text("a"), "max_tokens");
        // whole calls without an index or an id
        let call = json!({"id": "", "function": {"name": "f", "arguments": "{}"}});
        let whole = |index, id| {
            [
                block(index, json!({"type": "tool_use", "id": id, "name": "f", "input": {}})),
                delta(index, json!({"type": "input_json_delta", "partial_json": "{}"})),
                stop(index),
            ]
        };
        check(
            &[chunk(json!({"tool_calls": [call, call]}))],
            &[whole(0, "call_c_0"), whole(1, "call_c_1")].concat(),
            "tool_use",
        );
    }

    #[test]
    fn usage_that_comes_after_the_finish_is_told_at_the_end() {
        let usage = json!({"id": "c", "model": "gpt", "choices": [],
            "usage": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}});
        let events = retell(&[chunk(json!({"content": "a"})), finish("stop"), usage]).expect("an order");
        assert_eq!(
            events[events.len() - 2]["usage"],
            json!({"input_tokens": 4, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 6, "output_tokens": 4})
        );
    }

    #[test]
    fn what_has_no_order_is_a_failure() {
        let call = |index: u32, id: &str| {
            chunk(json!({"tool_calls": [{"index": index, "id": id, "function": {"name": "f", "arguments": "{"}}]}))
        };
        let back = chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}));
        let second = json!({"id": "c", "model": "gpt", "choices": [{"index": 1, "delta": {"content": "a"}}]});
        for (chunks, reason) in [
            (vec![call(0, "a"), call(1, "b"), back], "interleaved_tool_calls"),
            (vec![second], "not_one_choice"),
            (vec![chunk(json!({"content": 5}))], "not_the_dialect"),
            (vec![json!({"error": {"code": 502}, "choices": []})], "error_event"),
        ] {
            assert_eq!(retell(&chunks).expect_err(reason).reason, reason);
        }
    }
}
