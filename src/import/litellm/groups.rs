//! Groups of entries as pools: tiers by order, then those of the groups that calls move to.

use super::Importer;
use super::entry::Entry;
use super::places::unique;
use super::settings::{Routing, Target};
use crate::config::{defaults, names};
use crate::import::draft::{Table, inline, text};
use crate::import::yaml::{Mark, shown};
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// All entries of one name.
pub(super) struct Group {
    name: String,
    /// What its pool is called.
    pool: String,
    /// Where its first entry stands.
    at: Mark,
    aliases: Vec<String>,
    /// Deployments in order of preference.
    tiers: Vec<Vec<String>>,
}

impl Group {
    fn table(&self) -> String {
        format!("pool.{}", self.pool)
    }
}

impl Importer<'_> {
    /// The groups, in order of appearance.
    pub(super) fn groups(&mut self) -> Vec<Group> {
        let entries = std::mem::take(&mut self.entries);
        let mut by_name: Vec<(&str, Vec<&Entry>)> = Vec::new();
        for entry in &entries {
            match by_name.iter_mut().find(|(name, _)| *name == entry.group) {
                Some((_, entries)) => entries.push(entry),
                None => by_name.push((&entry.group, vec![entry])),
            }
        }
        // who can keep its name does, whatever is made of others'
        let mut taken: BTreeSet<String> =
            by_name.iter().map(|(name, _)| (*name).to_owned()).filter(|name| names::wrong(name).is_none()).collect();
        let mut groups = Vec::new();
        for (name, entries) in by_name {
            let at = entries.first().map_or(Mark { line: 0, column: 0 }, |entry| entry.at);
            let keeps = names::wrong(name).is_none();
            let pool = if keeps { name.to_owned() } else { unique(name, &mut taken) };
            let mut group = Group { name: name.to_owned(), pool, at, aliases: Vec::new(), tiers: Vec::new() };
            if !keeps {
                self.keep_name(&mut group);
            }
            group.tiers = self.tiers(&group, &entries);
            groups.push(group);
        }
        self.entries = entries;
        groups
    }

    /// A group whose name no pool can have is an alias of one that has another.
    fn keep_name(&mut self, group: &mut Group) {
        match names::wrong_model(&group.name) {
            None => group.aliases.push(group.name.clone()),
            Some(_) => {
                let message = format!("no client can ask for the model name \"{}\"", shown(&group.name));
                let help = format!("it is called \"{}\": letters, digits and -._/:@+ make a name", group.pool);
                self.findings.about(&[group.table()], group.at, message, help);
            }
        }
    }

    /// The deployments of a group by their `order`.
    fn tiers(&mut self, group: &Group, entries: &[&Entry]) -> Vec<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut tiers: BTreeMap<(bool, Option<u64>), Vec<String>> = BTreeMap::new();
        for entry in entries {
            if seen.insert(&entry.deployment) {
                tiers.entry((entry.order.is_none(), entry.order)).or_default().push(entry.deployment.clone());
            } else {
                let message =
                    format!("\"{}\" stands twice in \"{}\": it is listed once", entry.deployment, shown(&group.name));
                let help = "place, key and model are the same, so a second one would fail with the first";
                self.findings.about(&[group.table()], entry.at, message, help);
            }
        }
        tiers.into_values().collect()
    }

    /// The pools, one for each group.
    pub(super) fn pools(&mut self, routing: &Routing) -> Vec<Table> {
        let mut groups = self.groups();
        self.name_aliases(&mut groups, routing);
        for (of, _) in &routing.fallbacks {
            if groups.iter().all(|group| group.name != of.name) {
                let message = format!("fallbacks of \"{}\", which is no group that is carried", shown(&of.name));
                self.findings.say(
                    of.at,
                    message,
                    "they are not carried; a pool of that name lists them in `deployments`",
                );
            }
        }
        let mut tables = Vec::new();
        for group in &groups {
            let mut chain = Chain { groups: &groups, routing, tiers: group.tiers.clone(), asked: BTreeSet::new() };
            chain.asked.insert(group.name.clone());
            self.follow(&group.name, group, &mut chain);
            let (tiers, moves) = (chain.tiers, chain.asked.len() as u64 - 1);
            self.say_spread(group, &tiers, routing);
            let mut table = Table::new("pool", &group.pool);
            table.notes = self.findings.notes(&group.table());
            write(&mut table, group, &tiers, moves, routing);
            tables.push(table);
        }
        tables
    }

    /// Gives aliases to the groups that they stand for.
    fn name_aliases(&mut self, groups: &mut [Group], routing: &Routing) {
        let mut public: BTreeSet<String> =
            groups.iter().flat_map(|group| [group.name.clone(), group.pool.clone()]).collect();
        for (alias, target) in &routing.aliases {
            let wrong = names::wrong_model(&alias.name);
            let group = groups.iter_mut().find(|group| group.name == *target);
            let message = match group {
                Some(group) if wrong.is_none() && public.insert(alias.name.clone()) => {
                    group.aliases.push(alias.name.clone());
                    continue;
                }
                Some(_) if wrong.is_some() => format!("\"{}\" cannot be an alias", shown(&alias.name)),
                Some(_) => format!("the alias \"{}\" is the name of a group too", shown(&alias.name)),
                None => format!(
                    "the alias \"{}\" stands for \"{}\", which is no group that is carried",
                    shown(&alias.name),
                    shown(target)
                ),
            };
            self.findings.say(alias.at, message, "it is not carried; add it to `aliases` of the pool that is meant");
        }
    }

    /// Appends the groups that calls of `from` move to, each with those that its own calls move to.
    fn follow(&mut self, from: &str, of: &Group, chain: &mut Chain<'_>) {
        let (routing, groups) = (chain.routing, chain.groups);
        for target in routing.targets(from) {
            let alias = routing.aliases.iter().find(|(alias, _)| alias.name == target.name);
            let name = alias.map_or(target.name.as_str(), |(_, group)| group);
            let group = groups.iter().find(|group| group.name == name);
            let one = self.entries.iter().find(|entry| entry.id.as_deref() == Some(name));
            let further = match (group, one) {
                (Some(group), _) => group.tiers.clone(),
                (None, Some(entry)) => vec![vec![entry.deployment.clone()]],
                (None, None) => {
                    let message =
                        format!("calls would move to \"{}\", which is no group that is carried", shown(&target.name));
                    let help = "add its deployments to the pool, or remove the fallback";
                    self.findings.about(&[of.table()], target.at, message, help);
                    continue;
                }
            };
            if !chain.asked.insert(name.to_owned()) {
                continue;
            }
            for tier in further {
                let new = tier
                    .into_iter()
                    .filter(|id| !chain.tiers.iter().flatten().any(|known| known == id))
                    .collect::<Vec<_>>();
                if !new.is_empty() {
                    chain.tiers.push(new);
                }
            }
            self.follow(name, of, chain);
        }
    }

    fn say_spread(&mut self, group: &Group, tiers: &[Vec<String>], routing: &Routing) {
        let several = tiers.iter().any(|tier| tier.len() > 1);
        if let Some(at) = routing.spread.filter(|_| several) {
            let message = "calls are not spread evenly over the deployments of a tier, as `simple-shuffle` does";
            let help = "the first one listed is asked until it is throttled or broken; order = \"latency\" prefers the fastest";
            self.findings.about(&[group.table()], at.unwrap_or(group.at), message, help);
        }
    }
}

/// A pool whose tiers are being gathered.
struct Chain<'a> {
    groups: &'a [Group],
    routing: &'a Routing,
    tiers: Vec<Vec<String>>,
    /// Groups whose deployments are in it.
    asked: BTreeSet<String>,
}

impl Routing {
    /// Whom calls of a group move to.
    fn targets(&self, group: &str) -> &[Target] {
        let own = self.fallbacks.iter().find(|(of, _)| of.name == group);
        own.map_or(&self.otherwise, |(_, targets)| targets)
    }
}

fn write(table: &mut Table, group: &Group, tiers: &[Vec<String>], moves: u64, routing: &Routing) {
    let names = |names: &[String]| Value::Array(names.iter().map(|name| text(name.as_str())).collect());
    let tier = |tier: &Vec<String>| match tier.as_slice() {
        [one] => text(one.as_str()),
        several => names(several),
    };
    let several = tiers.iter().any(|tier| tier.len() > 1);
    // every group that calls move to is to be reached
    let attempts =
        routing.retries.map(|retries| (retries.saturating_add(1 + moves)).min(defaults::MAX_ATTEMPTS.into()));
    let timeouts =
        [("answer", &routing.answer), ("first_content", &routing.first_content), ("headers", &routing.first_content)];
    let timeouts: Vec<_> = timeouts.iter().filter_map(|(name, time)| Some((*name, text(time.as_deref()?)))).collect();
    let open = routing.open.iter().flat_map(|(open, cap)| [("open", text(open.as_str())), ("cap", text(cap.as_str()))]);
    let consecutive = routing.consecutive.and_then(|fails| i64::try_from(fails).ok());
    let breaker: Vec<_> =
        consecutive.map(|fails| ("consecutive", Value::Integer(fails))).into_iter().chain(open).collect();
    table.set("aliases", (!group.aliases.is_empty()).then(|| names(&group.aliases)));
    table.set("deployments", Value::Array(tiers.iter().map(tier).collect()));
    table.set("order", routing.order.filter(|_| several).map(text));
    table.set("attempts", attempts.and_then(|attempts| i64::try_from(attempts).ok()).map(Value::Integer));
    table.set("timeouts", (!timeouts.is_empty()).then(|| inline(timeouts)));
    table.set("breaker", (!breaker.is_empty()).then(|| inline(breaker)));
}
