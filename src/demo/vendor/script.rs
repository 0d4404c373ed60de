//! What a simulated vendor is told: how to answer, and when to misbehave.

use super::fault::Fault;
use crate::base::random::Random;
use crate::dialect::Dialect;
use bytes::Bytes;
use rustls::ServerConfig;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What a vendor is from start to end.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The dialect that it speaks.
    pub dialect: Dialect,
    /// Its certificates; plain HTTP without.
    pub tls: Option<Tls>,
    /// Offers HTTP/2 (by ALPN; on plain HTTP it then speaks nothing else).
    pub http2: bool,
    /// The loopback port; 0 for any that is free.
    pub port: u16,
    /// How it answers.
    pub script: Script,
}

impl Setup {
    /// A well-behaved vendor on plain HTTP/1.1.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, tls: None, http2: false, port: 0, script: Script::default() }
    }

    /// The same vendor over TLS.
    #[must_use]
    pub fn tls(mut self, tls: impl Into<Tls>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    /// The same vendor with HTTP/2.
    #[must_use]
    pub const fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// The same vendor on this loopback port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same vendor with another script.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.script = script;
        self
    }
}

/// The certificates of a vendor: a good one, and those that its certificate faults show. Where one is missing, that fault
/// breaks the handshake off.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What it shows when well.
    pub good: Arc<ServerConfig>,
    /// For [`Fault::CertificateExpired`].
    pub expired: Option<Arc<ServerConfig>>,
    /// For [`Fault::CertificateSelfSigned`].
    pub self_signed: Option<Arc<ServerConfig>>,
    /// For [`Fault::CertificateWrongName`].
    pub wrong_name: Option<Arc<ServerConfig>>,
}

impl From<Arc<ServerConfig>> for Tls {
    fn from(good: Arc<ServerConfig>) -> Self {
        Self { good, expired: None, self_signed: None, wrong_name: None }
    }
}

/// How a vendor answers.
#[derive(Clone, Debug)]
pub struct Script {
    /// The model that it reports; the one asked for if `None`.
    pub model: Option<String>,
    /// Which recorded text it begins with.
    pub text: usize,
    /// How many words it says.
    pub words: usize,
    /// The pause before each word of a stream, and before each piece of a replay.
    pub pause: Duration,
    /// The pause before the head of every answer.
    pub thinks: Duration,
    /// After how many words the faults strike that strike after content.
    pub break_after_words: usize,
    /// `Retry-After` of the statuses that may carry one; the recorded header if `None`, none at all if empty.
    pub retry_after: Option<String>,
    /// Further headers of every answer that is good: what is left of a quota, say.
    pub headers: Vec<(String, String)>,
    /// Where [`Fault::Redirect`] leads.
    pub redirect_to: String,
    /// How long [`Fault::SlowFirstContent`] waits.
    pub slow: Duration,
    /// The pause between two pings.
    pub ping_every: Duration,
    /// The pause between two bytes of [`Fault::Drip`].
    pub drip_every: Duration,
    /// The size of what is oversized.
    pub oversize_bytes: usize,
    /// Streams end with the connection, not with a last chunk.
    pub until_close: bool,
    /// Idle connections are closed after this time.
    pub idle_limit: Option<Duration>,
    /// What it does when it is asked for the rest of an answer.
    pub rest: RestManner,
    /// Calls are answered with exactly this, whatever they ask.
    pub replay: Option<Arc<Recording>>,
    /// Calls whose body holds this text are answered with exactly this.
    pub objects_to: Option<(String, Arc<Recording>)>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            model: None,
            text: 0,
            words: 60,
            pause: Duration::ZERO,
            thinks: Duration::ZERO,
            break_after_words: 20,
            retry_after: None,
            headers: Vec::new(),
            redirect_to: "https://169.254.169.254/".to_owned(),
            slow: Duration::from_secs(20),
            ping_every: Duration::from_millis(50),
            drip_every: Duration::from_millis(1),
            oversize_bytes: 40 << 20,
            until_close: false,
            idle_limit: None,
            rest: RestManner::Obey,
            replay: None,
            objects_to: None,
        }
    }
}

/// What a vendor does when it is asked for the rest of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestManner {
    /// Carries a beginning on, and repeats the words that it is told to repeat.
    Obey,
    /// The same, but a beginning of the answer is refused with 400, as the newest models do.
    RefuseBeginning,
    /// Any conversation that does not end with the user's own question is refused with 400.
    RefuseBoth,
    /// Begins anew, whatever it is told.
    Anew,
}

/// An answer to be given as it was recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The status.
    pub status: u16,
    /// The headers; those that frame the body are replaced.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How the body is cut.
    pub cuts: Cuts,
}

/// How a body is cut into chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// One piece, with a declared length.
    Whole,
    /// One byte a chunk.
    EveryByte,
    /// Chunks of these lengths; the rest in one.
    Lengths(Vec<usize>),
}

impl Cuts {
    /// The pieces of `body`.
    pub(super) fn of(&self, mut body: Bytes) -> Vec<Bytes> {
        let lengths: Box<dyn Iterator<Item = usize>> = match self {
            Self::Whole => Box::new(std::iter::empty()),
            Self::EveryByte => Box::new(std::iter::repeat_n(1, body.len())),
            Self::Lengths(lengths) => Box::new(lengths.iter().copied()),
        };
        let mut pieces: Vec<Bytes> = lengths.map(|length| body.split_to(length.min(body.len()))).collect();
        pieces.push(body);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// When a vendor misbehaves.
#[derive(Debug)]
pub(super) enum Schedule {
    /// Always in the same way, or never.
    Steady(Option<Fault>),
    /// The next calls in these ways, then never.
    Queue(VecDeque<Option<Fault>>),
    /// By lot, at a rate between 0 and 1.
    Random { lots: Random, rate: f64, among: Vec<Fault> },
}

/// What the schedule has in store for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lot {
    /// It is met by this fault at once.
    Strike(Fault),
    /// Its first call has drawn its lot already.
    Drawn(Option<Fault>),
    /// Its calls will ask.
    Open,
}

impl Schedule {
    /// Asks on behalf of a new connection.
    pub(super) fn for_connection(&mut self) -> Lot {
        match self {
            Self::Steady(Some(fault)) if fault.strikes_connection() => Lot::Strike(*fault),
            Self::Steady(_) => Lot::Open,
            Self::Queue(queue) => match queue.front() {
                Some(Some(fault)) if fault.strikes_connection() => {
                    let fault = *fault;
                    queue.pop_front();
                    Lot::Strike(fault)
                }
                _ => Lot::Open,
            },
            Self::Random { .. } => match self.draw(true) {
                Some(fault) if fault.strikes_connection() => Lot::Strike(fault),
                drawn => Lot::Drawn(drawn),
            },
        }
    }

    /// Asks on behalf of a request on an established connection. Only what is steady meets requests that are no calls.
    pub(super) fn for_request(&mut self, is_call: bool) -> Option<Fault> {
        match self {
            Self::Steady(fault) => *fault,
            Self::Queue(queue) if is_call => match queue.front() {
                Some(Some(fault)) if fault.strikes_connection() => None,
                _ => queue.pop_front().flatten(),
            },
            Self::Random { .. } if is_call => self.draw(false),
            Self::Queue(_) | Self::Random { .. } => None,
        }
    }

    fn draw(&mut self, new_connection: bool) -> Option<Fault> {
        let Self::Random { lots, rate, among } = self else { return None };
        let fitting: Vec<Fault> =
            among.iter().copied().filter(|fault| new_connection || !fault.strikes_connection()).collect();
        let (strikes, pick) = (lots.unit() < *rate, lots.unit());
        fitting.get((pick * fitting.len() as f64) as usize).copied().filter(|_| strikes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_serves_calls_and_keeps_connection_faults_for_connections() {
        let mut schedule = Schedule::Queue([Some(Fault::Reset), Some(Fault::TlsStall), None].into());
        assert_eq!(schedule.for_connection(), Lot::Open);
        assert_eq!(schedule.for_request(false), None);
        assert_eq!(schedule.for_request(true), Some(Fault::Reset));
        assert_eq!(schedule.for_request(true), None);
        assert_eq!(schedule.for_connection(), Lot::Strike(Fault::TlsStall));
        assert_eq!(schedule.for_request(true), None);
        assert_eq!(schedule.for_connection(), Lot::Open);
    }

    #[test]
    fn chance_keeps_its_rate_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut schedule =
                Schedule::Random { lots: Random::seeded(seed), rate: 0.5, among: Fault::before_content().collect() };
            (0..2_000).map(|_| schedule.for_request(true)).collect::<Vec<_>>()
        };
        let struck = draw(7).iter().flatten().count();
        assert!((900..1_100).contains(&struck), "{struck} of 2000");
        assert_eq!(draw(7), draw(7));
        assert!(draw(7).iter().flatten().all(|fault| !fault.strikes_connection()));
    }

    #[test]
    fn cuts_lose_nothing() {
        let body = Bytes::from_static(b"0123456789");
        for cuts in [Cuts::Whole, Cuts::EveryByte, Cuts::Lengths(vec![3, 0, 4]), Cuts::Lengths(vec![50])] {
            assert_eq!(cuts.of(body.clone()).concat(), body);
        }
    }
}
