//! Floor 2: what was written in files. Read, checked singly, and not yet compiled.

pub mod base_url;
pub mod defaults;
pub mod load;
pub mod names;
mod reader;
pub mod schema;
pub mod secrets;
mod section;
pub mod sources;
pub mod tables;
pub mod values;

pub use reader::{At, Named, Single, Tables, TablesOf};
pub use sources::Sources;
