//! Helpers that several test modules share.

use backstay::dialect::Dialect;

/// The dialects of conversations, in which any client may meet any vendor.
pub(crate) const CONVERSING: [Dialect; 3] = [Dialect::OpenaiChat, Dialect::Anthropic, Dialect::Gemini];

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod proxy;
pub(crate) mod serving;
pub(crate) mod source;
