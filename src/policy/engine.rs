//! Decisions.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::call::needs::Need;
use crate::policy::ask::Ask;
use crate::policy::inventory::Inventory;
use crate::policy::rules::PolicyFile;
use crate::policy::{entities, rules, schema};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression, Schema,
};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// The rule id of a refusal because a policy could not be evaluated.
pub(crate) const EVALUATION_ERROR: &str = "evaluation_error";

/// The compiled policies.
#[derive(Debug)]
pub struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    action: EntityUid,
    keys: Vec<EntityUid>,
    deployments: Vec<EntityUid>,
    inventory: Inventory,
}

impl Engine {
    /// Compiles the policies of all files against what the config has.
    ///
    /// # Errors
    /// All diagnostics; Cedar's warnings are errors here.
    pub fn compile(inventory: Inventory, files: &[PolicyFile<'_>]) -> Result<Self, Vec<Diagnostic>> {
        let internal = |error: Box<dyn Error>| {
            let place = Place::file(Path::new("(policy schema)"));
            vec![Diagnostic::error(place, format!("the config does not fit the policy schema: {error}"))]
        };
        let schema = Schema::from_str_schema(&schema::text(&inventory)).map_err(internal)?;
        let policies = rules::read(files, &schema, &inventory)?;
        Self::assemble(inventory, &schema, policies).map_err(internal)
    }

    fn assemble(
        inventory: Inventory,
        schema: &Schema,
        policies: Vec<cedar_policy::Policy>,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: PolicySet::from_policies(policies)?,
            entities: entities::build(&inventory, schema)?,
            action: entities::uid("Action", "call")?,
            keys: inventory.keys.iter().map(|key| entities::uid("Key", &key.name)).collect::<Result<_, _>>()?,
            deployments: inventory
                .deployments
                .iter()
                .map(|deployment| entities::uid("Deployment", &deployment.id))
                .collect::<Result<_, _>>()?,
            inventory,
        })
    }

    /// Whether the key of this index may send the call to the deployment of this index.
    ///
    /// # Errors
    /// The ids of the deciding policies; none where no policy permits it.
    pub fn decide(&self, key: usize, deployment: usize, ask: &Ask) -> Result<(), Vec<Arc<str>>> {
        let error = |_| vec![Arc::from(EVALUATION_ERROR)];
        let (Some(principal), Some(resource)) = (self.keys.get(key), self.deployments.get(deployment)) else {
            return Err(Vec::new());
        };
        let context = context(ask).map_err(error)?;
        let request = Request::new(principal.clone(), self.action.clone(), resource.clone(), context, None);
        let request = request.map_err(|_| vec![Arc::from(EVALUATION_ERROR)])?;
        let answer = self.authorizer.is_authorized(&request, &self.policies, &self.entities);
        let mut rules: Vec<Arc<str>> = answer.diagnostics().reason().map(|id| Arc::from(id.as_ref())).collect();
        let errors: Vec<_> = answer.diagnostics().errors().collect();
        if answer.decision() == Decision::Allow && errors.is_empty() {
            return Ok(());
        }
        if answer.decision() == Decision::Allow {
            rules.clear();
        }
        if !errors.is_empty() {
            rules.push(Arc::from(EVALUATION_ERROR));
        }
        Err(rules)
    }

    /// Whether any key may use the deployment of this index for some call.
    #[must_use]
    pub fn usable_by_some_key(&self, deployment: usize) -> bool {
        self.inventory.keys.iter().enumerate().any(|(index, key)| {
            let ask = Ask {
                data: key.data.clone(),
                residency: Arc::clone(&key.residency),
                screened: key.screened,
                needs: crate::call::needs::Needs::NONE,
                attempt: 0,
                depth: 0,
                estimated_cost: 0,
                hour: 0,
            };
            self.decide(index, deployment, &ask).is_ok()
        })
    }
}

trait FromText: Sized {
    fn from_str_schema(text: &str) -> Result<Self, Box<dyn Error>>;
}

impl FromText for Schema {
    fn from_str_schema(text: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self::from_cedarschema_str(text)?.0)
    }
}

fn context(ask: &Ask) -> Result<Context, Box<dyn Error>> {
    let long = |number: u64| RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX));
    let data = ask.data.iter().map(|class| entities::uid("Data", class).map(RestrictedExpression::new_entity_uid));
    let hosted = ask.needs.has(Need::HostedTools) || ask.needs.has(Need::ServerIds);
    Ok(Context::from_pairs([
        ("data".to_owned(), RestrictedExpression::new_set(data.collect::<Result<Vec<_>, _>>()?)),
        ("residency".to_owned(), RestrictedExpression::new_entity_uid(entities::uid("Zone", &ask.residency)?)),
        ("screened".to_owned(), RestrictedExpression::new_bool(ask.screened)),
        ("stores".to_owned(), RestrictedExpression::new_bool(ask.needs.has(Need::Stores))),
        ("hosted_tools".to_owned(), RestrictedExpression::new_bool(hosted)),
        ("attempt".to_owned(), long(u64::from(ask.attempt))),
        ("depth".to_owned(), long(u64::from(ask.depth))),
        ("estimated_cost".to_owned(), long(ask.estimated_cost)),
        ("hour".to_owned(), long(u64::from(ask.hour))),
    ])?)
}
