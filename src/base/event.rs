//! What happened, as a closed set: lower floors emit events, `observe` turns them into metrics, logs and alerts.

use crate::base::failure::FailureKind;
use crate::base::money::Microusd;
use crate::base::rejection::Refusal;
use crate::base::restriction::Restriction;
use crate::base::surge::Surge;
use crate::base::tokens::Tokens;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Takes events. Cheap and never blocking: it is called on the request path.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);

    /// Whether what is decided can still be recorded; where it must be and cannot, new calls are refused.
    fn can_record(&self) -> bool {
        true
    }
}

/// A sink that forgets, for tools and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn emit(&self, _: Event) {}
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A whole answer went out.
    Served,
    /// We refused, with our code.
    Rejected(&'static str),
    /// The vendor found fault with the request, and the client was told.
    VendorRefused,
    /// A stream broke after content had gone out.
    Broken(FailureKind),
    /// The client went away.
    ClientGone(GonePhase),
}

impl Outcome {
    /// The `outcome` label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Rejected(code) => code,
            Self::VendorRefused => "vendor_refused",
            Self::Broken(_) => "broken",
            Self::ClientGone(_) => "client_gone",
        }
    }
}

/// When a client went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GonePhase {
    /// While we waited for a vendor.
    Wait,
    /// While the answer was streaming; it may have stopped reading before.
    Stream,
}

impl GonePhase {
    /// The `phase` label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Stream => "stream",
        }
    }
}

/// What became of a hedge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HedgeOutcome {
    /// It had content first.
    Won,
    /// The first deployment had.
    Lost,
    /// It failed.
    Failed,
    /// The pool's share of calls that may be hedged is used up: nobody was asked.
    Capped,
    /// What the pool may spend on extra attempts is short: nobody was asked.
    NoBudget,
    /// The other deployment could not be asked now.
    Refused,
}

impl HedgeOutcome {
    /// The `outcome` label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Capped => "capped",
            Self::NoBudget => "no_budget",
            Self::Refused => "refused",
        }
    }
}

/// Who was sent something, and where it was processed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// The vendor.
    pub vendor: Arc<str>,
    /// Where it is seated.
    pub seat: Arc<str>,
    /// Where it processes, as declared.
    pub region: Arc<str>,
    /// Where it says that it processed this call, in its own words, where it says so.
    pub observed: Option<Box<str>>,
    /// The basis on which the data may go there, as declared.
    pub transfer: &'static str,
}

/// One deployment of the pool, and what was said of it before anybody was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The deployment's id.
    pub deployment: Arc<str>,
    /// Why it was not a candidate; `None` for one that was.
    pub refusal: Option<Refusal>,
}

impl Considered {
    /// What was said of a deployment.
    #[must_use]
    pub fn of(deployment: &Arc<str>, refusal: Option<&Refusal>) -> Self {
        Self { deployment: Arc::clone(deployment), refusal: refusal.cloned() }
    }
}

/// What an exchange was decided on, for the decision log.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// Whom the call was for, as far as we know: the name in the client's certificate.
    pub subject: Option<Arc<str>>,
    /// Data classes that the call holds.
    pub data: Vec<Arc<str>>,
    /// Zone where its data must stay.
    pub residency: Arc<str>,
    /// Every deployment of the pool, in order of preference.
    pub considered: Vec<Considered>,
}

/// Where the token counts of an attempt come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Counted {
    /// The vendor cannot have worked on it, or answered with an error: it bills nothing.
    #[default]
    Nothing,
    /// The vendor counted.
    Vendor,
    /// The vendor's count stops before the end: it is taken for no less than what was held back for the attempt.
    Incomplete,
    /// The vendor told no count, or nonsense: prompt and answer were estimated by their size.
    Estimated,
}

impl Counted {
    /// The word in ledger and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Vendor => "vendor",
            Self::Incomplete => "incomplete",
            Self::Estimated => "estimated",
        }
    }
}

/// One attempt's record.
#[derive(Clone, Debug, Default)]
pub struct AttemptRecord {
    /// The deployment's id.
    pub deployment: Arc<str>,
    /// Who that is.
    pub whom: Whom,
    /// `None` when it went well.
    pub failure: Option<FailureKind>,
    /// The failure's low-cardinality detail, or empty.
    pub reason: Cow<'static, str>,
    /// HTTP status, 0 when none came.
    pub status: u16,
    /// From the attempt's start to its end, or to the answer's end for the one that served.
    pub took: Duration,
    /// From the attempt's start to the first content.
    pub first_content: Option<Duration>,
    /// Whether it was made beside another that was slow.
    pub hedge: bool,
    /// Whether the vendor may bill it.
    pub maybe_billed: bool,
    /// Events of its stream that were no JSON and were left out.
    pub events_skipped: u32,
    /// What it consumed, as counted or as estimated.
    pub tokens: Option<Tokens>,
    /// Who counted.
    pub counted: Counted,
    /// What it is charged with; `None` where the price is unknown.
    pub cost: Option<Microusd>,
}

/// One exchange's record: exactly one per client request that reached a dialect.
#[derive(Clone, Debug)]
pub struct ExchangeRecord {
    /// The request id that the client got.
    pub request_id: String,
    /// The key's name, or empty when none was recognised.
    pub key: Arc<str>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// The pool, or empty.
    pub pool: Arc<str>,
    /// The model as asked for, at most 128 characters, control characters removed.
    pub model: String,
    /// The deployment that served, if any.
    pub served_by: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status that the client got, 0 if none.
    pub status: u16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptRecord>,
    /// The vendors' counts of all attempts together, when one came.
    pub tokens: Option<Tokens>,
    /// What all attempts are charged with, where their prices are known.
    pub cost: Option<Microusd>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// From the request's arrival to the answer's end.
    pub took: Duration,
    /// Ids of the policies that refused some deployment.
    pub denied_by: Vec<Arc<str>>,
    /// Digest of the policies that decided.
    pub policy: Arc<str>,
    /// What it was decided on.
    pub grounds: Grounds,
}

impl ExchangeRecord {
    /// Adds an attempt that has ended, and what it consumed.
    pub fn add(&mut self, attempt: AttemptRecord) {
        if matches!(attempt.counted, Counted::Vendor | Counted::Incomplete) {
            self.tokens = match (self.tokens, attempt.tokens) {
                (Some(before), Some(these)) => Some(before + these),
                (before, these) => before.or(these),
            };
        }
        if attempt.counted != Counted::Nothing {
            self.cost = match (self.cost, attempt.cost) {
                (Some(before), Some(this)) => Some(before + this),
                (before, this) => before.or(this),
            };
        }
        self.attempts.push(attempt);
    }
}

/// Everything that is worth counting, logging or alerting on.
#[derive(Clone, Debug)]
pub enum Event {
    /// An exchange ended.
    Exchange(Box<ExchangeRecord>),
    /// A breaker changed its state.
    Breaker {
        /// Whose it is.
        node: Arc<str>,
        /// `open` or `closed`.
        to: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Every vendor is out of reach at once, which is probably our own fault; or one of them is heard again.
    Isolated {
        /// Whether it began.
        began: bool,
    },
    /// A vendor's status page says something else than before.
    VendorReport {
        /// The vendor.
        vendor: Arc<str>,
        /// `well`, `minor` or `major`.
        report: &'static str,
    },
    /// A credential's money or quota at its vendor is spent, or there is some again: one event each, however many calls run
    /// into it.
    QuotaSpent {
        /// The credential, as `vendor/name`.
        credential: Arc<str>,
        /// Whether it is spent.
        spent: bool,
    },
    /// The retry budget of a pool refused another attempt.
    RetryBudgetDenied {
        /// The pool.
        pool: Arc<str>,
    },
    /// A stream broke in a pool with `continuation`.
    Continuation {
        /// The pool.
        pool: Arc<str>,
        /// `carried_on`, or why it ended instead, from a closed set.
        outcome: &'static str,
    },
    /// A deployment was slow in a pool with `hedge`, and another one was to be asked beside it.
    Hedge {
        /// The pool.
        pool: Arc<str>,
        /// What became of that, from a closed set.
        outcome: HedgeOutcome,
    },
    /// A limit refused something; the limit's name.
    LimitRejected {
        /// The limit's name.
        limit: &'static str,
    },
    /// A budget is spent, or calls fit into it again: once for each period, however many calls run into it.
    Budget {
        /// Whose it is, as `key/NAME` or `team/NAME`.
        account: Arc<str>,
        /// Whether it is spent.
        spent: bool,
    },
    /// The ledger can no longer be written, or can be again.
    Ledger {
        /// Why it cannot be written; `None` when it can.
        failing: Option<Arc<str>>,
    },
    /// The register of what keys created at vendors can no longer be written, or can be again.
    Ids {
        /// Why it cannot be written; `None` when it can.
        failing: Option<Arc<str>>,
    },
    /// A TLS handshake failed; `client` or `vendor`, and why.
    TlsFailed {
        /// Who was on the other side.
        side: &'static str,
        /// Why, from a closed set.
        reason: &'static str,
    },
    /// A reload was tried; the file that was wrong, or empty.
    Reload {
        /// Whether what was read serves now.
        accepted: bool,
        /// The generation that serves.
        generation: u64,
        /// Its digest, shortened.
        digest: Arc<str>,
        /// What was found in the files.
        diagnostics: Arc<[String]>,
    },
    /// A probe ended.
    Probe {
        /// What was probed.
        node: Arc<str>,
        /// `None` when it answered.
        failure: Option<FailureKind>,
    },
    /// A restriction began or ended: one event each, however many calls run into it.
    Restriction {
        /// What is or was not to be asked.
        restriction: Arc<Restriction>,
        /// Whether it began.
        began: bool,
        /// Who says so: `vendor`, `probe`, or an operator by the beginning of the token's digest.
        by: Arc<str>,
    },
    /// A deployment became too expensive for a pool, or is affordable again.
    Surge {
        /// Which, where, and what it costs.
        surge: Arc<Surge>,
        /// Whether it began.
        began: bool,
    },
    /// An operator did something that is not a restriction.
    Operator {
        /// What.
        action: &'static str,
        /// Who, by the beginning of the token's digest.
        by: Arc<str>,
    },
    /// An upstream connection of several streams broke; counted once.
    UpstreamConnectionLost {
        /// Whose call had opened it.
        deployment: Arc<str>,
        /// How it broke.
        class: &'static str,
    },
    /// A vendor's certificate is refused: worth a page, once a minute for a host.
    VendorCertificate {
        /// Who showed it.
        host: Arc<str>,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// The drain began, or ended with so many streams left.
    Drain {
        /// Streams still open.
        left: usize,
        /// Whether it has ended.
        done: bool,
    },
}
