//! Sentences that mean the same whoever says them. Each is long enough that no client's own words hold it by chance.

use crate::base::failure::FailureKind::{
    AccountDenied, AuthKey, BadRequest, ContentFilter, ContextLength, ModelDenied, ModelGone, OverWindow, Overloaded,
    Quota, RateLimited, RegionDenied, ServerError, Unsupported,
};
use crate::base::scope::Scope;
use crate::dialect::signals::rows::FOREIGN_SEAL;
use crate::dialect::signals::rule::Rule;

/// Where a call that is too long is refused; some servers call it their own fault. Not 429: that is the rate limit.
const TOO_LONG: &[u16] = &[0, 200, 400, 403, 404, 413, 422, 500, 502];
/// Where a vendor says that it is full.
const FULL: &[u16] = &[0, 400, 408, 429, 498, 500, 502, 503, 529];

pub(super) const RULES: &[Rule] = &[
    // thoughts that another vendor, account or model sealed, or none where this one wants its own: it takes the conversation
    // without them (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>,
    // <https://ai.google.dev/gemini-api/docs/thought-signatures>)
    Rule::says(
        &[
            "`signature` in `thinking`",
            "expected `thinking`",
            "must start with a thinking block",
            "blocks in the latest assistant message cannot be modified",
            "thought signature is not valid",
            "invalid thought signature",
            "corrupted thought signature",
            "missing a thought_signature",
            "missing a `thought_signature`",
            "encrypted content could not be",
            "without its required following item",
            "without its required 'reasoning' item",
            "items are not persisted when",
        ],
        Unsupported,
        FOREIGN_SEAL,
    )
    .at(&[0, 400, 404, 422]),
    // a vendor that wants every thought back, and another vendor had none: whoever began the turn ends it
    Rule::says(
        &[
            "reasoning_content is missing",
            "missing `reasoning_content`",
            "reasoning_content` in the thinking mode must be",
        ],
        Unsupported,
        "thoughts_missing",
    )
    .at(&[0, 400, 422]),
    // not from here
    Rule::says(
        &[
            "user location is not supported",
            "unsupported_country_region_territory",
            "country, region, or territory not supported",
            "not available in your country",
            "not available in your region",
            "not supported in your country",
            "not supported in your region",
            "unavailable in your region",
            "unavailable in your country",
            "from unsupported countries",
            "banned the country or region",
            "block access from your country",
            "blocked in your country",
            "sanctioned country",
            "embargoed",
            "export control",
            // Groq, to networks and countries that it does not serve
            "please check your network settings",
        ],
        RegionDenied,
        "region",
    ),
    Rule::says(&["for legal reasons", "legal restriction"], RegionDenied, "legal"),
    // not you
    Rule::says(
        &[
            "organization has been disabled",
            "organization has been restricted",
            "organization has been suspended",
            "account has been suspended",
            "account has been disabled",
            "account has been deactivated",
            "account is deactivated",
            "account has been terminated",
            "access was terminated",
            "temporarily blocked because we detected",
            "temporarily blocked due to abuse",
            "subscription is disabled",
        ],
        AccountDenied,
        "suspended",
    ),
    // keys; "invalid API key or insufficient credits" is one of them
    Rule::says(
        &[
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "api key is invalid",
            "api key expired",
            "api key you provided is invalid",
            "api key was reported as leaked",
            "invalid api token",
            "invalid x-api-key",
            "invalid subscription key",
            "invalid authentication credentials",
            "invalid access token",
            "jwt token is invalid",
            "bearer token is invalid",
            "bearer token has expired",
            "token seems invalid",
            "wrong api key",
            "no cookie auth credentials",
            "no auth credentials",
            "missing authentication",
            "no api key supplied",
            "please make sure your api key is valid",
            "authentication fails",
        ],
        AuthKey,
        "key",
    ),
    // money
    Rule::says(
        &[
            "credit balance is too low",
            "insufficient credits",
            "insufficient balance",
            "insufficient funds",
            "enforced_spend_limit_reached",
            "monthly spending limit",
            "used all available credits",
            "doesn't have any credits",
            "requires more credits",
            "credits expired",
            "credits are depleted",
            "monthly included credits",
            "credit limit exceeded",
            "reached your specified api usage limits",
            "key limit exceeded",
            "failure to pay past invoices",
            "account is not active",
            "in good standing",
            "inactive subscription",
            "valid credit card on file",
            "daily free allocation",
            "weekly usage limit",
            "hourly usage limit",
            "api calls / month",
        ],
        Quota,
        "money",
    ),
    Rule::says(&["exceeded your current quota"], Quota, "money").and(&["billing"]).at(&[0, 402, 403, 429]),
    Rule::says(&["is suspended"], Quota, "money").and(&["billing", "balance", "spending", "quota", "recharge"]),
    Rule::says(&["account", "organization", "project"], AccountDenied, "suspended")
        .and(&["is suspended", "has been suspended", "was suspended", "is currently blocked", "has been banned"])
        .at(&[0, 400, 401, 403]),
    // OpenRouter's free models, for today
    Rule::says(&["free-models-per-day"], Quota, "daily_quota").within(Scope::Model),
    // throttled
    Rule::says(&["request too large for"], OverWindow, "over_window").and(&["limit "]).at(&[0, 413, 429]),
    Rule::says(
        &[
            "overloaded",
            "high demand",
            "high traffic",
            "at capacity",
            "over capacity",
            "system capacity limits",
            "capacity temporarily exceeded",
        ],
        Overloaded,
        "overloaded",
    )
    .at(FULL),
    Rule::says(
        &["is temporarily rate-limited", "rate limit reached", "rate limit exceeded", "rate limit is exceeded"],
        RateLimited,
        "rate_limited",
    )
    .at(&[0, 400, 403, 429, 500, 503]),
    // too long
    Rule::says(
        &[
            "maximum context length",
            "maximum prompt length",
            "maximum model length",
            "maximum supported sequence length",
            "maximum input length",
            "maximum number of tokens allowed",
            "context window",
            "context length exceeded",
            "exceed context limit",
            "exceeds the context length",
            "exceeds the available context size",
            "prompt is too long",
            "input is too long",
            "prompt too long",
            "input token length too long",
            "reduce the length of",
            "too many tokens",
            "too many total text bytes",
            "input token count",
            "input tokens exceed",
            "number of input tokens exceeds",
            "exceeded model token limit",
            "total length of all messages is too long",
            "length limit exceeded",
            "range of input length should be",
            "max_new_tokens` must be <=",
            "max_tokens must be at least 1, got -",
            "request entity too large",
            "payload too large",
            "request body too large",
            "token limit reached",
            "token limit exceeded",
            "greater than the context length",
            "context length of only",
            "token count of",
            "request exceeds the maximum size",
            "context overflow",
            "string too long",
        ],
        ContextLength,
        "context_length",
    )
    .at(TOO_LONG),
    // content
    Rule::says(
        &[
            "content violates",
            "content management policy",
            "content filtering policy",
            "content policy",
            "our content filters",
            "our safety system",
            "blocked by guardrail",
            "responsibleaipolicyviolation",
            "usage guidelines",
            "violating our usage policy",
            "violate our usage policies",
            "content exists risk",
            "considered high risk",
            "inappropriate content",
            "input was flagged",
            "prompt was flagged",
            "sensitive content",
            "flagged_input",
            "violates our safety",
        ],
        ContentFilter,
        "content_filter",
    ),
    // not this model, for you
    Rule::says(
        &[
            "not allowed to sample from this model",
            "must be verified to",
            "you don't have access to the model",
            "do not have permission to access the model",
            "is restricted and you are not in the authorized list",
            "cannot access gated repo",
            "this model requires a subscription",
            "databricks-set rate limit of 0",
            "use case details have not been submitted",
        ],
        ModelDenied,
        "no_access",
    ),
    Rule::says(&["does not have access to model", "not have access to the model"], ModelDenied, "no_access"),
    // not in this region: another of the vendor's may have it
    Rule::says(&["is not servable in region"], ModelGone, "not_in_region").within(Scope::Model),
    // what this model cannot do
    Rule::says(
        &[
            "not supported with this model",
            "not supported with the ",
            "not supported in this model",
            "not supported in the ",
            "is not supported for this model",
            "is not supported by the model",
            "is not supported by this model",
            "not supported by model",
            "not supported on this model",
            "not available for this model",
            "does not support",
            "doesn't support",
            "exceeds the model limit",
            "exceed the model limit",
            "maximum allowed number of output tokens",
            "isn't supported",
            "no endpoints found that support",
            "model which does not have the",
            "is not enabled for",
            "not a chat model",
            "only supported in v1/",
            "is not a multimodal model",
            "only works in thinking mode",
            "operation does not work with the specified model",
            "mime type: 'application/json' is unsupported",
            "tool choice requires --enable-auto-tool-choice",
            "tools param requires --jinja",
            "image input is not supported",
            "response_format type is unavailable",
            "at most 0 image",
            "prefill",
        ],
        Unsupported,
        "capability",
    )
    .at(&[0, 400, 404, 405, 415, 422, 500, 501]),
    // not this model, for anyone
    Rule::says(
        &[
            "has been deprecated",
            "was deprecated on",
            "is deprecated",
            "was removed on",
            "decommissioned",
            "end of its life",
            "reached its end of life",
            "has been retired",
            "is retired",
            "no longer available",
            "no longer supported",
            "has been discontinued",
            "marked by provider as legacy",
        ],
        ModelGone,
        "retired",
    )
    .and(&["model", "engine", "deployment"])
    .at(&[0, 400, 403, 404, 410, 422]),
    Rule::says(
        &[
            "no endpoints found",
            "no allowed providers are available",
            "is not a valid model id",
            "model identifier is invalid",
            "model not found",
            "model not exist",
            "model_not_found",
            "invalid model",
            "unknown model",
            "not found the model",
            "no such model",
            "unable to access model",
            "unable to access non-serverless model",
            "you do not have access to it",
            "not supported by any provider",
            "deployment for this resource does not exist",
            "endpoint with name",
        ],
        ModelGone,
        "unknown_model",
    )
    .at(&[0, 400, 403, 404, 410, 422]),
    Rule::says(&["model"], ModelGone, "unknown_model")
        .and(&["does not exist", "not found", "is not available", "not deployed", "try pulling it"])
        .at(&[404, 410]),
    Rule::says(&["the model ", "the requested model "], ModelGone, "unknown_model")
        .and(&["does not exist"])
        .at(&[400, 422]),
    // a limit of JSON schemas is the client's to keep, any other lack is the model's
    Rule::says(&["property '", "properties '"], BadRequest, "schema").and(&["is not supported", "are not supported"]),
    Rule::says(
        &[
            "is not supported",
            "are not supported",
            "not currently supported",
            "unsupported parameter",
            "unsupported value",
        ],
        Unsupported,
        "capability",
    )
    .at(&[0, 400, 404, 405, 415, 422, 501]),
    Rule::says(&["max_tokens is too large", "supports at most"], Unsupported, "max_tokens")
        .and(&["completion tokens", "output tokens"])
        .at(&[0, 400, 422]),
    // an id that the client brought: nothing is missing at the vendor
    Rule::says(
        &[
            "previous response",
            "previous_response",
            "no such file",
            "file not found",
            "file_",
            "file-",
            "container",
            "conversation",
            "item with id",
            "vector store",
            "assistant",
            "thread",
            "cached content",
            "cachedcontent",
        ],
        BadRequest,
        "unknown_id",
    )
    .at(&[404]),
    // still waking up, or full
    Rule::says(
        &[
            "is currently loading",
            "loading model",
            "not ready yet",
            "no slots available",
            "server busy",
            "too busy",
            "maximum pending requests",
        ],
        Overloaded,
        "loading",
    )
    .always(),
    Rule::says(
        &["getting throttled", "service capacity limit", "service overloaded", "no available model provider"],
        Overloaded,
        "overloaded",
    )
    .always(),
    Rule::says(&["upstream request timeout", "timed out", "deadline exceeded"], ServerError, "timeout")
        .at(&[0, 408, 504, 524]),
];
