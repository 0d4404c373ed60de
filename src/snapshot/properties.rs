//! Statements about whatever the policies permit, and the search for calls that refute them.
//!
//! The search covers a world of keys, deployments and calls that differ in everything the policies can read. It is no
//! proof: a policy may err where nobody looked. What it finds is true, since the policies themselves decided it.

use crate::base::diagnostic::Diagnostic;
use crate::base::money::TokenPrice;
use crate::call::needs::{Need, Needs};
use crate::config::sources::TextFile;
use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts, VendorFacts};
use crate::policy::vocabulary::{ANY, UNKNOWN};
use crate::policy::{Ask, Engine, PolicyFile};
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// Places of the world: one inside the EU, one in the EEA alone, one adequate, one covered in part, one embargoed, one
/// unknown.
const REGIONS: [&str; 6] = ["eu-central-1", "norwayeast", "uksouth", "us-east-1", "ir", UNKNOWN];
const RESIDENCIES: [&str; 5] = [ANY, "EU", "EEA", "DE", "US"];
const JURISDICTIONS: [&str; 2] = ["DE", UNKNOWN];
const NOON: u32 = 12;

/// What became of one property.
#[derive(Clone, Debug)]
pub struct PropertyOutcome {
    /// Its `@id`.
    pub id: Arc<str>,
    /// Its `@reason`: the statement in words.
    pub statement: Arc<str>,
    /// Its text, in Cedar.
    pub text: String,
    /// Where it is written.
    pub place: crate::base::diagnostic::Place,
    /// A call that the policies permit and the property does not, in words; `None` where none was found.
    pub refuted_by: Option<String>,
    /// How many calls were looked at.
    pub cases: usize,
}

/// What is known of a property over all requests and all entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Proved,
    /// It does not: a counterexample, in several lines.
    Refuted(String),
    /// Nobody knows, and why.
    Untold(String),
}

impl Snapshot {
    /// Looks for calls that refute the properties.
    ///
    /// # Errors
    /// What is wrong with the properties' files.
    pub fn refute(&self, files: &[TextFile]) -> Result<Vec<PropertyOutcome>, Vec<Diagnostic>> {
        let world = self.world_of_differences();
        let written: Vec<_> = files.iter().map(|file| PolicyFile { path: &file.path, text: &file.text }).collect();
        let properties = Engine::compile(self.policy.inventory().clone(), &written)?;
        let over = |engine: &Engine, id: Option<&Arc<str>>| {
            let staged = engine.over(world.clone(), |rule| id.is_none_or(|id| rule.id == *id));
            staged.map_err(|error| vec![Diagnostic::error(crate::base::diagnostic::Place::default(), error)])
        };
        let policies = over(&self.policy, None)?;
        let asks = asks(&world);
        let permitted = permitted(&policies, &asks);
        let mut outcomes = Vec::new();
        for rule in properties.rules() {
            let property = over(&properties, Some(&rule.id))?;
            let refutes = |(key, deployment, ask): &&(usize, usize, usize)| {
                asks.get(*ask).is_some_and(|ask| property.decide(*key, *deployment, ask).is_err())
            };
            let found = permitted.iter().find(refutes);
            outcomes.push(PropertyOutcome {
                id: Arc::clone(&rule.id),
                statement: Arc::clone(&rule.reason),
                text: rule.text(),
                place: rule.place.clone(),
                refuted_by: found.map(|(key, deployment, ask)| told(&world, *key, *deployment, asks.get(*ask))),
                cases: asks.len() * world.keys.len() * world.deployments.len(),
            });
        }
        Ok(outcomes)
    }

    /// Keys and deployments that differ in everything that policies can read; with those vendors, teams and keys of the
    /// config that some policy names.
    fn world_of_differences(&self) -> Inventory {
        let real = self.policy.inventory();
        let words = &real.vocabulary;
        let text = self.policy_text();
        let named = |kind: &str, name: &str| text.contains(&format!("{kind}::{name:?}"));
        let mut vendors: Vec<_> = real.vendors.iter().filter(|vendor| named("Vendor", &vendor.name)).cloned().collect();
        vendors.push(VendorFacts {
            name: "some-vendor".into(),
            seat: "US".into(),
            agreements: Vec::new(),
            certifications: Vec::new(),
        });
        let mut deployments = Vec::new();
        for vendor in &vendors {
            for region in REGIONS {
                for promises in [true, false] {
                    let all = |words: &std::collections::BTreeSet<Arc<str>>| {
                        if promises { words.iter().cloned().collect() } else { Vec::new() }
                    };
                    deployments.push(DeploymentFacts {
                        id: format!("{}/{region}-{}", vendor.name, if promises { "promising" } else { "silent" })
                            .into(),
                        vendor: Arc::clone(&vendor.name),
                        region: region.into(),
                        pools: real.pools.clone(),
                        model: "m".into(),
                        retention_days: promises.then_some(0),
                        trains_on_inputs: promises.then_some(false),
                        export_class: u32::from(promises),
                        price: promises.then_some((TokenPrice(1_000_000), TokenPrice(1_000_000))),
                        long_prices: Vec::new(),
                        agreements: all(&words.agreements),
                        certifications: all(&words.certifications),
                    });
                }
            }
        }
        let mut keys: Vec<_> = real.keys.iter().filter(|key| named("Key", &key.name)).cloned().collect();
        let teams = real.teams.iter().filter(|team| named("Team", team));
        for team in std::iter::once(None).chain(teams.map(Some)) {
            for residency in RESIDENCIES {
                for jurisdiction in JURISDICTIONS {
                    for screened in [true, false] {
                        let name =
                            format!("{residency}-{jurisdiction}-{screened}-{}", team.map_or("none", AsRef::as_ref));
                        keys.push(KeyFacts {
                            name: name.into(),
                            team: team.cloned(),
                            jurisdiction: jurisdiction.into(),
                            residency: residency.into(),
                            screened,
                            ..KeyFacts::default()
                        });
                    }
                }
            }
        }
        Inventory { vendors, deployments, keys, ..real.clone() }
    }
}

/// Calls that differ in everything that a call can say.
fn asks(world: &Inventory) -> Vec<Ask> {
    let classes = world.vocabulary.data.iter().map(|class| vec![Arc::clone(class)]);
    let all = world.vocabulary.data.iter().cloned().collect::<Vec<_>>();
    let data: Vec<Vec<Arc<str>>> = std::iter::once(Vec::new()).chain(classes).chain([all]).collect();
    let mut asks = Vec::new();
    for data in &data {
        for residency in RESIDENCIES {
            for (screened, needs, attempt) in [
                (true, Needs::NONE, 0),
                (true, Needs::NONE.with(Need::Stores).with(Need::HostedTools), 0),
                (false, Needs::NONE, 2),
            ] {
                asks.push(Ask {
                    data: data.clone(),
                    residency: residency.into(),
                    screened,
                    needs,
                    attempt,
                    depth: attempt,
                    input_tokens: 1_000,
                    output_tokens: 1_000,
                    hour: NOON,
                });
            }
        }
    }
    asks
}

/// What the policies permit of all this: key, deployment and call by their indexes.
fn permitted(policies: &Engine, asks: &[Ask]) -> Vec<(usize, usize, usize)> {
    let world = policies.inventory();
    let mut permitted = Vec::new();
    for (key, facts) in world.keys.iter().enumerate() {
        // a call only ever narrows what its key says
        let narrows = |(_, ask): &(usize, &Ask)| {
            world.vocabulary.within(&ask.residency, &facts.residency) && (facts.screened || !ask.screened)
        };
        let possible: Vec<_> = asks.iter().enumerate().filter(narrows).collect();
        for deployment in 0..world.deployments.len() {
            let may = |(_, ask): &&(usize, &Ask)| policies.decide(key, deployment, ask).is_ok();
            permitted.extend(possible.iter().filter(may).map(|(ask, _)| (key, deployment, *ask)));
        }
    }
    permitted
}

/// The call in words.
fn told(world: &Inventory, key: usize, deployment: usize, ask: Option<&Ask>) -> String {
    let (Some(key), Some(deployment), Some(ask)) = (world.keys.get(key), world.deployments.get(deployment), ask) else {
        return String::new();
    };
    let team = key.team.as_deref().map_or_else(String::new, |team| format!(" of team {team}"));
    let data = if ask.data.is_empty() { "nothing special".to_owned() } else { ask.data.join(", ") };
    format!(
        "a key{team} bound to {}, under the law of {}, {}: a call that is bound to {} and holds {data}, attempt {}, is permitted at {} in {}",
        key.residency,
        key.jurisdiction,
        if ask.screened { "screened" } else { "not screened" },
        ask.residency,
        ask.attempt,
        deployment.id,
        deployment.region,
    )
}
