//! The policies' own tests: policies that break them are never served.

use super::Compiler;
use crate::base::diagnostic::{Diagnostic, Place};
use crate::call::needs::{Need, Needs};
use crate::config::{At, Named, tables};
use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts, VendorFacts};
use crate::policy::vocabulary::{ANY, UNKNOWN};
use crate::policy::{Ask, Engine};
use crate::snapshot::policy_test::PolicyTestOutcome;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The hour of a call that says none.
const NOON: u32 = 12;

impl Compiler<'_> {
    /// Runs every test over its own inventory.
    pub(super) fn run_policy_tests(&mut self, engine: &Engine) -> Vec<PolicyTestOutcome> {
        let sources = self.sources;
        let mut outcomes = Vec::new();
        for (file, tests) in &sources.policy_tests {
            let inventory = self.test_inventory(tests);
            let files = self.tested_files(&tests.policies);
            let concerns = |path: &Path| files.is_empty() || files.iter().any(|name| path.ends_with(name));
            match engine.over(inventory, |rule| concerns(&rule.place.file)) {
                Ok(staged) => {
                    let run = tests.test.iter().map(|test| self.policy_test(test, &staged));
                    outcomes.extend(run.collect::<Vec<_>>());
                }
                Err(error) => {
                    let message = format!("the tests have an inventory that contradicts itself: {error}");
                    self.error(&Place::file(file), message, "");
                }
            }
        }
        outcomes
    }

    /// The policy files that are tested, as far as they are there.
    fn tested_files(&mut self, named: &[At<String>]) -> Vec<String> {
        let there: Vec<String> = self
            .policy_files()
            .iter()
            .filter_map(|file| Some(file.path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        for name in named.iter().filter(|name| !there.contains(name)) {
            self.unknown(name, "policy file", there.iter().map(String::as_str));
        }
        named.iter().map(|name| name.value.clone()).collect()
    }

    fn test_inventory(&mut self, tests: &tables::PolicyTests) -> Inventory {
        let vendors = tests.vendor.iter().map(|named| self.test_vendor(named)).collect();
        let deployments = tests.deployment.iter().map(|named| self.test_deployment(named, tests)).collect::<Vec<_>>();
        let keys = tests.key.iter().map(|named| self.test_key(named, tests)).collect::<Vec<_>>();
        let pools: BTreeSet<_> = deployments.iter().flat_map(|facts| facts.pools.iter().cloned()).collect();
        let teams: BTreeSet<_> = keys.iter().filter_map(|facts| facts.team.clone()).collect();
        Inventory {
            vocabulary: self.vocabulary.clone(),
            vendors,
            pools: pools.into_iter().collect(),
            deployments,
            teams: teams.into_iter().collect(),
            keys,
        }
    }

    fn test_vendor(&mut self, named: &Named<tables::TestVendor>) -> VendorFacts {
        let body = named.body.as_ref();
        let seat = body.and_then(|table| table.seat.as_ref()).and_then(|seat| self.zone(seat));
        VendorFacts {
            name: Arc::from(named.name.as_str()),
            seat: seat.unwrap_or_else(|| Arc::from(UNKNOWN)),
            agreements: self.words("agreement", body.and_then(|table| table.agreements.as_deref())).unwrap_or_default(),
            certifications: self
                .words("certification", body.and_then(|table| table.certifications.as_deref()))
                .unwrap_or_default(),
        }
    }

    /// A deployment with its vendor's promises where it makes none of its own.
    fn test_deployment(
        &mut self,
        named: &Named<tables::TestDeployment>,
        tests: &tables::PolicyTests,
    ) -> DeploymentFacts {
        let (vendor, model) = named.name.split_once('/').unwrap_or((named.name.as_str(), ""));
        if tests.vendor.iter().all(|known| known.name.value != vendor) {
            let wanted = At { value: vendor.to_owned(), place: named.name.place.clone() };
            self.unknown(&wanted, "vendor", tests.vendor.iter().map(|known| known.name.as_str()));
        }
        let body = named.body.as_ref();
        let of = tests.vendor.iter().find(|known| known.name.value == vendor).and_then(|known| known.body.as_ref());
        let region = body.and_then(|table| table.region.as_ref()).and_then(|region| self.region(region));
        let own = |own: Option<&Vec<At<String>>>, of: Option<&Vec<At<String>>>| own.or(of).cloned();
        let agreements =
            own(body.and_then(|table| table.agreements.as_ref()), of.and_then(|table| table.agreements.as_ref()));
        let certifications = own(
            body.and_then(|table| table.certifications.as_ref()),
            of.and_then(|table| table.certifications.as_ref()),
        );
        let price = body.and_then(|table| table.price.as_ref());
        DeploymentFacts {
            id: Arc::from(named.name.as_str()),
            vendor: Arc::from(vendor),
            region: region.unwrap_or_else(|| Arc::from(UNKNOWN)),
            pools: body
                .map(|table| table.pools.iter().map(|pool| Arc::from(pool.as_str())).collect())
                .unwrap_or_default(),
            model: Arc::from(model),
            retention_days: body
                .and_then(|table| table.retention_days)
                .or_else(|| of.and_then(|table| table.retention_days)),
            trains_on_inputs: body
                .and_then(|table| table.trains_on_inputs)
                .or_else(|| of.and_then(|table| table.trains_on_inputs)),
            export_class: body.and_then(|table| table.export_class).unwrap_or_default(),
            price: price.and_then(|price| Some((price.input?.0, price.output?.0))),
            long_prices: Vec::new(),
            agreements: self.words("agreement", agreements.as_deref()).unwrap_or_default(),
            certifications: self.words("certification", certifications.as_deref()).unwrap_or_default(),
        }
    }

    fn test_key(&mut self, named: &Named<tables::TestKey>, tests: &tables::PolicyTests) -> KeyFacts {
        let name = Arc::from(named.name.as_str());
        let Some(table) = &named.body else { return KeyFacts { name, ..KeyFacts::default() } };
        let jurisdiction = table.jurisdiction.as_ref().and_then(|zone| self.zone(zone));
        let residency = table.residency.as_ref().and_then(|zone| self.zone(zone));
        let ceiling = table.max_price.as_ref();
        let known = |vendor: &&At<String>| tests.vendor.iter().any(|known| known.name.value == vendor.value);
        for vendor in table.vendors.iter().flatten().filter(|vendor| !known(vendor)) {
            self.unknown(vendor, "vendor", tests.vendor.iter().map(|known| known.name.as_str()));
        }
        KeyFacts {
            name,
            team: table.team.as_deref().map(Arc::from),
            jurisdiction: jurisdiction.unwrap_or_else(|| Arc::from(UNKNOWN)),
            residency: residency.unwrap_or_else(|| Arc::from(ANY)),
            purposes: table.purposes.iter().map(|purpose| Arc::from(purpose.as_str())).collect(),
            screened: table.screened.unwrap_or(false),
            data: self.words("data class", table.data.as_deref()).unwrap_or_default(),
            vendors: table
                .vendors
                .as_ref()
                .map(|vendors| vendors.iter().map(|vendor| Arc::from(vendor.as_str())).collect()),
            max_price: (
                ceiling.and_then(|price| price.input).map(|price| price.0),
                ceiling.and_then(|price| price.output).map(|price| price.0),
            ),
            models: Vec::new(),
        }
    }

    /// Runs one test, and reports it where it is broken.
    fn policy_test(&mut self, test: &At<tables::PolicyTest>, staged: &Engine) -> PolicyTestOutcome {
        let mut outcome = PolicyTestOutcome {
            name: Arc::from(test.name.as_str()),
            place: test.name.place.clone(),
            wrong: Vec::new(),
        };
        let keys = &staged.inventory().keys;
        let Some(key) = keys.iter().position(|facts| *facts.name == *test.key.value) else {
            self.unknown(&test.key, "key", keys.iter().map(|facts| facts.name.as_ref()));
            outcome.wrong.push(format!("there is no key \"{}\"", test.key.value));
            return outcome;
        };
        let ids = || staged.inventory().deployments.iter().map(|facts| facts.id.as_ref());
        let named = test.candidates.iter().chain(test.refused.iter().map(|refused| &refused.name));
        for id in named.filter(|named| !ids().any(|id| id == named.value)) {
            self.unknown(id, "deployment", ids());
        }
        let Some(ask) = self.test_ask(test, staged, key) else {
            outcome.wrong.push("the call uses words that nobody knows".to_owned());
            return outcome;
        };
        outcome.wrong = differences(test, staged, key, &ask);
        if !outcome.wrong.is_empty() {
            let message = format!("the policies break their test \"{}\": {}", outcome.name, outcome.wrong.join("; "));
            let help =
                "put the policy right, or the test where it is the test that is wrong; `backstay test` runs them all";
            self.diagnostics.push(Diagnostic::error(outcome.place.clone(), message).help(help));
        }
        outcome
    }

    fn test_ask(&mut self, test: &tables::PolicyTest, staged: &Engine, key: usize) -> Option<Ask> {
        let facts = staged.inventory().keys.get(key)?;
        let mut data = facts.data.clone();
        data.extend(self.words("data class", test.data.as_deref()).unwrap_or_default());
        data.sort();
        data.dedup();
        let residency = match &test.residency {
            Some(zone) => self.zone(zone)?,
            None => Arc::clone(&facts.residency),
        };
        let mut needs = Needs::NONE;
        for (asked, need) in [(test.stores, Need::Stores), (test.hosted_tools, Need::HostedTools)] {
            if asked == Some(true) {
                needs = needs.with(need);
            }
        }
        Some(Ask {
            data,
            residency,
            screened: facts.screened && test.unscreened != Some(true),
            needs,
            attempt: test.attempt.unwrap_or(0),
            depth: test.depth.unwrap_or(0),
            input_tokens: test.input_tokens.unwrap_or(0),
            output_tokens: test.output_tokens.unwrap_or(0),
            hour: test.hour.unwrap_or(NOON),
        })
    }
}

/// What comes otherwise than the test says, deployment by deployment.
fn differences(test: &tables::PolicyTest, staged: &Engine, key: usize, ask: &Ask) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, facts) in staged.inventory().deployments.iter().enumerate() {
        let asked = test.pool.as_ref().is_none_or(|pool| facts.pools.iter().any(|other| **other == *pool.value));
        let expected = test.candidates.iter().any(|id| id.value == *facts.id);
        let id = &facts.id;
        if !asked {
            if expected {
                wrong.push(format!("{id} is not in the pool that is asked for"));
            }
            continue;
        }
        let refused =
            test.refused.iter().find(|refused| refused.name.value == **id).and_then(|refused| refused.body.as_ref());
        match (staged.decide(key, index, ask), expected) {
            (Ok(()), false) => wrong.push(format!("{id} may be used, but should not be")),
            (Err(rules), true) => wrong.push(format!("{id} should be used, but is {}", by(staged, &rules))),
            (Err(rules), false) => {
                let mut wanted: Vec<&str> =
                    refused.map(|refused| refused.by.iter().map(|id| id.as_str()).collect()).unwrap_or_default();
                wanted.sort_unstable();
                let mut found: Vec<&str> = rules.iter().map(AsRef::as_ref).collect();
                found.sort_unstable();
                if refused.is_some() && wanted != found {
                    wrong.push(format!(
                        "{id} should be refused by {}, but is {}",
                        wanted.join(", "),
                        by(staged, &rules)
                    ));
                }
            }
            (Ok(()), true) => {}
        }
    }
    wrong
}

/// `refused by x (gdpr.cedar:12:1)`.
fn by(staged: &Engine, rules: &[Arc<str>]) -> String {
    if rules.is_empty() {
        return "permitted by no policy".to_owned();
    }
    let named = rules.iter().map(|id| match staged.rule(id) {
        Some(rule) => format!("{id} ({})", rule.place),
        None => id.to_string(),
    });
    format!("refused by {}", named.collect::<Vec<_>>().join(", "))
}
