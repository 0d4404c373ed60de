//! Decisions: default deny, a forbid wins, and what cannot be evaluated is refused.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::call::needs::{Need, Needs};
use crate::policy::ask::Ask;
use crate::policy::groups::{Group, Groups};
use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts};
use crate::policy::memo::Memo;
use crate::policy::question::{CallFacts, Words, cost_bucket, hosts_tools};
use crate::policy::reads::{Fact, Reads};
use crate::policy::rules::{self, PolicyFile, Rule};
use crate::policy::verdict::{Finding, Verdict};
use crate::policy::{entities, schema};
use cedar_policy::{Authorizer, Context, Entities, EntityUid, Request, RestrictedExpression, Schema};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The rule id of a refusal because the call names a zone or data class that nobody knows.
pub const UNKNOWN_WORD: &str = "unknown_word";

/// Most decisions that are made before anybody asks.
const PREPARED: usize = 10_000;

/// The compiled policies.
#[derive(Debug)]
pub struct Engine {
    authorizer: Authorizer,
    groups: Groups,
    entities: Entities,
    action: EntityUid,
    keys: Vec<EntityUid>,
    deployments: Vec<EntityUid>,
    inventory: Inventory,
    rules: Vec<Rule>,
    words: Words,
    /// What all policies together said, and what each group of them said.
    verdicts: Memo<Verdict>,
    findings: Memo<Arc<Finding>>,
    /// The context that was built last: one call asks about many deployments.
    context: Mutex<Option<(CallFacts, Context)>>,
    usable: Vec<OnceLock<bool>>,
}

impl Engine {
    /// Compiles the policies of all files against what the config has.
    ///
    /// # Errors
    /// All diagnostics; Cedar's warnings are errors here.
    pub fn compile(inventory: Inventory, files: &[PolicyFile<'_>]) -> Result<Self, Vec<Diagnostic>> {
        let misfit = |error: Box<dyn Error>| {
            let place = Place::file(Path::new("(policy schema)"));
            vec![Diagnostic::error(place, format!("the config does not fit the policy schema: {error}"))]
        };
        let text = schema::text(&inventory);
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|error| misfit(error.into()))?;
        let rules = rules::read(files, &schema, &inventory)?;
        Self::assemble(inventory, &schema, rules).map_err(misfit)
    }

    fn assemble(inventory: Inventory, schema: &Schema, rules: Vec<Rule>) -> Result<Self, Box<dyn Error>> {
        let vocabulary = &inventory.vocabulary;
        let words = Words::new(vocabulary.data.iter().map(AsRef::as_ref), vocabulary.zones());
        let deployments = inventory.deployments.iter();
        let deployments = deployments.map(|deployment| entities::uid("Deployment", &deployment.id));
        Ok(Self {
            authorizer: Authorizer::new(),
            groups: Groups::new(&rules, &inventory, &words)?,
            entities: entities::build(&inventory, schema)?,
            action: entities::uid("Action", "call")?,
            keys: inventory.keys.iter().map(|key| entities::uid("Key", &key.name)).collect::<Result<_, _>>()?,
            deployments: deployments.collect::<Result<_, _>>()?,
            words,
            verdicts: Memo::default(),
            findings: Memo::default(),
            context: Mutex::default(),
            usable: inventory.deployments.iter().map(|_| OnceLock::new()).collect(),
            inventory,
            rules,
        })
    }

    /// Whether the key of this index may send the call to the deployment of this index.
    ///
    /// # Errors
    /// The ids of the deciding policies; none where no policy permits it.
    pub fn decide(&self, key: usize, deployment: usize, ask: &Ask) -> Result<(), Vec<Arc<str>>> {
        let facts = self.inventory.deployments.get(deployment);
        let cost = ask.estimated_cost(facts.and_then(|facts| facts.price_of(ask.input_tokens)));
        let Some(call) = self.words.call(ask, cost) else { return Err(vec![Arc::from(UNKNOWN_WORD)]) };
        let Some(question) = self.groups.question(key, deployment, call) else { return Err(Vec::new()) };
        let asked = Asked { key, deployment, call, ask, cost };
        self.verdicts.recall(question, || self.evaluate(&asked)).map_err(|rules| rules.to_vec())
    }

    /// Whether any key may use the deployment of this index for an ordinary call of its own: one that holds what the key
    /// says, stays where the key is bound to, and asks for nothing special.
    #[must_use]
    pub fn usable_by_some_key(&self, deployment: usize) -> bool {
        let (Some(usable), Some(facts)) = (self.usable.get(deployment), self.inventory.deployments.get(deployment))
        else {
            return false;
        };
        *usable.get_or_init(|| {
            let mut keys = self.inventory.keys.iter().enumerate();
            keys.any(|(index, key)| {
                reaches(key, facts) && self.ordinary(key).any(|ask| self.decide(index, deployment, &ask).is_ok())
            })
        })
    }

    /// Makes the decisions about the keys' ordinary calls, as far as there are not too many, so that the first calls find
    /// them made.
    pub fn prepare(&self) {
        let mut left = PREPARED;
        for (index, key) in self.inventory.keys.iter().enumerate() {
            let reached = || (0..).zip(&self.inventory.deployments).filter(|(_, facts)| reaches(key, facts));
            for ask in self.ordinary(key) {
                for (deployment, _) in reached() {
                    if left == 0 {
                        return;
                    }
                    left -= 1;
                    // what comes of it is remembered
                    let _ = self.decide(index, deployment, &ask);
                }
            }
        }
    }

    /// What is known of a rule that decided: its reason and where it is written.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| *rule.id == *id)
    }

    /// The vocabulary that calls may use: zones and data classes.
    #[must_use]
    pub fn vocabulary(&self) -> &crate::policy::vocabulary::Vocabulary {
        &self.inventory.vocabulary
    }

    /// The same policies over another inventory, for their own tests: `concerns` says which of them are asked.
    ///
    /// Names of the config that the other inventory does not have stand for nothing there.
    ///
    /// # Errors
    /// The inventory contradicts itself.
    pub fn over(&self, inventory: Inventory, concerns: impl Fn(&Rule) -> bool) -> Result<Self, String> {
        let rules = self.rules.iter().filter(|rule| concerns(rule)).cloned().collect();
        let (schema, _) = Schema::from_cedarschema_str(&schema::text(&inventory)).map_err(|error| error.to_string())?;
        Self::assemble(inventory, &schema, rules).map_err(|error| error.to_string())
    }

    /// The inventory that the policies were compiled against.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Every policy, in order of file and line.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What all policies say that concern the key and the deployment.
    fn evaluate(&self, asked: &Asked<'_>) -> Verdict {
        let mut whole = Finding::default();
        for group in self.groups.concerned(asked.key, asked.deployment, asked.call) {
            let Some(question) = group.question(asked.key, asked.deployment, asked.call) else {
                return Err(Arc::from([]));
            };
            whole.add(&self.findings.recall(question, || Arc::new(self.ask(group, asked))));
        }
        whole.verdict()
    }

    fn ask(&self, group: &Group, asked: &Asked<'_>) -> Finding {
        match self.request(group, asked) {
            Some(request) => Finding::of(&self.authorizer.is_authorized(&request, &group.policies, &self.entities)),
            None => Finding::unanswered(),
        }
    }

    /// What is asked, in Cedar; `None` where it cannot be said.
    fn request(&self, group: &Group, asked: &Asked<'_>) -> Option<Request> {
        let (principal, resource) = (self.keys.get(asked.key)?, self.deployments.get(asked.deployment)?);
        let context = self.context(group, asked)?;
        Request::new(principal.clone(), self.action.clone(), resource.clone(), context, None).ok()
    }

    /// The context of a call, which holds all that the group reads of it.
    fn context(&self, group: &Group, asked: &Asked<'_>) -> Option<Context> {
        // the cost is another at every deployment
        if group.reads.has(Fact::EstimatedCost) {
            return context(asked.ask, asked.cost, group.reads).ok();
        }
        let mut last = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(known, _): &&(CallFacts, Context)| known.only(group.reads) == asked.call.only(group.reads);
        if let Some((_, context)) = last.as_ref().filter(same) {
            return Some(context.clone());
        }
        let context = context(asked.ask, asked.cost, Reads::EVERYTHING).ok()?;
        *last = Some((asked.call, context.clone()));
        Some(context)
    }

    /// The ordinary calls of a key, over all that no client chooses: the attempt and the hour.
    fn ordinary<'a>(&self, key: &'a KeyFacts) -> impl Iterator<Item = Ask> + use<'a> {
        let attempts = if self.groups.reads().has(Fact::Attempt) { 0..2 } else { 0..1 };
        let hours = if self.groups.reads().has(Fact::Hour) { 24 } else { 1 };
        attempts.flat_map(move |attempt| {
            (0..hours).map(move |hour| Ask {
                data: key.data.clone(),
                residency: Arc::clone(&key.residency),
                screened: key.screened,
                needs: Needs::NONE,
                attempt,
                depth: 0,
                input_tokens: 0,
                output_tokens: 0,
                hour,
            })
        })
    }
}

/// A key, a deployment and a call.
struct Asked<'a> {
    key: usize,
    deployment: usize,
    call: CallFacts,
    ask: &'a Ask,
    /// What the call is expected to cost there, in micro-dollars.
    cost: u64,
}

/// Whether the key may ask for a pool that the deployment is in.
fn reaches(key: &KeyFacts, deployment: &DeploymentFacts) -> bool {
    key.models.is_empty() || key.models.iter().any(|model| deployment.pools.contains(model))
}

/// What is read of a call, in Cedar.
fn context(ask: &Ask, cost: u64, reads: Reads) -> Result<Context, Box<dyn Error>> {
    let long = |number: u64| RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX));
    let data = ask.data.iter().map(|class| entities::uid("Data", class).map(RestrictedExpression::new_entity_uid));
    let zone = entities::uid("Zone", &ask.residency)?;
    let attributes = [
        (Fact::Data, "data", RestrictedExpression::new_set(data.collect::<Result<Vec<_>, _>>()?)),
        (Fact::Residency, "residency", RestrictedExpression::new_entity_uid(zone)),
        (Fact::Screened, "screened", RestrictedExpression::new_bool(ask.screened)),
        (Fact::Stores, "stores", RestrictedExpression::new_bool(ask.needs.has(Need::Stores))),
        (Fact::HostedTools, "hosted_tools", RestrictedExpression::new_bool(hosts_tools(ask))),
        (Fact::Attempt, "attempt", long(u64::from(ask.attempt))),
        (Fact::Depth, "depth", long(u64::from(ask.depth))),
        (Fact::EstimatedCost, "estimated_cost", long(cost_bucket(cost))),
        (Fact::Hour, "hour", long(u64::from(ask.hour))),
    ];
    let read = attributes.into_iter().filter(|(fact, _, _)| reads.has(*fact));
    Ok(Context::from_pairs(read.map(|(_, name, value)| (name.to_owned(), value)))?)
}

#[cfg(test)]
mod tests;
