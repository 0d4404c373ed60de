//! Whole exchanges in memory, over generated worlds: what policy excludes is never contacted.
//!
//! Keys, pools, policies and the vendors' faults are generated; the clock is paused, and vendors answer through pipes in
//! this process: the runtime has no sockets at all. Whatever dials or sends is asked for by the real code: selection,
//! retries, trickle, probes. A contact counts as excluded unless `explain`, asked of the generation that served at that
//! moment, has the deployment among those that the call may use.

use crate::base::event::{NoSink, Sink};
use crate::config::load::load;
use crate::exchange::Exchanges;
use crate::probe;
use crate::snapshot::explain::{FilesAlone, Question};
use crate::snapshot::{Snapshot, compile};
use crate::state::restrictions::Restrictions;
use crate::state::world::State;
use crate::upstream::{Connections, SimulatedNetwork, Tokens};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// How many worlds, and exchanges in each: together more than 100,000.
const WORLDS: u32 = 101;
const EXCHANGES: usize = 1_000;
/// Ports of simulated vendors begin here.
const FIRST_PORT: u16 = 1_000;
pub(super) const NOW_UNIX: i64 = 1_795_000_000;

const REGIONS: [&str; 6] = ["us-east-1", "eu", "eu-central-1", "japaneast", "uksouth", "unknown"];
const ZONES: [&str; 5] = ["any", "EU", "EEA", "US", "DE"];
/// When the questions are asked.
const NOON: i64 = 12 * 3_600;
const CLASSES: [&str; 4] = ["personal", "health", "export_controlled", "special_category"];
const POLICIES: [&str; 4] = [
    include_str!("../../policies/gdpr.cedar"),
    include_str!("../../policies/export-control.cedar"),
    include_str!("../../policies/health.cedar"),
    include_str!("../../policies/price.cedar"),
];

/// What a vendor does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer,
    Refuse,
    Close,
    Silence,
    Status(u16),
    Garbage,
    CutStream,
    /// Answers with 500, and another generation serves from then on.
    Reload,
}

const ACTS: [Act; 14] = [
    Act::Answer,
    Act::Answer,
    Act::Refuse,
    Act::Close,
    Act::Silence,
    Act::Status(500),
    Act::Status(503),
    Act::Status(429),
    Act::Status(401),
    Act::Status(404),
    Act::Garbage,
    Act::CutStream,
    Act::Reload,
    Act::Status(529),
];

#[derive(Clone, Debug)]
struct Vendor {
    region: &'static str,
    seat: &'static str,
    promises: bool,
    export_class: u32,
    price: u32,
}

#[derive(Clone, Debug)]
struct Key {
    residency: &'static str,
    data: Vec<&'static str>,
    screened: bool,
    vendors: Option<Vec<usize>>,
    jurisdiction: &'static str,
}

/// A forbid out of parts.
#[derive(Clone, Debug)]
struct Rule {
    vendor: Option<usize>,
    key: Option<usize>,
    condition: &'static str,
    stops: bool,
}

#[derive(Clone, Debug)]
struct Plan {
    vendors: Vec<Vendor>,
    pools: Vec<Vec<usize>>,
    /// Keys of the two generations that take turns.
    keys: [Vec<Key>; 2],
    shipped: [Vec<&'static str>; 2],
    rules: [Vec<Rule>; 2],
    attempts: u32,
    acts: Vec<Act>,
    /// What the exchanges ask for, in turn.
    calls: Vec<Call>,
}

/// What one exchange asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call {
    key: usize,
    pool: usize,
    /// The zone and the data class that headers name.
    zone: Option<&'static str>,
    class: Option<&'static str>,
    unscreened: bool,
    streamed: bool,
    /// How long the client waits before it asks.
    pause_ms: u64,
}

fn plans() -> impl Strategy<Value = Plan> {
    (2_usize..6).prop_flat_map(|count| {
        let keys = || prop::collection::vec(key(count), 3);
        let rules = || prop::collection::vec(rule(count), 0..4);
        let shipped = || subsequence(&POLICIES[..], 0..=POLICIES.len());
        (
            prop::collection::vec(vendor(), count),
            prop::collection::vec(subsequence((0..count).collect::<Vec<_>>(), 1..=count).prop_shuffle(), 2),
            [keys(), keys()],
            [shipped(), shipped()],
            [rules(), rules()],
            1_u32..6,
            prop::collection::vec(select(&ACTS[..]), 1..40),
            prop::collection::vec(call(), 1..60),
        )
            .prop_map(|(vendors, pools, keys, shipped, rules, attempts, acts, calls)| Plan {
                vendors,
                pools,
                keys,
                shipped,
                rules,
                attempts,
                acts,
                calls,
            })
    })
}

fn vendor() -> impl Strategy<Value = Vendor> {
    (select(&REGIONS[..]), select(&["US", "FR", "CU"][..]), any::<bool>(), 0_u32..3, 1_u32..200).prop_map(
        |(region, seat, promises, export_class, price)| Vendor { region, seat, promises, export_class, price },
    )
}

/// A key that may be bound to some of so many vendors.
fn key(vendors: usize) -> impl Strategy<Value = Key> {
    (
        select(&ZONES[..]),
        subsequence(&CLASSES[..], 0..3),
        any::<bool>(),
        prop::option::weighted(0.3, subsequence((0..vendors).collect::<Vec<_>>(), 1..=vendors)),
        select(&["DE", "US", "RU"][..]),
    )
        .prop_map(|(residency, data, screened, vendors, jurisdiction)| Key {
            residency,
            data,
            screened,
            vendors,
            jurisdiction,
        })
}

/// A rule that may be about one of so many vendors.
fn rule(vendors: usize) -> impl Strategy<Value = Rule> {
    let conditions = select(
        &[
            "true",
            "context.attempt > 0",
            "context.attempt == 0",
            "context.data.contains(Data::\"personal\")",
            "resource in Zone::\"US\"",
            "!principal.screened",
            "resource.retention_days * 9223372036854775807 > 1",
        ][..],
    );
    (prop::option::weighted(0.7, 0..vendors), prop::option::weighted(0.3, 0_usize..3), conditions, any::<bool>())
        .prop_map(|(vendor, key, condition, stops)| Rule { vendor, key, condition, stops })
}

fn call() -> impl Strategy<Value = Call> {
    (
        0_usize..3,
        0_usize..2,
        prop::option::weighted(0.2, select(&ZONES[..])),
        prop::option::weighted(0.2, select(&CLASSES[..])),
        prop::bool::weighted(0.1),
        any::<bool>(),
        select(&[0_u64, 0, 0, 40, 1_500, 20_000][..]),
    )
        .prop_map(|(key, pool, zone, class, unscreened, streamed, pause_ms)| Call {
            key,
            pool,
            zone,
            class,
            unscreened,
            streamed,
            pause_ms,
        })
}

impl Plan {
    fn config(&self, side: usize) -> String {
        let mut text = String::from("[listener.main]\naddress = \"127.0.0.1:0\"\n");
        for (index, vendor) in self.vendors.iter().enumerate() {
            let promises = if vendor.promises {
                "agreements = [\"dpa\", \"scc\", \"baa\"]\nretention_days = 0\ntrains_on_inputs = false\n"
            } else {
                ""
            };
            let _ = write!(
                text,
                "[vendor.v{index}]\ndialect = \"openai\"\nseat = \"{}\"\nregion = \"{}\"\n{promises}base_url = \"http://127.0.0.1:{}/v1\"\n\
                 [deployment.\"v{index}/m{index}\"]\nexport_class = {}\nprice = {{ input = {}, output = {} }}\n",
                vendor.seat,
                vendor.region,
                usize::from(FIRST_PORT) + index,
                vendor.export_class,
                vendor.price,
                vendor.price,
            );
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let members: Vec<String> = pool.iter().map(|vendor| format!("\"v{vendor}/m{vendor}\"")).collect();
            let _ = write!(
                text,
                "[pool.p{index}]\ndeployments = [{}]\nattempts = {}\nprobe = \"free\"\nprobe_every = \"10s\"\ndeadline = \"30s\"\n",
                members.join(", "),
                self.attempts
            );
        }
        for (index, key) in self.keys[side].iter().enumerate() {
            let vendors = key.vendors.as_ref().map_or_else(String::new, |vendors| {
                let names: Vec<String> = vendors.iter().map(|vendor| format!("\"v{vendor}\"")).collect();
                format!("vendors = [{}]\n", names.join(", "))
            });
            let _ = write!(
                text,
                "[key.k{index}]\nsecret = {{ env = \"K{index}\" }}\nresidency = \"{}\"\ndata = {:?}\nscreened = {}\njurisdiction = \"{}\"\n{vendors}",
                key.residency, key.data, key.screened, key.jurisdiction
            );
        }
        text
    }

    fn own_rules(&self, side: usize) -> String {
        let mut text = String::new();
        for (index, rule) in self.rules[side].iter().enumerate() {
            let principal = rule.key.map_or_else(String::new, |key| format!(" == Key::\"k{key}\""));
            let resource = rule.vendor.map_or_else(String::new, |vendor| format!(" in Vendor::\"v{vendor}\""));
            let stops = if rule.stops { " @inflight(\"stop\")" } else { "" };
            let condition =
                if rule.condition == "true" { String::new() } else { format!(" when {{ {} }}", rule.condition) };
            let _ = writeln!(
                text,
                "@id(\"own-{index}\"){stops} forbid (principal{principal}, action, resource{resource}){condition};"
            );
        }
        text
    }

    fn snapshot(&self, side: usize, generation: u64) -> Arc<Snapshot> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        write("backstay.toml", &self.config(side));
        fs::create_dir(folder.path().join("policies")).expect("a folder");
        write("policies/base.cedar", crate::policy::BASE);
        write("policies/own.cedar", &self.own_rules(side));
        for (index, policy) in self.shipped[side].iter().enumerate() {
            write(&format!("policies/shipped{index}.cedar"), policy);
        }
        let secret = |name: &str| Some(format!("secret-of-{name}"));
        let sources = load(&folder.path().join("backstay.toml"), &secret).expect("a config");
        let (snapshot, _) = compile(&sources, generation, NOW_UNIX)
            .unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
        Arc::new(snapshot)
    }
}

/// What reached a simulated vendor.
#[derive(Clone, Debug)]
struct Contact {
    vendor: usize,
    /// The generation that served at that moment.
    generation: u64,
    /// `None` for the connection itself, else what was sent.
    request: Option<String>,
}

/// The vendors, and what reached them.
struct Vendors {
    acts: Vec<Act>,
    next_act: Mutex<usize>,
    contacts: Mutex<Vec<Contact>>,
    state: Mutex<Option<Arc<State>>>,
    sides: [Arc<Snapshot>; 2],
}

impl Vendors {
    fn act(&self) -> Act {
        let mut next = lock(&self.next_act);
        *next += 1;
        self.acts[*next % self.acts.len()]
    }

    fn note(&self, vendor: usize, request: Option<String>) {
        let state = lock(&self.state).clone().expect("a state");
        let generation = state.world().snapshot.generation;
        lock(&self.contacts).push(Contact { vendor, generation, request });
    }

    fn reload(&self) {
        let state = lock(&self.state).clone().expect("a state");
        let serving = state.world().snapshot.generation;
        let other = self.sides.iter().find(|side| side.generation != serving).expect("another side");
        state.install(Arc::clone(other));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Network(Arc<Vendors>);

impl SimulatedNetwork for Network {
    fn look_up(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        panic!("{host} is looked up, although every vendor has a literal address")
    }

    fn simulate(&self, addresses: &[SocketAddr]) -> Option<io::Result<DuplexStream>> {
        let vendor = usize::from(addresses[0].port() - FIRST_PORT);
        self.0.note(vendor, None);
        let act = self.0.act();
        if act == Act::Refuse {
            return Some(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(Arc::clone(&self.0), vendor, act, far));
        Some(Ok(near))
    }
}

/// Reads one request and does with it what the schedule says.
async fn serve(vendors: Arc<Vendors>, vendor: usize, act: Act, mut pipe: DuplexStream) {
    let Some(request) = read(&mut pipe).await else { return };
    let streamed = request.contains("\"stream\":true");
    let listing = request.starts_with("GET");
    vendors.note(vendor, Some(request));
    let answer = match act {
        Act::Refuse | Act::Close => return,
        Act::Silence => return tokio::time::sleep(Duration::from_secs(600)).await,
        Act::Garbage => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops".to_owned(),
        Act::Status(status) => error(status),
        Act::Reload => {
            vendors.reload();
            error(500)
        }
        Act::Answer | Act::CutStream if listing => whole(r#"{"object":"list","data":[]}"#),
        Act::CutStream if streamed => cut(),
        Act::Answer if streamed => stream(),
        Act::Answer | Act::CutStream => whole(
            r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
        ),
    };
    // whoever asked may have gone
    let _ = pipe.write_all(answer.as_bytes()).await;
}

/// The head of a request with its body.
pub(super) async fn read(pipe: &mut DuplexStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let mut chunk = [0; 4096];
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

pub(super) fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn error(status: u16) -> String {
    let body = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;
    format!(
        "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) const CHUNK: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":null}]}\n\n";
pub(super) const LAST: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
pub(super) const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";

pub(super) fn stream() -> String {
    format!("{STREAM_HEAD}content-length: {}\r\n\r\n{CHUNK}{LAST}", CHUNK.len() + LAST.len())
}

fn cut() -> String {
    format!("{STREAM_HEAD}content-length: {}\r\n\r\n{CHUNK}", CHUNK.len() + LAST.len())
}

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
        Arc::clone(&sink),
        7,
    ));
    *lock(&vendors.state) = Some(Arc::clone(&state));
    let network = || Arc::new(Network(Arc::clone(&vendors)));
    let tokens = Tokens::new(7);
    let exchanges = Exchanges::new(
        Arc::clone(&state),
        Connections::with_resolver(Arc::clone(&sink), Arc::clone(&tokens), network()),
    );
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
        let answer = exchanges.answer(request, &[]).await;
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
