//! Questions to policy in a few words: what their answers are remembered under.

use crate::call::needs::Need;
use crate::policy::ask::Ask;
use crate::policy::reads::{Fact, Reads};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Most data classes that a config may know: they are kept as bits.
pub const MAX_DATA_CLASSES: usize = 64;

/// What is asked about one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    group: u64,
    key_and_deployment: u64,
    call: CallFacts,
}

impl Question {
    /// What a group of policies is asked about a key and a deployment of these classes, and a call.
    pub(super) const fn new(group: u64, key: u32, deployment: u32, call: CallFacts) -> Self {
        Self { group, key_and_deployment: (key as u64) << 32 | deployment as u64, call }
    }
}

/// What is asked about every deployment of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolQuestion {
    key_and_pool: u64,
    /// What the call costs at every deployment follows from it; nothing where no policy reads that.
    size: Size,
    call: CallFacts,
}

impl PoolQuestion {
    /// What all policies are asked about a key of this class, a pool, and a call of this size.
    pub(super) const fn new(key: u32, pool: u32, size: Size, call: CallFacts) -> Self {
        Self { key_and_pool: (key as u64) << 32 | pool as u64, size, call }
    }
}

/// How large a call is, as far as its cost depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Size {
    /// Of prompt and answer, rounded.
    pub(super) tokens: (u64, u64),
    /// How many of the lengths are exceeded from which on some deployment charges more.
    pub(super) tier: u64,
}

/// Some of the data classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataClasses(u64);

impl DataClasses {
    /// All of them, and none.
    pub(super) const ANY: Self = Self(0);
}

/// What policies can read of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallFacts {
    /// A bit for each class.
    data: u64,
    residency_depth_and_flags: u64,
    attempt_and_hour: u64,
    estimated_cost: u64,
}

impl CallFacts {
    /// The same call, expected to cost so many micro-dollars.
    pub(super) const fn costing(self, estimated_cost: u64) -> Self {
        Self { estimated_cost, ..self }
    }

    /// What it is expected to cost, in micro-dollars.
    pub(super) const fn estimated_cost(self) -> u64 {
        self.estimated_cost
    }

    /// Whether the call holds data of one of these classes.
    pub(super) const fn holds_one_of(self, classes: DataClasses) -> bool {
        classes.0 == DataClasses::ANY.0 || self.data & classes.0 != 0
    }

    /// The facts that are read; all others are left out.
    pub(super) fn only(self, reads: Reads) -> Self {
        let read = |fact: Fact, bits: u64| if reads.has(fact) { bits } else { 0 };
        Self {
            data: read(Fact::Data, self.data),
            residency_depth_and_flags: self.residency_depth_and_flags
                & (read(Fact::Residency, RESIDENCY)
                    | read(Fact::Depth, DEPTH)
                    | read(Fact::Screened, SCREENED)
                    | read(Fact::Stores, STORES)
                    | read(Fact::HostedTools, HOSTED_TOOLS)),
            attempt_and_hour: self.attempt_and_hour & (read(Fact::Attempt, ATTEMPT) | read(Fact::Hour, HOUR)),
            estimated_cost: read(Fact::EstimatedCost, self.estimated_cost),
        }
    }
}

const RESIDENCY: u64 = 0xffff << 48;
const DEPTH: u64 = 0xffff_ffff << 3;
const SCREENED: u64 = 1 << 2;
const STORES: u64 = 1 << 1;
const HOSTED_TOOLS: u64 = 1;
const ATTEMPT: u64 = 0xffff_ffff << 32;
const HOUR: u64 = 0xffff_ffff;

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

    /// These data classes; any where one of them is not known.
    pub(super) fn data(&self, classes: &[Arc<str>]) -> DataClasses {
        let bit = |class| self.data.get(class).and_then(|number| 1_u64.checked_shl(*number));
        let bits = classes.iter().try_fold(0, |bits, class| Some(bits | bit(class)?));
        bits.map_or(DataClasses::ANY, DataClasses)
    }

    /// What an ask says of the call, before it is known what it costs; `None` when it holds a word that nobody knows.
    pub(super) fn call(&self, ask: &Ask) -> Option<CallFacts> {
        let mut data = 0;
        for class in &ask.data {
            data |= 1_u64.checked_shl(*self.data.get(class)?)?;
        }
        let zone = u64::from(*self.zones.get(&ask.residency)?);
        let flag = |flag: u64, is_set: bool| if is_set { flag } else { 0 };
        Some(CallFacts {
            data,
            residency_depth_and_flags: zone << 48
                | u64::from(ask.depth) << 3
                | flag(SCREENED, ask.screened)
                | flag(STORES, ask.needs.has(Need::Stores))
                | flag(HOSTED_TOOLS, hosts_tools(ask)),
            attempt_and_hour: u64::from(ask.attempt) << 32 | u64::from(ask.hour),
            estimated_cost: 0,
        })
    }
}

/// Whether a call makes the vendor act or keep something: tools that it runs, ids of what it holds.
pub(super) fn hosts_tools(ask: &Ask) -> bool {
    ask.needs.has(Need::HostedTools) || ask.needs.has(Need::ServerIds)
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
