//! Turns a call and a fault into the steps that a vendor takes: pure, the same for HTTP/1.1 and HTTP/2.

use super::asked::{Asked, Rest};
use super::fault::Fault;
use super::gemini;
use super::script::{Cuts, Recording, RestManner, Script};
use super::speech::{self, Answer, Saying, Wrong};
use crate::dialect::{Api, Dialect, eventstream};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// One thing that a vendor does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Bytes as they are, framed by nobody; HTTP/2 has no place for them and breaks the stream off.
    Raw(Bytes),
    /// Status and headers.
    Head(Head),
    /// A piece of the body, in the head's framing.
    Body(Bytes),
    /// The body is whole.
    End,
    /// Nothing for this long.
    Wait(Duration),
    /// Nothing until the peer goes.
    Hang,
    /// The same piece of the body again and again until the peer goes.
    Repeat(Bytes, Duration),
    /// The connection is reset (on HTTP/2 the stream).
    Reset,
    /// The connection is closed (on HTTP/2 the stream is reset).
    Close,
}

/// Status, headers and framing of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub framing: Framing,
}

/// How a body is framed on HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A call to be answered.
pub(super) struct Call<'a> {
    pub dialect: Dialect,
    pub asked: &'a Asked,
    pub script: &'a Script,
    pub serial: usize,
}

impl Call<'_> {
    /// The steps that answer the call, under a fault or well.
    pub(super) fn plan(&self, fault: Option<Fault>) -> Vec<Step> {
        let mut steps = match self.script.thinks {
            Duration::ZERO => Vec::new(),
            pause => vec![Step::Wait(pause)],
        };
        steps.extend(match fault {
            None if self.refuses_rest() => self.refuse(Wrong::BadRequest),
            None => self.well(),
            Some(fault) => self.under(fault),
        });
        steps
    }

    fn refuses_rest(&self) -> bool {
        match (self.script.rest, &self.asked.rest) {
            (RestManner::RefuseBeginning, Some(Rest::Of(_))) | (RestManner::RefuseBoth, Some(_)) => true,
            (RestManner::Obey | RestManner::RefuseBeginning | RestManner::RefuseBoth | RestManner::Anew, _) => false,
        }
    }

    pub(super) fn well(&self) -> Vec<Step> {
        match &self.script.replay {
            Some(recording) => replay(recording, self.script.pause),
            None => self.tell(&self.answer()),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        Saying::new(self.asked, self.script, self.serial).answer(self.dialect)
    }

    pub(super) fn head(&self) -> Step {
        self.head_of(&self.answer())
    }

    pub(super) fn head_of(&self, answer: &Answer) -> Step {
        let framing = match (answer.streamed, self.script.until_close) {
            (true, true) => Framing::UntilClose,
            (true, false) => Framing::Chunked,
            (false, _) => Framing::Length(answer.content.iter().map(Bytes::len).sum()),
        };
        let kind = if answer.streamed { self.stream_type() } else { "application/json" };
        let mut head = ok(kind, framing);
        let (name, value) = match self.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => {
                ("x-request-id", format!("req_demo{}", self.serial))
            }
            Dialect::Anthropic | Dialect::AnthropicCount => ("request-id", format!("req_demo{}", self.serial)),
            Dialect::Bedrock => ("x-amzn-requestid", format!("demo-{}", self.serial)),
            Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => ("server", "demo".to_owned()),
        };
        head.headers.push((name.to_owned(), value));
        head.headers.extend(self.script.headers.iter().cloned());
        Step::Head(head)
    }

    /// The media type of a stream.
    pub(super) const fn stream_type(&self) -> &'static str {
        match self.dialect {
            Dialect::Bedrock => eventstream::CONTENT_TYPE,
            _ => "text/event-stream; charset=utf-8",
        }
    }

    /// The whole answer, word by word where it is streamed.
    pub(super) fn tell(&self, answer: &Answer) -> Vec<Step> {
        let mut steps = vec![self.head_of(answer)];
        steps.extend(bodies(&answer.opening));
        steps.extend(self.spoken(answer, &answer.content));
        steps.extend(bodies(&answer.closing));
        steps.extend(bodies(std::slice::from_ref(&answer.terminator)));
        steps.push(Step::End);
        steps
    }

    pub(super) fn spoken(&self, answer: &Answer, content: &[Bytes]) -> Vec<Step> {
        paced(if answer.streamed { self.script.pause } else { Duration::ZERO }, content)
    }
}

/// Each piece after a pause, where there is one.
fn paced(pause: Duration, pieces: &[Bytes]) -> Vec<Step> {
    let paced = |piece: &Bytes| match pause {
        Duration::ZERO => vec![Step::Body(piece.clone())],
        pause => vec![Step::Wait(pause), Step::Body(piece.clone())],
    };
    pieces.iter().flat_map(paced).collect()
}

/// Takes a step of waiting: not even a turn of the timer for no time at all.
pub(super) async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// The free listing of models.
pub(super) fn listing(dialect: Dialect, model: Option<&str>) -> Vec<Step> {
    whole(200, "application/json", &speech::models(dialect, model))
}

/// How many tokens a call has, as Anthropic's `count_tokens` says it, or Google's `countTokens`.
pub(super) fn token_count(dialect: Dialect, asked: &Asked) -> Vec<Step> {
    let told = match dialect.api() {
        Api::Google => gemini::token_count(asked.prompt_tokens),
        Api::Openai | Api::Anthropic => serde_json::json!({"input_tokens": asked.prompt_tokens}),
    };
    whole(200, "application/json", told.to_string().as_bytes())
}

/// Vectors for texts, as Google tells them.
pub(super) fn embeddings(body: &[u8]) -> Vec<Step> {
    whole(200, "application/json", gemini::embeddings(body).to_string().as_bytes())
}

/// OpenAI's vectors: as many as there are texts, each of three numbers.
pub(super) fn openai_embeddings(body: &[u8]) -> Vec<Step> {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let count = call["input"].as_array().map_or(1, Vec::len);
    let data: Vec<Value> = (0..count)
        .map(|index| json!({"object": "embedding", "index": index, "embedding": [0.5, -0.25, 1.0]}))
        .collect();
    let tokens = body.len().div_ceil(4);
    let answer = json!({"object": "list", "model": call["model"], "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    whole(200, "application/json", answer.to_string().as_bytes())
}

/// The answer to a path that the vendor does not know.
pub(super) fn unknown_path() -> Vec<Step> {
    whole(
        404,
        "application/json",
        br#"{"error":{"message":"Invalid URL","type":"invalid_request_error","param":null,"code":null}}"#,
    )
}

pub(super) fn replay(recording: &Recording, pause: Duration) -> Vec<Step> {
    const FRAMING: [&str; 5] = ["content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive"];
    let headers = recording
        .headers
        .iter()
        .filter(|(name, _)| !FRAMING.contains(&name.to_ascii_lowercase().as_str()))
        .cloned()
        .collect();
    let framing = match recording.cuts {
        Cuts::Whole => Framing::Length(recording.body.len()),
        _ => Framing::Chunked,
    };
    let mut steps = vec![Step::Head(Head { status: recording.status, headers, framing })];
    steps.extend(paced(pause, &recording.cuts.of(recording.body.clone())));
    steps.push(Step::End);
    steps
}

pub(super) fn ok(content_type: &str, framing: Framing) -> Head {
    Head { status: 200, headers: vec![("content-type".to_owned(), content_type.to_owned())], framing }
}

pub(super) fn whole(status: u16, content_type: &str, body: &[u8]) -> Vec<Step> {
    let head = Head { status, ..ok(content_type, Framing::Length(body.len())) };
    vec![Step::Head(head), Step::Body(Bytes::copy_from_slice(body)), Step::End]
}

pub(super) fn bodies(pieces: &[Bytes]) -> impl Iterator<Item = Step> {
    pieces.iter().filter(|piece| !piece.is_empty()).cloned().map(Step::Body)
}
