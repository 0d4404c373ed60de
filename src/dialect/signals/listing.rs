//! The table for people: the paper for operators is written from it.

use crate::base::failure::FailureKind;
use crate::base::scope::Scope;
use crate::dialect::signals::rows::{GROUPS, SHARED, by_status};
use crate::dialect::signals::rule::{Rule, Statuses};
use crate::dialect::signals::words::Shape;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose line it is, or what kind of line that all vendors share.
    pub of: &'static str,
    /// The statuses that it is for; 0 stands for an error inside a stream. `None`: any; with `any_but_5xx`, any but 5xx.
    pub statuses: Option<&'static [u16]>,
    /// It is not for 5xx.
    pub any_but_5xx: bool,
    /// One of these identifiers must be there, if there are any.
    pub codes: &'static [&'static str],
    /// One of these must be in the words, if there are any.
    pub says: &'static [&'static str],
    /// One of these must be there as well, if there are any.
    pub also: &'static [&'static str],
    /// The vendor must forbid another try and name no wait.
    pub is_final: bool,
    /// What it means.
    pub kind: FailureKind,
    /// Our word for it.
    pub reason: &'static str,
    /// How far it reaches.
    pub scope: Option<Scope>,
}

/// Every line, in the order in which they are asked.
pub fn lines() -> impl Iterator<Item = Line> {
    let own = GROUPS.iter().flat_map(|group| group.rows.iter().map(|rule| line(group.vendor, rule)));
    own.chain(SHARED.iter().flat_map(|(of, rows)| rows.iter().map(|rule| line(of, rule))))
}

/// What a status means where no line holds: the class, and our word for it.
#[must_use]
pub const fn alone(status: u16) -> (FailureKind, &'static str) {
    let verdict = by_status(status, Shape::Empty);
    (verdict.kind, verdict.reason)
}

fn line(of: &'static str, rule: &Rule) -> Line {
    Line {
        of,
        statuses: if let Statuses::Of(statuses) = rule.statuses { Some(statuses) } else { None },
        any_but_5xx: rule.statuses == Statuses::Fault,
        codes: rule.codes,
        says: rule.says,
        also: rule.also,
        is_final: rule.is_final,
        kind: rule.verdict.kind,
        reason: rule.verdict.reason,
        scope: rule.verdict.scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_asks_for_something_and_says_it_in_the_form_that_is_compared() {
        for line in lines() {
            let asks = !line.codes.is_empty() || !line.says.is_empty();
            assert!(asks && !line.reason.is_empty(), "{line:?}");
            for words in line.says.iter().chain(line.also) {
                assert!(words.len() > 4 && words.to_lowercase() == **words && !words.contains('\u{2019}'), "{words}");
            }
        }
    }
}
