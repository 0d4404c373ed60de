//! Helpers that several test modules share.

pub(crate) mod events;
pub(crate) mod source;
pub(crate) mod client;
pub(crate) mod proxy;
