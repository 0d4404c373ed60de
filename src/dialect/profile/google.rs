//! Google's own models, of the Gemini API and of Vertex AI: <https://ai.google.dev/api>, and what was recorded.

use super::quirks::Quirks;
use super::{AuthHeader, Framing, Known, Profile};
use crate::call::needs::{Capabilities, Need, Needs};
use crate::dialect::Dialect;

/// Prompts are cached without being asked to (<https://ai.google.dev/gemini-api/docs/caching>). A turn of the model at the end
/// is taken for a turn, not for the beginning of the answer.
/// Thoughts under its own seal it takes back; the writer refuses those of others.
const GEMINI_CAPABILITIES: Capabilities =
    Needs::all().without(Need::LogitBias).without(Need::Prediction).without(Need::Prefill);

/// The Gemini API.
pub const GEMINI: Profile = Profile {
    name: "gemini",
    family: "gemini",
    dialect: Dialect::Gemini,
    path: "/v1beta/models/{model}:generateContent",
    stream_path: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    body_members: &[],
    model_in_path: true,
    models_path: "/v1beta/models",
    framing: Framing::Sse,
    id_header: None,
    auth: AuthHeader::XGoogApiKey,
    headers: &[],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "maxOutputTokens",
    quirks: Quirks { strict_max_tokens: false, ..Quirks::NONE },
    known: Known::at("https://generativelanguage.googleapis.com", "US", "google"),
    capabilities: GEMINI_CAPABILITIES,
};

/// Counting at the Gemini API.
pub const GEMINI_COUNT: Profile = Profile {
    dialect: Dialect::GeminiCount,
    path: "/v1beta/models/{model}:countTokens",
    stream_path: "/v1beta/models/{model}:countTokens",
    ..GEMINI
};

/// Vectors of the Gemini API.
pub const GEMINI_EMBED: Profile = Profile {
    dialect: Dialect::GeminiEmbed,
    path: "/v1beta/models/{model}:batchEmbedContents",
    stream_path: "/v1beta/models/{model}:batchEmbedContents",
    capabilities: GEMINI_CAPABILITIES.without(Need::TokenInputs),
    ..GEMINI
};

/// Counting on Vertex AI.
pub const VERTEX_COUNT: Profile = Profile {
    dialect: Dialect::GeminiCount,
    path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:countTokens",
    stream_path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:countTokens",
    ..VERTEX
};

/// Vectors on Vertex AI.
pub const VERTEX_EMBED: Profile = Profile {
    dialect: Dialect::GeminiEmbed,
    path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:embedContent",
    stream_path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:embedContent",
    capabilities: GEMINI_CAPABILITIES.without(Need::TokenInputs),
    ..VERTEX
};

/// Google's models on Vertex AI, at `https://{location}-aiplatform.googleapis.com`, or `https://aiplatform.googleapis.com` for
/// the location `global` (recording `671cf3315e628efc`).
pub const VERTEX: Profile = Profile {
    name: "vertex",
    path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:generateContent",
    stream_path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:streamGenerateContent?alt=sse",
    models_path: "/v1beta1/publishers/google/models",
    auth: AuthHeader::Bearer,
    known: Known::at("https://{location}-aiplatform.googleapis.com", "US", "google-vertex"),
    ..GEMINI
};
