//! Helpers that several test modules share.

pub(crate) mod certificates;
pub(crate) mod events;
pub(crate) mod serving;
pub(crate) mod source;
pub(crate) mod client;
pub(crate) mod proxy;
