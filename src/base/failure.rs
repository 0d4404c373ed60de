//! What can go wrong with an attempt, and what follows from it.
//!
//! [`FailureKind`] is closed. Two exhaustive tables below say for each kind what the exchange does next and what the
//! deployment's health learns; a new kind does not compile until both are answered.

pub use crate::base::consequence::{Blame, HealthEffect, NextStep};
pub use crate::base::vendor_error::VendorError;

use crate::base::scope::{Excess, Scope};
use std::borrow::Cow;
use std::time::Duration;

/// The outcome class of a failed attempt: the `class` label of metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The name did not resolve, or resolved to nothing.
    DnsError,
    /// The name resolved to an address that vendors do not live at (private, link-local, metadata).
    DnsDenied,
    /// The endpoint refused the connection.
    ConnectRefused,
    /// The connection was not made in time.
    ConnectTimeout,
    /// The TLS handshake failed or stalled.
    TlsError,
    /// The endpoint's certificate is not acceptable.
    TlsCert,
    /// The connection broke before response headers.
    ResetBeforeHeaders,
    /// A pooled connection turned out to be dead before any response byte.
    StaleConn,
    /// HTTP/2 GOAWAY above the last stream that the endpoint will serve.
    Goaway,
    /// HTTP/2 REFUSED_STREAM.
    RefusedStream,
    /// Response headers did not come in time.
    HeadersTimeout,
    /// The first content event did not come in time.
    FirstContentTimeout,
    /// The stream fell silent, or made no progress but for pings.
    StreamIdle,
    /// The answer ended before it was complete.
    Truncated,
    /// An error event inside a stream that had begun with 200.
    SseError,
    /// The answer is not what the dialect allows (HTML, bad framing, a redirect).
    Malformed,
    /// A 200 with nothing in it.
    Empty,
    /// Too many requests or tokens for now.
    RateLimited,
    /// This one call is larger than all that the vendor grants the account in one window: waiting does not help.
    OverWindow,
    /// The account's money or quota is spent.
    Quota,
    /// The vendor is overloaded.
    Overloaded,
    /// The vendor failed (5xx).
    ServerError,
    /// This credential is refused.
    AuthKey,
    /// Every credential of the vendor is refused at once: the vendor's fault, not the keys'.
    AuthVendor,
    /// The whole account is barred: suspended, deactivated, against the terms.
    AccountDenied,
    /// The model is unknown or retired.
    ModelGone,
    /// The model exists and is closed to this account.
    ModelDenied,
    /// Not from here: refused for where we or our users are, or by law.
    RegionDenied,
    /// The call is too long for this model.
    ContextLength,
    /// Refused for its content.
    ContentFilter,
    /// This model cannot do what the call asks.
    Unsupported,
    /// The vendor finds fault with the request.
    BadRequest,
    /// The client went away.
    ClientGone,
    /// The exchange ran out of time.
    Deadline,
    /// The answer is larger than we take.
    Oversize,
    /// A reload forbids the deployment while it answers, and the policy says that what runs there is stopped.
    Recalled,
    /// Another deployment that was asked beside this one had content first, and this one was cancelled.
    HedgeLost,
}

impl FailureKind {
    /// Every kind, in the order of the `class` label's documentation.
    pub const ALL: [Self; 37] = [
        Self::DnsError,
        Self::DnsDenied,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::TlsError,
        Self::TlsCert,
        Self::ResetBeforeHeaders,
        Self::StaleConn,
        Self::Goaway,
        Self::RefusedStream,
        Self::HeadersTimeout,
        Self::FirstContentTimeout,
        Self::StreamIdle,
        Self::Truncated,
        Self::SseError,
        Self::Malformed,
        Self::Empty,
        Self::RateLimited,
        Self::OverWindow,
        Self::Quota,
        Self::Overloaded,
        Self::ServerError,
        Self::AuthKey,
        Self::AuthVendor,
        Self::AccountDenied,
        Self::ModelGone,
        Self::ModelDenied,
        Self::RegionDenied,
        Self::ContextLength,
        Self::ContentFilter,
        Self::Unsupported,
        Self::BadRequest,
        Self::ClientGone,
        Self::Deadline,
        Self::Oversize,
        Self::Recalled,
        Self::HedgeLost,
    ];

    /// The `class` label in metrics and logs.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::DnsError => "dns_error",
            Self::DnsDenied => "dns_denied",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::TlsError => "tls_error",
            Self::TlsCert => "tls_cert",
            Self::ResetBeforeHeaders => "reset_before_headers",
            Self::StaleConn => "stale_conn",
            Self::Goaway => "goaway",
            Self::RefusedStream => "refused_stream",
            Self::HeadersTimeout => "headers_timeout",
            Self::FirstContentTimeout => "first_content_timeout",
            Self::StreamIdle => "stream_idle",
            Self::Truncated => "truncated",
            Self::SseError => "sse_error",
            Self::Malformed => "malformed",
            Self::Empty => "empty",
            Self::RateLimited => "rate_limited",
            Self::OverWindow => "over_window",
            Self::Quota => "quota",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::AuthKey => "auth_key",
            Self::AuthVendor => "auth_vendor",
            Self::AccountDenied => "account_denied",
            Self::ModelGone => "model_gone",
            Self::ModelDenied => "model_denied",
            Self::RegionDenied => "region_denied",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Unsupported => "unsupported",
            Self::BadRequest => "bad_request",
            Self::ClientGone => "client_gone",
            Self::Deadline => "deadline",
            Self::Oversize => "oversize",
            Self::Recalled => "recalled",
            Self::HedgeLost => "hedge_lost",
        }
    }

    /// What the exchange does next.
    #[must_use]
    pub const fn next_step(self) -> NextStep {
        match self {
            Self::StaleConn | Self::Goaway | Self::RefusedStream => NextStep::Resend,
            Self::ResetBeforeHeaders | Self::ServerError | Self::RateLimited => NextStep::RetryOrMove,
            Self::Overloaded | Self::Empty => NextStep::MoveOrResend,
            Self::DnsError
            | Self::DnsDenied
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::TlsError
            | Self::TlsCert
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::StreamIdle
            | Self::Truncated
            | Self::SseError
            | Self::Malformed
            | Self::OverWindow
            | Self::Quota
            | Self::AuthKey
            | Self::AuthVendor
            | Self::AccountDenied
            | Self::ModelGone
            | Self::ModelDenied
            | Self::RegionDenied
            | Self::ContextLength
            | Self::Unsupported
            | Self::Oversize
            | Self::Recalled => NextStep::Move,
            Self::ContentFilter | Self::BadRequest => NextStep::Answer,
            Self::ClientGone | Self::Deadline | Self::HedgeLost => NextStep::Stop,
        }
    }

    /// Whether the same deployment may well answer a moment later, without having asked to wait.
    #[must_use]
    pub fn often_passes(self) -> bool {
        matches!(self.next_step(), NextStep::RetryOrMove | NextStep::MoveOrResend) && self != Self::RateLimited
    }

    /// What the health of the one to blame learns.
    #[must_use]
    pub const fn effect(self) -> HealthEffect {
        match self {
            Self::TlsCert => HealthEffect::Open,
            Self::DnsError
            | Self::DnsDenied
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::TlsError
            | Self::ResetBeforeHeaders
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::StreamIdle
            | Self::Truncated
            | Self::SseError
            | Self::Overloaded
            | Self::ServerError
            | Self::AuthVendor => HealthEffect::Hard,
            Self::Malformed | Self::Empty | Self::Oversize => HealthEffect::Ratio,
            Self::AuthKey | Self::ModelGone => HealthEffect::Rest,
            Self::RateLimited | Self::OverWindow | Self::Quota => HealthEffect::Quota,
            Self::StaleConn
            | Self::Goaway
            | Self::RefusedStream
            // restrictions have a register of their own: they are neither a dead key nor a tripped breaker
            | Self::AccountDenied
            | Self::ModelDenied
            | Self::RegionDenied
            | Self::ContextLength
            | Self::ContentFilter
            | Self::Unsupported
            | Self::BadRequest
            | Self::ClientGone
            | Self::Deadline
            | Self::Recalled
            | Self::HedgeLost => HealthEffect::Neutral,
        }
    }

    /// What is to blame.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::DnsError
            | Self::DnsDenied
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::TlsError
            | Self::TlsCert => Blame::Host,
            Self::ResetBeforeHeaders
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::StreamIdle
            | Self::Truncated
            | Self::SseError
            | Self::Malformed
            | Self::Empty
            | Self::Overloaded
            | Self::ServerError
            | Self::Oversize => Blame::Deployment,
            Self::RateLimited | Self::ModelDenied => Blame::Account,
            Self::Quota | Self::AuthKey | Self::AccountDenied => Blame::Credential,
            Self::AuthVendor => Blame::Vendor,
            Self::ModelGone => Blame::Model,
            Self::RegionDenied => Blame::Egress,
            Self::StaleConn
            | Self::Goaway
            | Self::RefusedStream
            | Self::OverWindow
            | Self::ContextLength
            | Self::ContentFilter
            | Self::Unsupported
            | Self::BadRequest
            | Self::ClientGone
            | Self::Deadline
            | Self::Recalled
            | Self::HedgeLost => Blame::Nobody,
        }
    }

    /// How far the refusal reaches unless the vendor's words say otherwise; `None` where it is about this attempt alone.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Quota | Self::AuthKey | Self::AccountDenied => Some(Scope::Credential),
            Self::RateLimited | Self::Overloaded | Self::ModelGone | Self::ModelDenied => Some(Scope::Model),
            Self::RegionDenied => Some(Scope::Region),
            Self::AuthVendor => Some(Scope::Vendor),
            Self::DnsError
            | Self::DnsDenied
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::TlsError
            | Self::TlsCert
            | Self::ResetBeforeHeaders
            | Self::StaleConn
            | Self::Goaway
            | Self::RefusedStream
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::StreamIdle
            | Self::Truncated
            | Self::SseError
            | Self::Malformed
            | Self::Empty
            | Self::OverWindow
            | Self::ServerError
            | Self::ContextLength
            | Self::ContentFilter
            | Self::Unsupported
            | Self::BadRequest
            | Self::ClientGone
            | Self::Deadline
            | Self::Oversize
            | Self::Recalled
            | Self::HedgeLost => None,
        }
    }

    /// Whether it is a restriction: a vendor or a law says not from here, not this model, not you. Waiting does not end one.
    #[must_use]
    pub const fn restricts(self) -> bool {
        matches!(self, Self::RegionDenied | Self::ModelGone | Self::ModelDenied | Self::AccountDenied)
    }
}

/// How far an attempt had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the request left: the vendor cannot have worked on it.
    Connect,
    /// The request left, no response headers yet: the vendor may bill it.
    Sent,
    /// Headers came, no content yet.
    Headers,
    /// Content had begun.
    Content,
}

/// A failed attempt.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// How far it had come.
    pub phase: Phase,
    /// A low-cardinality detail, such as `name_mismatch` or `redirect`: from our own words, never a vendor's.
    pub reason: Cow<'static, str>,
    /// How far a refusal reaches; `None` where it is about this attempt alone.
    pub scope: Option<Scope>,
    /// How long the vendor asks us to wait.
    pub retry_after: Option<Duration>,
    /// By how much the call was too long, where the vendor told.
    pub excess: Option<Excess>,
    /// The vendor's own words, where it spoke.
    pub said: Option<Box<VendorError>>,
}

impl Failure {
    /// A failure without a word from the vendor.
    #[must_use]
    pub const fn new(kind: FailureKind, phase: Phase, reason: &'static str) -> Self {
        Self {
            kind,
            phase,
            reason: Cow::Borrowed(reason),
            scope: kind.scope(),
            retry_after: None,
            excess: None,
            said: None,
        }
    }

    /// Whether the vendor may have worked on the request, and so may bill it.
    #[must_use]
    pub fn maybe_billed(&self) -> bool {
        self.phase > Phase::Connect
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_its_own_class() {
        let classes: HashSet<_> = FailureKind::ALL.iter().map(|kind| kind.class()).collect();
        assert_eq!(classes.len(), FailureKind::ALL.len());
    }

    #[test]
    fn every_restriction_says_how_far_it_reaches_and_trips_nothing() {
        for kind in FailureKind::ALL.into_iter().filter(|kind| kind.restricts()) {
            assert!(kind.scope().is_some(), "{kind:?}");
            assert_eq!(kind.next_step(), NextStep::Move, "{kind:?}");
            // a model that may be gone is left alone until it can be told
            let effect = if kind == FailureKind::ModelGone { HealthEffect::Rest } else { HealthEffect::Neutral };
            assert_eq!(kind.effect(), effect, "{kind:?}");
        }
    }

    #[test]
    fn what_the_client_caused_never_hurts_a_deployment() {
        for kind in
            [FailureKind::BadRequest, FailureKind::ContextLength, FailureKind::ContentFilter, FailureKind::ClientGone]
        {
            assert_eq!((kind.effect(), kind.blame()), (HealthEffect::Neutral, Blame::Nobody), "{kind:?}");
        }
    }
}
