//! What keys may use of vendors' APIs as they are, and whose account an endpoint is.

use super::Compiler;
use super::pools::Pools;
use crate::config::At;
use crate::config::tables;
use crate::snapshot::key::{GrantedId, KeyRing};
use crate::snapshot::vendor_path::VendorPath;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Compiler<'_> {
    /// The paths that a key lists.
    pub(super) fn vendor_paths(&mut self, key: &At<String>, table: &tables::Key) -> Vec<VendorPath> {
        let mut paths = Vec::new();
        for written in &table.vendor_paths {
            match VendorPath::parse(written) {
                Ok(path) => {
                    if self.is_endpoint(written, &path.endpoint) && self.is_safe(key, written, &path) {
                        paths.push(path);
                    }
                }
                Err(wrong) => {
                    let help =
                        "write \"GET /openai/files/*\": a method, an endpoint's name, the path behind its base_url";
                    self.error(&written.place, wrong, help);
                }
            }
        }
        paths
    }

    /// The ids that a key is granted.
    pub(super) fn granted_ids(&mut self, table: &tables::Key) -> Vec<GrantedId> {
        let mut granted = Vec::new();
        for written in &table.server_ids {
            let Some((endpoint, id)) = written.split_once('/').filter(|(_, id)| !id.is_empty()) else {
                let help = "write \"openai/vs_abc123\": an endpoint's name, and the id there";
                self.error(&written.place, "no id follows the endpoint", help);
                continue;
            };
            if self.is_endpoint(written, endpoint) {
                let (id, is_beginning) = id.strip_suffix('*').map_or((id, false), |beginning| (beginning, true));
                granted.push(GrantedId { endpoint: endpoint.into(), id: id.into(), is_beginning });
            }
        }
        granted
    }

    fn is_endpoint(&mut self, written: &At<String>, name: &str) -> bool {
        let config = &self.sources.config;
        let vendors = config.vendor.iter().map(|named| named.name.as_str());
        let known: BTreeSet<&str> = vendors.chain(config.endpoint.iter().map(|named| named.name.as_str())).collect();
        if known.contains(name) {
            return true;
        }
        self.unknown(&At { value: name.to_owned(), place: written.place.clone() }, "vendor or endpoint", known);
        false
    }

    /// Where all keys share the account, nothing is read or removed that a key did not create.
    fn is_safe(&mut self, key: &At<String>, written: &At<String>, path: &VendorPath) -> bool {
        let reserved = self.reserved_for(&path.endpoint).is_some_and(|owner| owner.value == key.value);
        let message = match (reserved, path.is_open(), path.names_nothing()) {
            (true, _, _) | (_, false, false) => return true,
            (_, true, _) => "an open end covers what other keys have made at this account",
            (_, _, true) => "this concerns what all keys of this account have made",
        };
        let help = format!(
            "name ids by `*`, as in \"GET /openai/files/*\"; or, if this account serves no other key, write reserved_for = \"{}\" \
             for \"{}\"",
            key.value, path.endpoint
        );
        self.error(&written.place, message, help);
        false
    }

    /// The key whose account an endpoint is said to be.
    fn reserved_for(&self, endpoint: &str) -> Option<&At<String>> {
        let config = &self.sources.config;
        let vendors = config.vendor.iter().filter(|named| named.name.value == endpoint);
        let endpoints = config.endpoint.iter().filter(|named| named.name.value == endpoint);
        let of_vendor = vendors.filter_map(|named| named.body.as_ref()?.reserved_for.as_ref());
        of_vendor.chain(endpoints.filter_map(|named| named.body.as_ref()?.reserved_for.as_ref())).next()
    }

    /// An account that is said to be one key's must be out of reach for all others.
    pub(super) fn check_reservations(&mut self, pools: &Pools, keys: &KeyRing) {
        let config = &self.sources.config;
        let mut reserved: Vec<&At<String>> =
            config.vendor.iter().filter_map(|named| named.body.as_ref()?.reserved_for.as_ref()).collect();
        reserved.extend(config.endpoint.iter().filter_map(|named| named.body.as_ref()?.reserved_for.as_ref()));
        for owner in reserved {
            if keys.by_name(owner).is_none() {
                self.unknown(owner, "key", config.key.iter().map(|named| named.name.as_str()));
            }
        }
        for named in config.key.iter() {
            let Some(key) = keys.by_name(&named.name) else { continue };
            let mut said: BTreeSet<Arc<str>> = BTreeSet::new();
            for pool in pools.by_name.values().filter(|pool| key.may_ask(pool)) {
                for deployment in pool.deployments() {
                    let endpoint = &deployment.endpoint;
                    let foreign = endpoint.reserved_for.as_ref().is_some_and(|owner| *owner != key.name);
                    if foreign && said.insert(Arc::clone(&endpoint.name)) {
                        let owner = endpoint.reserved_for.as_deref().unwrap_or_default();
                        let message = format!(
                            "the key \"{}\" may ask for pools with \"{}\", which is reserved for \"{owner}\"",
                            key.name, endpoint.name
                        );
                        let help = "list its `models` without those pools, or take reserved_for out";
                        self.error(&named.name.place, message, help);
                    }
                }
            }
        }
    }
}
