//! What single policies say of a question, by Cedar's own evaluator.
//!
//! Cedar's `Authorizer` is given a set of policies and a request; on setting out, and on collecting an answer of all their names,
//! it spends several times what evaluating a policy takes. Here an evaluator is made once for a question, and asked of one
//! policy after the other. What follows from what they say is decided in `verdict`.

use crate::call::needs::Need;
use crate::policy::ask::Ask;
use crate::policy::entities;
use crate::policy::inventory::Inventory;
use crate::policy::question::hosts_tools;
use crate::policy::rules::Rule;
use crate::policy::verdict::Said;
use cedar_policy::{Effect, Entities, EntityUid, Schema};
use cedar_policy_core::ast::{Context, EntityUIDEntry, Expr, Literal, Policy, Request, Value, ValueKind};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use std::error::Error;
use std::sync::Arc;

/// The inventory in Cedar.
#[derive(Debug)]
pub(super) struct Cedar {
    pub(super) entities: Entities,
    action: EntityUIDEntry,
    /// In order of their indexes.
    keys: Vec<EntityUIDEntry>,
    deployments: Vec<EntityUIDEntry>,
}

impl Cedar {
    /// The inventory, checked against the schema.
    pub(super) fn of(inventory: &Inventory, schema: &Schema) -> Result<Self, Box<dyn Error>> {
        let known = |kind, name| entities::uid(kind, name).map(|uid| EntityUIDEntry::known(uid.as_ref().clone(), None));
        let deployments = inventory.deployments.iter().map(|deployment| known("Deployment", &deployment.id));
        Ok(Self {
            entities: entities::build(inventory, schema)?,
            action: known("Action", "call")?,
            keys: inventory.keys.iter().map(|key| known("Key", &key.name)).collect::<Result<_, _>>()?,
            deployments: deployments.collect::<Result<_, _>>()?,
        })
    }

    /// An evaluator of policies about a call; `None` for a key or a deployment that is not there.
    pub(super) fn evaluator(&self, key: usize, deployment: usize, context: Context) -> Option<Evaluator<'_>> {
        let (key, deployment) = (self.keys.get(key)?.clone(), self.deployments.get(deployment)?.clone());
        let request = Request::new_unchecked(key, self.action.clone(), deployment, Some(context));
        Some(Evaluator::new(request, self.entities.as_ref(), Extensions::all_available()))
    }
}

/// A policy as it is evaluated.
#[derive(Debug)]
pub(super) struct Condition {
    id: Arc<str>,
    effect: Effect,
    policy: Policy,
    /// Its scope and its conditions as one expression.
    whole: Expr,
}

impl Condition {
    pub(super) fn of(rule: &Rule) -> Self {
        let policy: &Policy = rule.policy.as_ref();
        let (effect, whole) = (rule.policy.effect(), policy.condition());
        Self { id: Arc::clone(&rule.id), effect, policy: policy.clone(), whole }
    }

    /// What the policy says, under its id.
    pub(super) fn says(&self, evaluator: &Evaluator<'_>) -> (&Arc<str>, Said) {
        let value = evaluator.interpret(&self.whole, self.policy.env());
        let said = match (value.as_ref().map(Value::value_kind), self.effect) {
            (Ok(ValueKind::Lit(Literal::Bool(true))), Effect::Permit) => Said::Permit,
            (Ok(ValueKind::Lit(Literal::Bool(true))), Effect::Forbid) => Said::Forbid,
            (Ok(ValueKind::Lit(Literal::Bool(false))), _) => Said::Nothing,
            (Ok(_) | Err(_), _) => Said::Error,
        };
        (&self.id, said)
    }
}

const ESTIMATED_COST: &str = "estimated_cost";

/// What policies read of a call, in Cedar. It is the same for every deployment but for what the call costs there.
#[derive(Debug)]
pub(super) struct CallContext(Context);

impl CallContext {
    /// `None` where the call holds a word that cannot be written.
    pub(super) fn of(ask: &Ask) -> Option<Self> {
        let entity = |kind, name| entities::uid(kind, name).map(|uid: EntityUid| Literal::from(uid.as_ref().clone()));
        let data = ask.data.iter().map(|class| entity("Data", class)).collect::<Result<Vec<_>, _>>().ok()?;
        let attributes = [
            ("data", Value::set_of_lits(data, None)),
            ("residency", value(entity("Zone", &ask.residency).ok()?)),
            ("screened", value(ask.screened.into())),
            ("stores", value(ask.needs.has(Need::Stores).into())),
            ("hosted_tools", value(hosts_tools(ask).into())),
            ("attempt", long(u64::from(ask.attempt))),
            ("depth", long(u64::from(ask.depth))),
            ("hour", long(u64::from(ask.hour))),
            (ESTIMATED_COST, long(0)),
        ];
        Some(Self(Context::Value(Arc::new(attributes.into_iter().map(|(name, value)| (name.into(), value)).collect()))))
    }

    /// The same of a call that costs so many micro-dollars.
    pub(super) fn costing(&self, cost: u64) -> Context {
        match &self.0 {
            Context::Value(attributes) if cost > 0 => {
                let mut attributes = (**attributes).clone();
                attributes.insert(ESTIMATED_COST.into(), long(cost));
                Context::Value(Arc::new(attributes))
            }
            free => free.clone(),
        }
    }
}

fn value(literal: Literal) -> Value {
    Value::new(literal, None)
}

fn long(number: u64) -> Value {
    value(Literal::from(i64::try_from(number).unwrap_or(i64::MAX)))
}
