//! The deployments of pools, each compiled when it is first used.

use super::Compiler;
use super::clouds::Settings;
use super::pools::{DEFAULT_TIMEOUTS, Facts, Pools};
use super::vendors::{PlaceToCall, Places, Promises, overrides};
use crate::base::hash::Digest;
use crate::call::needs::{Capabilities, Need};
use crate::catalog::Model;
use crate::config::{At, defaults, names, tables};
use crate::dialect::profile::{Profile, fill};
use crate::price::Rates;
use crate::snapshot::deployment::{Credential, Deployment, Limits, TimeoutOverrides, Voice};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Compiler<'_> {
    /// The positions of the deployments of an id, compiled when it is first used.
    pub(super) fn deployments(&mut self, id: &At<String>, places: &Places<'_>, pools: &mut Pools) -> Vec<usize> {
        if let Some(known) = pools.by_id.get(id.as_str()) {
            return known.clone();
        }
        let first = pools.deployments.len();
        self.deployment(id, places, pools);
        let added: Vec<usize> = (first..pools.deployments.len()).collect();
        pools.by_id.insert(id.value.clone(), added.clone());
        added
    }

    fn deployment(&mut self, id: &At<String>, places: &Places<'_>, pools: &mut Pools) {
        let Some((endpoint, model)) = id.split_once('/') else {
            let help = format!("write it as \"vendor/{}\"", id.value.escape_debug());
            self.error(&id.place, "a deployment is written as \"endpoint/model\"", help);
            return;
        };
        if let Some(message) = names::wrong_model(model) {
            self.error(&id.place, message, "write the model as the vendor names it");
            return;
        }
        let Some(place) = places.endpoints.get(endpoint) else {
            self.unknown_endpoint(id, endpoint, places);
            return;
        };
        let Some(place) = place else { return };
        place.used.set(true);
        let sources = self.sources;
        let table = sources.config.deployment.iter().find(|named| named.name.value == id.value);
        let table = table.and_then(|named| named.body.as_ref());
        let region = self.deployment_region(id, model, place, table);
        let own = table.map(|table| self.deployment_promises(table)).unwrap_or_default();
        let promises = own.or(place.promises.clone());
        let facts = |region| Facts {
            region,
            promises: promises.clone(),
            export_class: table.and_then(|table| table.export_class).unwrap_or_default(),
            pools: BTreeSet::new(),
        };
        let keeps_nothing = promises.retention_days == Some(0);
        let template = Template { keeps_nothing, ..self.template(id, model, place, table) };
        for credential in &place.credentials {
            let facts = facts(Arc::clone(&region));
            let index = pools.deployments.len();
            let deployment = template.deployment(index, id, &region, place, credential.as_ref());
            let Some(deployment) = deployment else { return };
            self.check_same(id, &deployment, &facts, pools);
            pools.deployments.push(Arc::new(deployment));
            pools.facts.push(facts);
        }
    }

    /// Two names for one thing share its health; it cannot be in two regions.
    fn check_same(&mut self, id: &At<String>, deployment: &Deployment, facts: &Facts, pools: &Pools) {
        let same = pools.deployments.iter().zip(&pools.facts);
        let Some((other, others)) = same.into_iter().find(|(other, _)| other.health_key == deployment.health_key)
        else {
            return;
        };
        let message = format!("\"{}\" and \"{}\" are the same deployment", other.id, deployment.id);
        let help = "vendor, base URL, model and credential are equal, so they fail together";
        if others.region == facts.region {
            self.warning(&id.place, message, help);
        } else {
            self.error(&id.place, format!("{message}, but of different regions"), help);
        }
    }

    fn unknown_endpoint(&mut self, id: &At<String>, endpoint: &str, places: &Places<'_>) {
        let without_url = self.sources.config.vendor.iter().any(|named| named.name.value == endpoint);
        if without_url {
            let help = format!("add `base_url` to [vendor.{endpoint}], or use one of its endpoints");
            self.error(&id.place, format!("the vendor \"{endpoint}\" has no endpoint of its own"), help);
        } else {
            let named = At { value: endpoint.to_owned(), place: id.place.clone() };
            self.unknown(&named, "vendor or endpoint", places.endpoints.keys().copied());
        }
    }

    fn deployment_region(
        &mut self,
        id: &At<String>,
        model: &str,
        place: &PlaceToCall,
        table: Option<&tables::Deployment>,
    ) -> Arc<str> {
        match table.and_then(|table| table.region.as_ref()) {
            Some(declared) => match self.region(declared) {
                Some(region) => {
                    self.check_region(declared, &region, &place.endpoint.host, model);
                    region
                }
                None => Arc::clone(&place.endpoint.region),
            },
            None => {
                let inherited = At { value: place.endpoint.region.to_string(), place: id.place.clone() };
                self.check_region(&inherited, &place.endpoint.region, "", model);
                Arc::clone(&place.endpoint.region)
            }
        }
    }

    fn deployment_promises(&mut self, table: &tables::Deployment) -> Promises {
        Promises {
            agreements: self.words("agreement", table.agreements.as_deref()),
            certifications: self.words("certification", table.certifications.as_deref()),
            retention_days: table.retention_days,
            trains_on_inputs: table.trains_on_inputs,
        }
    }

    /// What all deployments of one id share.
    fn template(&mut self, id: &str, model: &str, place: &PlaceToCall, table: Option<&tables::Deployment>) -> Template {
        let (offers, lacks) =
            table.map_or_else(Default::default, |table| (self.needs(&table.offers), self.needs(&table.lacks)));
        let profiles = &place.endpoint.vendor.profiles;
        let catalog = place.endpoint.vendor.catalog.as_deref();
        let known = catalog.and_then(|vendor| self.catalog.find(vendor, model)).unwrap_or_default();
        let voices = profiles.iter().map(|profile| {
            let listed = profile.capabilities.minus(known.lacks);
            let capabilities = offers.iter().fold(listed, |all, need| all.with(*need));
            let capabilities = lacks.iter().fold(capabilities, |all, need| all.without(*need));
            voice(*profile, model, &place.settings, capabilities)
        });
        let voices = voices.flatten().collect();
        let limits = limits(profiles.first(), &known, table);
        let most = known.output.map_or(defaults::MAX_OUTPUT_TOKENS, |most| most.min(defaults::MAX_OUTPUT_TOKENS));
        let own_price = table.and_then(|table| table.price.as_ref());
        let rates = self.rates_of(id, model, &place.endpoint, own_price);
        let own = overrides(table.and_then(|table| table.timeouts.as_ref())).or(place.timeouts);
        Template {
            model: Arc::from(model),
            voices,
            rates,
            limits,
            default_max_tokens: table.and_then(|table| table.max_output).unwrap_or(most),
            own_timeouts: own,
            keeps_nothing: false,
        }
    }

    pub(super) fn needs(&mut self, names: &[At<String>]) -> Vec<Need> {
        let mut needs = Vec::new();
        for name in names {
            match Need::ALL.into_iter().find(|need| need.name() == name.as_str()) {
                Some(need) => needs.push(need),
                None => self.unknown(name, "capability", Need::ALL.iter().map(|need| need.name())),
            }
        }
        needs
    }
}

/// What config says, else what is known of the model. A vendor that trims is trusted to: its model refuses a prompt alone.
fn limits(profile: Option<&Profile>, known: &Model, table: Option<&tables::Deployment>) -> Limits {
    let strict = profile.is_some_and(|profile| profile.quirks.strict_max_tokens);
    let declared = table.and_then(|table| table.context);
    let cap = table.and_then(|table| table.max_output);
    Limits {
        context: declared.or(known.context.filter(|_| strict)),
        input: if declared.is_some() { None } else { known.input.or(known.context) },
        output: known.output.filter(|_| strict).map(|output| output.max(cap.unwrap_or(0))),
    }
}

struct Template {
    model: Arc<str>,
    voices: Vec<Voice>,
    limits: Limits,
    rates: Rates,
    default_max_tokens: u64,
    own_timeouts: TimeoutOverrides,
    keeps_nothing: bool,
}

impl Template {
    /// `None` for a vendor that speaks nothing, which has been reported.
    fn deployment(
        &self,
        index: usize,
        id: &str,
        region: &Arc<str>,
        place: &PlaceToCall,
        credential: Option<&Credential>,
    ) -> Option<Deployment> {
        let (voice, further_voices) = self.voices.split_first().map(|(first, rest)| (first.clone(), rest.to_vec()))?;
        let vendor = &place.endpoint.vendor.name;
        let host_key = format!("{vendor} {}", place.url);
        // the secret, not its name: a rotated credential starts afresh, a renamed one does not
        let secret = credential.map(|credential| Digest::of_parts([credential.secret.expose().as_bytes()]).short());
        let health_key = format!("{host_key} {} {}", self.model, secret.unwrap_or_default());
        Some(Deployment {
            index,
            id: Arc::from(id),
            health_key: Arc::from(health_key),
            host_key: Arc::from(host_key),
            endpoint: Arc::clone(&place.endpoint),
            model: Arc::clone(&self.model),
            region: Arc::clone(region),
            credential: credential.cloned(),
            voice,
            further_voices,
            limits: self.limits,
            rates: self.rates.clone(),
            default_max_tokens: self.default_max_tokens,
            timeouts: DEFAULT_TIMEOUTS.with(self.own_timeouts),
            own_timeouts: self.own_timeouts,
            keeps_nothing: self.keeps_nothing,
        })
    }
}

/// A profile with its paths filled in; one whose path wants something that is not known is left out, which has been said.
fn voice(profile: Profile, model: &str, settings: &Settings, capabilities: Capabilities) -> Option<Voice> {
    // what the deployment itself can do goes for whoever writes to it
    let profile = Profile { capabilities, ..profile };
    let setting = |name: &str| if name == "model" { Some(model) } else { settings.named(name) };
    let path = |template| fill(template, setting).map(Arc::from).ok();
    Some(Voice {
        profile,
        path: path(profile.path)?,
        stream_path: path(profile.stream_path)?,
        models_path: path(profile.models_path)?,
        capabilities,
    })
}
