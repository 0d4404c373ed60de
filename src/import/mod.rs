//! Floor 3: the configurations of other proxies as ones of ours.
//!
//! It stands beside `snapshot`, because it needs what is known of vendors and places to say what it cannot carry.

mod draft;
pub mod litellm;
mod yaml;
