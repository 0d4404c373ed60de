mod agreement;

use super::*;
use crate::base::money::TokenPrice;
use crate::policy::EVALUATION_ERROR;
use crate::policy::inventory::{DeploymentFacts, KeyFacts, VendorFacts};
use crate::policy::vocabulary::Vocabulary;
use std::collections::HashSet;

fn words(list: &[&str]) -> Vec<Arc<str>> {
    list.iter().copied().map(Arc::from).collect()
}

/// Twenty deployments: four vendors, each in five regions; and keys from careless to careful.
fn inventory() -> Inventory {
    let vendor = |name: &str, seat: &str, agreements: &[&str]| VendorFacts {
        name: name.into(),
        seat: seat.into(),
        agreements: words(agreements),
        certifications: words(&["soc2"]),
    };
    let vendors = vec![
        vendor("openai", "US", &["dpa", "scc"]),
        vendor("mistral", "FR", &["dpa"]),
        vendor("silent", "US", &[]),
        vendor("distant", "CN", &[]),
    ];
    let regions = ["us", "eu", "eu-central-1", "japaneast", "unknown"];
    let deployments = vendors.iter().flat_map(|vendor| {
        regions.iter().map(|region| DeploymentFacts {
            id: format!("{}-{region}/m", vendor.name).into(),
            vendor: Arc::clone(&vendor.name),
            region: (*region).into(),
            pools: words(&["smart"]),
            model: "m".into(),
            retention_days: (*vendor.name != *"silent").then_some(30),
            trains_on_inputs: (*vendor.name != *"silent").then_some(false),
            export_class: if *vendor.name == *"openai" && *region == "us" { 3 } else { 0 },
            price: (*vendor.name != *"silent").then_some((TokenPrice(2_000_000), TokenPrice(10_000_000))),
            long_prices: Vec::new(),
            agreements: vendor.agreements.clone(),
            certifications: vendor.certifications.clone(),
        })
    });
    let key = |name: &str, residency: &str, data: &[&str], screened: bool| KeyFacts {
        name: name.into(),
        team: (name == "research").then(|| "lab".into()),
        jurisdiction: "DE".into(),
        residency: residency.into(),
        purposes: Vec::new(),
        screened,
        data: words(data),
        models: Vec::new(),
        ..KeyFacts::default()
    };
    Inventory {
        vocabulary: Vocabulary::shipped(),
        deployments: deployments.collect(),
        vendors,
        pools: words(&["smart"]),
        teams: words(&["lab"]),
        keys: vec![
            key("careless", "any", &[], false),
            key("european", "EU", &[], false),
            key("personal", "any", &["personal"], false),
            key("research", "any", &["export_controlled"], true),
        ],
    }
}

fn engine(policies: &[&str]) -> Engine {
    compile(policies).unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<String>()))
}

fn compile(policies: &[&str]) -> Result<Engine, Vec<Diagnostic>> {
    compile_over(inventory(), policies)
}

fn compile_over(inventory: Inventory, policies: &[&str]) -> Result<Engine, Vec<Diagnostic>> {
    let files: Vec<_> = policies.iter().map(|text| PolicyFile { path: Path::new("test.cedar"), text }).collect();
    Engine::compile(inventory, &files)
}

fn shipped() -> [&'static str; 5] {
    [
        include_str!("../../../policies/base.cedar"),
        include_str!("../../../policies/gdpr.cedar"),
        include_str!("../../../policies/export-control.cedar"),
        include_str!("../../../policies/health.cedar"),
        include_str!("../../../policies/price.cedar"),
    ]
}

fn key_index(engine: &Engine, name: &str) -> usize {
    engine.inventory.keys.iter().position(|key| *key.name == *name).expect("a key")
}

fn ask(engine: &Engine, name: &str) -> Ask {
    let key = &engine.inventory.keys[key_index(engine, name)];
    engine.ordinary(key).next().expect("an ordinary call")
}

/// The deployments that a key may use for its ordinary call.
fn permitted(engine: &Engine, key: &str) -> Vec<String> {
    permitted_to(engine, key, &ask(engine, key))
}

fn permitted_to(engine: &Engine, key: &str, ask: &Ask) -> Vec<String> {
    let index = key_index(engine, key);
    let ids = engine.inventory.deployments.iter().enumerate();
    let permitted = ids.filter(|(deployment, _)| engine.decide(index, *deployment, ask).is_ok());
    permitted.map(|(_, deployment)| deployment.id.trim_end_matches("/m").to_owned()).collect()
}

fn rules_of(engine: &Engine, key: &str, deployment: &str) -> Vec<String> {
    let index = engine.inventory.deployments.iter().position(|facts| *facts.id == *deployment).expect("a deployment");
    let rules = engine.decide(key_index(engine, key), index, &ask(engine, key)).expect_err("a refusal");
    rules.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_policies_permit_an_ordinary_call() {
    let engine = engine(&shipped());
    assert_eq!(permitted(&engine, "careless").len(), 19, "all but the controlled model");
}

#[test]
fn residency_keeps_data_in_their_zone() {
    let engine = engine(&shipped());
    let within = permitted(&engine, "european");
    assert_eq!(within.len(), 8);
    assert!(within.iter().all(|id| id.contains("-eu")), "{within:?}");
    assert_eq!(rules_of(&engine, "european", "mistral-japaneast/m"), ["residency-of-the-call", "residency-of-the-key"]);
    assert_eq!(engine.rule("residency-of-the-key").and_then(|rule| rule.regulation.as_deref()), Some("GDPR Art. 44"));
}

#[test]
fn a_header_narrows_and_never_widens() {
    let engine = engine(&shipped());
    let narrower = Ask { residency: "DE".into(), ..ask(&engine, "careless") };
    assert!(permitted_to(&engine, "careless", &narrower).iter().all(|id| id.ends_with("eu-central-1")));
    let wider = Ask { residency: "any".into(), ..ask(&engine, "european") };
    assert_eq!(permitted_to(&engine, "european", &wider).len(), 8);
}

#[test]
fn personal_data_need_agreement_and_safeguards() {
    let engine = engine(&shipped());
    let expected = [
        "openai-eu",
        "openai-eu-central-1",
        "openai-japaneast",
        "openai-unknown",
        "mistral-eu",
        "mistral-eu-central-1",
        "mistral-japaneast",
    ];
    assert_eq!(permitted(&engine, "personal"), expected);
    let refused = rules_of(&engine, "personal", "silent-us/m");
    assert_eq!(refused, ["gdpr-no-training", "gdpr-processor-agreement", "gdpr-transfer"]);
}

#[test]
fn a_controlled_model_is_for_screened_users() {
    let engine = engine(&shipped());
    assert_eq!(rules_of(&engine, "careless", "openai-us/m"), ["export-controlled-model"]);
    let uncontrolled = Ask { data: Vec::new(), ..ask(&engine, "research") };
    assert!(permitted_to(&engine, "research", &uncontrolled).contains(&"openai-us".to_owned()));
    let unscreened = Ask { screened: false, ..uncontrolled };
    assert!(!permitted_to(&engine, "research", &unscreened).contains(&"openai-us".to_owned()));
}

#[test]
fn f_095_a_forbid_that_errs_refuses() {
    let overflow = r#"@id("overflow") forbid (principal, action, resource)
        when { resource.export_class * 9223372036854775807 > 1 };"#;
    let engine = engine(&[crate::policy::BASE, overflow]);
    assert_eq!(rules_of(&engine, "careless", "openai-us/m"), [EVALUATION_ERROR, "overflow"]);
    assert_eq!(permitted(&engine, "careless").len(), 19);
}

#[test]
fn nothing_is_permitted_without_a_permit() {
    let engine = engine(&[""]);
    assert!(permitted(&engine, "careless").is_empty());
    assert!(rules_of(&engine, "careless", "openai-eu/m").is_empty());
    assert!(!engine.usable_by_some_key(0));
}

#[test]
fn unknown_words_are_refused() {
    let engine = engine(&shipped());
    let index = key_index(&engine, "careless");
    let atlantis = Ask { residency: "Atlantis".into(), ..ask(&engine, "careless") };
    assert_eq!(engine.decide(index, 1, &atlantis), Err(Arc::from([UNKNOWN_WORD.into()])));
    let secret = Ask { data: words(&["top-secret"]), ..ask(&engine, "careless") };
    assert_eq!(engine.decide(index, 1, &secret), Err(Arc::from([UNKNOWN_WORD.into()])));
}

/// A pool's answers are remembered under less than a deployment's: what calls differ in must not be lost on the way.
#[test]
fn a_pool_is_told_of_each_deployment_what_it_is_told_alone() {
    let mut inventory = inventory();
    inventory.deployments[3].pools = Vec::new();
    inventory.deployments[7].long_prices = vec![(1_000, (TokenPrice(90_000_000), TokenPrice(90_000_000)))];
    let cheap = r#"@id("cheap") forbid (principal, action, resource) when { context.estimated_cost > 3000 };"#;
    let late = r#"@id("late") forbid (principal, action, resource) when { context.hour > 20 };"#;
    let engine = compile_over(inventory, &[&shipped(), &[cheap, late][..]].concat()).expect("policies");
    let ordinary = ask(&engine, "personal");
    let calls = [
        ordinary.clone(),
        Ask { residency: "EU".into(), ..ordinary.clone() },
        Ask { data: words(&["health"]), ..ordinary.clone() },
        Ask { data: words(&["no-such"]), ..ordinary.clone() },
        Ask { input_tokens: 400, ..ordinary.clone() },
        Ask { input_tokens: 1_000, ..ordinary.clone() },
        Ask { input_tokens: 1_001, ..ordinary.clone() },
        Ask { output_tokens: 1_000, ..ordinary.clone() },
        Ask { hour: 21, ..ordinary.clone() },
        Ask { attempt: 7, ..ordinary },
    ];
    let mut answers = HashSet::new();
    for ask in calls.iter().chain(&calls) {
        for key in 0..engine.inventory.keys.len() {
            let told = engine.decide_pool(key, "smart", ask);
            assert_eq!(told.about(3), None, "it is in no pool");
            for deployment in (0..20).filter(|deployment| *deployment != 3) {
                let alone = engine.decide(key, deployment, ask);
                assert_eq!(told.about(deployment), Some(&alone), "{key} {deployment} {ask:?}");
            }
            answers.insert(format!("{told:?}"));
        }
    }
    assert!(answers.len() > 12, "the calls and keys differ in what they may use: {}", answers.len());
    assert_eq!(engine.decide_pool(0, "no-such", &calls[0]).about(0), None);
    assert!(engine.decide_pool(99, "smart", &calls[0]).about(0).is_some_and(Result::is_err), "nobody's key");
}

#[test]
fn f_094_a_deployment_that_no_key_may_use_is_not_probed() {
    let mistral = r#"@id("not-mistral") forbid (principal, action, resource in Vendor::"mistral");"#;
    let engine = engine(&[crate::policy::BASE, mistral]);
    let usable = |id: &str| {
        let index = engine.inventory.deployments.iter().position(|facts| *facts.id == *id).expect("a deployment");
        engine.usable_by_some_key(index)
    };
    assert!(usable("openai-us/m"));
    assert!(!usable("mistral-eu/m"));
}

#[test]
fn a_deployment_for_later_attempts_is_usable() {
    let fallback = r#"@id("second-choice") forbid (principal, action, resource) when { context.attempt == 0 };"#;
    let engine = engine(&[crate::policy::BASE, fallback]);
    assert!(permitted(&engine, "careless").is_empty());
    assert!(engine.usable_by_some_key(1));
}

#[test]
fn decisions_are_remembered_by_what_policies_read() {
    let engine = engine(&[
        crate::policy::BASE,
        r#"@id("late") forbid (principal, action, resource) when { context.hour > 20 };"#,
    ]);
    let index = key_index(&engine, "careless");
    let at = |hour| Ask { hour, ..ask(&engine, "careless") };
    assert!(engine.decide(index, 1, &at(20)).is_ok());
    assert!(engine.decide(index, 1, &at(21)).is_err());
    assert!(engine.decide(index, 1, &at(20)).is_ok());
}

#[test]
fn policies_of_a_team_concern_the_team_alone() {
    let team =
        r#"@id("lab-stays") forbid (principal in Team::"lab", action, resource) unless { resource in Zone::"EU" };"#;
    let engine = engine(&[crate::policy::BASE, team]);
    assert_eq!(permitted(&engine, "careless").len(), 20);
    assert_eq!(permitted(&engine, "research").len(), 8);
}

/// Compiles a policy file and compares what is found: "line:column message | help" by its beginning.
fn check(policies: &str, expected: &[&str]) {
    let found = compile(&[policies]).map(|_| ()).expect_err("diagnostics");
    let lines: Vec<String> = found
        .iter()
        .map(|found| format!("{}:{} {} | {}", found.place.line, found.place.column, found.message, found.help))
        .collect();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        let (start, contained) = expected.split_once(" ~ ").unwrap_or((expected, ""));
        assert!(line.starts_with(start) && line.contains(contained), "{line}\n is not {expected}");
    }
}

#[test]
fn f_092_typos_in_rules_name_the_place_and_the_right_word() {
    check(
        "@id(\"a\")\nforbid (principal, action, resource)\nwhen { resource.trains_on_input };",
        &["3:8 for policy `a`, attribute `trains_on_input` ~ did you mean `trains_on_inputs`?"],
    );
    check(
        "@id(\"a\")\nforbid (principal, action, resource in Zone::\"UE\");",
        &["2:40 there is no zone \"UE\" | did you mean Zone::\"EU\"?"],
    );
    check(
        "// Zone::\"UE\" is none\n@id(\"a\")\nforbid (principal, action, resource in Zone::\"UE\");\n\
         @id(\"b\")\nforbid (principal, action, resource in Zone::\"UE\");",
        &["3:40 there is no zone \"UE\"", "5:40 there is no zone \"UE\""],
    );
    check(
        "@id(\"a\")\nforbid (principal, action, resource in Vendor::\"opnai\");",
        &["2:40 there is no vendor \"opnai\" | did you mean Vendor::\"openai\"?"],
    );
    check(
        "@id(\"a\")\nforbid (principal in Team::\"lap\", action, resource);",
        &["2:22 there is no team \"lap\" | did you mean Team::\"lab\"?"],
    );
    check(
        "@id(\"a\")\nforbid (principal, action, resource in Region::\"eu-centrl-1\");",
        &["2:40 there is no region \"eu-centrl-1\" | did you mean Region::\"eu-central-1\"?"],
    );
    check(
        "@id(\"a\")\nforbid (principal, action, resource in Pool::\"smrt\");",
        &["2:40 there is no pool \"smrt\" | did you mean Pool::\"smart\"?"],
    );
    check("@id(\"a\")\nforbid (principal, action == Action::\"cal\", resource);", &["2:30 "]);
}

#[test]
fn what_cannot_be_recorded_or_trusted_is_refused() {
    check("permit (principal, action, resource);", &["1:1 the policy has no @id | "]);
    check(
        "@id(\"a\")\npermit (principal, action, resource);\n@id(\"a\")\npermit (principal, action, resource);",
        &["3:1 the @id \"a\" is used twice | the first one is at test.cedar:1:1"],
    );
    check(
        "@id(\"a\")\npermit (principal == ?principal, action, resource);",
        &["1:1 a policy cannot be a template here"],
    );
    check(
        "@id(\"a\")\nforbid (principal, action, resource)\nwhen { context has data };",
        &["1:1 the policy uses `has` | every attribute is always there"],
    );
    check("@id(\"a\") permit (principal, action, resource)", &["1:46 unexpected end of input | a policy reads `@id"]);
    check(
        "@id(\"a\") @inflight(\"halt\") permit (principal, action, resource);",
        &["1:1 @inflight takes \"stop\" alone"],
    );
}

#[test]
fn warnings_are_fatal() {
    check(
        "@id(\"a\")\nforbid (principal, action, resource)\nwhen { false };",
        &["1:1 for policy `a`, policy is impossible"],
    );
}

#[test]
fn all_findings_come_at_once() {
    let found = compile(&["@id(\"a\") forbid (principal, action, resource) when { context.hours > 1 };", "permit ("]);
    assert_eq!(found.map(|_| ()).expect_err("diagnostics").len(), 2);
}
