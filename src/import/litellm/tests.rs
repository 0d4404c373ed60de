use super::*;

/// The import of a file, where these variables are set.
fn import(text: &str, set: &[(&str, &str)]) -> Result<Import, Vec<Diagnostic>> {
    let variable = |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
    read(Path::new("config.yaml"), text, &variable)
}

/// One entry of a pool `m` with these parameters, and what stands beside `model_list`.
fn one(params: &str, beside: &str) -> String {
    format!("model_list:\n- model_name: m\n  litellm_params: {{{params}}}\n{beside}\n")
}

/// Imports a file and looks for parts of the config and of what was told, each of which must be there.
fn check(text: &str, config: &[&str], told: &[&str]) {
    let import = import(text, &[]).unwrap_or_else(|found| panic!("{text}: {found:?}"));
    let _: toml::Table = import.config.parse().unwrap_or_else(|error| panic!("{error}: {}", import.config));
    // columns are aligned for people
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let written = plain(&import.config);
    for part in config {
        assert!(written.contains(&plain(part)), "`{part}` is not in\n{}", import.config);
    }
    let all: String = import.findings.iter().map(|found| format!("{found}\n")).collect();
    for part in told {
        assert!(all.contains(part), "`{part}` is not in\n{all}");
    }
}

#[test]
fn providers_become_vendors() {
    let check = |params: &str, config: &[&str]| check(&one(params, ""), config, &[]);
    check("model: gpt-4o", &["[vendor.openai]", "env = \"OPENAI_API_KEY\"", "seat = \"US\"", "[\"openai/gpt-4o\"]"]);
    check("model: openai/responses/gpt-5", &["[\"openai/gpt-5\"]"]);
    check("model: llama, custom_llm_provider: groq", &["profile = \"groq\"", "[\"groq/llama\"]"]);
    check("model: mistral/mistral-large-latest", &["seat = \"FR\"", "region = \"unknown\"", "MISTRAL_API_KEY"]);
    check("model: deepseek/deepseek-chat", &["seat = \"CN\"", "base_url = \"https://api.deepseek.com\""]);
    check("model: moonshot/kimi-k2", &["profile = \"generic\"", "https://api.moonshot.ai/v1", "seat = \"unknown\""]);
    check("model: ollama/x", &["base_url = \"http://127.0.0.1:11434/v1\"", "[\"ollama/x\"]"]);
    check(
        "model: openai/x, api_base: 'https://eu.api.openai.com/v1'",
        &["[vendor.openai]", "region = \"eu\"", "seat = \"US\""],
    );
    check(
        "model: anthropic/x, api_base: 'https://proxy.corp.example/'",
        &["[vendor.proxy-corp-example]", "dialect = \"anthropic\"", "seat = \"unknown\""],
    );
    check(
        "model: openai/x, api_base: 'http://127.0.0.1:1/v1', api_key: none",
        &["[vendor.local]", "region = \"unknown\"\n\n[pool.m]"],
    );
    check(
        "model: azure_ai/claude-opus-4-8, api_base: 'https://corp.services.ai.azure.com/'",
        &["dialect = \"anthropic\"", "base_url = \"https://corp.services.ai.azure.com/anthropic\""],
    );
    check(
        "model: azure_ai/mistral-large, api_base: 'https://corp.services.ai.azure.com/models'",
        &["profile = \"azure\"", "base_url = \"https://corp.services.ai.azure.com\""],
    );
    check(
        "model: azure_ai/phi, api_base: 'https://phi.eastus.models.ai.azure.com'",
        &["profile = \"generic\"", "base_url = \"https://phi.eastus.models.ai.azure.com/v1\""],
    );
    check("model: gpt-4o, region_name: eu", &["region = \"us\""]);
    check(
        "model: hosted_vllm/x, api_base: 'http://192.168.1.5:8000/v1'",
        &["\"https://192.168.1.5:8000/v1\"", "allow_private = true"],
    );
    check(
        "model: bedrock/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x.y, api_key: os.environ/B",
        &[
            "region = \"eu-west-1\"",
            "env = \"B\"",
            "\"aws/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x.y\"",
        ],
    );
}

#[test]
fn times_prices_and_limits_are_carried() {
    let info = |info: &str| format!("  model_info: {{{info}}}");
    let check = |params: &str, about: &str, config: &[&str], told: &[&str]| {
        check(&one(&format!("model: gpt-4o{params}"), &info(about)), config, told);
    };
    check(
        ", timeout: 30.5, stream_timeout: 4",
        "",
        &["timeouts = { answer = \"30500ms\", first_content = \"4s\", headers = \"4s\" }"],
        &[],
    );
    check(
        ", input_cost_per_token: 2.5e-06, output_cost_per_token: 0.00001",
        "",
        &["price = { input = 2.5, output = 10.0 }"],
        &[],
    );
    check(
        "",
        "input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, cache_read_input_token_cost: 1e-7",
        &["price = { cached = 0.1, input = 1.0, output = 2.0 }"],
        &[],
    );
    check(", input_cost_per_token: 1e-6", "", &[], &["a price of which a part is missing"]);
    check(
        ", input_cost_per_token: 5, output_cost_per_token: -1",
        "",
        &[],
        &["`input_cost_per_token` is no price", "`output_cost_per_token` is no price"],
    );
    check(
        "",
        "max_input_tokens: 128_000, max_tokens: 4096, supports_vision: false, supports_pdf_input: true",
        &["context = 128000", "max_output = 4096", "lacks = [\"images\"]", "offers = [\"documents\"]"],
        &[],
    );
    check(
        ", order: first, timeout: soon",
        "max_tokens: many",
        &[],
        &["`order` is no such number", "`timeout` is no time", "`max_tokens` is no such number"],
    );
}

#[test]
fn every_member_is_carried_or_told() {
    let text = one(
        "model: gpt-4o, rpm: 5, weight: 2, seed: 1, frobnicate: x",
        "  model_info: {base_model: x, supports_frob: true}\n  tpm: 7\nrouter_settings: {retry_policy: {A: 1}, frob: 1}\nlitellm_settings: {cache: true}\ngeneral_settings: [x]\nguardrails: []\ncallback_settings: {a: 1}",
    );
    let members = [
        "litellm_params.rpm",
        "litellm_params.weight",
        "litellm_params.seed",
        "litellm_params.frobnicate",
        "model_info.base_model",
        "model_info.supports_frob",
        "model_list.tpm",
        "router_settings.retry_policy",
        "router_settings.frob",
        "litellm_settings.cache",
        "guardrails",
        "callback_settings",
    ];
    let told: Vec<String> = members.iter().map(|member| format!("`{member}` is not carried")).collect();
    let told: Vec<&str> = told.iter().map(String::as_str).chain(["`general_settings` is a list"]).collect();
    check(&text, &told, &told);
}

#[test]
fn strategies_retries_and_cooldowns_become_settings_of_pools() {
    let two = |settings: &str| {
        format!(
            "model_list:\n- {{model_name: m, litellm_params: {{model: gpt-4o}}}}\n- {{model_name: m, litellm_params: {{model: groq/x}}}}\nrouter_settings: {{{settings}}}\n"
        )
    };
    let check = |settings: &str, config: &[&str], told: &[&str]| check(&two(settings), config, told);
    check("routing_strategy: latency-based-routing", &["order = \"latency\""], &[]);
    check("routing_strategy: cost-based-routing", &["order = \"price\""], &[]);
    check("routing_strategy: least-busy", &["order = \"latency\""], &["`least-busy` is not carried as it is"]);
    check("routing_strategy: usage-based-routing-v2", &[], &["passed over while their vendor's quota"]);
    check("routing_strategy: simple-shuffle", &[], &["config.yaml:4:37: warning: calls are not spread evenly"]);
    check("routing_strategy: dice", &[], &["the strategy `dice` is not known"]);
    check("num_retries: 0", &["attempts = 1"], &[]);
    check(
        "num_retries: 50, timeout: 20, stream_timeout: 5",
        &["attempts = 10", "timeouts = { answer = \"20s\", first_content = \"5s\", headers = \"5s\" }"],
        &[],
    );
    check(
        "allowed_fails: 0, cooldown_time: 300",
        &["breaker = { cap = \"300s\", consecutive = 1, open = \"300s\" }"],
        &[],
    );
    check(
        "cooldown_time: 0, num_retries: lots",
        &[],
        &["`cooldown_time` is no time to wait", "`num_retries` is no such number"],
    );
}

#[test]
fn tiers_are_orders_and_then_fallbacks() {
    let list = "model_list:
- {model_name: a, litellm_params: {model: openai/a1}}
- {model_name: a, litellm_params: {model: openai/a2, order: 2}}
- {model_name: a, litellm_params: {model: openai/a3, order: 1}}
- {model_name: a, litellm_params: {model: openai/a4, order: 2}}
- {model_name: b, litellm_params: {model: openai/b}, model_info: {id: the-b}}
- {model_name: c, litellm_params: {model: openai/c}}
- {model_name: c, litellm_params: {model: openai/c}}
- {model_name: d, litellm_params: {model: openai/a3}}
";
    let check = |settings: &str, config: &[&str], told: &[&str]| {
        check(&format!("{list}router_settings: {{{settings}}}\n"), config, told);
    };
    let own = "\"openai/a3\", [\"openai/a2\", \"openai/a4\"], \"openai/a1\"";
    check("", &[&format!("[pool.a]\ndeployments = [{own}]")], &["\"openai/c\" stands twice in \"c\""]);
    check(
        "fallbacks: [{a: [b]}, {b: [c]}]",
        &[&format!("[pool.a]\ndeployments = [{own}, \"openai/b\", \"openai/c\"]")],
        &[],
    );
    check("fallbacks: [{a: [b]}, {b: [a]}]", &["[pool.b]\ndeployments = [\"openai/b\", \"openai/a3\""], &[]);
    check(
        "fallbacks: [{c: [the-b, d]}]",
        &["[pool.c]\ndeployments = [\"openai/c\", \"openai/b\", \"openai/a3\"]"],
        &[],
    );
    check(
        "fallbacks: [{c: [x]}], model_group_alias: {x: b}",
        &["[pool.c]\ndeployments = [\"openai/c\", \"openai/b\"]", "aliases = [\"x\"]"],
        &[],
    );
    check(
        "default_fallbacks: [d], fallbacks: [{c: [b]}]",
        &["[pool.b]\ndeployments = [\"openai/b\", \"openai/a3\"]", "[pool.d]\ndeployments = [\"openai/a3\"]"],
        &[],
    );
    check("fallbacks: [{'*': [d]}]", &["[pool.c]\ndeployments = [\"openai/c\", \"openai/a3\"]"], &[]);
    check("num_retries: 1, fallbacks: [{c: [b]}]", &["deployments = [\"openai/c\", \"openai/b\"]\nattempts = 3"], &[]);
    check(
        "fallbacks: [{c: [nobody]}, {ghost: [b]}]",
        &[],
        &["calls would move to \"nobody\"", "fallbacks of \"ghost\""],
    );
    check(
        "fallbacks: [{c: [{model: b, messages: []}]}]",
        &["[\"openai/c\", \"openai/b\"]"],
        &["parameters of a fallback"],
    );
    check("fallbacks: [], default_fallbacks: [], model_group_alias: {}", &[&format!("deployments = [{own}]")], &[]);
    check("fallbacks: nonsense", &[], &["`fallbacks` holds a single value"]);
    check(
        "model_group_alias: {a: b, 'no good': b, far: ghost}",
        &[],
        &["the alias \"a\" is the name of a group too", "\"no good\" cannot be an alias", "stands for \"ghost\""],
    );
}

#[test]
fn names_become_names() {
    let check = |name: &str, config: &[&str], told: &[&str]| {
        check(
            &format!(
                "model_list:\n- {{model_name: '{name}', litellm_params: {{model: gpt-4o}}}}\n- {{model_name: gpt-4o, litellm_params: {{model: gpt-4o}}}}"
            ),
            config,
            told,
        );
    };
    check("gpt-5.5", &["[pool.\"gpt-5.5\"]"], &[]);
    check("openai/gpt-4.1", &["[pool.\"openai-gpt-4.1\"]", "aliases = [\"openai/gpt-4.1\"]"], &[]);
    check("GPT-4o", &["[pool.gpt-4o-2]", "aliases = [\"GPT-4o\"]"], &[]);
    check("my model", &["[pool.my-model]"], &["no client can ask for the model name \"my model\""]);
    check("日本", &["[pool.model]"], &["no client can ask"]);
}

#[test]
fn one_variable_holds_one_secret() {
    let text = "model_list:
- {model_name: a, litellm_params: {model: gpt-4o, api_key: sk-first}}
- {model_name: b, litellm_params: {model: gpt-4o}}
- {model_name: c, litellm_params: {model: gpt-4o, api_key: sk-second}}
- {model_name: d, litellm_params: {model: gpt-4o, api_key: sk-first}}
";
    let parts = [
        "[vendor.openai]\ndialect = \"openai\"\nseat = \"US\"\nbase_url = \"https://api.openai.com/v1\"\nregion = \"us\"\ncredential = { env = \"OPENAI_API_KEY_2\" }",
        "credential = { env = \"OPENAI_API_KEY\" }",
        "credential = { env = \"OPENAI_3_API_KEY\" }",
        "[pool.d]\ndeployments = [\"openai/gpt-4o\"]",
    ];
    check(text, &parts, &["config.yaml:2:35: warning: a secret lies in the file itself"]);
    for secret in ["sk-first", "sk-second"] {
        let import = import(text, &[]).unwrap();
        assert!(!format!("{import:?}").contains(secret));
    }
    check(&one("model: gpt-4o, api_key: os.environ/not-a-name", ""), &[], &["is no name of a variable"]);
}

#[test]
fn variables_that_are_no_secrets_are_looked_up() {
    let text = one("model: azure/x, api_base: os.environ/BASE, api_version: os.environ/VERSION", "");
    let set = import(&text, &[("BASE", "https://corp.openai.azure.com"), ("VERSION", "2024-10-21")]).unwrap();
    assert!(
        set.config.contains("\"https://corp.openai.azure.com\"") && set.config.contains("\"2024-10-21\""),
        "{}",
        set.config
    );
    assert!(format!("{:?}", set.findings).contains("what it holds now is written"), "{:?}", set.findings);
    check(
        &text,
        &["base_url = \"https://base.invalid\""],
        &["BASE, which is not set here", "VERSION, which is not set here"],
    );
    let own = one("model: azure/x", "environment_variables: {AZURE_API_BASE: 'https://own.openai.azure.com'}");
    check(
        &own,
        &["base_url = \"https://own.openai.azure.com\""],
        &["variables that the file sets are not carried: AZURE_API_BASE"],
    );
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_line() {
    let check = |text: &str, place: &str, part: &str| {
        let found = import(text, &[]).err().unwrap_or_else(|| panic!("{text} was imported"));
        let last = found.last().unwrap();
        assert!(last.to_string().starts_with(place) && last.message.contains(part) && !last.help.is_empty(), "{last}");
    };
    check("", "config.yaml: error", "says nothing");
    check("just words", "config.yaml:1:1", "holds a single value");
    check("- a\n- b\n", "config.yaml:1:1", "holds a list");
    check("router_settings: {}\n", "config.yaml:1:1", "no `model_list`");
    check("include: [models.yaml]\n", "config.yaml:1:1", "no `model_list`");
    check("a: 1\nmodel_list: []\n", "config.yaml:2:13", "no list of models");
    check(
        "model_list:\n  - model_name: x\n    litellm_params: {model: 'openai/*'}\n",
        "config.yaml:2:3",
        "no model of `model_list`",
    );
    check("model_list: [3, {model_name: x}, {litellm_params: {model: y}}]\n", "config.yaml:1:13", "no model");
    check("model_list:\n\t- x\n", "config.yaml:2", "not valid YAML");
}
