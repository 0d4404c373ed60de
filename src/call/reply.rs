//! What a vendor answers.

use super::turn::Part;
use super::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The vendor's id of it.
    pub id: String,
    /// The model that truly answered.
    pub model: String,
    /// When it was made, in seconds since 1970, for dialects that say so; 0 where nobody knows.
    pub created_s: u64,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// What it consumed, where the vendor says so.
    pub usage: Option<Usage>,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// The model had said all.
    #[default]
    Stop,
    /// One of the client's stop texts came; which one, where the vendor tells.
    StopSequence(Option<String>),
    /// The answer reached its limit of tokens.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The vendor's filter cut it.
    ContentFilter,
    /// The model or its vendor refused; why, where the vendor tells beside the answer.
    Refusal(Option<String>),
    /// The vendor pauses a long turn and wants it sent back.
    Pause,
    /// The model's context is full.
    ContextWindow,
    /// A word that we do not know.
    Other(String),
}
