//! Configurations of other proxies become ones that are served.

use backstay::config::load;
use backstay::demo::certificates::{Authority, LOOPBACK_NAMES};
use backstay::import::litellm;
use backstay::snapshot::{Snapshot, compile};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const BACKSTAY: &str = env!("CARGO_BIN_EXE_backstay");
/// 2026-11-01, after which the certificate of the test was made.
const NOW_UNIX: i64 = 1_793_491_200;
/// A credential of Google's that is read without a key of one's own.
const GOOGLE: &str = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
const ENTRA: &str = r#"{"appId":"a","password":"p","tenant":"t"}"#;

/// Imports a file of `tests/litellm`, with no variable set.
fn import(file: &str, further: &[&str]) -> Output {
    let mut command = Command::new(BACKSTAY);
    command.env_clear().args(["import", "litellm", file]).args(further).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What stands in a variable or file of a credential.
fn secret(name: &str) -> String {
    match name {
        "AWS_CREDENTIAL" => "AKID:SECRET".to_owned(),
        "AZURE_2_CREDENTIAL" => ENTRA.to_owned(),
        "VERTEX_CREDENTIALS_JSON" | "GOOGLE_CREDENTIAL" => GOOGLE.to_owned(),
        name => format!("secret-of-{name}-0123456789"),
    }
}

/// A folder with the config, the certificate and the secrets that it names.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let issued = Authority::new("test").unwrap().issue(&LOOPBACK_NAMES).unwrap();
    let files = [
        ("backstay.toml", config),
        ("certs/server.pem", &issued.chain_pem),
        ("certs/server.key", &issued.key_pem),
        ("secrets/aws", "AKID:SECRET"),
        ("secrets/vertex.json", GOOGLE),
    ];
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// Compiles a config as `serve` and `check` do.
fn compiled(folder: &Path) -> Snapshot {
    let path = folder.join("backstay.toml");
    let sources = load::load(&path, &|name| Some(secret(name))).unwrap();
    let compiled = compile(&sources, 1, NOW_UNIX);
    compiled.map(|(snapshot, _)| snapshot).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(|found| format!("{found}\n")).collect::<String>());
    })
}

/// A pool's tiers in one line.
fn tiers(snapshot: &Snapshot, pool: &str) -> String {
    let pool = snapshot.pools.get(pool).unwrap_or_else(|| panic!("no pool {pool}"));
    let tier = |tier: &Vec<_>| {
        tier.iter()
            .map(|one: &std::sync::Arc<backstay::snapshot::deployment::Deployment>| one.id.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    pool.tiers.iter().map(tier).collect::<Vec<_>>().join(" | ")
}

/// Imports a file, compiles what was printed, and gives both with what was told.
fn imported(file: &str) -> (Snapshot, String, String) {
    let output = import(&format!("tests/litellm/{file}.yaml"), &[]);
    let (config, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(!told.contains('\u{1b}') && !config.contains('\u{1b}'), "colours without a terminal");
    (compiled(folder(&config).path()), config, told)
}

#[test]
fn groups_fallbacks_and_aliases_become_pools() {
    let (snapshot, _, told) = imported("fallbacks");
    let pools: BTreeSet<&str> = snapshot.pools.values().map(|pool| &*pool.name).collect();
    assert_eq!(pools, BTreeSet::from(["claude-fast", "claude-opus", "gpt-4o"]));
    let all = "groq/llama-3.3-70b-versatile | openai/gpt-4o openai-2/gpt-4o | anthropic/claude-opus-4-8 | anthropic/claude-haiku-4-5";
    assert_eq!(tiers(&snapshot, "gpt-4o"), all);
    assert_eq!(tiers(&snapshot, "gpt-4"), all, "an alias");
    assert_eq!(tiers(&snapshot, "claude/fast"), tiers(&snapshot, "fast"));
    let pool = &snapshot.pools["gpt-4o"];
    assert_eq!((pool.attempts, pool.timeouts.answer.as_secs(), pool.breaker.consecutive), (5, 60, 4));
    let first = &pool.tiers[1][0];
    assert_eq!(first.own_timeouts.answer.map(|time| time.as_secs()), Some(45));
    for (line, part) in [
        (7, "`litellm_params.rpm` is not carried (also on line 16)"),
        (25, "no client can ask for the model name \"Claude Opus\""),
        (42, "calls would move to \"nobody\""),
        (51, "`litellm_settings.no_such_setting` is not carried"),
        (55, "`general_settings.database_url` is not carried"),
    ] {
        let place = format!("fallbacks.yaml:{line}:");
        assert!(told.lines().any(|told| told.contains(&place) && told.contains(part)), "{part}: {told}");
    }
    assert!(told.ends_with("3 pool(s), 5 deployment(s), 4 endpoint(s); 15 finding(s)\n"), "{told}");
}

#[test]
fn clouds_become_vendors_with_what_each_wants() {
    let (snapshot, config, told) = imported("clouds");
    assert_eq!(tiers(&snapshot, "gpt-4o"), "azure/gpt-4o-eu azure-us-api-base/gpt-4o-us");
    assert_eq!(
        tiers(&snapshot, "claude"),
        "aws/eu.anthropic.claude-sonnet-4-5-20250929-v1:0 | aws-us-east-1/us.anthropic.claude-sonnet-4-5-20250929-v1:0 | google-claude/claude-sonnet-4-5@20250929"
    );
    assert_eq!(tiers(&snapshot, "gemini"), "google/gemini-2.5-pro gemini/gemini-2.5-pro");
    let region = |pool: &str, tier: usize| snapshot.pools[pool].tiers[tier][0].region.to_string();
    assert_eq!(
        (region("claude", 0), region("claude", 1), region("claude", 2)),
        ("eu".into(), "us".into(), "europe-west1".into())
    );
    assert_eq!((region("gpt-4o", 0), region("gemini", 0)), ("swedencentral".into(), "unknown".into()));
    let path = snapshot.pools["gpt-4o"].tiers[0][0].voice.path.to_string();
    assert_eq!(path, "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21");
    assert_eq!(&*snapshot.pools["gpt-5"].tiers[0][0].voice.path, "/openai/v1/chat/completions");
    assert!(config.contains("auth       = \"entra\"") && config.contains("auth       = \"sigv4\""), "{config}");
    assert!(!snapshot.pools.contains_key("titan") && told.contains("its AWS region is not known"), "{told}");
    assert!(told.contains("AWS_CREDENTIAL=\"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""), "{told}");
    assert!(told.contains("not with \"meta/llama-4-maverick\""), "{told}");
    // what nobody told is not guessed
    assert!(told.contains("\"azure\": where its company is seated is not known"), "{told}");
    assert!(config.contains("base_url    = \"https://azure-us-api-base.invalid\""), "{config}");
}

#[test]
fn patterns_and_what_is_no_call_are_left_out_aloud() {
    let (snapshot, config, told) = imported("wildcards");
    let pools: BTreeSet<&str> = snapshot.pools.values().map(|pool| &*pool.name).collect();
    assert_eq!(pools, BTreeSet::from(["acme", "embed", "local"]));
    assert_eq!(tiers(&snapshot, "local"), "ollama/llama3.2 vllm/meta-llama/Llama-3.1-8B | llm-acme-example/acme-large");
    for part in [
        "\"openai/*\" stands for models by pattern",
        "no calls of the mode \"image_generation\"",
        "the provider \"sagemaker\" is not known",
        "`guardrails` is not carried",
        "http://vllm.internal is written as https",
    ] {
        assert!(
            told.contains(part)
                && config.split_whitespace().collect::<Vec<_>>().join(" ").contains(&part.replace('\n', " ")[..20]),
            "{part}: {told}\n{config}"
        );
    }
}

#[test]
fn a_secret_of_the_file_is_nowhere_repeated() {
    let (snapshot, config, told) = imported("secrets");
    let json = import("tests/litellm/secrets.yaml", &["--json"]);
    for printed in [&config, &told, &text(&json.stdout), &text(&json.stderr)] {
        assert!(!printed.to_uppercase().contains("HUSHHUSH"), "{printed}");
    }
    assert_eq!(tiers(&snapshot, "smart"), "openai/gpt-5.5 anthropic/claude-opus-4-8");
    assert_eq!(tiers(&snapshot, "shared"), "gateway-corp-example/corp-model");
    // the file sets OPENAI_API_KEY, which may be another key
    assert!(
        config.contains("{ env = \"OPENAI_API_KEY_2\" }") && config.contains("{ env = \"ANTHROPIC_API_KEY\" }"),
        "{config}"
    );
    assert!(
        told.contains(
            "a secret lies in the file itself; here it stands in the variable OPENAI_API_KEY_2 (also on line 27)"
        ),
        "{told}"
    );
    assert!(told.contains("BACKSTAY_KEY") && told.contains("OPENAI_API_KEY, LANGFUSE_SECRET_KEY"), "{told}");
}

#[test]
fn the_checker_takes_what_was_imported() {
    for file in WHOLE {
        let config = text(&import(&format!("tests/litellm/{file}.yaml"), &[]).stdout);
        let folder = folder(&config);
        let mut check = Command::new(BACKSTAY);
        check.env_clear().arg("check").arg("--config").arg(folder.path().join("backstay.toml"));
        let names = config.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
        for name in names {
            check.env(name, secret(name));
        }
        let output = check.output().unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success() && text(&output.stdout).starts_with("ok: 1 listener(s)"), "{file}: {told}");
        // the key's residency, the policies, and placeholders of TLS are the operator's to decide; nothing else is
        let errors = told.lines().filter(|line| line.contains("error:"));
        assert_eq!(errors.count(), 0, "{told}");
    }
}

#[test]
fn broken_files_are_told_of_with_line_and_help() {
    for (file, place, part) in [
        ("broken", "broken.yaml:4:", "not valid YAML"),
        ("twice", "twice.yaml:6:", "`api_key` is written twice here, first on line 5"),
        ("no-models", "no-models.yaml:1:1", "there is no `model_list`"),
        ("no-such-file", "no-such-file.yaml", "cannot be read"),
    ] {
        let output = import(&format!("tests/litellm/{file}.yaml"), &[]);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{file}: {told}");
        assert!(told.contains(place) && told.contains(part) && told.contains("help: "), "{file}: {told}");
        assert!(!told.contains("panicked") && !told.contains("HUSHHUSH"), "{told}");
    }
}

#[test]
fn a_config_is_written_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("backstay.toml");
    let arguments = ["--out", out.to_str().unwrap()];
    let output = import("tests/litellm/fallbacks.yaml", &arguments);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    let first = fs::read_to_string(&out).unwrap();
    assert!(first.contains("[pool.gpt-4o]"), "{first}");
    let again = import("tests/litellm/wildcards.yaml", &arguments);
    assert!(!again.status.success() && text(&again.stderr).contains("is there already"), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(&out).unwrap(), first);
}

#[test]
fn the_import_is_json_for_scripts_and_explains_itself_to_people() {
    let output = import("tests/litellm/fallbacks.yaml", &["--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(json["config"].as_str().unwrap().contains("[vendor.openai]"));
    assert_eq!((&json["findings"][0]["line"], &json["findings"][0]["severity"]), (&7.into(), &"warning".into()));
    let output = import("tests/litellm/broken.yaml", &["--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!output.status.success() && json["config"].is_null() && json["findings"][0]["severity"] == "error");
    let help = text(&import("--help", &[]).stdout);
    assert!(help.contains("Examples:") && help.contains("Exit code 0"), "{help}");
    let completions = Command::new(BACKSTAY).args(["completions", "bash"]).output().unwrap();
    assert!(text(&completions.stdout).contains("backstay__subcmd__import__subcmd__litellm"), "bash completes it");
}

/// The files that are imported whole.
const WHOLE: [&str; 4] = ["fallbacks", "clouds", "wildcards", "secrets"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_left_of_a_file_compiles_if_it_is_imported(
        file in 0..WHOLE.len(),
        dropped in prop::collection::btree_set(1_usize..60, 0..8),
    ) {
        let whole = fs::read_to_string(format!("tests/litellm/{}.yaml", WHOLE[file])).unwrap();
        let lines = whole.lines().enumerate().filter(|(line, _)| !dropped.contains(line));
        let left: String = lines.map(|(_, line)| format!("{line}\n")).collect();
        let import = litellm::read(Path::new("left.yaml"), &left, &|_| None);
        let printed = format!("{import:?}").to_uppercase();
        prop_assert!(!printed.contains("HUSHHUSH"), "a secret of\n{}", left);
        if let Ok(import) = import {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("backstay.toml");
            fs::write(&path, &import.config).unwrap();
            let sources = load::load_dry(&path, None).unwrap();
            let found = compile(&sources, 1, NOW_UNIX).err().unwrap_or_default();
            let errors: Vec<String> = found.iter().map(ToString::to_string).filter(|found| found.contains(" error: ")).collect();
            prop_assert!(errors.is_empty(), "{:#?}\nof\n{}", errors, left);
        }
    }
}
