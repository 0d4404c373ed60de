//! A vendor's events, read as [`Delta`]s.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::seal;
use crate::call::turn::{Content, Part};
use crate::call::usage::Usage;
use crate::dialect::grammar::ReadEvents;
use crate::dialect::object::{Known, Reading, Text, is_of_later_version, read, read_known, said};
use crate::dialect::openai_responses::NAME;
use crate::dialect::openai_responses::item::{read_annotation, read_part};
use crate::dialect::openai_responses::response::{Spoken, read_finish, read_output};
use crate::dialect::openai_responses::types::{Event, Item, Response};
use crate::dialect::sse;
use serde_json::value::RawValue;

/// Takes what a vendor's events hand on.
type Sink<'a> = dyn FnMut(Delta<'_>) + 'a;

/// Reads a vendor's stream. Remembers of the answer only its open items.
///
/// What came in deltas is not read again from the events that repeat it whole; what came in none is read there, as xAI
/// tells an annotation or DeepSeek a thought.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Reader {
    started: bool,
    /// Some item was told.
    told: bool,
    spoken: Spoken,
    tool_calls: usize,
    open: Vec<Open>,
}

/// An item under way.
#[derive(Debug)]
struct Open {
    /// Its place in the answer, and its id: llama.cpp's server tells of items by these alone.
    output_index: Option<u64>,
    id: String,
    /// Its place among the answer's tool calls, if it is one.
    tool_call: Option<usize>,
    /// Deltas of the item came.
    told: bool,
    /// Deltas of the part under way came.
    part_told: bool,
    /// Notes on the part under way that came.
    notes: usize,
}

impl Open {
    /// Whether an event is about it that tells this of its item. One that tells nothing is about the last.
    fn is(&self, output_index: Option<u64>, id: Option<&str>) -> bool {
        match (self.output_index, output_index) {
            (Some(own), Some(told)) => own == told,
            _ => id.is_none_or(|id| id == self.id),
        }
    }
}

impl ReadEvents for Reader {
    // The type is told in the data too, so the event's name is not needed.
    fn event(&mut self, event: &sse::Event<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let Some(event) = read_known::<Event<'_>>(data) else {
            return if is_of_later_version(data, &READ) { Ok(()) } else { Err(self.malformed()) };
        };
        let told = match event.kind.as_ref().map_or("", |Text(kind)| kind) {
            "response.created" | "response.in_progress" | "response.queued" => self.start(&event, sink),
            "response.output_text.delta" => {
                self.piece(&event, sink, |text| Delta::Text(text));
                Ok(())
            }
            "response.refusal.delta" => {
                self.piece(&event, sink, |text| Delta::Refusal(text));
                Ok(())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.piece(&event, sink, |text| Delta::Thinking(text));
                Ok(())
            }
            "response.function_call_arguments.delta" => {
                self.arguments(&event, said(&event.delta), sink);
                Ok(())
            }
            "response.function_call_arguments.done" => self.arguments_done(&event, sink),
            "response.output_text.annotation.added" => self.note(&event, sink),
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                self.begin_part(&event, sink);
                Ok(())
            }
            "response.content_part.done" => self.end_part(&event, sink),
            "response.output_item.added" => self.begin_item(&event, sink),
            "response.output_item.done" => self.end_item(&event, sink),
            "response.completed" | "response.incomplete" => self.end(&event, sink),
            "response.failed" | "response.cancelled" | "error" => {
                return Err(Failure::new(FailureKind::SseError, self.phase(), "error_event"));
            }
            // what repeats deltas, the progress of the vendor's own tools, and events of a later version
            _ => Ok(()),
        };
        told.map_err(|_| self.malformed())
    }
}

impl Reader {
    fn start(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        if self.started {
            return Ok(());
        }
        let response = match event.response {
            Some(raw) => read::<Known<Response<'_>>>(raw)?.0,
            None => Response::default(),
        };
        self.begin(&response, sink);
        Ok(())
    }

    fn begin(&mut self, response: &Response<'_>, sink: &mut Sink<'_>) {
        self.started = true;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let created_s = response.created_at.unwrap_or(0);
        sink(Delta::Start { id: &text(&response.id), model: &text(&response.model), created_s });
    }

    fn piece(&mut self, event: &Event<'_>, sink: &mut Sink<'_>, delta: impl for<'a> Fn(&'a str) -> Delta<'a>) {
        let Some(text) = said(&event.delta) else { return };
        self.tell(event);
        let delta = delta(text);
        self.spoken.refuses |= matches!(delta, Delta::Refusal(_));
        sink(delta);
    }

    fn arguments(&mut self, event: &Event<'_>, json: Option<&str>, sink: &mut Sink<'_>) {
        let Some(json) = json else { return };
        let index = self.item(event).and_then(|item| item.tool_call);
        if let Some(index) = index {
            self.tell(event);
            sink(Delta::Arguments { index, json });
        }
    }

    fn arguments_done(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        if self.item(event).is_some_and(|item| !item.told) {
            self.arguments(event, said(&event.arguments), sink);
        }
        Ok(())
    }

    fn note(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        if let Some(raw) = event.annotation {
            sink(Delta::Citation(&read_annotation(raw)?));
            self.tell(event);
            if let Some(item) = self.item(event) {
                item.notes += 1;
            }
        }
        Ok(())
    }

    /// A further part of thoughts begins a new one; messages end theirs themselves.
    fn begin_part(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) {
        if let Some(item) = self.item(event) {
            if item.part_told {
                sink(Delta::Close);
            }
            (item.part_told, item.notes) = (false, 0);
        }
    }

    /// The whole part: what of it no delta told.
    fn end_part(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        let (Some(raw), Some(item)) = (event.part, self.item(event)) else { return Ok(()) };
        let (told, notes) = (item.part_told, item.notes);
        match read_part(raw, Reading::Answer)? {
            Content::Text { text, citations } => {
                if !told && !text.is_empty() {
                    sink(Delta::Text(&text));
                }
                if told || !text.is_empty() {
                    citations.iter().skip(notes).for_each(|citation| sink(Delta::Citation(citation)));
                    sink(Delta::Close);
                }
            }
            Content::Refusal(text) => {
                if !told {
                    sink(Delta::Refusal(&text));
                }
                self.spoken.refuses = true;
                sink(Delta::Close);
            }
            // thoughts, which end with their item
            _ => return Ok(()),
        }
        self.tell(event);
        if let Some(item) = self.item(event) {
            (item.part_told, item.notes) = (false, 0);
        }
        Ok(())
    }

    fn begin_item(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        let Some(raw) = event.item else { return Ok(()) };
        let mut tool_call = None;
        if let Some(Content::ToolCall(call)) = read_output(raw)?.into_iter().next().map(|part| part.content) {
            tool_call = Some(self.call(&call.id, &call.name, sink));
        }
        if self.open.len() < MOST_OPEN {
            let (output_index, id) = (event.output_index, item_id(raw));
            self.open.push(Open { output_index, id, tool_call, told: false, part_told: false, notes: 0 });
        }
        Ok(())
    }

    fn call(&mut self, id: &str, name: &str, sink: &mut Sink<'_>) -> usize {
        let index = self.tool_calls;
        self.tool_calls += 1;
        self.spoken.calls = true;
        self.told = true;
        sink(Delta::ToolCall { index, id, name });
        index
    }

    /// The whole item: what of it no delta told, and the seal of thoughts.
    fn end_item(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        let Some(raw) = event.item else { return Ok(()) };
        let id = item_id(raw);
        let place = self.open.iter().rposition(|item| item.is(event.output_index, Some(&id)));
        let open = place.map(|place| self.open.remove(place));
        match open {
            Some(Open { told: true, .. }) => {
                let Known(item) = read::<Known<Item<'_>>>(raw)?;
                if let Some(sealed) = item.encrypted_content.filter(|sealed| !sealed.is_empty()) {
                    sink(Delta::Signature(&seal::named(NAME, &sealed)));
                }
                sink(Delta::Close);
            }
            Some(Open { tool_call: Some(index), .. }) => {
                if let Some(Content::ToolCall(call)) = read_output(raw)?.into_iter().next().map(|part| part.content)
                    && !call.arguments.is_empty()
                {
                    sink(Delta::Arguments { index, json: &call.arguments });
                }
                sink(Delta::Close);
            }
            Some(_) | None => self.whole(&read_output(raw)?, sink),
        }
        Ok(())
    }

    /// Parts that no delta told.
    fn whole(&mut self, parts: &[Part], sink: &mut Sink<'_>) {
        for part in parts {
            self.told = true;
            match &part.content {
                Content::Text { text, citations } => {
                    sink(Delta::Text(text));
                    citations.iter().for_each(|citation| sink(Delta::Citation(citation)));
                }
                Content::Refusal(text) => {
                    self.spoken.refuses = true;
                    sink(Delta::Refusal(text));
                }
                Content::Thinking { text, signature } => {
                    sink(Delta::Thinking(text));
                    if let Some(signature) = signature {
                        sink(Delta::Signature(signature));
                    }
                }
                Content::RedactedThinking(data) => sink(Delta::RedactedThinking(data)),
                Content::ToolCall(call) => {
                    let index = self.call(&call.id, &call.name, sink);
                    if !call.arguments.is_empty() {
                        sink(Delta::Arguments { index, json: &call.arguments });
                    }
                }
                Content::Foreign(foreign) => sink(Delta::Foreign(foreign)),
                Content::Image { .. } | Content::Document { .. } | Content::ToolResult { .. } => {}
            }
            sink(Delta::Close);
        }
    }

    /// The end repeats the whole answer: it is read for what it consumed, and for its items where no event told any.
    fn end(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
        let Some(raw) = event.response else { return Ok(()) };
        let Known(response) = read::<Known<Response<'_>>>(raw)?;
        if !self.started {
            self.begin(&response, sink);
        }
        if !self.told {
            for item in response.output.iter().flatten() {
                self.whole(&read_output(item)?, sink);
            }
        }
        let says = |text: &Option<Text<'_>>, word| said(text).is_some_and(|text| text == word);
        let cut = says(&event.kind, "response.incomplete") || says(&response.status, "incomplete");
        sink(Delta::Finish(read_finish(&response, cut, self.spoken)));
        if let Some(Known(usage)) = &response.usage {
            sink(Delta::Usage(Usage::from(usage)));
        }
        Ok(())
    }

    fn item(&mut self, event: &Event<'_>) -> Option<&mut Open> {
        let id = event.item_id.as_ref().map(|Text(id)| &**id);
        self.open.iter_mut().rfind(|item| item.is(event.output_index, id))
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.told = true;
        if let Some(item) = self.item(event) {
            (item.told, item.part_told) = (true, true);
        }
    }

    const fn phase(&self) -> Phase {
        if self.started { Phase::Content } else { Phase::Headers }
    }

    const fn malformed(&self) -> Failure {
        Failure::new(FailureKind::Malformed, self.phase(), "not_the_dialect")
    }
}

fn item_id(raw: &RawValue) -> String {
    let item = read::<Known<Item<'_>>>(raw).map(|Known(item)| item).unwrap_or_default();
    item.id.unwrap_or_default().0.into_owned()
}

/// The events that are read: all others are passed over.
const READ: [&str; 20] = [
    "response.created",
    "response.in_progress",
    "response.queued",
    "response.output_text.delta",
    "response.refusal.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_text.annotation.added",
    "response.content_part.added",
    "response.reasoning_summary_part.added",
    "response.content_part.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "error",
];

/// The most items that are remembered while they are open: vendors have one or two.
const MOST_OPEN: usize = 256;

#[cfg(test)]
mod tests {
    use crate::base::failure::FailureKind;
    use crate::dialect::profile::OPENAI_RESPONSES;
    use crate::dialect::seen::{Mark, StreamSeen};
    use crate::dialect::sse::Event;
    use serde_json::{Value, json};

    #[test]
    fn an_answer_that_failed_is_a_failure_with_its_own_words() {
        let check = |event: Value, kind: FailureKind| {
            let raw = format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"));
            let mark = StreamSeen::new(&OPENAI_RESPONSES).event(&Event::parse(raw.as_bytes()));
            let Mark::Fault(failure) = mark else { panic!("{event}: {mark:?}") };
            let said = failure.said.map(|said| said.message).unwrap_or_default();
            assert_eq!((failure.kind, said.as_str()), (kind, "Sorry."), "{event}");
        };
        let failed = |code: &str| {
            let error = json!({"code": code, "message": "Sorry."});
            json!({"type": "response.failed", "sequence_number": 2,
                "response": {"id": "resp_1", "status": "failed", "error": error, "output": []}})
        };
        check(failed("rate_limit_exceeded"), FailureKind::RateLimited);
        check(failed("server_error"), FailureKind::ServerError);
        check(json!({"type": "error", "code": "server_error", "message": "Sorry."}), FailureKind::ServerError);
        check(json!({"type": "error", "code": "new_code", "message": "Sorry."}), FailureKind::SseError);
    }
}
