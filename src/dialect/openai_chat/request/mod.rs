//! Requests: read from a client, written for a vendor.

pub(crate) mod read;
pub(crate) mod write;

mod messages;
mod tools;
