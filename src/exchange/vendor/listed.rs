//! Whether a key lists what is wanted of a vendor.

use super::path::{self, Wanted};
use crate::base::rejection::{Rejection, RejectionCode};
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::state::world::World;
use http::Method;
use http::request::Parts;
use std::sync::Arc;

/// A request that its key lists.
pub(crate) struct Pass {
    pub(super) method: Method,
    pub(super) wanted: Wanted,
    /// As the key lists it, for the log.
    pub(super) listed: Arc<str>,
    /// Which segments are ids.
    pub(super) ids: Vec<usize>,
}

/// The request below `/vendor/`, if its key lists it.
///
/// # Errors
/// A path that could be read in two ways, or that the key does not list.
pub(crate) fn listed(key: &Key, parts: &Parts) -> Result<Pass, Rejection> {
    let wanted = path::read(&parts.uri).map_err(|wrong| {
        Rejection::new(RejectionCode::InvalidRequest, format!("The path cannot be sent on: {wrong}."))
    })?;
    find(key, &parts.method, wanted).map_err(|wanted| unlisted(key, &parts.method, &wanted))
}

/// The same for a path that we do not speak, told as if the vendor were asked itself: SDKs know one base URL alone. `None` where
/// the key lists nothing that fits.
pub(crate) fn listed_as_own(world: &World, key: &Key, parts: &Parts) -> Option<Pass> {
    key.vendor_paths.iter().find_map(|listed| {
        let of_it = |deployment: &&Arc<Deployment>| *deployment.endpoint.name == *listed.endpoint;
        let deployment = world.snapshot.deployments.iter().find(of_it)?;
        // where the version is not part of the dialect's paths, it is part of the base URLs that SDKs and we have
        let versioned = deployment.voice.profile.path.starts_with("/v1");
        let rest = parts.uri.path().strip_prefix(if versioned { "/" } else { "/v1/" })?;
        let wanted = path::under(&listed.endpoint, rest, parts.uri.query()).ok()?;
        find(key, &parts.method, wanted).ok()
    })
}

fn find(key: &Key, method: &Method, wanted: Wanted) -> Result<Pass, Wanted> {
    let segments: Vec<&str> = wanted.segments.iter().map(String::as_str).collect();
    let covered = key
        .vendor_paths
        .iter()
        .find_map(|listed| Some((Arc::clone(&listed.text), listed.covers(method, &wanted.endpoint, &segments)?)));
    match covered {
        Some((listed, ids)) => Ok(Pass { method: method.clone(), wanted, listed, ids }),
        None => Err(wanted),
    }
}

fn unlisted(key: &Key, method: &Method, wanted: &Wanted) -> Rejection {
    let mut one: Vec<&str> = wanted.segments.iter().map(String::as_str).collect();
    one.push("x");
    let lists_one = key.vendor_paths.iter().any(|listed| listed.covers(method, &wanted.endpoint, &one).is_some());
    let message = if lists_one && *method != Method::POST {
        "A listing is refused: all keys share the vendor's account, so it would show what others have made. Ask for one \
         thing by its id."
    } else {
        "This key does not list this method and path: whoever keeps the configuration can add it to `vendor_paths` of the key."
    };
    Rejection::new(RejectionCode::PolicyDenied, message)
}
