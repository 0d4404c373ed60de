//! Floor 1: the canonical forms that dialects translate to and from.

pub mod needs;
pub mod usage;
pub struct Call;
