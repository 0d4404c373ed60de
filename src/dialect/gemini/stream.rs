//! Streamed answers: a vendor's events read as [`Delta`]s; [`Delta`]s, written as events for a client. Every event is an
//! answer of its own, with what comes next; nothing but the connection's end follows the one with the finish reason.

use super::ids::Calls;
use super::request::parts::{WirePart, read_part};
use super::response::{
    CandidateOut, ContentOut, HeadOut, PieceOut, call_out, is_blocked, read_citations, read_created, read_finish,
    text_out, write_citations, write_created, write_finish,
};
use super::types::{Answer, AnyPartOut, Candidate, PartOut, UsageOut};
use super::{NAME, media, seals};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::reply::Finish;
use crate::call::tool::ToolCall;
use crate::call::turn::{Citation, Content, Foreign};
use crate::call::usage::Usage;
use crate::dialect::emit::{Head, Pattern};
use crate::dialect::grammar::{ReadEvents, WriteDeltas};
use crate::dialect::honour::arguments_object;
use crate::dialect::object::{Known, Object, Reading, Text, read_known};
use crate::dialect::sse::Event;
use bytes::BytesMut;
use std::borrow::Cow;

/// Reads a vendor's stream. Remembers of the answer only its function calls, and how much of what searches found was told.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    calls: Calls,
    cited: usize,
    usage: Option<Usage>,
}

type Sink<'s> = &'s mut dyn FnMut(Delta<'_>);

impl ReadEvents for Reader {
    fn event(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), Failure> {
        let answer: Answer<'_> =
            read_known(event.data.trim_ascii()).ok_or_else(|| self.malformed("not_the_dialect"))?;
        if answer.error.is_some() {
            return Err(Failure::new(FailureKind::SseError, self.phase(), "error_event"));
        }
        if !self.started {
            self.started = true;
            let text =
                |text: &Option<Text<'_>>| text.as_ref().map_or_else(String::new, |Text(text)| text.as_ref().into());
            let (id, model) = (text(&answer.id), text(&answer.model));
            self.calls = Calls::of(&id);
            sink(Delta::Start { id: &id, model: &model, created_s: read_created(answer.created.as_ref()) });
        }
        if is_blocked(&answer) {
            sink(Delta::Finish(Finish::ContentFilter));
        }
        // counts are cumulative, and told again with every event
        let usage = answer.usage.as_ref().map(|Known(usage)| Usage::from(usage));
        if usage.is_some() && usage != self.usage {
            self.usage = usage;
            usage.into_iter().for_each(|usage| sink(Delta::Usage(usage)));
        }
        if answer.candidates.more {
            return Err(self.malformed("not_one_choice"));
        }
        if let Some(Known(candidate)) = answer.candidates.one {
            self.candidate(candidate, sink)?;
        }
        Ok(())
    }
}

impl Reader {
    fn candidate(&mut self, candidate: Candidate<'_>, sink: Sink<'_>) -> Result<(), Failure> {
        if candidate.index.is_some_and(|index| index != 0) {
            return Err(self.malformed("not_one_choice"));
        }
        let citations = read_citations(&candidate).map_err(|_| self.malformed("not_the_dialect"))?;
        for part in candidate.content.map(|Known(content)| content.parts.0).unwrap_or_default() {
            self.part(part, sink)?;
        }
        for citation in citations.iter().skip(self.cited) {
            sink(Delta::Citation(citation));
        }
        self.cited = self.cited.max(citations.len());
        match candidate.finish.and_then(read_finish) {
            Some(Finish::Stop) if self.calls.len() > 0 => sink(Delta::Finish(Finish::ToolCalls)),
            Some(finish) => sink(Delta::Finish(finish)),
            None => {}
        }
        Ok(())
    }

    fn part(&mut self, part: WirePart<'_>, sink: Sink<'_>) -> Result<(), Failure> {
        if let Object { known, unknown } = &part
            && let (Some(Text(text)), None, true) = (&known.text, &known.signature, unknown.is_empty())
            && known.inline_data.or(known.file_data).or(known.function_call).or(known.function_response).is_none()
        {
            if !text.is_empty() {
                sink(if known.thought == Some(true) { Delta::Thinking(text) } else { Delta::Text(text) });
            }
            return Ok(());
        }
        let index = self.calls.len();
        let (seal, content) =
            read_part(part, &mut self.calls, Reading::Answer).map_err(|_| self.malformed("not_the_dialect"))?;
        if let Some(seal) = seal {
            sink(Delta::Signature(&seal));
        }
        match content {
            None => {}
            Some(Content::Text { text, .. }) => sink(Delta::Text(&text)),
            Some(Content::Thinking { text, signature }) => {
                sink(Delta::Thinking(&text));
                signature.into_iter().for_each(|seal| sink(Delta::Signature(&seal)));
            }
            Some(Content::ToolCall(ToolCall { id, name, arguments })) => {
                sink(Delta::ToolCall { index, id: &id, name: &name });
                sink(Delta::Arguments { index, json: &arguments });
                sink(Delta::Close);
            }
            Some(Content::Foreign(foreign)) => sink(Delta::Foreign(&foreign)),
            // What the model drew, which only a client of this dialect can have asked for.
            Some(Content::Image { source, .. }) => {
                let drawn = media::write(&source, None, Need::Images).ok();
                let json = drawn.and_then(|part| Json::parse(&serde_json::to_string(&part).ok()?));
                json.into_iter()
                    .for_each(|json| sink(Delta::Foreign(&Foreign { dialect: NAME, need: Need::Images, json })));
            }
            Some(_) => {}
        }
        Ok(())
    }

    const fn phase(&self) -> Phase {
        if self.started { Phase::Content } else { Phase::Headers }
    }

    const fn malformed(&self, reason: &'static str) -> Failure {
        Failure::new(FailureKind::Malformed, self.phase(), reason)
    }
}

/// Writes the stream that a client reads. Function calls are held until they are whole, as this dialect tells them so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    id: String,
    created: Option<String>,
    /// What every event begins with.
    head: Head,
    /// An event of text without a seal.
    text: Pattern,
    /// The function calls that have begun, and how many went out before them.
    open: Vec<ToolCall>,
    called: usize,
    /// A seal of what comes next.
    seal: Option<String>,
    citations: Vec<Citation>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl WriteDeltas for Writer {
    /// # Errors
    /// [`FailureKind::Malformed`] where the vendor goes back to a function call after others followed that went out whole.
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, created_s } => {
                (self.id, self.created) = (id.to_owned(), write_created(created_s));
                self.carried_on(model);
            }
            Delta::Text(text) | Delta::Refusal(text) => {
                self.flush(out);
                match self.seal.take() {
                    None => self.text.write_event(text, out),
                    Some(seal) => {
                        let thought_signature = Some(seals::write(&seal));
                        self.part(PartOut { thought_signature, ..text_out(text) }, out);
                    }
                }
            }
            // Thoughts that are sealed and not shown.
            Delta::Thinking("") => {}
            Delta::Thinking(text) => {
                self.flush(out);
                self.part(PartOut { thought: Some(true), ..text_out(text) }, out);
            }
            Delta::Signature(more) => {
                self.flush(out);
                self.seal.get_or_insert_default().push_str(more);
            }
            Delta::Citation(citation) => self.citations.push(citation.clone()),
            Delta::ToolCall { id, name, .. } => {
                self.open.push(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: String::new() });
            }
            Delta::Arguments { index, json } => {
                let place = index.checked_sub(self.called);
                match place.and_then(|place| self.open.get_mut(place)) {
                    Some(call) => call.arguments.push_str(json),
                    None => return Err(Failure::new(FailureKind::Malformed, Phase::Content, "interleaved_tool_calls")),
                }
            }
            Delta::Foreign(foreign) => {
                self.flush(out);
                if foreign.dialect == NAME {
                    self.event(vec![AnyPartOut::Foreign(&foreign.json)], out);
                }
            }
            Delta::Close => self.flush(out),
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = Some(usage),
            // Only its own vendor reads it, and no client of this dialect keeps it.
            Delta::RedactedThinking(_) => {}
        }
        Ok(())
    }

    /// Writes the last event of a complete answer. Only now, as other vendors tell the usage after the finish reason.
    fn end(&mut self, out: &mut BytesMut) {
        self.flush(out);
        let finish = self.finish.take().unwrap_or_default();
        let (grounding_metadata, citation_metadata) = write_citations(self.citations.iter());
        let last = PartOut { thought_signature: self.seal.as_deref().map(seals::write), ..text_out("") };
        let candidate = CandidateOut {
            content: ContentOut { parts: vec![AnyPartOut::Own(Box::new(last))], role: "model" },
            finish_reason: Some(write_finish(&finish)),
            grounding_metadata,
            citation_metadata,
            index: 0,
        };
        self.write(candidate, self.usage.map(UsageOut::from), out);
    }

    fn carried_on(&mut self, model: &str) {
        let (create_time, response_id) = (self.created.as_deref(), &self.id);
        self.head = Head::of(&HeadOut { model_version: model, create_time, response_id });
        self.text = Pattern::of(|text, out| self.part(text_out(text), out));
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    /// A writer.
    pub(crate) fn new() -> Self {
        let mut writer = Self::default();
        writer.carried_on("");
        writer
    }

    /// Writes the calls that are whole by now.
    fn flush(&mut self, out: &mut BytesMut) {
        if self.open.is_empty() {
            return;
        }
        let calls = std::mem::take(&mut self.open);
        let mut seal = seals::of_call(self.seal.take().as_deref(), self.called == 0).map(Cow::into_owned);
        self.called += calls.len();
        for call in &calls {
            let thought_signature = seal.take().map(Into::into);
            let part = call_out(&call.id, &call.name, arguments_object(&call.arguments));
            self.part(PartOut { thought_signature, ..part }, out);
        }
    }

    fn part(&self, part: PartOut<'_>, out: &mut BytesMut) {
        self.event(vec![AnyPartOut::Own(Box::new(part))], out);
    }

    fn event(&self, parts: Vec<AnyPartOut<'_>>, out: &mut BytesMut) {
        let candidate = CandidateOut {
            content: ContentOut { parts, role: "model" },
            finish_reason: None,
            grounding_metadata: None,
            citation_metadata: None,
            index: 0,
        };
        self.write(candidate, None, out);
    }

    fn write(&self, candidate: CandidateOut<'_>, usage_metadata: Option<UsageOut>, out: &mut BytesMut) {
        self.head.write_event(&PieceOut { candidates: [candidate], usage_metadata }, out);
    }
}
