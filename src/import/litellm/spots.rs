//! Where an entry's model answers: the vendor, the place and the secret.

use super::Importer;
use super::base_url::{self, Base};
use super::members::{Members, Told, Word};
use super::places::{Company, Made, Source, Spot, VARIABLE};
use super::providers::{Provider, Way};
use crate::base::secret::Secret;
use crate::dialect::profile;
use crate::import::yaml::{Mark, shown};
use crate::policy::vocabulary::UNKNOWN;

/// What people write where a server asks for no key.
const NO_KEYS: [&str; 12] = [
    "none",
    "null",
    "empty",
    "fake",
    "fake-key",
    "dummy",
    "not-needed",
    "no-key",
    "na",
    "anything",
    "ollama",
    "lm-studio",
];

impl Importer<'_> {
    /// The place of a model, and the model as it is called there; `None` once it was said why it is left out.
    pub(super) fn spot(
        &mut self,
        provider: &Provider,
        model: &str,
        params: &mut Members<'_>,
    ) -> Option<(Spot, String)> {
        let model = model.strip_prefix("responses/").unwrap_or(model);
        match provider.way {
            Way::Public | Way::Own | Way::Compatible => {
                self.direct(provider, params).map(|spot| (spot, model.to_owned()))
            }
            Way::Azure => self.azure(provider, model, params),
            Way::Foundry => self.foundry(provider, model, params),
            Way::Bedrock => self.bedrock(provider, model, params),
            Way::Vertex => self.vertex(provider, model, params),
        }
    }

    /// One that answers at a URL, with a key.
    fn direct(&mut self, provider: &Provider, params: &mut Members<'_>) -> Option<Spot> {
        let known = known_url(provider).map(Base::known);
        let base = match self.api_base(params) {
            Some(told) => base_url::read(told, provider, &mut self.findings)?,
            None => known.clone().or_else(|| {
                let message = format!("`{}` needs an `api_base`, and there is none", provider.prefix);
                self.leave_out(params.at, message, "write where it answers as `api_base`, and import again");
                None
            })?,
        };
        let theirs = known.is_some_and(|known| base.is_of(&known.host));
        let company = if theirs || provider.way == Way::Own {
            company(provider.vendor, provider, theirs)
        } else {
            let profile = if provider.profile == "openai" { "generic" } else { provider.profile };
            company(&base.name(), &Provider { profile, ..*provider }, false)
        };
        let hint = || self.vocabulary.hint(&base.host, "").map(|region| region.to_string());
        let region = if provider.way == Way::Own { None } else { hint() };
        let region = self.region_name(params).or(region);
        let secret = self.key(provider, params);
        Some(spot(company, base, region, secret))
    }

    /// The base URL that an entry names under either of its names.
    pub(super) fn api_base(&mut self, params: &mut Members<'_>) -> Option<Told> {
        let written = params.text("api_base", self.around, &mut self.findings);
        written.or_else(|| params.text("base_url", self.around, &mut self.findings))
    }

    /// The region that an entry names, if it is one.
    pub(super) fn region_name(&mut self, params: &mut Members<'_>) -> Option<String> {
        let told = params.text("region_name", self.around, &mut self.findings)?;
        let Told::Text(name, at) = told else { return None };
        let region = self.vocabulary.region(&name);
        if region.is_none() {
            let message = format!("the region \"{}\" is not known", shown(&name));
            self.findings.say(
                at,
                message,
                "write `region` as the cloud names it, or as a country or zone (\"DE\", \"eu\")",
            );
        }
        region.map(|region| region.to_string())
    }

    /// A place whose region is one that its host does not contradict.
    pub(super) fn agreeing(&mut self, spot: Spot, at: Mark) -> Spot {
        let host = Base::known(&spot.base_url).host;
        let (Some(region), Some(hint)) = (&spot.region, self.vocabulary.hint(&host, "")) else { return spot };
        if region == UNKNOWN || self.vocabulary.overlap(region, &hint) {
            return spot;
        }
        let message = format!("the region \"{region}\" contradicts the host {host}");
        self.findings.say(at, message, format!("\"{hint}\" is written, which is what is known of the host"));
        Spot { region: Some(hint.to_string()), ..spot }
    }

    /// The key of an entry, or of the provider where it has none.
    pub(super) fn key(&mut self, provider: &Provider, params: &mut Members<'_>) -> Source {
        let asks = !matches!(provider.way, Way::Own) && !provider.variable.is_empty();
        match params.take("api_key") {
            Some(node) => match Word::of(node) {
                Some(Word::Variable(name)) => self.variable(&name, node.mark),
                Some(Word::Written(text)) => {
                    let may_lack = matches!(provider.way, Way::Own | Way::Compatible) || provider.profile == "openai";
                    let none = may_lack && NO_KEYS.contains(&text.to_ascii_lowercase().as_str());
                    if none { Source::None } else { literal(&text, "API_KEY") }
                }
                None => {
                    let message = format!("`api_key` is {}: no credential is written", node.kind());
                    self.findings.say(node.mark, message, "write it as `os.environ/NAME`");
                    Source::None
                }
            },
            None if asks => Source::Variable(provider.variable.to_owned()),
            None => Source::None,
        }
    }

    /// The variable of this name, if there can be one.
    pub(super) fn variable(&mut self, name: &str, at: Mark) -> Source {
        let plain = !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain {
            return Source::Variable(name.to_owned());
        }
        let message = format!("\"{}\" is no name of a variable: no credential is written", shown(name));
        self.findings.say(at, message, "letters, digits and underscores make a name");
        Source::None
    }

    /// Says that an entry is not carried.
    pub(super) fn leave_out(&mut self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        let message = message.into();
        self.findings.say(at, format!("{message}: this deployment is left out"), help);
    }
}

/// A place with nothing special about it.
pub(super) fn spot(company: Company, base: Base, region: Option<String>, secret: Source) -> Spot {
    Spot {
        company,
        label: String::new(),
        base_url: base.url,
        region,
        project: None,
        location: None,
        api_version: None,
        auth: None,
        allow_private: base.allow_private,
        secret,
    }
}

/// Who answers for a provider; the seat is known of those that answer themselves.
pub(super) fn company(name: &str, provider: &Provider, themselves: bool) -> Company {
    let profiles = profile::find(provider.dialect, Some(provider.profile));
    let seat = profiles.iter().find_map(|profile| profile.known.seat).filter(|_| themselves);
    Company { name: name.to_owned(), dialect: provider.dialect, profile: provider.profile, classic: false, seat }
}

/// Where a provider answers unless it is told otherwise.
fn known_url(provider: &Provider) -> Option<&'static str> {
    let profiles = profile::find(provider.dialect, Some(provider.profile));
    provider.base_url.or_else(|| profiles.iter().find_map(|profile| profile.known.base_url))
}

/// A secret that lies in the file.
pub(super) fn literal(text: &str, ending: &'static str) -> Source {
    Source::Made(Made {
        of: Secret::new(text.to_owned()),
        ending,
        message: format!("a secret lies in the file itself; here it stands in the variable {VARIABLE}"),
        help: format!(
            "set {VARIABLE}, take the secret out of the file, and have it replaced: whoever read the file may know it"
        ),
    })
}
