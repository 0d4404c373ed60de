//! What goes out to a deployment: the client's own bytes with a few members spliced, or a translation.

use crate::base::rejection::{Refusal, Rejection};
use crate::call::echo::Echo;
use crate::call::needs::{Need, Needs};
use crate::dialect::profile::Profile;
use crate::dialect::scan::scan;
use crate::dialect::splice::{Edits, splice};
use crate::dialect::translate::Asked;
use crate::dialect::{Dialect, Task};
use crate::exchange::admit::Size;
use crate::exchange::continuation::{self, Manner, Told};
use crate::exchange::ingress::Ingress;
use crate::exchange::server_ids::Claimant;
use crate::snapshot::bounds::Bounds;
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::snapshot::pool::Pool;
use crate::state::quota::Demand;
use crate::upstream::Outgoing;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;

/// Client headers that reach a vendor of the client's own dialect. Everything else is ours.
const PASSED: [&str; 1] = ["anthropic-beta"];
/// Headers of most requests when they go out, those included that are written last: what is laid out once is not moved.
const USUAL_HEADERS: usize = 8;
/// Answer tokens that a call without a cap is assumed to take.
const ASSUMED_ANSWER: u64 = 1_000;
/// Prompts up to so many tokens get the configured first-content limit; each further thousand a second more.
const SHORT_PROMPT: u64 = 8_000;
const LONG_PROMPT_FACTOR: u32 = 6;

/// A request that is ready to be sent, and what is needed to read its answer. It is large, and lives in a box.
pub(crate) struct Prepared {
    /// How it is asked.
    pub(crate) profile: Profile,
    /// The vendor's name of the model.
    pub(crate) model: Arc<str>,
    /// The client's dialect.
    pub(crate) client: Dialect,
    /// Whether the answer must be translated.
    pub(crate) translated: bool,
    /// What is asked, where it was translated.
    pub(crate) asked: Option<Arc<Asked>>,
    /// What the client was told before, where the stream can be carried on; at first nothing.
    pub(crate) told: Option<Box<Told>>,
    /// How the rest of a broken stream is asked for.
    pub(crate) manner: Option<Manner>,
    /// Whether the model's thoughts in the history were left out, because their vendor is another.
    pub(crate) without_thoughts: bool,
    /// Whether the call is streamed.
    pub(crate) streamed: bool,
    /// Whether the client itself asked for usage in the stream.
    pub(crate) client_wants_usage: bool,
    /// Largest answer that is taken, where it is not streamed.
    pub(crate) answer_bytes: usize,
    /// How long to wait for what, for a call of this size and kind.
    pub(crate) timeouts: Timeouts,
    /// Notes for the key what the answer makes the vendor keep, where it may.
    pub(crate) claimant: Option<Claimant>,
    path: Arc<str>,
    /// The client's own, of those that are passed on.
    passed: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Prepared {
    pub(crate) fn outgoing(&self) -> Outgoing {
        let accept = if self.streamed { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::with_capacity(USUAL_HEADERS + self.passed.len());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, value) in &self.passed {
            headers.append(name, value.clone());
        }
        Outgoing { method: Method::POST, path: self.path.to_string(), headers, body: self.body.clone() }
    }
}

/// Why no request can be made of a call.
pub(crate) enum Unfit {
    /// This deployment has no words for it; another may.
    Deployment(Refusal),
    /// The call itself is not valid.
    Call(Rejection),
}

/// Tokens that a call is estimated to move, for budgets.
pub(crate) fn weight(ingress: &Ingress) -> u64 {
    let Size { input_tokens, output_tokens } = size(ingress);
    input_tokens.saturating_add(output_tokens)
}

/// Tokens of prompt and answer that a call is estimated to move.
pub(crate) fn size(ingress: &Ingress) -> Size {
    let output_tokens = ingress.scan.max_tokens.unwrap_or(ASSUMED_ANSWER);
    Size { input_tokens: ingress.scan.input_tokens, output_tokens }
}

/// What a call takes of a vendor's quota. What images, sound and files come to in tokens cannot be told from their bytes:
/// they count as nothing, and the vendor says 429 where that is wrong.
pub(crate) fn demand(ingress: &Ingress) -> Demand {
    let Size { input_tokens, output_tokens } = size(ingress);
    let heavy = ingress.scan.prompt_tokens_min() == 0;
    let input_tokens = if heavy { 0 } else { input_tokens };
    match ingress.dialect.task() {
        Task::Generate => Demand::new(input_tokens, output_tokens),
        Task::Embed => Demand::new(input_tokens, 0),
        Task::Count => Demand::default(),
    }
}

/// Prepares the request for one deployment.
///
/// # Errors
/// What this deployment's dialect has no words for, or what is wrong with the call itself.
pub(crate) fn prepare(
    ingress: &mut Ingress,
    bounds: &Bounds,
    pool: &Pool,
    deployment: &Arc<Deployment>,
) -> Result<Box<Prepared>, Unfit> {
    let dialect = ingress.dialect;
    let unspoken = || Unfit::Deployment(Refusal::Capability(dialect.name()));
    let voice = deployment.voice(dialect).ok_or_else(unspoken)?;
    let profile = &voice.profile;
    let same = profile.dialect == dialect;
    let translated = !same || dialect.names_model_within();
    let store_false = forbids_keeping(ingress, deployment, profile);
    let body = if translated || ingress.scan.translated || profile.rewrites(&ingress.body) {
        // a client of the same dialect gets the usage where it has asked for it
        let include_usage = ingress.scan.stream && (profile.usage_on_request || (same && ingress.scan.include_usage));
        let asked = ingress.asked().map_err(Unfit::Call)?;
        let written = asked.write(profile, &deployment.model, deployment.default_max_tokens, include_usage);
        fitted(written.map_err(Unfit::Deployment)?, profile, store_false)
    } else {
        let scan = &ingress.scan;
        let edits = Edits {
            model: (*scan.model != *deployment.model).then_some(&*deployment.model),
            include_usage: scan.stream && profile.usage_on_request && !scan.include_usage,
            store_false,
            members: profile.body_members,
            without_model: profile.model_in_path,
        };
        splice(&ingress.body, scan, &edits)
    };
    let scan = &ingress.scan;
    Ok(Box::new(Prepared {
        profile: *profile,
        model: Arc::clone(&deployment.model),
        path: Arc::clone(if scan.stream { &voice.stream_path } else { &voice.path }),
        client: ingress.dialect,
        translated,
        asked: ingress.asked.clone().filter(|_| translated),
        told: None,
        manner: None,
        without_thoughts: false,
        streamed: scan.stream,
        client_wants_usage: scan.include_usage,
        answer_bytes: usize::try_from(bounds.max_answer_bytes).unwrap_or(usize::MAX),
        timeouts: timeouts(&pool.timeouts_at(deployment), scan.needs, scan.input_tokens, scan.stream),
        passed: if translated { Vec::new() } else { passed(&ingress.headers) },
        claimant: None,
        body,
    }))
}

/// Prepares the request for the rest of a stream that broke, asked for in this `manner`.
///
/// # Errors
/// As of [`prepare`].
pub(crate) fn prepare_rest(
    ingress: &mut Ingress,
    bounds: &Bounds,
    pool: &Pool,
    deployment: &Arc<Deployment>,
    (told, manner): (&Told, Manner),
) -> Result<Box<Prepared>, Unfit> {
    let dialect = ingress.dialect;
    let unspoken = || Unfit::Deployment(Refusal::Capability(dialect.name()));
    let profile = deployment.voice(dialect).ok_or_else(unspoken)?.profile;
    let Asked::Call { call, .. } = ingress.asked().map_err(Unfit::Call)? else { return Err(unspoken()) };
    let call = Box::new(continuation::ask(call, manner, told.text()));
    let rest = Asked::Call { call, echo: Echo::default() };
    // a vendor that repeats a beginning would show it twice: it is asked to take one here alone, where the repeat is cut
    let offered =
        if manner == Manner::Prefix { profile.capabilities.with(Need::Prefill) } else { profile.capabilities };
    let asked = Profile { capabilities: offered, ..profile };
    let written = rest.write(&asked, &deployment.model, deployment.default_max_tokens, profile.usage_on_request);
    let body = fitted(written.map_err(Unfit::Deployment)?, &profile, forbids_keeping(ingress, deployment, &profile));
    let mut prepared = prepare(ingress, bounds, pool, deployment)?;
    (prepared.body, prepared.translated) = (body, true);
    (prepared.told, prepared.manner) = (Some(Box::new(told.clone())), Some(manner));
    Ok(prepared)
}

/// Prepares the request without the model's thoughts in its history, for a deployment that does not take them back: it speaks
/// the dialect that they came in, but their seal is of another vendor or account.
///
/// # Errors
/// As of [`prepare`].
pub(crate) fn prepare_without_thoughts(
    ingress: &mut Ingress,
    bounds: &Bounds,
    pool: &Pool,
    deployment: &Arc<Deployment>,
) -> Result<Box<Prepared>, Unfit> {
    let mut prepared = prepare(ingress, bounds, pool, deployment)?;
    let (profile, scan) = (&prepared.profile, &ingress.scan);
    let include_usage = scan.stream && (profile.usage_on_request || scan.include_usage);
    let unspoken = Unfit::Deployment(Refusal::Capability(Need::SignedReasoning.name()));
    let rest = ingress.asked().map_err(Unfit::Call)?.without_thoughts().ok_or(unspoken)?;
    let written = rest.write(profile, &deployment.model, deployment.default_max_tokens, include_usage);
    let body = fitted(written.map_err(Unfit::Deployment)?, profile, forbids_keeping(ingress, deployment, profile));
    (prepared.body, prepared.without_thoughts) = (body, true);
    Ok(prepared)
}

/// Whether the vendor is told to keep nothing of a call that it would keep: by the client's words, or for want of them.
fn forbids_keeping(ingress: &Ingress, deployment: &Deployment, profile: &Profile) -> bool {
    deployment.keeps_nothing && profile.dialect == ingress.dialect && ingress.scan.needs.has(Need::Stores)
}

/// A written body as the vendor wants it, where it wants more or less than its dialect says.
fn fitted(body: Bytes, profile: &Profile, store_false: bool) -> Bytes {
    if profile.body_members.is_empty() && !store_false {
        return body;
    }
    let (members, without_model) = (profile.body_members, profile.model_in_path);
    let edits = Edits { store_false, members, without_model, ..Edits::default() };
    scan(profile.dialect, &body).map_or_else(|_| body.clone(), |scan| splice(&body, &scan, &edits))
}

fn passed(client: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let given =
        |name| client.get_all(name).into_iter().map(move |value| (HeaderName::from_static(name), value.clone()));
    PASSED.into_iter().flat_map(given).collect()
}

/// The deployment's limits, stretched for long prompts and for reasoning.
fn timeouts(configured: &Timeouts, needs: Needs, input_tokens: u64, streamed: bool) -> Timeouts {
    let mut timeouts = *configured;
    let beyond = input_tokens.saturating_sub(SHORT_PROMPT) / 1_000;
    let stretched = configured.first_content + Duration::from_secs(beyond);
    timeouts.first_content = stretched.min(configured.first_content * LONG_PROMPT_FACTOR);
    if needs.has(Need::Reasoning) {
        timeouts.first_content = timeouts.first_content.max(configured.first_content * 12);
        timeouts.idle = configured.idle * 10;
        timeouts.progress = configured.progress * 5;
        timeouts.trickle = configured.trickle * 5;
        timeouts.answer = configured.answer * 5;
    }
    if !streamed {
        timeouts.headers = timeouts.answer;
    } else if timeouts.first_content > configured.first_content {
        timeouts.headers = configured.headers.max(timeouts.first_content);
    }
    timeouts
}

impl Ingress {
    /// What is asked in its canonical form, read once.
    pub(crate) fn asked(&mut self) -> Result<&Asked, Rejection> {
        let asked = match self.asked.take() {
            Some(asked) => asked,
            None => Arc::new(Asked::read(self.dialect, &self.body, &self.scan.model, self.scan.stream)?),
        };
        Ok(self.asked.insert(asked))
    }
}
