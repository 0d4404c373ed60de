//! Streamed answers: a vendor's events read as [`Delta`]s; [`Delta`]s, written as events for a client.

use super::response::{ChoiceOut, Completion, CompletionOut};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::reply::Finish;
use crate::call::usage::Usage;
use crate::dialect::emit::write_event;
use crate::dialect::grammar::{ReadEvents, WriteDeltas};
use crate::dialect::object::{Known, read_known, said};
use crate::dialect::openai_chat::response::{read_finish, write_finish};
use crate::dialect::openai_chat::types::usage::UsageOut;
use crate::dialect::sse;
use bytes::{BufMut as _, BytesMut};

/// Reads a vendor's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
}

impl ReadEvents for Reader {
    fn event(&mut self, event: &sse::Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let phase = if self.started { Phase::Content } else { Phase::Headers };
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Completion<'_> =
            read_known(data).ok_or_else(|| Failure::new(FailureKind::Malformed, phase, "not_the_dialect"))?;
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return Err(Failure::new(FailureKind::SseError, phase, "error_event"));
        }
        if !self.started {
            self.started = true;
            let (id, model) = (said(&chunk.id).unwrap_or_default(), said(&chunk.model).unwrap_or_default());
            sink(Delta::Start { id, model, created_s: chunk.created.unwrap_or(0) });
        }
        let (choice, more) = (chunk.choices.one, chunk.choices.more);
        if let Some(Known(choice)) = choice {
            if more || choice.index.is_some_and(|index| index != 0) {
                return Err(Failure::new(FailureKind::Malformed, phase, "not_one_choice"));
            }
            if let Some(text) = said(&choice.text) {
                sink(Delta::Text(text));
            }
            if let Some(reason) = said(&choice.finish_reason) {
                sink(Delta::Finish(read_finish(reason)));
            }
        }
        if let Some(Known(usage)) = &chunk.usage {
            sink(Delta::Usage(Usage::from(usage)));
        }
        Ok(())
    }
}

/// Writes the stream that a client reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    include_usage: bool,
    id: String,
    model: String,
    created_s: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl WriteDeltas for Writer {
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, created_s } => {
                (self.id, self.model, self.created_s) = (id.to_owned(), model.to_owned(), created_s);
            }
            Delta::Text(text) | Delta::Refusal(text) => self.chunk(text, None, out),
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = Some(usage),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) {
        let finish = self.finish.take().unwrap_or_default();
        self.chunk("", Some(write_finish(&finish, true)), out);
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            self.write(&[], Some(usage.into()), out);
        }
        out.put_slice(b"data: [DONE]\n\n");
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    pub(super) fn new(include_usage: bool) -> Self {
        Self { include_usage, ..Self::default() }
    }

    fn chunk(&self, text: &str, finish_reason: Option<&'static str>, out: &mut BytesMut) {
        self.write(&[ChoiceOut { index: 0, text, logprobs: None, finish_reason }], None, out);
    }

    fn write(&self, choices: &[ChoiceOut<'_>], usage: Option<UsageOut>, out: &mut BytesMut) {
        let (id, model, created) = (&self.id, &self.model, self.created_s);
        write_event(None, &CompletionOut { id, object: "text_completion", created, model, choices, usage }, out);
    }
}
