//! A conversation: turns of parts.

use super::Extra;
use super::json::Json;
use super::needs::Need;
use super::tool::ToolCall;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application, above the user.
    System,
    /// The same under its newer name, where a dialect tells them apart.
    Developer,
    /// The user, and the tools that the client runs.
    User,
    /// The model.
    Assistant,
}

/// What one speaker says at once. The results of parallel tool calls are one turn of the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name, where the client gives one.
    pub name: Option<String>,
    /// What is said.
    pub parts: Vec<Part>,
    /// Further members that only the client's dialect knows.
    pub extras: Vec<Extra>,
}

impl Turn {
    /// A turn of `parts`.
    #[must_use]
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts, extras: Vec::new() }
    }

    /// Whether it is the application's word rather than a part of the conversation.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self.role, Role::System | Role::Developer)
    }
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it holds.
    pub content: Content,
    /// A cache breakpoint after it, as the client wrote it.
    pub cache: Option<Json>,
}

impl From<Content> for Part {
    fn from(content: Content) -> Self {
        Self { content, cache: None }
    }
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What it rests on.
        citations: Vec<Citation>,
    },
    /// The model's words of refusal.
    Refusal(String),
    /// An image.
    Image {
        /// Where it is.
        source: Source,
        /// How closely to look (`low`, `high`), where the client says so.
        detail: Option<String>,
    },
    /// A document.
    Document {
        /// Where it is.
        source: Source,
        /// Its file name or title.
        title: Option<String>,
    },
    /// A call of a tool that the client runs.
    ToolCall(ToolCall),
    /// What such a call gave.
    ToolResult {
        /// The id of the call.
        id: String,
        /// The result.
        parts: Vec<Part>,
        /// Whether the tool failed, where the client says so.
        error: Option<bool>,
    },
    /// The model's thoughts.
    Thinking {
        /// The thoughts, or their summary.
        text: String,
        /// The vendor's seal, without which it takes no thoughts back; see [`seal`](super::seal) for whose it is. Gemini
        /// seals what follows its thoughts: there the text may be empty, and the next part is the sealed one.
        signature: Option<String>,
    },
    /// Thoughts that only the vendor can read.
    RedactedThinking(String),
    /// Something that only one dialect knows.
    Foreign(Foreign),
}

impl Content {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), citations: Vec::new() }
    }

    /// Whether it is what the model thought, for everybody to read or for its vendor alone.
    #[must_use]
    pub const fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::RedactedThinking(_))
    }
}

/// Where an image or document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the call itself.
    Base64 {
        /// Such as `image/png`.
        media_type: String,
        /// Base64 in the standard alphabet.
        data: String,
    },
    /// Behind a URL that the vendor fetches.
    Url(String),
    /// Plain text in the call itself.
    Text(String),
}

/// What a text rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// As the vendor told it, in its own dialect.
    pub told: Foreign,
    /// The page, where it is one.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
}

/// JSON that only one dialect knows, and the need that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// The name of that dialect.
    pub dialect: &'static str,
    /// What another vendor would have to offer to honour it.
    pub need: Need,
    /// As it came.
    pub json: Json,
}
