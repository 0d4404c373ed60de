//! Who may name what is kept at a vendor: only the key that created it, and only where it is.
//!
//! All keys share our accounts, so a vendor would give anyone's file to everyone. An id that nobody is known to have created is
//! refused in the same words as one of another key, so that nobody learns which ids there are.

use crate::base::rejection::{Rejection, RejectionCode};
use crate::call::needs::{Need, Needs};
use crate::dialect::ids;
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::state::ids::{Ids, Owner};
use std::sync::Arc;

/// What the client is told of an id that is not its own.
const DENIED: &str = "This key did not create every id that the request names (a file, an earlier response, a conversation or the like), and only the key that created something may use it. Name what this key created through this proxy, or ask for a grant: `server_ids` of the key.";

/// Where one id is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In this account.
    Account(Arc<str>),
    /// At this endpoint.
    Endpoint(Arc<str>),
    /// In an account that serves this key alone; nobody has to know who created what there.
    Reserved(Arc<str>),
}

/// Where everything is kept that a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held(Vec<Place>);

impl Held {
    /// Whether the deployment holds all of it.
    pub(crate) fn admits(&self, deployment: &Deployment) -> bool {
        self.0.iter().all(|place| match place {
            Place::Account(account) => **account == *deployment.account(),
            Place::Endpoint(endpoint) => *endpoint == deployment.endpoint.name,
            Place::Reserved(key) => deployment.endpoint.reserved_for.as_ref() == Some(key),
        })
    }
}

/// Where what a call names is kept.
///
/// # Errors
/// It names something that its key may not use.
pub(crate) fn held(
    snapshot: &Snapshot,
    ids: &Ids,
    key: &Key,
    needs: Needs,
    checked_body: &[u8],
) -> Result<Held, Rejection> {
    if !needs.has(Need::ServerIds) && !needs.has(Need::HostedTools) {
        return Ok(Held::default());
    }
    held_of(snapshot, ids, key, ids::named(checked_body).iter().map(String::as_str))
}

/// Where these ids are kept.
///
/// # Errors
/// The key may not use one of them.
pub(crate) fn held_of<'a>(
    snapshot: &Snapshot,
    ids: &Ids,
    key: &Key,
    named: impl IntoIterator<Item = &'a str>,
) -> Result<Held, Rejection> {
    let mut places = Vec::new();
    for id in named {
        let place = place(snapshot, ids, key, id).ok_or_else(denied)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(Held(places))
}

fn place(snapshot: &Snapshot, ids: &Ids, key: &Key, id: &str) -> Option<Place> {
    if let Owner::Own(account) = ids.owner(&key.name, id) {
        return Some(Place::Account(account));
    }
    if let Some(granted) = key.server_ids.iter().find(|granted| granted.covers(id)) {
        return Some(Place::Endpoint(Arc::clone(&granted.endpoint)));
    }
    let reserved = |deployment: &Arc<Deployment>| deployment.endpoint.reserved_for.as_ref() == Some(&key.name);
    snapshot.deployments.iter().any(reserved).then(|| Place::Reserved(Arc::clone(&key.name)))
}

pub(crate) fn denied() -> Rejection {
    Rejection::new(RejectionCode::IdDenied, DENIED)
}

/// Whether a call of these needs may leave something at a vendor of the client's own dialect.
pub(crate) const fn creates(needs: Needs) -> bool {
    needs.has(Need::Stores) || needs.has(Need::HostedTools) || needs.has(Need::ServerIds)
}

/// Notes for a key what an answer creates.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    ids: Arc<Ids>,
    key: Arc<str>,
    account: Arc<str>,
    /// Whether something of a streamed answer was read.
    begun: bool,
}

impl Claimant {
    pub(crate) fn new(ids: &Arc<Ids>, key: &Key, deployment: &Deployment) -> Self {
        Self { ids: Arc::clone(ids), key: Arc::clone(&key.name), account: deployment.account().into(), begun: false }
    }

    /// Reads a whole answer.
    pub(crate) fn whole(&self, answer: &[u8]) {
        let created = ids::created(answer);
        self.ids.claim(&self.key, &self.account, created.iter().map(String::as_str));
    }

    /// Reads an event of a streamed answer: the first one, the last one, and those between that name a place or a file.
    pub(crate) fn event(&mut self, data: &[u8], is_last: bool) {
        let names = || [&b"container"[..], b"file_id"].iter().any(|name| memchr::memmem::find(data, name).is_some());
        if !std::mem::replace(&mut self.begun, true) || is_last || names() {
            self.whole(data);
        }
    }
}
