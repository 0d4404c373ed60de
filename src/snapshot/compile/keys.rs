//! Virtual keys.

use super::Compiler;
use super::pools::Pools;
use crate::base::diagnostic::Place;
use crate::base::hash::Digest;
use crate::config::At;
use crate::config::secrets::KeySecret;
use crate::config::tables;
use crate::policy::inventory::KeyFacts;
use crate::policy::vocabulary::{ANY, UNKNOWN};
use crate::snapshot::budget::Team;
use crate::snapshot::key::{Key, KeyRing};
use std::collections::HashMap;
use std::sync::Arc;

/// Compiled keys.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) ring: KeyRing,
    /// What policy knows of each, in order of their index.
    pub(super) facts: Vec<KeyFacts>,
    teams: HashMap<Arc<str>, Arc<Team>>,
    digests: HashMap<Digest, Place>,
}

impl Compiler<'_> {
    pub(super) fn keys(&mut self, pools: &Pools) -> Keys {
        let sources = self.sources;
        let mut keys = Keys { teams: self.teams(), ..Keys::default() };
        if sources.config.key.is_empty() {
            let help = "write [key.NAME] with secret = { env = \"NAME_KEY\" }";
            self.warning(&Place::file(&sources.path), "there is no key, so nobody can ask for anything", help);
        }
        for named in sources.config.key.iter() {
            if let Some(table) = &named.body {
                self.key(&named.name, table, pools, &mut keys);
            }
        }
        keys
    }

    fn key(&mut self, name: &At<String>, table: &tables::Key, pools: &Pools, keys: &mut Keys) {
        let facts = self.key_facts(name, table, pools);
        let key = Arc::new(Key {
            index: keys.facts.len(),
            name: Arc::clone(&facts.name),
            models: facts.models.clone(),
            jurisdiction: Arc::clone(&facts.jurisdiction),
            residency: Arc::clone(&facts.residency),
            data: facts.data.clone(),
            screened: facts.screened,
            team: facts.team.as_ref().and_then(|team| keys.teams.get(team)).cloned(),
            limit: self.limit(table.limit.as_ref()),
            budget: self.budget(table.budget.as_ref()),
            expires: table.expires.as_ref().map(|until| until.value.0),
            deadline: table.deadline,
            vendor_paths: self.vendor_paths(name, table),
            server_ids: self.granted_ids(table),
        });
        self.identities(name, table, &key, keys);
        self.warn_about_key(name, table);
        keys.ring.by_name.insert(Arc::clone(&key.name), key);
        keys.facts.push(facts);
    }

    fn key_facts(&mut self, name: &At<String>, table: &tables::Key, pools: &Pools) -> KeyFacts {
        let teams = &self.sources.config.team;
        if let Some(team) = table.team.as_ref().filter(|team| teams.iter().all(|named| named.name.value != team.value))
        {
            self.unknown(team, "team", teams.iter().map(|named| named.name.as_str()));
        }
        let residency = table.residency.as_ref().and_then(|zone| self.zone(zone));
        if let Some(written) = table.residency.as_ref().filter(|_| residency.as_deref() == Some(UNKNOWN)) {
            let help = "name a zone, or \"any\" where data may go anywhere";
            self.error(&written.place, "data cannot be bound to an unknown place", help);
        }
        let jurisdiction = table.jurisdiction.as_ref().and_then(|zone| self.zone(zone));
        KeyFacts {
            name: Arc::from(name.as_str()),
            team: table.team.as_ref().map(|team| Arc::from(team.as_str())),
            jurisdiction: jurisdiction.unwrap_or_else(|| Arc::from(UNKNOWN)),
            residency: residency.unwrap_or_else(|| Arc::from(ANY)),
            purposes: table.purposes.iter().map(|purpose| Arc::from(purpose.as_str())).collect(),
            screened: table.screened.unwrap_or(false),
            data: self.words("data class", table.data.as_deref()).unwrap_or_default(),
            models: self.models(table, pools),
            vendors: table.vendors.as_ref().map(|vendors| self.vendors_of(vendors)),
            max_price: table
                .max_price
                .as_ref()
                .map_or((None, None), |price| (price.input.map(|input| input.0), price.output.map(|output| output.0))),
        }
    }

    /// The vendors that a key may use, as far as there are such vendors.
    fn vendors_of(&mut self, written: &[At<String>]) -> Vec<Arc<str>> {
        let declared = &self.sources.config.vendor;
        let is_declared = |vendor: &At<String>| declared.iter().any(|named| named.name.value == vendor.value);
        for vendor in written.iter().filter(|vendor| !is_declared(vendor)) {
            self.unknown(vendor, "vendor", declared.iter().map(|named| named.name.as_str()));
        }
        written.iter().filter(|vendor| is_declared(vendor)).map(|vendor| Arc::from(vendor.as_str())).collect()
    }

    /// The pools that a key names, by their public names.
    fn models(&mut self, table: &tables::Key, pools: &Pools) -> Vec<Arc<str>> {
        let Some(written) = &table.models else { return Vec::new() };
        let mut models: Vec<Arc<str>> = Vec::new();
        let declared = &self.sources.config.pool;
        for model in written {
            match pools.by_name.get(model.as_str()) {
                Some(pool) => models.push(Arc::clone(&pool.name)),
                None if declared.iter().any(|named| named.name.value == model.value) => {}
                None => self.unknown(model, "pool", declared.iter().map(|named| named.name.as_str())),
            }
        }
        models.sort();
        models.dedup();
        models
    }

    /// Enters the key under its secret and its certificate.
    fn identities(&mut self, name: &At<String>, table: &tables::Key, key: &Arc<Key>, keys: &mut Keys) {
        if table.secret.is_none() && table.certificate.is_none() {
            let help = "write secret = { env = \"...\" } or certificate = { san_uri = \"...\" }";
            self.error(&name.place, format!("nothing identifies the key \"{}\"", name.value), help);
        }
        if let Some(secret) = &table.secret
            && let Some(digest) = self.digest(secret)
        {
            if let Some(other) = keys.digests.insert(digest, name.place.clone()) {
                let message = format!("the key \"{}\" has the same secret as another", name.value);
                self.error(&secret.place, message, format!("the other one is at {other}"));
            }
            keys.ring.by_digest.insert(digest, Arc::clone(key));
        }
        let Some(certificate) = &table.certificate else { return };
        let uri = certificate.san_uri.as_ref().map(|uri| format!("uri:{}", uri.value));
        let dns = certificate.san_dns.as_ref().map(|dns| format!("dns:{}", dns.to_ascii_lowercase()));
        if uri.is_none() && dns.is_none() {
            self.error(&certificate.place, "a certificate is known by `san_uri` or `san_dns`", "");
        }
        for identity in [uri, dns].into_iter().flatten() {
            let identity: Arc<str> = Arc::from(identity);
            if let Some(other) = keys.ring.by_certificate.insert(Arc::clone(&identity), Arc::clone(key)) {
                let message = format!("the certificate \"{identity}\" stands for two keys");
                self.error(&certificate.place, message, format!("the other one is \"{}\"", other.name));
            }
        }
        let asks = |listener: &tables::Listener| listener.client_roots.is_some();
        if !self.sources.config.listener.iter().filter_map(|named| named.body.as_ref()).any(asks) {
            let help = "add `client_roots` to a listener";
            self.warning(&certificate.place, "no listener asks for client certificates", help);
        }
    }

    fn digest(&mut self, secret: &At<KeySecret>) -> Option<Digest> {
        match &secret.value {
            KeySecret::Sha256(digest) => Some(*digest),
            KeySecret::Source(source) => {
                let source = At { value: source.clone(), place: secret.place.clone() };
                self.token(&source).map(|secret| secret.digest())
            }
        }
    }

    fn warn_about_key(&mut self, name: &At<String>, table: &tables::Key) {
        let silent = match (&table.residency, &table.data) {
            (None, None) => Some("residency and data"),
            (None, Some(_)) => Some("residency"),
            (Some(_), None) => Some("data"),
            (Some(_), Some(_)) => None,
        };
        if let Some(silent) = silent {
            let message = format!("the key \"{}\" says nothing about {silent}", name.value);
            let help = "its data may go anywhere and count as harmless; write residency = \"any\" and data = [] if so";
            self.warning(&name.place, message, help);
        }
        if let Some(until) = table.expires.as_ref().filter(|until| until.value.0 <= self.now) {
            self.warning(&until.place, format!("the key \"{}\" has expired", name.value), "renew or remove it");
        }
    }
}
