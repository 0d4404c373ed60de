//! Vendors and the endpoints where they answer.

use super::Compiler;
use super::auth::Use;
use super::clouds::{Settings, aws_region_of, form_of_urls, own_url, vendors_own_url};
use crate::base::diagnostic::Place;
use crate::config::At;
use crate::config::base_url::{self, BaseUrl};
use crate::config::secrets::{NamedCredential, SecretSource};
use crate::config::tables::{self, Auth};
use crate::config::values::FilePath;
use crate::dialect::profile::clouds::is_aws_region;
use crate::dialect::profile::{self, Profile};
use crate::policy::vocabulary::UNKNOWN;
use crate::snapshot::deployment::{Credential, Endpoint, Roots, TimeoutOverrides, Vendor};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everywhere a deployment can be, by the name before its first slash.
pub(super) struct Places<'a> {
    /// `None` for one that could not be compiled, which has been reported.
    pub(super) endpoints: BTreeMap<&'a str, Option<PlaceToCall>>,
}

/// An endpoint with what its deployments need.
pub(super) struct PlaceToCall {
    pub(super) endpoint: Arc<Endpoint>,
    /// One for each deployment of a model here; a single `None` where no credential is sent.
    pub(super) credentials: Vec<Option<Credential>>,
    /// The base URL in one spelling.
    pub(super) url: String,
    /// What its paths name in braces.
    pub(super) settings: Settings,
    pub(super) timeouts: TimeoutOverrides,
    pub(super) promises: Promises,
    pub(super) written: Place,
    /// Whether some pool uses it.
    pub(super) used: Cell<bool>,
}

/// What was promised about data, where it was.
#[derive(Clone, Default)]
pub(super) struct Promises {
    pub(super) agreements: Option<Vec<Arc<str>>>,
    pub(super) certifications: Option<Vec<Arc<str>>>,
    pub(super) retention_days: Option<u32>,
    pub(super) trains_on_inputs: Option<bool>,
}

impl Promises {
    /// These, and those of `wider` where these say nothing.
    pub(super) fn or(self, wider: Self) -> Self {
        Self {
            agreements: self.agreements.or(wider.agreements),
            certifications: self.certifications.or(wider.certifications),
            retention_days: self.retention_days.or(wider.retention_days),
            trains_on_inputs: self.trains_on_inputs.or(wider.trains_on_inputs),
        }
    }
}

/// The fields that a vendor's own endpoint and further endpoints share.
struct Written<'a> {
    name: &'a At<String>,
    base_url: At<String>,
    region: Option<&'a At<String>>,
    credential: Option<&'a At<SecretSource>>,
    credentials: &'a [NamedCredential],
    ca_file: Option<&'a At<FilePath>>,
    allow_private: bool,
    http2: bool,
    auth: Option<&'a At<Auth>>,
    token_url: Option<&'a At<String>>,
    reserved_for: Option<&'a At<String>>,
    settings: Settings,
    timeouts: TimeoutOverrides,
    promises: Promises,
}

impl<'a> Compiler<'a> {
    pub(super) fn places(&mut self) -> Places<'a> {
        let sources = self.sources;
        let mut endpoints = BTreeMap::new();
        let mut vendors = BTreeMap::new();
        for named in sources.config.vendor.iter() {
            let vendor = named.body.as_ref().and_then(|table| Some((table, self.vendor(&named.name, table)?)));
            if let Some((table, vendor)) = &vendor {
                let settings = Settings::of_vendor(table);
                if let Some(base_url) = self.base_url_of(&named.name, table, &vendor.profiles) {
                    let own = self.own_endpoint(&named.name, table, vendor, base_url, settings);
                    endpoints.insert(named.name.as_str(), own);
                }
            } else {
                endpoints.insert(named.name.as_str(), None);
            }
            vendors.insert(named.name.as_str(), vendor);
        }
        for named in sources.config.endpoint.iter() {
            if vendors.contains_key(named.name.as_str()) && endpoints.contains_key(named.name.as_str()) {
                let help = "a vendor with a base_url is an endpoint of its own name; choose another";
                self.error(&named.name.place, format!("\"{}\" is a vendor already", named.name.value), help);
                continue;
            }
            let place = named.body.as_ref().and_then(|table| self.further_endpoint(&named.name, table, &vendors));
            endpoints.insert(named.name.as_str(), place);
        }
        self.warn_of_homeless_vendors(&endpoints);
        Places { endpoints }
    }

    fn warn_of_homeless_vendors(&mut self, endpoints: &BTreeMap<&str, Option<PlaceToCall>>) {
        let config = &self.sources.config;
        for named in config.vendor.iter() {
            let own = named.body.is_none() || endpoints.contains_key(named.name.as_str());
            let further = config.endpoint.iter().filter_map(|endpoint| endpoint.body.as_ref());
            if !own && further.into_iter().all(|endpoint| endpoint.vendor.value != named.name.value) {
                let message = format!("the vendor \"{}\" answers nowhere", named.name.value);
                let derived = vendors_own_url(named.body.as_ref());
                let help = derived.unwrap_or("add `base_url`, or an [endpoint.NAME] of it");
                self.warning(&named.name.place, message, help);
            }
        }
    }

    fn vendor(&mut self, name: &At<String>, table: &tables::Vendor) -> Option<Arc<Vendor>> {
        let profiles = self.profiles(table)?;
        let profiles = self.with_quirks(table, profiles);
        self.warn_of_idle_fields(name, table, &profiles);
        let catalog = self.catalog_of(table, &profiles);
        Some(Arc::new(Vendor { name: Arc::from(name.as_str()), profiles: profiles.into(), catalog }))
    }

    fn profiles(&mut self, table: &tables::Vendor) -> Option<Vec<Profile>> {
        let found = profile::find(&table.dialect, form_of_urls(table));
        if found.is_empty() {
            let family: Vec<_> = profile::all().filter(|profile| profile.family == table.dialect.value).collect();
            match &table.profile {
                Some(name) if !family.is_empty() => {
                    self.unknown(name, "profile", family.iter().map(|profile| profile.name));
                }
                Some(_) | None => self.unknown(&table.dialect, "dialect", profile::all().map(|profile| profile.family)),
            }
            return None;
        }
        self.spoken(table, found)
    }

    /// Whose models a vendor's are in the catalog.
    fn catalog_of(&mut self, table: &tables::Vendor, profiles: &[Profile]) -> Option<Arc<str>> {
        match table.quirks.as_ref().and_then(|quirks| quirks.catalog.as_ref()) {
            Some(written) => {
                let known: Vec<String> = self.catalog.vendors().map(str::to_owned).collect();
                if !known.contains(&written.value) {
                    self.unknown(written, "vendor in the list of models", known.iter().map(String::as_str));
                }
                Some(Arc::from(written.as_str()))
            }
            None => profiles.iter().find_map(|profile| profile.known.catalog).map(Arc::from),
        }
    }

    /// What is left of a vendor's wire formats where `speaks` narrows them: in its order, which decides what is translated to.
    fn spoken(&mut self, table: &tables::Vendor, all: Vec<Profile>) -> Option<Vec<Profile>> {
        if table.speaks.is_empty() {
            return Some(all);
        }
        let mut spoken = Vec::new();
        for name in &table.speaks {
            match all.iter().find(|profile| profile.dialect.is_called(name)) {
                Some(profile) => spoken.push(*profile),
                None => {
                    self.unknown(name, "wire format of this vendor", all.iter().map(|profile| profile.dialect.name()))
                }
            }
        }
        (spoken.len() == table.speaks.len()).then_some(spoken)
    }

    /// Where a vendor answers itself: as written, else where the world knows the profile that it names, or where its cloud is
    /// for this region or location; unless it has further endpoints alone.
    fn base_url_of(&self, name: &At<String>, table: &tables::Vendor, profiles: &[Profile]) -> Option<At<String>> {
        let mut endpoints = self.sources.config.endpoint.iter().filter_map(|endpoint| endpoint.body.as_ref());
        match &table.base_url {
            Some(written) => Some(written.clone()),
            None if endpoints.any(|endpoint| endpoint.vendor.value == name.value) => None,
            None => {
                let known = profiles.iter().find_map(|profile| profile.known.base_url)?;
                let url = if known.contains('{') {
                    own_url(known, &Settings::of_vendor(table))?
                } else {
                    table.profile.as_ref()?;
                    known.to_owned()
                };
                Some(At { value: url, place: name.place.clone() })
            }
        }
    }

    /// Where the company is seated that answers at a vendor's base URL, where the world knows it.
    pub(super) fn known_seat(&self, name: &At<String>, table: &tables::Vendor) -> Option<Arc<str>> {
        let host = |url: &str| url.split('/').nth(2).map(str::to_lowercase);
        let profiles = profile::find(&table.dialect, form_of_urls(table));
        let answers = self.base_url_of(name, table, &profiles)?;
        let known = profiles.iter().map(|profile| profile.known).find(|known| known.seat.is_some())?;
        let template = known.base_url?;
        let own = own_url(template, &Settings::of_vendor(table)).unwrap_or_else(|| template.to_owned());
        (host(&answers) == host(&own)).then(|| known.seat.map(Arc::from)).flatten()
    }

    fn own_endpoint(
        &mut self,
        name: &At<String>,
        table: &tables::Vendor,
        vendor: &Arc<Vendor>,
        base_url: At<String>,
        settings: Settings,
    ) -> Option<PlaceToCall> {
        let promises = self.vendor_promises(table);
        let written = Written {
            name,
            base_url,
            region: table.region.as_ref(),
            credential: table.credential.as_ref(),
            credentials: &table.credentials,
            ca_file: table.ca_file.as_ref(),
            allow_private: table.allow_private.unwrap_or(false),
            http2: table.http2.unwrap_or(false),
            auth: table.auth.as_ref(),
            token_url: table.token_url.as_ref(),
            reserved_for: table.reserved_for.as_ref(),
            settings,
            timeouts: overrides(table.timeouts.as_ref()),
            promises,
        };
        self.place_to_call(vendor, &written)
    }

    fn further_endpoint(
        &mut self,
        name: &At<String>,
        table: &tables::Endpoint,
        vendors: &BTreeMap<&str, Option<(&tables::Vendor, Arc<Vendor>)>>,
    ) -> Option<PlaceToCall> {
        let Some(vendor) = vendors.get(table.vendor.as_str()) else {
            self.unknown(&table.vendor, "vendor", vendors.keys().copied());
            return None;
        };
        let (of, vendor) = vendor.as_ref()?;
        let own = Promises {
            agreements: self.words("agreement", table.agreements.as_deref()),
            certifications: self.words("certification", table.certifications.as_deref()),
            retention_days: table.retention_days,
            trains_on_inputs: table.trains_on_inputs,
        };
        let vendors_timeouts = overrides(of.timeouts.as_ref());
        let written = Written {
            name,
            base_url: table.base_url.clone(),
            region: table.region.as_ref(),
            credential: table.credential.as_ref(),
            credentials: &table.credentials,
            ca_file: table.ca_file.as_ref().or(of.ca_file.as_ref()),
            allow_private: table.allow_private.unwrap_or(false),
            http2: table.http2.or(of.http2).unwrap_or(false),
            auth: table.auth.as_ref().or(of.auth.as_ref()),
            token_url: table.token_url.as_ref().or(of.token_url.as_ref()),
            reserved_for: table.reserved_for.as_ref(),
            settings: Settings::of_endpoint(table, of),
            timeouts: overrides(table.timeouts.as_ref()).or(vendors_timeouts),
            promises: own.or(self.vendor_promises(of)),
        };
        self.place_to_call(vendor, &written)
    }

    fn place_to_call(&mut self, vendor: &Arc<Vendor>, written: &Written<'_>) -> Option<PlaceToCall> {
        let roots = match written.ca_file {
            Some(_) if self.sources.dry => Some(Roots::System),
            Some(file) => self.roots(file).map(|roots| Roots::With(roots.into())),
            None => Some(Roots::System),
        };
        if let Some(auth) = written.auth {
            self.check_auth(auth, &vendor.profiles);
        }
        if written.credential.is_none() && written.credentials.is_empty() {
            self.warn_of_no_credential(written);
        }
        let region = written.region.map_or_else(|| Some(Arc::from(UNKNOWN)), |region| self.region(region));
        let url = self.base_url(vendor, written)?;
        let (region, roots) = (region?, roots?);
        if let Some(declared) = written.region {
            self.check_region(declared, &region, &url.host, "");
        }
        self.check_settings(written.name, &vendor.profiles, &written.settings, &url.host, &region);
        let endpoint = Endpoint {
            name: Arc::from(written.name.as_str()),
            vendor: Arc::clone(vendor),
            tls: url.tls,
            host: Arc::from(url.host.as_str()),
            port: url.port,
            authority: Arc::from(url.authority.as_str()),
            path: Arc::from(url.path.as_str()),
            roots,
            allow_private: written.allow_private,
            http2: written.http2,
            loopback: url.loopback,
            region,
            reserved_for: written.reserved_for.map(|key| Arc::from(key.as_str())),
        };
        let credentials = self.credentials(written, &endpoint)?;
        Some(PlaceToCall {
            endpoint: Arc::new(endpoint),
            settings: written.settings.clone(),
            credentials,
            url: url.canonical(),
            timeouts: written.timeouts,
            promises: written.promises.clone(),
            written: written.name.place.clone(),
            used: Cell::new(false),
        })
    }

    fn warn_of_no_credential(&mut self, written: &Written<'_>) {
        let near = base_url::parse(&written.base_url, false).is_ok_and(|url| url.loopback);
        if !near && !written.allow_private {
            let message = format!("\"{}\" has no credential", written.name.value);
            self.warning(&written.name.place, message, "add credential = { env = \"...\" } if it asks for one");
        }
    }

    fn base_url(&mut self, vendor: &Vendor, written: &Written<'_>) -> Option<BaseUrl> {
        let place = &written.base_url.place;
        let url = match base_url::parse(&written.base_url, written.allow_private) {
            Ok(url) => url,
            Err((message, help)) => {
                self.error(place, message, help);
                return None;
            }
        };
        if let Some(profile) = vendor.profiles.iter().find(|profile| url.path.ends_with(profile.path)) {
            let help = "give the prefix alone: the path of each call is added to it";
            self.error(place, format!("the URL ends with \"{}\"", profile.path), help);
        }
        Some(url)
    }

    fn credentials(&mut self, written: &Written<'_>, endpoint: &Endpoint) -> Option<Vec<Option<Credential>>> {
        if let (Some(one), [_, ..]) = (written.credential, written.credentials) {
            self.error(&one.place, "there are both `credential` and `credentials`", "write one of the two");
        }
        let default = At { value: "default".to_owned(), place: written.name.place.clone() };
        let several = written.credentials.iter().map(|credential| (&credential.name, &credential.secret));
        let all: Vec<_> = written.credential.map(|source| (&default, source)).into_iter().chain(several).collect();
        if all.is_empty() {
            return Some(vec![None]);
        }
        let declared = written.settings.region.as_deref().filter(|region| is_aws_region(region));
        let used = Use {
            auth: written.auth.map_or(Auth::Bearer, |auth| auth.value),
            endpoint,
            aws_region: aws_region_of(&endpoint.host).or(declared),
            token_url: written.token_url,
        };
        let mut compiled: Vec<Option<Credential>> = Vec::new();
        for (name, source) in &all {
            if let Some(message) = crate::config::names::wrong(name) {
                self.error(&name.place, message, crate::config::names::NAME_HELP);
            }
            if compiled.iter().flatten().any(|other| *other.name == ***name) {
                self.error(&name.place, format!("the credential \"{}\" is declared twice", name.value), "");
            }
            if let Some((secret, proof)) = self.proof(source, &used) {
                compiled.push(Some(Credential { name: Arc::from(name.as_str()), secret, proof }));
            }
        }
        (compiled.len() == all.len()).then_some(compiled)
    }

    fn vendor_promises(&mut self, table: &tables::Vendor) -> Promises {
        Promises {
            agreements: self.words("agreement", table.agreements.as_deref()),
            certifications: self.words("certification", table.certifications.as_deref()),
            retention_days: table.retention_days,
            trains_on_inputs: table.trains_on_inputs,
        }
    }

    /// The region that was named, as policies write it.
    pub(super) fn region(&mut self, typed: &At<String>) -> Option<Arc<str>> {
        let region = self.vocabulary.region(typed);
        if region.is_none() {
            let vocabulary = self.vocabulary.clone();
            let lower = At { value: typed.to_lowercase(), place: typed.place.clone() };
            self.unknown(&lower, "region", vocabulary.regions().chain(["eu", "apac", UNKNOWN]));
        }
        region
    }

    /// Reports a declared region that host or model id contradict.
    pub(super) fn check_region(&mut self, declared: &At<String>, region: &str, host: &str, model: &str) {
        let Some(hint) = self.vocabulary.hint(host, model) else { return };
        if region == UNKNOWN || self.vocabulary.overlap(region, &hint) {
            return;
        }
        let told_by = if model.is_empty() { host } else { model };
        let message = format!("the region \"{}\" contradicts \"{told_by}\"", declared.value);
        let help = match hint.as_ref() {
            UNKNOWN => "it may process anywhere: write region = \"unknown\"".to_owned(),
            hint => format!("it processes in \"{hint}\""),
        };
        self.error(&declared.place, message, help);
    }
}

/// The timeouts that a table sets.
pub(super) fn overrides(table: Option<&tables::Timeouts>) -> TimeoutOverrides {
    let Some(table) = table else { return TimeoutOverrides::default() };
    TimeoutOverrides {
        connect: table.connect,
        handshake: table.handshake,
        headers: table.headers,
        first_content: table.first_content,
        idle: table.idle,
        progress: table.progress,
        trickle: table.trickle,
        answer: table.answer,
    }
}
