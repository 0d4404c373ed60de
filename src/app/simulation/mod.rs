//! Whole exchanges in memory, over generated worlds: what policy excludes is never contacted.
//!
//! Keys, pools, policies and the vendors' faults are generated; the clock is paused, and vendors answer through pipes in
//! this process: the runtime has no sockets at all. Whatever dials or sends is asked for by the real code: selection,
//! retries, trickle, probes. A contact counts as excluded unless `explain`, asked of the generation that served at that
//! moment, has the deployment among those that the call may use.

mod plan;
mod vendors;
pub(super) mod wire;

use crate::base::event::{NoSink, Sink};
use crate::exchange::{Caller, Exchanges};
use crate::probe;
use crate::snapshot::explain::{FilesAlone, Question};
use crate::state::ledger::Ledger;
use crate::state::restrictions::Restrictions;
use crate::state::world::State;
use crate::upstream::{Connections, Tokens};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};

use plan::{Call, Plan, plans};
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vendors::{Network, Vendors, lock};

/// When the questions are asked.
const NOON: i64 = 12 * 3_600;
/// How many worlds, and exchanges in each: together more than 100,000.
const WORLDS: u32 = 101;
const EXCHANGES: usize = 1_000;

/// What calls may use, as `explain` says it, remembered by generation and call.
struct Oracle<'a> {
    vendors: &'a Vendors,
    known: HashMap<(u64, Call), BTreeSet<String>>,
}

impl Oracle<'_> {
    /// The deployments that the call may use on some attempt, while this generation serves.
    fn allowed(&mut self, generation: u64, call: Call) -> &BTreeSet<String> {
        let snapshot = &self.vendors.sides[usize::from(generation == 2)];
        self.known.entry((generation, Call { streamed: false, pause_ms: 0, ..call })).or_insert_with(|| {
            let Call { key, pool, zone, class, unscreened, .. } = call;
            let mut question =
                Question { key: format!("k{key}"), model: format!("p{pool}"), unscreened, ..Question::default() };
            question.data.extend(class.map(str::to_owned));
            question.residency = zone.map(str::to_owned);
            let mut allowed = BTreeSet::new();
            for attempt in 0..8 {
                question.attempt = attempt;
                // a contradiction of the header's zone and the key's leaves nothing
                let Ok(explanation) = snapshot.explain(&question, NOON, &FilesAlone) else { continue };
                let usable = explanation.deployments.iter().filter(|deployment| deployment.refusals.is_empty());
                allowed.extend(usable.map(|deployment| deployment.id.clone()));
            }
            allowed
        })
    }
}

/// How many contacts there were, and how many deployments calls might not use: a simulation without either shows nothing.
#[derive(Debug, Default)]
struct Tally {
    contacts: usize,
    excluded: usize,
}

async fn run(plan: &Plan, tally: &Mutex<Tally>) {
    let sides = [plan.snapshot(0, 1), plan.snapshot(1, 2)];
    let vendors = Arc::new(Vendors {
        acts: plan.acts.clone(),
        next_act: Mutex::default(),
        contacts: Mutex::default(),
        state: Mutex::default(),
        sides,
    });
    let sink: Arc<dyn Sink> = Arc::new(NoSink);
    let state = Arc::new(State::new(
        Arc::clone(&vendors.sides[0]),
        Restrictions::none(Arc::clone(&sink)),
        Ledger::nowhere(),
        Arc::clone(&sink),
        7,
    ));
    *lock(&vendors.state) = Some(Arc::clone(&state));
    let network = || Arc::new(Network(Arc::clone(&vendors)));
    let tokens = Tokens::new(7);
    let connections = Connections::with_resolver(Arc::clone(&sink), Arc::clone(&tokens), network());
    let exchanges = Arc::new(Exchanges::new(Arc::clone(&state), connections));
    let probing = tokio::spawn(probe::run(Arc::clone(&state), Connections::with_resolver(sink, tokens, network())));
    let mut oracle = Oracle { vendors: &vendors, known: HashMap::new() };
    for call in plan.calls.iter().cycle().take(EXCHANGES) {
        let Call { key, pool, zone, class, unscreened, streamed, pause_ms } = *call;
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let body =
            format!(r#"{{"model":"p{pool}","stream":{streamed},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let mut request =
            Request::post("/v1/chat/completions").header("authorization", format!("Bearer secret-of-K{key}"));
        for (name, value) in [("x-backstay-residency", zone), ("x-backstay-data", class)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if unscreened {
            request = request.header("x-backstay-unscreened", "1");
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let answer = exchanges.answer(request, Caller::default()).await;
        // a stream that breaks off is no matter here
        let _ = answer.into_body().collect().await;
        for contact in lock(&vendors.contacts).drain(..).collect::<Vec<_>>() {
            let snapshot = &vendors.sides[usize::from(contact.generation == 2)];
            let id = format!("v{0}/m{0}", contact.vendor);
            let of_probe = || {
                let mut deployments = snapshot.deployments.iter().filter(|deployment| *deployment.id == *id);
                deployments.any(|deployment| snapshot.probe_permit(deployment).is_ok())
            };
            let by_probe = contact.request.as_ref().is_none_or(|request| request.starts_with("GET")) && of_probe();
            let allowed = oracle.allowed(contact.generation, *call);
            let mut tally = lock(tally);
            tally.contacts += 1;
            tally.excluded += plan.pools[pool].len() - allowed.len();
            assert!(by_probe || allowed.contains(&id), "{contact:?} of the call {call:?}, which may use {allowed:?}");
        }
    }
    probing.abort();
}

#[test]
fn f_091_what_policy_excludes_is_never_contacted_whatever_fails_and_reloads() {
    let config = Config { cases: WORLDS, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let tally = Mutex::default();
    let outcome = TestRunner::new(config).run(&plans(), |plan| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(run(&plan, &tally));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let tally = lock(&tally);
    assert!(tally.contacts > 20_000 && tally.excluded > 10_000, "{tally:?}");
}
