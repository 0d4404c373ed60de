//! Policies, zones and regions, as they are checked against the config.

use super::{SMALL, ask, check_files, check_instead, compile_files, good};
use crate::snapshot::narrowing::Unfit;

#[test]
fn without_a_policy_folder_the_base_policy_serves_with_a_warning() {
    let (snapshot, warnings) = compile_files(&[("backstay.toml", SMALL)]).expect("a snapshot");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("built-in base policy"));
    let deployment = &snapshot.deployments[0];
    assert!(snapshot.permit(snapshot.keys.by_name("app").expect("the key"), &ask("any"), deployment).is_ok());
}

#[test]
fn f_089_a_policy_folder_must_hold_policies() {
    check_files(
        &[("backstay.toml", SMALL), ("policies/README.md", "")],
        &["policies:0: holds no policy file ~ an empty"],
    );
    check_files(
        &[("backstay.toml", SMALL), ("policies/base.cedar", "permit (principal, act")],
        &["policies/base.cedar:1: unexpected end of input"],
    );
    // one empty file is legal, and then nothing is permitted
    let (snapshot, _) = compile_files(&[("backstay.toml", SMALL), ("policies/none.cedar", "")]).expect("a snapshot");
    let key = snapshot.keys.by_name("app").expect("the key");
    assert!(snapshot.permit(key, &ask("any"), &snapshot.deployments[0]).is_err());
    assert!(snapshot.probe_permit(&snapshot.deployments[0]).is_err());
}

#[test]
fn f_092_regions_zones_and_dialects_suggest_the_right_word() {
    check_instead(
        "region = \"us\"",
        "region = \"us-est-1\"",
        &["backstay.toml:7: no region \"us-est-1\" ~ did you mean \"us-east-1\"?"],
    );
    check_instead("residency = \"any\"", "residency = \"EAA\"", &["backstay.toml:13: no zone \"EAA\" ~ did you mean"]);
    check_instead(
        "dialect = \"openai\"",
        "dialect = \"opanai\"",
        &["backstay.toml:5: no dialect \"opanai\" ~ did you mean \"openai\"?"],
    );
    check_instead(
        "data = []",
        "data = [\"persnal\"]",
        &["backstay.toml:14: no data class \"persnal\" ~ did you mean \"personal\"?"],
    );
}

#[test]
fn f_092_a_region_that_the_host_contradicts_is_refused() {
    check_instead(
        "region = \"us\"",
        "region = \"eu\"",
        &["backstay.toml:7: the region \"eu\" contradicts \"api.openai.com\" ~ it processes in \"us\""],
    );
    check_instead(
        "openai/gpt-5.5",
        "openai/global.gpt",
        &["backstay.toml:10: the region \"us\" contradicts \"global.gpt\" ~ region = \"unknown\""],
    );
}

#[test]
fn the_shipped_policies_permit_the_small_case() {
    let files = [
        ("backstay.toml", SMALL),
        ("policies/base.cedar", include_str!("../../../../policies/base.cedar")),
        ("policies/gdpr.cedar", include_str!("../../../../policies/gdpr.cedar")),
        ("policies/export-control.cedar", include_str!("../../../../policies/export-control.cedar")),
        ("policies/health.cedar", include_str!("../../../../policies/health.cedar")),
        ("policies/price.cedar", include_str!("../../../../policies/price.cedar")),
        ("policies/tests/gdpr.toml", include_str!("../../../../policies/tests/gdpr.toml")),
        ("policies/README.md", "# Policies"),
    ];
    let (snapshot, warnings) = compile_files(&files).expect("a snapshot");
    assert_eq!(warnings, []);
    let key = snapshot.keys.by_name("app").expect("the key");
    assert!(snapshot.permit(key, &ask("any"), &snapshot.deployments[0]).is_ok());
}

#[test]
fn f_092_a_policy_is_checked_against_the_config() {
    let rule = "@id(\"a\")\nforbid (principal, action, resource in Vendor::\"opanai\");\n";
    check_files(
        &[("backstay.toml", SMALL), ("policies/base.cedar", crate::policy::BASE), ("policies/rule.cedar", rule)],
        &["policies/rule.cedar:2: no vendor \"opanai\" ~ Vendor::\"openai\""],
    );
}

#[test]
fn a_header_narrows_the_residency_of_its_key() {
    let (snapshot, _) = good(&SMALL.replace("residency = \"any\"", "residency = \"eea\""));
    let key = snapshot.keys.by_name("app").expect("the key");
    let narrowed = |asked: &str| snapshot.residency(key, asked).map(|zone| zone.to_string());
    assert_eq!(narrowed("eu"), Ok("EU".to_owned()));
    assert_eq!(narrowed("de"), Ok("DE".to_owned()));
    assert_eq!(narrowed("any"), Ok("EEA".to_owned()));
    assert_eq!(narrowed("US"), Err(Unfit::Contradicts));
    assert_eq!(narrowed("atlantis"), Err(Unfit::Unknown));
    assert_eq!(narrowed("unknown"), Err(Unfit::Unknown));
    assert!(snapshot.data_class("health").is_some() && snapshot.data_class("secret").is_none());
}
