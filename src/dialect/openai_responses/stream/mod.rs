//! Streamed answers: a vendor's events read as deltas; deltas, written as events for a client.

mod events;
mod items;
mod read;
mod write;

pub(in crate::dialect) use read::Reader;
pub(in crate::dialect) use write::Writer;
