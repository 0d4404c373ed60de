//! What goes wrong with a vendor, and what its client must see of it.

use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;

/// What a client must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    /// One whole answer by the primary, which is asked once.
    Primary,
    /// One whole answer, by the primary asked again or by the fallback.
    Either,
    /// One whole answer by the fallback.
    Fallback,
    /// The primary's own words about the call, in the client's dialect, and nobody else is asked.
    Verdict,
    /// A beginning and an honest end; in a pool that carries streams on, one whole answer.
    Break,
    /// The same, or one whole answer by the fallback: whether anything has gone out is up to how the bytes arrive.
    Honest,
    /// An honest refusal with this status: nobody is left.
    Refusal(u16),
}

use Must::{Break, Either, Fallback, Primary, Verdict};

/// A fault of the primary, for ever or once, what a client of a stream must see of it, and what one that asks for the whole.
pub(super) struct Row {
    pub(super) fault: Fault,
    pub(super) once: bool,
    pub(super) streamed: Must,
    pub(super) whole: Must,
    /// The vendor's own words decide, so that every vendor's way of saying them counts.
    pub(super) spoken: bool,
}

const fn row(fault: Fault, streamed: Must, whole: Must) -> Row {
    Row { fault, once: false, streamed, whole, spoken: false }
}

const fn spoken(fault: Fault, streamed: Must, whole: Must) -> Row {
    Row { fault, once: false, streamed, whole, spoken: true }
}

const fn once(fault: Fault) -> Row {
    Row { fault, once: true, streamed: Either, whole: Either, spoken: true }
}

pub(super) const ROWS: &[Row] = &[
    row(Fault::Refuse, Fallback, Fallback),
    row(Fault::Blackhole, Fallback, Fallback),
    row(Fault::ResetOnAccept, Fallback, Fallback),
    row(Fault::Reset, Fallback, Fallback),
    row(Fault::Close, Fallback, Fallback),
    row(Fault::Silence, Fallback, Fallback),
    row(Fault::HeadersThenSilence, Fallback, Fallback),
    row(Fault::PingsFirst, Fallback, Fallback),
    row(Fault::SlowFirstContent, Fallback, Fallback),
    row(Fault::Garbage, Fallback, Fallback),
    row(Fault::BadEncoding, Fallback, Fallback),
    row(Fault::Html, Fallback, Fallback),
    row(Fault::EmptyBody, Fallback, Fallback),
    row(Fault::EmptyObject, Fallback, Fallback),
    row(Fault::EmptyStream, Fallback, Fallback),
    row(Fault::TruncatedLength, Fallback, Fallback),
    row(Fault::TruncatedJson, Fallback, Fallback),
    row(Fault::Redirect, Fallback, Fallback),
    row(Fault::LengthAndChunked, Fallback, Fallback),
    row(Fault::ConflictingLengths, Fallback, Fallback),
    row(Fault::InterimStorm, Fallback, Fallback),
    row(Fault::JsonBomb, Fallback, Fallback),
    row(Fault::Oversize, Fallback, Fallback),
    spoken(Fault::Status500, Fallback, Fallback),
    spoken(Fault::Status502, Fallback, Fallback),
    spoken(Fault::Status503, Fallback, Fallback),
    spoken(Fault::Status529, Fallback, Fallback),
    spoken(Fault::Status429, Fallback, Fallback),
    spoken(Fault::Status401, Fallback, Fallback),
    spoken(Fault::Status403, Fallback, Fallback),
    spoken(Fault::Status404, Fallback, Fallback),
    spoken(Fault::Quota, Fallback, Fallback),
    spoken(Fault::RegionDenied, Fallback, Fallback),
    spoken(Fault::ErrorFirst, Fallback, Fallback),
    spoken(Fault::ErrorFirstSplit, Fallback, Fallback),
    spoken(Fault::ContextLength, Fallback, Fallback),
    spoken(Fault::ContentPolicy, Verdict, Verdict),
    spoken(Fault::Status400, Verdict, Verdict),
    once(Fault::Status429),
    once(Fault::Status500),
    once(Fault::Reset),
    row(Fault::ExtraResponse, Primary, Primary),
    row(Fault::StrayHeaders, Primary, Primary),
    row(Fault::StaleKeepAlive, Primary, Primary),
    row(Fault::ConnectionClose, Primary, Primary),
    row(Fault::Drip, Primary, Primary),
    spoken(Fault::CutReset, Break, Fallback),
    spoken(Fault::CutClose, Break, Fallback),
    row(Fault::Stall, Break, Fallback),
    row(Fault::PingsOnly, Break, Fallback),
    spoken(Fault::ErrorAfterContent, Break, Primary),
    row(Fault::TerminatorOnly, Break, Primary),
    row(Fault::FinishCut, Break, Primary),
    row(Fault::OversizeEvent, Break, Primary),
    row(Fault::NoTerminator, Primary, Primary),
    row(Fault::TerminatorWithheld, Primary, Primary),
    row(Fault::TerminatorCut, Primary, Primary),
    row(Fault::TwoTerminators, Primary, Primary),
    row(Fault::MalformedEvent, Primary, Primary),
];

impl Row {
    /// Whether a stream of this dialect can go wrong in this way: it has a terminator that is an event of its own.
    pub(super) fn befalls(&self, primary: Dialect) -> bool {
        match primary {
            Dialect::Gemini => self.fault != Fault::TwoTerminators,
            Dialect::OpenaiResponses => self.fault != Fault::TerminatorOnly,
            _ => true,
        }
    }

    /// What a client must see where the primary speaks this dialect.
    pub(super) fn must(&self, primary: Dialect, streamed: bool, continues: bool) -> Must {
        if !streamed {
            return self.whole;
        }
        match (self.fault, primary) {
            // the last event of a response is its end, and holds all of it
            (Fault::NoTerminator | Fault::TerminatorWithheld | Fault::TerminatorCut, Dialect::OpenaiResponses) => Break,
            // behind a frame that cannot be read nothing can
            (Fault::MalformedEvent, Dialect::Bedrock) => Break,
            // what was lost another one can say
            (Fault::MalformedEvent, _) if continues => Break,
            _ => self.streamed,
        }
    }
}

/// A fault that primary and fallback share, and the status of the refusal.
pub(super) const SPENT: &[(Fault, u16)] = &[
    (Fault::Refuse, 503),
    (Fault::Reset, 503),
    (Fault::Silence, 503),
    (Fault::Garbage, 502),
    (Fault::BadEncoding, 502),
    (Fault::Html, 502),
    (Fault::EmptyObject, 502),
    (Fault::TruncatedLength, 502),
    (Fault::Redirect, 502),
    (Fault::Oversize, 502),
    (Fault::Status500, 503),
    (Fault::Status503, 503),
    (Fault::Status429, 429),
    (Fault::Status401, 503),
    (Fault::Status404, 503),
    (Fault::ErrorFirst, 503),
    (Fault::ContextLength, 400),
    (Fault::CutClose, 502),
    (Fault::ErrorAfterContent, 200),
];

/// Whether a fault takes its time, and the machine has none of it.
pub(super) fn waits(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Blackhole
            | Fault::Silence
            | Fault::HeadersThenSilence
            | Fault::PingsFirst
            | Fault::SlowFirstContent
            | Fault::Stall
            | Fault::PingsOnly
            | Fault::TerminatorWithheld
            | Fault::Reset
            | Fault::Close
            | Fault::Status429
            | Fault::Status500
            | Fault::Status502
    )
}
