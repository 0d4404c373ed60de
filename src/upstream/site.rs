//! What is kept of one endpoint between exchanges: its addresses, its TLS configuration and its connections.

use crate::base::failure::Failure;
#[cfg(test)]
use crate::base::failure::{FailureKind, Phase};
use crate::snapshot::deployment::{Endpoint, Roots, Timeouts};
use crate::upstream::address::Consent;
use crate::upstream::dial::dial;
use crate::upstream::http1::Wire;
use crate::upstream::links::Links;
use crate::upstream::resolve::{Addresses, Resolver};
use crate::upstream::stream::Stream;
use crate::upstream::tls::{Tls, same_roots};
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most connections at rest.
const RESTING: usize = 512;

/// One endpoint as we connect to it. Credentials make no difference: they go out with each request.
pub(super) struct Site {
    host: Arc<str>,
    port: u16,
    roots: Roots,
    consent: Consent,
    http2: bool,
    /// `None` for plain HTTP.
    config: Option<Arc<ClientConfig>>,
    addresses: Arc<Addresses>,
    /// Connections at rest, the last used one last.
    resting: Mutex<VecDeque<Box<Wire>>>,
    /// Connections over HTTP/2, used as long as the vendor chooses it.
    links: Arc<Links>,
    speaks_http2: AtomicBool,
    last_used: Mutex<Instant>,
}

impl Site {
    /// An endpoint that was not connected to yet.
    ///
    /// # Errors
    /// `tls_error` when no roots can be had.
    pub(super) fn new(endpoint: &Endpoint, tls: &Tls, resolver: Arc<dyn Resolver>) -> Result<Self, Failure> {
        let consent = consent(endpoint);
        let config = if endpoint.tls { Some(tls.config(&endpoint.roots, endpoint.http2)?) } else { None };
        Ok(Self {
            host: Arc::clone(&endpoint.host),
            port: endpoint.port,
            roots: endpoint.roots.clone(),
            consent,
            http2: endpoint.http2,
            config,
            addresses: Addresses::new(Arc::clone(&endpoint.host), endpoint.port, consent, resolver),
            resting: Mutex::default(),
            links: Arc::default(),
            speaks_http2: AtomicBool::new(endpoint.http2 && endpoint.tls),
            last_used: Mutex::new(Instant::now()),
        })
    }

    /// Whether `endpoint` is connected to in this very way.
    pub(super) fn is(&self, endpoint: &Endpoint) -> bool {
        self.host == endpoint.host
            && self.port == endpoint.port
            && self.http2 == endpoint.http2
            && self.config.is_some() == endpoint.tls
            && self.consent == consent(endpoint)
            && same_roots(&self.roots, &endpoint.roots)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// What went wrong, in the phase `Connect`.
    pub(super) async fn connect(&self, tls: &Tls, timeouts: &Timeouts) -> Result<(Stream, SocketAddr), Failure> {
        let begun = Instant::now();
        let addresses = self.addresses.get(timeouts.connect).await?;
        #[cfg(test)]
        if let Some(simulated) = self.addresses.simulate(&addresses) {
            let address = addresses.first().copied().unwrap_or_else(|| SocketAddr::new([0; 4].into(), 0));
            return simulated
                .map(|pipe| (Stream::Simulated(pipe), address))
                .map_err(|_| Failure::new(FailureKind::ConnectRefused, Phase::Connect, "simulated"));
        }
        let left = timeouts.handshake.saturating_sub(begun.elapsed());
        let socket = dial(&addresses, timeouts.connect.min(left)).await?;
        let address = socket.peer_addr().unwrap_or_else(|_| SocketAddr::new([0; 4].into(), 0));
        let Some(config) = &self.config else { return Ok((Stream::Plain(socket), address)) };
        let left = timeouts.handshake.saturating_sub(begun.elapsed());
        let stream = tls.handshake(config, &self.host, socket, left).await?;
        Ok((Stream::Tls(Box::new(stream)), address))
    }

    /// A connection at rest that may be used, the last used one first; those that may not are closed.
    pub(super) fn take(&self) -> Option<Box<Wire>> {
        let now = Instant::now();
        loop {
            let mut wire = self.resting().pop_back()?;
            if !wire.is_expired(now) && !self.addresses.is_withdrawn(wire.address) && wire.is_usable() {
                return Some(wire);
            }
        }
    }

    /// Lays a connection to rest, if it may be used again.
    pub(super) fn put(&self, mut wire: Box<Wire>) {
        if wire.is_reusable() {
            wire.rest();
            let mut resting = self.resting();
            resting.push_back(wire);
            if resting.len() > RESTING {
                resting.pop_front();
            }
        }
    }

    /// Closes connections that have rested long enough, all of them when the endpoint was not used `within`.
    pub(super) fn sweep(&self, now: Instant, within: Duration) {
        let unused = now.saturating_duration_since(*self.last_used()) >= within;
        self.links.sweep(now, unused, |address| self.addresses.is_withdrawn(address));
        self.resting().retain(|wire| !unused && !wire.is_expired(now) && !self.addresses.is_withdrawn(wire.address));
    }

    /// Whether no connection is kept here.
    pub(super) fn is_empty(&self) -> bool {
        self.resting().is_empty() && self.links.is_empty()
    }

    /// Whether HTTP/2 is what the vendor chooses, as far as we know.
    pub(super) fn speaks_http2(&self) -> bool {
        self.speaks_http2.load(Ordering::Relaxed)
    }

    /// Notes what the vendor chose.
    pub(super) fn chose(&self, http2: bool) {
        self.speaks_http2.store(http2, Ordering::Relaxed);
    }

    /// The HTTP/2 connections.
    pub(super) fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Notes that the endpoint is in use.
    pub(super) fn touch(&self) {
        let now = Instant::now();
        *self.last_used() = now;
        self.addresses.refresh(now);
    }

    fn resting(&self) -> MutexGuard<'_, VecDeque<Box<Wire>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_used(&self) -> MutexGuard<'_, Instant> {
        self.last_used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the endpoint's config consents to.
fn consent(endpoint: &Endpoint) -> Consent {
    Consent { loopback: endpoint.loopback, private: endpoint.allow_private }
}
