//! LiteLLM's providers, by the prefix of a model's name (<https://docs.litellm.ai/docs/providers>).

/// How a provider becomes a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A vendor with one public place.
    Public,
    /// A server that anybody may run: where it answers, `api_base` says, or else it is this machine.
    Own,
    /// Whatever speaks OpenAI's dialect at `api_base`.
    Compatible,
    /// Azure OpenAI.
    Azure,
    /// Azure AI Foundry.
    Foundry,
    /// AWS Bedrock.
    Bedrock,
    /// Google's Vertex AI.
    Vertex,
}

/// One of LiteLLM's providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    /// Its name there.
    pub(super) prefix: &'static str,
    /// What its vendor is called here.
    pub(super) vendor: &'static str,
    pub(super) dialect: &'static str,
    pub(super) profile: &'static str,
    /// Where it answers, where the profile does not know.
    pub(super) base_url: Option<&'static str>,
    /// The variable that LiteLLM takes the key from where none is written; empty where there is no single one.
    pub(super) variable: &'static str,
    pub(super) way: Way,
}

/// Speaks OpenAI's dialect by a profile of the same name as the vendor.
const fn profiled(prefix: &'static str, profile: &'static str, variable: &'static str) -> Provider {
    Provider { prefix, vendor: profile, dialect: "openai", profile, base_url: None, variable, way: Way::Public }
}

/// Speaks OpenAI's dialect without a profile of its own.
const fn generic(prefix: &'static str, base_url: &'static str, variable: &'static str) -> Provider {
    Provider {
        prefix,
        vendor: prefix,
        dialect: "openai",
        profile: "generic",
        base_url: Some(base_url),
        variable,
        way: Way::Public,
    }
}

/// A server of one's own.
const fn own(prefix: &'static str, profile: &'static str, variable: &'static str) -> Provider {
    Provider { way: Way::Own, ..profiled(prefix, profile, variable) }
}

/// Whatever answers at `api_base`.
const fn compatible(prefix: &'static str, variable: &'static str) -> Provider {
    Provider { way: Way::Compatible, ..profiled(prefix, "generic", variable) }
}

/// A vendor with a dialect of its own.
const fn native(prefix: &'static str, dialect: &'static str, variable: &'static str, way: Way) -> Provider {
    Provider { prefix, vendor: dialect, dialect, profile: dialect, base_url: None, variable, way }
}

/// OpenAI itself, and by `api_base` whoever speaks as it does.
pub(super) const OPENAI: Provider = profiled("openai", "openai", "OPENAI_API_KEY");
/// Anthropic.
pub(super) const ANTHROPIC: Provider = native("anthropic", "anthropic", "ANTHROPIC_API_KEY", Way::Public);
/// Bedrock, whose key consists of several variables.
pub(super) const BEDROCK: Provider = Provider { vendor: "aws", ..native("bedrock", "bedrock", "", Way::Bedrock) };
/// Vertex AI: dialect and vendor are those of the model.
pub(super) const VERTEX: Provider =
    Provider { vendor: "google", profile: "vertex", ..native("vertex_ai", "gemini", "", Way::Vertex) };
/// Azure OpenAI.
pub(super) const AZURE: Provider = Provider { way: Way::Azure, ..profiled("azure", "azure", "AZURE_API_KEY") };

const ALL: [Provider; 42] = [
    OPENAI,
    Provider { prefix: "text-completion-openai", ..OPENAI },
    ANTHROPIC,
    BEDROCK,
    Provider { prefix: "bedrock_converse", ..BEDROCK },
    VERTEX,
    Provider { prefix: "vertex_ai_beta", ..VERTEX },
    native("gemini", "gemini", "GEMINI_API_KEY", Way::Public),
    AZURE,
    Provider { prefix: "azure_text", ..AZURE },
    Provider { prefix: "azure_ai", vendor: "azure-foundry", variable: "AZURE_AI_API_KEY", way: Way::Foundry, ..AZURE },
    profiled("mistral", "mistral", "MISTRAL_API_KEY"),
    profiled("groq", "groq", "GROQ_API_KEY"),
    profiled("xai", "xai", "XAI_API_KEY"),
    profiled("deepseek", "deepseek", "DEEPSEEK_API_KEY"),
    profiled("cerebras", "cerebras", "CEREBRAS_API_KEY"),
    profiled("together_ai", "together", "TOGETHERAI_API_KEY"),
    profiled("fireworks_ai", "fireworks", "FIREWORKS_AI_API_KEY"),
    profiled("openrouter", "openrouter", "OPENROUTER_API_KEY"),
    profiled("perplexity", "perplexity", "PERPLEXITYAI_API_KEY"),
    profiled("cohere", "cohere", "COHERE_API_KEY"),
    profiled("cohere_chat", "cohere", "COHERE_API_KEY"),
    profiled("huggingface", "huggingface", "HUGGINGFACE_API_KEY"),
    profiled("zai", "zai", "ZAI_API_KEY"),
    own("ollama", "ollama", ""),
    own("ollama_chat", "ollama", ""),
    own("hosted_vllm", "vllm", "HOSTED_VLLM_API_KEY"),
    own("vllm", "vllm", ""),
    generic("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    generic("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    generic("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    generic("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    generic("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    generic("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    generic("meta_llama", "https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    compatible("openai_like", "OPENAI_LIKE_API_KEY"),
    compatible("custom_openai", "OPENAI_API_KEY"),
    compatible("litellm_proxy", "LITELLM_PROXY_API_KEY"),
    compatible("lm_studio", "LM_STUDIO_API_KEY"),
    compatible("llamafile", "LLAMAFILE_API_KEY"),
    compatible("xinference", "XINFERENCE_API_KEY"),
    compatible("nebius", "NEBIUS_API_KEY"),
];

/// How models begin whose provider LiteLLM knows without a prefix.
const UNPREFIXED: [(&str, Provider); 22] = [
    ("gpt-", OPENAI),
    ("chatgpt-", OPENAI),
    ("o1", OPENAI),
    ("o3", OPENAI),
    ("o4", OPENAI),
    ("ft:", OPENAI),
    ("text-embedding-3", OPENAI),
    ("text-embedding-ada", OPENAI),
    ("claude-", ANTHROPIC),
    ("gemini-", VERTEX),
    ("anthropic.", BEDROCK),
    ("amazon.", BEDROCK),
    ("meta.", BEDROCK),
    ("mistral.", BEDROCK),
    ("cohere.", BEDROCK),
    ("ai21.", BEDROCK),
    ("deepseek.", BEDROCK),
    ("us.", BEDROCK),
    ("eu.", BEDROCK),
    ("apac.", BEDROCK),
    ("global.", BEDROCK),
    ("arn:aws:bedrock:", BEDROCK),
];

/// The provider of a model, and the model as that provider names it. `custom` is what `custom_llm_provider` says.
///
/// # Errors
/// The prefix that is not known; `None` where there is none and the name tells nothing.
pub(super) fn find<'a>(model: &'a str, custom: Option<&'a str>) -> Result<(Provider, &'a str), Option<&'a str>> {
    let by_prefix = |prefix: &str| ALL.into_iter().find(|provider| provider.prefix == prefix);
    if let Some(custom) = custom {
        let provider = by_prefix(custom).ok_or(Some(custom))?;
        let own = model.strip_prefix(custom).and_then(|rest| rest.strip_prefix('/'));
        return Ok((provider, own.unwrap_or(model)));
    }
    if let Some((prefix, own)) = model.split_once('/')
        && let Some(provider) = by_prefix(prefix)
    {
        return Ok((provider, own));
    }
    match UNPREFIXED.into_iter().find(|(beginning, _)| model.starts_with(beginning)) {
        Some((_, provider)) => Ok((provider, model)),
        None => Err(model.split_once('/').map(|(prefix, _)| prefix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile;

    #[test]
    fn every_provider_has_a_profile() {
        for provider in ALL {
            let found = profile::find(provider.dialect, Some(provider.profile));
            assert!(!found.is_empty(), "{}", provider.prefix);
            let known = found.iter().any(|profile| profile.known.base_url.is_some()) || provider.base_url.is_some();
            assert_eq!(
                known,
                !matches!(provider.way, Way::Compatible | Way::Azure | Way::Foundry),
                "{}",
                provider.prefix
            );
            assert_eq!(crate::config::names::wrong(provider.vendor), None, "{}", provider.prefix);
        }
    }

    #[test]
    fn a_model_names_its_provider() {
        let check = |model: &str, custom: Option<&str>, expected: Result<(&str, &str), Option<&str>>| {
            let found = find(model, custom).map(|(provider, model)| (provider.prefix, model));
            assert_eq!(found, expected, "{model} {custom:?}");
        };
        check("openai/gpt-4o", None, Ok(("openai", "gpt-4o")));
        check("gpt-4o", None, Ok(("openai", "gpt-4o")));
        check("openai/facebook/opt-125m", None, Ok(("openai", "facebook/opt-125m")));
        check("claude-opus-4-8", None, Ok(("anthropic", "claude-opus-4-8")));
        check("eu.anthropic.claude-x-v1:0", None, Ok(("bedrock", "eu.anthropic.claude-x-v1:0")));
        check("llama-3", Some("groq"), Ok(("groq", "llama-3")));
        check("groq/llama-3", Some("groq"), Ok(("groq", "llama-3")));
        check("sagemaker/x", None, Err(Some("sagemaker")));
        check("mystery", None, Err(None));
        check("m", Some("no-such"), Err(Some("no-such")));
    }
}
