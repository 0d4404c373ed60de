//! Floor 5: active checks. They carry nothing of a client, and go only where some key may send its calls.
//!
//! By default they are free: a TLS handshake and the vendor's model listing tell whether a host answers and takes the
//! credential. They cannot tell whether a model answers, so they only shorten the wait of an open breaker; its trial is a
//! real call. A paid probe, where a pool asks for one, is a call of a few tokens and closes the breaker itself.

mod feeds;

use crate::base::event::Event;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::Call;
use crate::call::turn::{Content, Role, Turn};
use crate::dialect::{models, signals, translate};
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::snapshot::pool::{Pool, ProbeKind};
use crate::state::clock::Clock;
use crate::state::restrictions::Listing;
use crate::state::world::{State, World};
use crate::upstream::{Connections, Outgoing};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The pause between two looks at which probes are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a probe may take in all.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a probe's answer that are read.
const ANSWER_BYTES: usize = 1 << 20;
/// The most tokens that a paid probe buys: no less than the least cap that any wire format allows.
const PAID_ANSWER_TOKENS: u64 = 16;

/// Watches, probes, and reads status pages for ever.
pub async fn run(state: Arc<State>, connections: Arc<Connections>) {
    tokio::join!(watch(&state), probe_all(&state, &connections), feeds::run(&state, &connections));
}

/// Looks for what no single attempt tells.
async fn watch(state: &State) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        state.health.watch(state.clock.now());
    }
}

/// Probes: each host and credential once per `probe.every`, counted from the last probe.
async fn probe_all(state: &State, connections: &Connections) {
    let mut asked = std::collections::HashMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY.mul_f64(state.random.around_one(0.2))).await;
        let world = state.world();
        let now = state.clock.now();
        let mut due = Vec::new();
        for (pool, deployment) in targets(&world) {
            let last = asked.entry(target_key(deployment)).or_insert(now);
            let urgent = state.restrictions.suspects(deployment) || state.health.is_isolated();
            let pause = if urgent { LOOK_EVERY } else { pool.probe.every };
            if now.since(*last) >= pause {
                *last = now;
                due.push((Arc::clone(pool), Arc::clone(deployment)));
            }
        }
        renew(state, &world, connections).await;
        for (pool, deployment) in due {
            probe(state, &world, connections, &pool, &deployment).await;
        }
    }
}

/// Fetches tokens whose time has come, before a call has to wait for them; only where some key may use the deployment, and
/// nothing restricts it.
async fn renew(state: &State, world: &World, connections: &Connections) {
    for deployment in world.snapshot.deployments.iter().filter(|deployment| connections.is_renewal_due(deployment)) {
        let Ok(permit) = state.world().snapshot.probe_permit(deployment) else { continue };
        if state.restrictions.refuses_probe(deployment).is_some() {
            continue;
        }
        if let Err(failure) = connections.renew(&permit).await {
            state.sink.emit(Event::Probe { node: Arc::clone(&deployment.host_key), failure: Some(failure.kind) });
        }
    }
}

/// One deployment for each host and credential that some pool wants probed, and that nothing restricts.
fn targets(world: &World) -> Vec<(&Arc<Pool>, &Arc<Deployment>)> {
    let mut seen = HashSet::new();
    let mut pools: Vec<_> = world.snapshot.pools.values().collect();
    pools.sort_by(|left, right| left.name.cmp(&right.name));
    pools
        .into_iter()
        .filter(|pool| pool.probe.kind != ProbeKind::Off)
        .flat_map(|pool| pool.deployments().map(move |deployment| (pool, deployment)))
        .filter(|(_, deployment)| world.restrictions.refuses_probe(deployment).is_none())
        .filter(|(pool, deployment)| match pool.probe.kind {
            ProbeKind::Paid => seen.insert(deployment.health_key.to_string()),
            ProbeKind::Free | ProbeKind::Off => seen.insert(target_key(deployment)),
        })
        .collect()
}

fn target_key(deployment: &Deployment) -> String {
    let credential = deployment.credential.as_ref().map_or("", |credential| &*credential.name);
    format!("{} {credential}", deployment.host_key)
}

async fn probe(state: &State, world: &World, connections: &Connections, pool: &Pool, deployment: &Arc<Deployment>) {
    let Some(health) = world.health(deployment) else { return };
    let withdrawn = world.restrictions.refuses(deployment).is_some();
    let paid = pool.probe.kind == ProbeKind::Paid && !health.is_closed() && !withdrawn;
    let request = if paid { paid_call(deployment) } else { free_listing(deployment) };
    let Some(result) = ask(state, connections, deployment, request, paid).await else { return };
    state.sink.emit(Event::Probe {
        node: Arc::clone(&health.host.key),
        failure: result.as_ref().err().map(|failure| failure.kind),
    });
    state.health.probed(health, pool.breaker, state.clock.now(), paid, result.as_ref().err());
    learn_restrictions(state, deployment, paid, &result);
}

/// What restrictions learn: the models that the vendor lists, or that it refuses even to list them.
fn learn_restrictions(state: &State, deployment: &Deployment, paid: bool, result: &Result<Bytes, Failure>) {
    match result {
        Ok(_) if paid => state.restrictions.answered(deployment),
        Ok(body) => {
            let Some((models, whole)) = models::listed(body) else { return };
            let models = models.iter().map(String::as_str).collect();
            state.restrictions.listed(deployment, &Listing { models, whole });
        }
        // a listing that is refused says nothing of a model
        Err(failure) if !paid && matches!(failure.kind, FailureKind::ModelGone | FailureKind::ModelDenied) => {}
        Err(failure) => state.restrictions.failed(deployment, failure, state.clock.now()),
    }
}

/// Sends one probe; `None` when no key may use the deployment, so nobody may ask it anything.
async fn ask(
    state: &State,
    connections: &Connections,
    deployment: &Arc<Deployment>,
    request: Outgoing,
    paid: bool,
) -> Option<Result<Bytes, Failure>> {
    let permit = state.world().snapshot.probe_permit(deployment).ok()?;
    if state.restrictions.refuses_probe(deployment).is_some() {
        return None;
    }
    let timeouts = Timeouts { headers: WITHIN, ..deployment.timeouts };
    let asked = async {
        let mut incoming = connections.send(&permit, request, &timeouts, false).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = incoming.body.chunk().await {
            body.extend_from_slice(&chunk?);
            if body.len() > ANSWER_BYTES {
                break;
            }
        }
        // where nothing can be listed, any answer tells that the host is there
        let is_there = deployment.voice.models_path.is_empty() && !incoming.status.is_server_error();
        if incoming.status.is_success() || (is_there && !paid) {
            return Ok(body.freeze());
        }
        let (profile, status) = (&deployment.voice.profile, incoming.status.as_u16());
        Err(signals::classify(profile, status, &incoming.headers, &body.freeze(), Clock::unix_seconds().unsigned_abs()))
    };
    let late = || Failure::new(FailureKind::HeadersTimeout, Phase::Sent, "probe");
    Some(tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| Err(late())))
}

fn free_listing(deployment: &Deployment) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let path = if deployment.voice.models_path.is_empty() { "/" } else { &deployment.voice.models_path }.to_owned();
    Outgoing { method: Method::GET, path, headers, body: Bytes::new() }
}

/// A few tokens, in the dialect of the deployment.
fn paid_call(deployment: &Deployment) -> Outgoing {
    let profile = &deployment.voice.profile;
    let question = Turn::new(Role::User, vec![Content::text("Say ok.").into()]);
    let call = Call { turns: vec![question], max_tokens: Some(PAID_ANSWER_TOKENS), ..Call::default() };
    let body = translate::write_call(profile, &call, &deployment.model, PAID_ANSWER_TOKENS, false).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Outgoing { method: Method::POST, path: deployment.voice.path.to_string(), headers, body }
}
