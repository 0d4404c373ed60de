//! Keys and deployments that are the same to policies: of equal facts, as far as policies read them.

use crate::policy::inventory::{DeploymentFacts, KeyFacts};
use crate::policy::reads::{Fact, Reads};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// For every key, or every deployment, the number of its class.
pub(super) type Classes = Arc<[u32]>;

/// The classes of all keys and deployments, found once for each set of facts that is read.
pub(super) struct Classifier<'a> {
    keys: &'a [KeyFacts],
    deployments: &'a [DeploymentFacts],
    known: HashMap<Reads, Classes>,
}

impl<'a> Classifier<'a> {
    pub(super) fn new(keys: &'a [KeyFacts], deployments: &'a [DeploymentFacts]) -> Self {
        Self { keys, deployments, known: HashMap::new() }
    }

    /// Keys that are the same in all that is read of them.
    pub(super) fn of_keys(&mut self, reads: Reads) -> Classes {
        let reads = reads.of_key();
        let find = || number(self.keys.iter().map(|key| key_facts(key, reads)));
        Arc::clone(self.known.entry(reads).or_insert_with(find))
    }

    /// Deployments that are the same in all that is read of them.
    pub(super) fn of_deployments(&mut self, reads: Reads) -> Classes {
        let reads = reads.of_deployment();
        if reads == Reads::default() {
            return self.deployments.iter().map(|_| 0).collect();
        }
        let find = || number(self.deployments.iter().map(|deployment| deployment_facts(deployment, reads)));
        Arc::clone(self.known.entry(reads).or_insert_with(find))
    }
}

/// A number for each, the same for equals.
pub(super) fn number<T: Hash + Eq>(all: impl Iterator<Item = T>) -> Classes {
    let mut known = HashMap::new();
    all.map(|one| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(one).or_insert(next)
    })
    .collect()
}

fn key_facts(key: &KeyFacts, reads: Reads) -> impl Hash + Eq + '_ {
    let read = |fact: Fact, value| reads.has(fact).then_some(value);
    let (input, output) = key.max_price;
    (
        (
            read(Fact::Key, &key.name),
            read(Fact::Jurisdiction, &key.jurisdiction),
            read(Fact::KeyResidency, &key.residency),
        ),
        reads.has(Fact::Team).then_some(&key.team),
        reads.has(Fact::Purposes).then_some(&key.purposes),
        reads.has(Fact::KeyScreened).then_some(key.screened),
        reads.has(Fact::Vendors).then_some(&key.vendors),
        reads.has(Fact::MaxInputPrice).then_some(input),
        reads.has(Fact::MaxOutputPrice).then_some(output),
    )
}

fn deployment_facts(deployment: &DeploymentFacts, reads: Reads) -> impl Hash + Eq + '_ {
    let read = |fact: Fact, value| reads.has(fact).then_some(value);
    (
        (read(Fact::Deployment, &deployment.id), read(Fact::Vendor, &deployment.vendor)),
        (read(Fact::Region, &deployment.region), read(Fact::Model, &deployment.model)),
        reads.has(Fact::Pools).then_some(&deployment.pools),
        reads.has(Fact::RetentionDays).then_some(deployment.retention_days),
        reads.has(Fact::TrainsOnInputs).then_some(deployment.trains_on_inputs),
        reads.has(Fact::ExportClass).then_some(deployment.export_class),
        reads.has(Fact::PriceKnown).then_some(deployment.price.is_some()),
        reads.has(Fact::InputPrice).then_some(deployment.price.map(|(input, _)| input)),
        reads.has(Fact::OutputPrice).then_some(deployment.price.map(|(_, output)| output)),
        reads.has(Fact::Agreements).then_some(&deployment.agreements),
        reads.has(Fact::Certifications).then_some(&deployment.certifications),
    )
}
