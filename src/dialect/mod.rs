//! Floor 2: wire formats. Every dialect's folder has the same anatomy: `types request response stream signals`,
//! and for traffic that passes as bytes `needs` (of a request) and `seen` (in an answer).

pub mod anthropic;
pub mod error;
pub mod eventstream;
pub mod framing;
pub mod gemini;
pub mod ids;
pub mod json;
pub mod models;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_embeddings;
pub mod openai_responses;
pub mod profile;
pub mod region;
pub mod scan;
pub mod seen;
pub mod signals;
pub mod splice;
pub mod sse;
pub mod status_page;
pub mod translate;

mod bedrock;
mod call_ids;
mod emit;
mod grammar;
mod honour;
mod members;
mod object;
mod schema;
mod shapes;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// An answer from a model.
    Generate,
    /// How many tokens a call would have.
    Count,
    /// Vectors for texts.
    Embed,
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
    /// OpenAI Responses, `POST /v1/responses`.
    OpenaiResponses,
    /// OpenAI's legacy Completions, `POST /v1/completions`.
    OpenaiCompletions,
    /// OpenAI Embeddings, `POST /v1/embeddings`.
    OpenaiEmbeddings,
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
    /// AWS Bedrock, `POST /model/{id}/converse`, which vendors alone speak.
    Bedrock,
    /// Anthropic's `POST /v1/messages/count_tokens`.
    AnthropicCount,
    /// Google's `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
    /// Google's `POST /v1beta/models/{model}:countTokens`.
    GeminiCount,
    /// Google's `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`.
    GeminiEmbed,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 10] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::OpenaiCompletions,
        Self::OpenaiEmbeddings,
        Self::Anthropic,
        Self::Bedrock,
        Self::AnthropicCount,
        Self::Gemini,
        Self::GeminiCount,
        Self::GeminiEmbed,
    ];

    /// Those in which clients hold conversations; a legacy completion is none.
    pub const CONVERSING: [Self; 4] = [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini];

    /// The name in config, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::OpenaiCompletions => "openai_completions",
            Self::OpenaiEmbeddings => "openai_embeddings",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::AnthropicCount => "anthropic_count",
            Self::Gemini => "gemini",
            Self::GeminiCount => "gemini_count",
            Self::GeminiEmbed => "gemini_embed",
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
            Self::OpenaiChat
            | Self::OpenaiResponses
            | Self::OpenaiCompletions
            | Self::Anthropic
            | Self::Bedrock
            | Self::Gemini => Task::Generate,
            Self::AnthropicCount | Self::GeminiCount => Task::Count,
            Self::OpenaiEmbeddings | Self::GeminiEmbed => Task::Embed,
        }
    }

    /// Whether clients speak it, and not vendors alone.
    #[must_use]
    pub const fn has_clients(self) -> bool {
        !matches!(self, Self::Bedrock)
    }

    /// Whose errors and listings its clients read.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses | Self::OpenaiCompletions | Self::OpenaiEmbeddings => Api::Openai,
            // no client speaks Bedrock's dialect, so nobody reads its errors from us
            Self::Anthropic | Self::AnthropicCount | Self::Bedrock => Api::Anthropic,
            Self::Gemini | Self::GeminiCount | Self::GeminiEmbed => Api::Google,
        }
    }

    /// Whether a call may leave the model to whoever keeps what it names (<https://platform.openai.com/docs/api-reference/responses>).
    #[must_use]
    pub const fn may_leave_model_out(self) -> bool {
        matches!(self, Self::OpenaiResponses)
    }

    /// Whether its bodies name the model below the top, where nothing can be spliced: they are always written anew.
    #[must_use]
    pub const fn names_model_within(self) -> bool {
        matches!(self, Self::GeminiCount | Self::GeminiEmbed)
    }

    const fn grammar(self) -> &'static grammar::Grammar {
        match self {
            Self::OpenaiChat => &openai_chat::GRAMMAR,
            Self::OpenaiResponses => &openai_responses::GRAMMAR,
            Self::OpenaiCompletions => &openai_completions::GRAMMAR,
            Self::OpenaiEmbeddings => &openai_embeddings::GRAMMAR,
            Self::Anthropic => &anthropic::GRAMMAR,
            Self::Bedrock => &bedrock::GRAMMAR,
            Self::AnthropicCount => &anthropic::count::GRAMMAR,
            Self::Gemini => &gemini::GRAMMAR,
            Self::GeminiCount => &gemini::count::GRAMMAR,
            Self::GeminiEmbed => &gemini::embed::GRAMMAR,
        }
    }
}
