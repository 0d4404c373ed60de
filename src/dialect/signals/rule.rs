//! One line of the table, how it is written, and when it holds.

use crate::base::failure::FailureKind;
use crate::base::scope::Scope;
use crate::dialect::signals::words::{Shape, Words};

/// What a line of the table says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Verdict {
    /// The class.
    pub kind: FailureKind,
    /// Our word for it.
    pub reason: &'static str,
    /// How far it reaches.
    pub scope: Option<Scope>,
}

impl Verdict {
    pub(super) const fn new(kind: FailureKind, reason: &'static str) -> Self {
        Self { kind, reason, scope: kind.scope() }
    }
}

/// Which statuses a line is for. Inside a stream there is none, and it stands as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Statuses {
    /// Any.
    Any,
    /// Any but 5xx: the vendor finds fault.
    Fault,
    /// These.
    Of(&'static [u16]),
}

/// One line of the table: all that it asks for must hold, and the first line that holds decides.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect) struct Rule {
    /// The statuses it is for.
    pub statuses: Statuses,
    /// One of these identifiers must be there: type, code, inner code or reason, whatever its case and its separators.
    pub codes: &'static [&'static str],
    /// One of these must be in the words, in lower case.
    pub says: &'static [&'static str],
    /// One of these must be there as well.
    pub also: &'static [&'static str],
    /// The vendor must say that trying again does not help, and name no time.
    pub is_final: bool,
    /// What it means.
    pub verdict: Verdict,
}

/// What a line is held against.
pub(super) struct Seen<'a> {
    pub(super) status: u16,
    pub(super) words: &'a Words,
    /// What the words say, in lower case.
    pub(super) said: &'a str,
    /// Whether the vendor says that trying again does not help, and names no time.
    pub(super) is_final: bool,
}

const ANYTHING: Rule = Rule {
    statuses: Statuses::Any,
    codes: &[],
    says: &[],
    also: &[],
    is_final: false,
    verdict: Verdict::new(FailureKind::BadRequest, ""),
};

impl Rule {
    /// A line on identifiers, at any status.
    pub(in crate::dialect) const fn code(
        codes: &'static [&'static str],
        kind: FailureKind,
        reason: &'static str,
    ) -> Self {
        Self { codes, verdict: Verdict::new(kind, reason), ..ANYTHING }
    }

    /// A line on words, at any status but 5xx.
    pub(in crate::dialect) const fn says(
        says: &'static [&'static str],
        kind: FailureKind,
        reason: &'static str,
    ) -> Self {
        Self { statuses: Statuses::Fault, says, verdict: Verdict::new(kind, reason), ..ANYTHING }
    }

    /// ... at these statuses alone.
    pub(in crate::dialect) const fn at(self, statuses: &'static [u16]) -> Self {
        Self { statuses: Statuses::Of(statuses), ..self }
    }

    /// ... at any status.
    pub(in crate::dialect) const fn always(self) -> Self {
        Self { statuses: Statuses::Any, ..self }
    }

    /// ... with words of these beside it.
    pub(in crate::dialect) const fn and(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// ... and the vendor says that trying again does not help, and names no time.
    pub(in crate::dialect) const fn finally(self) -> Self {
        Self { is_final: true, ..self }
    }

    /// ... and reaches this far.
    pub(in crate::dialect) const fn within(self, scope: Scope) -> Self {
        Self { verdict: Verdict { scope: Some(scope), ..self.verdict }, ..self }
    }

    /// ... and reaches no further than this attempt.
    pub(in crate::dialect) const fn only_now(self) -> Self {
        Self { verdict: Verdict { scope: None, ..self.verdict }, ..self }
    }

    /// Whether all that it asks for holds.
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        let status = match self.statuses {
            Statuses::Any => true,
            Statuses::Fault => seen.status < 500,
            Statuses::Of(statuses) => statuses.contains(&seen.status),
        };
        let says = |words: &[&str]| words.is_empty() || words.iter().any(|word| seen.said.contains(word));
        let coded = |code: &&str| seen.words.marks.iter().any(|mark| same(mark, code));
        status
            && (!self.is_final || seen.is_final)
            && (self.codes.is_empty() || self.codes.iter().any(coded))
            && says(self.says)
            && says(self.also)
    }
}

/// Whether an identifier is this one, or one of its kind: `RateLimitExceeded.EndpointRPM` is a `rate_limit_exceeded`.
fn same(mark: &str, code: &str) -> bool {
    let eq = |mark: &str| letters(mark).eq(letters(code));
    eq(mark) || mark.split_once('.').is_some_and(|(head, _)| eq(head))
}

fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// The lines of one vendor, which are asked before those that all share.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect) struct Group {
    /// Whose they are.
    pub vendor: &'static str,
    /// The profiles that they are for.
    pub profiles: &'static [&'static str],
    /// The shapes of a body that tell the vendor, whatever the profile.
    pub shapes: &'static [Shape],
    /// The lines.
    pub rows: &'static [Rule],
}
