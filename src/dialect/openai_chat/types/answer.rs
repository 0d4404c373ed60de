//! What a vendor answers, whole and in pieces, as read.

use super::usage::WireUsage;
use crate::dialect::object::{Known, Text, object, said};
use crate::dialect::openai_chat::think::Piece;
use crate::dialect::shapes::{Count, First, JsonText};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

object! {
    /// A whole answer.
    Completion<'a> {
        id = "id": Option<String>,
        model = "model": Option<String>,
        created = "created": Count,
        choices = "choices": First<Known<Choice<'a>>>,
        usage = "usage": Option<Known<WireUsage>>,
        results = "search_results": Option<Vec<&'a RawValue>>,
        pages = "citations": Option<Vec<&'a RawValue>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// One choice of a whole answer.
    Choice<'a> {
        message = "message": Option<Known<Answer<'a>>>,
        finish_reason = "finish_reason": Option<Text<'a>>,
    }
}

object! {
    /// What a choice says. Vendors show their thoughts as `reasoning_content` (DeepSeek, xAI) or `reasoning` (Groq).
    Answer<'a> {
        content = "content": Spoken<'a>,
        refusal = "refusal": Option<String>,
        reasoning_content = "reasoning_content": Option<String>,
        reasoning = "reasoning": Option<String>,
        tool_calls = "tool_calls": Option<Vec<&'a RawValue>>,
        annotations = "annotations": Option<Vec<&'a RawValue>>,
    }
}

object! {
    /// A note on the answer's text.
    Annotation<'a> { kind = "type": Option<Text<'a>>, url_citation = "url_citation": Option<Known<UrlCitation>>, }
}

object! {
    /// A page that the text rests on.
    UrlCitation { url = "url": Option<String>, title = "title": Option<String>, }
}

object! {
    /// A piece of a streamed answer. What few pieces have is boxed, as reading a piece moves it several times.
    Chunk<'a> {
        id = "id": Option<Text<'a>>,
        model = "model": Option<Text<'a>>,
        created = "created": Count,
        choices = "choices": First<Known<ChunkChoice<'a>>>,
        usage = "usage": Option<Box<Known<WireUsage>>>,
        x_groq = "x_groq": Option<Box<Known<XGroq>>>,
        results = "search_results": Option<Vec<&'a RawValue>>,
        pages = "citations": Option<Vec<&'a RawValue>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// Where Groq tells the usage of a stream that did not ask for it (recording `045e91b73ba4680c`).
    XGroq { usage = "usage": Option<Known<WireUsage>>, }
}

object! {
    /// A piece of one choice.
    ChunkChoice<'a> {
        index = "index": Option<u64>,
        delta = "delta": Option<Known<ChunkDelta<'a>>>,
        finish_reason = "finish_reason": Option<Text<'a>>,
    }
}

object! {
    /// What a piece adds.
    ChunkDelta<'a> {
        content = "content": Spoken<'a>,
        refusal = "refusal": Option<Text<'a>>,
        reasoning_content = "reasoning_content": Option<Text<'a>>,
        reasoning = "reasoning": Option<Text<'a>>,
        tool_calls = "tool_calls": Option<Vec<Known<ChunkToolCall<'a>>>>,
        annotations = "annotations": Option<Vec<&'a RawValue>>,
    }
}

object! {
    /// A piece of a tool call; some vendors leave `index` out and send each call whole.
    ChunkToolCall<'a> {
        index = "index": Option<usize>,
        id = "id": Option<Text<'a>>,
        function = "function": Option<Known<ChunkFunction<'a>>>,
    }
}

object! {
    /// A piece of its function.
    ChunkFunction<'a> { name = "name": Option<Text<'a>>, arguments = "arguments": Option<JsonText<'a>>, }
}

/// What an answer says: a text at most vendors; at Mistral also a list of parts, when the model thinks (recording
/// `f0c3c85a729e98ce`).
#[derive(Debug, Default)]
pub(crate) enum Spoken<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Parts(Vec<Known<SpokenPart<'a>>>),
}

object! {
    /// One part of it.
    SpokenPart<'a> {
        text = "text": Option<Text<'a>>,
        thinking = "thinking": Spoken<'a>,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Spoken<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpokenVisitor(PhantomData))
    }
}

struct SpokenVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for SpokenVisitor<'a> {
    type Value = Spoken<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Spoken::Nothing)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Spoken::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Spoken::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element()? {
            parts.push(part);
        }
        Ok(Spoken::Parts(parts))
    }
}

impl Spoken<'_> {
    /// Hands on each piece of text and of thoughts that is not empty.
    pub(crate) fn each(&self, sink: &mut dyn FnMut(Piece<'_>)) {
        match self {
            Self::Text(text) if !text.is_empty() => sink(Piece::Text(text)),
            Self::Nothing | Self::Text(_) => {}
            Self::Parts(parts) => {
                for Known(part) in parts {
                    part.thinking.each(&mut |piece| {
                        let (Piece::Text(text) | Piece::Thoughts(text)) = piece;
                        sink(Piece::Thoughts(text));
                    });
                    if let Some(text) = said(&part.text) {
                        sink(Piece::Text(text));
                    }
                }
            }
        }
    }
}
