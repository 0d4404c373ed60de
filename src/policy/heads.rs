//! Whom, what and which data a policy names at its beginning: it says nothing about others, and is not asked.

use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts};
use crate::policy::reads::{entity, literal, variable};
use serde_json::Value;
use std::sync::Arc;

/// An entity as policies write it: `Team::"lab"`.
pub(super) type Name = Arc<str>;

/// What a policy's scope, or what its condition asks before anything else, demands of the key, the deployment and the call;
/// `None` where it demands nothing by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) who: Option<Name>,
    pub(super) what: Option<Name>,
    /// Data classes of which the call must hold one.
    pub(super) data: Option<Vec<Arc<str>>>,
}

impl Head {
    /// The head of a policy, by its JSON form.
    pub(super) fn of(policy: &Value) -> Self {
        let mut head = Self { who: scope(policy.get("principal")), what: scope(policy.get("resource")), data: None };
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
        if let Some(data) = data_classes(condition) {
            self.data.get_or_insert(data);
            return true;
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

/// The classes of `context.data.contains(CLASS)` and `context.data.containsAny([CLASS, ...])`.
fn data_classes(condition: &Value) -> Option<Vec<Arc<str>>> {
    let (test, classes) = match (condition.get("contains"), condition.get("containsAny")) {
        (Some(test), _) => (test, std::slice::from_ref(test.get("right")?)),
        (None, Some(test)) => (test, test.get("right")?.get("Set")?.as_array()?.as_slice()),
        (None, None) => return None,
    };
    let access = test.get("left")?.get(".")?;
    let of_call = variable(access.get("left")?)? == "context" && access.get("attr")? == "data";
    let class = |class: &Value| literal(class).filter(|(kind, _)| *kind == "Data").map(|(_, id)| Arc::from(id));
    if of_call { classes.iter().map(class).collect() } else { None }
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

    fn head(policy: &str) -> Head {
        Head::of(&Policy::from_str(policy).expect("a policy").to_json().expect("its JSON form"))
    }

    fn check(policy: &str, who: Option<&str>, what: Option<&str>) {
        let expected = Head { who: who.map(Arc::from), what: what.map(Arc::from), data: None };
        assert_eq!(head(policy), expected, "{policy}");
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

    #[test]
    fn data_that_a_condition_asks_for_first_count_too() {
        let check = |condition: &str, expected: Option<&[&str]>| {
            let data = head(&format!("forbid(principal, action, resource in Zone::\"EU\") {condition};")).data;
            let expected = expected.map(|classes| classes.iter().copied().map(Arc::from).collect::<Vec<_>>());
            assert_eq!(data, expected, "{condition}");
        };
        check("when { context.data.contains(Data::\"a\") && context.hour > 1 }", Some(&["a"]));
        let any = "context.data.containsAny([Data::\"a\", Data::\"b\"])";
        check(&format!("when {{ principal in Team::\"t\" && {any} }} unless {{ context.stores }}"), Some(&["a", "b"]));
        check(&format!("when {{ {any} && context.data.contains(Data::\"c\") }}"), Some(&["a", "b"]));
        check(&format!("when {{ context.hour * 2 > 1 && {any} }}"), None);
        check(&format!("when {{ {any} || context.stores }}"), None);
        check(&format!("unless {{ {any} }}"), None);
        check("when { context.data.containsAll([Data::\"a\"]) }", None);
        check("when { [Data::\"a\"].containsAny(context.data) }", None);
    }
}
