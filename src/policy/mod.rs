//! Floor 2: Cedar policies, compiled against the inventory of the config.

mod ask;
mod engine;
mod entities;
pub mod inventory;
mod memo;
pub mod premises;
mod question;
mod rules;
pub mod schema;
mod slices;
pub mod vocabulary;

pub use ask::Ask;
pub use engine::{EVALUATION_ERROR, Engine, UNKNOWN_WORD};
pub use question::MAX_DATA_CLASSES;
pub use rules::{PolicyFile, Rule};

/// The policy that serves where a config has no folder of policies.
pub const BASE: &str = include_str!("../../policies/base.cedar");
