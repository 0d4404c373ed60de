//! The Cedar schema, generated from the inventory, so that a misspelt name is found when policies are loaded.

use crate::policy::inventory::Inventory;
use std::fmt::Write as _;

/// The schema that the policies of this inventory are checked against, in Cedar's own language.
#[must_use]
pub fn text(inventory: &Inventory) -> String {
    let words = &inventory.vocabulary;
    let mut schema = String::new();
    closed(&mut schema, "Zone", words.zones());
    closed(&mut schema, "Agreement", words.agreements.iter().map(AsRef::as_ref));
    closed(&mut schema, "Certification", words.certifications.iter().map(AsRef::as_ref));
    closed(&mut schema, "Data", words.data.iter().map(AsRef::as_ref));
    closed(&mut schema, "Pool", inventory.pools.iter().map(AsRef::as_ref));
    schema.push_str(OPEN);
    schema
}

/// The part that is the same for every config. All attributes are required, so that policies need no `has`.
const OPEN: &str = r"
entity Region in [Zone];
entity Vendor = {
  seat: Zone,
  agreements: Set<Agreement>,
  certifications: Set<Certification>,
};
entity Deployment in [Region, Zone, Vendor, Pool] = {
  vendor: Vendor,
  model: String,
  retention_days: Long,
  trains_on_inputs: Bool,
  export_class: Long,
  price_known: Bool,
  input_price: Long,
  output_price: Long,
  agreements: Set<Agreement>,
  certifications: Set<Certification>,
};
entity Team;
entity Key in [Team] = {
  jurisdiction: Zone,
  residency: Zone,
  purposes: Set<String>,
  screened: Bool,
  vendors: Set<Vendor>,
  max_input_price: Long,
  max_output_price: Long,
};
action call appliesTo {
  principal: [Key],
  resource: [Deployment],
  context: {
    data: Set<Data>,
    residency: Zone,
    screened: Bool,
    stores: Bool,
    hosted_tools: Bool,
    attempt: Long,
    depth: Long,
    estimated_cost: Long,
    hour: Long,
  },
};
";

/// An entity type of fixed members; Cedar wants at least one, and no config may use the one that stands in.
fn closed<'a>(schema: &mut String, name: &str, members: impl Iterator<Item = &'a str>) {
    let mut members: Vec<String> = members.map(|member| format!("{member:?}")).collect();
    if members.is_empty() {
        members.push("\"\"".to_owned());
    }
    // writing to a string cannot fail
    let _ = writeln!(schema, "entity {name} enum [{}];", members.join(", "));
}
