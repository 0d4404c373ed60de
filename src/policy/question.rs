//! A decision's question in a few words: what it is memoised under.

use crate::call::needs::Need;
use crate::policy::ask::Ask;
use cedar_policy::Policy;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Most data classes that a config may know: they are kept as bits.
pub const MAX_DATA_CLASSES: usize = 64;

/// What is asked about a call, with everything left out that no loaded policy reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    key_and_deployment: u64,
    data: u64,
    residency_depth_and_flags: u64,
    attempt_and_hour: u64,
    estimated_cost: u64,
}

impl Question {
    /// What it says of the call alone, whoever calls and whichever deployment is meant.
    pub(super) const fn of_call(self) -> Self {
        Self { key_and_deployment: 0, ..self }
    }
}

/// The attributes of `context` that loaded policies read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) data: bool,
    pub(super) residency: bool,
    pub(super) screened: bool,
    pub(super) stores: bool,
    pub(super) hosted_tools: bool,
    pub(super) attempt: bool,
    pub(super) depth: bool,
    pub(super) estimated_cost: bool,
    pub(super) hour: bool,
}

impl Reads {
    const EVERYTHING: Self = Self {
        data: true,
        residency: true,
        screened: true,
        stores: true,
        hosted_tools: true,
        attempt: true,
        depth: true,
        estimated_cost: true,
        hour: true,
    };

    /// What these policies read; everything where that cannot be told.
    pub(super) fn of<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Self {
        let mut reads = Self::default();
        for policy in policies {
            match policy.to_json() {
                Ok(json) => reads.note(&json),
                Err(_) => return Self::EVERYTHING,
            }
        }
        reads
    }

    /// Notes `context.NAME` wherever it occurs in Cedar's JSON form of a policy, and `context` alone as everything.
    fn note(&mut self, json: &Value) {
        match json {
            Value::Object(members) => {
                if let Some(name) = context_attribute(members) {
                    self.note_attribute(name);
                    return;
                }
                if members.get("Var").is_some_and(|variable| variable == "context") {
                    *self = Self::EVERYTHING;
                }
                members.values().for_each(|member| self.note(member));
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn note_attribute(&mut self, name: &str) {
        match name {
            "data" => self.data = true,
            "residency" => self.residency = true,
            "screened" => self.screened = true,
            "stores" => self.stores = true,
            "hosted_tools" => self.hosted_tools = true,
            "attempt" => self.attempt = true,
            "depth" => self.depth = true,
            "estimated_cost" => self.estimated_cost = true,
            "hour" => self.hour = true,
            _ => *self = Self::EVERYTHING,
        }
    }
}

/// The attribute of `{ ".": { "left": { "Var": "context" }, "attr": NAME } }`.
fn context_attribute(members: &serde_json::Map<String, Value>) -> Option<&str> {
    let access = members.get(".").filter(|_| members.len() == 1)?;
    let variable = access.get("left")?.get("Var")?;
    if variable == "context" { access.get("attr")?.as_str() } else { None }
}

/// The words of asks as numbers.
#[derive(Debug, Default)]
pub(super) struct Words {
    data: HashMap<Arc<str>, u32, BuildHasherDefault<QuickHasher>>,
    zones: HashMap<Arc<str>, u16, BuildHasherDefault<QuickHasher>>,
}

impl Words {
    pub(super) fn new<'a>(data: impl Iterator<Item = &'a str>, zones: impl Iterator<Item = &'a str>) -> Self {
        Self {
            data: (0..).zip(data).map(|(number, word)| (Arc::from(word), number)).collect(),
            zones: (0..).zip(zones).map(|(number, word)| (Arc::from(word), number)).collect(),
        }
    }

    /// The question that an ask makes; `None` when it holds a word that nobody knows.
    pub(super) fn question(
        &self,
        key: usize,
        deployment: usize,
        ask: &Ask,
        cost: u64,
        reads: Reads,
    ) -> Option<Question> {
        let mut data = 0;
        for class in &ask.data {
            data |= 1_u64.checked_shl(*self.data.get(class)?)?;
        }
        let zone = u64::from(*self.zones.get(&ask.residency)?);
        let read = |is_read: bool, value: u64| if is_read { value } else { 0 };
        let screened = read(reads.screened, u64::from(ask.screened));
        let stores = read(reads.stores, u64::from(ask.needs.has(Need::Stores)));
        let hosted = read(reads.hosted_tools, u64::from(hosts_tools(ask)));
        let depth = read(reads.depth, u64::from(ask.depth));
        let attempt = read(reads.attempt, u64::from(ask.attempt));
        let hour = read(reads.hour, u64::from(ask.hour));
        Some(Question {
            key_and_deployment: (key as u64) << 32 | deployment as u64,
            data: read(reads.data, data),
            residency_depth_and_flags: read(reads.residency, zone) << 48
                | depth << 3
                | screened << 2
                | stores << 1
                | hosted,
            attempt_and_hour: attempt << 32 | hour,
            estimated_cost: read(reads.estimated_cost, cost_bucket(cost)),
        })
    }
}

/// Whether a call makes the vendor act or keep something: tools that it runs, ids of what it holds.
pub(super) fn hosts_tools(ask: &Ask) -> bool {
    ask.needs.has(Need::HostedTools) || ask.needs.has(Need::ServerIds)
}

/// The cost rounded up to three significant binary digits, so that similar calls share a decision.
pub(super) const fn cost_bucket(microusd: u64) -> u64 {
    let digits = u64::BITS - microusd.leading_zeros();
    if digits <= 3 {
        return microusd;
    }
    let step = 1 << (digits - 3);
    microusd.div_ceil(step).saturating_mul(step)
}

/// A hasher for few short words and for numbers that clients cannot choose freely.
#[derive(Debug, Default)]
pub(super) struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // the multiplier is 2^64 divided by the golden ratio, made odd: it spreads neighbouring numbers
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn reads(condition: &str) -> Reads {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        Reads::of([&Policy::from_str(&text).expect("a policy")])
    }

    #[test]
    fn finds_what_policies_read() {
        let nothing = Reads::default();
        assert_eq!(reads("resource.export_class > 1"), nothing);
        assert_eq!(reads("resource in context.residency"), Reads { residency: true, ..nothing });
        let nested = "if context.hour > 6 then true else principal.screened && context.attempt == 0";
        assert_eq!(reads(nested), Reads { hour: true, attempt: true, ..nothing });
        assert_eq!(reads("context == {hour: 1}"), Reads::EVERYTHING);
    }

    #[test]
    fn costs_are_rounded_up() {
        for (cost, bucket) in [(0, 0), (7, 7), (8, 8), (9, 10), (1000, 1024), (1025, 1280), (u64::MAX, u64::MAX)] {
            assert_eq!(cost_bucket(cost), bucket, "{cost}");
        }
    }
}
