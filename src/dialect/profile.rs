//! A vendor's way of speaking a dialect, as data: a quirk is a field of a constant, never a branch elsewhere.

pub mod clouds;
pub mod compatible;
pub mod google;
pub mod quirks;

use crate::call::needs::{Capabilities, Need, Needs};
use crate::dialect::Dialect;
pub use google::{GEMINI, GEMINI_COUNT, GEMINI_EMBED, VERTEX, VERTEX_COUNT, VERTEX_EMBED};
use quirks::{Efforts, Member, Quirks, ToolCallIds};

/// How a vendor takes its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `api-key: KEY`.
    ApiKey,
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
}

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's binary frames.
    EventStream,
}

/// What is public knowledge about a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it answers, unless the config says otherwise. A cloud's holds settings of the endpoint in braces, as paths do.
    pub base_url: Option<&'static str>,
    /// Country where the company is seated, for calls to that base URL.
    pub seat: Option<&'static str>,
    /// Whose models these are in the catalog; `None` where it does not list them.
    pub catalog: Option<&'static str>,
}

impl Known {
    /// Nothing: a vendor that anybody may run anywhere.
    pub const NOTHING: Self = Self { base_url: None, seat: None, catalog: None };

    /// A company that answers at `base_url`, is seated in the country of these two letters, and has models in the catalog.
    #[must_use]
    pub const fn at(base_url: &'static str, seat: &'static str, catalog: &'static str) -> Self {
        Self { base_url: Some(base_url), seat: Some(seat), catalog: Some(catalog) }
    }
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
    /// Members that every body carries at this vendor beside the dialect's own, each as JSON.
    pub body_members: &'static [(&'static str, &'static str)],
    /// Whether the model stands in the path and must not stand in the body.
    pub model_in_path: bool,
    /// Path of the free model listing, appended to the base URL: what an unpaid probe asks for. Empty where there is none: any
    /// answer below 500 at the root then tells that the host is there, and no more.
    pub models_path: &'static str,
    /// How the events of a stream are told apart.
    pub framing: Framing,
    /// The header that tells the vendor's id of an answer, where the answer itself does not.
    pub id_header: Option<&'static str>,
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
    /// Where it departs from its dialect's own words.
    pub quirks: Quirks,
    /// What is public knowledge about the vendor.
    pub known: Known,
    /// What its models can do unless the catalog or the config narrows it.
    pub capabilities: Capabilities,
}

/// Cache breakpoints are honoured without being sent: OpenAI caches prompts by itself
/// (<https://platform.openai.com/docs/guides/prompt-caching>).
const OPENAI_CAPABILITIES: Capabilities =
    Needs::all().without(Need::TopK).without(Need::Prefill).without(Need::SignedReasoning);

const RESPONSES_CAPABILITIES: Capabilities = OPENAI_CAPABILITIES
    .with(Need::SignedReasoning)
    .without(Need::Choices)
    .without(Need::Seed)
    .without(Need::LogitBias)
    .without(Need::Penalties)
    .without(Need::Prediction)
    .without(Need::Audio);

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
    body_members: &[],
    model_in_path: false,
    models_path: "/models",
    framing: Framing::Sse,
    id_header: None,
    auth: AuthHeader::Bearer,
    headers: &[],
    usage_on_request: true,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_completion_tokens",
    quirks: Quirks::NONE,
    known: Known::at("https://api.openai.com/v1", "US", "openai"),
    capabilities: OPENAI_CAPABILITIES,
};

/// OpenAI's Responses. Its seals of thoughts come back to it.
pub const OPENAI_RESPONSES: Profile = Profile {
    dialect: Dialect::OpenaiResponses,
    path: "/responses",
    stream_path: "/responses",
    usage_on_request: false,
    max_tokens_member: "max_output_tokens",
    capabilities: RESPONSES_CAPABILITIES,
    ..OPENAI
};

/// OpenAI's legacy completions.
pub const OPENAI_COMPLETIONS: Profile = Profile {
    dialect: Dialect::OpenaiCompletions,
    path: "/completions",
    stream_path: "/completions",
    max_tokens_member: "max_tokens",
    capabilities: Needs::all(),
    ..OPENAI
};

/// OpenAI's vectors.
pub const OPENAI_EMBEDDINGS: Profile = Profile {
    dialect: Dialect::OpenaiEmbeddings,
    path: "/embeddings",
    stream_path: "/embeddings",
    capabilities: Needs::all(),
    ..OPENAI
};

/// Anthropic itself.
pub const ANTHROPIC: Profile = Profile {
    name: "anthropic",
    family: "anthropic",
    dialect: Dialect::Anthropic,
    path: "/v1/messages",
    stream_path: "/v1/messages",
    body_members: &[],
    model_in_path: false,
    models_path: "/v1/models",
    framing: Framing::Sse,
    id_header: None,
    auth: AuthHeader::XApiKey,
    headers: &[("anthropic-version", "2023-06-01")],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: false,
    insufficient_quota_is_money: true,
    max_tokens_member: "max_tokens",
    quirks: Quirks::NONE,
    known: Known::at("https://api.anthropic.com", "US", "anthropic"),
    capabilities: ANTHROPIC_CAPABILITIES,
};

/// Counting at Anthropic.
pub const ANTHROPIC_COUNT: Profile = Profile {
    dialect: Dialect::AnthropicCount,
    path: "/v1/messages/count_tokens",
    stream_path: "/v1/messages/count_tokens",
    capabilities: ANTHROPIC_CAPABILITIES.with(Need::JsonObject),
    ..ANTHROPIC
};

/// Vendors that stop working on an answer, and counting it, when their connection is closed, by OpenRouter's list of
/// those for which it cancels (<https://openrouter.ai/docs/api-reference/streaming>). Others are known not to, such as
/// Bedrock, which bills the whole answer (litellm's issue 34147), or it is not known.
const STOPPING: [&str; 10] = [
    "openai",
    "azure",
    "azure-classic",
    "anthropic",
    "xai",
    "deepseek",
    "together",
    "fireworks",
    "cohere",
    "openrouter",
];

impl Profile {
    /// Whether the vendor is known to stop, and to stop counting, when it is left in the middle of an answer.
    #[must_use]
    pub fn stops_when_left(&self) -> bool {
        STOPPING.contains(&self.name)
    }

    /// Whether a client's bytes of the same dialect must be read and written anew, because this vendor would refuse or
    /// overlook some of them. The search may err on the side of writing anew, which changes no meaning.
    #[must_use]
    pub fn rewrites(&self, body: &[u8]) -> bool {
        if self.dialect != Dialect::OpenaiChat {
            return false;
        }
        let quirks = &self.quirks;
        let holds = |needle: &str| memchr::memmem::find(body, needle.as_bytes()).is_some();
        let twice = |needle: &str| memchr::memmem::find_iter(body, needle.as_bytes()).nth(1).is_some();
        quirks.strict_members
            || (!quirks.developer_role && holds("\"developer\""))
            || (!quirks.late_system && twice("\"system\""))
            || (quirks.tool_call_ids != ToolCallIds::Any && holds("\"tool_call"))
            || (quirks.efforts != Efforts::ANY && holds("\"reasoning_effort\""))
            || (self.max_tokens_member == "max_tokens" && holds("\"max_completion_tokens\""))
            || (quirks.stops < Quirks::NONE.stops && holds("\"stop\""))
            || Member::ALL.into_iter().any(|member| quirks.refused_members.has(member) && names(body, member.name()))
    }

    /// The path of a call, whose answer is `streamed` or not, with the names in braces filled in.
    ///
    /// # Errors
    /// The first name that `setting` knows nothing of.
    pub fn path_of<'a>(
        &self,
        streamed: bool,
        setting: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, &'static str> {
        fill(if streamed { self.stream_path } else { self.path }, setting)
    }
}

/// A template with the names in braces filled in, each as one segment of a path.
///
/// # Errors
/// The first name that `setting` knows nothing of.
pub fn fill<'a>(template: &'static str, setting: impl Fn(&str) -> Option<&'a str>) -> Result<String, &'static str> {
    let mut rest = template;
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

/// Whether some object in `body` has a member of this name.
fn names(body: &[u8], member: &str) -> bool {
    let quoted = format!("\"{member}\"");
    memchr::memmem::find_iter(body, quoted.as_bytes())
        .any(|start| body.get(start + quoted.len()..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":")))
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
pub fn all() -> impl Iterator<Item = &'static Profile> {
    PROFILES.into_iter().chain(compatible::PROFILES).chain(&compatible::FURTHER).chain(clouds::PROFILES)
}

/// Those whose vendors set the rules of their dialect.
pub const PROFILES: [&Profile; 12] = [
    &OPENAI,
    &OPENAI_RESPONSES,
    &OPENAI_COMPLETIONS,
    &OPENAI_EMBEDDINGS,
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
    let of_family = || all().filter(|profile| profile.family == family);
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
    fn only_what_a_vendor_would_misread_is_written_anew() {
        let check = |profile: Profile, body: &str, expected| {
            assert_eq!(profile.rewrites(body.as_bytes()), expected, "{} {body}", profile.name);
        };
        let developer = r#"{"messages":[{"role":"developer","content":"x"}]}"#;
        check(OPENAI, developer, false);
        check(OPENAI, r#"{"max_completion_tokens":5,"reasoning_effort":"low","stop":["a"],"user":"u"}"#, false);
        check(compatible::GENERIC, developer, true);
        check(compatible::GENERIC, r#"{"max_completion_tokens":5}"#, true);
        check(compatible::GENERIC, r#"{"messages":[{"role":"system","content":"x"}],"max_tokens":5}"#, false);
        check(compatible::MISTRAL, "{}", true);
        check(compatible::GROQ, r#"{"messages":[{"role":"user","name" : "x"}]}"#, true);
        check(compatible::COHERE, r#"{"messages":[{"role":"user","content":"user:"}]}"#, false);
        check(compatible::COHERE, r#"{"user": "me"}"#, true);
        check(compatible::OLLAMA, r#"{"reasoning_effort":"xhigh"}"#, true);
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
