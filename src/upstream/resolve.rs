//! Names to addresses: own cache, stale answers while the resolver is down, and every address checked before it is dialled.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::upstream::address::{self, Consent};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Younger answers are used as they are.
const FRESH: Duration = Duration::from_secs(30);
/// Older answers are used only when the resolver does not give a new one.
const OLD: Duration = Duration::from_secs(60);
/// Still older answers are not used at all.
const STALE: Duration = Duration::from_secs(300);
/// The pause after a look-up that failed.
const FAILED: Duration = Duration::from_secs(5);

/// Asks for the addresses of a name.
pub(crate) trait Resolver: Send + Sync {
    /// The addresses of `host`, in order of preference.
    fn look_up(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

    /// A connection to a vendor that a test simulates in this process; `None` to dial the address.
    #[cfg(test)]
    fn simulate(&self, _addresses: &[SocketAddr]) -> Option<io::Result<tokio::io::DuplexStream>> {
        None
    }
}

/// The operating system's resolver, on the runtime's threads for blocking calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn look_up(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let host = (host.to_owned(), 0);
        Box::pin(async move { Ok(tokio::net::lookup_host(host).await?.map(|address| address.ip()).collect()) })
    }
}

/// The addresses of one endpoint.
pub(super) struct Addresses {
    host: Arc<str>,
    port: u16,
    consent: Consent,
    resolver: Arc<dyn Resolver>,
    known: Mutex<Known>,
    /// One look-up at a time.
    looking: tokio::sync::Mutex<()>,
}

/// What is known about a name.
#[derive(Clone, Debug, Default)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When the addresses were learnt.
    learnt: Option<Instant>,
    /// When a look-up failed last, and how.
    failed: Option<(Instant, Failure)>,
    /// Whether a look-up is under way in the background.
    refreshing: bool,
}

/// What to do for a name now.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Use what is known.
    Use,
    /// Use what is known, and look up in the background.
    UseAndRefresh,
    /// Look up, and use what is known if that fails.
    LookUp,
    /// It failed a moment ago, and nothing is known.
    Fail,
}

impl Known {
    fn plan(&self, now: Instant) -> Plan {
        let age = self.learnt.map(|learnt| now.saturating_duration_since(learnt));
        let failed_lately =
            self.failed.as_ref().is_some_and(|(failed, _)| now.saturating_duration_since(*failed) < FAILED);
        match age {
            Some(age) if age < FRESH => Plan::Use,
            Some(age) if age < STALE && (failed_lately || self.refreshing) => Plan::Use,
            Some(age) if age < OLD => Plan::UseAndRefresh,
            Some(age) if age < STALE && self.failed.is_some() => Plan::UseAndRefresh,
            _ if failed_lately => Plan::Fail,
            _ => Plan::LookUp,
        }
    }

    fn is_usable(&self, now: Instant) -> bool {
        self.learnt.is_some_and(|learnt| now.saturating_duration_since(learnt) < STALE)
    }
}

impl Addresses {
    /// The addresses of `host`, not yet looked up.
    pub(super) fn new(host: Arc<str>, port: u16, consent: Consent, resolver: Arc<dyn Resolver>) -> Arc<Self> {
        let (known, looking) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { host, port, consent, resolver, known, looking })
    }

    /// The addresses that may be dialled, at least one.
    ///
    /// # Errors
    /// `dns_error` when there is none, `dns_denied` when there are only such as must not be dialled.
    pub(super) async fn get(self: &Arc<Self>, within: Duration) -> Result<Arc<[SocketAddr]>, Failure> {
        if let Ok(literal) = self.host.parse::<IpAddr>() {
            return self.checked(&[literal]);
        }
        if let Some(decided) = self.decide() {
            return decided;
        }
        let found = tokio::time::timeout(within, async {
            let _one = self.looking.lock().await;
            match self.decide() {
                Some(decided) => decided,
                None => self.look_up().await,
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => self.learn(Err(dns_error("timeout"))),
        }
    }

    /// See [`Resolver::simulate`].
    #[cfg(test)]
    pub(super) fn simulate(&self, addresses: &[SocketAddr]) -> Option<io::Result<tokio::io::DuplexStream>> {
        self.resolver.simulate(addresses)
    }

    /// Looks up again in the background when that is due: connections in steady use would otherwise never learn of a move.
    pub(super) fn refresh(self: &Arc<Self>, now: Instant) {
        let mut known = self.known();
        if known.learnt.is_some() && matches!(known.plan(now), Plan::UseAndRefresh | Plan::LookUp) {
            self.refresh_known(&mut known);
        }
    }

    fn refresh_known(self: &Arc<Self>, known: &mut Known) {
        known.refreshing = true;
        let this = Arc::clone(self);
        tokio::spawn(async move { this.look_up().await });
    }

    /// The addresses known now, whatever their age: idle connections elsewhere are not used any more.
    pub(super) fn is_withdrawn(&self, address: SocketAddr) -> bool {
        let known = self.known();
        known.learnt.is_some() && !known.addresses.contains(&address)
    }

    /// An answer without a look-up, where there is one.
    fn decide(self: &Arc<Self>) -> Option<Result<Arc<[SocketAddr]>, Failure>> {
        let mut known = self.known();
        match known.plan(Instant::now()) {
            Plan::Use => {}
            Plan::UseAndRefresh => self.refresh_known(&mut known),
            Plan::LookUp => return None,
            Plan::Fail => {
                return known.failed.as_ref().map(|(_, failure)| Err(failure.clone()));
            }
        }
        Some(Ok(Arc::clone(&known.addresses)))
    }

    async fn look_up(&self) -> Result<Arc<[SocketAddr]>, Failure> {
        let found = match self.resolver.look_up(&self.host).await {
            Ok(found) if found.is_empty() => Err(dns_error("empty")),
            Ok(found) => self.checked(&found),
            Err(_) => Err(dns_error("resolver")),
        };
        self.learn(found)
    }

    /// Keeps what a look-up found. A failure is answered from what is known, for a while; a denial never is.
    fn learn(&self, found: Result<Arc<[SocketAddr]>, Failure>) -> Result<Arc<[SocketAddr]>, Failure> {
        let now = Instant::now();
        let mut known = self.known();
        known.refreshing = false;
        match found {
            Ok(addresses) => {
                *known = Known { addresses: Arc::clone(&addresses), learnt: Some(now), ..Known::default() };
                Ok(addresses)
            }
            Err(failure) => {
                known.failed = Some((now, failure.clone()));
                if failure.kind == FailureKind::DnsDenied {
                    known.learnt = None;
                }
                if known.is_usable(now) { Ok(Arc::clone(&known.addresses)) } else { Err(failure) }
            }
        }
    }

    /// Those of `found` that may be dialled.
    fn checked(&self, found: &[IpAddr]) -> Result<Arc<[SocketAddr]>, Failure> {
        let mut denied = "unusable";
        let allowed: Vec<SocketAddr> = found
            .iter()
            .filter(|address| address::check(**address, self.consent).inspect_err(|class| denied = class).is_ok())
            .map(|address| SocketAddr::new(*address, self.port))
            .collect();
        if allowed.is_empty() {
            return Err(Failure::new(FailureKind::DnsDenied, Phase::Connect, denied));
        }
        Ok(allowed.into())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dns_error(reason: &'static str) -> Failure {
    Failure::new(FailureKind::DnsError, Phase::Connect, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_004_f_008_answers_age_from_fresh_to_unusable() {
        let learnt = Instant::now();
        let after = |seconds| learnt + Duration::from_secs(seconds);
        let failed = |seconds| Some((after(seconds), dns_error("resolver")));
        let known = |failed, refreshing| Known { learnt: Some(learnt), failed, refreshing, ..Known::default() };
        let unknown = |failed| Known { failed, ..Known::default() };
        let cases = [
            ("never asked", unknown(None), 0, Plan::LookUp),
            ("failed a moment ago", unknown(failed(0)), 4, Plan::Fail),
            ("failed a while ago", unknown(failed(0)), 6, Plan::LookUp),
            ("fresh", known(None, false), 29, Plan::Use),
            ("due", known(None, false), 31, Plan::UseAndRefresh),
            ("due, and asked already", known(None, true), 31, Plan::Use),
            ("long unused", known(None, false), 61, Plan::LookUp),
            ("the resolver is down", known(failed(58), false), 61, Plan::Use),
            ("the resolver was down", known(failed(58), false), 64, Plan::UseAndRefresh),
            ("the resolver is down for good", known(failed(299), false), 301, Plan::Fail),
            ("the resolver was down for good", known(failed(200), false), 301, Plan::LookUp),
        ];
        for (name, known, seconds, plan) in cases {
            assert_eq!(known.plan(after(seconds)), plan, "{name}");
        }
    }
}
