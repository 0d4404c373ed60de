//! What policies read: questions that differ in nothing that a policy reads have the same answer from it.

use serde_json::{Map, Value};

/// A thing that policies can read of a call, a key or a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Data,
    Residency,
    Screened,
    Stores,
    HostedTools,
    Attempt,
    Depth,
    EstimatedCost,
    Hour,
    /// Which key it is, and so everything of it.
    Key,
    Team,
    Jurisdiction,
    KeyResidency,
    Purposes,
    KeyScreened,
    Vendors,
    MaxInputPrice,
    MaxOutputPrice,
    /// Which deployment it is, and so everything of it.
    Deployment,
    Vendor,
    /// The region and the zones that it lies in.
    Region,
    Pools,
    Model,
    RetentionDays,
    TrainsOnInputs,
    ExportClass,
    PriceKnown,
    InputPrice,
    OutputPrice,
    Agreements,
    Certifications,
}

/// Attributes of `context`.
const CALL: [(&str, Fact); 9] = [
    ("data", Fact::Data),
    ("residency", Fact::Residency),
    ("screened", Fact::Screened),
    ("stores", Fact::Stores),
    ("hosted_tools", Fact::HostedTools),
    ("attempt", Fact::Attempt),
    ("depth", Fact::Depth),
    ("estimated_cost", Fact::EstimatedCost),
    ("hour", Fact::Hour),
];
/// Attributes of `principal`.
const KEY: [(&str, Fact); 7] = [
    ("jurisdiction", Fact::Jurisdiction),
    ("residency", Fact::KeyResidency),
    ("purposes", Fact::Purposes),
    ("screened", Fact::KeyScreened),
    ("vendors", Fact::Vendors),
    ("max_input_price", Fact::MaxInputPrice),
    ("max_output_price", Fact::MaxOutputPrice),
];
/// Attributes of `resource`. What is read of its vendor is the same for all deployments of that vendor.
const DEPLOYMENT: [(&str, Fact); 10] = [
    ("vendor", Fact::Vendor),
    ("model", Fact::Model),
    ("retention_days", Fact::RetentionDays),
    ("trains_on_inputs", Fact::TrainsOnInputs),
    ("export_class", Fact::ExportClass),
    ("price_known", Fact::PriceKnown),
    ("input_price", Fact::InputPrice),
    ("output_price", Fact::OutputPrice),
    ("agreements", Fact::Agreements),
    ("certifications", Fact::Certifications),
];
/// Attributes whose values are zones, and so can hold regions alone.
const ZONES: [&str; 3] = ["residency", "jurisdiction", "seat"];

/// A set of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reads(u32);

impl Reads {
    /// What a policy's conditions read, by its JSON form; whatever is not understood counts as everything of the thing.
    pub(super) fn of(policy: &Value) -> Self {
        let mut reads = Self::default();
        if let Some(conditions) = policy.get("conditions") {
            reads.note(conditions);
        }
        reads
    }

    pub(super) const fn has(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u32) != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What it holds of facts about keys.
    pub(super) const fn of_key(self) -> Self {
        Self(self.0 & (u32::MAX << Fact::Key as u32) & !(u32::MAX << Fact::Deployment as u32))
    }

    /// What it holds of facts about deployments.
    pub(super) const fn of_deployment(self) -> Self {
        Self(self.0 & (u32::MAX << Fact::Deployment as u32))
    }

    fn add(&mut self, fact: Fact) {
        self.0 |= 1 << fact as u32;
    }

    fn note(&mut self, json: &Value) {
        match json {
            Value::Object(members) => {
                if !self.note_attribute(members) && !self.note_place(members) {
                    self.note_whole(members);
                    members.values().for_each(|member| self.note(member));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// `VARIABLE.NAME`: `{ ".": { "left": { "Var": VARIABLE }, "attr": NAME } }`.
    fn note_attribute(&mut self, members: &Map<String, Value>) -> bool {
        let access = members.get(".");
        let read = access.and_then(|access| Some((variable(access.get("left")?)?, access.get("attr")?.as_str()?)));
        let Some((variable, name)) = read else { return false };
        let known: &[(&str, Fact)] = match variable {
            "context" => &CALL,
            "principal" => &KEY,
            "resource" => &DEPLOYMENT,
            _ => &[],
        };
        let fact = known.iter().find(|(attribute, _)| *attribute == name);
        fact.inspect(|(_, fact)| self.add(*fact)).is_some()
    }

    /// `VARIABLE in WHERE`: `{ "in": { "left": { "Var": VARIABLE }, "right": WHERE } }`.
    fn note_place(&mut self, members: &Map<String, Value>) -> bool {
        let within = members.get("in");
        let read = within.and_then(|within| Some((variable(within.get("left")?)?, within.get("right")?)));
        let Some((variable, place)) = read else { return false };
        let kinds = kinds(place);
        let fact = |kind: &Kind| match (variable, kind) {
            ("principal", Kind::Named("Team")) => Fact::Team,
            ("principal", _) => Fact::Key,
            ("resource", Kind::Zones | Kind::Named("Zone" | "Region")) => Fact::Region,
            ("resource", Kind::Named("Vendor")) => Fact::Vendor,
            ("resource", Kind::Named("Pool")) => Fact::Pools,
            (_, _) => Fact::Deployment,
        };
        kinds.iter().for_each(|kind| self.add(fact(kind)));
        self.note(place);
        true
    }

    /// `VARIABLE` by itself.
    fn note_whole(&mut self, members: &Map<String, Value>) {
        match members.get("Var").and_then(Value::as_str) {
            Some("principal") => self.add(Fact::Key),
            Some("resource") => self.add(Fact::Deployment),
            Some("context") => CALL.iter().for_each(|(_, fact)| self.add(*fact)),
            Some(_) | None => {}
        }
    }
}

/// What stands on the right of an `in`.
enum Kind<'a> {
    /// An entity of this type.
    Named(&'a str),
    Zones,
    Unclear,
}

fn kinds(place: &Value) -> Vec<Kind<'_>> {
    if let Some((kind, _)) = literal(place) {
        return vec![Kind::Named(kind)];
    }
    if let Some(members) = place.get("Set").and_then(Value::as_array) {
        return members.iter().flat_map(kinds).collect();
    }
    let attribute = place.get(".").and_then(|access| access.get("attr")?.as_str());
    vec![if attribute.is_some_and(|name| ZONES.contains(&name)) { Kind::Zones } else { Kind::Unclear }]
}

/// The variable that an expression is, if it is one.
pub(super) fn variable(expression: &Value) -> Option<&str> {
    expression.get("Var")?.as_str()
}

/// Type and id of the entity that an expression is, if it is one.
pub(super) fn literal(expression: &Value) -> Option<(&str, &str)> {
    entity(expression.get("Value")?.get("__entity")?)
}

/// Type and id of an entity in a policy's JSON form.
pub(super) fn entity(json: &Value) -> Option<(&str, &str)> {
    Some((json.get("type")?.as_str()?, json.get("id")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;
    use std::str::FromStr;

    fn check(condition: &str, expected: &[Fact]) {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let json = Policy::from_str(&text).expect("a policy").to_json().expect("its JSON form");
        let mut reads = Reads::default();
        expected.iter().for_each(|fact| reads.add(*fact));
        assert_eq!(Reads::of(&json), reads, "{condition}");
    }

    /// A decision is remembered under the facts that policies read: an attribute that is no fact here would be forgotten.
    #[test]
    fn every_attribute_of_the_schema_is_a_fact() {
        let schema = crate::policy::schema::text(&crate::policy::inventory::Inventory::default());
        let section = |beginning: &str| {
            let section = schema.split(beginning).nth(1).and_then(|rest| rest.split('}').next()).expect(beginning);
            let names = section.lines().filter_map(|line| line.trim().split_once(": "));
            names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        let names = |known: &[(&str, Fact)]| known.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(section("context: {\n"), names(&CALL));
        assert_eq!(section("entity Key in [Team] = {\n"), names(&KEY));
        assert_eq!(section("entity Deployment in [Region, Zone, Vendor, Pool] = {\n"), names(&DEPLOYMENT));
    }

    #[test]
    fn finds_what_policies_read() {
        check("resource.export_class > 1", &[Fact::ExportClass]);
        check("resource in context.residency", &[Fact::Region, Fact::Residency]);
        check("resource in principal.residency", &[Fact::Region, Fact::KeyResidency]);
        check("resource in [Zone::\"EU\", Vendor::\"one\"]", &[Fact::Region, Fact::Vendor]);
        check("resource in Pool::\"smart\"", &[Fact::Pools]);
        check("[Zone::\"EU\"].contains(resource.vendor.seat)", &[Fact::Vendor]);
        check("principal in Team::\"lab\"", &[Fact::Team]);
        let nested = "if context.hour > 6 then true else principal.screened && context.attempt == 0";
        check(nested, &[Fact::Hour, Fact::KeyScreened, Fact::Attempt]);
        check("Deployment::\"other\".export_class > 0", &[]);
    }

    #[test]
    fn what_is_not_understood_reads_everything() {
        check("principal == Key::\"app\"", &[Fact::Key]);
        check("[Key::\"app\"].contains(principal)", &[Fact::Key]);
        check("principal in [Team::\"lab\", Key::\"app\"]", &[Fact::Team, Fact::Key]);
        check("resource in principal.vendors", &[Fact::Deployment, Fact::Vendors]);
        check("resource is Deployment", &[Fact::Deployment]);
        check("resource is Deployment in Zone::\"EU\"", &[Fact::Deployment]);
        check("(if true then resource else resource).export_class > 1", &[Fact::Deployment]);
        check("context == {hour: 1}", &CALL.map(|(_, fact)| fact));
        check("context[\"hour\"] == 1", &[Fact::Hour]);
    }
}
