//! Vendors, endpoints and the deployments on them.

use crate::base::rejection::Refusal;
use crate::base::secret::Secret;
use crate::call::needs::Capabilities;
use crate::dialect::Dialect;
use crate::dialect::profile::Profile;
use crate::price::Rates;
use crate::snapshot::proof::{Proof, TokenSource};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

/// A company whose API we use.
#[derive(Debug)]
pub struct Vendor {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What it speaks: a profile for each wire format, the one to translate to first; never empty.
    pub profiles: Arc<[Profile]>,
    /// Whose models its models are in the catalog.
    pub catalog: Option<Arc<str>>,
}

/// Whom a TLS connection to an endpoint trusts.
#[derive(Clone, Debug)]
pub enum Roots {
    /// The operating system's certificates.
    System,
    /// These certificates beside the operating system's (`ca_file`).
    With(Arc<[CertificateDer<'static>]>),
}

/// One place where a vendor answers.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name in the config; a vendor's own endpoint has the vendor's name.
    pub name: Arc<str>,
    /// Whose it is.
    pub vendor: Arc<Vendor>,
    /// Whether TLS is spoken; plain only to literal loopback addresses.
    pub tls: bool,
    /// Host name or literal address, without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// `host[:port]` as the `Host` header carries it.
    pub authority: Arc<str>,
    /// Path prefix without a trailing slash, such as `/v1`.
    pub path: Arc<str>,
    /// Whom to trust.
    pub roots: Roots,
    /// Whether the host may resolve to a private address; loopback is meant by a literal loopback host alone.
    pub allow_private: bool,
    /// Whether HTTP/2 is offered to it.
    pub http2: bool,
    /// Whether the host is this machine: a literal loopback address or `localhost`.
    pub loopback: bool,
    /// Where it processes, as declared.
    pub region: Arc<str>,
    /// The one key whose account is asked here, where it is not shared by all.
    pub reserved_for: Option<Arc<str>>,
}

/// A secret of ours at a vendor.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name in the config, `default` for a single one.
    pub name: Arc<str>,
    /// The secret.
    pub secret: Secret,
    /// What is made of it for a request.
    pub proof: Proof,
}

/// One wire format that a deployment speaks.
#[derive(Clone, Debug)]
pub struct Voice {
    /// How its vendor speaks it.
    pub profile: Profile,
    /// Where a call goes, beyond the endpoint's prefix.
    pub path: Arc<str>,
    /// Where a call goes whose answer is streamed.
    pub stream_path: Arc<str>,
    /// Where models are listed for free; empty where that is nowhere.
    pub models_path: Arc<str>,
    /// What the deployment can do when asked so.
    pub capabilities: Capabilities,
}

/// One callable: vendor, base URL, vendor model, region, credential, dialect, capabilities, price.
///
/// Two credentials of one endpoint make two deployments of the same id.
#[derive(Debug)]
pub struct Deployment {
    /// Its position in `Snapshot::deployments`.
    pub index: usize,
    /// `endpoint/model`.
    pub id: Arc<str>,
    /// What its health is kept under: vendor, base URL, vendor model and credential. Renaming keeps it.
    pub health_key: Arc<str>,
    /// What its host's health is kept under: vendor and base URL.
    pub host_key: Arc<str>,
    /// Where it is called.
    pub endpoint: Arc<Endpoint>,
    /// The vendor's name of the model.
    pub model: Arc<str>,
    /// Where it processes, as declared for it or its endpoint.
    pub region: Arc<str>,
    /// What it is called with; `None` for an endpoint that takes none.
    pub credential: Option<Credential>,
    /// The wire format that others are translated to.
    pub voice: Voice,
    /// The other wire formats it speaks.
    pub further_voices: Vec<Voice>,
    /// How much it takes and gives.
    pub limits: Limits,
    /// What it charges, as far as that is known.
    pub rates: Rates,
    /// The answer cap that is sent where the dialect demands one and the call has none (Anthropic's `max_tokens`).
    pub default_max_tokens: u64,
    /// How long to wait for what, whatever the pool.
    pub timeouts: Timeouts,
    /// Those of the timeouts that vendor, endpoint or deployment set: they win over a pool's.
    pub own_timeouts: TimeoutOverrides,
    /// Its vendor promises to keep nothing (`retention_days = 0`): a call that would be kept there is sent so that it is not.
    pub keeps_nothing: bool,
}

impl Deployment {
    /// How it is asked for a call of a client's dialect: in that dialect where it speaks it, so that bytes pass; else in its
    /// first one for the same task. `None` where it speaks none for the task.
    #[must_use]
    pub fn voice(&self, client: Dialect) -> Option<&Voice> {
        let same = |voice: &&Voice| voice.profile.dialect == client;
        let translated = |voice: &&Voice| voice.profile.dialect.task() == client.task();
        self.voices().find(same).or_else(|| self.voices().find(translated))
    }

    /// The account that holds what calls make the vendor keep. A rotated credential is of the same account.
    #[must_use]
    pub fn account(&self) -> String {
        let credential = self.credential.as_ref().map_or("", |credential| &*credential.name);
        format!("{} {credential}", self.host_key)
    }

    /// Where the tokens come from that it is called with, if it is.
    #[must_use]
    pub fn token_source(&self) -> Option<&TokenSource> {
        match &self.credential.as_ref()?.proof {
            Proof::Token(source) => Some(source),
            Proof::Header | Proof::Signature(_) => None,
        }
    }

    /// Everything it speaks.
    pub fn voices(&self) -> impl Iterator<Item = &Voice> {
        std::iter::once(&self.voice).chain(&self.further_voices)
    }
}

/// How many tokens a model takes and gives, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Prompt and the cap on the answer together; only where the vendor refuses a call that asks for more, instead of
    /// giving less.
    pub context: Option<u64>,
    /// The prompt alone.
    pub input: Option<u64>,
    /// The cap on the answer; only where the vendor refuses a higher one.
    pub output: Option<u64>,
}

impl Limits {
    /// Whether a call cannot fit: `prompt` is a number of tokens that its prompt has at least, `answer` the cap that
    /// it sets on the answer.
    ///
    /// # Errors
    /// [`Refusal::Capability`] of `context` or `max_tokens`.
    pub fn fit(&self, prompt: u64, answer: Option<u64>) -> Result<(), Refusal> {
        let above = |tokens: u64, limit: Option<u64>| limit.is_some_and(|limit| tokens > limit);
        if answer.is_some_and(|answer| above(answer, self.output)) {
            return Err(Refusal::Capability("max_tokens"));
        }
        if above(prompt, self.input) || above(prompt.saturating_add(answer.unwrap_or(0)), self.context) {
            return Err(Refusal::Capability("context"));
        }
        Ok(())
    }
}

/// How long an attempt waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connection.
    pub connect: Duration,
    /// TCP connection and TLS handshake together.
    pub handshake: Duration,
    /// Response headers of a streamed call.
    pub headers: Duration,
    /// First content event of a streamed call, from the attempt's start.
    pub first_content: Duration,
    /// Between two reads of a stream.
    pub idle: Duration,
    /// Between two content events of a stream, which pings do not reset.
    pub progress: Duration,
    /// The longest time that a stream may take for a few content events, however small they are.
    pub trickle: Duration,
    /// The whole answer of an unstreamed call.
    pub answer: Duration,
}

/// Some timeouts, to be laid over others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::handshake`].
    pub handshake: Option<Duration>,
    /// See [`Timeouts::headers`].
    pub headers: Option<Duration>,
    /// See [`Timeouts::first_content`].
    pub first_content: Option<Duration>,
    /// See [`Timeouts::idle`].
    pub idle: Option<Duration>,
    /// See [`Timeouts::progress`].
    pub progress: Option<Duration>,
    /// See [`Timeouts::trickle`].
    pub trickle: Option<Duration>,
    /// See [`Timeouts::answer`].
    pub answer: Option<Duration>,
}

impl TimeoutOverrides {
    /// These, and those of `wider` where these say nothing.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        Self {
            connect: self.connect.or(wider.connect),
            handshake: self.handshake.or(wider.handshake),
            headers: self.headers.or(wider.headers),
            first_content: self.first_content.or(wider.first_content),
            idle: self.idle.or(wider.idle),
            progress: self.progress.or(wider.progress),
            trickle: self.trickle.or(wider.trickle),
            answer: self.answer.or(wider.answer),
        }
    }
}

impl Timeouts {
    /// These with `own` laid over them.
    #[must_use]
    pub fn with(self, own: TimeoutOverrides) -> Self {
        Self {
            connect: own.connect.unwrap_or(self.connect),
            handshake: own.handshake.unwrap_or(self.handshake),
            headers: own.headers.unwrap_or(self.headers),
            first_content: own.first_content.unwrap_or(self.first_content),
            idle: own.idle.unwrap_or(self.idle),
            progress: own.progress.unwrap_or(self.progress),
            trickle: own.trickle.unwrap_or(self.trickle),
            answer: own.answer.unwrap_or(self.answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_cannot_fit_is_refused_by_name() {
        let check = |limits: Limits, prompt, answer, expected: Option<&'static str>| {
            assert_eq!(limits.fit(prompt, answer).err(), expected.map(Refusal::Capability), "{prompt} {answer:?}");
        };
        let limits = Limits { context: Some(100), input: Some(80), output: Some(50) };
        check(limits, 80, Some(20), None);
        check(limits, 81, None, Some("context"));
        check(limits, 60, Some(41), Some("context"));
        check(limits, 1, Some(51), Some("max_tokens"));
        check(Limits::default(), u64::MAX, Some(u64::MAX), None);
    }
}
