//! The shipped policies are proved, and what was broken on purpose is refuted. Needs the solver: see `backstay prove`.

use super::{Subject, judge};
use crate::policy::inventory::{DeploymentFacts, Inventory, VendorFacts};
use crate::policy::vocabulary::Vocabulary;
use crate::policy::{Engine, PolicyFile, premises, schema};
use crate::snapshot::properties::Verdict;
use std::fmt::Write as _;
use std::path::Path;

const SHIPPED: [&str; 5] = [
    include_str!("../../../../policies/base.cedar"),
    include_str!("../../../../policies/gdpr.cedar"),
    include_str!("../../../../policies/export-control.cedar"),
    include_str!("../../../../policies/health.cedar"),
    include_str!("../../../../policies/price.cedar"),
];
const PROPERTIES: [&str; 2] = [
    include_str!("../../../../policies/properties/residency.cedar"),
    include_str!("../../../../policies/properties/personal-data.cedar"),
];
/// The rule that the mutants break.
const RESIDENCY: &str = "unless { context.residency == Zone::\"any\" || resource in context.residency };";

fn inventory() -> Inventory {
    Inventory {
        vocabulary: Vocabulary::shipped(),
        vendors: vec![VendorFacts {
            name: "one".into(),
            seat: "US".into(),
            agreements: Vec::new(),
            certifications: Vec::new(),
        }],
        pools: vec!["smart".into()],
        deployments: vec![DeploymentFacts {
            id: "one/m".into(),
            vendor: "one".into(),
            region: "us".into(),
            ..DeploymentFacts::default()
        }],
        teams: vec!["platform".into()],
        ..Inventory::default()
    }
}

/// What becomes of properties, `id verdict` of each, and the counterexamples.
fn prove(policies: &str, properties: &str) -> (Vec<String>, String) {
    let inventory = inventory();
    let engine = |text| Engine::compile(inventory.clone(), &[PolicyFile { path: Path::new("t.cedar"), text }]);
    engine(policies).unwrap_or_else(|found| panic!("the proxy would not load it: {found:#?}"));
    let rules = engine(properties).unwrap_or_else(|found| panic!("{found:#?}"));
    let texts: Vec<String> = rules.rules().iter().map(crate::policy::Rule::text).collect();
    let spoken = format!("{policies}{properties}");
    let subject = Subject {
        schema: schema::text(&inventory),
        policies: policies.to_owned(),
        premises: premises::text(&inventory, &spoken),
    };
    let verdicts = judge(&subject, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let verdicts = verdicts.unwrap_or_else(|unready| panic!("{unready:?}"));
    let mut counterexamples = String::new();
    let said = rules.rules().iter().zip(verdicts).map(|(rule, verdict)| match verdict {
        Verdict::Proved => format!("{} proved", rule.id),
        Verdict::Refuted(why) => {
            let _ = writeln!(counterexamples, "{}\n{why}", rule.id);
            format!("{} refuted", rule.id)
        }
        Verdict::Untold(why) => format!("{} untold: {why}", rule.id),
    });
    (said.collect(), counterexamples)
}

/// The shipped policies with this instead of the residency rule's condition.
fn mutant(condition: &str) -> String {
    let policies = SHIPPED.concat();
    assert_eq!(policies.matches(RESIDENCY).count(), 1);
    policies.replace(RESIDENCY, condition)
}

#[test]
fn the_shipped_policies_keep_every_shipped_property() {
    let (said, counterexamples) = prove(&SHIPPED.concat(), &PROPERTIES.concat());
    assert!(said.len() >= 7 && said.iter().all(|said| said.ends_with(" proved")), "{said:#?}\n{counterexamples}");
}

#[test]
fn a_residency_rule_that_exempts_a_team_is_refuted() {
    let policies = mutant(
        "unless { context.residency == Zone::\"any\" || resource in context.residency || principal in Team::\"platform\" };",
    );
    let (said, counterexamples) = prove(&policies, PROPERTIES[0]);
    assert!(said.contains(&"eu-bound-stays-in-the-eu refuted".to_owned()), "{said:#?}");
    assert!(said.contains(&"nothing-goes-to-embargoed-places proved".to_owned()), "{said:#?}");
    for words in
        ["a key in Team::\"platform\": ", "a call: residency \"EU\"", "a deployment in no zone", "permitted by base"]
    {
        assert!(counterexamples.contains(words), "{words} is not in\n{counterexamples}");
    }
}

#[test]
fn a_residency_rule_that_looks_at_some_calls_only_is_refuted() {
    let policies = mutant(
        "when { context.data.contains(Data::\"personal\") } unless { context.residency == Zone::\"any\" || resource in context.residency };",
    );
    let (said, counterexamples) = prove(&policies, PROPERTIES[0]);
    assert!(said.contains(&"eu-bound-stays-in-the-eu refuted".to_owned()), "{said:#?}");
    assert!(counterexamples.contains("a call: residency \"EU\", data "), "{counterexamples}");
}

/// What the schema alone does not say: geography, that a call narrows its key, whose a deployment is.
#[test]
fn what_every_inventory_keeps_to_is_taken_for_granted() {
    let properties = r#"
        @id("germany-is-in-the-eea")
        permit (principal, action, resource) unless { context.residency == Zone::"DE" && !(resource in Zone::"EEA") };
        @id("no-place-is-here-and-there")
        permit (principal, action, resource) unless { context.residency == Zone::"FR" && resource in Zone::"US" };
        @id("a-call-narrows-its-key")
        permit (principal, action, resource) unless { principal.residency == Zone::"EU" && context.residency == Zone::"US" };
        @id("screened-by-its-key")
        permit (principal, action, resource) unless { context.screened && !principal.screened };
        @id("not-true-one-is-used")
        permit (principal, action, resource) unless { resource in Vendor::"one" };
    "#;
    let (said, counterexamples) = prove(&SHIPPED.concat(), properties);
    let proved = said.iter().filter(|said| said.ends_with(" proved")).count();
    assert_eq!((proved, said[4].as_str()), (4, "not-true-one-is-used refuted"), "{said:#?}\n{counterexamples}");
    assert!(counterexamples.contains("its vendor \"one\""), "{counterexamples}");
}

/// It errs from the second attempt on: Cedar would skip it, the proxy refuses.
#[test]
fn a_policy_that_can_err_is_not_blamed_for_what_the_proxy_refuses() {
    let policies = mutant(
        "unless { context.residency == Zone::\"any\" || context.attempt * 9223372036854775807 < 0 || resource in context.residency };",
    );
    let (said, _) = prove(&policies, PROPERTIES[0]);
    assert!(said[0].contains("untold: the only counterexample found makes a policy err"), "{said:#?}");
}
