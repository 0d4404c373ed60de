//! Floor 4: everything that opens a connection to a vendor. Nothing resolves or connects without a [`Permit`].
//!
//! A request's way: [`Connections::send`] proves who we are (`auth`), finds the endpoint's `site`, takes a connection at rest or opens one (`resolve`, `dial`,
//! `tls`), sends the `request` over it (`http1`, under a `guard`; or `http2`, shared through `links`) and gives back the head of the answer with its `body`, which owns
//! the connection until its end.

mod address;
mod auth;
mod body;
mod dial;
mod framing;
mod guard;
mod http1;
mod http2;
mod links;
mod payload;
mod request;
mod resolve;
mod site;
mod stream;
mod tls;

pub use auth::{Tokens, signs};
pub use body::VendorBody;
pub use payload::Upload;
#[cfg(test)]
pub(crate) use resolve::Resolver as SimulatedNetwork;

use crate::base::event::Sink;
use crate::base::failure::Failure;
use crate::snapshot::deployment::{Deployment, Endpoint, Timeouts};
use crate::snapshot::permit::Permit;
use crate::upstream::http1::Wire;
use crate::upstream::http2::{Lease, Told, lock};
use crate::upstream::links::Place;
use crate::upstream::payload::Payload;
use crate::upstream::request::{Outbound, Unanswered};
use crate::upstream::resolve::{Resolver, SystemResolver};
use crate::upstream::site::Site;
use crate::upstream::tls::Tls;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often resting connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long an endpoint's connections are kept after its last use.
const SITE_UNUSED: Duration = Duration::from_secs(300);

/// A request to a vendor.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Path beyond the endpoint's prefix, such as `/chat/completions`.
    pub path: String,
    /// Head fields, without host, credential and framing: those are written here, and dropped where they are found.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// The head of a vendor's answer, and its body to come.
#[derive(Debug)]
pub struct Incoming {
    /// Status; redirects are answers like others, never followed.
    pub status: StatusCode,
    /// Head fields, as they came.
    pub headers: HeaderMap,
    /// Body.
    pub body: VendorBody,
}

/// The connections to all vendors; one of these for each worker thread.
pub struct Connections {
    this: Weak<Self>,
    sink: Arc<dyn Sink>,
    tls: Tls,
    resolver: Arc<dyn Resolver>,
    tokens: Arc<Tokens>,
    sites: Mutex<Sites>,
    sweeping: AtomicBool,
    /// The endpoints that anybody may call, once that is known.
    reachable: Mutex<Option<Reachable>>,
}

/// The endpoints that anybody may call.
pub type Reachable = Arc<[Arc<Endpoint>]>;

/// The sites, found by the endpoint's place in memory, which its weak pointer keeps from being used for another.
#[derive(Default)]
struct Sites {
    by_endpoint: HashMap<usize, (Weak<Endpoint>, Arc<Site>)>,
}

impl Connections {
    /// No connection yet; `sink` learns of certificates that are refused and of shared connections that are lost. `tokens`
    /// are those that all workers share.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>, tokens: Arc<Tokens>) -> Arc<Self> {
        Self::with_resolver(sink, tokens, Arc::new(SystemResolver))
    }

    /// The same with a resolver of the caller's.
    pub(crate) fn with_resolver(sink: Arc<dyn Sink>, tokens: Arc<Tokens>, resolver: Arc<dyn Resolver>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            tls: Tls::new(Arc::clone(&sink)),
            sink,
            resolver,
            tokens,
            sites: Mutex::default(),
            sweeping: AtomicBool::new(false),
            reachable: Mutex::default(),
        })
    }

    /// Keeps no connection at rest at an endpoint that nobody may call any more: whenever it is told anew who may be called, it
    /// closes those at once, and those that still carry something soon after it has ended. Needs a runtime.
    pub fn follow(&self, mut told: watch::Receiver<Reachable>) {
        let this = Weak::clone(&self.this);
        tokio::spawn(async move {
            while told.changed().await.is_ok() {
                let Some(connections) = this.upgrade() else { return };
                *lock(&connections.reachable) = Some(Arc::clone(&told.borrow_and_update()));
                connections.sweep(Instant::now());
            }
        });
    }

    /// Sends one request to the permit's deployment and waits for the head of the answer, as long as `timeouts` say. `fresh`: do not use a connection that
    /// has carried an exchange before. Dropping the future cancels the vendor's work.
    ///
    /// # Errors
    /// The failure with how far the request had come. A connection that was dead before the request left is replaced here, once
    /// and unseen; one that died with the request on it is `stale_conn`, to be resent with `fresh`.
    pub fn send<'a>(
        &'a self,
        permit: &'a Permit,
        request: Outgoing,
        timeouts: &'a Timeouts,
        fresh: bool,
    ) -> impl Future<Output = Result<Box<Incoming>, Failure>> + Send + use<'a> {
        let body = request.body.clone();
        let request = request::assemble(permit.deployment(), request);
        async move { self.prove_and_exchange(permit, request?, &body, timeouts, fresh).await }
    }

    /// The same for a body that comes while it is sent, over a connection of its own: what is lost cannot be sent again.
    /// The body that `request` has itself is left out.
    ///
    /// # Errors
    /// As [`Self::send`]; `malformed` for a deployment whose requests are signed, since a signature covers the whole body.
    pub async fn send_upload(
        &self,
        permit: &Permit,
        request: Outgoing,
        upload: Upload,
        timeouts: &Timeouts,
    ) -> Result<Box<Incoming>, Failure> {
        if signs(permit.deployment()) {
            return Err(request::unsendable("signature"));
        }
        let mut request = request::assemble(permit.deployment(), request)?;
        *request.body_mut() = Payload::Upload(upload);
        self.prove_and_exchange(permit, request, &Bytes::new(), timeouts, true).await
    }

    async fn prove_and_exchange(
        &self,
        permit: &Permit,
        mut request: Outbound,
        body: &Bytes,
        timeouts: &Timeouts,
        fresh: bool,
    ) -> Result<Box<Incoming>, Failure> {
        let deployment = permit.deployment();
        let site = self.site(&deployment.endpoint)?;
        self.keep_sweeping();
        self.prove(permit, &mut request, body).await?;
        let incoming = self.exchange(&site, deployment, request, timeouts, fresh).await?;
        if incoming.status == StatusCode::UNAUTHORIZED {
            self.refused(deployment);
        }
        Ok(incoming)
    }

    /// Sends the request over a connection that is there, or a new one.
    async fn exchange(
        &self,
        site: &Arc<Site>,
        deployment: &Deployment,
        mut request: Outbound,
        timeouts: &Timeouts,
        fresh: bool,
    ) -> Result<Box<Incoming>, Failure> {
        // a request that never left goes over a connection of its own the second time
        for fresh in [fresh, true] {
            let asked = match self.way(site, deployment, timeouts, fresh).await? {
                Way::Wire(wire) => ask_http1(site, wire, request, timeouts.headers).await,
                Way::Stream(lease) => Box::pin(ask_http2(lease, request, timeouts.headers)).await,
            };
            match asked {
                Ok(incoming) => return Ok(incoming),
                Err(Unanswered::Failed(failure)) => return Err(failure),
                Err(Unanswered::Unsent(unsent)) => request = unsent,
            }
        }
        Err(http1::closed_at_once())
    }

    /// Finds or opens a connection for one exchange.
    async fn way(
        &self,
        site: &Arc<Site>,
        deployment: &Deployment,
        timeouts: &Timeouts,
        fresh: bool,
    ) -> Result<Way, Failure> {
        if !site.speaks_http2()
            && !fresh
            && let Some(wire) = site.take()
        {
            return Ok(Way::Wire(wire));
        }
        // what opening a connection takes to remember is large and seldom needed: in a box it burdens no exchange that needs none
        Box::pin(self.new_way(site, deployment, timeouts, fresh)).await
    }

    /// Opens a connection, or finds a stream on one that is shared.
    async fn new_way(
        &self,
        site: &Arc<Site>,
        deployment: &Deployment,
        timeouts: &Timeouts,
        fresh: bool,
    ) -> Result<Way, Failure> {
        let mut opening = None;
        if site.speaks_http2() {
            match site.links().place(fresh).await? {
                Place::Stream(lease) => return Ok(Way::Stream(lease)),
                Place::Open(leave) => opening = Some(leave),
            }
        }
        let (stream, address) = match site.connect(&self.tls, timeouts).await {
            Ok(connected) => connected,
            Err(failure) => return Err(opening.map_or(failure.clone(), |opening| opening.failed(failure))),
        };
        site.chose(stream.chose_http2());
        if !stream.chose_http2() {
            return Ok(Way::Wire(Wire::new(stream, address).await?));
        }
        let opening = opening.unwrap_or_else(|| site.links().opening());
        let told = Told { sink: Arc::clone(&self.sink), deployment: Arc::clone(&deployment.id) };
        Ok(Way::Stream(opening.done(stream, address, told).await?))
    }

    /// The site of an endpoint; after a reload, the one that the same endpoint had before.
    fn site(&self, endpoint: &Arc<Endpoint>) -> Result<Arc<Site>, Failure> {
        let place = Arc::as_ptr(endpoint) as usize;
        let mut sites = lock(&self.sites);
        if let Some((_, site)) = sites.by_endpoint.get(&place) {
            site.touch();
            return Ok(Arc::clone(site));
        }
        let known = sites.by_endpoint.values().find(|(_, site)| site.is(endpoint));
        let site = match known {
            Some((_, site)) => Arc::clone(site),
            None => Arc::new(Site::new(endpoint, &self.tls, Arc::clone(&self.resolver))?),
        };
        site.touch();
        sites.by_endpoint.insert(place, (Arc::downgrade(endpoint), Arc::clone(&site)));
        Ok(site)
    }

    /// Sees to it that resting connections are looked through from time to time, as long as somebody holds `self`.
    fn keep_sweeping(&self) {
        if self.sweeping.swap(true, Ordering::Relaxed) {
            return;
        }
        let this = Weak::clone(&self.this);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                let Some(connections) = this.upgrade() else { return };
                connections.sweep(Instant::now());
            }
        });
    }

    fn sweep(&self, now: Instant) {
        let reachable = lock(&self.reachable).clone();
        let mut sites = lock(&self.sites);
        for (_, site) in sites.by_endpoint.values() {
            let is_reachable = reachable.as_ref().is_none_or(|endpoints| endpoints.iter().any(|one| site.is(one)));
            site.sweep(now, if is_reachable { SITE_UNUSED } else { Duration::ZERO });
        }
        sites.by_endpoint.retain(|_, (endpoint, site)| endpoint.strong_count() > 0 || !site.is_empty());
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// What carries an exchange.
enum Way {
    /// A connection of its own.
    Wire(Box<Wire>),
    /// A stream of a shared one.
    Stream(Lease),
}

async fn ask_http1(
    site: &Arc<Site>,
    mut wire: Box<Wire>,
    request: Outbound,
    within: Duration,
) -> Result<Box<Incoming>, Unanswered> {
    let is_head = request.method() == Method::HEAD;
    let (head, body) = wire.ask(request, within).await?.into_parts();
    let bodiless = is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framed = head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    let body = VendorBody::http1(wire, body, Arc::clone(site), !bodiless && !framed);
    Ok(Box::new(Incoming { status: head.status, headers: head.headers, body }))
}

async fn ask_http2(lease: Lease, request: Outbound, within: Duration) -> Result<Box<Incoming>, Unanswered> {
    let (head, body) = lease.ask(request, within).await?.into_parts();
    Ok(Box::new(Incoming { status: head.status, headers: head.headers, body: VendorBody::http2(lease, body) }))
}

#[cfg(test)]
mod tests;
