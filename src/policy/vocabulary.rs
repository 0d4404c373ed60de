//! The words that policies can use: zones, regions, agreements, certifications and data classes, from a dated file.

use crate::base::diagnostic::nearest;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// The zone of data that may go anywhere.
pub const ANY: &str = "any";
/// The zone and region of what nobody has declared: no other zone holds it.
pub const UNKNOWN: &str = "unknown";
/// The zone of countries that protect personal data adequately.
const ADEQUATE: &str = "ADEQUATE";

/// The words that come with Backstay, and those that a config adds.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    zones: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    regions: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    hosts: BTreeMap<Arc<str>, Arc<str>>,
    /// The last days of adequacy decisions that end, by country.
    adequate_until: BTreeMap<Arc<str>, Arc<str>>,
    /// The day, in ISO 8601, on which the zones were last compared with the law.
    pub as_of: Arc<str>,
    /// Agreements with vendors.
    pub agreements: BTreeSet<Arc<str>>,
    /// Certifications of vendors.
    pub certifications: BTreeSet<Arc<str>>,
    /// Data classes of calls.
    pub data: BTreeSet<Arc<str>>,
}

/// `vocabulary.toml`: the words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    as_of: String,
    region: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    host: BTreeMap<Arc<str>, Arc<str>>,
    words: Words,
}

/// `zones.toml`: the law.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    as_of: Arc<str>,
    zone: BTreeMap<Arc<str>, Zone>,
    adequacy: BTreeMap<Arc<str>, Adequacy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zone {
    title: String,
    source: String,
    members: BTreeSet<Arc<str>>,
}

/// A decision that a country protects personal data adequately.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adequacy {
    act: String,
    date: String,
    until: Option<Arc<str>>,
    certification: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    agreements: BTreeSet<Arc<str>>,
    certifications: BTreeSet<Arc<str>>,
    data: BTreeSet<Arc<str>>,
    countries: BTreeSet<Arc<str>>,
}

const WORDS: &str = include_str!("vocabulary.toml");
const ZONES: &str = include_str!("zones.toml");

// files that did not parse would leave no words at all, so that everything is refused; a test keeps it from happening
static SHIPPED: LazyLock<Vocabulary> = LazyLock::new(|| {
    let words = toml::from_str::<Document>(WORDS).ok();
    words.zip(toml::from_str::<Law>(ZONES).ok()).map(|(words, law)| Vocabulary::of(words, law)).unwrap_or_default()
});

impl Vocabulary {
    /// The words that come with Backstay.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    fn of(document: Document, law: Law) -> Self {
        debug_assert!(!document.as_of.is_empty());
        let countries = document.words.countries.into_iter().map(|code| (Arc::clone(&code), BTreeSet::from([code])));
        let named = law.zone.into_iter().map(|(name, zone)| {
            debug_assert!(!zone.title.is_empty() && !zone.source.is_empty(), "{name}");
            (name, zone.members)
        });
        let whole = law.adequacy.iter().filter(|(_, decision)| decision.certification.is_none());
        let adequate = whole.map(|(country, _)| Arc::clone(country)).collect();
        let ends = law.adequacy.iter().filter_map(|(country, decision)| {
            debug_assert!(!decision.act.is_empty() && !decision.date.is_empty(), "{country}");
            Some((Arc::clone(country), Arc::clone(decision.until.as_ref()?)))
        });
        Self {
            adequate_until: ends.collect(),
            as_of: law.as_of,
            zones: countries.chain(named).chain([(Arc::from(ADEQUATE), adequate)]).collect(),
            regions: document.region,
            hosts: document.host,
            agreements: document.words.agreements,
            certifications: document.words.certifications,
            data: document.words.data,
        }
    }

    /// Takes the countries out of the zone `ADEQUATE` whose decision ended before `today` (ISO 8601), and names them.
    pub fn lapse(&mut self, today: &str) -> Vec<Arc<str>> {
        let ended = self.adequate_until.iter().filter(|(_, until)| ***until < *today);
        let ended: Vec<_> = ended.map(|(country, _)| Arc::clone(country)).collect();
        if let Some(adequate) = self.zones.get_mut(ADEQUATE) {
            adequate.retain(|country| !ended.contains(country));
        }
        ended
    }

    /// Whether `code` is a country.
    #[must_use]
    pub fn is_country(&self, code: &str) -> bool {
        code.len() == 2 && self.zones.contains_key(code)
    }

    /// Adds a zone of these countries, or takes them for a zone that is there.
    pub fn set_zone(&mut self, name: Arc<str>, countries: BTreeSet<Arc<str>>) {
        self.zones.insert(name, countries);
    }

    /// Adds a region that lies in these countries, and hosts that process there.
    pub fn set_region(
        &mut self,
        name: &Arc<str>,
        countries: BTreeSet<Arc<str>>,
        hosts: impl Iterator<Item = Arc<str>>,
    ) {
        self.hosts.extend(hosts.map(|host| (host, Arc::clone(name))));
        self.regions.insert(Arc::clone(name), countries);
    }

    /// Every zone that a policy can name, `any` and `unknown` included.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        [ANY, UNKNOWN].into_iter().chain(self.zones.keys().map(AsRef::as_ref))
    }

    /// Every region that has a name of its own.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.keys().map(AsRef::as_ref)
    }

    /// The zone of this name, as policies write it; case does not matter to the config.
    #[must_use]
    pub fn zone(&self, typed: &str) -> Option<Arc<str>> {
        self.zones().find(|zone| zone.eq_ignore_ascii_case(typed)).map(Arc::from)
    }

    /// The zone that was probably meant: the same letters in another order, one letter too many, or the nearest name.
    #[must_use]
    pub fn nearest_zone(&self, typed: &str) -> Option<&str> {
        let typed = typed.to_ascii_uppercase();
        let letters = |name: &str| {
            let mut letters: Vec<char> = name.chars().collect();
            letters.sort_unstable();
            letters
        };
        let shuffled = self.zones().find(|zone| letters(zone) == letters(&typed));
        let beginning = || self.zones().find(|zone| typed.strip_prefix(zone).is_some_and(|rest| rest.len() == 1));
        // two letters are near to too many countries
        let near = || {
            if typed.len() > 2 {
                nearest(&typed, self.zones()).or_else(|| nearest(&typed.to_lowercase(), self.zones()))
            } else {
                None
            }
        };
        shuffled.or_else(beginning).or_else(near)
    }

    /// The region of this name as policies write it, in lower case: a vendor's region, a country, a zone or `unknown`.
    #[must_use]
    pub fn region(&self, typed: &str) -> Option<Arc<str>> {
        let name = typed.to_ascii_lowercase();
        if name == UNKNOWN || name == "global" {
            return Some(Arc::from(UNKNOWN));
        }
        self.countries_of(&name).map(|_| Arc::from(name))
    }

    /// The zones that hold the region whole; `unknown` alone for a region that nobody knows.
    #[must_use]
    pub fn zones_of(&self, region: &str) -> Vec<Arc<str>> {
        match self.countries_of(region) {
            Some(countries) => {
                let holding = self.zones.iter().filter(|(_, members)| countries.is_subset(members));
                holding.map(|(zone, _)| Arc::clone(zone)).collect()
            }
            None => vec![Arc::from(UNKNOWN)],
        }
    }

    /// Whether data that are bound to `outer` may be bound to `inner` instead: the narrower of the two.
    #[must_use]
    pub fn within(&self, inner: &str, outer: &str) -> bool {
        if inner == outer || outer == ANY {
            return true;
        }
        matches!((self.zones.get(inner), self.zones.get(outer)), (Some(inner), Some(outer)) if inner.is_subset(outer))
    }

    /// Whether a place in a vendor's own words (`East US 2`) lies outside of the region that was declared. Both must be
    /// known.
    #[must_use]
    pub fn contradicts(&self, declared: &str, said: &str) -> bool {
        let said: String = said.chars().filter(|letter| !letter.is_whitespace()).collect();
        let known = |region: &str| self.countries_of(region).is_some();
        self.region(&said).is_some_and(|said| known(declared) && known(&said) && !self.overlap(declared, &said))
    }

    /// Whether a place in a vendor's own words lies within the region that was declared; `global`, or a place that nobody
    /// knows, lies within none.
    #[must_use]
    pub fn confirms(&self, declared: &str, said: &str) -> bool {
        let said: String = said.chars().filter(|letter| !letter.is_whitespace()).collect();
        let said = self.region(&said).and_then(|said| self.countries_of(&said));
        matches!((said, self.countries_of(declared)), (Some(said), Some(declared)) if said.is_subset(declared))
    }

    /// Whether no place lies in both zones; what is unknown lies in no other zone.
    #[must_use]
    pub fn apart(&self, left: &str, right: &str) -> bool {
        match (self.zones.get(left), self.zones.get(right)) {
            (Some(left), Some(right)) => left.is_disjoint(right),
            _ => left != right,
        }
    }

    /// Whether two regions have a country in common; false where one of them is unknown.
    #[must_use]
    pub fn overlap(&self, left: &str, right: &str) -> bool {
        match (self.countries_of(left), self.countries_of(right)) {
            (Some(left), Some(right)) => !left.is_disjoint(right),
            _ => false,
        }
    }

    /// Where a host or model id says that it processes: a region, `unknown` for anywhere, `None` if it says nothing.
    ///
    /// Hosts say it in a label (`bedrock-runtime.eu-central-1.amazonaws.com`, `eu.api.openai.com`,
    /// `europe-west4-aiplatform.googleapis.com`), Bedrock's inference profiles in a prefix (`eu.`, `us.`, `global.`).
    #[must_use]
    pub fn hint(&self, host: &str, model: &str) -> Option<Arc<str>> {
        // an ARN names the profile behind its last slash
        let model = model.rsplit('/').next().filter(|_| model.starts_with("arn:")).unwrap_or(model);
        let prefix = model.split_once('.').map(|(prefix, _)| prefix);
        match prefix {
            Some("global") => return Some(Arc::from(UNKNOWN)),
            Some(zone @ ("eu" | "us" | "apac")) => return self.region(zone),
            Some(_) | None => {}
        }
        if let Some(region) = self.hosts.get(host) {
            return Some(Arc::clone(region));
        }
        self.labelled(host)
    }

    /// The region that a label of the host says (`eu.api.openai.com`), whatever is known of the host as a whole.
    #[must_use]
    pub fn labelled(&self, host: &str) -> Option<Arc<str>> {
        let labels = host.split('.').map(|label| label.strip_suffix("-aiplatform").unwrap_or(label));
        labels
            .filter(|label| matches!(*label, "eu" | "us") || self.regions.contains_key(*label))
            .find_map(|label| self.region(label))
    }

    fn countries_of(&self, region: &str) -> Option<&BTreeSet<Arc<str>>> {
        self.regions.get(region).or_else(|| self.zones.get(region.to_ascii_uppercase().as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_files_are_whole() {
        let document: Document = toml::from_str(WORDS).expect("vocabulary.toml");
        let law: Law = toml::from_str(ZONES).expect("zones.toml");
        let is_date = |text: &str| jiff::civil::Date::strptime("%Y-%m-%d", text).is_ok();
        assert!(is_date(&document.as_of) && is_date(&law.as_of));
        let zones: Vec<Arc<str>> = law.zone.keys().cloned().collect();
        let sourced = law.zone.values().all(|zone| !zone.title.is_empty() && !zone.source.is_empty());
        assert!(sourced, "a zone says nothing of its law");
        let vocabulary = Vocabulary::of(document, toml::from_str(ZONES).expect("zones.toml"));
        for (country, decision) in &law.adequacy {
            assert!(vocabulary.is_country(country), "{country}");
            assert!(is_date(&decision.date) && decision.until.as_deref().is_none_or(is_date), "{country}");
            assert!(!decision.act.is_empty(), "{country}");
            let known = |word: &Arc<str>| vocabulary.certifications.contains(word);
            assert!(decision.certification.as_ref().is_none_or(known), "{country}");
        }
        let countries = |set: &BTreeSet<Arc<str>>| set.iter().all(|code| vocabulary.is_country(code));
        let members = zones.iter().filter_map(|zone| vocabulary.zones.get(zone));
        assert!(members.into_iter().all(countries), "a zone names a country that is none");
        assert!(vocabulary.regions.values().all(countries), "a region lies in a country that is none");
        assert!(vocabulary.hosts.values().all(|region| vocabulary.region(region).is_some()));
    }

    #[test]
    fn an_adequacy_decision_ends_on_its_day() {
        let mut words = Vocabulary::shipped();
        assert!(words.lapse("2031-12-27").is_empty());
        assert!(words.zones_of("uksouth").contains(&"ADEQUATE".into()));
        assert_eq!(words.lapse("2031-12-28"), ["GB".into()]);
        assert!(!words.zones_of("uksouth").contains(&"ADEQUATE".into()));
    }

    #[test]
    fn a_partial_decision_is_no_zone() {
        let words = Vocabulary::shipped();
        for region in ["us-east-1", "canadacentral"] {
            assert!(!words.zones_of(region).contains(&"ADEQUATE".into()), "{region}");
        }
    }

    #[test]
    fn regions_lie_in_zones() {
        let words = Vocabulary::shipped();
        let zones = |region: &str| words.zones_of(region).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(zones("eu-central-1"), ["DE", "EEA", "EU"]);
        assert_eq!(zones("eu"), ["EEA", "EU"]);
        assert_eq!(zones("no"), ["EEA", "EFTA", "NO"]);
        assert_eq!(zones("us-east-1"), ["US"]);
        assert_eq!(zones("uksouth"), ["ADEQUATE", "GB"]);
        assert_eq!(zones("unknown"), ["unknown"]);
        assert_eq!(zones("atlantis"), ["unknown"]);
    }

    #[test]
    fn f_093_a_place_confirms_a_region_that_holds_it() {
        let words = Vocabulary::shipped();
        for (declared, said) in [("eu", "Sweden Central"), ("eu-central-1", "eu-central-1"), ("us", "US")] {
            assert!(words.confirms(declared, said) && !words.contradicts(declared, said), "{declared} {said}");
        }
        for (declared, said) in [("us", "global"), ("eu", "yul"), ("eu-central-1", "eu"), ("unknown", "us")] {
            assert!(!words.confirms(declared, said) && !words.contradicts(declared, said), "{declared} {said}");
        }
    }

    #[test]
    fn a_narrower_zone_lies_within() {
        let words = Vocabulary::shipped();
        assert!(words.within("DE", "EU") && words.within("EU", "EEA") && words.within("EU", "any"));
        assert!(!words.within("EEA", "EU") && !words.within("any", "EU") && !words.within("US", "EU"));
        assert!(!words.within("unknown", "EU"));
    }

    #[test]
    fn a_mistyped_zone_is_guessed() {
        let words = Vocabulary::shipped();
        for (typed, meant) in [("UE", "EU"), ("USA", "US"), ("eae", "EEA"), ("EMBARG", "EMBARGO"), ("anny", "ANY")] {
            assert_eq!(words.nearest_zone(typed).map(str::to_uppercase).as_deref(), Some(meant), "{typed}");
        }
        assert_eq!(words.nearest_zone("XX"), None);
        assert_eq!(words.nearest_zone("middle-earth"), None);
    }

    #[test]
    fn hosts_and_models_hint_at_regions() {
        let words = Vocabulary::shipped();
        let hint = |host, model| words.hint(host, model).map(|region| region.to_string());
        assert_eq!(hint("eu.api.openai.com", "gpt-5.5").as_deref(), Some("eu"));
        assert_eq!(hint("bedrock-runtime.eu-central-1.amazonaws.com", "m").as_deref(), Some("eu-central-1"));
        assert_eq!(hint("europe-west4-aiplatform.googleapis.com", "m").as_deref(), Some("europe-west4"));
        assert_eq!(
            hint("bedrock-runtime.eu-central-1.amazonaws.com", "global.anthropic.m").as_deref(),
            Some("unknown")
        );
        assert_eq!(hint("llm.corp.example", "gpt-4.1"), None);
    }
}
