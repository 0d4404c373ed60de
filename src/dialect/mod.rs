//! Floor 2: wire formats. Every dialect's folder has the same anatomy: `types request response stream signals`,
//! and for traffic that passes as bytes `needs` (of a request) and `seen` (in an answer).

pub mod anthropic;
pub mod error;
pub mod json;
pub mod models;
pub mod openai_chat;
pub mod profile;
pub mod scan;
pub mod seen;
pub mod signals;
pub mod splice;
pub mod sse;
pub mod translate;

mod emit;
mod honour;
mod members;
mod object;
mod schema;

/// A wire format that clients or vendors speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions, `POST /v1/chat/completions`.
    OpenaiChat,
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 2] = [Self::OpenaiChat, Self::Anthropic];

    /// The name in config, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::Anthropic => "anthropic",
        }
    }
}
