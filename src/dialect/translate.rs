//! From one dialect to another, through the canonical form.

use super::Dialect;
use super::grammar::{Generate, ReadEvents, Target, Translation, WriteDeltas};
use super::profile::Profile;
use super::sse::Event;
use crate::base::failure::Failure;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::call::delta::{Delta, unfold};
use crate::call::reply::Reply;
use bytes::{Bytes, BytesMut};

/// Reads a client's request.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub fn read_call(dialect: Dialect, body: &[u8]) -> Result<Call, Rejection> {
    (generate(dialect).read_call)(body)
}

/// Writes the request to a vendor's `model`. Where the vendor demands a cap on the answer's tokens and the client gave
/// none, it is `default_max_tokens`; `include_usage` asks for the usage of a stream, where that has to be asked for.
///
/// # Errors
/// [`Refusal::Capability`] that names what the vendor's dialect cannot honour: nothing is left out unsaid. Beside the
/// names of needs these are: `stop` (too many texts, or white space alone), `temperature`, `tool_choice` (forced while
/// the model thinks), `strict_tools` (a schema that the vendor would refuse), `name` (of a speaker), `image_detail`,
/// `tool_result_images`, and `no_user_turn`.
pub fn write_call(
    profile: &Profile,
    call: &Call,
    model: &str,
    default_max_tokens: u64,
    include_usage: bool,
) -> Result<Bytes, Refusal> {
    if let Some(need) = call.needs().unmet(profile.capabilities) {
        return Err(Refusal::Capability(need.name()));
    }
    let target = Target { model, default_max_tokens, include_usage };
    (generate(profile.dialect).write_call)(profile, call, &target).map(Bytes::from)
}

/// Reads a vendor's whole answer.
///
/// # Errors
/// [`Malformed`](crate::base::failure::FailureKind::Malformed) where the body is no answer of the vendor's dialect.
pub fn read_reply(profile: &Profile, body: &[u8]) -> Result<Reply, Failure> {
    (generate(profile.dialect).read_reply)(profile, body)
}

/// Writes a whole answer for a client.
#[must_use]
pub fn write_reply(dialect: Dialect, reply: &Reply) -> Bytes {
    (generate(dialect).write_reply)(reply).into()
}

const fn generate(dialect: Dialect) -> &'static Generate {
    match &dialect.grammar().translation {
        Translation::Generate(generate) => generate,
    }
}

/// Reads a vendor's stream, event by event.
#[derive(Debug)]
pub struct StreamReader(Box<dyn ReadEvents>);

impl StreamReader {
    /// A reader of `profile`'s streams.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        Self((generate(profile.dialect).reader)(profile))
    }

    /// Reads one event and hands on the deltas that it adds.
    ///
    /// # Errors
    /// [`Malformed`](crate::base::failure::FailureKind::Malformed) for what is no event of the dialect,
    /// [`SseError`](crate::base::failure::FailureKind::SseError) for the vendor's error.
    pub fn event(&mut self, event: &Event<'_>, mut sink: impl FnMut(Delta<'_>)) -> Result<(), Failure> {
        if event.data.trim_ascii().is_empty() { Ok(()) } else { self.0.event(event, &mut sink) }
    }
}

/// Retells a vendor's stream in the client's dialect.
#[derive(Debug)]
pub struct StreamTranslator {
    reader: StreamReader,
    writer: Box<dyn WriteDeltas>,
    created_s: u64,
}

impl StreamTranslator {
    /// A translator of a stream of `profile` for a client of `client`, which is told the usage with `include_usage`.
    #[must_use]
    pub fn new(profile: &Profile, client: Dialect, include_usage: bool) -> Self {
        let writer = (generate(client).writer)(include_usage);
        Self { reader: StreamReader::new(profile), writer, created_s: 0 }
    }

    /// The same, which tells a client that wants to know when the answer was made, in seconds since 1970, where the
    /// vendor does not.
    #[must_use]
    pub const fn created_s(mut self, created_s: u64) -> Self {
        self.created_s = created_s;
        self
    }

    /// Retells one event; what it adds for the client is appended to `out`.
    ///
    /// # Errors
    /// As of [`StreamReader::event`], and where what the vendor sends has no order in the client's dialect.
    pub fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        let (writer, created_s) = (&mut self.writer, self.created_s);
        let mut written = Ok(());
        self.reader.event(event, |delta| {
            if written.is_ok() {
                written = writer.delta(dated(delta, created_s), out);
            }
        })?;
        written
    }

    /// Writes the end of the client's stream, after the vendor's was complete. An answer that broke off is not ended.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.writer.end(out);
    }
}

/// Tells a whole answer as a stream of the client's dialect, from its first event to its last.
///
/// # Errors
/// [`Malformed`](crate::base::failure::FailureKind::Malformed) where the answer has no order in the dialect.
pub fn stream_of(client: Dialect, reply: &Reply, include_usage: bool) -> Result<Bytes, Failure> {
    let mut writer = (generate(client).writer)(include_usage);
    let (mut out, mut written) = (BytesMut::new(), Ok(()));
    unfold(reply, |delta| {
        if written.is_ok() {
            written = writer.delta(delta, &mut out);
        }
    });
    writer.end(&mut out);
    written.map(|()| out.freeze())
}

fn dated(delta: Delta<'_>, now_s: u64) -> Delta<'_> {
    match delta {
        Delta::Start { id, model, created_s: 0 } => Delta::Start { id, model, created_s: now_s },
        delta => delta,
    }
}
