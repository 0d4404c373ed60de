//! Our own refusals: of a client, before or after its attempts, and of a deployment as a candidate.

use crate::base::failure::VendorError;
use std::sync::Arc;
use std::time::Duration;

/// The stable `code` of an error that a client gets from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectionCode {
    /// No key, an unknown key, or an expired one.
    InvalidApiKey,
    /// No such path here.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// No pool of this name that the key may use.
    ModelNotFound,
    /// The body is not acceptable JSON, or not what the dialect allows.
    InvalidRequest,
    /// The body is larger than we take.
    RequestTooLarge,
    /// The body came too slowly.
    RequestTimeout,
    /// An encoding that we do not read.
    UnsupportedEncoding,
    /// Policy leaves no deployment.
    PolicyDenied,
    /// The call names something at a vendor that its key did not create.
    IdDenied,
    /// What the call names is kept where the call may not go.
    NotPortable,
    /// No deployment of the pool can do what the call needs.
    NoCapableDeployment,
    /// Some deployment may serve it, and none is healthy.
    NoHealthyDeployment,
    /// Throttled: by the key's own limit, or at every vendor.
    RateLimited,
    /// The budget of the key or of its team is spent.
    BudgetExhausted,
    /// What is left of a budget cannot be told.
    LedgerUnavailable,
    /// The exchange ran out of time.
    DeadlineExceeded,
    /// We have too much to do ourselves, or are going down.
    Overloaded,
    /// What is decided must be recorded, and cannot be.
    AuditUnavailable,
    /// Every vendor's answer was unusable.
    UpstreamMalformed,
    /// A vendor's answer was larger than we take.
    UpstreamOversize,
    /// A vendor answered with a redirect, which is never followed.
    UpstreamRedirect,
    /// A vendor broke off or failed after content had gone out.
    UpstreamBroken,
    /// The vendor found fault with the request: its words, in the client's dialect.
    VendorRefused,
}

impl RejectionCode {
    /// The code as clients read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "invalid_api_key",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ModelNotFound => "model_not_found",
            Self::InvalidRequest => "invalid_request",
            Self::RequestTooLarge => "request_too_large",
            Self::RequestTimeout => "request_timeout",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::PolicyDenied => "policy_denied",
            Self::IdDenied => "id_denied",
            Self::NotPortable => "not_portable",
            Self::NoCapableDeployment => "no_capable_deployment",
            Self::NoHealthyDeployment => "no_healthy_deployment",
            Self::RateLimited => "rate_limited",
            Self::BudgetExhausted => "budget_exhausted",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Overloaded => "overloaded",
            Self::AuditUnavailable => "audit_unavailable",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::UpstreamOversize => "upstream_oversize",
            Self::UpstreamRedirect => "upstream_redirect",
            Self::UpstreamBroken => "upstream_broken",
            Self::VendorRefused => "vendor_refused",
        }
    }

    /// The HTTP status: the one place where it is chosen.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidApiKey => 401,
            Self::NotFound | Self::ModelNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::InvalidRequest | Self::NoCapableDeployment | Self::VendorRefused => 400,
            Self::RequestTooLarge => 413,
            Self::RequestTimeout => 408,
            Self::UnsupportedEncoding => 415,
            Self::PolicyDenied | Self::IdDenied => 403,
            Self::NotPortable => 409,
            Self::RateLimited | Self::BudgetExhausted => 429,
            Self::NoHealthyDeployment | Self::Overloaded | Self::AuditUnavailable | Self::LedgerUnavailable => 503,
            Self::DeadlineExceeded => 504,
            Self::UpstreamMalformed | Self::UpstreamOversize | Self::UpstreamRedirect | Self::UpstreamBroken => 502,
        }
    }

    /// Whether the same request may succeed later, which decides `x-should-retry`.
    #[must_use]
    pub const fn may_pass_later(self) -> bool {
        match self {
            Self::RateLimited
            | Self::NoHealthyDeployment
            | Self::Overloaded
            | Self::AuditUnavailable
            | Self::LedgerUnavailable
            | Self::RequestTimeout => true,
            Self::InvalidApiKey
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::ModelNotFound
            | Self::InvalidRequest
            | Self::RequestTooLarge
            | Self::UnsupportedEncoding
            | Self::PolicyDenied
            | Self::IdDenied
            | Self::NotPortable
            | Self::NoCapableDeployment
            | Self::BudgetExhausted
            | Self::DeadlineExceeded
            | Self::UpstreamMalformed
            | Self::UpstreamOversize
            | Self::UpstreamRedirect
            | Self::UpstreamBroken
            | Self::VendorRefused => false,
        }
    }
}

/// Why a deployment is not a candidate, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot honour what the call needs; names the need, such as `logprobs`.
    Capability(&'static str),
    /// Policy forbids it; the ids of the deciding policies, empty when no policy permits it.
    Policy(Arc<[Arc<str>]>),
    /// Its breaker, or its host's, is open; when a probe may come.
    Breaker {
        /// Until the next trial may come.
        retry_after: Duration,
    },
    /// It rests after the vendor throttled it, refused the credential or withdrew the model; the failure class.
    Resting {
        /// The class of the failure that sent it to rest.
        class: &'static str,
        /// Until it may be asked again.
        retry_after: Duration,
    },
    /// The vendor's quota would not carry the call; where that is our estimate alone, it is asked when nobody else is left.
    Headroom {
        /// Until what is known of the quota is over.
        retry_after: Duration,
        /// Whether the vendor itself said that nothing is left.
        told: bool,
    },
    /// A vendor, a law or an operator says that it is not to be asked, until somebody releases it.
    Restricted {
        /// Why, as the restriction's `cause`.
        cause: &'static str,
        /// What it is released by.
        id: Arc<str>,
    },
    /// It is at its admission cap.
    Full,
    /// It costs more than the call or the pool allows, or its price is unknown under a ceiling.
    Price,
    /// Its price rose above the pool's bounds, and has not been low again for long enough.
    Surge,
    /// A budget does not reach for it.
    Budget {
        /// `spent`, `held` by open calls, `unpriced`, `unbounded`, or `ledger` where what is left cannot be told.
        cause: &'static str,
        /// Whose budget, as `key/NAME` or `team/NAME`.
        account: Arc<str>,
        /// Until there may be enough.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The reason code that clients and logs see.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Capability(_) => "capability",
            Self::Policy(_) => "policy",
            Self::Breaker { .. } => "breaker_open",
            Self::Resting { class, .. } => class,
            Self::Headroom { .. } => "no_headroom",
            Self::Restricted { .. } => "restricted",
            Self::Full => "full",
            Self::Price => "price",
            Self::Surge => "surge",
            Self::Budget { .. } => "budget",
        }
    }
}

/// An error that a client gets from us, before it is put into the client's dialect.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The stable code, which also decides the status.
    pub code: RejectionCode,
    /// What happened and what to do, for the person who reads it.
    pub message: String,
    /// The parameter at fault, such as `model`.
    pub param: Option<&'static str>,
    /// Our own limit that stood in the way, by its name.
    pub limit: Option<&'static str>,
    /// The smallest honest wait.
    pub retry_after: Option<Duration>,
    /// Why each deployment of the pool was refused, without its name.
    pub refusals: Vec<Refusal>,
    /// The vendor's words, for [`RejectionCode::VendorRefused`]; its status then replaces ours.
    pub said: Option<Box<VendorError>>,
}

impl Rejection {
    /// A rejection with a code and a message.
    #[must_use]
    pub fn new(code: RejectionCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            limit: None,
            retry_after: None,
            refusals: Vec::new(),
            said: None,
        }
    }

    /// The HTTP status: the vendor's where it speaks, else the code's.
    #[must_use]
    pub fn status(&self) -> u16 {
        match &self.said {
            Some(said) if (400..500).contains(&said.status) => said.status,
            _ => self.code.status(),
        }
    }

    /// The same rejection that names the parameter at fault.
    #[must_use]
    pub const fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// The same rejection that names our limit.
    #[must_use]
    pub const fn limit(mut self, limit: &'static str) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same rejection with a wait.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}
