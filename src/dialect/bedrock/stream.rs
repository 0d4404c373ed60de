//! Streamed answers: a vendor's events read as [`Delta`]s.

use super::request::read::read_citation;
use super::response::read_finish;
use super::types::{BlockDelta, BlockPiece, BlockStart, MessageStop, Metering, Start};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::delta::Delta;
use crate::call::needs::Need;
use crate::call::turn::Foreign;
use crate::call::usage::Usage;
use crate::dialect::bedrock::NAME;
use crate::dialect::grammar::ReadEvents;
use crate::dialect::object::{Known, Object, Text, read_known, said};
use crate::dialect::sse::Event;
use serde_json::value::RawValue;

/// Reads a vendor's stream. Remembers of the answer only how many tool calls have begun.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    tool_calls: usize,
    /// The open block is none that other dialects know: its pieces are passed over.
    foreign: bool,
}

impl ReadEvents for Reader {
    fn event(&mut self, event: &Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let data = &*event.data;
        match event.name {
            b"messageStart" => {
                self.started = true;
                sink(Delta::Start { id: "", model: "", created_s: 0 });
            }
            b"contentBlockStart" => self.block(data, sink)?,
            b"contentBlockDelta" => self.delta(data, sink)?,
            b"contentBlockStop" => {
                self.foreign = false;
                sink(Delta::Close);
            }
            b"messageStop" => {
                let stop: MessageStop<'_> = read_known(data).ok_or_else(|| self.malformed())?;
                if let Some(reason) = said(&stop.stop_reason) {
                    sink(Delta::Finish(read_finish(reason, stop.additional)));
                }
            }
            b"metadata" => {
                let told: Metering = read_known(data).ok_or_else(|| self.malformed())?;
                if let Some(Known(usage)) = &told.usage {
                    sink(Delta::Usage(Usage::from(usage)));
                }
            }
            name if name.ends_with(b"xception") || name == b"error" => {
                return Err(Failure::new(FailureKind::SseError, self.phase(), "exception"));
            }
            // events of a later version
            _ => {}
        }
        Ok(())
    }
}

impl Reader {
    fn block(&mut self, data: &[u8], sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let begun: BlockStart<'_> = read_known(data).ok_or_else(|| self.malformed())?;
        let Some(Known(Start { tool_use })) = begun.start else { return Ok(()) };
        match tool_use {
            Some(Object { known: call, unknown }) if unknown.is_empty() => {
                let text = |text: Option<Text<'_>>| text.unwrap_or_default().0.into_owned();
                let index = self.tool_calls;
                self.tool_calls += 1;
                sink(Delta::ToolCall { index, id: &text(call.id), name: &text(call.name) });
            }
            // a tool that the vendor runs itself, or its result: recording 8e5079011e34563f
            Some(_) | None => {
                self.foreign = true;
                self.keep(data, sink);
            }
        }
        Ok(())
    }

    fn keep(&self, data: &[u8], sink: &mut dyn FnMut(Delta<'_>)) {
        let raw = std::str::from_utf8(data).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
        if let Some(raw) = raw {
            sink(Delta::Foreign(&Foreign { dialect: NAME, need: Need::HostedTools, json: raw.into() }));
        }
    }

    fn delta(&mut self, data: &[u8], sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let event: BlockDelta<'_> = read_known(data).ok_or_else(|| self.malformed())?;
        let Some(Known(BlockPiece { text, tool_use, reasoning, citation })) = event.delta else { return Ok(()) };
        if self.foreign {
            self.keep(data, sink);
            return Ok(());
        }
        said(&text).into_iter().for_each(|text| sink(Delta::Text(text)));
        if let Some(Known(piece)) = &tool_use
            && let (Some(json), Some(index)) = (said(&piece.input), self.tool_calls.checked_sub(1))
        {
            sink(Delta::Arguments { index, json });
        }
        if let Some(Known(piece)) = &reasoning {
            said(&piece.text).into_iter().for_each(|text| sink(Delta::Thinking(text)));
            said(&piece.signature).into_iter().for_each(|text| sink(Delta::Signature(text)));
            said(&piece.redacted).into_iter().for_each(|data| sink(Delta::RedactedThinking(data)));
        }
        if let Some(citation) = citation {
            sink(Delta::Citation(&read_citation(citation).map_err(|_| self.malformed())?));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::delta::Fold;
    use crate::call::reply::Finish;
    use crate::call::turn::Content;

    fn read(events: &[(&str, &str)]) -> Result<crate::call::reply::Reply, Failure> {
        let (mut reader, mut fold) = (Reader::default(), Fold::default());
        for (name, data) in events {
            let event = Event { name: name.as_bytes(), data: data.as_bytes().into(), raw: b"" };
            reader.event(&event, &mut |delta| fold.add(&delta))?;
        }
        Ok(fold.into_reply())
    }

    #[test]
    fn pieces_add_up_to_an_answer() {
        let reply = read(&[
            ("messageStart", r#"{"role":"assistant","p":"abc"}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"a"}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
            ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"x\":"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
            ("somethingNew", "{}"),
            ("messageStop", r#"{"stopReason":"tool_use"}"#),
            ("metadata", r#"{"usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11}}"#),
        ])
        .expect("an answer");
        let [thoughts, text, call] = reply.parts.as_slice() else { panic!("{:?}", reply.parts) };
        assert_eq!(thoughts.content, Content::Thinking { text: "hm".into(), signature: Some("s".into()) });
        assert_eq!(text.content, Content::text("a"));
        assert!(matches!(&call.content, Content::ToolCall(call) if call.arguments == r#"{"x":1}"#));
        assert_eq!((reply.finish, reply.usage.map(|usage| usage.output)), (Finish::ToolCalls, Some(6)));
    }

    #[test]
    fn exceptions_and_garbage_are_failures() {
        for (name, data, kind) in [
            ("throttlingException", r#"{"message":"x"}"#, FailureKind::SseError),
            ("modelStreamErrorException", "{}", FailureKind::SseError),
            ("contentBlockDelta", "[]", FailureKind::Malformed),
            ("messageStop", "", FailureKind::Malformed),
        ] {
            assert_eq!(read(&[(name, data)]).expect_err(name).kind, kind, "{name}");
        }
    }
}
