//! Policies by whom they concern and what they read, so that few are asked, and each no oftener than its answer can differ.
//!
//! Cedar looks at every policy that it is given, at more than a microsecond each. Policies of one head that read the same are
//! one group; what a group said of one question holds for every question that is the same in what the group reads, whichever
//! key and deployment it is about.

use crate::policy::cedar::Condition;
use crate::policy::classes::{Classes, Classifier, number};
use crate::policy::heads::{Head, Name, names_of_deployment, names_of_key};
use crate::policy::inventory::Inventory;
use crate::policy::question::{CallFacts, DataClasses, PoolQuestion, Question, QuickHasher, Size, Words};
use crate::policy::reads::{Fact, Reads};
use crate::policy::rules::Rule;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Policies of one head that read the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) policies: Vec<Condition>,
    number: u64,
    pub(super) reads: Reads,
    /// Data of which a call must hold some, for the group to say anything of it.
    data: DataClasses,
    keys: Classes,
    deployments: Classes,
}

impl Group {
    /// What the group is asked, with everything left out that it does not read.
    pub(super) fn question(&self, key: usize, deployment: usize, call: CallFacts) -> Option<Question> {
        let call = call.only(self.reads);
        Some(Question::new(self.number, *self.keys.get(key)?, *self.deployments.get(deployment)?, call))
    }
}

/// A name as a number; 0 is no name.
type NameNumber = u32;

/// All groups.
#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Groups by the name of the key and that of the deployment that they demand.
    by_head: HashMap<u64, Vec<usize>, BuildHasherDefault<QuickHasher>>,
    /// What each key can be called by some head.
    names_of_keys: Vec<Vec<NameNumber>>,
    names_of_deployments: Vec<Vec<NameNumber>>,
    /// Keys and deployments that are the same to all policies together.
    keys: Classes,
    deployments: Classes,
    reads: Reads,
}

impl Groups {
    pub(super) fn new(rules: &[Rule], inventory: &Inventory, words: &Words) -> Self {
        let mut members: HashMap<(&Head, Reads), usize> = HashMap::new();
        let mut sorted: Vec<(&Head, Reads, Vec<Condition>)> = Vec::new();
        for rule in rules {
            let group = *members.entry((&rule.head, rule.reads)).or_insert(sorted.len());
            if group == sorted.len() {
                sorted.push((&rule.head, rule.reads, Vec::new()));
            }
            if let Some((_, _, policies)) = sorted.get_mut(group) {
                policies.push(Condition::of(rule));
            }
        }
        let names = Names::of(rules);
        let mut classifier = Classifier::new(&inventory.keys, &inventory.deployments);
        let mut by_head: HashMap<u64, Vec<usize>, _> = HashMap::default();
        let mut groups = Vec::new();
        for (head, reads, policies) in sorted {
            let pair = pair(names.number(head.who.as_ref()), names.number(head.what.as_ref()));
            by_head.entry(pair).or_default().push(groups.len());
            groups.push(Group {
                policies,
                number: groups.len() as u64,
                reads,
                data: head.data.as_ref().map_or(DataClasses::ANY, |classes| words.data(classes)),
                keys: classifier.of_keys(reads),
                deployments: classifier.of_deployments(reads),
            });
        }
        let reads = rules.iter().fold(Reads::default(), |reads, rule| reads.and(rule.reads));
        let names_of_keys: Vec<_> = inventory.keys.iter().map(|key| names.numbers(names_of_key(key))).collect();
        let of_deployment = |deployment| names.numbers(names_of_deployment(deployment, inventory).into_iter());
        let names_of_deployments: Vec<_> = inventory.deployments.iter().map(of_deployment).collect();
        Self {
            keys: number(names_of_keys.iter().zip(classifier.of_keys(reads).iter())),
            deployments: number(names_of_deployments.iter().zip(classifier.of_deployments(reads).iter())),
            groups,
            by_head,
            names_of_keys,
            names_of_deployments,
            reads,
        }
    }

    /// What is asked of all policies together, with everything left out that none of them reads; `None` for a key or a
    /// deployment that is not there.
    pub(super) fn question(&self, key: usize, deployment: usize, call: CallFacts) -> Option<Question> {
        let call = call.only(self.reads);
        Some(Question::new(0, *self.keys.get(key)?, *self.deployments.get(deployment)?, call))
    }

    /// The same about every deployment of the pool of this number; `None` for a key that is not there.
    pub(super) fn pool_question(&self, key: usize, pool: u32, size: Size, call: CallFacts) -> Option<PoolQuestion> {
        let size = if self.reads.has(Fact::EstimatedCost) { size } else { Size::default() };
        Some(PoolQuestion::new(*self.keys.get(key)?, pool, size, call.only(self.reads)))
    }

    /// The groups whose heads the key, the deployment and the call meet.
    pub(super) fn concerned(&self, key: usize, deployment: usize, call: CallFacts) -> impl Iterator<Item = &Group> {
        let who = self.names_of_keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let what = self.names_of_deployments.get(deployment).map(Vec::as_slice).unwrap_or_default();
        let pairs = who.iter().flat_map(|who| what.iter().map(|what| pair(*who, *what)));
        let groups = pairs.filter_map(|pair| self.by_head.get(&pair)).flatten();
        groups.filter_map(|group| self.groups.get(*group)).filter(move |group| call.holds_one_of(group.data))
    }

    /// What policies read, all together.
    pub(super) const fn reads(&self) -> Reads {
        self.reads
    }
}

const fn pair(who: NameNumber, what: NameNumber) -> u64 {
    (who as u64) << 32 | what as u64
}

/// The names that heads use.
struct Names<'a>(HashMap<&'a Name, NameNumber>);

impl<'a> Names<'a> {
    fn of(rules: &'a [Rule]) -> Self {
        let mut numbers = HashMap::new();
        for name in rules.iter().flat_map(|rule| rule.head.who.iter().chain(&rule.head.what)) {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX - 1) + 1;
            numbers.entry(name).or_insert(next);
        }
        Self(numbers)
    }

    fn number(&self, name: Option<&Name>) -> NameNumber {
        name.and_then(|name| self.0.get(name)).copied().unwrap_or_default()
    }

    /// The numbers of those names that some head uses, and that of no name.
    fn numbers(&self, names: impl Iterator<Item = Name>) -> Vec<NameNumber> {
        std::iter::once(0).chain(names.filter_map(|name| self.0.get(&name)).copied()).collect()
    }
}
