//! The whole proxy but its sockets, on a paused clock, in front of simulated vendors: what clients see of their troubles.

use super::vendors::{FIRST_PORT, Network, Spell, Vendor};
use crate::base::event::{Event, Sink};
use crate::config::load::load;
use crate::exchange::{Caller, Exchanges};
use crate::probe;
use crate::snapshot::compile;
use crate::state::ledger::Ledger;
use crate::state::restrictions::Restrictions;
use crate::state::world::State;
use crate::upstream::{Connections, Tokens};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

const NOW_UNIX: i64 = 1_795_000_000;

/// One call, as its client saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When it was made, in seconds.
    pub(super) at_s: f64,
    pub(super) took_s: f64,
    /// Whether a whole answer came.
    pub(super) served: bool,
    pub(super) attempts: u32,
    /// Which vendor answered.
    pub(super) by: Option<usize>,
}

/// What breakers did, with the second.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<(Instant, String)>>);

impl Sink for Told {
    fn emit(&self, event: Event) {
        let said = match event {
            Event::Breaker { node, to, reason } => format!("{node} {to} {reason}"),
            Event::RetryBudgetDenied { .. } => "budget denied".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), said));
    }
}

/// What vendors there are, and what befalls them.
pub(super) struct Plan {
    pub(super) vendors: Vec<Vec<Spell>>,
    /// Requests that a vendor bears at once.
    pub(super) capacity: u32,
    /// Further lines of the pool.
    pub(super) pool: &'static str,
    /// Whether the vendors are one tier of it, and not each its own.
    pub(super) one_tier: bool,
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn of(vendors: Vec<Vec<Spell>>) -> Self {
        Self { vendors, capacity: u32::MAX, pool: "", one_tier: false, seed: 7 }
    }

    fn config(&self) -> String {
        let mut text = String::from("[listener.main]\naddress = \"127.0.0.1:0\"\n");
        let mut members = Vec::new();
        for index in 0..self.vendors.len() {
            let port = usize::from(FIRST_PORT) + index;
            let _ = write!(
                text,
                "[vendor.v{index}]\ndialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\n\
                 base_url = \"http://127.0.0.1:{port}/v1\"\ncredential = {{ env = \"V{index}\" }}\n"
            );
            members.push(format!("\"v{index}/m\""));
        }
        let members = members.join(", ");
        let _ = write!(
            text,
            "[pool.p]\ndeployments = [{}]\ndeadline = \"60s\"\n{}\n\
             [key.app]\nsecret = {{ env = \"APP\" }}\nresidency = \"any\"\ndata = []\n",
            if self.one_tier { format!("[{members}]") } else { members },
            self.pool
        );
        text
    }

    /// Runs `story` in front of these vendors, on a paused clock.
    pub(super) fn run<T, F: Future<Output = T>>(self, story: impl FnOnce(Lab) -> F) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        LocalSet::new().block_on(&runtime, async move { story(Lab::new(&self)).await })
    }
}

/// The proxy, its vendors, and what was seen.
pub(super) struct Lab {
    pub(super) vendors: Vec<Arc<Vendor>>,
    pub(super) state: Arc<State>,
    exchanges: Arc<Exchanges>,
    probing: JoinHandle<()>,
    began: Instant,
    told: Arc<Told>,
    seen: Rc<RefCell<Vec<Seen>>>,
    calls: RefCell<Vec<JoinHandle<()>>>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.probing.abort();
    }
}

impl Lab {
    fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("backstay.toml"), plan.config()).expect("a file");
        let secret = |name: &str| Some(format!("secret-of-{name}"));
        let sources = load(&folder.path().join("backstay.toml"), &secret).expect("a config");
        let (snapshot, _) = compile(&sources, 1, NOW_UNIX)
            .unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
        let seeds = (1..).map(|index| plan.seed * 1_000 + index);
        let spells = plan.vendors.iter().cloned().zip(seeds);
        let vendors: Vec<_> = spells.map(|(spells, seed)| Vendor::new(spells, plan.capacity, seed)).collect();
        let told = Arc::new(Told::default());
        let sink: Arc<dyn Sink> = Arc::<Told>::clone(&told);
        let restrictions = Restrictions::none(Arc::clone(&sink));
        let state =
            Arc::new(State::new(Arc::new(snapshot), restrictions, Ledger::nowhere(), Arc::clone(&sink), plan.seed));
        let tokens = Tokens::new(plan.seed);
        let connections = || {
            let network = Arc::new(Network(vendors.clone()));
            Connections::with_resolver(Arc::clone(&sink), Arc::clone(&tokens), network)
        };
        let exchanges = Arc::new(Exchanges::new(Arc::clone(&state), connections()));
        let probing = tokio::spawn(probe::run(Arc::clone(&state), connections()));
        let (seen, calls) = (Rc::default(), RefCell::default());
        Self { vendors, state, exchanges, probing, began: Instant::now(), told, seen, calls }
    }

    /// The second that it is.
    pub(super) fn second(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    pub(super) async fn until(&self, second: f64) {
        tokio::time::sleep_until(self.began + Duration::from_secs_f64(second)).await;
    }

    /// Makes a call, without waiting for its end.
    pub(super) fn call(&self) {
        let (exchanges, seen, at_s) = (Arc::clone(&self.exchanges), Rc::clone(&self.seen), self.second());
        let began = Instant::now();
        let call = tokio::task::spawn_local(async move {
            let body = r#"{"model":"p","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
            let request = Request::post("/v1/chat/completions").header("authorization", "Bearer secret-of-APP");
            let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a request");
            let answer = exchanges.answer(request, Caller::default()).await;
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            let attempts = header("x-backstay-attempts").and_then(|text| text.parse().ok()).unwrap_or(0);
            let by =
                header("x-backstay-served-by").and_then(|id| id.strip_prefix('v')?.split('/').next()?.parse().ok());
            let answered = answer.status() == 200;
            let body = answer.into_body().collect().await.map(|body| body.to_bytes());
            let whole = body.is_ok_and(|body| body.ends_with(LAST_LINE));
            let (took_s, served) = (began.elapsed().as_secs_f64(), answered && whole);
            seen.borrow_mut().push(Seen { at_s, took_s, served, attempts, by });
        });
        self.calls.borrow_mut().push(call);
    }

    /// Makes so many calls a second, evenly, until this second.
    pub(super) async fn calls_until(&self, second: f64, per_second: f64) {
        let mut next = self.second();
        while next < second {
            self.until(next).await;
            self.call();
            next += 1.0 / per_second;
        }
        self.until(second).await;
    }

    /// Waits until all calls have ended; what was seen of them, in the order in which they were made.
    pub(super) async fn seen(&self) -> Vec<Seen> {
        let calls = std::mem::take(&mut *self.calls.borrow_mut());
        for call in calls {
            call.await.expect("a call that ends");
        }
        let mut seen = self.seen.borrow().clone();
        seen.sort_by(|left, right| left.at_s.total_cmp(&right.at_s));
        seen
    }

    /// What breakers and budgets did, with the second.
    pub(super) fn told(&self) -> Vec<(f64, String)> {
        let told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().map(|(at, said)| ((*at - self.began).as_secs_f64(), said.clone())).collect()
    }

    /// When breakers whose name begins so went `to` this state, and why.
    pub(super) fn changes(&self, node: &str, to: &str) -> Vec<(f64, String)> {
        let why = |said: &str| said.strip_prefix(node)?.split_once(&format!(" {to} ")).map(|(_, why)| why.to_owned());
        self.told().into_iter().filter_map(|(second, text)| Some((second, why(&text)?))).collect()
    }

    /// Whether a vendor's deployment is degraded now.
    pub(super) fn is_degraded(&self, vendor: usize) -> bool {
        let world = self.state.world();
        let pool = &world.snapshot.pools["p"];
        let deployment = pool.deployments().nth(vendor).expect("a deployment");
        let health = world.health(deployment).expect("a health");
        health.is_degraded(self.state.clock.now(), &pool.breaker)
    }
}

const LAST_LINE: &[u8] = b"data: [DONE]\n\n";
