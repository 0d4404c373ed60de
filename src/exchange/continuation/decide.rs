//! Whether a stream that broke may be carried on, and how a candidate is asked for the rest. Pure: all it needs is told.

use crate::base::failure::{FailureKind, NextStep};
use crate::call::needs::{Capabilities, Need, Needs};
use crate::dialect::Dialect;
use crate::dialect::profile::Profile;
use crate::exchange::continuation::delivered::Delivered;
use crate::exchange::continuation::seam;
use crate::snapshot::pool::Pool;

/// How often one stream is carried on.
pub(crate) const MOST_SEAMS: usize = 2;

/// What the answer must not be, for its rest to come from another model: its form or its numbers would not hold together.
const UNSAFE: Needs =
    Needs::of(&[Need::JsonSchema, Need::JsonObject, Need::Choices, Need::Logprobs, Need::Audio, Need::HostedTools]);

/// How a candidate is asked for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// What was delivered is the beginning of its answer, which it carries on.
    Prefill,
    /// The same, at a vendor whose answer begins with what it was given.
    Prefix,
    /// It is told to begin with the last delivered words and to go on from there.
    Repeat,
    /// The call as it was; the answer has to begin with all that was delivered.
    Fresh,
}

/// Whether streams of such a call may be carried on at all. What may not is left alone from its first byte, and costs nothing.
pub(crate) fn is_open(pool: &Pool, fallback: bool, client: Dialect, needs: Needs) -> bool {
    pool.continuation
        && fallback
        && pool.deployments().nth(1).is_some()
        && Dialect::CONVERSING.contains(&client)
        && needs.minus(UNSAFE) == needs
}

/// Whether a stream that broke so is carried on.
///
/// # Errors
/// Why it ends honestly instead, in a word for the record.
pub(crate) fn may_carry_on(delivered: &Delivered, seams: usize, failure: FailureKind) -> Result<(), &'static str> {
    if let Some(obstacle) = delivered.obstacle() {
        return Err(obstacle);
    }
    if seams >= MOST_SEAMS {
        return Err("carried_on_twice");
    }
    match failure.next_step() {
        NextStep::Resend | NextStep::Move | NextStep::MoveOrResend | NextStep::RetryOrMove => Ok(()),
        // another deployment would say the same, or there is nobody left to answer
        NextStep::Answer | NextStep::Stop => Err("final_failure"),
    }
}

/// How a candidate is asked first. `begun` is how it takes a beginning of its answer, where it takes one; `thinks` says that it
/// thinks before it answers, with which vendors take none.
pub(crate) fn manner(delivered: &str, begun: Option<Manner>, thinks: bool) -> Manner {
    match (delivered.trim(), begun) {
        ("", _) => Manner::Fresh,
        (_, Some(begun)) if !thinks => begun,
        (_, Some(_) | None) => without_prefill(delivered),
    }
}

/// How a vendor takes the beginning of an answer; `None` where it takes none.
pub(crate) fn begun(profile: &Profile, capabilities: Capabilities) -> Option<Manner> {
    if capabilities.has(Need::Prefill) {
        return Some(Manner::Prefill);
    }
    profile.quirks.prefix.then_some(Manner::Prefix)
}

/// How a candidate is asked next that found fault with being asked so; `None` when there is no other way.
pub(crate) fn otherwise(refused: Manner, delivered: &str) -> Option<Manner> {
    match refused {
        Manner::Prefill | Manner::Prefix => Some(without_prefill(delivered)),
        Manner::Repeat => Some(Manner::Fresh),
        Manner::Fresh => None,
    }
}

fn without_prefill(delivered: &str) -> Manner {
    if seam::tail(delivered).is_some() { Manner::Repeat } else { Manner::Fresh }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::delta::Delta;
    use crate::dialect::profile::compatible::MISTRAL;
    use crate::dialect::profile::{ANTHROPIC, OPENAI};

    #[test]
    fn candidates_are_asked_as_they_can_be() {
        let said = "The old harbour lies behind two low hills";
        let check = |delivered: &str, begun, thinks, expected| {
            assert_eq!(manner(delivered, begun, thinks), expected, "{delivered:?} {begun:?} {thinks}");
        };
        check(said, Some(Manner::Prefill), false, Manner::Prefill);
        check(said, Some(Manner::Prefix), false, Manner::Prefix);
        check(said, Some(Manner::Prefill), true, Manner::Repeat);
        check(said, None, false, Manner::Repeat);
        check(" \n", Some(Manner::Prefill), false, Manner::Fresh);
        check(&"la ".repeat(2_000), None, false, Manner::Fresh);
        let begun = |profile: &Profile| begun(profile, profile.capabilities);
        assert_eq!([&ANTHROPIC, &MISTRAL, &OPENAI].map(begun), [Some(Manner::Prefill), Some(Manner::Prefix), None]);
    }

    #[test]
    fn a_refused_manner_leads_to_the_next_and_at_last_to_none() {
        let said = "The old harbour lies behind two low hills";
        assert_eq!(otherwise(Manner::Prefill, said), Some(Manner::Repeat));
        assert_eq!(otherwise(Manner::Prefix, said), Some(Manner::Repeat));
        assert_eq!(otherwise(Manner::Repeat, said), Some(Manner::Fresh));
        assert_eq!(otherwise(Manner::Fresh, said), None);
        assert_eq!(otherwise(Manner::Prefill, &"la ".repeat(2_000)), Some(Manner::Fresh));
    }

    #[test]
    fn what_is_not_safe_ends_honestly() {
        let after = |delta: Delta<'_>| {
            let mut delivered = Delivered::default();
            delivered.note(&Delta::Text("Some words"));
            delivered.note(&delta);
            delivered
        };
        let check = |delta: Delta<'_>, seams, kind, expected| {
            let case = format!("{delta:?} {seams} {kind:?}");
            assert_eq!(may_carry_on(&after(delta), seams, kind), expected, "{case}");
        };
        let text = || Delta::Text("more");
        check(text(), 0, FailureKind::Truncated, Ok(()));
        check(text(), 1, FailureKind::Recalled, Ok(()));
        check(text(), 2, FailureKind::Truncated, Err("carried_on_twice"));
        check(text(), 0, FailureKind::ContentFilter, Err("final_failure"));
        check(Delta::Thinking("hm"), 0, FailureKind::StreamIdle, Ok(()));
        check(Delta::Signature("s"), 0, FailureKind::StreamIdle, Err("signed_reasoning"));
        check(Delta::RedactedThinking("s"), 0, FailureKind::StreamIdle, Err("signed_reasoning"));
        check(Delta::ToolCall { index: 0, id: "a", name: "f" }, 0, FailureKind::Truncated, Err("tool_call"));
        check(Delta::Refusal("no"), 0, FailureKind::Truncated, Err("refusal"));
        let long = "x".repeat(70_000);
        check(Delta::Text(&long), 0, FailureKind::Truncated, Err("too_long"));
    }
}
