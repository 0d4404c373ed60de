//! Whom and what a policy names at its beginning: it says nothing about anyone else, and is not asked.

use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts};
use crate::policy::reads::{entity, literal, variable};
use serde_json::Value;
use std::sync::Arc;

/// An entity as policies write it: `Team::"lab"`.
pub(super) type Name = Arc<str>;

/// What a policy's scope, or what its condition asks before anything else, demands of the key and of the deployment;
/// `None` where it demands nothing by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) who: Option<Name>,
    pub(super) what: Option<Name>,
}

impl Head {
    /// The head of a policy, by its JSON form.
    pub(super) fn of(policy: &Value) -> Self {
        let mut head = Self { who: scope(policy.get("principal")), what: scope(policy.get("resource")) };
        // only what stands first can be asked first: behind anything else, the policy might have erred before
        let first = policy.get("conditions").and_then(|conditions| conditions.get(0));
        let first = first.filter(|first| first.get("kind").is_some_and(|kind| kind == "when"));
        if let Some(body) = first.and_then(|first| first.get("body")) {
            head.narrow(body);
        }
        head
    }

    /// Takes what the condition asks by name, from its left; `false` when something else is asked.
    fn narrow(&mut self, condition: &Value) -> bool {
        if let Some(both) = condition.get("&&") {
            let mut side = |side: &str| both.get(side).is_some_and(|side| self.narrow(side));
            return side("left") && side("right");
        }
        let Some(test) = condition.get("in").or_else(|| condition.get("==")) else { return false };
        let (Some(left), Some((kind, id))) = (test.get("left"), test.get("right").and_then(literal)) else {
            return false;
        };
        let named = if let Some(access) = left.get(".") {
            let of_resource = access.get("left").and_then(variable) == Some("resource");
            let vendor = access.get("attr").is_some_and(|name| name == "vendor");
            if of_resource && vendor && condition.get("==").is_some() { &mut self.what } else { return false }
        } else {
            match variable(left) {
                Some("principal") => &mut self.who,
                Some("resource") => &mut self.what,
                Some(_) | None => return false,
            }
        };
        named.get_or_insert_with(|| name(kind, id));
        true
    }
}

/// What a scope names: `{ "op": "in", "entity": ... }`, or `{ "op": "is", ..., "in": { "entity": ... } }`.
fn scope(scope: Option<&Value>) -> Option<Name> {
    let scope = scope?;
    let named = scope.get("entity").or_else(|| scope.get("in")?.get("entity"))?;
    entity(named).map(|(kind, id)| name(kind, id))
}

fn name(kind: &str, id: &str) -> Name {
    format!("{kind}::{id:?}").into()
}

/// Everything that a policy can call the key.
pub(super) fn names_of_key(key: &KeyFacts) -> impl Iterator<Item = Name> + '_ {
    std::iter::once(name("Key", &key.name)).chain(key.team.iter().map(|team| name("Team", team)))
}

/// Everything that a policy can call the deployment.
pub(super) fn names_of_deployment(deployment: &DeploymentFacts, inventory: &Inventory) -> Vec<Name> {
    let mut names = vec![
        name("Deployment", &deployment.id),
        name("Vendor", &deployment.vendor),
        name("Region", &deployment.region),
    ];
    names.extend(inventory.vocabulary.zones_of(&deployment.region).iter().map(|zone| name("Zone", zone)));
    names.extend(deployment.pools.iter().map(|pool| name("Pool", pool)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;
    use std::str::FromStr;

    fn check(policy: &str, who: Option<&str>, what: Option<&str>) {
        let json = Policy::from_str(policy).expect("a policy").to_json().expect("its JSON form");
        let head = Head { who: who.map(Arc::from), what: what.map(Arc::from) };
        assert_eq!(Head::of(&json), head, "{policy}");
    }

    #[test]
    fn a_scope_names_whom_and_what_it_concerns() {
        check("permit(principal, action, resource);", None, None);
        check("permit(principal is Key, action, resource is Deployment);", None, None);
        check("forbid(principal in Team::\"a\", action, resource);", Some("Team::\"a\""), None);
        check("forbid(principal == Key::\"a\", action, resource);", Some("Key::\"a\""), None);
        let both = "forbid(principal is Key in Team::\"a\", action, resource in Zone::\"EU\");";
        check(both, Some("Team::\"a\""), Some("Zone::\"EU\""));
    }

    #[test]
    fn what_a_condition_asks_first_counts_as_its_scope() {
        let with = |condition: &str| format!("forbid(principal, action, resource) {condition};");
        let vendor = Some("Vendor::\"v\"");
        check(&with("when { resource.vendor == Vendor::\"v\" && context.hour > 1 }"), None, vendor);
        check(&with("when { resource in Vendor::\"v\" } unless { context.hour > 1 }"), None, vendor);
        let team = "when { principal in Team::\"a\" && resource == Deployment::\"d\" && context.hour * 2 > 1 }";
        check(&with(team), Some("Team::\"a\""), Some("Deployment::\"d\""));
        check(&with("when { context.hour * 2 > 1 && principal in Team::\"a\" }"), None, None);
        check(&with("when { principal in Team::\"a\" || context.hour > 1 }"), None, None);
        check(&with("unless { principal in Team::\"a\" }"), None, None);
        check(&with("when { principal in [Team::\"a\", Team::\"b\"] }"), None, None);
        check(&with("when { !(principal in Team::\"a\") }"), None, None);
    }
}
