//! Operational log lines, on standard error: what a person who runs Backstay wants to be told.

use crate::base::event::Event;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;

/// Tells of each refused certificate as an error; we tell of each host once a minute, and count the rest.
const TOLD_ELSEWHERE: &str = "rustls_platform_verifier=off";

/// Sets the process's log up: JSON lines, or lines for people.
///
/// `level` is `error`, `warn`, `info`, `debug` or `trace`, or a filter as in `info,backstay::upstream=debug`.
///
/// # Errors
/// What is wrong with `level`; or that a log was set up before.
pub fn init(json: bool, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(format!("{TOLD_ELSEWHERE},{level}"))
        .map_err(|error| format!("the log level {level:?} is not one: {error}; try error, warn, info or debug"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set_up = if json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.compact().with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    set_up.map_err(|error| format!("the log cannot be set up: {error}"))
}

/// Tells what a person should know of an event. `alert` says whether a host's certificate is worth another line.
pub(super) fn tell(event: &Event, alert: impl FnOnce(&str) -> bool) {
    match event {
        Event::Breaker { node, to, reason } if *to == "open" => {
            tracing::warn!(%node, %reason, "a breaker opened");
        }
        Event::Breaker { node, to, reason } => tracing::info!(%node, %to, %reason, "a breaker changed"),
        Event::Isolated { began: true } => {
            tracing::error!("no vendor can be reached: the fault is probably on our side (network, DNS, descriptors)");
        }
        Event::Isolated { began: false } => tracing::warn!("vendors can be reached again"),
        Event::VendorReport { vendor, report } => tracing::warn!(%vendor, %report, "a vendor's status page changed"),
        Event::Reload { accepted: true, generation, digest, diagnostics } => {
            tracing::info!(generation, %digest, "a new configuration serves");
            diagnostics.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        Event::Reload { accepted: false, generation, diagnostics, .. } => {
            tracing::error!(generation, "the new configuration is refused; the old one goes on serving");
            diagnostics.iter().for_each(|diagnostic| tracing::error!("{diagnostic}"));
        }
        Event::Restriction { restriction, began: true, by } => {
            let (id, cause) = (&restriction.id, restriction.cause.label());
            let (reach, reason) = (&restriction.reach, &restriction.reason);
            tracing::error!(%id, %cause, %reach, %reason, %by, "restricted: it is not asked until it is released");
        }
        Event::Restriction { restriction, began: false, by } => {
            let (id, cause, reach) = (&restriction.id, restriction.cause.label(), &restriction.reach);
            tracing::warn!(%id, %cause, %reach, %by, "released: it may be asked again");
        }
        Event::QuotaSpent { credential, spent: true } => {
            tracing::error!(%credential, "the vendor says that this credential's money or quota is spent");
        }
        Event::QuotaSpent { credential, spent: false } => {
            tracing::info!(%credential, "this credential is answered again, or no longer used");
        }
        Event::Surge { surge, began: true } => {
            let (pool, deployment) = (&surge.pool, &surge.deployment);
            let instead = surge.instead.as_deref().unwrap_or("nobody");
            tracing::warn!(%pool, %deployment, %instead, "too expensive: {surge}");
        }
        Event::Surge { surge, began: false } => {
            let (pool, deployment) = (&surge.pool, &surge.deployment);
            tracing::info!(%pool, %deployment, "affordable again: {surge}");
        }
        Event::Operator { action, by } => tracing::warn!(%action, %by, "an operator acts"),
        Event::VendorCertificate { host, reason } => {
            if alert(host) {
                tracing::error!(%host, %reason, "a vendor's certificate is refused; its deployments are not used");
            }
        }
        Event::UpstreamConnectionLost { deployment, class } => {
            tracing::info!(%deployment, %class, "a connection of several streams broke");
        }
        Event::Drain { left, done: false } => tracing::info!(left, "draining: finishing what is under way"),
        Event::Drain { left: 0, done: true } => tracing::info!("drained"),
        Event::Drain { left, done: true } => tracing::warn!(left, "the drain's time is over; some streams were cut"),
        Event::Probe { node, failure: Some(kind) } => tracing::debug!(%node, class = kind.class(), "a probe failed"),
        Event::Probe { node, failure: None } => tracing::debug!(%node, "a probe went well"),
        Event::TlsFailed { side, reason } => tracing::debug!(%side, %reason, "a TLS handshake failed"),
        Event::Budget { account, spent: true } => tracing::warn!(%account, "a budget is spent"),
        Event::Budget { account, spent: false } => tracing::info!(%account, "calls fit into a budget again"),
        Event::Ledger { failing: Some(why) } => tracing::error!(%why, "the ledger cannot be written; leases go on"),
        Event::Ledger { failing: None } => tracing::warn!("the ledger is written again"),
        Event::Ids { failing: Some(why) } => tracing::error!(%why, "the register of vendors' ids cannot be written"),
        Event::Ids { failing: None } => tracing::warn!("the register of vendors' ids is written again"),
        Event::RetryBudgetDenied { pool } => tracing::debug!(%pool, "the retry budget is spent"),
        Event::Continuation { pool, outcome } => tracing::debug!(%pool, outcome, "a stream broke"),
        Event::Hedge { pool, outcome } => tracing::debug!(%pool, outcome = outcome.label(), "a slow call"),
        Event::LimitRejected { limit } => tracing::debug!(%limit, "a limit refused something"),
        Event::Exchange(_) => {}
    }
}

/// Lets one line a minute through for each name.
#[derive(Default)]
pub(super) struct OncePerMinute {
    last: Mutex<HashMap<Box<str>, Instant>>,
}

impl OncePerMinute {
    pub(super) fn allows(&self, name: &str, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = last.get(name).is_some_and(|then| now.duration_since(*then) < Duration::from_secs(60));
        if !recent {
            last.insert(name.into(), now);
        }
        !recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_worth_one_line_a_minute() {
        let (hosts, start) = (OncePerMinute::default(), Instant::now());
        assert!(hosts.allows("api.openai.com", start));
        assert!(!hosts.allows("api.openai.com", start + Duration::from_secs(59)));
        assert!(hosts.allows("api.anthropic.com", start + Duration::from_secs(59)));
        assert!(hosts.allows("api.openai.com", start + Duration::from_secs(60)));
    }

    #[test]
    fn a_wrong_level_is_named_with_what_to_try() {
        let error = init(true, "loud=very").unwrap_err();
        assert!(error.contains("loud=very") && error.contains("try error, warn, info or debug"), "{error}");
    }
}
