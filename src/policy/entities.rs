//! The inventory as Cedar entities.

use crate::base::money::TokenPrice;
use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts, VendorFacts};
use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// The types of the schema, parsed once: Cedar's parser takes as long over a type's name as a decision does.
static KINDS: LazyLock<HashMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = [
        "Action",
        "Agreement",
        "Certification",
        "Data",
        "Deployment",
        "Key",
        "Pool",
        "Region",
        "Team",
        "Vendor",
        "Zone",
    ];
    kinds.into_iter().filter_map(|kind| Some((kind, EntityTypeName::from_str(kind).ok()?))).collect()
});

/// The entity of a type and name.
pub(super) fn uid(kind: &str, name: &str) -> Result<EntityUid, Box<dyn Error>> {
    let kind = match KINDS.get(kind) {
        Some(known) => known.clone(),
        None => EntityTypeName::from_str(kind)?,
    };
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(name)))
}

/// What an undeclared number counts as: more than any policy allows.
pub(super) const WORST: i64 = i64::MAX;

/// All entities, checked against the schema.
pub(super) fn build(inventory: &Inventory, schema: &Schema) -> Result<Entities, Box<dyn Error>> {
    let mut entities = Vec::new();
    for vendor in &inventory.vendors {
        entities.push(self::vendor(vendor)?);
    }
    let mut regions = HashSet::new();
    let mut ids = HashSet::new();
    for deployment in &inventory.deployments {
        if regions.insert(&deployment.region) {
            entities.push(region(inventory, &deployment.region)?);
        }
        // two credentials make two deployments of one id, which are one to policy
        if ids.insert(&deployment.id) {
            entities.push(self::deployment(inventory, deployment)?);
        }
    }
    for team in &inventory.teams {
        entities.push(Entity::new_no_attrs(uid("Team", team)?, HashSet::new()));
    }
    for key in &inventory.keys {
        entities.push(self::key(inventory, key)?);
    }
    Ok(Entities::from_entities(entities, Some(schema))?)
}

fn vendor(facts: &VendorFacts) -> Result<Entity, Box<dyn Error>> {
    let attributes = [
        ("seat", reference("Zone", &facts.seat)?),
        ("agreements", references("Agreement", &facts.agreements)?),
        ("certifications", references("Certification", &facts.certifications)?),
    ];
    entity(uid("Vendor", &facts.name)?, attributes, HashSet::new())
}

fn region(inventory: &Inventory, name: &str) -> Result<Entity, Box<dyn Error>> {
    let zones = inventory.vocabulary.zones_of(name);
    let parents = zones.iter().map(|zone| uid("Zone", zone)).collect::<Result<_, _>>()?;
    Ok(Entity::new_no_attrs(uid("Region", name)?, parents))
}

fn deployment(inventory: &Inventory, facts: &DeploymentFacts) -> Result<Entity, Box<dyn Error>> {
    let (input, output) = facts.price.map_or((WORST, WORST), |(input, output)| (long(input.0), long(output.0)));
    let attributes = [
        ("vendor", reference("Vendor", &facts.vendor)?),
        ("model", RestrictedExpression::new_string(facts.model.to_string())),
        ("retention_days", RestrictedExpression::new_long(facts.retention_days.map_or(WORST, i64::from))),
        ("trains_on_inputs", RestrictedExpression::new_bool(facts.trains_on_inputs.unwrap_or(true))),
        ("export_class", RestrictedExpression::new_long(i64::from(facts.export_class))),
        ("price_known", RestrictedExpression::new_bool(facts.price.is_some())),
        ("input_price", RestrictedExpression::new_long(input)),
        ("output_price", RestrictedExpression::new_long(output)),
        ("agreements", references("Agreement", &facts.agreements)?),
        ("certifications", references("Certification", &facts.certifications)?),
    ];
    let mut parents = HashSet::from([uid("Region", &facts.region)?, uid("Vendor", &facts.vendor)?]);
    for zone in inventory.vocabulary.zones_of(&facts.region) {
        parents.insert(uid("Zone", &zone)?);
    }
    for pool in &facts.pools {
        parents.insert(uid("Pool", pool)?);
    }
    entity(uid("Deployment", &facts.id)?, attributes, parents)
}

fn key(inventory: &Inventory, facts: &KeyFacts) -> Result<Entity, Box<dyn Error>> {
    let purposes = facts.purposes.iter().map(|purpose| RestrictedExpression::new_string(purpose.to_string()));
    let all = || inventory.vendors.iter().map(|vendor| Arc::clone(&vendor.name)).collect();
    let vendors: Vec<Arc<str>> = facts.vendors.clone().unwrap_or_else(all);
    let ceiling =
        |price: Option<TokenPrice>| RestrictedExpression::new_long(price.map_or(WORST, |price| long(price.0)));
    let attributes = [
        ("jurisdiction", reference("Zone", &facts.jurisdiction)?),
        ("residency", reference("Zone", &facts.residency)?),
        ("purposes", RestrictedExpression::new_set(purposes)),
        ("screened", RestrictedExpression::new_bool(facts.screened)),
        ("vendors", references("Vendor", &vendors)?),
        ("max_input_price", ceiling(facts.max_price.0)),
        ("max_output_price", ceiling(facts.max_price.1)),
    ];
    let team = facts.team.iter().map(|team| uid("Team", team)).collect::<Result<_, _>>()?;
    entity(uid("Key", &facts.name)?, attributes, team)
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, RestrictedExpression); N],
    parents: HashSet<EntityUid>,
) -> Result<Entity, Box<dyn Error>> {
    let attributes: HashMap<_, _> = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Entity::new(uid, attributes, parents)?)
}

fn reference(kind: &str, name: &str) -> Result<RestrictedExpression, Box<dyn Error>> {
    Ok(RestrictedExpression::new_entity_uid(uid(kind, name)?))
}

fn references(kind: &str, names: &[Arc<str>]) -> Result<RestrictedExpression, Box<dyn Error>> {
    let members = names.iter().map(|name| reference(kind, name)).collect::<Result<Vec<_>, _>>()?;
    Ok(RestrictedExpression::new_set(members))
}

fn long(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(WORST)
}
