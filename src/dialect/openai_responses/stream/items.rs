//! The items of an answer as they are written: those that are complete, and the one under way.

use crate::dialect::openai_responses::response::{OwnItemOut, PartOut};
use crate::dialect::openai_responses::{namespace, seal};
use serde::Serialize;
use serde_json::value::RawValue;

/// JSON values in a row, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    text: Vec<u8>,
    /// Where in the text each of them ends.
    ends: Vec<usize>,
}

/// The open item.
#[derive(Clone, Debug)]
pub(super) enum Open {
    Message { parts: List, part: Option<Words> },
    Thoughts { text: String, begun: bool, seal: Option<String> },
    Call { index: usize, call_id: String, name: String, arguments: String },
}

/// The open part of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) refusal: bool,
    pub(super) text: String,
    pub(super) characters: usize,
    pub(super) notes: List,
}

impl Open {
    pub(super) fn write(&self, id: &str, status: &'static str) -> Box<RawValue> {
        match self {
            Self::Message { parts, .. } => {
                let content = parts.raw();
                raw(&OwnItemOut::Message { id, status, role: "assistant", content: &content })
            }
            Self::Thoughts { text, begun, seal } => {
                let summary: Vec<_> = begun.then_some(PartOut::SummaryText { text }).into_iter().collect();
                // what is not sealed yet has not ended
                let ended = status != "in_progress";
                let encrypted_content = ended.then(|| seal::write(seal.as_deref()));
                raw(&OwnItemOut::Reasoning { id, summary, encrypted_content })
            }
            Self::Call { call_id, name, arguments, .. } => {
                let (namespace, name) = namespace::split(name);
                let call: OwnItemOut<'_, ()> =
                    OwnItemOut::FunctionCall { id, status, call_id, namespace, name, arguments };
                raw(&call)
            }
        }
    }
}

impl List {
    pub(super) fn push(&mut self, value: &str) {
        if !self.ends.is_empty() {
            self.text.push(b',');
        }
        self.text.extend_from_slice(value.as_bytes());
        self.ends.push(self.text.len());
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.ends.truncate(length);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    pub(super) fn raw(&self) -> Box<RawValue> {
        let text = ["[", &String::from_utf8_lossy(&self.text), "]"].concat();
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

pub(super) fn text_part(text: &str, notes: &List) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Part<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        text: &'a str,
        annotations: &'a RawValue,
        logprobs: [(); 0],
    }
    raw(&Part { kind: "output_text", text, annotations: &notes.raw(), logprobs: [] })
}

pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
