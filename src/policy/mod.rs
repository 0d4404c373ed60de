//! Floor 2: Cedar policies, compiled against the inventory of the config.

mod ask;
mod engine;
mod entities;
pub mod inventory;
mod rules;
pub mod schema;
pub mod vocabulary;

pub use ask::Ask;
pub use engine::Engine;
pub use rules::PolicyFile;

/// The policy that serves where a config has no folder of policies.
pub const BASE: &str = include_str!("../../policies/base.cedar");
