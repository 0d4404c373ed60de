//! The policies' own tests and the company's own zones, as they are compiled.

use super::{NOW, SMALL, check_files, compile_files};
use crate::config::load::load_policies;
use crate::policy::BASE;
use crate::snapshot::test_policies;
use std::fs;
use std::path::Path;

fn shipped() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))
}

/// The small config with the base policy and these files beside it.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let all: Vec<_> =
        [("backstay.toml", SMALL), ("policies/base.cedar", BASE)].into_iter().chain(files.to_vec()).collect();
    check_files(&all, expected);
}

#[test]
fn the_shipped_policies_keep_their_tests() {
    let sources = load_policies(shipped()).expect("the shipped policies");
    let (outcomes, found) = test_policies(&sources, NOW);
    assert!(outcomes.len() > 20, "{} tests\n{found:?}", outcomes.len());
    let broken: Vec<_> = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_shipped_policy_says_what_it_is_and_is_tested() {
    let files = fs::read_dir(shipped()).expect("the shipped policies").map(|entry| entry.expect("a file").path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "cedar")) {
        let text = fs::read_to_string(&file).expect("a policy");
        let tests = shipped().join("tests").join(file.file_stem().expect("a name")).with_extension("toml");
        let tests = fs::read_to_string(&tests).unwrap_or_else(|_| panic!("{} has no tests", file.display()));
        for policy in text.split("@id(\"").skip(1) {
            let id = policy.split('"').next().unwrap_or_default();
            assert!(policy.contains("@reason(\""), "{id} gives no reason");
            let is_permit = policy.contains("\npermit (");
            assert!(is_permit || tests.contains(&format!("\"{id}\"")), "{id} is in no test");
        }
    }
}

/// A file of one test over one deployment in the United States.
const TESTS: &str = r#"
[vendor.v]
[deployment."v/m"]
region = "us"
[key.k]
residency = "EU"
[[test]]
name = "bound data stay"
key = "k"
candidates = []
refused."v/m".by = ["residency-of-the-call", "residency-of-the-key"]
"#;

#[test]
fn policies_that_break_their_tests_are_refused() {
    check(&[("policies/tests/t.toml", TESTS)], &[]);
    let contrary = TESTS.replace("candidates = []", "candidates = [\"v/m\"]");
    check(
        &[("policies/tests/t.toml", &contrary)],
        &[
            "policies/tests/t.toml:8: break their test \"bound data stay\": v/m should be used, but is refused by residency-of-the-call ~ backstay test",
        ],
    );
    let other = TESTS.replace("[\"residency-of-the-call\", \"residency-of-the-key\"]", "[\"embargoed-place\"]");
    check(
        &[("policies/tests/t.toml", &other)],
        &["policies/tests/t.toml:8: v/m should be refused by embargoed-place, but is"],
    );
    let open = TESTS.replace("\"EU\"", "\"any\"");
    check(&[("policies/tests/t.toml", &open)], &["policies/tests/t.toml:8: v/m may be used, but should not be"]);
}

#[test]
fn mistakes_in_tests_are_named_with_what_was_meant() {
    for (written, meant, expected) in [
        ("key = \"k\"", "key = \"kk\"", "policies/tests/t.toml:9: there is no key \"kk\" ~ did you mean \"k\"?"),
        ("\"us\"", "\"us-esat-1\"", "policies/tests/t.toml:4: there is no region \"us-esat-1\" ~ us-east-1"),
        (
            "[vendor.v]",
            "policies = [\"bas.cedar\"]\n[vendor.v]",
            "policies/tests/t.toml:2: there is no policy file \"bas.cedar\" ~ base.cedar",
        ),
        ("candidates", "candidate", "policies/tests/t.toml:10: unknown field `candidate` ~ candidates"),
    ] {
        let tests = TESTS.replacen(written, meant, 1);
        let found = compile_files(&[
            ("backstay.toml", SMALL),
            ("policies/base.cedar", BASE),
            ("policies/tests/t.toml", &tests),
        ]);
        let found = found.map(|_| ()).expect_err("diagnostics");
        let (place, rest) = expected.split_once(": ").expect("a place");
        let (message, help) = rest.split_once(" ~ ").expect("a help");
        let told = found.iter().any(|found| {
            format!("{}:{}", found.place.file.display(), found.place.line) == place
                && found.message.contains(message)
                && found.help.contains(help)
        });
        assert!(told, "{expected}\n{found:#?}");
    }
}

#[test]
fn a_company_adds_zones_and_regions() {
    let zones = r#"
as_of = "2026-11-22"
[zone.NORDIC]
source = "Helsinki Treaty"
members = ["DK", "FI", "IS", "NO", "SE"]
[region.basement]
countries = ["DE"]
hosts = ["llm.corp.example"]
"#;
    let tests = TESTS.replace("\"us\"", "\"basement\"").replace(
        "candidates = []\nrefused.\"v/m\".by = [\"residency-of-the-call\", \"residency-of-the-key\"]",
        "candidates = [\"v/m\"]",
    );
    check(&[("policies/zones.toml", zones), ("policies/tests/t.toml", &tests)], &[]);
    let nordic = tests.replace("\"EU\"", "\"NORDIC\"").replace("candidates = [\"v/m\"]", "candidates = []");
    check(&[("policies/zones.toml", zones), ("policies/tests/t.toml", &nordic)], &[]);
}

#[test]
fn an_unknown_country_in_the_zones_is_named() {
    let zones = "as_of = \"today\"\n[zone.OURS]\nsource = \"us\"\nmembers = [\"DE\", \"UK\"]\n[zone.DE]\nsource = \"x\"\nmembers = []\n[region.nowhere]\ncountries = []\n";
    check(
        &[("policies/zones.toml", zones)],
        &[
            "policies/zones.toml:1: \"today\" is not a day ~ 2026-11-22",
            "policies/zones.toml:4: there is no country \"UK\" ~ did you mean \"GB\"?",
            "policies/zones.toml:5: \"DE\" is a country already",
            "policies/zones.toml:8: the region \"nowhere\" lies in no country",
        ],
    );
}

#[test]
fn f_093_a_global_endpoint_under_a_regional_name_is_refused() {
    for host in ["aiplatform.googleapis.com", "generativelanguage.googleapis.com", "openrouter.ai"] {
        let config = SMALL.replace("api.openai.com", host);
        let words = format!("backstay.toml:7: the region \"us\" contradicts \"{host}\" ~ region = \"unknown\"");
        check_files(&[("backstay.toml", &config), ("policies/base.cedar", BASE)], &[&words]);
    }
    let config = SMALL.replace("openai/gpt-5.5", "openai/global.anthropic.claude");
    let words = "backstay.toml:10: the region \"us\" contradicts \"global.anthropic.claude\" ~ region = \"unknown\"";
    check_files(&[("backstay.toml", &config), ("policies/base.cedar", BASE)], &[words]);
}
