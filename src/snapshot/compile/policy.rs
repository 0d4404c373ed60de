//! The policies, compiled against what the config has.

use super::Compiler;
use super::keys::Keys;
use super::pools::{Facts, Pools};
use crate::base::hash::Digest;
use crate::base::money::TokenPrice;
use crate::config::sources::PolicySource;
use crate::config::{At, names};
use crate::policy::inventory::{DeploymentFacts, Inventory, VendorFacts};
use crate::policy::vocabulary::UNKNOWN;
use crate::policy::{BASE, Engine, MAX_DATA_CLASSES, PolicyFile};
use crate::price::Rates;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::standing::Standing;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// What diagnostics call the policy that needs no file.
const BUILT_IN: &str = "(built-in base.cedar)";

/// The agreement that stands for standard contractual clauses.
const CLAUSES: &str = "scc";

impl Compiler<'_> {
    /// Adds the words that the config declares to those that come with Backstay.
    pub(super) fn extend_vocabulary(&mut self) {
        let sources = self.sources;
        let Some(table) = &sources.config.policy.0 else { return };
        let words = |list: &[At<String>]| list.iter().map(|word| Arc::from(word.as_str())).collect::<Vec<Arc<str>>>();
        self.vocabulary.data.extend(words(&table.data_classes));
        self.vocabulary.agreements.extend(words(&table.agreements));
        self.vocabulary.certifications.extend(words(&table.certifications));
        if let Some(last) = table.data_classes.last().filter(|_| self.vocabulary.data.len() > MAX_DATA_CLASSES) {
            let place = last.place.clone();
            self.error(&place, format!("there are more than {MAX_DATA_CLASSES} data classes"), "");
        }
        for word in table.data_classes.iter().chain(&table.agreements).chain(&table.certifications) {
            if let Some(message) = names::wrong(word) {
                self.error(&word.place, message, names::NAME_HELP);
            }
        }
    }

    /// Words of the vocabulary, sorted; those that are unknown are reported.
    pub(super) fn words(&mut self, kind: &str, written: Option<&[At<String>]>) -> Option<Vec<Arc<str>>> {
        let mut words = BTreeSet::new();
        for word in written? {
            let known = match kind {
                "agreement" => &self.vocabulary.agreements,
                "certification" => &self.vocabulary.certifications,
                _ => &self.vocabulary.data,
            };
            match known.get(word.as_str()) {
                Some(word) => _ = words.insert(Arc::clone(word)),
                None => {
                    let known = known.clone();
                    self.unknown(word, kind, known.iter().map(AsRef::as_ref));
                }
            }
        }
        Some(words.into_iter().collect())
    }

    pub(super) fn engine(&mut self, pools: &Pools, keys: &Keys) -> Option<Engine> {
        let inventory = self.inventory(pools, keys);
        match Engine::compile(inventory, &self.policy_files()) {
            Ok(engine) => {
                engine.prepare();
                Some(engine)
            }
            Err(mut diagnostics) => {
                self.diagnostics.append(&mut diagnostics);
                None
            }
        }
    }

    /// Where each deployment stands in law; what the vendor's table gets wrong is said where policy asks for it.
    pub(super) fn standings(&self, pools: &Pools) -> Vec<Standing> {
        let vendors = &self.sources.config.vendor;
        let seat = |vendor: &str| {
            let table = vendors.iter().find(|named| named.name.value == *vendor)?.body.as_ref()?;
            self.vocabulary.zone(table.seat.as_ref()?)
        };
        let standing = |(deployment, facts): (&Arc<Deployment>, &Facts)| Standing {
            seat: seat(&deployment.endpoint.vendor.name).unwrap_or_else(|| Arc::from(UNKNOWN)),
            zones: self.vocabulary.zones_of(&facts.region),
            clauses: facts.promises.agreements.iter().flatten().any(|agreement| **agreement == *CLAUSES),
        };
        pools.deployments.iter().zip(&pools.facts).map(standing).collect()
    }

    pub(super) fn enforces_observed_region(&self) -> bool {
        self.sources.config.policy.0.as_ref().and_then(|table| table.enforce_observed_region).unwrap_or_default()
    }

    /// The digest of the policies alone, for the record of decisions.
    pub(super) fn policy_digest(&self) -> Arc<str> {
        let files = self.policy_files();
        let name = |file: &PolicyFile<'_>| file.path.file_name().map(|name| name.as_encoded_bytes().to_vec());
        let names: Vec<Vec<u8>> = files.iter().map(|file| name(file).unwrap_or_default()).collect();
        let parts = names.iter().zip(&files).flat_map(|(name, file)| [name.as_slice(), file.text.as_bytes()]);
        Digest::of_parts(parts).short().into()
    }

    pub(super) fn policy_files(&self) -> Vec<PolicyFile<'_>> {
        match &self.sources.policies {
            PolicySource::BuiltIn => vec![PolicyFile { path: Path::new(BUILT_IN), text: BASE }],
            PolicySource::Folder { files, .. } => {
                files.iter().map(|file| PolicyFile { path: &file.path, text: &file.text }).collect()
            }
        }
    }

    /// Names of tables that could not be compiled are in it too, so that policies are not blamed for them.
    fn inventory(&mut self, pools: &Pools, keys: &Keys) -> Inventory {
        let sources = self.sources;
        let mut vendors = Vec::new();
        for named in sources.config.vendor.iter() {
            let body = named.body.as_ref();
            let seat = match body.and_then(|table| table.seat.as_ref()) {
                Some(seat) => self.zone(seat),
                None => body.and_then(|table| self.known_seat(&named.name, table)),
            };
            let agreements = self.words("agreement", body.and_then(|table| table.agreements.as_deref()));
            let certifications = self.words("certification", body.and_then(|table| table.certifications.as_deref()));
            vendors.push(VendorFacts {
                name: Arc::from(named.name.as_str()),
                seat: seat.unwrap_or_else(|| Arc::from(UNKNOWN)),
                agreements: agreements.unwrap_or_default(),
                certifications: certifications.unwrap_or_default(),
            });
        }
        let deployments = pools.deployments.iter().zip(&pools.facts).map(|(deployment, facts)| DeploymentFacts {
            id: Arc::clone(&deployment.id),
            vendor: Arc::clone(&deployment.endpoint.vendor.name),
            region: Arc::clone(&facts.region),
            pools: facts.pools.iter().cloned().collect(),
            model: Arc::clone(&deployment.model),
            retention_days: facts.promises.retention_days,
            trains_on_inputs: facts.promises.trains_on_inputs,
            export_class: facts.export_class,
            price: deployment.rates.base(self.now).map(|tariff| (tariff.input, tariff.output)),
            long_prices: long_prices(&deployment.rates, self.now),
            agreements: facts.promises.agreements.clone().unwrap_or_default(),
            certifications: facts.promises.certifications.clone().unwrap_or_default(),
        });
        Inventory {
            vendors,
            pools: sources.config.pool.iter().map(|named| Arc::from(named.name.as_str())).collect(),
            deployments: deployments.collect(),
            teams: sources.config.team.iter().map(|named| Arc::from(named.name.as_str())).collect(),
            keys: keys.facts.clone(),
            vocabulary: self.vocabulary.clone(),
        }
    }
}

/// What longer prompts are charged, as policies know it.
fn long_prices(rates: &Rates, now: i64) -> Vec<(u64, (TokenPrice, TokenPrice))> {
    let lengths = rates.lengths(now).into_iter().rev();
    let price = |above: u64| rates.tariff(above.saturating_add(1), now).map(|tariff| (tariff.input, tariff.output));
    lengths.filter_map(|above| Some((above, price(above)?))).collect()
}
