//! The tools of whoever writes policies, as they are called: test, explain, diff, prove.

use crate::support::proxy::{Plan, get_plain};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const BACKSTAY: &str = env!("CARGO_BIN_EXE_backstay");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Neither the variables nor the files that it names are there.
const CONFIG: &str = r#"
[listener.main]
address = "127.0.0.1:8443"
certificate = "certs/server.pem"
private_key = "certs/server.key"
[vendor.openai]
dialect = "openai"
seat = "US"
agreements = ["dpa", "scc"]
retention_days = 30
trains_on_inputs = false
base_url = "https://api.openai.com/v1"
region = "us"
credential = { env = "NOBODY_SET_THIS" }
[endpoint.openai-eu]
vendor = "openai"
base_url = "https://eu.api.openai.com/v1"
region = "eu"
credential = { env = "NOBODY_SET_THIS_EITHER" }
[vendor.cheap]
dialect = "openai"
seat = "US"
base_url = "https://api.cheap.example/v1"
ca_file = "not-there.pem"
credential = { file = "not-there" }
[pool.smart]
deployments = ["openai-eu/gpt", ["openai/gpt", "cheap/m"]]
[key.app]
secret = { env = "NOBODY_SET_THIS_KEY" }
residency = "any"
jurisdiction = "DE"
data = ["personal"]
[key.harmless]
secret = { env = "NOR_THIS_KEY" }
residency = "any"
jurisdiction = "DE"
data = []
"#;

/// A folder with the config and the shipped policies.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("backstay.toml"), CONFIG).unwrap();
    copy(&Path::new(ROOT).join("policies"), &folder.path().join("policies"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} does not hold {from:?}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Calls the binary in the folder; what it printed and its exit code.
fn call(folder: &Path, arguments: &[&str]) -> (String, String, i32) {
    let Output { stdout, stderr, status } =
        Command::new(BACKSTAY).args(arguments).current_dir(folder).env_remove("BACKSTAY_CONFIG").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap())
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let (out, err, _) = call(folder, &[arguments, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"))
}

/// `id status [rule file:line ...]` of every deployment.
fn told(explanation: &Value) -> Vec<String> {
    let of = |deployment: &Value| {
        let refusals = deployment["refusals"].as_array().unwrap().iter().map(|reason| {
            let (rule, file) = (reason["rule"].as_str().unwrap(), reason["file"].as_str().unwrap());
            let name = if rule.is_empty() { reason["code"].as_str().unwrap() } else { rule };
            assert!(file.is_empty() || reason["line"].as_u64().unwrap() > 0, "{reason}");
            format!(" {name}{}", if file.is_empty() { String::new() } else { format!("@{file}") })
        });
        let (id, status) = (deployment["id"].as_str().unwrap(), deployment["status"].as_str().unwrap());
        format!("{id} {status}{}", refusals.collect::<String>())
    };
    explanation["deployments"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn test_runs_the_policies_tests_and_says_which_are_broken() {
    let folder = folder();
    let (out, err, code) = call(folder.path(), &["test"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("policies/tests/gdpr.toml") && out.contains(" 0 broken"), "{out}");

    edit(
        &folder.path().join("policies/gdpr.cedar"),
        "unless { resource.agreements.contains(Agreement::\"dpa\") }",
        "unless { true }",
    );
    let (out, err, code) = call(folder.path(), &["test"]);
    assert_eq!(code, 1, "{err}");
    assert!(out.contains("; none was run, because of 1 error(s)"), "{out}");
    let (out, _, code) = call(folder.path(), &["test", "--policies", "nowhere"]);
    assert!(code == 1 && out.contains("; none was run, because of 1 error(s)"), "{out}");

    let zones = folder.path().join("policies/zones.toml");
    copy(&Path::new(ROOT).join("policies"), &folder.path().join("policies"));
    fs::write(&zones, "as_of = \"2026-11-01\"\n[zone.OURS]\nsource = \"us\"\nmembers = [\"DE\", \"UK\"]\n").unwrap();
    let (out, err, code) = call(folder.path(), &["test"]);
    assert!(code == 1 && out.contains(" 0 broken; with 1 error(s) the policies would not be served"), "{out}");
    assert!(err.contains("there is no country \"UK\"\n  help: did you mean \"GB\"?"), "{err}");
    fs::remove_file(zones).unwrap();

    copy(&Path::new(ROOT).join("policies"), &folder.path().join("policies"));
    edit(&folder.path().join("policies/gdpr.cedar"), "Agreement::\"dpa\"", "Agreement::\"baa\"");
    let (out, _, code) = call(folder.path(), &["test"]);
    assert_eq!(code, 1, "{out}");
    let words =
        ["BROKEN  personal data need an agreement", "gdpr.toml:", "gdpr-processor-agreement (policies/gdpr.cedar:"];
    assert!(words.iter().all(|words| out.contains(words)), "{out}");
    let told = json(folder.path(), &["test"]);
    let broken = told["tests"].as_array().unwrap().iter().filter(|test| test["kept"] == false).count();
    assert!(broken > 0 && told["tests"][0]["line"].as_u64() > Some(0), "{told}");
    // what breaks its tests is never served
    let (_, err, code) = call(folder.path(), &["check"]);
    assert!(code == 1 && err.contains("the policies break their test"), "{err}");
}

#[test]
fn explain_tells_all_that_stands_against_a_deployment() {
    let folder = folder();
    let explanation = json(folder.path(), &["explain", "--key", "app", "--model", "smart"]);
    assert_eq!(
        told(&explanation),
        [
            "openai-eu/gpt chosen",
            "openai/gpt next",
            "cheap/m refused gdpr-no-training@policies/gdpr.cedar gdpr-processor-agreement@policies/gdpr.cedar gdpr-transfer@policies/gdpr.cedar",
        ]
    );
    let narrowed = json(
        folder.path(),
        &["explain", "--key", "harmless", "--model", "smart", "--context", "residency=EU", "needs=audio"],
    );
    assert_eq!(told(&narrowed)[1], "openai/gpt refused residency-of-the-call@policies/base.cedar", "{narrowed:#}");
    let (out, _, code) = call(folder.path(), &["explain", "--key", "app", "--model", "smart"]);
    assert_eq!(code, 0);
    for words in
        ["chosen   openai-eu/gpt", "policy gdpr-transfer  policies/gdpr.cedar:", "GDPR Art. 44-46", "eu (EEA EU)"]
    {
        assert!(out.contains(words), "{words} is not in\n{out}");
    }
    for (arguments, words) in [
        (&["--key", "ap", "--model", "smart"][..], "did you mean \"app\"?"),
        (&["--key", "app", "--model", "smarter"], "did you mean \"smart\"?"),
        (&["--key", "app", "--model", "smart", "--context", "dta=health"], "did you mean `data`?"),
        (&["--key", "app", "--model", "smart", "--context", "data=healht"], "did you mean \"health\"?"),
    ] {
        let (_, err, code) = call(folder.path(), &[&["explain"], arguments].concat());
        assert!(code == 1 && err.contains(words), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn explain_asks_a_running_proxy_what_it_has_observed() {
    let proxy = Plan::two(Dialect::OpenaiChat).start().await;
    proxy.vendors[0].set_fault(Fault::Status503);
    while proxy.calls()[0] < 8 && proxy.status().await["pools"][0]["deployments"][0]["state"] == "closed" {
        assert_eq!(proxy.client().chat(false).await.status, 200);
    }
    let told_live: Value = serde_json::from_str(&proxy.admin("/explain?key=app&model=smart").await).unwrap();
    assert_eq!(
        told(&told_live)[..2],
        ["second/model-of-second chosen", "first/model-of-first refused breaker_open"],
        "{told_live:#}"
    );
    let url = format!("http://{}", proxy.app.admin);
    let arguments = ["explain", "--key", "app", "--model", "smart", "--admin", &url].map(str::to_owned);
    let (folder, called) = (folder(), arguments.clone());
    let asked = tokio::task::spawn_blocking(move || {
        json(folder.path(), &called.iter().map(String::as_str).collect::<Vec<_>>())
    });
    assert_eq!(told(&asked.await.unwrap()).len(), 3);
    let (status, body) = get_plain(proxy.app.admin, "/explain?key=appp&model=smart").await;
    assert_eq!((status, body.contains("did you mean \"app\"?")), (400, true), "{body}");
}

#[test]
fn diff_tells_who_gains_and_who_loses_what() {
    let folder = folder();
    let proposed = folder.path().join("proposed");
    copy(&folder.path().join("policies"), &proposed);
    let (out, _, code) = call(folder.path(), &["diff", "--against", "proposed"]);
    assert_eq!((code, out.as_str()), (0, "nobody gains or loses anything\n"));

    fs::write(
        proposed.join("own.cedar"),
        "@id(\"not-openai\") @reason(\"Until the audit is over.\")\nforbid (principal, action, resource in Vendor::\"openai\") when { context.data.contains(Data::\"personal\") } unless { resource in Zone::\"EU\" };\n",
    )
    .unwrap();
    let (out, err, code) = call(folder.path(), &["diff", "--against", "proposed"]);
    assert_eq!(code, 1, "{err}");
    for words in [
        "key app, model smart",
        "loses  openai/gpt  for calls that hold what the key says",
        "refused by not-openai (proposed/own.cedar:1)",
        "key harmless, model smart",
        "for calls with personal",
    ] {
        assert!(out.contains(words), "{words} is not in\n{out}");
    }
    assert!(!out.contains("openai-eu"), "{out}");
    let changes = json(folder.path(), &["diff", "--against", "proposed"]);
    assert_eq!(changes[0]["change"], "loses", "{changes:#}");
    fs::write(proposed.join("own.cedar"), "forbid (").unwrap();
    assert_eq!(call(folder.path(), &["diff", "--against", "proposed"]).2, 2);
}

#[test]
fn prove_refutes_what_is_not_so_and_never_calls_a_search_a_proof() {
    let folder = folder();
    let told = |expected: i32| {
        // nobody's solver: what is found along the path would be asked for proofs
        let output = Command::new(BACKSTAY)
            .args(["prove", "--json"])
            .current_dir(folder.path())
            .env("PATH", "")
            .env_remove("CVC5")
            .output();
        let output = output.unwrap();
        let verdicts: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{verdicts:#}");
        let refuted = verdicts.as_array().unwrap().iter().filter(|verdict| verdict["verdict"] == "refuted");
        refuted.map(|verdict| verdict["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(told(2).is_empty());
    let mut command = Command::new(BACKSTAY);
    let output = command.arg("prove").current_dir(folder.path()).env("PATH", "").env_remove("CVC5");
    let out = String::from_utf8(output.output().unwrap().stdout).unwrap();
    for words in ["unproved  eu-bound-stays-in-the-eu", "searching is no proof", "pip install cvc5"] {
        assert!(out.contains(words), "{words} is not in\n{out}");
    }
    assert_eq!(out.contains("--features prove"), !cfg!(feature = "prove"), "{out}");
    let (out, _, _) = call(folder.path(), &["prove", "--schema"]);
    assert!(out.contains("action call appliesTo"), "{out}");

    // two mutants of the residency rule: one exempts a team, one looks at some calls only
    let base = folder.path().join("policies/base.cedar");
    let config = folder.path().join("backstay.toml");
    edit(&config, "[key.app]", "[team.platform]\n[key.app]\nteam = \"platform\"");
    let shipped = fs::read_to_string(&base).unwrap();
    let rule = "unless { context.residency == Zone::\"any\" || resource in context.residency };";
    fs::remove_dir_all(folder.path().join("policies/tests")).unwrap();
    for mutant in [
        "unless { context.residency == Zone::\"any\" || resource in context.residency || principal in Team::\"platform\" };",
        "when { context.data.contains(Data::\"personal\") } unless { context.residency == Zone::\"any\" || resource in context.residency };",
    ] {
        fs::write(&base, &shipped).unwrap();
        edit(&base, rule, mutant);
        let refuted = told(1);
        assert!(refuted.contains(&"eu-bound-stays-in-the-eu".to_owned()), "{mutant}: {refuted:?}");
    }
}

/// The fenced block of this kind that begins so, in the paper.
fn block(paper: &str, kind: &str, beginning: &str) -> String {
    let opening = format!("```{kind}\n");
    let mut blocks = paper.split(&opening).skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .find(|block| block.starts_with(beginning))
        .unwrap_or_else(|| panic!("no block begins with {beginning:?}"))
        .to_owned()
}

#[test]
fn the_papers_exclusion_works_as_it_says() {
    let paper = fs::read_to_string(Path::new(ROOT).join("docs/policy.md")).unwrap();
    let folder = folder();
    let policies = folder.path().join("policies");
    fs::write(folder.path().join("backstay.toml"), block(&paper, "toml", "[listener.main]")).unwrap();
    fs::write(policies.join("properties/own.cedar"), block(&paper, "cedar", "@id(\"personal-data-of-europeans"))
        .unwrap();
    let why = |folder: &Path| json(folder, &["prove"])[0]["verdict"].clone();
    assert_eq!(why(folder.path()), "refuted", "nothing keeps it yet");
    fs::write(policies.join("own.cedar"), block(&paper, "cedar", "@id(\"no-us-seat")).unwrap();
    assert_ne!(why(folder.path()), "refuted");
    fs::write(policies.join("tests/own.toml"), block(&paper, "toml", "policies = [")).unwrap();
    fs::write(policies.join("zones.toml"), block(&paper, "toml", "as_of")).unwrap();
    let (out, err, code) = call(folder.path(), &["test"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("policies/tests/own.toml\n  kept    personal data of Europeans"), "{out}");
    let explanation =
        json(folder.path(), &["explain", "--key", "app", "--model", "smart", "--context", "data=personal"]);
    assert!(told(&explanation).iter().all(|told| told.contains("no-us-seat-for-personal-data")), "{explanation:#}");
    edit(&policies.join("own.cedar"), "Zone::\"US\"", "Zone::\"USA\"");
    let (_, err, _) = call(folder.path(), &["check"]);
    assert!(
        err.contains("own.cedar:8:27: error: there is no zone \"USA\"\n  help: did you mean Zone::\"US\"?"),
        "{err}"
    );
}
