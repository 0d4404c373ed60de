//! LiteLLM's proxy configuration (<https://docs.litellm.ai/docs/proxy/configs>) as one of Backstay's.
//!
//! What means the same is carried. What does not is told, with its line and what to do instead, and stands as a comment in the
//! config where it concerns a table. No seat and no region is guessed, and no secret is repeated.

mod advice;
mod base_url;
mod clouds;
mod entry;
mod findings;
mod groups;
mod members;
mod numbers;
mod places;
mod providers;
mod settings;
mod spots;

use crate::base::diagnostic::{Diagnostic, Place};
use crate::import::draft::{Table, comment, inline, text};
use crate::import::yaml::{self, Mark, Node, Value, shown};
use crate::policy::vocabulary::Vocabulary;
use entry::{Entry, Terms};
use findings::Findings;
use members::{Members, Told, Word};
use places::Places;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Largest file that is read: LiteLLM's largest known ones stay below 1 MiB.
pub const MOST_BYTES: u64 = 4 << 20;
/// Sections that are read; others are told of.
const SECTIONS: [&str; 6] = [
    "model_list",
    "router_settings",
    "litellm_settings",
    "general_settings",
    "environment_variables",
    "credential_list",
];
/// Names of variables that are shown at once.
const SHOWN: usize = 8;

/// What is asked for where something else was given.
const WANTED: &str = "it is LiteLLM's config.yaml that is imported: a mapping with `model_list`";
/// What is to be done with the config.
const NEXT: &str = "`backstay check` says what is still missing. Then fill in every \"unknown\", and give each client a key of its own.";
/// Where clients and people are served, which LiteLLM's file does not say.
const FRONT: &str = r#"
# LiteLLM speaks plain HTTP, behind somebody else's TLS. Here TLS ends: name the server's certificate.
[listener.main]
address     = "0.0.0.0:8443"
certificate = "certs/server.pem"
private_key = "certs/server.key"

# Status page, metrics and health, for this machine alone.
[admin]
address = "127.0.0.1:9443"
"#;

/// A config that was made, and what was found on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The config, in TOML.
    pub config: String,
    /// What could not be carried, or is to be filled in.
    pub findings: Vec<Diagnostic>,
    /// How many pools, deployments and endpoints it has.
    pub counts: [usize; 3],
}

/// Where values stand that the file does not hold itself.
struct Surroundings<'a> {
    /// What the file sets itself.
    own: BTreeMap<&'a str, &'a str>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    /// What a variable holds.
    fn variable(&self, name: &str) -> Option<String> {
        let own = self.own.get(name).map(|value| (*value).to_owned());
        own.or_else(|| (self.environment)(name)).filter(|value| !value.is_empty())
    }
}

/// One import.
struct Importer<'a> {
    around: &'a Surroundings<'a>,
    findings: Findings<'a>,
    vocabulary: Vocabulary,
    places: Places,
    /// Items of `credential_list`.
    credentials: Vec<&'a Node>,
    /// Names of those that entries use.
    used: BTreeSet<&'a str>,
    /// Vertex AI's project and location for all entries.
    vertex_defaults: BTreeMap<&'static str, String>,
    entries: Vec<Entry>,
    /// Where deployments differ from their endpoints, by id.
    terms: Vec<(String, Terms)>,
}

/// Makes a config of `text`, the content of `file`. `environment` tells what variables hold now that are no secrets, such as
/// the URL of a resource.
///
/// # Errors
/// It is no YAML, no configuration of LiteLLM, or nothing of it could be carried: all diagnostics, with what to try.
pub fn read(file: &Path, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Import, Vec<Diagnostic>> {
    let Some(root) = yaml::read(file, text)? else {
        return Err(no_config(file, Mark { line: 0, column: 0 }, "the file says nothing", WANTED));
    };
    if !matches!(root.value, Value::Map(_)) {
        return Err(no_config(file, root.mark, &format!("the file holds {}", root.kind()), WANTED));
    }
    let Some(list) = root.get("model_list") else {
        let joined = "import the files that it includes, or join them first";
        let help = if root.get("include").is_some() { joined } else { WANTED };
        return Err(no_config(file, root.mark, "there is no `model_list`", help));
    };
    if list.items().is_empty() {
        return Err(no_config(file, list.mark, "`model_list` is no list of models, or an empty one", WANTED));
    }
    let own = root.get("environment_variables").map_or(&[][..], Node::members);
    let own = own.iter().filter_map(|member| Some((member.name.as_str(), member.value.text()?))).collect();
    let around = Surroundings { own, environment };
    let mut variables: BTreeSet<String> = around.own.keys().map(|name| (*name).to_owned()).collect();
    variables_of(&root, &mut variables);
    variables.extend(list.items().iter().filter_map(usual_variable));
    Importer::new(file, &around, variables).import(&root, list)
}

fn no_config(file: &Path, at: Mark, message: &str, help: &str) -> Vec<Diagnostic> {
    let place = Place { file: file.to_owned(), line: at.line, column: at.column };
    vec![Diagnostic::error(place, message).help(help)]
}

impl<'a> Importer<'a> {
    fn new(file: &'a Path, around: &'a Surroundings<'a>, variables: BTreeSet<String>) -> Self {
        Self {
            around,
            findings: Findings::new(file),
            vocabulary: Vocabulary::shipped(),
            places: Places::new(variables),
            credentials: Vec::new(),
            used: BTreeSet::new(),
            vertex_defaults: BTreeMap::new(),
            entries: Vec::new(),
            terms: Vec::new(),
        }
    }

    fn import(mut self, root: &'a Node, list: &'a Node) -> Result<Import, Vec<Diagnostic>> {
        let sections = ["router_settings", "litellm_settings", "general_settings"];
        let sections = sections.map(|name| self.mapping(root.get(name), name, root.mark));
        let [mut router, mut litellm, general] = sections;
        self.credentials = root.get("credential_list").map_or(&[][..], Node::items).iter().collect();
        for name in ["vertex_project", "vertex_location"] {
            let told = litellm.text(name, self.around, &mut self.findings).and_then(Told::known);
            self.vertex_defaults.extend(told.map(|told| (name, told)));
        }
        for node in list.items() {
            self.entry(node);
        }
        self.say_unused();
        let routing = self.routing(&mut router, &mut litellm);
        let key = self.key_table(general);
        self.rest("router_settings", router);
        self.rest("litellm_settings", litellm);
        self.say_variables(root);
        for member in root.members().iter().filter(|member| !SECTIONS.contains(&member.name.as_str())) {
            self.not_carried("", &member.name, member.mark);
        }
        if self.entries.is_empty() {
            let help = "each one says above what is missing";
            let error = no_config(self.findings.file(), list.mark, "no model of `model_list` could be carried", help);
            return Err(self.findings.diagnostics().into_iter().chain(error).collect());
        }
        let pools = self.pools(&routing);
        let deployments = self.deployment_tables();
        let count = self.entries.iter().map(|entry| entry.deployment.as_str()).collect::<BTreeSet<_>>().len();
        let counts = [pools.len(), count, self.places.count()];
        let tables = self.places.tables(&self.findings).into_iter().chain(deployments).chain(pools).chain([key]);
        Ok(Import { config: self.write(&tables.collect::<Vec<_>>()), findings: self.findings.diagnostics(), counts })
    }

    /// The members of a mapping of this name; `at` is where it would stand.
    fn mapping(&mut self, node: Option<&'a Node>, name: &str, at: Mark) -> Members<'a> {
        let Some(node) = node else { return Members::empty(at) };
        if !matches!(node.value, Value::Map(_)) {
            let message = format!("`{name}` is {}, where a mapping belongs", node.kind());
            self.findings.say(node.mark, message, "nothing of it is carried: write `name: value` below it");
        }
        Members::of(node)
    }

    /// Tables of the deployments that differ from their endpoints.
    fn deployment_tables(&self) -> Vec<Table> {
        let tables = self.terms.iter().map(|(id, terms)| {
            let mut table = terms.table(id);
            table.notes = self.findings.notes(&format!("deployment.{id}"));
            table
        });
        tables.filter(Table::says_something).collect()
    }

    /// The one key that stands for LiteLLM's master key, and what else is said of its server.
    fn key_table(&mut self, mut general: Members<'a>) -> Table {
        let mut key = Table::new("key", "app");
        key.set("secret", inline([("env", text("BACKSTAY_KEY"))]));
        if let Some(node) = general.take("master_key") {
            let message = "the master key becomes one key for clients, in the variable BACKSTAY_KEY";
            let help = match Word::of(node) {
                Some(Word::Variable(name)) => {
                    format!(
                        "BACKSTAY_KEY=\"${}\" leaves clients as they are; better, give each its own [key.NAME]",
                        shown(&name)
                    )
                }
                Some(Word::Written(_)) | None => {
                    "it lay in the file: choose a new one, and give each client its own [key.NAME]".to_owned()
                }
            };
            self.findings.about(&["key.app".to_owned()], node.mark, message, help);
        }
        key.notes = self.findings.notes("key.app");
        self.rest("general_settings", general);
        key
    }

    /// Says what of a mapping nobody took.
    fn rest(&mut self, section: &str, members: Members<'a>) {
        for member in members.rest() {
            self.not_carried(section, &member.name, member.mark);
        }
    }

    fn not_carried(&mut self, section: &str, member: &str, at: Mark) {
        let dot = if section.is_empty() { "" } else { "." };
        let message = format!("`{section}{dot}{}` is not carried", shown(member));
        self.findings.say(at, message, advice::of(section, member));
    }

    /// Says which items of `credential_list` no entry uses.
    fn say_unused(&mut self) {
        for item in &self.credentials {
            let name = item.get("credential_name").and_then(Node::text).unwrap_or_default();
            if !self.used.contains(name) {
                let message = format!("no entry uses the credential \"{}\": it is not carried", shown(name));
                self.findings.say(
                    item.mark,
                    message,
                    "credentials stand at the vendors and endpoints that they are for",
                );
            }
        }
    }

    /// Says which variables the file sets, and where they are to be set now.
    fn say_variables(&mut self, root: &Node) {
        let Some(node) = root.get("environment_variables") else { return };
        let names: Vec<String> = node.members().iter().map(|member| shown(&member.name)).collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let help = "set those that the config names where Backstay is started; secrets among them lay in a file and are to be replaced";
        self.findings.say(node.mark, format!("variables that the file sets are not carried: {first}{more}"), help);
    }

    /// The whole config.
    fn write(&self, tables: &[Table]) -> String {
        let mut out = String::new();
        let file = self.findings.file().file_name().unwrap_or_default().to_string_lossy().into_owned();
        comment(&mut out, &format!("Made by `backstay import litellm` from {}.", shown(&file)));
        comment(&mut out, NEXT);
        out.push_str(FRONT);
        for table in tables {
            out.push('\n');
            table.write(&mut out);
        }
        let names: Vec<String> = tables.iter().map(Table::full_name).collect();
        let general = self.findings.general(&names);
        if !general.is_empty() {
            out.push_str("\n# Not carried, or carried otherwise:\n");
            general.iter().for_each(|note| comment(&mut out, &format!("- {note}")));
        }
        out
    }
}

/// The variables that a value names, anywhere in it.
fn variables_of(node: &Node, names: &mut BTreeSet<String>) {
    if let Some(Word::Variable(name)) = Word::of(node) {
        names.insert(name);
    }
    node.items().iter().for_each(|item| variables_of(item, names));
    node.members().iter().for_each(|member| variables_of(&member.value, names));
}

/// The variable that an entry without a key takes it from.
fn usual_variable(entry: &Node) -> Option<String> {
    let params = entry.get("litellm_params").filter(|params| params.get("api_key").is_none())?;
    let custom = params.get("custom_llm_provider").and_then(Node::text);
    let (provider, _) = providers::find(params.get("model")?.text()?, custom).ok()?;
    Some(provider.variable.to_owned())
}

#[cfg(test)]
mod tests;
