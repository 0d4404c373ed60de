//! The beginning of an answer: read until it is sure that there is something to give, and held back until then.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::usage::Usage;
use crate::dialect::translate::Unsaid;
use crate::dialect::{eventstream, seen, signals, translate};
use crate::exchange::pump::{Pump, Pumped};
use crate::exchange::request::Prepared;
use crate::snapshot::deployment::Timeouts;
use crate::state::clock::Clock;
use crate::upstream::{Incoming, VendorBody};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of an error body that are read.
const ERROR_BYTES: usize = 64 << 10;
/// How long an error body may take.
const ERROR_TIME: Duration = Duration::from_secs(5);
/// Bytes of a stream that are held back before its first content.
const HELD_BYTES: usize = 64 << 10;

/// An answer that has content.
pub(crate) enum Received {
    /// All of it, in the client's dialect.
    Whole { body: Bytes, usage: Option<Usage>, region: Option<Box<str>> },
    /// A stream, with what is to go out first.
    Stream { body: VendorBody, pump: Box<Pump>, first: Bytes, complete: bool, timeouts: Timeouts },
}

impl Received {
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    /// Where the answer itself says that it was made.
    pub(crate) fn region(&self) -> Option<&str> {
        match self {
            Self::Whole { region, .. } => region.as_deref(),
            Self::Stream { pump, .. } => pump.region(),
        }
    }
}

/// Reads an answer up to its first content, or whole where it is not streamed.
///
/// # Errors
/// Whatever makes the answer unusable: nothing of it has gone out.
pub(crate) async fn receive(
    incoming: Box<Incoming>,
    prepared: &Prepared,
    began: Instant,
    accept_empty: bool,
) -> Result<Received, Failure> {
    let profile = &prepared.profile;
    if !incoming.status.is_success() {
        let status = incoming.status.as_u16();
        let body = read_error(incoming.body).await;
        return Err(signals::classify(profile, status, &incoming.headers, &body, Clock::unix_seconds().unsigned_abs()));
    }
    if prepared.streamed {
        // in a box, so that answers that are not streamed carry nothing of it
        Box::pin(first_content(incoming, prepared, began, accept_empty)).await
    } else {
        let until = began + prepared.timeouts.answer;
        tokio::time::timeout_at(until, read_whole(incoming, prepared, accept_empty))
            .await
            .unwrap_or_else(|_| Err(Failure::new(FailureKind::HeadersTimeout, Phase::Headers, "answer")))
    }
}

/// What the vendor said, as far as it can be had: a body that breaks off is judged by its status.
pub(crate) async fn read_error(mut body: VendorBody) -> Bytes {
    let mut read = BytesMut::new();
    let _ = tokio::time::timeout(ERROR_TIME, async {
        while let Some(Ok(chunk)) = body.chunk().await {
            read.extend_from_slice(&chunk);
            if read.len() > ERROR_BYTES {
                break;
            }
        }
    })
    .await;
    read.freeze()
}

async fn read_whole(incoming: Box<Incoming>, prepared: &Prepared, accept_empty: bool) -> Result<Received, Failure> {
    let profile = &prepared.profile;
    let unsaid = unsaid(prepared, &incoming.headers);
    let mut body = incoming.body;
    let answer = collect(&mut body, prepared.answer_bytes).await?;
    let seen = match seen::reply(profile, &answer) {
        Err(empty) if empty.kind == FailureKind::Empty && accept_empty => seen::reply_even_empty(profile, &answer)?,
        other => other?,
    };
    if let Some(claimant) = &prepared.claimant {
        claimant.whole(&answer);
    }
    let body = match &prepared.asked {
        Some(asked) => asked.retell(profile, prepared.client, &answer, &unsaid)?,
        None => answer,
    };
    Ok(Received::Whole { body, usage: seen.usage, region: seen.region })
}

/// What the vendor may leave unsaid: its id of the answer is then in a header, and the model is the one that was asked.
fn unsaid(prepared: &Prepared, headers: &HeaderMap) -> Unsaid {
    let id = prepared.profile.id_header.and_then(|name| headers.get(name)?.to_str().ok());
    Unsaid {
        id: id.unwrap_or_default().to_owned(),
        model: Arc::clone(&prepared.model),
        created_s: Clock::unix_seconds().unsigned_abs(),
        echo: prepared.asked.as_ref().map(|asked| asked.echo()).unwrap_or_default(),
    }
}

/// The whole body; one chunk is not copied.
pub(crate) async fn collect(body: &mut VendorBody, most: usize) -> Result<Bytes, Failure> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk?;
        if first.len() + rest.len() + chunk.len() > most {
            return Err(Failure::new(FailureKind::Oversize, Phase::Content, "answer"));
        }
        if first.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Reads a stream up to its first content. While it repeats what the client has already, it has as long as a stream has that
/// flows.
async fn first_content(
    incoming: Box<Incoming>,
    prepared: &Prepared,
    began: Instant,
    accept_empty: bool,
) -> Result<Received, Failure> {
    let mut until = began + prepared.timeouts.first_content;
    let late = |_| Failure::new(FailureKind::FirstContentTimeout, Phase::Headers, "first_content");
    let declared = is_event_stream(&incoming.headers);
    let unsaid = unsaid(prepared, &incoming.headers);
    let mut body = incoming.body;
    let mut pump = Box::new(Pump::new(prepared, unsaid.clone()));
    let mut begun = declared;
    let mut held = Held::default();
    loop {
        let mut pumped = match tokio::time::timeout_at(until, body.chunk()).await.map_err(late)? {
            Some(Ok(chunk)) if !begun && !chunk.trim_ascii_start().is_empty() => {
                if matches!(chunk.trim_ascii_start().first(), Some(b'{' | b'<')) {
                    let told = told_whole(chunk, body, prepared, &unsaid);
                    return tokio::time::timeout_at(until, told).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
                }
                begun = true;
                pump.push(chunk)
            }
            Some(Ok(chunk)) => pump.push(chunk),
            Some(Err(failure)) => match pump.end() {
                // what was held back until it was whole is whole: a finish reason came before the break
                pumped if pumped.complete => pumped,
                _ => return Err(failure),
            },
            None => pump.end(),
        };
        if accept_empty && pumped.fault.as_ref().is_some_and(|failure| failure.kind == FailureKind::Empty) {
            pumped = pump.end_empty(pumped);
        }
        let Pumped { bytes, content, complete, fault, waits } = pumped;
        if let Some(failure) = fault {
            return Err(failure);
        }
        held.add(bytes);
        // a tool call that the client's dialect tells whole is content, of which nothing is written until it is
        let unwritten = content && held.len() == 0;
        if waits || unwritten {
            until = until.max(Instant::now() + prepared.timeouts.idle);
        }
        if (content && !unwritten) || complete {
            let (first, timeouts) = (held.bytes(), prepared.timeouts);
            return Ok(Received::Stream { body, pump, first, complete, timeouts });
        }
        if held.len() > HELD_BYTES {
            return Err(Failure::new(FailureKind::Malformed, Phase::Headers, "no_content"));
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    ["text/event-stream", eventstream::CONTENT_TYPE]
        .into_iter()
        .any(|kind| declared.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes())))
}

/// A 200 whose body is a page or one object where a stream was asked for. Gemini's endpoints label an error so
/// (recording `62593b535479768c`); others answer whole when they cannot stream, which is then told as a stream.
async fn told_whole(
    first: Bytes,
    mut body: VendorBody,
    prepared: &Prepared,
    unsaid: &Unsaid,
) -> Result<Received, Failure> {
    let rest = collect(&mut body, prepared.answer_bytes.saturating_sub(first.len())).await?;
    let answer = [&first[..], &rest[..]].concat();
    let seen = seen::reply(&prepared.profile, &answer)?;
    if let Some(claimant) = &prepared.claimant {
        claimant.whole(&answer);
    }
    let mut reply = translate::read_reply(&prepared.profile, &answer)?;
    unsaid.complete(&mut reply);
    let (pump, first) = Pump::tell_whole(prepared, seen, &reply, unsaid.clone())?;
    Ok(Received::Stream { body, pump: Box::new(pump), first, complete: true, timeouts: prepared.timeouts })
}

/// Bytes that are held back; one chunk is not copied.
#[derive(Default)]
struct Held {
    first: Bytes,
    rest: BytesMut,
}

impl Held {
    fn add(&mut self, bytes: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = bytes;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
                self.first.clear();
            }
            self.rest.extend_from_slice(&bytes);
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
