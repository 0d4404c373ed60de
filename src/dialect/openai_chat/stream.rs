//! Streamed answers: a vendor's chunks read as [`Delta`]s; [`Delta`]s, written as chunks for a client.

use super::response::{Found, made_up_id, read_annotation, read_finish, refusal_words, write_annotation, write_finish};
use super::think::{self, Piece};
use super::types::answer::{Chunk, ChunkChoice, ChunkDelta, ChunkToolCall};
use super::types::usage::UsageOut;
use super::types::written::{AnnotationOut, FunctionCallOut, ToolCallOut};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::reply::Finish;
use crate::call::usage::Usage;
use crate::dialect::emit::{Head, Pattern};
use crate::dialect::grammar::{ReadEvents, WriteDeltas};
use crate::dialect::object::{Known, Text, read_known, said};
use crate::dialect::profile::Profile;
use crate::dialect::shapes::JsonText;
use crate::dialect::sse;
use bytes::{BufMut, BytesMut};
use serde::Serialize;
use std::borrow::Cow;

/// Reads a vendor's stream. Remembers nothing of the answer but which tool calls have begun.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    id: String,
    started: bool,
    refused: bool,
    tool_calls: usize,
    /// For a vendor that writes thoughts into the text.
    think: Option<think::Splitter>,
}

impl ReadEvents for Reader {
    fn event(&mut self, event: &sse::Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Chunk<'_> = read_known(data).ok_or_else(|| self.malformed())?;
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return Err(Failure::new(FailureKind::SseError, self.phase(), "error_event"));
        }
        if !self.started {
            self.start(&chunk, sink);
        }
        if chunk.choices.more {
            return Err(Failure::new(FailureKind::Malformed, self.phase(), "not_one_choice"));
        }
        let found = Found { results: chunk.results, pages: chunk.pages };
        if let Some(Known(choice)) = chunk.choices.one {
            self.choice(choice, &found, sink)?;
        }
        let aside = chunk.x_groq.as_deref().and_then(|Known(aside)| aside.usage.as_ref());
        if let Some(Known(usage)) = chunk.usage.as_deref().or(aside) {
            sink(Delta::Usage(Usage::from(usage)));
        }
        Ok(())
    }
}

impl Reader {
    /// A reader of `profile`'s streams.
    pub(crate) fn new(profile: &Profile) -> Self {
        Self { think: profile.quirks.think_tags.then(think::Splitter::default), ..Self::default() }
    }

    /// Azure begins with a chunk of filter results that names no model (recording `d1f25c5a2281a92e`).
    fn start(&mut self, chunk: &Chunk<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        let model = chunk.model.as_ref().map_or("", |Text(model)| model);
        if model.is_empty() && chunk.choices.one.is_none() {
            return;
        }
        self.started = true;
        self.id = chunk.id.as_ref().map_or("", |Text(id)| id).to_owned();
        sink(Delta::Start { id: &self.id, model, created_s: chunk.created.unwrap_or(0) });
    }

    fn choice(
        &mut self,
        choice: ChunkChoice<'_>,
        found: &Found<'_>,
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), Failure> {
        if choice.index.is_some_and(|index| index != 0) {
            return Err(Failure::new(FailureKind::Malformed, self.phase(), "not_one_choice"));
        }
        if let Some(Known(delta)) = choice.delta {
            self.delta(delta, sink)?;
        }
        if let Some(reason) = said(&choice.finish_reason) {
            if let Some(think) = &mut self.think {
                think.end(&mut |piece| sink(piece.into()));
            }
            // every chunk repeats what was found: it is told once
            found.citations().for_each(|citation| sink(Delta::Citation(&citation)));
            sink(Delta::Finish(if self.refused { Finish::Refusal(None) } else { read_finish(reason) }));
        }
        Ok(())
    }

    fn delta(&mut self, delta: ChunkDelta<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        if let Some(text) = said(&delta.reasoning_content).or(said(&delta.reasoning)) {
            sink(Delta::Thinking(text));
        }
        let think = &mut self.think;
        delta.content.each(&mut |piece| match (piece, &mut *think) {
            (Piece::Text(text), Some(think)) => think.push(text, &mut |piece| sink(piece.into())),
            (piece, _) => sink(piece.into()),
        });
        if let Some(text) = said(&delta.refusal) {
            self.refused = true;
            sink(Delta::Refusal(text));
        }
        for annotation in delta.annotations.unwrap_or_default() {
            sink(Delta::Citation(&read_annotation(annotation).map_err(|_| self.malformed())?));
        }
        for Known(call) in delta.tool_calls.unwrap_or_default() {
            self.tool_call(&call, sink);
        }
        Ok(())
    }

    /// A call begins with its name. A vendor without `index` sends each call whole; one without ids (Gemini's endpoint
    /// of this dialect sends `""`, recording `9be398e0fba56f59`) gets one made from the answer's, as results need it.
    fn tool_call(&mut self, call: &ChunkToolCall<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        let function = call.function.as_ref().map(|Known(function)| function);
        let name = function.and_then(|function| said(&function.name));
        let new = match call.index {
            Some(index) => index >= self.tool_calls,
            None => name.is_some(),
        };
        let index = if new { self.tool_calls } else { call.index.unwrap_or(self.tool_calls.saturating_sub(1)) };
        if new {
            self.tool_calls += 1;
            let id = said(&call.id).map_or_else(|| made_up_id(&self.id, index).into(), Cow::Borrowed);
            sink(Delta::ToolCall { index, id: &id, name: name.unwrap_or("") });
        }
        let json = function.and_then(|function| function.arguments.as_ref()).map_or("", |JsonText(text)| text);
        if !json.is_empty() {
            sink(Delta::Arguments { index, json });
        }
    }

    const fn phase(&self) -> Phase {
        if self.started { Phase::Content } else { Phase::Headers }
    }

    const fn malformed(&self) -> Failure {
        Failure::new(FailureKind::Malformed, self.phase(), "not_the_dialect")
    }
}

/// Writes the stream that a client reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    include_usage: bool,
    id: String,
    created_s: u64,
    /// What every chunk begins with.
    head: Head,
    /// A chunk of text.
    text: Pattern,
    characters: usize,
    part_start: usize,
    notes: usize,
    refused: bool,
    tool_called: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct HeadOut<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
}

#[derive(Serialize)]
struct ChunkOut<'a> {
    choices: &'a [ChoiceOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageOut>>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    delta: DeltaOut<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct DeltaOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCallOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[AnnotationOut<'a>; 1]>,
}

impl Writer {
    /// A writer; with `include_usage` the client is told the usage in a chunk of its own at the end.
    pub(crate) fn new(include_usage: bool) -> Self {
        let mut writer = Self { include_usage, ..Self::default() };
        writer.carried_on("");
        writer
    }
}

impl WriteDeltas for Writer {
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, created_s } => {
                (self.id, self.created_s) = (id.to_owned(), created_s);
                self.carried_on(model);
                self.chunk(DeltaOut { role: Some("assistant"), content: Some(""), ..DeltaOut::default() }, None, out);
            }
            Delta::Text(text) => {
                self.characters += text.chars().count();
                self.text.write_event(text, out);
            }
            Delta::Refusal(text) => {
                self.refused = true;
                self.chunk(DeltaOut { refusal: Some(text), ..DeltaOut::default() }, None, out);
            }
            // Thoughts that are sealed and not shown.
            Delta::Thinking("") => {}
            Delta::Thinking(text) => {
                self.chunk(DeltaOut { reasoning_content: Some(text), ..DeltaOut::default() }, None, out);
            }
            Delta::Citation(citation) => {
                if let Some(mut note) = write_annotation(citation, self.part_start, self.characters) {
                    if let AnnotationOut::Page { index, .. } = &mut note {
                        *index = Some(self.notes);
                    }
                    self.notes += 1;
                    self.chunk(DeltaOut { annotations: Some([note]), ..DeltaOut::default() }, None, out);
                }
            }
            Delta::ToolCall { index, id, name } => {
                self.tool_called = true;
                let function = FunctionCallOut { name: Some(name), arguments: "" };
                let call =
                    ToolCallOut { index: Some(index), id: Some(Cow::Borrowed(id)), kind: Some("function"), function };
                self.chunk(DeltaOut { tool_calls: Some([call]), ..DeltaOut::default() }, None, out);
            }
            Delta::Arguments { index, json } => {
                let function = FunctionCallOut { name: None, arguments: json };
                let call = ToolCallOut { index: Some(index), id: None, kind: None, function };
                self.chunk(DeltaOut { tool_calls: Some([call]), ..DeltaOut::default() }, None, out);
            }
            Delta::Close => self.part_start = self.characters,
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = Some(usage),
            // Nothing of this dialect: see `response::write_reply`.
            Delta::Signature(_) | Delta::RedactedThinking(_) | Delta::Foreign(_) => {}
        }
        Ok(())
    }

    /// The finish is written only now, so that it is said once, after all else.
    fn end(&mut self, out: &mut BytesMut) {
        let unsaid = if self.tool_called { Finish::ToolCalls } else { Finish::Stop };
        let finish = self.finish.take().unwrap_or(unsaid);
        if let Some(words) = refusal_words(&finish, self.refused) {
            self.chunk(DeltaOut { refusal: Some(words), ..DeltaOut::default() }, None, out);
        }
        self.chunk(DeltaOut::default(), Some(write_finish(&finish, self.refused)), out);
        if self.include_usage
            && let Some(usage) = self.usage
        {
            self.write(&[], Some(Some(usage.into())), out);
        }
        out.put_slice(b"data: [DONE]\n\n");
    }

    fn carried_on(&mut self, model: &str) {
        let (id, created) = (&self.id, self.created_s);
        self.head = Head::of(&HeadOut { id, object: "chat.completion.chunk", created, model });
        self.text = Pattern::of(|text, out| {
            self.chunk(DeltaOut { content: Some(text), ..DeltaOut::default() }, None, out);
        });
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    fn chunk(&self, delta: DeltaOut<'_>, finish_reason: Option<&'static str>, out: &mut BytesMut) {
        let usage = self.include_usage.then_some(None);
        self.write(&[ChoiceOut { index: 0, delta, logprobs: None, finish_reason }], usage, out);
    }

    fn write(&self, choices: &[ChoiceOut<'_>], usage: Option<Option<UsageOut>>, out: &mut BytesMut) {
        self.head.write_event(&ChunkOut { choices, usage }, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sse::Event;
    use crate::dialect::translate::{StreamTranslator, Unsaid};
    use crate::dialect::{Dialect, profile};
    use serde_json::{Value, json};

    /// Retells events of Anthropic to a client of this dialect, and gives what it is told of each choice and of usage.
    fn retell(events: &[Value], include_usage: bool) -> Vec<Value> {
        let unsaid = Unsaid { created_s: 7, ..Unsaid::default() };
        let mut translator =
            StreamTranslator::new(&profile::ANTHROPIC, Dialect::OpenaiChat, include_usage).unsaid(unsaid);
        let mut out = BytesMut::new();
        for event in events {
            let raw = format!("data: {event}\n\n");
            translator.event(&Event::parse(raw.as_bytes()), &mut out).expect("an event");
        }
        translator.end(&mut out);
        let text = String::from_utf8(out.to_vec()).expect("UTF-8");
        let (chunks, done) = text.trim_end().rsplit_once("\n\n").expect("several events");
        assert_eq!(done, "data: [DONE]");
        chunks.split("\n\n").map(|chunk| serde_json::from_str(&chunk["data: ".len()..]).expect("JSON")).collect()
    }

    fn message(events: &[Value]) -> Vec<Value> {
        let start = json!({"type": "message_start", "message": {"id": "m", "model": "claude",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}}});
        let end = [
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ];
        [&[start], events, &end].concat()
    }

    fn check(events: &[Value], expected: &[Value]) {
        let chunks = retell(&message(events), false);
        assert!(chunks.iter().all(|chunk| chunk["created"] == 7 && chunk["model"] == "claude"), "{chunks:?}");
        let deltas: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
        let role = [json!({"role": "assistant", "content": ""})];
        assert_eq!(deltas, [&role, expected, &[json!({})]].concat());
    }

    #[test]
    fn blocks_become_deltas() {
        let block =
            |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
        let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let call = |index: usize, id: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": ""}}]});
        check(
            &[
                json!({"type": "ping"}),
                block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
                delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
                delta(0, json!({"type": "signature_delta", "signature": "s"})),
                json!({"type": "content_block_stop", "index": 0}),
                block(1, json!({"type": "text", "text": ""})),
                delta(1, json!({"type": "text_delta", "text": "a\n\"b"})),
                delta(1, json!({"type": "some_new_delta"})),
                delta(
                    1,
                    json!({"type": "citations_delta", "citation": {"type": "web_search_result_location",
                    "url": "https://a", "title": "A", "encrypted_index": "e", "cited_text": "t"}}),
                ),
                json!({"type": "content_block_stop", "index": 1}),
                block(2, json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
                delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
                delta(2, json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"})),
                block(3, json!({"type": "tool_use", "id": "t2", "name": "f", "input": {}})),
            ],
            &[
                json!({"reasoning_content": "hm"}),
                json!({"content": "a\n\"b"}),
                json!({"annotations": [{"index": 0, "type": "url_citation",
                    "url_citation": {"start_index": 0, "end_index": 4, "url": "https://a", "title": "A"}}]}),
                call(0, "t1"),
                json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"x\":1}"}}]}),
                call(1, "t2"),
            ],
        );
    }

    #[test]
    fn usage_is_told_only_to_a_client_that_asked() {
        assert!(retell(&message(&[]), false).iter().all(|chunk| chunk.get("usage").is_none()));
        let chunks = retell(&message(&[]), true);
        let (last, others) = chunks.split_last().expect("chunks");
        assert!(others.iter().all(|chunk| chunk["usage"].is_null()));
        assert_eq!(last["choices"], json!([]));
        assert_eq!(
            last["usage"],
            json!({"prompt_tokens": 13, "completion_tokens": 9, "total_tokens": 22,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0}})
        );
    }

    #[test]
    fn a_refusal_without_words_is_told_before_the_end() {
        let mut events = message(&[]);
        events[1]["delta"]["stop_reason"] = json!("refusal");
        let chunks = retell(&events, false);
        assert_eq!(chunks[1]["choices"][0]["delta"], json!({"refusal": "The model declined to answer."}));
        assert_eq!(chunks[2]["choices"][0]["finish_reason"], "content_filter");
    }

    #[test]
    fn what_is_no_event_is_a_failure() {
        for (data, kind) in [
            ("{", FailureKind::Malformed),
            (r#"{"type": "message_start"}"#, FailureKind::Malformed),
            (r#"{"type": "error", "error": {"type": "overloaded_error"}}"#, FailureKind::SseError),
        ] {
            let mut translator = StreamTranslator::new(&profile::ANTHROPIC, Dialect::OpenaiChat, false);
            let (raw, mut out) = (format!("data: {data}\n\n"), BytesMut::new());
            let failure = translator.event(&Event::parse(raw.as_bytes()), &mut out).expect_err(data);
            assert_eq!((failure.kind, out.len()), (kind, 0), "{data}");
        }
    }
}
