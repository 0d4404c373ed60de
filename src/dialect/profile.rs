//! A vendor's way of speaking a dialect, as data: a quirk is a field of a constant, never a branch elsewhere.

use crate::call::needs::{Capabilities, Need, Needs};
use crate::dialect::Dialect;

/// How a vendor takes its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
}

/// How one vendor speaks its dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name that `profile = "..."` takes; the first of a family is its default.
    pub name: &'static str,
    /// The name that `dialect = "..."` takes.
    pub family: &'static str,
    /// The wire format of its chat endpoint.
    pub dialect: Dialect,
    /// Path of the chat endpoint, appended to the base URL.
    pub chat_path: &'static str,
    /// Path of the free model listing, appended to the base URL: what an unpaid probe asks for.
    pub models_path: &'static str,
    /// How the credential is sent.
    pub auth: AuthHeader,
    /// Headers that every request carries.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether a stream tells its usage only when `stream_options.include_usage` asks for it.
    pub usage_on_request: bool,
    /// Whether the terminator alone completes a stream, without a finish reason.
    pub terminator_is_final: bool,
    /// Whether Retry-After on 529 or 503 is meant.
    pub retry_after_on_overload: bool,
    /// Whether 429 `insufficient_quota` means money (and not mere throttling).
    pub insufficient_quota_is_money: bool,
    /// The member that caps the answer's tokens.
    pub max_tokens_member: &'static str,
    /// Whether a cap on the answer above what the model gives is refused, instead of trimmed.
    pub strict_max_tokens: bool,
    /// Whose models these are in the catalog; `None` where it does not list them.
    pub catalog: Option<&'static str>,
    /// What its models can do unless the catalog or the config narrows it.
    pub capabilities: Capabilities,
}

/// Cache breakpoints are honoured without being sent: OpenAI caches prompts by itself
/// (<https://platform.openai.com/docs/guides/prompt-caching>).
const OPENAI_CAPABILITIES: Capabilities =
    Needs::all().without(Need::TopK).without(Need::Prefill).without(Need::SignedReasoning);

const ANTHROPIC_CAPABILITIES: Capabilities = Needs::all()
    .without(Need::Logprobs)
    .without(Need::Choices)
    .without(Need::Seed)
    .without(Need::LogitBias)
    .without(Need::Penalties)
    .without(Need::Audio)
    .without(Need::JsonObject)
    .without(Need::Prediction);

/// OpenAI itself.
pub const OPENAI: Profile = Profile {
    name: "openai",
    family: "openai",
    dialect: Dialect::OpenaiChat,
    chat_path: "/chat/completions",
    models_path: "/models",
    auth: AuthHeader::Bearer,
    headers: &[],
    usage_on_request: true,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_completion_tokens",
    strict_max_tokens: true,
    catalog: Some("openai"),
    capabilities: OPENAI_CAPABILITIES,
};

/// Anthropic itself.
pub const ANTHROPIC: Profile = Profile {
    name: "anthropic",
    family: "anthropic",
    dialect: Dialect::Anthropic,
    chat_path: "/v1/messages",
    models_path: "/v1/models",
    auth: AuthHeader::XApiKey,
    headers: &[("anthropic-version", "2023-06-01")],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: false,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_tokens",
    strict_max_tokens: true,
    catalog: Some("anthropic"),
    capabilities: ANTHROPIC_CAPABILITIES,
};

/// Every profile that the config can name.
pub const PROFILES: [&Profile; 2] = [&OPENAI, &ANTHROPIC];

/// The profile of a family, by the names in the config; the family's default where none is named.
#[must_use]
pub fn find(family: &str, name: Option<&str>) -> Option<&'static Profile> {
    PROFILES.into_iter().find(|profile| profile.family == family && name.is_none_or(|name| profile.name == name))
}
