//! Policy files to a checked set of policies: every finding at once, with file, line and what to try.

use crate::base::diagnostic::{Diagnostic, Place, nearest};
use crate::policy::inventory::Inventory;
use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic as Report;
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

/// One policy file.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFile<'a> {
    /// Its path, as diagnostics name it.
    pub path: &'a Path,
    /// Its content.
    pub text: &'a str,
}

/// Reads, names and checks the policies of all files.
pub(super) fn read(
    files: &[PolicyFile<'_>],
    schema: &Schema,
    inventory: &Inventory,
) -> Result<Vec<Policy>, Vec<Diagnostic>> {
    let mut rules = Rules { inventory, ids: HashMap::new(), diagnostics: Vec::new() };
    let validator = Validator::new(schema.clone());
    let mut policies = Vec::new();
    for file in files {
        policies.extend(rules.file(file, &validator));
    }
    if rules.diagnostics.is_empty() { Ok(policies) } else { Err(rules.diagnostics) }
}

struct Rules<'a> {
    inventory: &'a Inventory,
    ids: HashMap<String, Place>,
    diagnostics: Vec<Diagnostic>,
}

impl Rules<'_> {
    fn file(&mut self, file: &PolicyFile<'_>, validator: &Validator) -> Vec<Policy> {
        let parsed = match PolicySet::from_str(file.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                self.diagnostics.extend(errors.iter().map(|error| diagnostic(file, error)));
                return Vec::new();
            }
        };
        for template in parsed.templates() {
            let place = place_of(file, &template.to_string());
            let help = "write the principal or resource out instead of ?principal or ?resource";
            self.diagnostics.push(Diagnostic::error(place, "a policy cannot be a template here").help(help));
        }
        let mut named = PolicySet::new();
        let mut policies = Vec::new();
        for policy in parsed.policies() {
            let place = place_of(file, &policy.to_string());
            self.literals(file, policy, &place);
            if let Some(policy) = self.named(policy, place).filter(|policy| named.add(policy.clone()).is_ok()) {
                policies.push(policy);
            }
        }
        let result = validator.validate(&named, ValidationMode::Strict);
        self.diagnostics.extend(result.validation_errors().map(|error| diagnostic(file, error)));
        self.diagnostics.extend(result.validation_warnings().map(|warning| diagnostic(file, warning)));
        policies
    }

    /// The policy under the name that its `@id` gives it, which decisions are recorded with.
    fn named(&mut self, policy: &Policy, place: Place) -> Option<Policy> {
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()).map(str::to_owned) else {
            let help = "write @id(\"what-it-does\") above it: decisions are recorded with this name";
            self.diagnostics.push(Diagnostic::error(place, "the policy has no @id").help(help));
            return None;
        };
        if let Some(first) = self.ids.get(&id) {
            let message = format!("the @id \"{id}\" is used twice");
            self.diagnostics.push(Diagnostic::error(place, message).help(format!("the first one is at {first}")));
            return None;
        }
        self.ids.insert(id.clone(), place);
        Some(policy.new_id(PolicyId::new(id)))
    }

    /// Checks the names that Cedar's schema leaves open against the inventory.
    fn literals(&mut self, file: &PolicyFile<'_>, policy: &Policy, place: &Place) {
        for literal in policy.entity_literals() {
            let kind = literal.type_name().to_string();
            let name = literal.id().unescaped();
            let known = self.known(&kind);
            let Some(known) = known.filter(|known| !known.contains(&name)) else { continue };
            let message = format!("there is no {} \"{name}\"", kind.to_lowercase());
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {kind}::\"{near}\"?"),
                None => "names in policies must be in the config, or be words of the vocabulary".to_owned(),
            };
            let place = literal_place(file, &literal, place);
            self.diagnostics.push(Diagnostic::error(place, message).help(help));
        }
    }

    fn known(&self, kind: &str) -> Option<Vec<&str>> {
        let inventory = self.inventory;
        match kind {
            "Vendor" => Some(inventory.vendors.iter().map(|vendor| vendor.name.as_ref()).collect()),
            "Team" => Some(inventory.teams.iter().map(AsRef::as_ref).collect()),
            "Key" => Some(inventory.keys.iter().map(|key| key.name.as_ref()).collect()),
            "Deployment" => Some(inventory.deployments.iter().map(|deployment| deployment.id.as_ref()).collect()),
            "Region" => {
                let used = inventory.deployments.iter().map(|deployment| deployment.region.as_ref());
                Some(inventory.vocabulary.regions().chain(used).collect())
            }
            // the other types are closed in the schema, where Cedar itself checks them
            _ => None,
        }
    }
}

/// A finding of Cedar's as ours: its message, its place, its help.
fn diagnostic(file: &PolicyFile<'_>, report: &dyn Report) -> Diagnostic {
    let offset = report.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let place = offset.map_or_else(|| Place::file(file.path), |offset| Place::at(file.path, file.text, offset));
    let help = report.help().map(|help| help.to_string()).unwrap_or_default();
    Diagnostic::error(place, report.to_string().replace('\n', " ")).help(help)
}

fn place_of(file: &PolicyFile<'_>, policy: &str) -> Place {
    let offset = file.text.find(policy).unwrap_or_default();
    Place::at(file.path, file.text, offset)
}

fn literal_place(file: &PolicyFile<'_>, literal: &EntityUid, policy: &Place) -> Place {
    match file.text.find(&literal.to_string()) {
        Some(offset) => Place::at(file.path, file.text, offset),
        None => policy.clone(),
    }
}
