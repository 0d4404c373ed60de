//! Vendors that speak OpenAI's dialects in their own ways, from their documentation and from recorded traffic.

use super::quirks::{Efforts, Member, Members, Quirks, ToolCallIds};
use super::{Known, OPENAI, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS, OPENAI_RESPONSES, Profile};
use crate::call::needs::{Capabilities, Need, Needs};

/// What OpenAI alone does: a compatible vendor overlooks what asks for it, which a client would not notice.
const COMPATIBLE: Capabilities = OPENAI
    .capabilities
    .minus(Needs::of(&[
        Need::Stores,
        Need::HostedTools,
        Need::ServerIds,
        Need::Prediction,
        Need::ServiceTier,
        Need::Audio,
    ]))
    .minus(Needs::of(&[Need::Documents]));

/// A vendor that is not listed: what compatible servers have in common, to be corrected by `[vendor.NAME.quirks]`.
pub const GENERIC: Profile = Profile {
    name: "generic",
    max_tokens_member: "max_tokens",
    quirks: Quirks::COMPATIBLE,
    known: Known::NOTHING,
    capabilities: COMPATIBLE,
    ..OPENAI
};

/// Mistral refuses every member that it does not list, ids of tool calls that are not nine letters and digits
/// (recording `0e34c8f9e53ee75d`), and system texts behind an answer (`ff6d87e3a1a0866d`). Usage comes with the last
/// choice of every stream (`2c256e6842c5a058`). It takes the beginning of an answer (`prefix` in its API's reference), and the
/// answer begins with that (llm-mistral's issue 18, SillyTavern's 2557).
pub const MISTRAL: Profile = Profile {
    name: "mistral",
    usage_on_request: false,
    quirks: Quirks {
        strict_members: true,
        refused_members: Members::NONE.and(Member::User).and(Member::Name).and(Member::StreamOptions),
        late_system: false,
        tool_call_ids: ToolCallIds::NineAlphanumerics,
        efforts: Efforts::of(&["none", "high"]),
        strict_max_tokens: true,
        prefix: true,
        ..Quirks::COMPATIBLE
    },
    known: Known::at("https://api.mistral.ai/v1", "FR", "mistral"),
    capabilities: COMPATIBLE.minus(Needs::of(&[Need::Seed, Need::Logprobs, Need::LogitBias])).with(Need::Documents),
    ..GENERIC
};

/// Groq tells usage in every stream, under `x_groq` too (recording `045e91b73ba4680c`), and refuses a speaker's name
/// (<https://console.groq.com/docs/openai>).
pub const GROQ: Profile = Profile {
    name: "groq",
    usage_on_request: false,
    max_tokens_member: "max_completion_tokens",
    quirks: Quirks {
        refused_members: Members::NONE.and(Member::Name),
        developer_role: true,
        efforts: Efforts::of(&["none", "default", "low", "medium", "high"]),
        strict_max_tokens: true,
        ..Quirks::COMPATIBLE
    },
    known: Known::at("https://api.groq.com/openai/v1", "US", "groq"),
    capabilities: COMPATIBLE
        .minus(Needs::of(&[Need::Choices, Need::Logprobs, Need::LogitBias]))
        .with(Need::ServiceTier),
    ..GENERIC
};

/// xAI counts reasoning beside the answer (recording `609ee901abf98e02`), which its total shows.
pub const XAI: Profile = Profile {
    name: "xai",
    max_tokens_member: "max_completion_tokens",
    quirks: Quirks { developer_role: true, ..Quirks::COMPATIBLE },
    known: Known::at("https://api.x.ai/v1", "US", "xai"),
    capabilities: COMPATIBLE.without(Need::LogitBias),
    ..GENERIC
};

/// DeepSeek follows no schema, only JSON; it sends comments while a call waits
/// (<https://api-docs.deepseek.com/quick_start/rate_limit>).
pub const DEEPSEEK: Profile = Profile {
    name: "deepseek",
    known: Known::at("https://api.deepseek.com", "CN", "deepseek"),
    capabilities: COMPATIBLE.minus(Needs::of(&[
        Need::JsonSchema,
        Need::Images,
        Need::Choices,
        Need::Seed,
        Need::LogitBias,
    ])),
    ..GENERIC
};

/// Cerebras answers 400 to members that it does not support (<https://inference-docs.cerebras.ai/resources/openai>), and
/// ends streams without a terminator (recording `6e23dce7d27231f8`).
pub const CEREBRAS: Profile = Profile {
    name: "cerebras",
    max_tokens_member: "max_completion_tokens",
    known: Known::at("https://api.cerebras.ai/v1", "US", "cerebras"),
    capabilities: COMPATIBLE.minus(Needs::of(&[Need::Choices, Need::LogitBias, Need::Penalties])),
    ..GENERIC
};

/// Together ends an answer with `eos` (recording `2db78c718bd342cb`).
pub const TOGETHER: Profile = Profile {
    name: "together",
    known: Known::at("https://api.together.xyz/v1", "US", "togetherai"),
    capabilities: COMPATIBLE.with(Need::TopK),
    ..GENERIC
};

/// Fireworks; of no recording.
pub const FIREWORKS: Profile = Profile {
    name: "fireworks",
    known: Known::at("https://api.fireworks.ai/inference/v1", "US", "fireworks-ai"),
    capabilities: COMPATIBLE.with(Need::TopK),
    ..GENERIC
};

/// OpenRouter passes on to others: it writes comments while a call waits (recording `071171b479346e82`), tells an error
/// beside choices (`e4f3ed8ea16dc80b`), and takes what its vendors take.
pub const OPENROUTER: Profile = Profile {
    name: "openrouter",
    quirks: Quirks { developer_role: true, tool_result_images: true, ..Quirks::COMPATIBLE },
    known: Known::at("https://openrouter.ai/api/v1", "US", "openrouter"),
    capabilities: COMPATIBLE.with(Need::TopK).with(Need::Documents).with(Need::Audio).with(Need::Prediction),
    ..GENERIC
};

/// Perplexity searches the web for every answer and calls no tools; its streams end without a terminator (recording
/// `52402ff6ea45c7aa`).
pub const PERPLEXITY: Profile = Profile {
    name: "perplexity",
    usage_on_request: false,
    quirks: Quirks { late_system: false, stops: 0, ..Quirks::COMPATIBLE },
    known: Known::at("https://api.perplexity.ai", "US", "perplexity"),
    capabilities: COMPATIBLE
        .minus(Needs::of(&[Need::Tools, Need::Choices, Need::Seed, Need::Logprobs, Need::LogitBias]))
        .with(Need::HostedTools),
    ..GENERIC
};

/// Cohere at its endpoint of OpenAI's dialect (<https://docs.cohere.com/docs/compatibility-api>), not its own v2. It
/// refuses `stream_options`; the rest of what it does not know it says so or overlooks.
pub const COHERE: Profile = Profile {
    name: "cohere",
    usage_on_request: false,
    quirks: Quirks {
        refused_members: Members::NONE.and(Member::StreamOptions).and(Member::ParallelToolCalls).and(Member::User),
        developer_role: true,
        efforts: Efforts::of(&["none", "high"]),
        strict_max_tokens: true,
        ..Quirks::COMPATIBLE
    },
    known: Known::at("https://api.cohere.ai/compatibility/v1", "CA", "cohere"),
    capabilities: COMPATIBLE.minus(Needs::of(&[Need::Choices, Need::LogitBias, Need::Logprobs])),
    ..GENERIC
};

/// The router of Hugging Face, which passes on to others.
pub const HUGGINGFACE: Profile = Profile {
    name: "huggingface",
    known: Known::at("https://router.huggingface.co/v1", "US", "huggingface"),
    ..GENERIC
};

/// z.ai says with 429 and code 1305 that it is overloaded (recording `35c0368e8b74c8e4`).
pub const ZAI: Profile = Profile {
    name: "zai",
    quirks: Quirks { stops: 1, ..Quirks::COMPATIBLE },
    known: Known::at("https://api.z.ai/api/paas/v4", "CN", "zai"),
    capabilities: COMPATIBLE.minus(Needs::of(&[
        Need::JsonSchema,
        Need::Choices,
        Need::Logprobs,
        Need::LogitBias,
        Need::Penalties,
    ])),
    ..GENERIC
};

/// Ollama overlooks a forced tool, several choices and biases (<https://docs.ollama.com/api/openai-compatibility>).
pub const OLLAMA: Profile = Profile {
    name: "ollama",
    quirks: Quirks {
        refused_members: Members::NONE.and(Member::ForcedTools).and(Member::ParallelToolCalls),
        efforts: Efforts::of(&["none", "low", "medium", "high"]),
        tool_result_images: true,
        ..Quirks::COMPATIBLE
    },
    known: Known { base_url: Some("http://127.0.0.1:11434/v1"), ..Known::NOTHING },
    capabilities: COMPATIBLE.minus(Needs::of(&[Need::Choices, Need::LogitBias])),
    ..GENERIC
};

/// llama.cpp's own server.
pub const LLAMACPP: Profile = Profile {
    name: "llamacpp",
    known: Known { base_url: Some("http://127.0.0.1:8080/v1"), ..Known::NOTHING },
    capabilities: COMPATIBLE.with(Need::TopK),
    ..GENERIC
};

/// vLLM's own server; of no recording.
pub const VLLM: Profile = Profile {
    name: "vllm",
    max_tokens_member: "max_completion_tokens",
    quirks: Quirks { developer_role: true, strict_max_tokens: true, ..Quirks::COMPATIBLE },
    known: Known { base_url: Some("http://127.0.0.1:8000/v1"), ..Known::NOTHING },
    capabilities: COMPATIBLE.with(Need::TopK).with(Need::Audio),
    ..GENERIC
};

/// The same vendor's vectors.
const fn embeddings(of: Profile) -> Profile {
    Profile { name: of.name, quirks: of.quirks, known: of.known, ..OPENAI_EMBEDDINGS }
}

/// The same vendor's legacy completions.
const fn completions(of: Profile) -> Profile {
    Profile { name: of.name, quirks: of.quirks, known: of.known, ..OPENAI_COMPLETIONS }
}

/// The same vendor's Responses, at vendors that keep nothing and say so in their answers (recordings of DeepSeek and OpenRouter).
const fn responses(of: Profile) -> Profile {
    let capabilities = of.capabilities.minus(Needs::all().minus(OPENAI_RESPONSES.capabilities)).with(Need::Stores);
    Profile { name: of.name, quirks: of.quirks, known: of.known, capabilities, ..OPENAI_RESPONSES }
}

/// xAI keeps answers unless it is told not to, searches, and seals its reasoning.
const XAI_RESPONSES: Profile = Profile {
    capabilities: responses(XAI).capabilities.with(Need::SignedReasoning).with(Need::HostedTools).with(Need::ServerIds),
    ..responses(XAI)
};

/// OpenRouter passes on the seals of whoever answers.
const OPENROUTER_RESPONSES: Profile =
    Profile { capabilities: responses(OPENROUTER).capabilities.with(Need::SignedReasoning), ..responses(OPENROUTER) };

/// What they speak beside chat.
pub const FURTHER: [Profile; 22] = [
    XAI_RESPONSES,
    responses(DEEPSEEK),
    OPENROUTER_RESPONSES,
    embeddings(GENERIC),
    completions(GENERIC),
    embeddings(MISTRAL),
    embeddings(TOGETHER),
    completions(TOGETHER),
    embeddings(FIREWORKS),
    completions(FIREWORKS),
    embeddings(OPENROUTER),
    completions(OPENROUTER),
    embeddings(COHERE),
    embeddings(PERPLEXITY),
    embeddings(HUGGINGFACE),
    completions(CEREBRAS),
    embeddings(OLLAMA),
    completions(OLLAMA),
    embeddings(LLAMACPP),
    completions(LLAMACPP),
    embeddings(VLLM),
    completions(VLLM),
];

/// Every one of them.
pub const PROFILES: [&Profile; 16] = [
    &GENERIC,
    &MISTRAL,
    &GROQ,
    &XAI,
    &DEEPSEEK,
    &CEREBRAS,
    &TOGETHER,
    &FIREWORKS,
    &OPENROUTER,
    &PERPLEXITY,
    &COHERE,
    &HUGGINGFACE,
    &ZAI,
    &OLLAMA,
    &LLAMACPP,
    &VLLM,
];
