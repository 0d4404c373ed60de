//! How a request proves who we are: by a header, by a signature, or by a token that is fetched ahead.

mod assertion;
mod form;
mod sigv4;
mod tokens;

pub use tokens::Tokens;

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::dialect::profile::AuthHeader;
use crate::snapshot::deployment::{Deployment, Timeouts};
use crate::snapshot::permit::Permit;
use crate::snapshot::proof::{Proof, TokenSource};
use crate::upstream::request::{Outbound, unsendable};
use crate::upstream::{Connections, Incoming};
use bytes::{Bytes, BytesMut};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokens::{Slot, Token};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// How long fetching a token may take.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// Bytes of a token endpoint's answer that are read.
const ANSWER_BYTES: usize = 64 << 10;

impl Connections {
    /// Puts the proof into a request that is otherwise complete.
    ///
    /// # Errors
    /// `auth_key` where no token can be had, `malformed` where the credential cannot be sent at all.
    pub(super) async fn prove(&self, permit: &Permit, request: &mut Outbound, body: &Bytes) -> Result<(), Failure> {
        let deployment = permit.deployment();
        let Some(credential) = &deployment.credential else { return Ok(()) };
        match &credential.proof {
            Proof::Header => {
                let (name, prefix) = match deployment.voice.profile.auth {
                    AuthHeader::Bearer => (AUTHORIZATION, "Bearer "),
                    AuthHeader::XApiKey => (X_API_KEY, ""),
                    AuthHeader::XGoogApiKey => (X_GOOG_API_KEY, ""),
                    AuthHeader::ApiKey => (API_KEY, ""),
                };
                request.headers_mut().insert(name, sensitive([prefix, credential.secret.expose()].concat())?);
            }
            Proof::Signature(key) => {
                let tls = deployment.endpoint.tls;
                for (name, value) in sigv4::sign(key, request, tls, body, SystemTime::now())? {
                    request.headers_mut().insert(name, value);
                }
            }
            Proof::Token(source) => {
                // seldom needed, and large: in a box it burdens no request that needs none
                let token = Box::pin(self.token(permit, source)).await?;
                request.headers_mut().insert(AUTHORIZATION, token);
            }
        }
        Ok(())
    }

    /// Fetches the token of the permit's deployment, if it uses one that is due, before a call has to wait for it.
    ///
    /// # Errors
    /// `auth_key` where no token can be had; one that is still good serves on.
    pub async fn renew(&self, permit: &Permit) -> Result<(), Failure> {
        let Some(source) = permit.deployment().token_source() else { return Ok(()) };
        let slot = self.tokens.slot(&source.key);
        let Ok(_turn) = slot.turn.try_lock() else { return Ok(()) };
        if !slot.is_due(Instant::now()) {
            return Ok(());
        }
        self.fetch_into(&slot, permit, source).await.map(|_| ())
    }

    /// Whether the deployment uses a token that is to be fetched by now.
    #[must_use]
    pub fn is_renewal_due(&self, deployment: &Deployment) -> bool {
        deployment.token_source().is_some_and(|source| self.tokens.slot(&source.key).is_due(Instant::now()))
    }

    /// Forgets a token that the vendor refuses: the next request fetches another.
    pub(super) fn refused(&self, deployment: &Deployment) {
        if let Some(source) = deployment.token_source() {
            self.tokens.slot(&source.key).forget();
        }
    }

    /// The token to send; fetched by one while the others wait for it.
    async fn token(&self, permit: &Permit, source: &TokenSource) -> Result<HeaderValue, Failure> {
        let slot = self.tokens.slot(&source.key);
        let asked = Instant::now();
        if let Some(token) = slot.good(asked) {
            return Ok(token);
        }
        let _turn = slot.turn.lock().await;
        if let Some(token) = slot.good(Instant::now()) {
            return Ok(token);
        }
        if let Some(failure) = slot.failed_since(asked) {
            return Err(failure);
        }
        self.fetch_into(&slot, permit, source).await
    }

    async fn fetch_into(&self, slot: &Slot, permit: &Permit, source: &TokenSource) -> Result<HeaderValue, Failure> {
        let fetched = tokio::time::timeout(FETCH_TIME, self.fetch(permit, source)).await;
        match fetched.unwrap_or_else(|_| Err(no_token("token_timeout"))) {
            Ok(token) => Ok(slot.keep(token, self.tokens.jitter())),
            Err(failure) => {
                slot.fail(failure.clone());
                Err(failure)
            }
        }
    }

    /// Asks the token endpoint. Whatever goes wrong is the credential's failure: every deployment that uses it shares it.
    async fn fetch(&self, permit: &Permit, source: &TokenSource) -> Result<Token, Failure> {
        let deployment = permit.deployment();
        let timeouts = Timeouts { headers: FETCH_TIME, ..deployment.timeouts };
        let request = form::request(source, unix_seconds())?;
        let site = self.site(&source.endpoint)?;
        let sent = self.exchange(&site, deployment, request, &timeouts, false).await;
        let Incoming { status, body, .. } =
            *sent.map_err(|failure| Failure { kind: FailureKind::AuthKey, ..failure })?;
        let answer = read(body).await?;
        if status.is_success() {
            return form::token(&answer, Instant::now()).ok_or_else(|| no_token("token_malformed"));
        }
        let mut failure = no_token(if status.is_client_error() { "token_refused" } else { "token_unavailable" });
        failure.said = form::said(status.as_u16(), &answer);
        Err(failure)
    }
}

/// Whether requests to the deployment are signed, so that their bodies must be known before they are sent.
#[must_use]
pub fn signs(deployment: &Deployment) -> bool {
    matches!(deployment.credential.as_ref().map(|credential| &credential.proof), Some(Proof::Signature(_)))
}

async fn read(mut body: crate::upstream::VendorBody) -> Result<Bytes, Failure> {
    let mut answer = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        answer.extend_from_slice(&chunk.map_err(|_| no_token("token_unavailable"))?);
        if answer.len() > ANSWER_BYTES {
            return Err(no_token("token_malformed"));
        }
    }
    Ok(answer.freeze())
}

/// A failure to get a token: the vendor itself was not asked yet.
fn no_token(reason: &'static str) -> Failure {
    Failure::new(FailureKind::AuthKey, Phase::Connect, reason)
}

fn sensitive(text: String) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| unsendable("credential"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
