//! What goes back to the client: bodies, and the headers of every answer.

use crate::base::decimal::Decimal;
use crate::base::money::Microusd;
use crate::base::rejection::{Rejection, RejectionCode};
use crate::dialect::{Dialect, error};
use crate::exchange::allowance;
use crate::exchange::relay::Relay;
use crate::exchange::settle::Settlement;
use crate::exchange::vendor::Passing;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The wait that a client is told, in whole seconds: SDKs ignore longer ones and fall back to their own.
const LONGEST_WAIT_S: u64 = 60;
/// The same for what no retry mends before: a spent budget. Within a day somebody may have raised it.
const LONGEST_LOCK_S: u64 = 86_400;

/// What an answer without limits has at most, so that its headers are laid out once.
const MOST_HEADERS: usize = 12;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-backstay-attempts");
const SERVED_BY: HeaderName = HeaderName::from_static("x-backstay-served-by");
const COST: HeaderName = HeaderName::from_static("x-backstay-cost-usd");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// An error of an answer's body: it makes the server break the connection instead of ending the answer cleanly.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off after content had gone out")]
pub struct Broken;

/// The body of an answer.
pub enum Answer {
    /// All of it.
    Whole(Option<Bytes>),
    /// As it comes.
    Stream(Box<Relay>),
    /// A vendor's own, as it comes.
    Pass(Box<Passing>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Pass(passing) => {
                passing.poll_bytes(cx).map(|next| next.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
            }
            Self::Stream(relay) => {
                relay.poll_bytes(cx).map(|next| next.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(_) | Self::Pass(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pass(passing) => passing.length().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A whole answer with the headers that every answer carries.
pub(crate) fn whole(settlement: &Settlement, status: StatusCode, body: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Some(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(MOST_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    every_answer(headers, settlement);
    response
}

/// A streamed answer.
pub(crate) fn stream(settlement_headers: HeaderMap, relay: Box<Relay>) -> Response<Answer> {
    let kind = if relay.is_array() { "application/json; charset=utf-8" } else { "text/event-stream; charset=utf-8" };
    let mut response = Response::new(Answer::Stream(relay));
    *response.headers_mut() = settlement_headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Our own error, or the vendor's words, in the client's dialect. Settles the exchange.
pub(crate) fn reject(
    mut settlement: Settlement,
    dialect: Dialect,
    rejection: &Rejection,
    jitter: f64,
) -> Response<Answer> {
    let body = error::body(dialect, rejection, settlement.request_id());
    settlement.note(|record| {
        record.status = rejection.status();
        record.bytes_out = body.len() as u64;
    });
    let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = whole(&settlement, status, body);
    let headers = response.headers_mut();
    if rejection.code.may_pass_later() {
        let wait = wait_seconds(rejection.retry_after.unwrap_or(Duration::from_secs(1)), jitter);
        headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    } else if rejection.code == RejectionCode::BudgetExhausted {
        let wait = rejection.retry_after.map_or(LONGEST_LOCK_S, |wait| wait.as_secs().clamp(1, LONGEST_LOCK_S));
        headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    if !rejection.code.may_pass_later() || settlement.attempts() > 0 || !rejection.refusals.is_empty() {
        // what could be retried was retried here: an SDK that tries again multiplies load and finds the same
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    settlement.rejected(rejection);
    response
}

/// Whole seconds between 1 and 60, spread so that clients do not come back all at once.
fn wait_seconds(wait: Duration, jitter: f64) -> u64 {
    ((wait.as_secs_f64() * jitter).ceil() as u64).clamp(1, LONGEST_WAIT_S)
}

/// Headers of every answer.
pub(crate) fn every_answer(headers: &mut HeaderMap, settlement: &Settlement) {
    if let Ok(value) = HeaderValue::from_str(settlement.request_id()) {
        headers.insert(REQUEST_ID, value.clone());
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(ATTEMPTS, HeaderValue::from(settlement.attempts()));
    if let Some((levels, anthropic)) = settlement.allowance() {
        allowance::tell(headers, levels, anthropic);
    }
}

/// Headers of an answer that a deployment gave.
pub(crate) fn served(
    headers: &mut HeaderMap,
    deployment: &str,
    vendor: Duration,
    total: Duration,
    cost: Option<Microusd>,
) {
    if let Ok(value) = HeaderValue::from_str(deployment) {
        headers.insert(SERVED_BY, value);
    }
    let timing = ["vendor;dur=", milliseconds(vendor).as_str(), ", total;dur=", milliseconds(total).as_str()].concat();
    if let Ok(value) = HeaderValue::try_from(timing) {
        headers.insert(SERVER_TIMING, value);
    }
    if let Some(cost) = cost
        && let Ok(value) = HeaderValue::from_str(cost.dollars().as_str())
    {
        headers.insert(COST, value);
    }
}

/// A time in milliseconds with one decimal.
fn milliseconds(time: Duration) -> Decimal {
    let tenths = (time.as_micros() + 50) / 100;
    Decimal::new(u64::try_from(tenths).unwrap_or(u64::MAX), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds_within_what_sdks_honour() {
        let check =
            |wait: f64, jitter, seconds| assert_eq!(wait_seconds(Duration::from_secs_f64(wait), jitter), seconds);
        check(0.0, 1.0, 1);
        check(2.0, 1.0, 2);
        check(2.0, 1.1, 3);
        check(900.0, 0.9, 60);
    }

    #[test]
    fn times_are_told_in_milliseconds_with_one_decimal() {
        let check = |micros, text| assert_eq!(milliseconds(Duration::from_micros(micros)).as_str(), text);
        check(0, "0.0");
        check(949, "0.9");
        check(950, "1.0");
        check(1_234_560, "1234.6");
    }
}
