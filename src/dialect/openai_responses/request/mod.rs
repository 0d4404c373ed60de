//! Requests: read from a client, written for a vendor.

pub(in crate::dialect) mod read;
pub(in crate::dialect) mod write;

mod turns;
