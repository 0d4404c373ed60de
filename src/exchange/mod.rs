//! Floor 5: a client request's whole life. Read the files in this order: `ingress` and `body` take the request in,
//! `admit` says who calls and on what terms, `select` who may serve and `order` in which order (`session` knows where its
//! prompt is warm), `attempt` asks them, `hedge` two of them at once (`approach` and `request` are what goes out, `receive` the beginning of what comes
//! back, `patience` what follows a failure, `conclude` what the client is told when nobody answers), `pump`, `flow` and
//! `relay` pass a stream on, `continuation` carries on what broke, `answer` is what the client gets, `settle` the record of
//! it all, with the `charge` of each attempt. `vendor` is the way of what a vendor offers beside calls.

mod admit;
mod allowance;
mod answer;
mod approach;
mod array;
mod attempt;
pub mod body;
mod charge;
mod conclude;
mod continuation;
mod flow;
mod funds;
mod google;
mod hedge;
mod ingress;
mod lesson;
pub mod order;
mod patience;
mod pump;
mod recall;
mod receive;
mod relay;
mod request;
pub mod select;
pub mod server_ids;
mod session;
mod settle;
mod under_way;
mod vendor;
mod walk;
mod whereabouts;

pub use answer::{Answer, Broken};
pub use flow::LINGER;

use crate::base::event::Event;
use crate::base::rejection::{Rejection, RejectionCode};
use crate::dialect::{Dialect, models};
use crate::exchange::admit::Admitted;
use crate::exchange::attempt::{Served, Work};
use crate::exchange::body::BodyBounds;
use crate::exchange::charge::Heard;
use crate::exchange::continuation::Told;
use crate::exchange::funds::Outlay;
use crate::exchange::google::InPath;
use crate::exchange::ingress::{Ingress, Route};
use crate::exchange::receive::Received;
use crate::exchange::relay::Relay;
use crate::exchange::select::Selection;
use crate::exchange::settle::Settlement;
use crate::exchange::vendor::{Pass, Passage};
use crate::snapshot::bounds::Bounds;
use crate::snapshot::key::Key;
use crate::state::world::{State, World};
use crate::upstream::Connections;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use std::future::ready;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Spread of the waits that clients are told.
const WAIT_JITTER: f64 = 0.1;

/// An answer under way: its state is large, and in a box it is handed on as a pointer.
pub type Answering = Pin<Box<dyn Future<Output = Response<Answer>> + Send>>;

/// Who sends a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// Where it comes from; nobody can be told to wait whose address is not known.
    pub address: Option<IpAddr>,
    /// The names of a verified client certificate.
    pub certificate_names: &'a [String],
}

/// Serves client requests; one for each worker, so that a core keeps its own connections.
pub struct Exchanges {
    state: Arc<State>,
    connections: Arc<Connections>,
}

impl Exchanges {
    /// Serves from `state` over `connections`.
    #[must_use]
    pub fn new(state: Arc<State>, connections: Arc<Connections>) -> Self {
        Self { state, connections }
    }

    /// Answers one request.
    ///
    /// Dropping the future, or the answer's body, cancels the vendor's work at once.
    pub fn answer<B>(self: &Arc<Self>, request: Request<B>, caller: Caller<'_>) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let began = Instant::now();
        let world = self.state.world();
        let (parts, body) = request.into_parts();
        let (route, certificate_names) = (ingress::route(&parts), caller.certificate_names);
        let policy = Arc::clone(&world.snapshot.policy_digest);
        let mut settlement = Settlement::open(&self.state, began, route.dialect().name(), policy);
        settlement.note(|record| record.grounds.subject = certificate_names.first().map(|name| name.as_str().into()));
        let key = match admit::key(&world.snapshot, &parts.headers, certificate_names) {
            Ok(key) => key,
            Err(wrong) => {
                let rejection = self.guessed(caller).unwrap_or(wrong);
                return at_once(self.reject(settlement, route.dialect(), &rejection));
            }
        };
        settlement.payer(&key, world.terms(&key));
        match route {
            Route::Models(dialect) => at_once(self.models(&world, settlement, &key, dialect)),
            Route::Model(dialect, name) => at_once(self.model(&world, settlement, &key, dialect, &name)),
            Route::Chat(dialect, in_path) => {
                Box::pin(Arc::clone(self).chat(world, settlement, key, (dialect, in_path), parts.headers, body))
            }
            Route::Vendor(dialect) => match vendor::listed(&key, &parts) {
                Ok(pass) => {
                    Box::pin(Arc::clone(self).pass(world, settlement, key, (dialect, pass), parts.headers, body))
                }
                Err(rejection) => at_once(self.reject_keyed(settlement, &key, dialect, &rejection)),
            },
            Route::Unknown(dialect) | Route::WrongMethod(dialect)
                if let Some(pass) = vendor::listed_as_own(&world, &key, &parts) =>
            {
                Box::pin(Arc::clone(self).pass(world, settlement, key, (dialect, pass), parts.headers, body))
            }
            Route::Unknown(dialect) => {
                let message = format!(
                    "Nothing is at `{}`. Try /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages, \
                     /v1beta/models/MODEL:generateContent or /v1/models.",
                    shown(parts.uri.path())
                );
                at_once(self.reject(settlement, dialect, &Rejection::new(RejectionCode::NotFound, message)))
            }
            Route::WrongMethod(dialect) => {
                let message = format!("`{}` does not take this method.", shown(parts.uri.path()));
                at_once(self.reject(settlement, dialect, &Rejection::new(RejectionCode::MethodNotAllowed, message)))
            }
        }
    }

    /// What is said to a caller whose key is wrong once more, where it showed too many of them.
    fn guessed(&self, caller: Caller<'_>) -> Option<Rejection> {
        let wait = self.state.guesses.wrong(caller.address?, self.state.clock.now())?;
        let message = "Too many wrong keys came from this address. Wait as long as Retry-After says, then send the key that \
                       your platform team issued.";
        Some(Rejection::new(RejectionCode::RateLimited, message).limit("wrong_keys").retry_after(wait))
    }

    fn models(&self, world: &World, settlement: Settlement, key: &Key, dialect: Dialect) -> Response<Answer> {
        let pools = world.snapshot.pools_of(key);
        let names: Vec<&str> = pools.iter().map(|pool| &*pool.name).collect();
        let body = models::listing(dialect, &names);
        Self::listed(settlement, body)
    }

    /// One public model, under whatever name clients ask for it.
    fn model(
        &self,
        world: &World,
        settlement: Settlement,
        key: &Key,
        dialect: Dialect,
        name: &str,
    ) -> Response<Answer> {
        let pools = world.snapshot.pools_of(key);
        if pools.iter().any(|pool| *pool.name == *name || pool.aliases.iter().any(|alias| **alias == *name)) {
            return Self::listed(settlement, models::one(dialect, name));
        }
        let message = "No such model here. Ask /v1/models for those that this key may use.";
        self.reject(settlement, dialect, &Rejection::new(RejectionCode::ModelNotFound, message).param("model"))
    }

    fn listed(mut settlement: Settlement, body: Bytes) -> Response<Answer> {
        settlement.note(|record| {
            record.status = 200;
            record.bytes_out = body.len() as u64;
        });
        let response = answer::whole(&settlement, StatusCode::OK, body);
        settlement.served();
        response
    }

    async fn chat<B>(
        self: Arc<Self>,
        world: Arc<World>,
        settlement: Settlement,
        key: Arc<Key>,
        path: (Dialect, Option<InPath>),
        headers: HeaderMap,
        body: B,
    ) -> Response<Answer>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        match self.begin(world, settlement, key, path, headers, body).await {
            Ok((work, selection)) if work.ingress.scan.stream => self.streamed(work, selection).await,
            Ok((work, selection)) => self.unstreamed(work, selection).await,
            Err(rejected) => *rejected,
        }
    }

    /// All that comes before the first attempt: the call is read, admitted, and candidates are selected for it.
    async fn begin<B>(
        &self,
        world: Arc<World>,
        mut settlement: Settlement,
        key: Arc<Key>,
        (dialect, in_path): (Dialect, Option<InPath>),
        headers: HeaderMap,
        body: B,
    ) -> Result<(Box<Work>, Selection), Box<Response<Answer>>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let reject = |settlement, rejection| Err(Box::new(self.reject(settlement, dialect, &rejection)));
        if !self.state.sink.can_record() {
            return reject(settlement, unrecordable());
        }
        let ingress = match ingress::read(dialect, in_path, headers, body, &body_bounds(&world.snapshot.bounds)).await {
            Ok(ingress) => ingress,
            Err(rejection) => return reject(settlement, rejection),
        };
        settlement.model(&ingress.scan.model);
        settlement.note(|record| {
            record.bytes_in = ingress.body.len() as u64;
            record.streamed = ingress.scan.stream;
        });
        let (scan, size, now) = (&ingress.scan, request::size(&ingress), self.state.clock.now());
        let mut admitted = match admit::admit(&world, key, &scan.model, size, scan.needs, &ingress.headers, now) {
            Ok(admitted) => admitted,
            Err(rejection) => return reject(settlement, rejection),
        };
        settlement.note(|record| record.pool = Arc::clone(&admitted.pool.name));
        settlement.priced_at(admitted.at);
        settlement.outlay(Some(Outlay::of(&ingress, dialect)));
        match server_ids::held(&world.snapshot, &self.state.ids, &admitted.key, scan.needs, &ingress.body) {
            Ok(held) => admitted.held = held,
            Err(rejection) => return reject(settlement, rejection),
        }
        let (turn, mut considered) = (self.state.random.bits(), Vec::new());
        let session = session::of(&self.state, &admitted, &ingress);
        let home = session.and_then(|session| session::home(&self.state, session, now));
        let demand = request::demand(&ingress);
        let wanted = select::Wanted::of(&admitted, &ingress, demand, home.as_ref());
        let selection = select::select(&world, &wanted, now, turn, &mut considered);
        settlement.considered(&admitted.ask, considered);
        let selection = match selection {
            Ok(selection) => selection,
            Err(rejection) => return reject(settlement, rejection),
        };
        let deadline = Instant::now() + admitted.pool.deadline;
        let (state, connections) = (Arc::clone(&self.state), Arc::clone(&self.connections));
        let told = told(&ingress, &admitted);
        let work = Work { state, connections, world, ingress, admitted, settlement, demand, session, deadline, told };
        Ok((Box::new(work), selection))
    }

    /// Passes a request to a vendor as it is.
    async fn pass<B>(
        self: Arc<Self>,
        world: Arc<World>,
        mut settlement: Settlement,
        key: Arc<Key>,
        (dialect, pass): (Dialect, Pass),
        headers: HeaderMap,
        body: B,
    ) -> Response<Answer>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        settlement.note(|record| record.key = Arc::clone(&key.name));
        if !self.state.sink.can_record() {
            return self.reject(settlement, dialect, &unrecordable());
        }
        let (state, connections) = (Arc::clone(&self.state), Arc::clone(&self.connections));
        let passage = Passage { state, connections, world, key, pass, headers, settlement };
        match passage.run(body).await {
            Ok(response) => response,
            Err((settlement, rejection)) => self.reject(settlement, dialect, &rejection),
        }
    }

    async fn unstreamed(&self, work: Box<Work>, selection: Selection) -> Response<Answer> {
        let (mut work, result) = attempt::run(work, selection).await;
        let served = match result {
            Ok(served) => served,
            Err(rejection) => return self.reject(work.settlement, work.ingress.dialect, &rejection),
        };
        let Served { deployment, mut flight, received, took } = *served;
        let Received::Whole { body, usage, .. } = received else {
            let message = "The vendor streamed an answer that was asked for whole.";
            let rejection = Rejection::new(RejectionCode::UpstreamMalformed, message);
            return self.reject(work.settlement, work.ingress.dialect, &rejection);
        };
        let now = self.state.clock.now();
        flight.succeeded(now, None);
        if let Some(awaited) = hedge::awaited(&work.ingress).filter(|_| work.admitted.pool.hedge.is_some()) {
            flight.waited(took, awaited, now);
        }
        attempt::deposit(&work.world, &work.admitted.pool, request::weight(&work.ingress), now);
        work.settlement.consumed(usage, Heard::text(body.len() as u64));
        let cost = work.settlement.cost();
        work.settlement.note(|record| {
            record.status = 200;
            record.bytes_out = body.len() as u64;
        });
        let mut response = answer::whole(&work.settlement, StatusCode::OK, body);
        answer::served(response.headers_mut(), &deployment.id, took, work.settlement.elapsed(), cost);
        work.settlement.served();
        response
    }

    /// Waits for content as long as clients' own timeouts rest; then answers with a relay that goes on waiting.
    async fn streamed(&self, mut work: Box<Work>, selection: Selection) -> Response<Answer> {
        let (dialect, array) = (work.ingress.dialect, work.ingress.array);
        let head = work.settlement.head();
        let mut held_headers = HeaderMap::new();
        answer::every_answer(&mut held_headers, &work.settlement);
        let ping_every = work.world.snapshot.bounds.ping_after;
        let mut attempts = Box::pin(attempt::run(work, selection));
        match tokio::time::timeout(ping_every, attempts.as_mut()).await {
            Err(_) => {
                head.store(200, Ordering::Relaxed);
                answer::stream(held_headers, Box::new(Relay::held(dialect, attempts, ping_every).in_array(array)))
            }
            Ok((work, Err(rejection))) => self.reject(work.settlement, dialect, &rejection),
            Ok((work, Ok(served))) => {
                head.store(200, Ordering::Relaxed);
                let mut headers = HeaderMap::new();
                answer::every_answer(&mut headers, &work.settlement);
                answer::served(&mut headers, &served.deployment.id, served.took, work.settlement.elapsed(), None);
                answer::stream(headers, Box::new(Relay::flowing(work, *served).in_array(array)))
            }
        }
    }

    /// A rejection of a key that is known.
    fn reject_keyed(
        &self,
        mut settlement: Settlement,
        key: &Key,
        dialect: Dialect,
        rejection: &Rejection,
    ) -> Response<Answer> {
        settlement.note(|record| record.key = Arc::clone(&key.name));
        self.reject(settlement, dialect, rejection)
    }

    fn reject(&self, settlement: Settlement, dialect: Dialect, rejection: &Rejection) -> Response<Answer> {
        if let Some(limit) = rejection.limit {
            self.state.sink.emit(Event::LimitRejected { limit });
        }
        answer::reject(settlement, dialect, rejection, self.state.random.around_one(WAIT_JITTER))
    }
}

/// An answer that takes no time.
fn at_once(response: Response<Answer>) -> Answering {
    Box::pin(ready(response))
}

/// What a client was told whose stream can be carried on: nothing yet.
fn told(ingress: &Ingress, admitted: &Admitted) -> Option<Box<Told>> {
    let (scan, pool) = (&ingress.scan, &admitted.pool);
    let open = scan.stream && continuation::is_open(pool, admitted.fallback, ingress.dialect, scan.needs);
    open.then(|| Box::new(Told::nothing(ingress.dialect, scan.include_usage)))
}

/// What the client is told while decisions must be recorded and cannot be.
fn unrecordable() -> Rejection {
    let message = "The decision log cannot be written, and nothing goes out unrecorded. Wait as long as Retry-After says; the operators are told.";
    Rejection::new(RejectionCode::AuditUnavailable, message).retry_after(Duration::from_secs(5))
}

fn body_bounds(bounds: &Bounds) -> BodyBounds {
    BodyBounds {
        bytes: usize::try_from(bounds.max_body_bytes).unwrap_or(usize::MAX),
        stall: bounds.body,
        grace: bounds.body_grace,
        bytes_per_second: u32::try_from(bounds.body_min_rate_bytes).unwrap_or(u32::MAX),
    }
}

/// A path as it may be shown again.
fn shown(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(80).collect()
}
