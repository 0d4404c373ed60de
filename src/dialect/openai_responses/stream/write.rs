//! [`Delta`]s, written as the events that a client reads.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::echo::Echo;
use crate::call::json::Json;
use crate::call::reply::Finish;
use crate::call::turn::Citation;
use crate::call::usage::Usage;
use crate::dialect::emit::{Head, write_event};
use crate::dialect::grammar::WriteDeltas;
use crate::dialect::object::read_known;
use crate::dialect::openai_responses::response::{
    ItemOut, OwnItemOut, PartOut, ResponseOut, cut, item_id, refusal_words, status, write_note,
};
use crate::dialect::openai_responses::stream::events::{Frame, ItemEvent, PartEvent, Piece, PieceHead, What};
use crate::dialect::openai_responses::stream::items::{List, Open, Words, raw, text_part};
use crate::dialect::openai_responses::types::{Event, Item};
use crate::dialect::openai_responses::{NAME, echo, namespace, seal};
use crate::dialect::sse;
use bytes::BytesMut;
use serde_json::value::RawValue;

/// The most bytes of an answer that are kept, as the last event repeats it whole.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// The arguments of a call that has none.
const NO_ARGUMENTS: &str = "{}";

/// Writes the stream that a client reads: items one after the other, each begun, filled and repeated whole, and at the
/// end all of them once more.
#[derive(Clone, Debug, Default)]
pub(in crate::dialect) struct Writer {
    id: String,
    model: String,
    created_s: u64,
    /// What every response repeats of the request.
    asked: Echo,
    sequence: u64,
    /// The items that are complete, as written.
    items: List,
    open: Option<Open>,
    /// The id of the open item.
    item: String,
    /// What every piece of the open part begins with, from the first piece on.
    pieces: Option<Head>,
    tool_calls: usize,
    refused: bool,
    kept: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl WriteDeltas for Writer {
    /// Fails where the vendor goes back to a tool call after it began the next, since clients run a tool when its item is
    /// done; and where the answer is larger than can be repeated at its end.
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, created_s } => self.start(id, model, created_s, out),
            Delta::Text(text) => self.words(false, text, out),
            Delta::Refusal(text) => {
                self.refused = true;
                self.words(true, text, out);
            }
            Delta::Citation(citation) => self.note(citation, out),
            Delta::Thinking(text) => self.thoughts(text, out),
            Delta::Signature(more) => {
                self.open_thoughts(out);
                if let Some(Open::Thoughts { seal, .. }) = &mut self.open {
                    seal.get_or_insert_default().push_str(more);
                }
                self.kept += more.len();
            }
            Delta::RedactedThinking(data) => self.redacted(data, out),
            Delta::ToolCall { index, id, name } => self.begin_call(index, id, name, out),
            Delta::Arguments { index, json } => self.arguments(index, json, out)?,
            Delta::Foreign(foreign) if foreign.dialect == NAME => self.whole(&foreign.json, out),
            // Blocks of tools that another vendor runs, which a client of this dialect cannot have asked for.
            Delta::Foreign(_) => {}
            Delta::Close => self.close_part(out),
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = Some(usage),
        }
        if self.kept > KEPT_BYTES_MAX {
            return Err(Failure::new(FailureKind::Oversize, Phase::Content, "answer_too_long"));
        }
        Ok(())
    }

    /// The status of the last item tells of the end, so it is closed only now.
    fn end(&mut self, out: &mut BytesMut) {
        let unsaid = if self.tool_calls > 0 { Finish::ToolCalls } else { Finish::Stop };
        let finish = self.finish.take().unwrap_or(unsaid);
        if let Some(words) = refusal_words(&finish, self.refused) {
            self.words(true, words, out);
        }
        let cut = cut(&finish, self.refused);
        self.close(status(cut), out);
        let kind = if cut.is_some() { "response.incomplete" } else { "response.completed" };
        let items = std::mem::take(&mut self.items);
        let usage = self.usage;
        self.frame(kind, &items.raw(), Some((cut, usage)), out);
    }

    fn adopt(&mut self, event: &sse::Event<'_>) {
        let Some(event) = read_known::<Event<'_>>(event.data.trim_ascii()) else { return };
        self.pieces = None;
        self.sequence = event.sequence_number.map_or(self.sequence, |number| number + 1);
        let index = event.output_index.and_then(|index| usize::try_from(index).ok());
        match (event.kind.unwrap_or_default().0.as_ref(), index, event.item) {
            ("response.created", ..) => {
                self.asked = event.response.map(echo::of_response).unwrap_or_default();
            }
            ("response.output_item.added", Some(index), Some(item)) => {
                self.items.truncate(index);
                self.adopt_item(item);
            }
            ("response.content_part.added", ..) => {
                if let Some(Open::Message { part, .. }) = &mut self.open {
                    part.get_or_insert_default();
                }
            }
            ("response.output_item.done", Some(index), Some(item)) => {
                self.open = None;
                self.items.truncate(index);
                self.items.push(item.get());
                self.kept += item.get().len();
            }
            _ => {}
        }
    }

    fn echo(&mut self, asked: &Echo) {
        self.asked = asked.clone();
    }

    fn carried_on(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    fn start(&mut self, id: &str, model: &str, created_s: u64, out: &mut BytesMut) {
        (self.id, self.model, self.created_s) = (id.to_owned(), model.to_owned(), created_s);
        let nothing = List::default().raw();
        self.frame("response.created", &nothing, None, out);
        self.frame("response.in_progress", &nothing, None, out);
    }

    fn words(&mut self, refusal: bool, more: &str, out: &mut BytesMut) {
        if self.part().is_none_or(|part| part.refusal != refusal) {
            self.begin_words(refusal, out);
        }
        if let Some(part) = self.part() {
            part.text.push_str(more);
            part.characters += more.chars().count();
        }
        self.kept += more.len();
        let (kind, logprobs) =
            if refusal { ("response.refusal.delta", None) } else { ("response.output_text.delta", Some([])) };
        self.piece(kind, more, logprobs, out);
    }

    fn part(&mut self) -> Option<&mut Words> {
        match &mut self.open {
            Some(Open::Message { part, .. }) => part.as_mut(),
            _ => None,
        }
    }

    fn begin_words(&mut self, refusal: bool, out: &mut BytesMut) {
        self.close_part(out);
        if !matches!(self.open, Some(Open::Message { .. })) {
            self.begin("msg", Open::Message { parts: List::default(), part: None }, out);
        }
        self.pieces = None;
        let begun = Words { refusal, ..Words::default() };
        if let Some(Open::Message { part, .. }) = &mut self.open {
            *part = Some(begun);
        }
        let part = if refusal { PartOut::Refusal { refusal: "" } } else { PartOut::text("", Vec::new()) };
        self.content("response.content_part.added", What::Part { part }, out);
    }

    fn note(&mut self, citation: &Citation, out: &mut BytesMut) {
        if self.part().is_none_or(|part| part.refusal) {
            self.begin_words(false, out);
        }
        let Some(part) = self.part() else { return };
        let Some(note) = write_note(citation, part.characters) else { return };
        let (annotation_index, note) = (part.notes.len(), raw(&note));
        part.notes.push(note.get());
        self.kept += note.get().len();
        let what = What::Note { annotation_index, annotation: &note };
        self.content("response.output_text.annotation.added", what, out);
    }

    fn thoughts(&mut self, more: &str, out: &mut BytesMut) {
        self.open_thoughts(out);
        if more.is_empty() {
            return;
        }
        if let Some(Open::Thoughts { text, begun, .. }) = &mut self.open {
            text.push_str(more);
            let first = !std::mem::replace(begun, true);
            self.kept += more.len();
            if first {
                let part = PartOut::SummaryText { text: "" };
                self.summary("response.reasoning_summary_part.added", What::Part { part }, out);
            }
            self.piece("response.reasoning_summary_text.delta", more, None, out);
        }
    }

    fn open_thoughts(&mut self, out: &mut BytesMut) {
        if !matches!(self.open, Some(Open::Thoughts { .. })) {
            self.begin("rs", Open::Thoughts { text: String::new(), begun: false, seal: None }, out);
        }
    }

    fn redacted(&mut self, data: &str, out: &mut BytesMut) {
        self.close("completed", out);
        self.item = item_id("rs", &self.id, self.items.len());
        let encrypted_content = Some(seal::write_redacted(data));
        let item = raw(&ItemOut::Own(OwnItemOut::Reasoning { id: &self.item, summary: [(); 0], encrypted_content }));
        self.added_and_done(&item, out);
    }

    fn whole(&mut self, item: &Json, out: &mut BytesMut) {
        self.close("completed", out);
        self.added_and_done(&raw(item), out);
    }

    fn added_and_done(&mut self, item: &RawValue, out: &mut BytesMut) {
        self.item_event("response.output_item.added", item, out);
        self.done(item, out);
    }

    fn begin_call(&mut self, index: usize, call_id: &str, name: &str, out: &mut BytesMut) {
        self.tool_calls = index + 1;
        let (call_id, name) = (call_id.to_owned(), name.to_owned());
        self.begin("fc", Open::Call { index, call_id, name, arguments: String::new() }, out);
    }

    fn arguments(&mut self, of: usize, more: &str, out: &mut BytesMut) -> Result<(), Failure> {
        match &mut self.open {
            Some(Open::Call { index, arguments, .. }) if *index == of => arguments.push_str(more),
            _ => return Err(Failure::new(FailureKind::Malformed, Phase::Content, "interleaved_tool_calls")),
        }
        self.kept += more.len();
        self.piece("response.function_call_arguments.delta", more, None, out);
        Ok(())
    }

    /// An item that the vendor began goes on under its own id.
    fn adopt_item(&mut self, item: &RawValue) {
        let item = read_known::<Item<'_>>(item.get().as_bytes()).unwrap_or_default();
        self.item = item.id.unwrap_or_default().0.into_owned();
        self.open = match item.kind.unwrap_or_default().0.as_ref() {
            "message" => Some(Open::Message { parts: List::default(), part: None }),
            "reasoning" => Some(Open::Thoughts { text: String::new(), begun: false, seal: None }),
            _ => None,
        };
    }

    fn begin(&mut self, prefix: &str, open: Open, out: &mut BytesMut) {
        self.close("completed", out);
        self.item = item_id(prefix, &self.id, self.items.len());
        let item = open.write(&self.item, "in_progress");
        self.item_event("response.output_item.added", &item, out);
        (self.open, self.pieces) = (Some(open), None);
    }

    /// Ends the open part of a message; thoughts and calls are items of one part, which end with it.
    fn close_part(&mut self, out: &mut BytesMut) {
        let Some(Open::Message { parts, part }) = &mut self.open else { return self.close("completed", out) };
        let Some(Words { refusal, text, notes, .. }) = part.take() else { return };
        let whole = if refusal { raw(&PartOut::Refusal { refusal: &text }) } else { text_part(&text, &notes) };
        let content_index = Some(parts.len());
        parts.push(whole.get());
        let (kind, what) = if refusal {
            ("response.refusal.done", What::Refusal { refusal: &text })
        } else {
            ("response.output_text.done", What::WholeText { text: &text, logprobs: [] })
        };
        self.part_event(kind, content_index, None, what, out);
        let what = What::WholePart { part: &whole };
        self.part_event("response.content_part.done", content_index, None, what, out);
    }

    fn close(&mut self, status: &'static str, out: &mut BytesMut) {
        if let Some(Open::Message { .. }) = self.open {
            self.close_part(out);
        }
        // a call without arguments is told by nothing at all elsewhere; here clients read JSON
        if let Some(&Open::Call { index, ref arguments, .. }) = self.open.as_ref()
            && arguments.is_empty()
        {
            let _ = self.arguments(index, NO_ARGUMENTS, out);
        }
        let Some(open) = self.open.take() else { return };
        match &open {
            Open::Message { .. } => {}
            Open::Thoughts { text, begun, .. } => {
                if *begun {
                    self.summary("response.reasoning_summary_text.done", What::Text { text }, out);
                    let part = PartOut::SummaryText { text };
                    self.summary("response.reasoning_summary_part.done", What::Part { part }, out);
                }
            }
            Open::Call { name, arguments, .. } => {
                let (_, name) = namespace::split(name);
                let what = What::Arguments { name, arguments };
                self.part_event("response.function_call_arguments.done", None, None, what, out);
            }
        }
        let item = open.write(&self.item, status);
        self.done(&item, out);
    }

    fn done(&mut self, item: &RawValue, out: &mut BytesMut) {
        self.item_event("response.output_item.done", item, out);
        self.items.push(item.get());
        self.kept += item.get().len();
    }

    fn frame(
        &mut self,
        kind: &'static str,
        output: &RawValue,
        ended: Option<(Option<&'static str>, Option<Usage>)>,
        out: &mut BytesMut,
    ) {
        let sequence_number = self.next();
        let response = ResponseOut::new(&self.id, &self.model, self.created_s, output, &self.asked);
        let response = match ended {
            Some((cut, usage)) => response.ended(cut, usage),
            None => response,
        };
        write_event(Some(kind), &Frame { kind, sequence_number, response }, out);
    }

    fn item_event(&mut self, kind: &'static str, item: &RawValue, out: &mut BytesMut) {
        let (sequence_number, output_index) = (self.next(), self.items.len());
        write_event(Some(kind), &ItemEvent { kind, sequence_number, output_index, item }, out);
    }

    /// A piece of the part that is under way.
    fn piece(&mut self, kind: &'static str, delta: &str, logprobs: Option<[(); 0]>, out: &mut BytesMut) {
        let sequence_number = self.next();
        let head = self.pieces.get_or_insert_with(|| {
            let (content_index, summary_index) = match &self.open {
                Some(Open::Message { parts, .. }) => (Some(parts.len()), None),
                Some(Open::Thoughts { .. }) => (None, Some(0)),
                Some(Open::Call { .. }) | None => (None, None),
            };
            let (item_id, output_index) = (&*self.item, self.items.len());
            Head::named(kind, &PieceHead { kind, item_id, output_index, content_index, summary_index })
        });
        head.write_event(&Piece { sequence_number, delta, logprobs }, out);
    }

    /// An event about the part of a message that is under way.
    fn content(&mut self, kind: &'static str, what: What<'_>, out: &mut BytesMut) {
        let content_index = match &self.open {
            Some(Open::Message { parts, .. }) => Some(parts.len()),
            _ => None,
        };
        self.part_event(kind, content_index, None, what, out);
    }

    fn summary(&mut self, kind: &'static str, what: What<'_>, out: &mut BytesMut) {
        self.part_event(kind, None, Some(0), what, out);
    }

    fn part_event(
        &mut self,
        kind: &'static str,
        content_index: Option<usize>,
        summary_index: Option<usize>,
        what: What<'_>,
        out: &mut BytesMut,
    ) {
        let (sequence_number, output_index) = (self.next(), self.items.len());
        let item_id = &*self.item;
        let event = PartEvent { kind, sequence_number, item_id, output_index, content_index, summary_index, what };
        write_event(Some(kind), &event, out);
    }

    const fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }
}
