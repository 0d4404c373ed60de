//! The policies that can concern a key: Cedar looks at every policy it is given, so it is given few.

use crate::policy::inventory::KeyFacts;
use crate::policy::rules::Rule;
use cedar_policy::{EntityUid, PolicySet, PrincipalConstraint};
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;

/// A set of policies for every key; keys that the same policies concern share one.
#[derive(Debug)]
pub(super) struct Slices {
    sets: Vec<PolicySet>,
    of_key: Vec<usize>,
    none: PolicySet,
}

impl Slices {
    pub(super) fn new(rules: &[Rule], keys: &[KeyFacts]) -> Result<Self, Box<dyn Error>> {
        let mut slices = Self { sets: Vec::new(), of_key: Vec::new(), none: PolicySet::new() };
        let scopes: Vec<Scope> = rules.iter().map(|rule| Scope::of(&rule.policy.principal_constraint())).collect();
        let names = scopes.iter().filter_map(|scope| if let Scope::Key(name) = scope { Some(&**name) } else { None });
        let named: HashSet<&str> = names.collect();
        let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
        // a slice depends on the team, and on the key itself only where a policy names it
        let mut by_team: HashMap<Option<Arc<str>>, usize> = HashMap::new();
        for key in keys {
            let named = named.contains(&*key.name);
            if let Some(slice) = by_team.get(&key.team).filter(|_| !named) {
                slices.of_key.push(*slice);
                continue;
            }
            let concerned: Vec<usize> =
                (0..).zip(&scopes).filter(|(_, scope)| scope.concerns(key)).map(|(index, _)| index).collect();
            let slice = match known.get(&concerned) {
                Some(slice) => *slice,
                None => slices.add(rules, concerned, &mut known)?,
            };
            if !named {
                by_team.insert(key.team.clone(), slice);
            }
            slices.of_key.push(slice);
        }
        Ok(slices)
    }

    /// The policies that can concern the key of this index; none for one that is not there, so that it may do nothing.
    pub(super) fn of(&self, key: usize) -> &PolicySet {
        self.of_key.get(key).and_then(|slice| self.sets.get(*slice)).unwrap_or(&self.none)
    }

    fn add(
        &mut self,
        rules: &[Rule],
        concerned: Vec<usize>,
        known: &mut HashMap<Vec<usize>, usize>,
    ) -> Result<usize, Box<dyn Error>> {
        let policies = concerned.iter().filter_map(|index| rules.get(*index)).map(|rule| rule.policy.clone());
        self.sets.push(PolicySet::from_policies(policies)?);
        let slice = self.sets.len() - 1;
        known.insert(concerned, slice);
        Ok(slice)
    }
}

/// Whom a policy's scope lets through.
enum Scope {
    Everyone,
    Team(String),
    Key(String),
}

impl Scope {
    fn of(constraint: &PrincipalConstraint) -> Self {
        let named = |uid: &EntityUid| match uid.type_name().basename() {
            "Team" => Self::Team(uid.id().unescaped().to_owned()),
            "Key" => Self::Key(uid.id().unescaped().to_owned()),
            _ => Self::Everyone,
        };
        match constraint {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Self::Everyone,
            PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => {
                named(uid)
            }
        }
    }

    fn concerns(&self, key: &KeyFacts) -> bool {
        match self {
            Self::Everyone => true,
            Self::Team(team) => key.team.as_deref() == Some(team),
            Self::Key(name) => *key.name == **name,
        }
    }
}
