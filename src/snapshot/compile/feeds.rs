//! Status pages: where vendors tell how they are.

use super::Compiler;
use crate::config::At;
use crate::config::base_url::{self, BaseUrl};
use crate::snapshot::deployment::{Deployment, Endpoint, Limits, Roots, TimeoutOverrides};
use crate::snapshot::feed::Feed;
use std::sync::Arc;

impl Compiler<'_> {
    /// The status pages of vendors and endpoints that have deployments.
    pub(super) fn feeds(&mut self, deployments: &[Arc<Deployment>]) -> Vec<Feed> {
        let config = &self.sources.config;
        let of_vendors =
            config.vendor.iter().filter_map(|named| Some((&named.name, named.body.as_ref()?.status_url.as_ref()?)));
        let of_endpoints =
            config.endpoint.iter().filter_map(|named| Some((&named.name, named.body.as_ref()?.status_url.as_ref()?)));
        let vendors: Vec<_> = of_vendors.collect();
        let endpoints: Vec<_> = of_endpoints.collect();
        let mut feeds = Vec::new();
        for (name, url) in vendors {
            let of = deployments.iter().find(|deployment| *deployment.endpoint.vendor.name == *name.value);
            feeds.extend(of.and_then(|of| self.feed(of, &of.endpoint.vendor.name, url)));
        }
        for (name, url) in endpoints {
            let of = deployments.iter().find(|deployment| *deployment.endpoint.name == *name.value);
            feeds.extend(of.and_then(|of| self.feed(of, &of.host_key, url)));
        }
        feeds
    }

    fn feed(&mut self, of: &Deployment, node: &Arc<str>, url: &At<String>) -> Option<Feed> {
        let parsed = match base_url::parse(url, false) {
            Ok(parsed) => parsed,
            Err((message, help)) => {
                self.error(&url.place, format!("status_url: {message}"), help);
                return None;
            }
        };
        let vendor = Arc::clone(&of.endpoint.vendor.name);
        let path = Arc::from(parsed.path.as_str());
        Some(Feed { node: Arc::clone(node), path, page: Arc::new(page(of, parsed)), vendor })
    }
}

/// The page as something to call, beside a deployment of its vendor.
fn page(of: &Deployment, url: BaseUrl) -> Deployment {
    let endpoint = Endpoint {
        name: Arc::clone(&of.endpoint.name),
        vendor: Arc::clone(&of.endpoint.vendor),
        tls: url.tls,
        host: Arc::from(url.host.as_str()),
        port: url.port,
        authority: Arc::from(url.authority.as_str()),
        path: Arc::from(""),
        roots: Roots::System,
        allow_private: false,
        http2: false,
        loopback: url.loopback,
        region: Arc::clone(&of.endpoint.region),
        reserved_for: None,
    };
    Deployment {
        index: usize::MAX,
        id: Arc::from(format!("{} status page", of.endpoint.name)),
        health_key: Arc::from(format!("status page {}", url.canonical())),
        host_key: Arc::from(format!("status page {}", url.canonical())),
        endpoint: Arc::new(endpoint),
        model: Arc::from(""),
        region: Arc::clone(&of.region),
        credential: None,
        voice: of.voice.clone(),
        further_voices: Vec::new(),
        limits: Limits::default(),
        rates: of.rates.clone(),
        default_max_tokens: of.default_max_tokens,
        timeouts: of.timeouts,
        own_timeouts: TimeoutOverrides::default(),
        keeps_nothing: false,
    }
}
