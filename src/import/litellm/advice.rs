//! What to do instead, for members that no setting of ours stands for.

/// What is said of a member that nobody knows.
const UNKNOWN: &str = "Backstay has no such setting; docs/configuration.md has all that there are";

const QUOTA: &str = "vendors' quotas are read from their answers; `limit` of a key or team bounds what clients may do";
const PARAMETER: &str = "a call goes out as the client wrote it: let clients send it";
const HEADERS: &str = "no headers are added to calls; let the vendor know the account by its key";
const ATTEMPTS: &str =
    "`attempts` of a pool counts all attempts of a call; what follows each failure is in docs/signals.md";
const CACHE: &str = "answers are not cached; vendors' own prompt caches are used, and `x-session-id` keeps sessions where they are warm";
const SHARED: &str = "each process keeps its own state, in `[state]`; there is nothing to share it by";
const LOGS: &str = "there are an access log, metrics at /metrics and a decision log: docs/operations.md, docs/audit.md";
const KEYS: &str = "keys and teams are tables of the config: [key.NAME], [team.NAME], with budget, limit and models";
const ALERTS: &str = "write [alerts] with a webhook: docs/operations.md";
const POLICY: &str = "rules about who may send what where are policies: docs/policy.md";
const AWS: &str = "no role is assumed and no profile read: keep what `aws configure export-credentials` prints in the credential's file";
const TAGS: &str = "calls are told apart by their key: give keys their `models`, or write a policy";
const LENGTH: &str = "a call that a model cannot take is refused as a candidate by itself: list larger models in the pool, where they also serve when others fail";
const OTHER_PRICES: &str = "prices are by the token, with dated books and tiers in prices.toml: docs/prices.md";

const CAPABILITIES: &str = "what models can do comes with the program; `lacks` and `offers` of [deployment] correct it";

/// Members by section, with what to do instead; `*` is any section.
const ADVICE: [(&str, &[&str], &str); 32] = [
    ("*", &["rpm", "tpm", "itpm", "otpm", "default_max_parallel_requests", "max_parallel_requests"], QUOTA),
    ("litellm_params", &["default_api_key_rpm_limit", "default_api_key_tpm_limit"], QUOTA),
    ("litellm_params", &["weight"], "calls are not spread by weight: a tier is asked as its pool's `order` says"),
    ("litellm_params", &["extra_headers", "headers", "organization", "default_headers"], HEADERS),
    (
        "litellm_params",
        &[
            "temperature",
            "max_tokens",
            "max_completion_tokens",
            "top_p",
            "seed",
            "stop",
            "n",
            "user",
            "stream",
            "tools",
            "response_format",
            "reasoning_effort",
            "thinking",
            "frequency_penalty",
            "presence_penalty",
            "extra_body",
            "allowed_openai_params",
            "safety_settings",
            "metadata",
            "cache_control_injection_points",
        ],
        PARAMETER,
    ),
    (
        "*",
        &["drop_params", "additional_drop_params", "modify_params"],
        "what a vendor cannot honour makes it no candidate for the call; nothing is dropped",
    ),
    ("*", &["max_retries", "num_retries", "retry_policy", "model_group_retry_policy", "retry_after"], ATTEMPTS),
    (
        "*",
        &["allowed_fails_policy", "disable_cooldowns"],
        "`breaker` of a pool says when a deployment is left; what counts as whose fault is in docs/operations.md",
    ),
    ("litellm_params", &["tags"], TAGS),
    ("*", &["enable_tag_filtering", "tag_filtering_match_any"], TAGS),
    (
        "litellm_params",
        &["max_budget", "budget_duration"],
        "`budget` is of a key or team; a deployment that grew too expensive is left by `max_price` and `surge`",
    ),
    ("router_settings", &["provider_budget_config"], "`budget` is of a key or team: docs/budgets.md"),
    (
        "litellm_params",
        &[
            "aws_role_name",
            "aws_session_name",
            "aws_profile_name",
            "aws_web_identity_token",
            "aws_sts_endpoint",
            "aws_external_id",
        ],
        AWS,
    ),
    (
        "litellm_params",
        &["ssl_verify", "verify"],
        "certificates are always verified; `ca_file` adds an authority of your own",
    ),
    ("litellm_params", &["mock_response"], "`backstay demo` has simulated vendors"),
    ("litellm_params", &["use_in_pass_through"], "what a vendor offers beside calls passes by `vendor_paths` of a key"),
    ("model_info", &["base_model"], "write what it is known for into [deployment]: price, context, max_output, lacks"),
    ("model_info", &["access_groups", "team_id"], "`models` of a key says which pools it may ask for"),
    ("*", &["context_window_fallbacks", "enable_pre_call_checks", "enable_pre_call_check"], LENGTH),
    ("*", &["content_policy_fallbacks"], "a refusal is an answer, and reaches the client as the vendor gave it"),
    ("*", &["max_fallbacks"], "`attempts` of a pool bounds how far a call moves"),
    ("*", &["cache", "cache_params", "cache_responses", "cache_kwargs", "caching_groups"], CACHE),
    ("*", &["redis_host", "redis_port", "redis_password", "redis_url", "redis_db", "redis_startup_nodes"], SHARED),
    (
        "*",
        &[
            "callbacks",
            "success_callback",
            "failure_callback",
            "service_callbacks",
            "callback_settings",
            "set_verbose",
            "json_logs",
            "debug_level",
            "turn_off_message_logging",
            "redact_user_api_key_info",
            "langfuse_default_tags",
            "store_prompts_in_spend_logs",
            "disable_spend_logs",
            "maximum_spend_logs_retention_period",
        ],
        LOGS,
    ),
    (
        "general_settings",
        &[
            "database_url",
            "database_connection_pool_limit",
            "database_connection_timeout",
            "store_model_in_db",
            "allow_requests_on_db_unavailable",
            "custom_auth",
            "enable_jwt_auth",
            "litellm_jwtauth",
            "key_management_system",
            "key_management_settings",
            "user_api_key_cache_ttl",
            "proxy_batch_write_at",
            "disable_spend_updates",
        ],
        KEYS,
    ),
    (
        "litellm_settings",
        &[
            "max_budget",
            "budget_duration",
            "default_team_settings",
            "default_internal_user_params",
            "key_generation_settings",
            "upperbound_key_generate_params",
        ],
        KEYS,
    ),
    (
        "general_settings",
        &["alerting", "alerting_threshold", "alert_types", "alert_to_webhook_url", "alerting_args"],
        ALERTS,
    ),
    (
        "general_settings",
        &["global_max_parallel_requests"],
        "`limit` of a key or team has `concurrency`; [server] has `max_connections`",
    ),
    (
        "general_settings",
        &["pass_through_endpoints"],
        "what a vendor offers beside calls passes by `vendor_paths` of a key",
    ),
    (
        "general_settings",
        &["background_health_checks", "health_check_interval"],
        "`probe` and `probe_every` of a pool: only what is out is probed",
    ),
    ("", &["guardrails"], POLICY),
    ("", &["include"], "import each file by itself, or join them first"),
];

/// What to do instead of a member of a section.
pub(super) fn of(section: &str, member: &str) -> &'static str {
    let row = ADVICE.iter().find(|(of, names, _)| (*of == "*" || *of == section) && names.contains(&member));
    match row {
        Some((.., advice)) => advice,
        None if member.contains("cost") => OTHER_PRICES,
        None if member.starts_with("supports_") => CAPABILITIES,
        None => UNKNOWN,
    }
}
