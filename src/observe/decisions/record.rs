//! One record of the decision log: what was decided and on what grounds, and nothing of what was said.

use crate::base::event::{AttemptRecord, Considered, Event, ExchangeRecord, Outcome};
use crate::base::rejection::Refusal;
use crate::base::restriction::Restriction;
use crate::observe::decisions::keys::Keys;
use crate::observe::json::{Object, string};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What is recorded.
pub(super) enum What {
    /// An exchange ended.
    Exchange(Arc<ExchangeRecord>),
    /// Something else that an auditor asks about: a restriction, an operator's act, a reload, the drain.
    Event(Event),
    /// The log was opened.
    Opened(Opened),
    /// So many records could not be kept.
    Lost(u64),
}

/// How the log was found when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    /// Bytes of a record that was being written when the process ended; they were set aside.
    pub(super) torn_bytes: usize,
    /// What is wrong with the log before, which this one does not go on from.
    pub(super) broken: Option<String>,
}

/// What is recorded, and when it was.
pub(super) struct Entry {
    /// By the wall clock, for people.
    pub(super) time: Timestamp,
    /// By the monotonic clock, since the process began.
    pub(super) since_start: Duration,
    pub(super) what: What,
}

/// Appends the record, without a line feed.
pub(super) fn write(out: &mut Vec<u8>, seq: u64, prev: &str, entry: &Entry, keys: &Keys) {
    let mut line = Object::begin(out);
    line.number("seq", seq);
    line.string("prev", prev);
    line.shown("time", format_args!("\"{:.3}\"", entry.time));
    line.milliseconds("since_start_ms", entry.since_start);
    match &entry.what {
        What::Exchange(record) => exchange(&mut line, record, keys),
        What::Event(event) => other(&mut line, event),
        What::Opened(opened) => {
            line.string("kind", "opened");
            line.string("version", env!("CARGO_PKG_VERSION"));
            line.shown("torn_bytes", opened.torn_bytes);
            line.optional_string("broken", opened.broken.as_deref());
        }
        What::Lost(records) => {
            line.string("kind", "gap");
            line.shown("lost_records", records);
        }
    }
    line.end();
}

fn exchange(line: &mut Object<'_>, record: &ExchangeRecord, keys: &Keys) {
    let grounds = &record.grounds;
    line.string("kind", "exchange");
    line.string("request_id", &record.request_id);
    let key = (!record.key.is_empty()).then(|| keys.key(&record.key));
    line.optional_string("key", key.as_deref());
    let subject = grounds.subject.as_ref().map(|name| keys.subject(name));
    line.optional_string("subject", subject.as_deref());
    line.list("data", &grounds.data, |out, class| string(out, class));
    line.string("residency", &grounds.residency);
    line.string("dialect", record.dialect);
    line.string("pool", &record.pool);
    line.string("policy", &record.policy);
    line.list("considered", &grounds.considered, considered);
    line.list("attempts", &record.attempts, attempt);
    line.optional_string("served_by", record.served_by.as_deref());
    line.string("outcome", record.outcome.label());
    if let Outcome::ClientGone(phase) = record.outcome {
        line.string("phase", phase.label());
    }
    line.number("status", record.status);
    if let Some(tokens) = record.tokens {
        line.object("tokens", |line| {
            line.number("input", tokens.input);
            line.number("cached", tokens.cached);
            line.number("cache_written", tokens.cache_written);
            line.number("output", tokens.output);
            line.number("reasoning", tokens.reasoning);
        });
    }
    if let Some(cost) = record.cost {
        line.decimal("cost_usd", &cost.dollars());
    }
    line.milliseconds("ms", record.took);
}

fn considered(out: &mut Vec<u8>, one: &Considered) {
    let mut line = Object::begin(out);
    line.string("deployment", &one.deployment);
    line.optional_string("refused", one.refusal.as_ref().map(Refusal::code));
    match &one.refusal {
        Some(Refusal::Policy(rules)) => line.list("rules", rules, |out, rule| string(out, rule)),
        Some(Refusal::Capability(need)) => line.string("need", need),
        Some(Refusal::Restricted { cause, id }) => {
            line.string("cause", cause);
            line.string("restriction", id);
        }
        Some(Refusal::Budget { cause, account, .. }) => {
            line.string("cause", cause);
            // names of keys are hashed in this log
            line.string("of", account.split('/').next().unwrap_or_default());
        }
        Some(
            Refusal::Breaker { .. }
            | Refusal::Resting { .. }
            | Refusal::Headroom { .. }
            | Refusal::Full
            | Refusal::Price
            | Refusal::Surge,
        )
        | None => {}
    }
    line.end();
}

fn attempt(out: &mut Vec<u8>, attempt: &AttemptRecord) {
    let whom = &attempt.whom;
    let mut line = Object::begin(out);
    line.string("deployment", &attempt.deployment);
    line.string("vendor", &whom.vendor);
    line.string("seat", &whom.seat);
    line.string("region_declared", &whom.region);
    line.optional_string("region_observed", whom.observed.as_deref());
    line.string("transfer", whom.transfer);
    line.string("class", attempt.failure.map_or("ok", |kind| kind.class()));
    if !attempt.reason.is_empty() {
        line.string("reason", &attempt.reason);
    }
    line.number("status", attempt.status);
    line.milliseconds("ms", attempt.took);
    if attempt.hedge {
        line.flag("hedge", true);
    }
    line.flag("maybe_billed", attempt.maybe_billed);
    line.end();
}

fn other(line: &mut Object<'_>, event: &Event) {
    match event {
        Event::Restriction { restriction, began, by } => restricted(line, restriction, *began, by),
        Event::Operator { action, by } => {
            line.string("kind", "operator");
            line.string("action", action);
            line.string("by", by);
        }
        Event::Reload { accepted, generation, digest, .. } => {
            line.string("kind", "reload");
            line.shown("accepted", accepted);
            line.shown("generation", generation);
            line.string("digest", digest);
        }
        Event::Drain { left, done } => {
            line.string("kind", "drain");
            line.shown("done", done);
            line.shown("left", left);
        }
        _ => line.string("kind", "other"),
    }
}

fn restricted(line: &mut Object<'_>, restriction: &Restriction, began: bool, by: &str) {
    line.string("kind", if began { "restricted" } else { "released" });
    line.string("id", &restriction.id);
    line.string("cause", restriction.cause.label());
    line.object("reach", |line| {
        restriction.reach.parts().for_each(|(name, part)| line.string(name, part));
    });
    line.string("reason", &restriction.reason);
    line.string("by", by);
}
