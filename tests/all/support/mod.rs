//! Helpers that several test modules share.

pub(crate) mod asking;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod proxy;
pub(crate) mod reading;
pub(crate) mod serving;
pub(crate) mod source;
