//! A counterexample in words: who calls, what the call is, which deployment it reaches, and what permits it.

use cedar_policy::{Entities, EntityUid, EvalResult};
use cedar_policy_symcc::Env;
use std::collections::BTreeSet;

/// The line breaks of a counterexample are the table's to indent.
pub(super) fn words(env: &Env, rules: &[String]) -> String {
    let who = env.request.principal().map(|key| entity("key", key, "Team", &env.entities)).unwrap_or_default();
    let which =
        env.request.resource().map(|place| entity("deployment", place, "Zone", &env.entities)).unwrap_or_default();
    let context = env.request.context();
    let said = CONTEXT.iter().filter_map(|name| Some(member(name, &context?.get(name)?)));
    let call = format!("a call: {}", said.collect::<Vec<_>>().join(", "));
    let vendor = env.request.resource().and_then(|place| vendor(place, &env.entities)).unwrap_or_default();
    [who, call, which, vendor, format!("permitted by {}", rules.join(", "))].join("\n")
}

/// The order in which a call is told.
const CONTEXT: [&str; 9] =
    ["residency", "data", "screened", "stores", "hosted_tools", "attempt", "depth", "estimated_cost", "hour"];

/// `a deployment in Zone::"EU" and Vendor::"one": model "m", price_known true`. What the solver makes up has no name.
fn entity(kind: &str, uid: &EntityUid, parent: &str, entities: &Entities) -> String {
    let above: BTreeSet<String> = entities.ancestors(uid).map(|above| above.map(short).collect()).unwrap_or_default();
    let mut above: Vec<String> = above.into_iter().collect();
    if !above.iter().any(|above| above.starts_with(parent)) {
        above.insert(0, format!("no {}", parent.to_lowercase()));
    }
    let name = if uid.id().unescaped().is_empty() { format!("a {kind}") } else { format!("{kind} {}", name(uid)) };
    format!("{name} in {}: {}", above.join(" and "), attributes(uid, entities))
}

/// The vendor of a deployment, with what it promises.
fn vendor(deployment: &EntityUid, entities: &Entities) -> Option<String> {
    let Some(Ok(EvalResult::EntityUid(vendor))) = entities.get(deployment)?.attr("vendor") else { return None };
    Some(format!("its vendor {}: {}", name(&vendor), attributes(&vendor, entities)))
}

fn attributes(uid: &EntityUid, entities: &Entities) -> String {
    let Some(entity) = entities.get(uid) else { return String::new() };
    let mut members: Vec<String> =
        entity.attrs().filter_map(|(name, value)| Some(member(name, &value.ok()?))).collect();
    members.sort();
    members.join(", ")
}

fn member(name: &str, value: &EvalResult) -> String {
    format!("{name} {}", shown(value))
}

fn shown(value: &EvalResult) -> String {
    match value {
        EvalResult::Bool(truth) => truth.to_string(),
        EvalResult::Long(i64::MAX) => "the highest".to_owned(),
        EvalResult::Long(number) => number.to_string(),
        EvalResult::String(text) => format!("{text:?}"),
        EvalResult::EntityUid(uid) => name(uid),
        EvalResult::Set(set) => {
            let mut members: Vec<String> = set.iter().map(shown).collect();
            members.sort();
            if members.is_empty() { "none".to_owned() } else { format!("[{}]", members.join(", ")) }
        }
        EvalResult::Record(_) | EvalResult::ExtensionValue(_) => value.to_string(),
    }
}

fn name(uid: &EntityUid) -> String {
    format!("{:?}", uid.id().unescaped())
}

fn short(uid: &EntityUid) -> String {
    format!("{}::{}", uid.type_name(), name(uid))
}
