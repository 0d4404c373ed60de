//! Requests: written for a vendor; read, to prove on recordings that nothing is lost.

pub(super) mod blocks;
mod media;
mod options;
pub(crate) mod read;
mod tools;
pub(crate) mod write;
