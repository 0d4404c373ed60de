//! Anthropic Messages.

pub(super) mod needs;
pub(super) mod seen;
pub(super) mod signals;
