//! A vendor's events, read as [`Delta`]s.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::turn::Content;
use crate::call::usage::Usage;
use crate::dialect::anthropic::request::read::{read_block, read_citation};
use crate::dialect::anthropic::response::read_finish;
use crate::dialect::anthropic::types::{BlockDelta, Event, StreamedMessage};
use crate::dialect::grammar::ReadEvents;
use crate::dialect::object::{Known, Reading, Text, is_of_later_version, read_known, said};
use crate::dialect::sse;
use serde_json::value::RawValue;

/// Reads a vendor's stream. Remembers of the answer only how many tool calls have begun, and what it consumed.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Reader {
    started: bool,
    tool_calls: usize,
    /// The open block is a tool call: its place among them.
    open_call: Option<usize>,
    usage: Usage,
}

impl ReadEvents for Reader {
    // The type is told in the data too, so the event's name is not needed.
    fn event(&mut self, event: &sse::Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let data = event.data.trim_ascii();
        let Some(event) = read_known::<Event<'_>>(data) else {
            return if is_of_later_version(data, &READ) { Ok(()) } else { Err(self.malformed()) };
        };
        let kind = event.kind.unwrap_or_default().0;
        match (&*kind, event.message, event.content_block, event.delta) {
            ("message_start", Some(Known(message)), _, _) => self.start(&message, sink),
            ("content_block_start", _, Some(block), _) => self.block(block, sink)?,
            ("content_block_delta", _, _, Some(Known(delta))) => self.delta(&delta, sink)?,
            ("content_block_stop", ..) => {
                self.open_call = None;
                sink(Delta::Close);
            }
            ("message_delta", _, _, Some(Known(delta))) => {
                if let Some(Known(usage)) = &event.usage {
                    self.usage(Usage::from(usage), sink);
                }
                if let Some(reason) = said(&delta.stop_reason) {
                    sink(Delta::Finish(read_finish(reason, delta.stop_sequence, delta.stop_details)));
                }
            }
            ("error", ..) => return Err(Failure::new(FailureKind::SseError, self.phase(), "error_event")),
            ("message_start" | "content_block_start" | "content_block_delta" | "message_delta", ..) => {
                return Err(self.malformed());
            }
            // `message_stop`, pings, and events of a later version, which clients are told to pass over.
            _ => {}
        }
        Ok(())
    }
}

/// The events that are read: all others are passed over.
const READ: [&str; 6] =
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error"];

impl Reader {
    fn start(&mut self, message: &StreamedMessage<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        self.started = true;
        let text = |text: &Option<Text<'_>>| text.clone().unwrap_or_default().0.into_owned();
        sink(Delta::Start { id: &text(&message.id), model: &text(&message.model), created_s: 0 });
        if let Some(Known(usage)) = &message.usage {
            self.usage(Usage::from(usage), sink);
        }
    }

    /// Totals are cumulative, and older answers repeat only some of them at the end: the largest holds (recordings
    /// `216ee89c39d78769`, `671cf3315e628efc`).
    fn usage(&mut self, told: Usage, sink: &mut dyn FnMut(Delta<'_>)) {
        self.usage = Usage {
            fresh: self.usage.fresh.max(told.fresh),
            cached: self.usage.cached.max(told.cached),
            written: self.usage.written.max(told.written),
            written_1h: self.usage.written_1h.max(told.written_1h),
            output: self.usage.output.max(told.output),
            reasoning: self.usage.reasoning.max(told.reasoning),
        };
        sink(Delta::Usage(self.usage));
    }

    fn block(&mut self, block: &RawValue, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        self.open_call = None;
        match read_block(block, Reading::Answer).map_err(|_| self.malformed())?.content {
            Content::Text { text, citations } => {
                if !text.is_empty() {
                    sink(Delta::Text(&text));
                }
                citations.iter().for_each(|citation| sink(Delta::Citation(citation)));
            }
            Content::ToolCall(call) => {
                let index = self.tool_calls;
                self.tool_calls += 1;
                self.open_call = Some(index);
                sink(Delta::ToolCall { index, id: &call.id, name: &call.name });
                if call.arguments.trim() != "{}" {
                    sink(Delta::Arguments { index, json: &call.arguments });
                }
            }
            Content::Thinking { text, signature } => {
                sink(Delta::Thinking(&text));
                if let Some(signature) = &signature {
                    sink(Delta::Signature(signature));
                }
            }
            Content::RedactedThinking(data) => sink(Delta::RedactedThinking(&data)),
            Content::Foreign(foreign) => sink(Delta::Foreign(&foreign)),
            Content::Refusal(_) | Content::Image { .. } | Content::Document { .. } | Content::ToolResult { .. } => {}
        }
        Ok(())
    }

    fn delta(&mut self, delta: &BlockDelta<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        match delta.kind.as_ref().map_or("", |Text(kind)| kind) {
            "text_delta" => said(&delta.text).into_iter().for_each(|text| sink(Delta::Text(text))),
            "thinking_delta" => said(&delta.thinking).into_iter().for_each(|text| sink(Delta::Thinking(text))),
            "signature_delta" => said(&delta.signature).into_iter().for_each(|text| sink(Delta::Signature(text))),
            "input_json_delta" => {
                if let (Some(json), Some(index)) = (said(&delta.partial_json), self.open_call) {
                    sink(Delta::Arguments { index, json });
                }
            }
            "citations_delta" => {
                if let Some(citation) = delta.citation {
                    sink(Delta::Citation(&read_citation(citation).map_err(|_| self.malformed())?));
                }
            }
            _ => {}
        }
        Ok(())
    }

    const fn phase(&self) -> Phase {
        if self.started { Phase::Content } else { Phase::Headers }
    }

    const fn malformed(&self) -> Failure {
        Failure::new(FailureKind::Malformed, self.phase(), "not_the_dialect")
    }
}
