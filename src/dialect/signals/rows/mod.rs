//! The table: what each vendor's error means, as lines that are asked from the top.
//!
//! The lines of the profile come first, then those of vendors that the shape of the body gives away, then what all share:
//! identifiers, sentences, looser identifiers. What no line knows is read by its status. `docs/signals.md` shows all of them.

mod bedrock;
mod google;
mod loose;
mod sentences;
mod status;
mod vendors;

pub(super) use status::{by_status, usual_status};

use super::rule::{Group, Rule};
use super::words::Shape;
use crate::dialect::openai_chat;
use crate::dialect::profile::Profile;

/// The reason of the one code that means money at some vendors and throttling at others; the profile decides.
pub(in crate::dialect) const INSUFFICIENT_QUOTA: &str = "insufficient_quota";

/// The reason where a vendor does not take thoughts back that it did not seal itself, or misses its own.
pub const FOREIGN_SEAL: &str = "foreign_seal";

/// What all vendors share: identifiers, sentences, and identifiers that say little.
pub(in crate::dialect) const SHARED: [(&str, &[Rule]); 3] = [
    ("identifiers", openai_chat::signals::RULES),
    ("sentences", sentences::RULES),
    ("looser identifiers", loose::RULES),
];

/// The lines of single vendors.
pub(in crate::dialect) const GROUPS: &[Group] = vendors::GROUPS;

/// Every line for an answer, in the order in which they are asked.
pub(super) fn asked(profile: &Profile, shape: Shape) -> impl Iterator<Item = &'static Rule> {
    let name = profile.name;
    let own = GROUPS.iter().filter(move |group| group.profiles.contains(&name));
    let told = GROUPS.iter().filter(move |group| !group.profiles.contains(&name) && group.shapes.contains(&shape));
    let dialect = profile.dialect.grammar().signals;
    dialect.iter().chain(own.chain(told).flat_map(|group| group.rows)).chain(SHARED.iter().flat_map(|(_, rows)| *rows))
}
