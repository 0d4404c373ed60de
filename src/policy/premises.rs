//! What is true of every inventory that compiles and of every call that is admitted, for proofs.
//!
//! A proof is about all requests and all entities that fit the schema, and the schema says less than we know: that
//! Germany lies in the EU, that no place lies in the EU and in the United States, that no number is negative. It is said
//! in Cedar, as policies that forbid the rest. Nothing here is ever served.

use crate::policy::entities::WORST;
use crate::policy::inventory::Inventory;
use crate::policy::vocabulary::{ANY, UNKNOWN};
use std::fmt::Write as _;

/// What needs no names. The hour is UTC's; a call says nothing wider than its key.
const FIXED: &str = r#"
forbid (principal, action, resource) unless {
  context.attempt >= 0 && context.depth >= 0 && context.estimated_cost >= 0 && context.hour >= 0 && context.hour < 24
};
forbid (principal, action, resource) unless { principal.max_input_price >= 0 && principal.max_output_price >= 0 };
forbid (principal, action, resource) unless {
  resource.retention_days >= 0 && resource.export_class >= 0 && resource.input_price >= 0 && resource.output_price >= 0
};
forbid (principal, action, resource) when { context.screened && !principal.screened };
forbid (principal, action, resource) when { context.residency == Zone::"unknown" || principal.residency == Zone::"unknown" };
forbid (principal, action, resource) when { resource in Zone::"any" };
"#;

/// The premises of this inventory, in Cedar: only about zones that `spoken` names where a premise about all pairs of
/// zones would be long.
#[must_use]
pub fn text(inventory: &Inventory, spoken: &str) -> String {
    let mut text = FIXED.to_owned();
    let mut say = |premise: String| {
        // writing to a string cannot fail
        let _ = writeln!(text, "{premise}");
    };
    say(format!(
        "forbid (principal, action, resource) unless {{ resource.price_known || \
         (resource.input_price == {WORST} && resource.output_price == {WORST}) }};"
    ));
    for vendor in &inventory.vendors {
        let vendor = entity("Vendor", &vendor.name);
        say(format!(
            "forbid (principal, action, resource) unless {{ (resource in {vendor}) == (resource.vendor == {vendor}) }};"
        ));
    }
    let words = &inventory.vocabulary;
    let zones: Vec<&str> = words.zones().filter(|zone| *zone != ANY).collect();
    let mut composed = Vec::new();
    for zone in &zones {
        let within: Vec<&str> =
            zones.iter().copied().filter(|other| other != zone && words.within(other, zone)).collect();
        if within.is_empty() {
            continue;
        }
        composed.push(*zone);
        let (zone, parts) = (entity("Zone", zone), entities(&within));
        say(format!(
            "forbid (principal, action, resource) when {{ resource in {parts} }} unless {{ resource in {zone} }};"
        ));
        say(format!(
            "forbid (principal, action, resource) when {{ principal.residency == {zone} }} \
             unless {{ context.residency == {zone} || {parts}.contains(context.residency) }};"
        ));
    }
    composed.push(ANY);
    say(format!(
        "forbid (principal, action, resource) unless {{ \
         {}.contains(principal.residency) || context.residency == principal.residency }};",
        entities(&composed)
    ));
    let named = |zone: &&&str| **zone == UNKNOWN || spoken.contains(&entity("Zone", zone));
    for zone in zones.iter().filter(named) {
        let apart: Vec<&str> = zones.iter().copied().filter(|other| words.apart(zone, other)).collect();
        let (zone, apart) = (entity("Zone", zone), entities(&apart));
        say(format!("forbid (principal, action, resource in {zone}) when {{ resource in {apart} }};"));
    }
    text
}

fn entity(kind: &str, name: &str) -> String {
    format!("{kind}::{name:?}")
}

fn entities(zones: &[&str]) -> String {
    let zones: Vec<String> = zones.iter().map(|zone| entity("Zone", zone)).collect();
    format!("[{}]", zones.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::inventory::{DeploymentFacts, KeyFacts, VendorFacts};
    use crate::policy::vocabulary::Vocabulary;
    use crate::policy::{Ask, Engine, PolicyFile};
    use std::path::Path;

    /// An inventory with a deployment in every region and zone that there is.
    fn everywhere() -> Inventory {
        let vocabulary = Vocabulary::shipped();
        let vendor = |name: &str| VendorFacts {
            name: name.into(),
            seat: "US".into(),
            agreements: Vec::new(),
            certifications: Vec::new(),
        };
        let regions = vocabulary.regions().chain(vocabulary.zones()).map(str::to_ascii_lowercase);
        let deployment = |region: String| DeploymentFacts {
            id: format!("one/{region}").into(),
            vendor: "one".into(),
            region: region.into(),
            pools: vec!["p".into()],
            ..DeploymentFacts::default()
        };
        let deployments = regions.map(deployment).collect();
        let key = |residency: &str, screened| KeyFacts {
            name: format!("{residency}-{screened}").into(),
            jurisdiction: "DE".into(),
            residency: residency.into(),
            screened,
            ..KeyFacts::default()
        };
        let keys = vec![key("EU", true), key("DE", false)];
        Inventory {
            vendors: vec![vendor("one"), vendor("two")],
            pools: vec!["p".into()],
            deployments,
            keys,
            vocabulary,
            ..Inventory::default()
        }
    }

    /// What a premise forbids would be left out of every proof: nothing that exists may be.
    #[test]
    fn every_place_and_every_admitted_call_keeps_to_the_premises() {
        let inventory = everywhere();
        let spoken: String = inventory.vocabulary.zones().map(|zone| entity("Zone", zone)).collect();
        let mut written = String::from("@id(\"base\") permit (principal, action, resource);\n");
        for (number, premise) in text(&inventory, &spoken).split_inclusive("};\n").enumerate() {
            if !premise.trim().is_empty() {
                written.push_str(&format!("@id(\"premise-{number}\")\n{}\n", premise.trim()));
            }
        }
        let files = [PolicyFile { path: Path::new("premises.cedar"), text: &written }];
        let engine = Engine::compile(inventory, &files).unwrap_or_else(|found| panic!("{found:#?}"));
        let inventory = engine.inventory();
        for (key, facts) in inventory.keys.iter().enumerate() {
            for residency in ["EU", "DE"] {
                let ask = Ask {
                    data: Vec::new(),
                    residency: residency.into(),
                    screened: facts.screened,
                    needs: crate::call::needs::Needs::NONE,
                    attempt: 1,
                    depth: 0,
                    input_tokens: 10,
                    output_tokens: 10,
                    hour: 23,
                };
                let admitted = inventory.vocabulary.within(residency, &facts.residency);
                for (deployment, place) in inventory.deployments.iter().enumerate() {
                    let decision = engine.decide(key, deployment, &ask);
                    assert_eq!(decision.is_ok(), admitted, "{facts:?} {residency} {}: {decision:?}", place.id);
                }
            }
        }
    }
}
