mod certificates;
mod findings;
mod models;
mod places;
mod policies;
mod pools;
mod prices;
mod secrets;
mod vendors;

use super::compile;
use crate::base::diagnostic::Diagnostic;
use crate::config::load::load;
use crate::policy::Ask;
use crate::snapshot::Snapshot;
use std::fs;
use std::path::Path;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn environment(name: &str) -> Option<String> {
    match name {
        "EMPTY_KEY" => Some("  ".to_owned()),
        "TWO_LINES_KEY" => Some("one\ntwo".to_owned()),
        _ => name.ends_with("KEY").then(|| format!("sk-{}", name.to_lowercase())),
    }
}

type Compiled = Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Compiles the files of a folder of its own; diagnostics name files relative to it.
fn compile_files(files: &[(&str, &str)]) -> Compiled {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let relative = |found: Vec<Diagnostic>| found.into_iter().map(|found| shorten(found, folder.path())).collect();
    let sources = load(&folder.path().join("backstay.toml"), &environment).map_err(relative)?;
    compile(&sources, 1, NOW).map(|(snapshot, warnings)| (snapshot, relative(warnings))).map_err(relative)
}

fn shorten(mut found: Diagnostic, folder: &Path) -> Diagnostic {
    let prefix = format!("{}/", folder.display());
    found.place.file = found.place.file.strip_prefix(folder).unwrap_or(&found.place.file).to_owned();
    found.message = found.message.replace(&prefix, "");
    found.help = found.help.replace(&prefix, "");
    found
}

/// One vendor, one pool, one key.
const SMALL: &str = r#"
[listener.main]
address = "127.0.0.1:8080"
[vendor.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
region = "us"
credential = { env = "OPENAI_API_KEY" }
[pool.smart]
deployments = ["openai/gpt-5.5"]
[key.app]
secret = { env = "APP_KEY" }
residency = "any"
data = []
"#;

fn good(config: &str) -> (Snapshot, Vec<Diagnostic>) {
    compile_files(&[("backstay.toml", config), ("policies/base.cedar", crate::policy::BASE)])
        .unwrap_or_else(|found| panic!("{}", found.iter().map(|found| format!("{found}\n")).collect::<String>()))
}

fn ask(residency: &str) -> Ask {
    Ask {
        data: Vec::new(),
        residency: residency.into(),
        screened: false,
        needs: crate::call::needs::Needs::NONE,
        attempt: 0,
        depth: 0,
        input_tokens: 0,
        output_tokens: 0,
        hour: 12,
    }
}

/// Compiles and compares all findings, each expected as "file:line: part of the message ~ part of the help".
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let found = match compile_files(files) {
        Ok((_, warnings)) => warnings,
        Err(found) => found,
    };
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    let all = lines.join("\n");
    assert_eq!(found.len(), expected.len(), "{all}");
    for (found, expected) in found.iter().zip(expected) {
        let (place, rest) = expected.split_once(": ").expect("a place");
        let (message, help) = rest.split_once(" ~ ").unwrap_or((rest, ""));
        let at = format!("{}:{}", found.place.file.display(), found.place.line);
        assert_eq!(at, place, "{all}");
        assert!(found.message.contains(message), "{message}\n{all}");
        assert!(found.help.contains(help), "{help}\n{all}");
    }
}

/// The small config with some lines added, which begin at line 15.
fn check(added: &str, expected: &[&str]) {
    check_config(&format!("{SMALL}{added}"), expected);
}

/// The small config with one line replaced.
fn check_instead(line: &str, other: &str, expected: &[&str]) {
    assert!(SMALL.contains(line), "{line}");
    check_config(&SMALL.replacen(line, other, 1), expected);
}

fn check_config(config: &str, expected: &[&str]) {
    check_files(&[("backstay.toml", config), ("policies/base.cedar", crate::policy::BASE)], expected);
}

#[test]
fn one_vendor_one_pool_one_key_is_enough() {
    let (snapshot, warnings) = good(SMALL);
    assert_eq!(warnings, []);
    let key = snapshot.keys.by_secret(b"sk-app_key").expect("the key");
    let pool = &snapshot.pools["smart"];
    assert!(key.may_ask(pool));
    let deployment = pool.deployments().next().expect("a deployment");
    assert_eq!((&*deployment.id, &*deployment.model), ("openai/gpt-5.5", "gpt-5.5"));
    assert_eq!((&*deployment.endpoint.authority, &*deployment.endpoint.path), ("api.openai.com", "/v1"));
    assert!(snapshot.permit(key, &ask("any"), deployment).is_ok());
    assert!(snapshot.permit(key, &ask("EU"), deployment).is_err());
    assert!(snapshot.probe_permit(deployment).is_ok());
}

#[test]
fn the_digest_follows_every_source() {
    let digest = |files: &[(&str, &str)]| compile_files(files).expect("a snapshot").0.digest;
    let config = SMALL.replace("{ env = \"APP_KEY\" }", "{ file = \"secret\" }");
    let first = digest(&[("backstay.toml", &config), ("secret", "one")]);
    let second = digest(&[("backstay.toml", &config), ("secret", "two")]);
    assert_ne!(first, second);
}
