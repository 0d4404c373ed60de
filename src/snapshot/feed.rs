//! Vendors' status pages.

use crate::base::rejection::Refusal;
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::permit::Permit;
use std::sync::Arc;

/// A status page to be asked now and then.
#[derive(Debug)]
pub struct Feed {
    /// Whose it is.
    pub vendor: Arc<str>,
    /// What health keeps the vendor, or its endpoint, under.
    pub node: Arc<str>,
    /// Where the summary is, with its query.
    pub path: Arc<str>,
    /// The page as something to call: it takes no credential, and no call goes there.
    pub page: Arc<Deployment>,
}

impl Snapshot {
    /// Leave to read a status page: for as long as some key may use some deployment of that vendor.
    ///
    /// # Errors
    /// [`Refusal::Policy`] when no key may.
    pub fn feed_permit(&self, feed: &Feed) -> Result<Permit, Refusal> {
        let of_vendor = self.deployments.iter().filter(|deployment| deployment.endpoint.vendor.name == feed.vendor);
        let mut usable = of_vendor.filter(|deployment| self.policy.usable_by_some_key(deployment.index));
        match usable.next() {
            Some(_) => Ok(Permit::of_feed(feed, self.generation)),
            None => Err(Refusal::Policy(Arc::from([]))),
        }
    }
}
