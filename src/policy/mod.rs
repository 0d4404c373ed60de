//! Floor 2: Cedar policies, compiled against the inventory of the config.

mod ask;
mod cedar;
mod classes;
mod engine;
mod entities;
mod groups;
mod heads;
pub mod inventory;
mod memo;
mod pools;
pub mod premises;
mod question;
mod reads;
mod rules;
pub mod schema;
mod verdict;
pub mod vocabulary;

pub use ask::Ask;
pub use engine::{Engine, UNKNOWN_WORD};
pub use pools::Verdicts;
pub use question::MAX_DATA_CLASSES;
pub use rules::{PolicyFile, Rule};
pub use verdict::{EVALUATION_ERROR, Verdict};

/// The policy that serves where a config has no folder of policies.
pub const BASE: &str = include_str!("../../policies/base.cedar");
