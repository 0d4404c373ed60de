//! Decisions: default deny, a forbid wins, and what cannot be evaluated is refused.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::call::needs::Needs;
use crate::policy::ask::Ask;
use crate::policy::cedar::{CallContext, Cedar};
use crate::policy::groups::{Group, Groups};
use crate::policy::inventory::{DeploymentFacts, Inventory, KeyFacts};
use crate::policy::memo::Memo;
use crate::policy::pools::{Pools, Verdicts};
use crate::policy::question::{CallFacts, PoolQuestion, Question, Words};
use crate::policy::reads::Fact;
use crate::policy::rules::{self, PolicyFile, Rule};
use crate::policy::schema;
use crate::policy::verdict::{Finding, Verdict};
use cedar_policy::Schema;
use std::cell::{LazyCell, OnceCell};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The rule id of a refusal because the call names a zone or data class that nobody knows.
pub const UNKNOWN_WORD: &str = "unknown_word";

/// Most decisions that are made before anybody asks.
const PREPARED: usize = 10_000;
/// Most decisions that are remembered: all of 1,000 keys of different facts on 60 deployments.
const DECISIONS: usize = 65_536;
/// Most pools of which is remembered what was decided of all their deployments for one kind of call.
const POOLS: usize = 8_192;

/// The compiled policies.
#[derive(Debug)]
pub struct Engine {
    cedar: Cedar,
    groups: Groups,
    inventory: Inventory,
    rules: Vec<Rule>,
    words: Words,
    pools: Pools,
    /// What all policies together said of a pool, what they said of a deployment, and what each group of them said.
    choices: Memo<PoolQuestion, Verdicts>,
    verdicts: Memo<Question, Verdict>,
    findings: Memo<Question, Arc<Finding>>,
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
        Ok(Self {
            cedar: Cedar::of(&inventory, schema)?,
            groups: Groups::new(&rules, &inventory, &words),
            words,
            pools: Pools::of(&inventory),
            choices: Memo::of(POOLS),
            verdicts: Memo::of(DECISIONS),
            findings: Memo::of(DECISIONS),
            usable: inventory.deployments.iter().map(|_| OnceLock::new()).collect(),
            inventory,
            rules,
        })
    }

    /// Whether the key of this index may send the call to the deployment of this index.
    ///
    /// # Errors
    /// The ids of the deciding policies; none where no policy permits it.
    pub fn decide(&self, key: usize, deployment: usize, ask: &Ask) -> Verdict {
        let Some(call) = Call::of(ask, &self.words) else { return unknown_word() };
        self.decide_call(key, deployment, &call)
    }

    /// The same of every deployment of a pool, by one look-up where it was decided before; nothing where there is no such pool.
    #[must_use]
    pub fn decide_pool(&self, key: usize, pool: &str, ask: &Ask) -> Verdicts {
        let Some((number, members)) = self.pools.named(pool) else { return Verdicts::default() };
        let Some(call) = Call::of(ask, &self.words) else { return Verdicts::of(members, |_| unknown_word()) };
        let decide = || Verdicts::of(members, |deployment| self.decide_call(key, deployment, &call));
        match self.groups.pool_question(key, number, self.pools.size(ask), call.facts) {
            Some(question) => self.choices.recall(question, decide),
            None => decide(),
        }
    }

    fn decide_call(&self, key: usize, deployment: usize, call: &Call<'_>) -> Verdict {
        let facts = call.facts.costing(call.ask.estimated_cost(self.inventory.deployments.get(deployment)));
        let Some(question) = self.groups.question(key, deployment, facts) else { return Err(Arc::from([])) };
        self.verdicts.recall(question, || self.evaluate(key, deployment, call, facts))
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

    /// What all policies say that concern the key and the deployment, where the call costs what `facts` say.
    fn evaluate(&self, key: usize, deployment: usize, call: &Call<'_>, facts: CallFacts) -> Verdict {
        let evaluator = LazyCell::new(|| {
            let cost = if self.groups.reads().has(Fact::EstimatedCost) { facts.estimated_cost() } else { 0 };
            self.cedar.evaluator(key, deployment, call.context()?.costing(cost))
        });
        let find = |group: &Group| match &*evaluator {
            Some(evaluator) => Finding::of(group.policies.iter().map(|policy| policy.says(evaluator))),
            None => Finding::unanswered(),
        };
        let mut whole = Finding::default();
        for group in self.groups.concerned(key, deployment, facts) {
            let Some(question) = group.question(key, deployment, facts) else { return Err(Arc::from([])) };
            whole.add(&self.findings.recall(question, || Arc::new(find(group))));
        }
        whole.verdict()
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

/// A call that is decided about: in few words, and as Cedar reads it, which is written when Cedar is asked first.
struct Call<'a> {
    ask: &'a Ask,
    facts: CallFacts,
    context: OnceCell<Option<CallContext>>,
}

impl<'a> Call<'a> {
    /// `None` where it holds a word that nobody knows.
    fn of(ask: &'a Ask, words: &Words) -> Option<Self> {
        Some(Self { ask, facts: words.call(ask)?, context: OnceCell::new() })
    }

    fn context(&self) -> Option<&CallContext> {
        self.context.get_or_init(|| CallContext::of(self.ask)).as_ref()
    }
}

fn unknown_word() -> Verdict {
    Err(Arc::from([Arc::from(UNKNOWN_WORD)]))
}

/// Whether the key may ask for a pool that the deployment is in.
fn reaches(key: &KeyFacts, deployment: &DeploymentFacts) -> bool {
    key.models.is_empty() || key.models.iter().any(|model| deployment.pools.contains(model))
}

#[cfg(test)]
mod tests;
