//! Decisions: default deny, a forbid wins, and what cannot be evaluated is refused.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::call::needs::{Need, Needs};
use crate::policy::ask::Ask;
use crate::policy::inventory::{Inventory, KeyFacts};
use crate::policy::memo::{Memo, Verdict};
use crate::policy::question::{Question, Reads, Words, cost_bucket, hosts_tools};
use crate::policy::rules::{self, PolicyFile, Rule};
use crate::policy::slices::Slices;
use crate::policy::{entities, schema};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Request, Response, RestrictedExpression, Schema,
};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The rule id of a refusal because a policy could not be evaluated; Cedar itself would skip that policy.
pub const EVALUATION_ERROR: &str = "evaluation_error";
/// The rule id of a refusal because the call names a zone or data class that nobody knows.
pub const UNKNOWN_WORD: &str = "unknown_word";

/// The compiled policies.
#[derive(Debug)]
pub struct Engine {
    authorizer: Authorizer,
    slices: Slices,
    entities: Entities,
    action: EntityUid,
    keys: Vec<EntityUid>,
    deployments: Vec<EntityUid>,
    inventory: Inventory,
    rules: Vec<Rule>,
    words: Words,
    reads: Reads,
    memo: Memo,
    /// The context that was built last: one call asks about many deployments.
    context: Mutex<Option<(Question, Context)>>,
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
        let deployments = inventory.deployments.iter();
        let deployments = deployments.map(|deployment| entities::uid("Deployment", &deployment.id));
        Ok(Self {
            authorizer: Authorizer::new(),
            slices: Slices::new(&rules, &inventory.keys)?,
            entities: entities::build(&inventory, schema)?,
            action: entities::uid("Action", "call")?,
            keys: inventory.keys.iter().map(|key| entities::uid("Key", &key.name)).collect::<Result<_, _>>()?,
            deployments: deployments.collect::<Result<_, _>>()?,
            words: Words::new(vocabulary.data.iter().map(AsRef::as_ref), vocabulary.zones()),
            reads: Reads::of(rules.iter().map(|rule| &rule.policy)),
            memo: Memo::default(),
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
        let Some(question) = self.words.question(key, deployment, ask, cost, self.reads) else {
            return Err(vec![Arc::from(UNKNOWN_WORD)]);
        };
        let verdict = self.memo.recall(question, || self.evaluate(key, deployment, self.context(question, ask, cost)));
        verdict.map_err(|rules| rules.to_vec())
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
                let reachable = key.models.is_empty() || key.models.iter().any(|model| facts.pools.contains(model));
                reachable && self.ordinary(key).any(|ask| self.decide(index, deployment, &ask).is_ok())
            })
        })
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

    fn evaluate(&self, key: usize, deployment: usize, context: Option<Context>) -> Verdict {
        let failed = || Err(Arc::from([Arc::from(EVALUATION_ERROR)]));
        let (Some(principal), Some(resource)) = (self.keys.get(key), self.deployments.get(deployment)) else {
            return Err(Arc::from([]));
        };
        let Some(context) = context else { return failed() };
        let Ok(request) = Request::new(principal.clone(), self.action.clone(), resource.clone(), context, None) else {
            return failed();
        };
        verdict(&self.authorizer.is_authorized(&request, self.slices.of(key), &self.entities))
    }

    /// The context of a call, which holds all that some policy reads of it; `None` where it cannot be said in Cedar.
    fn context(&self, question: Question, ask: &Ask, cost: u64) -> Option<Context> {
        let mut last = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, context)) = last.as_ref().filter(|(known, _)| *known == question.of_call()) {
            return Some(context.clone());
        }
        let context = context(ask, cost).ok()?;
        *last = Some((question.of_call(), context.clone()));
        Some(context)
    }

    /// The ordinary calls of a key, over all that no client chooses: the attempt and the hour.
    fn ordinary<'a>(&self, key: &'a KeyFacts) -> impl Iterator<Item = Ask> + use<'a> {
        let attempts = if self.reads.attempt { 0..2 } else { 0..1 };
        let hours = if self.reads.hour { 24 } else { 1 };
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

/// Cedar's answer as ours: it skips a policy that errs, so that an erring forbid would permit; we refuse.
fn verdict(answer: &Response) -> Verdict {
    let mut errors = answer.diagnostics().errors().peekable();
    let permitted = answer.decision() == Decision::Allow;
    if permitted && errors.peek().is_none() {
        return Ok(());
    }
    let mut rules: Vec<Arc<str>> = Vec::new();
    if !permitted {
        rules.extend(answer.diagnostics().reason().map(|id| Arc::from(id.as_ref())));
        rules.sort();
    }
    if errors.peek().is_some() {
        rules.push(Arc::from(EVALUATION_ERROR));
    }
    for error in errors {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        rules.push(Arc::from(error.policy_id().as_ref()));
    }
    Err(rules.into())
}

fn context(ask: &Ask, cost: u64) -> Result<Context, Box<dyn Error>> {
    let long = |number: u64| RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX));
    let data = ask.data.iter().map(|class| entities::uid("Data", class).map(RestrictedExpression::new_entity_uid));
    Ok(Context::from_pairs([
        ("data".to_owned(), RestrictedExpression::new_set(data.collect::<Result<Vec<_>, _>>()?)),
        ("residency".to_owned(), RestrictedExpression::new_entity_uid(entities::uid("Zone", &ask.residency)?)),
        ("screened".to_owned(), RestrictedExpression::new_bool(ask.screened)),
        ("stores".to_owned(), RestrictedExpression::new_bool(ask.needs.has(Need::Stores))),
        ("hosted_tools".to_owned(), RestrictedExpression::new_bool(hosts_tools(ask))),
        ("attempt".to_owned(), long(u64::from(ask.attempt))),
        ("depth".to_owned(), long(u64::from(ask.depth))),
        ("estimated_cost".to_owned(), long(cost_bucket(cost))),
        ("hour".to_owned(), long(u64::from(ask.hour))),
    ])?)
}

#[cfg(test)]
mod tests;
