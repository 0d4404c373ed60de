//! What is counted of an exchange: some ten counters, resolved when a snapshot is installed, for every request that
//! comes.

use crate::base::event::{AttemptRecord, Counted, ExchangeRecord, Outcome};
use crate::base::failure::FailureKind;
use crate::base::rejection::Refusal;
use crate::dialect::Dialect;
use crate::observe::families::{Counters, Seconds};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use prometheus::{Error, Histogram, IntCounter, Registry};
use std::collections::HashMap;
use std::sync::Arc;

/// Where a name counts that no snapshot gives: a label value is never a client's invention.
const OTHER: &str = "other";

/// From a short answer of a small model to a long reasoning stream.
const ANSWER_SECONDS: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Closest where failover decides.
const CONTENT_SECONDS: [f64; 14] = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0, 120.0];

/// The families that exchanges count in.
struct Families {
    requests: Counters<3>,
    request_seconds: Seconds,
    attempts: Counters<2>,
    first_content_seconds: Seconds,
    failovers: Counters<2>,
    streams_aborted: Counters<2>,
    events_skipped: Counters<1>,
    clients_gone: Counters<1>,
    policy_denied: Counters<1>,
    shed: Counters<2>,
    tokens: Counters<2>,
    cost_microusd: Counters<1>,
    key_cost_microusd: Counters<1>,
}

/// Counts exchanges.
pub(super) struct Exchanges {
    families: Families,
    handles: ArcSwap<Handles>,
}

impl Exchanges {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let families = Families::new(registry)?;
        let handles = ArcSwap::from_pointee(Handles::new(&families, [], [], []));
        Ok(Self { families, handles })
    }

    /// Learns the names that may become label values.
    pub(super) fn install(&self, snapshot: &Snapshot) {
        let pools = snapshot.pools.values().map(|pool| &pool.name);
        let deployments = snapshot.deployments.iter().map(|deployment| &deployment.id);
        let keys = snapshot.keys.by_name.keys();
        self.learn(pools, deployments, keys);
    }

    fn learn<'a>(
        &self,
        pools: impl IntoIterator<Item = &'a Arc<str>>,
        deployments: impl IntoIterator<Item = &'a Arc<str>>,
        keys: impl IntoIterator<Item = &'a Arc<str>>,
    ) {
        self.handles.store(Arc::new(Handles::new(&self.families, pools, deployments, keys)));
    }

    pub(super) fn count(&self, record: &ExchangeRecord) {
        let handles = self.handles.load();
        let pool = handles.pool(&record.pool);
        match (record.outcome, pool.served.get(record.dialect)) {
            (Outcome::Served, Some(served)) => served.inc(),
            (outcome, _) => self.families.requests.with([&pool.name, record.dialect, outcome.label()]).inc(),
        }
        match record.outcome {
            Outcome::Served => pool.seconds.observe(record.took.as_secs_f64()),
            Outcome::ClientGone(phase) => self.families.clients_gone.with([phase.label()]).inc(),
            Outcome::Broken(kind) => {
                let deployment = record.served_by.as_ref().map_or(OTHER, |id| &handles.deployment(id).name);
                self.families.streams_aborted.with([deployment, kind.class()]).inc();
            }
            Outcome::Rejected(_) | Outcome::VendorRefused => {}
        }
        record.denied_by.iter().for_each(|rule| self.families.policy_denied.with([rule]).inc());
        for one in &record.grounds.considered {
            if let Some(Refusal::Headroom { .. }) = one.refusal {
                self.families.shed.with([&handles.deployment(&one.deployment).name, "predicted_429"]).inc();
            }
        }
        self.count_attempts(&record.attempts, pool, &handles);
        if let Some(cost) = record.cost {
            handles.key_cost(&record.key).inc_by(cost.0);
        }
    }

    fn count_attempts(&self, attempts: &[AttemptRecord], pool: &PoolHandles, handles: &Handles) {
        for (position, attempt) in attempts.iter().enumerate() {
            let deployment = handles.deployment(&attempt.deployment);
            match attempt.failure {
                None => deployment.attempts_ok.inc(),
                Some(kind) => {
                    self.families.attempts.with([&deployment.name, kind.class()]).inc();
                    let moved = attempts.get(position + 1).is_some_and(|next| next.deployment != attempt.deployment);
                    if moved && kind != FailureKind::HedgeLost {
                        self.families.failovers.with([&pool.name, kind.class()]).inc();
                    }
                }
            }
            if let Some(wait) = attempt.first_content {
                deployment.first_content_seconds.observe(wait.as_secs_f64());
            }
            if attempt.events_skipped > 0 {
                let skipped = self.families.events_skipped.with([&deployment.name]);
                skipped.inc_by(attempt.events_skipped.into());
            }
            count_spending(attempt, deployment);
        }
    }
}

/// Tokens and money count where the work was done, whoever served in the end.
fn count_spending(attempt: &AttemptRecord, deployment: &DeploymentHandles) {
    if let Some(tokens) = attempt.tokens.filter(|_| attempt.counted != Counted::Estimated) {
        let counts = [tokens.input, tokens.cached, tokens.cache_written, tokens.output, tokens.reasoning];
        let counted = deployment.tokens.iter().zip(counts).filter(|(_, count)| *count > 0);
        counted.for_each(|(kind, count)| kind.inc_by(count));
    }
    if let Some(cost) = attempt.cost {
        deployment.cost_microusd.inc_by(cost.0);
    }
}

impl Families {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let r = registry;
        let class = ["deployment", "class"];
        Ok(Self {
            requests: Counters::new(r, "requests_total", "Exchanges by outcome", ["pool", "dialect", "outcome"])?,
            request_seconds: Seconds::new(
                r,
                "request_seconds",
                "From a request's arrival to the end of its answer, of exchanges that were served",
                "pool",
                &ANSWER_SECONDS,
            )?,
            attempts: Counters::new(r, "attempts_total", "Attempts by outcome class", class)?,
            first_content_seconds: Seconds::new(
                r,
                "ttft_seconds",
                "From an attempt's start to its first content",
                "deployment",
                &CONTENT_SECONDS,
            )?,
            failovers: Counters::new(r, "failovers_total", "Moves to another deployment, by why", ["pool", "class"])?,
            streams_aborted: Counters::new(r, "stream_aborted_total", "Streams broken after content went out", class)?,
            events_skipped: Counters::new(
                r,
                "stream_events_skipped_total",
                "Events of streams that were no JSON and were left out",
                ["deployment"],
            )?,
            clients_gone: Counters::new(r, "client_gone_total", "Clients that left before the end", ["phase"])?,
            policy_denied: Counters::new(r, "policy_denied_total", "Exchanges that a rule narrowed", ["rule"])?,
            shed: Counters::new(
                r,
                "shed_total",
                "Exchanges that passed a deployment over before it had to refuse them",
                ["deployment", "reason"],
            )?,
            tokens: Counters::new(r, "tokens_total", "Tokens as vendors counted them", ["deployment", "kind"])?,
            cost_microusd: Counters::new(r, "cost_microusd_total", "Micro-dollars by who served", ["deployment"])?,
            key_cost_microusd: Counters::new(r, "key_cost_microusd_total", "Micro-dollars by who asked", ["key"])?,
        })
    }
}

/// Kinds of tokens in the order of the fields of `Tokens`: `reasoning` lies within `output`, the others do not overlap.
const TOKEN_KINDS: [&str; 5] = ["input", "cached", "cache_written", "output", "reasoning"];

/// Counters of the names that a snapshot gives, so that counting looks nothing up in Prometheus' own maps.
struct Handles {
    pools: HashMap<Arc<str>, PoolHandles>,
    deployments: HashMap<Arc<str>, DeploymentHandles>,
    key_costs: HashMap<Arc<str>, IntCounter>,
    other_pool: PoolHandles,
    other_deployment: DeploymentHandles,
    other_key_cost: IntCounter,
}

struct PoolHandles {
    name: Arc<str>,
    /// By dialect.
    served: HashMap<&'static str, IntCounter>,
    seconds: Histogram,
}

struct DeploymentHandles {
    name: Arc<str>,
    attempts_ok: IntCounter,
    first_content_seconds: Histogram,
    tokens: [IntCounter; TOKEN_KINDS.len()],
    cost_microusd: IntCounter,
}

impl Handles {
    fn new<'a>(
        families: &Families,
        pools: impl IntoIterator<Item = &'a Arc<str>>,
        deployments: impl IntoIterator<Item = &'a Arc<str>>,
        keys: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Self {
        let other = Arc::from(OTHER);
        let key_cost = |name: &str| families.key_cost_microusd.with([name]);
        Self {
            pools: pools.into_iter().map(|name| (name.clone(), PoolHandles::new(families, name))).collect(),
            deployments: deployments
                .into_iter()
                .map(|name| (name.clone(), DeploymentHandles::new(families, name)))
                .collect(),
            key_costs: keys.into_iter().map(|name| (name.clone(), key_cost(name))).collect(),
            other_pool: PoolHandles::new(families, &other),
            other_deployment: DeploymentHandles::new(families, &other),
            other_key_cost: key_cost(OTHER),
        }
    }

    fn pool(&self, name: &str) -> &PoolHandles {
        self.pools.get(name).unwrap_or(&self.other_pool)
    }

    fn deployment(&self, id: &str) -> &DeploymentHandles {
        self.deployments.get(id).unwrap_or(&self.other_deployment)
    }

    fn key_cost(&self, name: &str) -> &IntCounter {
        self.key_costs.get(name).unwrap_or(&self.other_key_cost)
    }
}

impl PoolHandles {
    fn new(families: &Families, name: &Arc<str>) -> Self {
        let served = |dialect: Dialect| families.requests.with([name, dialect.name(), Outcome::Served.label()]);
        let spoken = Dialect::ALL.into_iter().filter(|dialect| dialect.has_clients());
        Self {
            name: Arc::clone(name),
            served: spoken.map(|dialect| (dialect.name(), served(dialect))).collect(),
            seconds: families.request_seconds.with(name),
        }
    }
}

impl DeploymentHandles {
    fn new(families: &Families, name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            attempts_ok: families.attempts.with([name, "ok"]),
            first_content_seconds: families.first_content_seconds.with(name),
            tokens: TOKEN_KINDS.map(|kind| families.tokens.with([name, kind])),
            cost_microusd: families.cost_microusd.with([name]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::GonePhase;
    use crate::base::event::{Grounds, Whom};
    use crate::base::money::Microusd;
    use crate::base::tokens::Tokens;
    use prometheus::TextEncoder;
    use std::time::Duration;

    const TOKENS: Tokens = Tokens { input: 10, cached: 5, cache_written: 0, output: 7, reasoning: 3 };

    fn exchanges() -> (Exchanges, Registry) {
        let registry = Registry::new();
        let exchanges = Exchanges::new(&registry).unwrap();
        exchanges.learn([&"smart".into()], [&"openai/gpt".into(), &"anthropic/claude".into()], [&"app".into()]);
        (exchanges, registry)
    }

    fn attempt(deployment: &str, failure: Option<FailureKind>) -> AttemptRecord {
        AttemptRecord {
            whom: Whom::default(),
            deployment: deployment.into(),
            failure,
            reason: "".into(),
            status: 200,
            took: Duration::from_millis(100),
            first_content: failure.is_none().then_some(Duration::from_millis(40)),
            hedge: false,
            maybe_billed: true,
            events_skipped: 0,
            tokens: failure.is_none().then_some(TOKENS),
            counted: if failure.is_none() { Counted::Vendor } else { Counted::Nothing },
            cost: failure.is_none().then_some(Microusd(250)),
        }
    }

    fn record(outcome: Outcome) -> ExchangeRecord {
        ExchangeRecord {
            grounds: Grounds::default(),
            request_id: "r".to_owned(),
            key: "app".into(),
            dialect: "openai_chat",
            pool: "smart".into(),
            model: "gpt-5.5".to_owned(),
            served_by: Some("anthropic/claude".into()),
            outcome,
            status: 200,
            streamed: true,
            attempts: vec![
                attempt("openai/gpt", Some(FailureKind::StaleConn)),
                attempt("openai/gpt", Some(FailureKind::ServerError)),
                attempt("anthropic/claude", None),
            ],
            tokens: Some(TOKENS),
            cost: Some(Microusd(250)),
            bytes_in: 0,
            bytes_out: 0,
            took: Duration::from_millis(200),
            denied_by: vec!["residency".into()],
            policy: "".into(),
        }
    }

    fn text(registry: &Registry) -> String {
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn an_exchange_counts_where_it_happened() {
        let (exchanges, registry) = exchanges();
        exchanges.count(&record(Outcome::Served));
        exchanges.count(&record(Outcome::Broken(FailureKind::Truncated)));
        exchanges.count(&record(Outcome::ClientGone(GonePhase::Stream)));
        let text = text(&registry);
        for expected in [
            r#"requests_total{dialect="openai_chat",outcome="served",pool="smart"} 1"#,
            r#"requests_total{dialect="openai_chat",outcome="broken",pool="smart"} 1"#,
            r#"attempts_total{class="ok",deployment="anthropic/claude"} 3"#,
            r#"attempts_total{class="stale_conn",deployment="openai/gpt"} 3"#,
            r#"failovers_total{class="server_error",pool="smart"} 3"#,
            r#"stream_aborted_total{class="truncated",deployment="anthropic/claude"} 1"#,
            r#"client_gone_total{phase="stream"} 1"#,
            r#"policy_denied_total{rule="residency"} 3"#,
            r#"tokens_total{deployment="anthropic/claude",kind="output"} 21"#,
            r#"backstay_cost_microusd_total{deployment="anthropic/claude"} 750"#,
            r#"key_cost_microusd_total{key="app"} 750"#,
            r#"ttft_seconds_count{deployment="anthropic/claude"} 3"#,
            r#"request_seconds_count{pool="smart"} 1"#,
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains(r#"failovers_total{class="stale_conn""#), "a resend is not a failover");
    }

    #[test]
    fn f_133_strange_names_make_no_series() {
        let (exchanges, registry) = exchanges();
        let strange = |number: usize| ExchangeRecord {
            key: format!("key{number}").into(),
            pool: format!("pool{number}").into(),
            model: format!("model{number}"),
            served_by: Some(format!("vendor{number}/m").into()),
            attempts: vec![attempt(&format!("vendor{number}/m"), Some(FailureKind::Empty))],
            ..record(Outcome::Served)
        };
        exchanges.count(&strange(0));
        let series = text(&registry).lines().count();
        (1..10_000).for_each(|number| exchanges.count(&strange(number)));
        let text = text(&registry);
        assert_eq!(text.lines().count(), series);
        assert!(text.contains(r#"attempts_total{class="empty",deployment="other"} 10000"#), "{text}");
    }
}
