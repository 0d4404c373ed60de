//! Vendors and endpoints: one for each place, account and secret that LiteLLM's entries name.

use super::findings::Findings;
use crate::base::secret::Secret;
use crate::config::names;
use crate::import::draft::{Table, inline, text};
use crate::import::yaml::Mark;
use crate::policy::vocabulary::UNKNOWN;
use std::collections::BTreeSet;
use toml::Value;

/// What stands for the chosen variable in what is said of a secret.
pub(super) const VARIABLE: &str = "$VARIABLE";
/// Room for a number behind a name.
const NAME_BYTES: usize = names::MAX_NAME_BYTES - 6;

/// Where a secret comes from.
#[derive(Clone)]
pub(super) enum Source {
    /// None is sent.
    None,
    /// This variable, as LiteLLM has it.
    Variable(String),
    /// A file that the operator writes.
    File(String),
    /// A variable that the operator sets: for a secret that lies in the file, or that consists of parts there.
    Made(Made),
}

/// A secret for which there is no variable yet.
#[derive(Clone)]
pub(super) struct Made {
    /// What tells it from others.
    pub(super) of: Secret,
    /// How the variable's name ends.
    pub(super) ending: &'static str,
    /// What is said, with [`VARIABLE`] for its name.
    pub(super) message: String,
    pub(super) help: String,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Variable(left), Self::Variable(right)) => left == right,
            (Self::File(left), Self::File(right)) => left == right,
            (Self::Made(left), Self::Made(right)) => left.of == right.of,
            (Self::None | Self::Variable(_) | Self::File(_) | Self::Made(_), _) => false,
        }
    }
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Company {
    /// What it is called if the name is free.
    pub(super) name: String,
    pub(super) dialect: &'static str,
    pub(super) profile: &'static str,
    /// Whether its URLs have Azure's classic form.
    pub(super) classic: bool,
    /// The country of its seat, where it is known.
    pub(super) seat: Option<&'static str>,
}

/// Where it answers, and with which secret.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) company: Company,
    pub(super) base_url: String,
    /// What a further endpoint is told apart by.
    pub(super) label: String,
    pub(super) region: Option<String>,
    pub(super) project: Option<String>,
    pub(super) location: Option<String>,
    pub(super) api_version: Option<String>,
    pub(super) auth: Option<&'static str>,
    pub(super) allow_private: bool,
    pub(super) secret: Source,
}

impl Spot {
    /// Whether calls go to the same place with the same secret, whatever was said of its region.
    fn is(&self, other: &Self) -> bool {
        let settings = |spot: &Self| (spot.project.clone(), spot.location.clone(), spot.api_version.clone(), spot.auth);
        self.company == other.company
            && self.base_url == other.base_url
            && self.secret == other.secret
            && settings(self) == settings(other)
    }
}

/// A place with its name.
struct Place {
    name: String,
    spot: Spot,
    credential: Option<Value>,
}

struct Vendor {
    company: Company,
    /// The first is the vendor's own endpoint and has its name.
    places: Vec<Place>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Places {
    vendors: Vec<Vendor>,
    names: BTreeSet<String>,
    /// Variables that somebody names already.
    variables: BTreeSet<String>,
    /// Those chosen for secrets.
    chosen: Vec<(Secret, String)>,
}

impl Places {
    /// `variables` are the names of those that the file uses.
    pub(super) fn new(variables: BTreeSet<String>) -> Self {
        Self { variables, ..Self::default() }
    }

    /// How many endpoints there are.
    pub(super) fn count(&self) -> usize {
        self.vendors.iter().map(|vendor| vendor.places.len()).sum()
    }

    /// The name of the endpoint at this place with this secret, made when it is first asked for.
    pub(super) fn endpoint(&mut self, spot: Spot, at: Mark, findings: &mut Findings<'_>) -> String {
        let known = self.vendors.iter().position(|vendor| vendor.company == spot.company);
        let places = known.and_then(|vendor| self.vendors.get(vendor)).map(|vendor| &vendor.places);
        let same = places.and_then(|places| places.iter().find(|place| place.spot.is(&spot)));
        let (name, table) = match (same, known) {
            (Some(place), _) => {
                let own = places.and_then(|places| places.first()).is_some_and(|first| first.name == place.name);
                let table = table_name(own, &place.name);
                if place.spot.region != spot.region {
                    let message =
                        format!("entries of \"{}\" tell different regions: the first one's holds", place.name);
                    let help = "host and key are the same, so it is one place; write its `region`";
                    findings.about(std::slice::from_ref(&table), at, message, help);
                }
                (place.name.clone(), table)
            }
            (None, Some(_)) => {
                let vendor = &spot.company.name;
                let label = slug(&spot.label);
                let wanted = match label.as_str() {
                    "" => vendor.clone(),
                    label if label.starts_with(vendor.as_str()) => label.to_owned(),
                    label => format!("{vendor}-{label}"),
                };
                let name = unique(&wanted, &mut self.names);
                (name.clone(), table_name(false, &name))
            }
            (None, None) => {
                let name = unique(&spot.company.name, &mut self.names);
                (name.clone(), table_name(true, &name))
            }
        };
        let is_new = same.is_none();
        let credential = self.credential(&name, &table, &spot.secret, at, findings);
        if is_new {
            say_unknown(&name, &table, &spot, known.is_none(), at, findings);
            let company = spot.company.clone();
            let place = Place { name: name.clone(), spot, credential };
            match known.and_then(|vendor| self.vendors.get_mut(vendor)) {
                Some(vendor) => vendor.places.push(place),
                None => self.vendors.push(Vendor { company, places: vec![place] }),
            }
        }
        name
    }

    /// Where a secret stands from now on.
    fn credential(
        &mut self,
        name: &str,
        table: &str,
        secret: &Source,
        at: Mark,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        match secret {
            Source::None => None,
            Source::Variable(variable) => Some(inline([("env", text(variable.as_str()))])),
            Source::File(path) => Some(inline([("file", text(path.as_str()))])),
            Source::Made(made) => {
                let known = self.chosen.iter().find(|(of, _)| *of == made.of).map(|(_, variable)| variable.clone());
                let variable = known.unwrap_or_else(|| {
                    let letters = name.to_uppercase().replace(['-', '.'], "_");
                    let wanted = format!("{letters}_{}", made.ending);
                    let variable = numbered(&wanted, '_', |name| self.variables.insert(name.to_owned()));
                    self.chosen.push((made.of.clone(), variable.clone()));
                    variable
                });
                let filled = |said: &str| said.replace(VARIABLE, &variable);
                findings.about(&[table.to_owned()], at, filled(&made.message), filled(&made.help));
                Some(inline([("env", text(variable))]))
            }
        }
    }

    /// The tables of all vendors and endpoints.
    pub(super) fn tables(&self, findings: &Findings<'_>) -> Vec<Table> {
        let mut tables = Vec::new();
        for vendor in &self.vendors {
            let mut of = "";
            for (index, place) in vendor.places.iter().enumerate() {
                let own = index == 0;
                let mut table = Table::new(if own { "vendor" } else { "endpoint" }, &place.name);
                table.notes = findings.notes(&table_name(own, &place.name));
                if own {
                    of = &place.name;
                    table.set("dialect", text(vendor.company.dialect));
                    table.set(
                        "profile",
                        (vendor.company.profile != vendor.company.dialect).then(|| text(vendor.company.profile)),
                    );
                    table.set("seat", text(vendor.company.seat.unwrap_or(UNKNOWN)));
                } else {
                    table.set("vendor", text(of));
                }
                place.write(&mut table, vendor.places.first().map(|first| &first.spot).filter(|_| !own));
                tables.push(table);
            }
        }
        tables
    }
}

impl Place {
    /// Writes where it is; `own` is the vendor's own place, from which authentication is inherited.
    fn write(&self, table: &mut Table, own: Option<&Spot>) {
        let spot = &self.spot;
        let word = |word: &Option<String>| word.as_deref().map(text);
        let inherited = own.and_then(|own| own.auth);
        table.set("base_url", text(spot.base_url.as_str()));
        table.set("region", text(spot.region.as_deref().unwrap_or(UNKNOWN)));
        table.set("project", word(&spot.project));
        table.set("location", word(&spot.location));
        table.set("api_version", word(&spot.api_version));
        table.set("auth", spot.auth.or(inherited.map(|_| "bearer")).map(text));
        table.set("allow_private", spot.allow_private.then_some(Value::Boolean(true)));
        table.set("credential", self.credential.clone());
    }
}

/// What is to be filled in, because nothing tells it.
fn say_unknown(name: &str, table: &str, spot: &Spot, new: bool, at: Mark, findings: &mut Findings<'_>) {
    let seat = new && spot.company.seat.is_none();
    let (what, stands) = match (seat, spot.region.is_none()) {
        (true, true) => ("where its company is seated and where it processes are not known", "both stand"),
        (true, false) => ("where its company is seated is not known", "it stands"),
        (false, true) => ("where it processes is not known", "it stands"),
        (false, false) => return,
    };
    let message = format!("\"{name}\": {what}, and {stands} as \"{UNKNOWN}\"");
    let help = match (seat, spot.region.is_none()) {
        (true, false) => "policies that ask for the seat exclude it until `seat` is filled in with a country (\"US\")",
        (_, _) => {
            "data that are bound to a zone are kept from it until `seat` (a country, \"US\") and `region` (\"eu-central-1\", \"us\") are filled in"
        }
    };
    findings.about(&[table.to_owned()], at, message, help);
}

fn table_name(own: bool, name: &str) -> String {
    format!("{}.{name}", if own { "vendor" } else { "endpoint" })
}

/// What a text is called as a name of the config; empty where nothing of it is left.
pub(super) fn slug(of: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_') { letter.to_ascii_lowercase() } else { '-' }
    };
    let mut name = String::new();
    for letter in of.chars().map(plain) {
        let doubled = matches!(letter, '-' | '.') && name.ends_with(letter);
        if !doubled && name.len() < NAME_BYTES {
            name.push(letter);
        }
    }
    name.trim_matches(['-', '.', '_']).to_owned()
}

/// The name that is wanted, or one with a number behind it where that is taken.
pub(super) fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let wanted = slug(wanted);
    let wanted = if wanted.is_empty() { "model" } else { &wanted };
    numbered(wanted, '-', |name| taken.insert(name.to_owned()))
}

fn numbered(wanted: &str, before: char, mut take: impl FnMut(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while !take(&name) {
        name = format!("{wanted}{before}{number}");
        number += 1;
    }
    name
}
