//! Floor 2: wire formats. Every dialect's folder has the same anatomy: `types request response stream signals`,
//! and for traffic that passes as bytes `needs` (of a request) and `seen` (in an answer).

pub mod anthropic;
pub mod error;
pub mod gemini;
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
mod grammar;
mod honour;
mod members;
mod object;
mod schema;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// An answer from a model.
    Generate,
}

/// A company's API: the shape of errors and listings that several dialects share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's.
    Openai,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
}

/// A wire format that clients or vendors speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions, `POST /v1/chat/completions`.
    OpenaiChat,
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
    /// Google's `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::OpenaiChat, Self::Anthropic, Self::Gemini];

    /// The name in config, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// Whether the config may call it so: by its name, or by the part behind the family's.
    #[must_use]
    pub fn is_called(self, name: &str) -> bool {
        let own = self.name();
        own == name || own.split_once('_').is_some_and(|(_, short)| short == name)
    }

    /// What its calls ask for; translation never leads from one task to another.
    #[must_use]
    pub const fn task(self) -> Task {
        match self {
            Self::OpenaiChat | Self::Anthropic | Self::Gemini => Task::Generate,
        }
    }

    /// Whose errors and listings its clients read.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::OpenaiChat => Api::Openai,
            Self::Anthropic => Api::Anthropic,
            Self::Gemini => Api::Google,
        }
    }

    const fn grammar(self) -> &'static grammar::Grammar {
        match self {
            Self::OpenaiChat => &openai_chat::GRAMMAR,
            Self::Anthropic => &anthropic::GRAMMAR,
            Self::Gemini => &gemini::GRAMMAR,
        }
    }
}
