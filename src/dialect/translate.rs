//! From one dialect to another, through the canonical form.

use super::Dialect;
use super::grammar::{Generate, NoStream, ReadEvents, Target, Translation, WriteDeltas};
use super::honour::invalid;
use super::profile::Profile;
use super::sse::Event;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::call::delta::{Delta, unfold};
use crate::call::echo::Echo;
use crate::call::embedding::EmbeddingCall;
use crate::call::reply::Reply;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Reads a client's request.
///
/// # Errors
/// A rejection that names the member, where the body is not what the dialect allows.
pub fn read_call(dialect: Dialect, body: &[u8]) -> Result<Call, Rejection> {
    match generate(dialect) {
        Some(generate) => (generate.read_call)(body),
        None => Err(invalid(format_args!("{} holds no conversation", dialect.name()))),
    }
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
    let generate = generate(profile.dialect).ok_or(Refusal::Capability(profile.dialect.name()))?;
    (generate.write_call)(profile, call, &target).map(Bytes::from)
}

/// Reads a vendor's whole answer.
///
/// # Errors
/// [`Malformed`](crate::base::failure::FailureKind::Malformed) where the body is no answer of the vendor's dialect.
pub fn read_reply(profile: &Profile, body: &[u8]) -> Result<Reply, Failure> {
    match generate(profile.dialect) {
        Some(generate) => (generate.read_reply)(profile, body),
        None => Err(Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect")),
    }
}

/// Writes a whole answer for a client, which repeats nothing of the request.
#[must_use]
pub fn write_reply(dialect: Dialect, reply: &Reply) -> Bytes {
    write_answer(dialect, reply, &Echo::default())
}

fn write_answer(dialect: Dialect, reply: &Reply, asked: &Echo) -> Bytes {
    generate(dialect).map(|generate| (generate.write_reply)(reply, asked)).unwrap_or_default().into()
}

/// `None` for a dialect in which nothing is generated.
const fn generate(dialect: Dialect) -> Option<&'static Generate> {
    match &dialect.grammar().translation {
        Translation::Generate(generate) => Some(generate),
        Translation::Embed(_) => None,
    }
}

/// What a client asks, in the form of its task.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// For an answer, or for how many tokens the call has.
    Call {
        /// The call.
        call: Box<Call>,
        /// What an answer repeats of it.
        echo: Echo,
    },
    /// For vectors.
    Embedding(Box<EmbeddingCall>),
}

impl Asked {
    /// Reads a client's request, whose model and manner may be told beside the body.
    ///
    /// # Errors
    /// A rejection that names the member, where the body is not what the dialect allows.
    pub fn read(dialect: Dialect, body: &[u8], model: &str, stream: bool) -> Result<Self, Rejection> {
        Ok(match &dialect.grammar().translation {
            Translation::Generate(generate) => {
                let call = (generate.read_call)(body)?;
                let echo = generate.echo.map(|echo| echo(body)).unwrap_or_default();
                Self::Call { call: Box::new(Call { model: model.to_owned(), stream, ..call }), echo }
            }
            Translation::Embed(embed) => {
                let call = (embed.read_call)(body)?;
                Self::Embedding(Box::new(EmbeddingCall { model: model.to_owned(), ..call }))
            }
        })
    }

    /// Writes the request to a vendor's `model`; see [`write_call`].
    ///
    /// # Errors
    /// [`Refusal::Capability`] that names what the vendor's dialect cannot honour.
    pub fn write(
        &self,
        profile: &Profile,
        model: &str,
        default_max_tokens: u64,
        include_usage: bool,
    ) -> Result<Bytes, Refusal> {
        match (self, &profile.dialect.grammar().translation) {
            (Self::Call { call, .. }, _) => write_call(profile, call, model, default_max_tokens, include_usage),
            (Self::Embedding(call), Translation::Embed(embed)) => {
                if let Some(need) = call.needs().unmet(profile.capabilities) {
                    return Err(Refusal::Capability(need.name()));
                }
                (embed.write_call)(profile, call, model).map(Bytes::from)
            }
            (Self::Embedding(_), Translation::Generate(_)) => Err(Refusal::Capability(profile.dialect.name())),
        }
    }

    /// The same without the model's thoughts in its history; `None` where it holds no conversation.
    #[must_use]
    pub fn without_thoughts(&self) -> Option<Self> {
        match self {
            Self::Call { call, echo } => {
                Some(Self::Call { call: Box::new(call.without_thoughts()), echo: echo.clone() })
            }
            Self::Embedding(_) => None,
        }
    }

    /// What an answer repeats of it, in the client's dialect.
    #[must_use]
    pub fn echo(&self) -> Echo {
        match self {
            Self::Call { echo, .. } => echo.clone(),
            Self::Embedding(_) => Echo::default(),
        }
    }

    /// Retells a vendor's whole answer to a client, with what the vendor leaves unsaid.
    ///
    /// # Errors
    /// [`Malformed`](FailureKind::Malformed) where the body is no answer of the vendor's dialect.
    pub fn retell(&self, profile: &Profile, client: Dialect, body: &[u8], unsaid: &Unsaid) -> Result<Bytes, Failure> {
        let (from, to) = (&profile.dialect.grammar().translation, &client.grammar().translation);
        match (self, from, to) {
            (Self::Embedding(call), Translation::Embed(from), Translation::Embed(to)) => {
                Ok((to.write_reply)(call, &(from.read_reply)(body)?).into())
            }
            _ => {
                let mut reply = read_reply(profile, body)?;
                unsaid.complete(&mut reply);
                Ok(write_answer(client, &reply, &unsaid.echo))
            }
        }
    }
}

/// Reads a vendor's stream, event by event.
#[derive(Debug)]
pub struct StreamReader(Box<dyn ReadEvents>);

impl StreamReader {
    /// A reader of `profile`'s streams.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        Self(generate(profile.dialect).map_or_else(|| Box::new(NoStream) as _, |generate| (generate.reader)(profile)))
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

/// Writes a client's stream, delta by delta.
#[derive(Debug)]
pub struct StreamWriter(Box<dyn WriteDeltas>);

impl Clone for StreamWriter {
    fn clone(&self) -> Self {
        Self(self.0.twin())
    }
}

impl StreamWriter {
    /// A writer for a client of `client`, which is told the usage with `include_usage`.
    #[must_use]
    pub fn new(client: Dialect, include_usage: bool) -> Self {
        Self(generate(client).map_or_else(|| Box::new(NoStream) as _, |generate| (generate.writer)(include_usage)))
    }

    /// Writes what one delta adds.
    ///
    /// # Errors
    /// Where what the vendor sends has no order in the client's dialect.
    pub fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        self.0.delta(delta, out)
    }

    /// Writes the end of a complete answer.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.0.end(out);
    }

    /// Takes note of an event of the client's own dialect that went out as it came, after its deltas were written to nobody:
    /// what is written next takes up its indexes, ids and numbers.
    pub fn adopt(&mut self, event: &Event<'_>) {
        self.0.adopt(event);
    }

    /// The answer repeats this of the request from here on, unless it is nothing: a vendor of the client's dialect repeats
    /// it itself.
    pub fn echo(&mut self, asked: &Echo) {
        if !asked.is_empty() {
            self.0.echo(asked);
        }
    }

    /// Another model carries the answer on; told where the dialect has a place for it.
    pub fn carried_on(&mut self, model: &str) {
        self.0.carried_on(model);
    }
}

/// Retells a vendor's stream in the client's dialect.
#[derive(Debug)]
pub struct StreamTranslator {
    reader: StreamReader,
    writer: StreamWriter,
    unsaid: Unsaid,
}

impl StreamTranslator {
    /// A translator of a stream of `profile` for a client of `client`, which is told the usage with `include_usage`.
    #[must_use]
    pub fn new(profile: &Profile, client: Dialect, include_usage: bool) -> Self {
        let writer = StreamWriter::new(client, include_usage);
        Self { reader: StreamReader::new(profile), writer, unsaid: Unsaid::default() }
    }

    /// The same, which tells a client what the vendor leaves unsaid.
    #[must_use]
    pub fn unsaid(mut self, unsaid: Unsaid) -> Self {
        self.writer.echo(&unsaid.echo);
        self.unsaid = unsaid;
        self
    }

    /// Retells one event; what it adds for the client is appended to `out`.
    ///
    /// # Errors
    /// As of [`StreamReader::event`], and where what the vendor sends has no order in the client's dialect.
    pub fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        let (writer, unsaid) = (&mut self.writer, &self.unsaid);
        let mut written = Ok(());
        self.reader.event(event, |delta| {
            if written.is_ok() {
                written = writer.delta(unsaid.said(delta), out);
            }
        })?;
        written
    }

    /// Writes the end of the client's stream, after the vendor's was complete. An answer that broke off is not ended.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.writer.end(out);
    }
}

/// What clients want to know of an answer, for vendors that do not say it.
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    /// Its id.
    pub id: String,
    /// The model that answers.
    pub model: Arc<str>,
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// What it repeats of the request.
    pub echo: Echo,
}

impl Unsaid {
    /// Tells a whole answer's own id, model and time, where it lacks them.
    pub fn complete(&self, reply: &mut Reply) {
        if reply.id.is_empty() {
            reply.id.clone_from(&self.id);
        }
        if reply.model.is_empty() {
            reply.model = self.model.to_string();
        }
        if reply.created_s == 0 {
            reply.created_s = self.created_s;
        }
    }

    /// The delta, with what the vendor leaves unsaid of the answer's beginning.
    #[must_use]
    pub fn said<'a>(&'a self, delta: Delta<'a>) -> Delta<'a> {
        let or = |told: &'a str, own: &'a str| if told.is_empty() { own } else { told };
        match delta {
            Delta::Start { id, model, created_s } => Delta::Start {
                id: or(id, &self.id),
                model: or(model, &self.model),
                created_s: if created_s == 0 { self.created_s } else { created_s },
            },
            delta => delta,
        }
    }
}

/// Tells a whole answer as a stream of the client's dialect, from its first event to its last; it repeats this of the request.
///
/// # Errors
/// [`Malformed`](crate::base::failure::FailureKind::Malformed) where the answer has no order in the dialect.
pub fn stream_of(client: Dialect, reply: &Reply, include_usage: bool, asked: &Echo) -> Result<Bytes, Failure> {
    let mut writer = StreamWriter::new(client, include_usage);
    writer.echo(asked);
    let (mut out, mut written) = (BytesMut::new(), Ok(()));
    unfold(reply, |delta| {
        if written.is_ok() {
            written = writer.delta(delta, &mut out);
        }
    });
    writer.end(&mut out);
    written.map(|()| out.freeze())
}
