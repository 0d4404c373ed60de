//! What an attempt is charged with: by the vendor's count where there is one, else by what may have been worked.

use crate::base::event::Counted;
use crate::base::money::Microusd;
use crate::base::tokens::Tokens;
use crate::call::usage::Usage;
use crate::exchange::admit::Size;
use crate::snapshot::deployment::Deployment;

/// A count above this is nonsense: no model takes or gives so much in one answer.
const MOST_TOKENS: u64 = 100_000_000;
/// Bytes of text that one token stands for, about.
const TOKEN_BYTES: u64 = 4;

/// What is known of an attempt's work when it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// How it ended.
    pub(crate) end: End,
    /// The vendor's count, as far as it came.
    pub(crate) usage: Option<Usage>,
    /// What was seen of the answer.
    pub(crate) heard: Heard,
    /// What the call was taken for before it was sent.
    pub(crate) size: Size,
    /// The moment whose prices are the call's, in seconds since 1970.
    pub(crate) at: i64,
}

/// How an attempt ended, as far as its bill goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The vendor cannot have worked on it, answered with an error, or does this work for nothing.
    Free,
    /// The answer is whole.
    Whole,
    /// It was broken off, and the vendor is known to stop when it is left.
    Left,
    /// It was broken off: the vendor may have worked on to the end.
    Broken,
}

/// What an attempt is charged with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    pub(crate) tokens: Option<Tokens>,
    pub(crate) counted: Counted,
    /// `None` where the price is unknown.
    pub(crate) cost: Option<Microusd>,
}

/// The bill for an attempt for which `reserved` was held back.
///
/// A count that stops half-way is no reason to charge less than what was held back: the vendor goes on counting.
pub(crate) fn bill(deployment: &Deployment, work: &Work, reserved: Microusd) -> Bill {
    let counted = work.usage.filter(is_plausible);
    let cost = |usage: &Usage| deployment.rates.cost(usage, work.at);
    let at_least = |usage: Usage| cost(&usage).map(|cost| cost.max(reserved));
    match (work.end, counted) {
        (End::Free, _) => Bill { cost: Some(Microusd::default()), ..Bill::default() },
        (End::Whole, Some(usage)) => Bill { tokens: Some(usage.into()), counted: Counted::Vendor, cost: cost(&usage) },
        (End::Whole | End::Left, None) => {
            let usage = estimated(work);
            Bill { tokens: Some(usage.into()), counted: Counted::Estimated, cost: cost(&usage) }
        }
        (End::Left, Some(usage)) => {
            let usage = with_heard(usage, work.heard);
            Bill { tokens: Some(usage.into()), counted: Counted::Incomplete, cost: cost(&usage) }
        }
        (End::Broken, counted) => {
            let usage = counted.map_or_else(|| estimated(work), |usage| with_heard(usage, work.heard));
            let source = if counted.is_some() { Counted::Incomplete } else { Counted::Estimated };
            Bill { tokens: Some(usage.into()), counted: source, cost: at_least(usage) }
        }
    }
}

/// Vendors have told counts of nothing for answers that were there, and counts beyond any sense.
fn is_plausible(usage: &Usage) -> bool {
    (1..MOST_TOKENS).contains(&usage.input().saturating_add(usage.output))
}

fn estimated(work: &Work) -> Usage {
    Usage { fresh: work.size.input_tokens, output: work.heard.tokens(), ..Usage::default() }
}

/// A count that stops half-way, with at least what was seen of the answer.
pub(crate) fn with_heard(usage: Usage, heard: Heard) -> Usage {
    Usage { output: usage.output.max(heard.tokens()), ..usage }
}

/// How much of an answer was seen, where nobody has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    events: u64,
    bytes: u64,
    shortest: u64,
    skipped: u32,
}

impl Heard {
    /// Text of so many bytes, without a frame around it.
    pub(crate) const fn text(bytes: u64) -> Self {
        Self { events: 0, bytes, shortest: 0, skipped: 0 }
    }

    /// An event that bore content came, with so many bytes of data.
    pub(crate) fn event(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.shortest = if self.events == 0 { bytes } else { self.shortest.min(bytes) };
        self.events += 1;
        self.bytes += bytes;
    }

    /// An event came that was no JSON, and was left out.
    pub(crate) const fn skip(&mut self) {
        self.skipped += 1;
    }

    /// How many events were left out.
    pub(crate) const fn skipped(self) -> u32 {
        self.skipped
    }

    /// About how many tokens that is: one for each event, and what an event has beyond the shortest one is text.
    pub(crate) const fn tokens(self) -> u64 {
        let text = self.bytes.saturating_sub(self.events.saturating_mul(self.shortest));
        self.events + text.div_ceil(TOKEN_BYTES)
    }
}
