//! Requests: read from a client, written for a vendor.

pub(crate) mod config;
pub(crate) mod parts;
pub(crate) mod read;
pub(crate) mod write;
