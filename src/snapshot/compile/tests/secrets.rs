//! Secrets, keys that say too little, and addresses without TLS.

use super::{SMALL, check, check_instead, compile_files};
use crate::config::load::load_dry;
use crate::snapshot::compile;

#[test]
fn secrets_are_never_written_out_and_never_shown() {
    let literal = SMALL.replace("{ env = \"APP_KEY\" }", "\"sk-canary-1234567890\"");
    let found = compile_files(&[("backstay.toml", &literal)]).map(|_| ()).expect_err("diagnostics");
    let text: String = found.iter().map(ToString::to_string).collect();
    assert!(text.contains("never written into the config") && !text.contains("canary"), "{text}");
    let misplaced = SMALL.replace("APP_KEY", "sk-canary-1234567890");
    let found = compile_files(&[("backstay.toml", &misplaced)]).map(|_| ()).expect_err("diagnostics");
    let text: String = found.iter().map(ToString::to_string).collect();
    assert!(text.contains("name of an environment variable") && !text.contains("canary"), "{text}");
}

#[test]
fn secrets_must_be_there() {
    check_instead("APP_KEY", "UNSET", &["backstay.toml:12: the environment variable UNSET is not set ~ set it"]);
    check_instead("APP_KEY", "EMPTY_KEY", &["backstay.toml:12: the secret is empty ~ EMPTY_KEY"]);
    check_instead("APP_KEY", "TWO_LINES_KEY", &["backstay.toml:12: no header can carry"]);
    check_instead("{ env = \"APP_KEY\" }", "{ file = \"none\" }", &["backstay.toml:12: cannot read none"]);
    check_instead("{ env = \"APP_KEY\" }", "{}", &["backstay.toml:12: a secret needs a source"]);
    check_instead("secret = { env = \"APP_KEY\" }", "", &["backstay.toml:11: nothing identifies the key \"app\""]);
}

#[test]
fn a_careless_key_is_warned_of() {
    check_instead("residency = \"any\"", "", &["backstay.toml:11: the key \"app\" says nothing about residency"]);
    check("expires = \"2020-01-01\"\n", &["backstay.toml:15: has expired"]);
    check("expires = \"soon\"\n", &["backstay.toml:15: expected a date"]);
    check("budget = { usd = 0, period = \"month\" }\n", &["backstay.toml:15: refuses every call"]);
    check("budget = { usd = -5, period = \"month\" }\n", &["backstay.toml:15: a budget of -5"]);
    check("budget = { usd = 5, period = \"year\" }\n", &["backstay.toml:15: \"year\" ~ one of day, week, month"]);
    check("limit = { tokens_per_minute = 0 }\n", &["backstay.toml:15: lets nothing through"]);
}

#[test]
fn plain_http_is_for_this_machine() {
    check_instead("127.0.0.1:8080", "0.0.0.0:8080", &["backstay.toml:3: has no certificate ~ plaintext = true"]);
    check_instead(
        "\"127.0.0.1:8080\"",
        "\"0.0.0.0:8080\"\nplaintext = true",
        &["backstay.toml:3: plain HTTP is accepted"],
    );
    check_instead("127.0.0.1:8080", "localhost", &["backstay.toml:3: \"localhost\" is not an address ~ 0.0.0.0:8443"]);
    check("[admin]\naddress = \"0.0.0.0:9443\"\n", &["backstay.toml:16: can be reached from elsewhere"]);
}

#[test]
fn who_only_looks_needs_no_key_of_a_cloud() {
    let clouds = [
        "dialect = \"bedrock\"\nregion = \"eu-central-1\"\nauth = \"sigv4\"",
        "dialect = \"gemini\"\nprofile = \"vertex\"\nproject = \"p\"\nlocation = \"europe-west4\"\nauth = \"google\"",
        "dialect = \"openai\"\nprofile = \"azure\"\nbase_url = \"https://x.openai.azure.com\"\nauth = \"entra\"",
    ];
    for cloud in clouds {
        let vendor = format!("[vendor.cloud]\n{cloud}\ncredential = {{ env = \"NOT_SET_HERE\" }}\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backstay.toml");
        std::fs::write(&path, format!("{SMALL}\n{vendor}[pool.clouded]\ndeployments = [\"cloud/m\"]\n")).unwrap();
        let found = load_dry(&path, None).and_then(|sources| compile(&sources, 1, 0)).err();
        assert_eq!(found, None, "{cloud}");
    }
}
