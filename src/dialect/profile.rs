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
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
}

/// How one vendor speaks one dialect. A vendor that speaks several has a profile for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name that `profile = "..."` takes; the first of a family is its default.
    pub name: &'static str,
    /// The name that `dialect = "..."` takes.
    pub family: &'static str,
    /// The wire format.
    pub dialect: Dialect,
    /// Path of a call, appended to the base URL. In it `{model}` stands for the vendor's name of the model, and other names in
    /// braces for the settings of an endpoint.
    pub path: &'static str,
    /// Path of a call whose answer is streamed.
    pub stream_path: &'static str,
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
    /// What its models can do unless the config narrows it.
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
    path: "/chat/completions",
    stream_path: "/chat/completions",
    models_path: "/models",
    auth: AuthHeader::Bearer,
    headers: &[],
    usage_on_request: true,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_completion_tokens",
    capabilities: OPENAI_CAPABILITIES,
};

/// Anthropic itself.
pub const ANTHROPIC: Profile = Profile {
    name: "anthropic",
    family: "anthropic",
    dialect: Dialect::Anthropic,
    path: "/v1/messages",
    stream_path: "/v1/messages",
    models_path: "/v1/models",
    auth: AuthHeader::XApiKey,
    headers: &[("anthropic-version", "2023-06-01")],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: false,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_tokens",
    capabilities: ANTHROPIC_CAPABILITIES,
};

/// Prompts are cached without being asked to (<https://ai.google.dev/gemini-api/docs/caching>). A turn of the model at the end
/// is taken for a turn, not for the beginning of the answer.
const GEMINI_CAPABILITIES: Capabilities = Needs::all()
    .without(Need::LogitBias)
    .without(Need::Prediction)
    .without(Need::Prefill)
    .without(Need::SignedReasoning);

/// The Gemini API.
pub const GEMINI: Profile = Profile {
    name: "gemini",
    family: "gemini",
    dialect: Dialect::Gemini,
    path: "/v1beta/models/{model}:generateContent",
    stream_path: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    models_path: "/v1beta/models",
    auth: AuthHeader::XGoogApiKey,
    headers: &[],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "maxOutputTokens",
    capabilities: GEMINI_CAPABILITIES,
};

/// Counting at Anthropic.
pub const ANTHROPIC_COUNT: Profile = Profile {
    dialect: Dialect::AnthropicCount,
    path: "/v1/messages/count_tokens",
    stream_path: "/v1/messages/count_tokens",
    capabilities: ANTHROPIC_CAPABILITIES.with(Need::JsonObject),
    ..ANTHROPIC
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
    ..GEMINI
};

impl Profile {
    /// The path of a call, whose answer is `streamed` or not, with the names in braces filled in.
    ///
    /// # Errors
    /// The first name that `setting` knows nothing of.
    pub fn path_of<'a>(
        &self,
        streamed: bool,
        setting: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, &'static str> {
        let mut rest = if streamed { self.stream_path } else { self.path };
        let mut path = String::with_capacity(rest.len());
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(before, opened)| Some((before, opened.split_once('}')?)))
        {
            path.push_str(before);
            push_segment(&mut path, setting(name).ok_or(name)?);
            rest = after;
        }
        path.push_str(rest);
        Ok(path)
    }
}

/// Adds text to a path as one segment of it (RFC 3986 section 3.3); `:` is encoded too, as AWS signs it so.
fn push_segment(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            for digit in [byte >> 4, byte & 15] {
                path.push(char::from_digit(digit.into(), 16).unwrap_or_default().to_ascii_uppercase());
            }
        }
    }
}

/// Every profile that the config can name.
pub const PROFILES: [&Profile; 9] = [
    &OPENAI,
    &ANTHROPIC,
    &ANTHROPIC_COUNT,
    &GEMINI,
    &GEMINI_COUNT,
    &GEMINI_EMBED,
    &VERTEX,
    &VERTEX_COUNT,
    &VERTEX_EMBED,
];

/// What a vendor speaks, by the names in the config: a profile for each dialect, the one to translate to first. Where no name
/// is given, the family's default. Empty for names that are not known.
#[must_use]
pub fn find(family: &str, name: Option<&str>) -> Vec<Profile> {
    let of_family = || PROFILES.into_iter().filter(|profile| profile.family == family);
    let name = name.or_else(|| of_family().next().map(|profile| profile.name));
    of_family().filter(|profile| Some(profile.name) == name).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_path_are_filled_in_as_one_segment_each() {
        let check = |path: &'static str, model: &str, expected: Result<&str, &str>| {
            let profile = Profile { stream_path: path, ..OPENAI };
            let filled = profile.path_of(true, |name| (name == "model").then_some(model));
            assert_eq!(filled.as_deref().map_err(|missing| *missing), expected, "{path} {model}");
        };
        check("/chat", "m", Ok("/chat"));
        check("/models/{model}:go?alt=sse", "gemini-2.5-pro", Ok("/models/gemini-2.5-pro:go?alt=sse"));
        check("/model/{model}/converse", "eu.x.y-v1:0", Ok("/model/eu.x.y-v1%3A0/converse"));
        check("/model/{model}/converse", "a/../b?c", Ok("/model/a%2F..%2Fb%3Fc/converse"));
        check("/{model}:x", "claude-sonnet-4-5@20250929", Ok("/claude-sonnet-4-5@20250929:x"));
        check("/{project}/{model}", "m", Err("project"));
    }

    #[test]
    fn a_family_without_a_name_is_its_default() {
        let names = |family, name| find(family, name).into_iter().map(|profile| profile.name).collect::<Vec<_>>();
        assert!(names("openai", None).iter().all(|name| *name == "openai"));
        assert_eq!(names("openai", None), names("openai", Some("openai")));
        assert_eq!(names("openai", Some("no-such")), Vec::<&str>::new());
        assert_eq!(names("no-such", None), Vec::<&str>::new());
    }
}
