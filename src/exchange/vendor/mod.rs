//! What a vendor offers beside the calls that we speak: files, audio, images, batches. It passes as it is, to an account that
//! all keys share; so a key must list method and path, and may name only what it created.
//!
//! Read in this order: `path` is what is wanted, `listed` whether the key lists it, this file from whom it is asked, `upload` the body on its way there,
//! `passing` the answer on its way back.

mod listed;
mod passing;
mod path;
mod upload;

pub(crate) use listed::{Pass, listed, listed_as_own};
pub(crate) use passing::Passing;

use crate::base::event::Considered;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::needs::{Need, Needs};
use crate::dialect::json::syntax;
use crate::dialect::json::value::Value;
use crate::dialect::{ids, region, signals};
use crate::exchange::admit::{self, Size};
use crate::exchange::answer::Answer;
use crate::exchange::body::{BodyBounds, collect_bounded};
use crate::exchange::conclude::conclude;
use crate::exchange::ingress::body_rejection;
use crate::exchange::recall;
use crate::exchange::receive::{collect, read_error};
use crate::exchange::select::nobody_left;
use crate::exchange::server_ids::{self, Claimant, Held};
use crate::exchange::settle::Settlement;
use crate::exchange::under_way::Leg;
use crate::exchange::whereabouts;
use crate::policy::Ask;
use crate::price::Ceiling;
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::snapshot::key::Key;
use crate::snapshot::permit::Permit;
use crate::snapshot::pool::Pool;
use crate::state::clock::Clock;
use crate::state::health::{Bid, Flight};
use crate::state::ids::Owner;
use crate::state::limits::Place;
use crate::state::quota::Demand;
use crate::state::world::{State, World};
use crate::upstream::{Connections, Incoming, Outgoing, signs};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method, Response};
use path::Wanted;
use std::sync::Arc;
use std::time::Duration;
use upload::Upload;

/// What the client's headers may say to a vendor. `Idempotency-Key` is none of them: the vendor knows one account, and would
/// give one key's answer to another.
const PASSED: [&str; 7] =
    ["content-type", "accept", "range", "openai-beta", "anthropic-beta", "x-goog-upload-protocol", "if-none-match"];
/// How long a body that comes from a client may be on its way; its silence has a shorter limit.
const UPLOAD_TIME: Duration = Duration::from_secs(3600);

/// The body of a request that passes.
enum Cargo<B> {
    /// Read, because it is JSON, or because there is none, or because the whole of it is signed.
    Whole(Bytes),
    /// To be sent as it comes.
    Upload(B),
}

/// A deployment that may be asked, and on what terms.
struct Chosen {
    permit: Permit,
    pool: Arc<Pool>,
    flight: Flight,
    ask: Ask,
}

/// A request on its way to a vendor and back.
pub(crate) struct Passage {
    pub(crate) state: Arc<State>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) world: Arc<World>,
    pub(crate) key: Arc<Key>,
    pub(crate) pass: Pass,
    pub(crate) headers: HeaderMap,
    pub(crate) settlement: Settlement,
}

impl Passage {
    /// Sends the request and begins the answer.
    pub(crate) async fn run<B>(mut self, body: B) -> Result<Response<Answer>, (Settlement, Rejection)>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let listed = self.pass.listed.to_string();
        self.settlement.note(|record| {
            record.dialect = "vendor";
            record.model = listed;
        });
        match self.asked(body).await {
            Ok((chosen, incoming, places)) => self.answer(chosen, incoming, places).await,
            Err(rejection) => Err((self.settlement, rejection)),
        }
    }

    async fn asked<B>(&mut self, body: B) -> Result<(Chosen, Box<Incoming>, Vec<Place>), Rejection>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let places = admit::places(&self.world, &self.key, self.state.clock.now())?;
        let cargo = self.cargo(body).await?;
        let json = match &cargo {
            Cargo::Whole(body) => Value::new(body),
            Cargo::Upload(_) => Value::new(b""),
        };
        let held = self.held(json)?;
        let model = json.get("model").and_then(Value::text).map(|model| model.into_owned());
        let mut needs = Needs::of(&[Need::Stores]);
        if json.get("tools").is_some() {
            needs.add(Need::HostedTools);
        }
        if held != Held::default() {
            needs.add(Need::ServerIds);
        }
        let (ask, ceiling) = admit::terms(&self.world, &self.key, Size::default(), needs, &self.headers)?;
        let mut chosen = self.choose(ask, ceiling, &held, model.as_deref())?;
        let incoming = self.send(&mut chosen, cargo).await?;
        Ok((chosen, incoming, places))
    }

    /// Reads what must be known before anything is sent.
    async fn cargo<B>(&mut self, body: B) -> Result<Cargo<B>, Rejection>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if self.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let message = "Request bodies are read as they are: send no Content-Encoding.";
            return Err(Rejection::new(RejectionCode::UnsupportedEncoding, message));
        }
        let is_json = is_json(&self.headers);
        let signed = self.offers().iter().any(|(_, deployment)| signs(deployment));
        if !is_json && !signed && !body.is_end_stream() {
            return Ok(Cargo::Upload(body));
        }
        let bounds = super::body_bounds(&self.world.snapshot.bounds);
        let body = collect_bounded(body, &bounds).await;
        let body = body.map_err(|error| body_rejection(&error, &bounds, "max_body"))?;
        self.settlement.note(|record| record.bytes_in = body.len() as u64);
        if is_json && !body.is_empty() {
            syntax::check(&body, &mut ()).map_err(|error| {
                let message =
                    format!("The body is not acceptable JSON: {} (at byte {}).", error.fault.words(), error.offset);
                Rejection::new(RejectionCode::InvalidRequest, message)
            })?;
        }
        Ok(Cargo::Whole(body))
    }

    /// Where everything is kept that path, query and body name.
    fn held(&self, json: Value<'_>) -> Result<Held, Rejection> {
        if self.is_reserved() {
            return Ok(Held::default());
        }
        let Wanted { segments, query_ids, .. } = &self.pass.wanted;
        let mut named = query_ids.clone();
        for place in &self.pass.ids {
            let Some(segment) = segments.get(*place) else { continue };
            // some vendors name things by their collection too
            let before = place.checked_sub(1).and_then(|before| segments.get(before));
            let long = before.map(|collection| format!("{collection}/{segment}"));
            let own = |name: &String| matches!(self.state.ids.owner(&self.key.name, name), Owner::Own(_));
            named.push(long.filter(own).unwrap_or_else(|| segment.clone()));
        }
        named.extend(ids::named_anywhere(json.raw()));
        let named = named.iter().map(String::as_str);
        server_ids::held_of(&self.world.snapshot, &self.state.ids, &self.key, named)
    }

    /// Whether the account serves this key alone.
    fn is_reserved(&self) -> bool {
        let mut offers = self.offers().into_iter();
        offers.any(|(_, deployment)| deployment.endpoint.reserved_for.as_ref() == Some(&self.key.name))
    }

    /// The endpoint's deployments that the key may ask for, each once.
    fn offers(&self) -> Vec<(Arc<Pool>, Arc<Deployment>)> {
        let mut offers: Vec<(Arc<Pool>, Arc<Deployment>)> = Vec::new();
        for pool in self.world.snapshot.pools_of(&self.key) {
            for deployment in pool.deployments() {
                let there = *deployment.endpoint.name == *self.pass.wanted.endpoint;
                if there && !offers.iter().any(|(_, other)| other.index == deployment.index) {
                    offers.push((Arc::clone(&pool), Arc::clone(deployment)));
                }
            }
        }
        offers
    }

    /// The first deployment of the endpoint that policy permits and health does not forbid.
    fn choose(&mut self, ask: Ask, ceiling: Ceiling, held: &Held, model: Option<&str>) -> Result<Chosen, Rejection> {
        let mut offers = self.offers();
        if let Some(model) = model.filter(|_| !self.is_reserved()) {
            offers.retain(|(_, deployment)| *deployment.model == *model);
            if offers.is_empty() {
                let message =
                    "No pool of this key has a deployment of this model at this endpoint, so no policy speaks for it.";
                return Err(Rejection::new(RejectionCode::ModelNotFound, message).param("model"));
            }
        }
        if offers.is_empty() {
            let message =
                "No pool that this key may ask for has a deployment at this endpoint, so no policy speaks for it.";
            return Err(Rejection::new(RejectionCode::PolicyDenied, message));
        }
        let (mut refusals, mut considered, mut found) = (Vec::new(), Vec::new(), None);
        for (pool, deployment) in offers {
            match self.eligible(&ask, ceiling, held, &pool, &deployment) {
                Ok((permit, flight)) => {
                    considered.push(Considered::of(&deployment.id, None));
                    found = Some((permit, pool, flight));
                    break;
                }
                Err(refusal) => {
                    considered.push(Considered::of(&deployment.id, Some(&refusal)));
                    refusals.push(refusal);
                }
            }
        }
        self.settlement.considered(&ask, considered);
        let (permit, pool, flight) = found.ok_or_else(|| nobody_left(refusals))?;
        self.settlement.note(|record| record.pool = Arc::clone(&pool.name));
        Ok(Chosen { permit, pool, flight, ask })
    }

    fn eligible(
        &self,
        ask: &Ask,
        ceiling: Ceiling,
        held: &Held,
        pool: &Pool,
        deployment: &Arc<Deployment>,
    ) -> Result<(Permit, Flight), Refusal> {
        // a body may have been long on its way: what is permitted now counts
        let permit = self.state.world().snapshot.permit(&self.key, ask, deployment)?;
        if let Some(refusal) = self.state.restrictions.refuses(deployment) {
            return Err(refusal);
        }
        if !held.admits(deployment) {
            return Err(Refusal::Capability(Need::ServerIds.name()));
        }
        // what this costs is not known before it is done
        if !ceiling.admits(None) {
            return Err(Refusal::Price);
        }
        if ![Method::GET, Method::HEAD, Method::DELETE].contains(&self.pass.method) {
            self.settlement.affords_the_unpriced()?;
        }
        let health = self.world.health(deployment).ok_or(Refusal::Full)?;
        // an upload may be long on its way, and no prompt of its is known
        let bid = Bid { settings: pool.breaker, limit: UPLOAD_TIME, input_tokens: 0, trickle: false };
        let flight = self.state.health.begin(health, &bid, self.state.clock.now())?;
        Ok((permit, flight))
    }

    /// Sends the request; an answer that is an error comes back as one.
    async fn send<B>(&mut self, chosen: &mut Chosen, cargo: Cargo<B>) -> Result<Box<Incoming>, Rejection>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let deployment = Arc::clone(chosen.permit.deployment());
        let whom = self.world.snapshot.whom(&self.key, &chosen.ask.residency, &deployment);
        self.settlement.begin_attempt(&deployment, whom, Vec::new());
        let recall = recall::watch(&self.state, &self.key, &chosen.ask, &deployment, Phase::Sent, None);
        let timeouts = chosen.pool.timeouts_at(&deployment);
        let mut outgoing = self.outgoing();
        let (sent, refused) = match cargo {
            Cargo::Whole(body) => {
                outgoing.body = body;
                let timeouts = Timeouts { headers: timeouts.answer, ..timeouts };
                let sent = self.connections.send(&chosen.permit, outgoing, &timeouts, false);
                let sent = tokio::select! { biased; recalled = recall => Err(recalled), sent = sent => sent };
                (sent, None)
            }
            Cargo::Upload(body) => {
                let bounds = upload_bounds(&self.world);
                let (upload, watch) = Upload::new(body, bounds, self.allowed());
                let timeouts = Timeouts { headers: UPLOAD_TIME, ..timeouts };
                let sent = self.connections.send_upload(&chosen.permit, outgoing, Box::pin(upload), &timeouts);
                let sent = tokio::select! { biased; recalled = recall => Err(recalled), sent = sent => sent };
                self.settlement.note(|record| record.bytes_in = watch.taken());
                (sent, watch.rejection(&bounds))
            }
        };
        if let Some(rejection) = refused {
            self.settlement.attempt_failed(&Failure::new(FailureKind::BadRequest, Phase::Sent, "upload"));
            return Err(rejection);
        }
        let failure = match sent {
            Ok(incoming) if incoming.status.is_success() => {
                self.answered(&deployment, &incoming);
                return Ok(incoming);
            }
            Ok(incoming) => self.error(&deployment, incoming).await,
            Err(failure) => failure,
        };
        Err(self.failed(chosen, failure))
    }

    /// Takes note of the head of an answer.
    fn answered(&mut self, deployment: &Deployment, incoming: &Incoming) {
        self.settlement.answered(Leg::First, incoming.status.as_u16());
        let said = region::observed(&incoming.headers);
        whereabouts::observed(said.as_deref(), deployment, &self.world, &self.state, (&self.settlement, Leg::First));
    }

    /// What an answer with an error status means.
    async fn error(&mut self, deployment: &Deployment, incoming: Box<Incoming>) -> Failure {
        self.answered(deployment, &incoming);
        let status = incoming.status.as_u16();
        let profile = &deployment.voice.profile;
        let body = read_error(incoming.body).await;
        let failure =
            signals::classify(profile, status, &incoming.headers, &body, Clock::unix_seconds().unsigned_abs());
        match failure.kind {
            // what is not found is what the path names, and says nothing of the model
            FailureKind::ModelGone | FailureKind::ModelDenied => {
                Failure { kind: FailureKind::BadRequest, reason: "unknown_id".into(), scope: None, ..failure }
            }
            _ => failure,
        }
    }

    /// Notes a failure, and says what the client is told of it.
    fn failed(&mut self, chosen: &mut Chosen, failure: Failure) -> Rejection {
        let now = self.state.clock.now();
        let failure = chosen.flight.judged(failure, now);
        chosen.flight.failed(&failure, now);
        self.state.restrictions.failed(chosen.permit.deployment(), &failure, now);
        if let Some(observed) = self.world.observed(chosen.permit.deployment()) {
            observed.account.learn(&failure, Demand::default(), now);
        }
        self.settlement.attempt_failed(&failure);
        conclude(None, &[failure], Vec::new())
    }

    fn outgoing(&self) -> Outgoing {
        let mut headers = HeaderMap::new();
        for name in PASSED {
            for value in self.headers.get_all(name) {
                headers.append(HeaderName::from_static(name), value.clone());
            }
        }
        Outgoing { method: self.pass.method.clone(), path: self.pass.wanted.target(), headers, body: Bytes::new() }
    }

    /// Says of an id in a body that nobody has read whether it may go out: one of another key's may not.
    fn allowed(&self) -> upload::Allowed {
        let (state, key, reserved) = (Arc::clone(&self.state), Arc::clone(&self.key), self.is_reserved());
        Box::new(move |id| {
            let granted = || key.server_ids.iter().any(|granted| granted.covers(id));
            reserved || state.ids.owner(&key.name, id) != Owner::Foreign || granted()
        })
    }

    /// Begins the answer: JSON is read whole, so that what it creates is known before the client can name it.
    async fn answer(
        mut self,
        mut chosen: Chosen,
        incoming: Box<Incoming>,
        places: Vec<Place>,
    ) -> Result<Response<Answer>, (Settlement, Rejection)> {
        let deployment = Arc::clone(chosen.permit.deployment());
        self.state.restrictions.answered(&deployment);
        let claimant = Claimant::new(&self.state.ids, &self.key, &deployment);
        let Incoming { status, headers, mut body } = *incoming;
        let head = (status, headers);
        if !is_json(&head.1) {
            let took = self.settlement.serves(&deployment, true);
            chosen.flight.succeeded(self.state.clock.now(), None);
            self.settlement.note(|record| record.status = head.0.as_u16());
            let recall = recall::watch(&self.state, &self.key, &chosen.ask, &deployment, Phase::Content, None);
            let idle = chosen.pool.timeouts_at(&deployment).idle;
            let response = passing::head(&self.settlement, &head, &deployment, took);
            let Self { state, settlement, .. } = self;
            let passing = Passing::new(state, settlement, chosen.flight, body, (recall, idle, places));
            let events = passing::is_event_stream(&head.1).then_some(claimant);
            return Ok(response.map(|()| Answer::Pass(Box::new(passing.claiming(events)))));
        }
        let most = usize::try_from(self.world.snapshot.bounds.max_answer_bytes).unwrap_or(usize::MAX);
        let within = chosen.pool.timeouts_at(&deployment).answer;
        let read = tokio::time::timeout(within, collect(&mut body, most)).await;
        let read = read.unwrap_or_else(|_| Err(Failure::new(FailureKind::StreamIdle, Phase::Headers, "answer")));
        let body = match read {
            Ok(body) => body,
            Err(failure) => {
                let rejection = self.failed(&mut chosen, failure);
                return Err((self.settlement, rejection));
            }
        };
        claimant.whole(&body);
        let took = self.settlement.serves(&deployment, false);
        chosen.flight.succeeded(self.state.clock.now(), None);
        self.settlement.note(|record| {
            record.status = head.0.as_u16();
            record.bytes_out = body.len() as u64;
        });
        let response = passing::head(&self.settlement, &head, &deployment, took);
        self.settlement.served();
        Ok(response.map(|()| Answer::Whole(Some(body))))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    kind == b"application/json" || (kind.starts_with(b"application/") && kind.ends_with(b"+json"))
}

fn upload_bounds(world: &World) -> BodyBounds {
    let bounds = &world.snapshot.bounds;
    let bytes = usize::try_from(bounds.max_upload_bytes).unwrap_or(usize::MAX);
    BodyBounds { bytes, ..super::body_bounds(bounds) }
}
