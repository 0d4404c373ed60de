//! Pieces of an answer that streams, and how they add up to a whole one.

use super::reply::{Finish, Reply};
use super::tool::ToolCall;
use super::turn::{Citation, Content, Foreign, Part};
use super::usage::Usage;

/// One piece of an answer. Text, thoughts and refusals carry on the open part of their kind, or begin a new one.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<'a> {
    /// The answer begins.
    Start {
        /// The vendor's id of it.
        id: &'a str,
        /// The model that truly answers.
        model: &'a str,
        /// When, in seconds since 1970; 0 where the vendor does not say.
        created_s: u64,
    },
    /// More text.
    Text(&'a str),
    /// What the open text rests on.
    Citation(&'a Citation),
    /// More words of refusal.
    Refusal(&'a str),
    /// More thoughts.
    Thinking(&'a str),
    /// More of the seal of the open thoughts.
    Signature(&'a str),
    /// Thoughts that only the vendor can read.
    RedactedThinking(&'a str),
    /// A tool call begins.
    ToolCall {
        /// Its place among the answer's tool calls, from 0.
        index: usize,
        /// The vendor's id.
        id: &'a str,
        /// The function.
        name: &'a str,
    },
    /// More of a tool call's arguments.
    Arguments {
        /// The call's place among the answer's tool calls.
        index: usize,
        /// A piece of JSON text.
        json: &'a str,
    },
    /// Something whole that only one dialect knows.
    Foreign(&'a Foreign),
    /// The open part is complete: what follows begins a new one.
    Close,
    /// Why the answer ends.
    Finish(Finish),
    /// What it has consumed so far: replaces what was told before.
    Usage(Usage),
}

/// Tells a whole answer in deltas, as a stream would have.
pub fn unfold(reply: &Reply, mut sink: impl FnMut(Delta<'_>)) {
    sink(Delta::Start { id: &reply.id, model: &reply.model, created_s: reply.created_s });
    let mut tool_calls = 0;
    for part in &reply.parts {
        match &part.content {
            Content::Text { text, citations } => {
                sink(Delta::Text(text));
                citations.iter().for_each(|citation| sink(Delta::Citation(citation)));
            }
            Content::Refusal(text) => sink(Delta::Refusal(text)),
            Content::Thinking { text, signature } => {
                sink(Delta::Thinking(text));
                signature.iter().for_each(|signature| sink(Delta::Signature(signature)));
            }
            Content::RedactedThinking(data) => sink(Delta::RedactedThinking(data)),
            Content::ToolCall(call) => {
                sink(Delta::ToolCall { index: tool_calls, id: &call.id, name: &call.name });
                sink(Delta::Arguments { index: tool_calls, json: &call.arguments });
                tool_calls += 1;
            }
            Content::Foreign(foreign) => sink(Delta::Foreign(foreign)),
            // no answer holds what only a client says
            Content::Image { .. } | Content::Document { .. } | Content::ToolResult { .. } => {}
        }
        sink(Delta::Close);
    }
    sink(Delta::Finish(reply.finish.clone()));
    reply.usage.iter().for_each(|usage| sink(Delta::Usage(*usage)));
}

/// Adds deltas up to the answer that they are pieces of.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    reply: Reply,
    closed: bool,
    tool_calls: Vec<usize>,
}

impl Fold {
    /// Takes one more delta.
    pub fn add(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { id, model, created_s } => {
                (self.reply.id, self.reply.model) = ((*id).to_owned(), (*model).to_owned());
                self.reply.created_s = *created_s;
            }
            Delta::Text(more) => match self.open() {
                Some(Content::Text { text, .. }) => text.push_str(more),
                _ => self.push(Content::text(*more)),
            },
            Delta::Citation(citation) => match self.open() {
                Some(Content::Text { citations, .. }) => citations.push((*citation).clone()),
                _ => self.push(Content::Text { text: String::new(), citations: vec![(*citation).clone()] }),
            },
            Delta::Refusal(more) => match self.open() {
                Some(Content::Refusal(text)) => text.push_str(more),
                _ => self.push(Content::Refusal((*more).to_owned())),
            },
            Delta::Thinking(more) => match self.open() {
                Some(Content::Thinking { text, .. }) => text.push_str(more),
                _ => self.push(Content::Thinking { text: (*more).to_owned(), signature: None }),
            },
            Delta::Signature(more) => match self.open() {
                Some(Content::Thinking { signature, .. }) => signature.get_or_insert_default().push_str(more),
                _ => self.push(Content::Thinking { text: String::new(), signature: Some((*more).to_owned()) }),
            },
            Delta::RedactedThinking(data) => self.push(Content::RedactedThinking((*data).to_owned())),
            Delta::ToolCall { id, name, .. } => {
                self.tool_calls.push(self.reply.parts.len());
                let call = ToolCall { id: (*id).to_owned(), name: (*name).to_owned(), arguments: String::new() };
                self.push(Content::ToolCall(call));
            }
            Delta::Arguments { index, json } => {
                let part = self.tool_calls.get(*index).and_then(|place| self.reply.parts.get_mut(*place));
                if let Some(Part { content: Content::ToolCall(call), .. }) = part {
                    call.arguments.push_str(json);
                }
            }
            Delta::Foreign(foreign) => self.push(Content::Foreign((*foreign).clone())),
            Delta::Close => self.closed = true,
            Delta::Finish(finish) => self.reply.finish = finish.clone(),
            Delta::Usage(usage) => self.reply.usage = Some(*usage),
        }
    }

    /// The answer so far.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        self.reply
    }

    fn open(&mut self) -> Option<&mut Content> {
        if self.closed { None } else { self.reply.parts.last_mut().map(|part| &mut part.content) }
    }

    fn push(&mut self, content: Content) {
        self.closed = false;
        self.reply.parts.push(content.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::json::Json;
    use crate::call::needs::Need;

    #[test]
    fn an_answer_told_in_deltas_adds_up_to_itself() {
        let told = Foreign { dialect: "d", need: Need::HostedTools, json: Json::parse("{}").unwrap() };
        let citation = Citation { told: told.clone(), url: Some("u".into()), title: None };
        let call = |id: &str| ToolCall { id: id.into(), name: "f".into(), arguments: r#"{"a":1}"#.into() };
        let parts = [
            Content::Thinking { text: "hm".into(), signature: Some("s".into()) },
            Content::Thinking { text: "more".into(), signature: None },
            Content::RedactedThinking("r".into()),
            Content::Text { text: "one".into(), citations: vec![citation] },
            Content::text("two"),
            Content::Foreign(told),
            Content::ToolCall(call("a")),
            Content::ToolCall(call("b")),
            Content::Refusal("no".into()),
        ];
        let reply = Reply {
            id: "i".into(),
            model: "m".into(),
            created_s: 7,
            parts: parts.into_iter().map(Part::from).collect(),
            finish: Finish::ToolCalls,
            usage: Some(Usage { fresh: 1, output: 2, ..Usage::default() }),
        };
        let mut fold = Fold::default();
        unfold(&reply, |delta| fold.add(&delta));
        assert_eq!(fold.into_reply(), reply);
    }
}
