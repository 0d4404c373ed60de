//! Policy files to a checked set of policies: every finding at once, with file, line and what to try.

use crate::base::diagnostic::{Diagnostic, Lines, Place, nearest};
use crate::policy::heads::Head;
use crate::policy::inventory::Inventory;
use crate::policy::reads::Reads;
use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationError, ValidationMode, Validator};
use miette::Diagnostic as Report;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// One policy file.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFile<'a> {
    /// Its path, as diagnostics name it.
    pub path: &'a Path,
    /// Its content.
    pub text: &'a str,
}

/// A policy under its name.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its `@id`, which decisions are recorded with.
    pub id: Arc<str>,
    /// Its `@reason`, for people.
    pub reason: Arc<str>,
    /// Its `@regulation`, where there is one.
    pub regulation: Option<Arc<str>>,
    /// Whether streams that it newly forbids are stopped (`@inflight("stop")`) rather than allowed to finish.
    pub stops_streams: bool,
    /// Where it is written.
    pub place: Place,
    pub(super) policy: Policy,
    pub(super) head: Head,
    pub(super) reads: Reads,
}

impl Rule {
    /// The policy itself, in Cedar.
    #[must_use]
    pub fn text(&self) -> String {
        self.policy.to_string()
    }
}

/// Reads, names and checks the policies of all files.
pub(super) fn read(
    files: &[PolicyFile<'_>],
    schema: &Schema,
    inventory: &Inventory,
) -> Result<Vec<Rule>, Vec<Diagnostic>> {
    let names = KINDS.iter().map(|kind| (*kind, known(inventory, kind).into_iter().collect())).collect();
    let mut reader = RuleReader { inventory, names, ids: HashMap::new(), diagnostics: Vec::new() };
    let validator = Validator::new(schema.clone());
    let mut rules = Vec::new();
    for file in files {
        rules.extend(reader.file(&Written::of(file), &validator));
    }
    if reader.diagnostics.is_empty() { Ok(rules) } else { Err(reader.diagnostics) }
}

/// A file, and where its lines begin.
struct Written<'a> {
    path: &'a Path,
    text: &'a str,
    lines: Lines,
}

impl<'a> Written<'a> {
    fn of(file: &PolicyFile<'a>) -> Self {
        Self { path: file.path, text: file.text, lines: Lines::of(file.text) }
    }

    fn place(&self, offset: usize) -> Place {
        self.lines.place(self.path, self.text, offset)
    }
}

struct RuleReader<'a> {
    inventory: &'a Inventory,
    /// What entities of a kind may be called.
    names: HashMap<&'static str, HashSet<&'a str>>,
    ids: HashMap<Arc<str>, Place>,
    diagnostics: Vec<Diagnostic>,
}

impl RuleReader<'_> {
    fn file(&mut self, file: &Written<'_>, validator: &Validator) -> Vec<Rule> {
        let parsed = match PolicySet::from_str(file.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                self.diagnostics.extend(errors.iter().map(|error| unread(file, error)));
                return Vec::new();
            }
        };
        for template in parsed.templates() {
            let place = file.place(find_from(file, 0, &template.to_string()).start);
            let help = "write the principal or resource out instead of ?principal or ?resource";
            self.error(place, "a policy cannot be a template here", help);
        }
        let mut policies: Vec<&Policy> = parsed.policies().collect();
        // Cedar numbers the policies of a text: policy0, policy1, ...
        policies
            .sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse().unwrap_or(usize::MAX));
        let mut end = 0;
        let mut named = PolicySet::new();
        let mut rules = Vec::new();
        for policy in policies {
            let span = find_from(file, end, &policy.to_string());
            end = span.end;
            let place = file.place(span.start);
            self.literals(file, policy, span);
            // by way of its tree alone: what was parsed from a text would be parsed again
            let Ok(json) = Policy::from(policy.as_ref().clone()).to_json() else {
                self.error(place, "the policy cannot be taken apart", "write it in a simpler way");
                continue;
            };
            self.presence(&json, &place);
            if let Some(rule) = self.rule(policy, &json, place).filter(|rule| named.add(rule.policy.clone()).is_ok()) {
                rules.push(rule);
            }
        }
        self.validate(file, &named, validator);
        rules
    }

    fn validate(&mut self, file: &Written<'_>, policies: &PolicySet, validator: &Validator) {
        let result = validator.validate(policies, ValidationMode::Strict);
        let mut blamed = HashSet::new();
        for error in result.validation_errors() {
            match error {
                // names are checked against the inventory, with a nearer suggestion than the list of all
                ValidationError::InvalidEnumEntity(_) => _ = blamed.insert(error.policy_id()),
                // it follows from whatever else is wrong with the action
                ValidationError::InvalidActionApplication(_) if blamed.contains(error.policy_id()) => {}
                _ => {
                    blamed.insert(error.policy_id());
                    self.diagnostics.push(diagnostic(file, error));
                }
            }
        }
        // a policy that is broken is also found to be impossible: one finding is enough
        let warnings = result.validation_warnings().filter(|warning| !blamed.contains(warning.policy_id()));
        self.diagnostics.extend(warnings.map(|warning| diagnostic(file, warning)));
    }

    /// The policy under the name that its `@id` gives it.
    fn rule(&mut self, policy: &Policy, json: &Value, place: Place) -> Option<Rule> {
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()).map(Arc::<str>::from) else {
            let help = "write @id(\"what-it-does\") above it: decisions are recorded with this name";
            self.error(place, "the policy has no @id", help);
            return None;
        };
        if let Some(first) = self.ids.get(&id) {
            let help = format!("the first one is at {first}");
            self.error(place, format!("the @id \"{id}\" is used twice"), help);
            return None;
        }
        self.ids.insert(Arc::clone(&id), place.clone());
        let stops_streams = match policy.annotation("inflight") {
            Some("stop") => true,
            None => false,
            Some(_) => {
                self.error(place.clone(), "@inflight takes \"stop\" alone", "without it open streams may finish");
                false
            }
        };
        Some(Rule {
            reason: policy.annotation("reason").unwrap_or_default().into(),
            regulation: policy.annotation("regulation").map(Arc::from),
            stops_streams,
            place,
            policy: policy.new_id(PolicyId::new(&id)),
            head: Head::of(json),
            reads: Reads::of(json),
            id,
        })
    }

    /// Refuses `has`: every attribute is always there, and a misspelt one after `has` would pass Cedar's validator.
    fn presence(&mut self, policy: &Value, place: &Place) {
        if asks_for_presence(policy) {
            let help = "every attribute is always there: compare it with Zone::\"any\" or Zone::\"unknown\" instead";
            self.error(place.clone(), "the policy uses `has`", help);
        }
    }

    /// Checks names against the inventory: Cedar's schema leaves some open, and lists all where it does not.
    fn literals(&mut self, file: &Written<'_>, policy: &Policy, policy_at: Range<usize>) {
        for literal in policy.entity_literals() {
            let kind = literal.type_name().to_string();
            let name = literal.id().unescaped();
            // actions and unknown types are Cedar's to report
            if self.names.get(kind.as_str()).is_none_or(|known| known.contains(name)) {
                continue;
            }
            let known = known(self.inventory, &kind);
            let message = format!("there is no {} \"{name}\"", kind.to_lowercase());
            let near = match kind.as_str() {
                "Zone" => self.inventory.vocabulary.nearest_zone(name),
                _ => nearest(name, known.iter().copied()),
            };
            let help = match near {
                Some(near) => format!("did you mean {kind}::\"{near}\"?"),
                None if known.is_empty() => format!("the config has no {}", kind.to_lowercase()),
                None if known.len() <= 12 => format!("there are: {}", known.join(", ")),
                None => "names in policies must be in the config, or be words of the vocabulary".to_owned(),
            };
            let written = file.text.get(policy_at.clone()).and_then(|text| text.find(&literal.to_string()));
            self.error(file.place(policy_at.start + written.unwrap_or_default()), message, help);
        }
    }

    fn error(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(place, message).help(help));
    }
}

/// The kinds of entities whose names the config gives, or the vocabulary.
const KINDS: [&str; 10] =
    ["Agreement", "Certification", "Data", "Deployment", "Key", "Pool", "Region", "Team", "Vendor", "Zone"];

/// What entities of the kind are called.
fn known<'a>(inventory: &'a Inventory, kind: &str) -> Vec<&'a str> {
    let words = &inventory.vocabulary;
    match kind {
        "Vendor" => inventory.vendors.iter().map(|vendor| vendor.name.as_ref()).collect(),
        "Team" => inventory.teams.iter().map(AsRef::as_ref).collect(),
        "Key" => inventory.keys.iter().map(|key| key.name.as_ref()).collect(),
        "Deployment" => inventory.deployments.iter().map(|deployment| deployment.id.as_ref()).collect(),
        "Pool" => inventory.pools.iter().map(AsRef::as_ref).collect(),
        "Zone" => words.zones().collect(),
        "Agreement" => words.agreements.iter().map(AsRef::as_ref).collect(),
        "Certification" => words.certifications.iter().map(AsRef::as_ref).collect(),
        "Data" => words.data.iter().map(AsRef::as_ref).collect(),
        "Region" => {
            let used = inventory.deployments.iter().map(|deployment| deployment.region.as_ref());
            words.regions().chain(used).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether Cedar's JSON form of a policy holds the operator `has`.
fn asks_for_presence(json: &Value) -> bool {
    match json {
        Value::Object(members) => members.iter().any(|(name, member)| {
            let operator = name == "has" && member.get("left").is_some() && member.get("attr").is_some();
            operator || asks_for_presence(member)
        }),
        Value::Array(items) => items.iter().any(asks_for_presence),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A finding of Cedar's as ours: its message, its place, its help.
fn diagnostic(file: &Written<'_>, report: &dyn Report) -> Diagnostic {
    let offset = report.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let place = offset.map_or_else(|| Place::file(file.path), |offset| file.place(offset));
    let help = report.help().map(|help| help.to_string()).unwrap_or_default();
    Diagnostic::error(place, report.to_string().replace('\n', " ")).help(help)
}

/// The same of a text that is no policy.
fn unread(file: &Written<'_>, report: &dyn Report) -> Diagnostic {
    let found = diagnostic(file, report);
    if !found.help.is_empty() {
        return found;
    }
    found.help(
        "a policy reads `@id(\"name\") forbid (principal, action, resource) when { ... };`, down to its semicolon",
    )
}

/// The bytes of a policy's text, looked for from byte `start`.
fn find_from(file: &Written<'_>, start: usize, policy: &str) -> Range<usize> {
    let found = file.text.get(start..).and_then(|rest| rest.find(policy)).map_or(start, |offset| start + offset);
    found..found + policy.len()
}
