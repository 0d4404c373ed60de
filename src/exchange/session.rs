//! Which session a call belongs to: the one that the client names, else the one that begins as this call does.

use crate::base::clock::Moment;
use crate::exchange::admit::Admitted;
use crate::exchange::ingress::Ingress;
use crate::snapshot::pool::{Order, Pool};
use crate::state::world::State;
use http::HeaderName;
use std::sync::{Arc, PoisonError};

const SESSION: HeaderName = HeaderName::from_static("x-session-id");

/// The session's number; `None` where the pool has no choice that it could decide.
///
/// The number is keyed with a secret of the process, and with the virtual key: sessions of two clients never meet.
pub(crate) fn of(state: &State, admitted: &Admitted, ingress: &Ingress) -> Option<u64> {
    if !has_choice(&admitted.pool) {
        return None;
    }
    let named = ingress.headers.get(SESSION).map(http::HeaderValue::as_bytes).filter(|name| !name.is_empty());
    let words = named.map_or_else(|| ingress.scan.opening(&ingress.body), |name| [&[], name]);
    words.iter().any(|words| !words.is_empty()).then(|| state.session(&admitted.key.name, words))
}

/// The key of the health of what served the session last.
pub(crate) fn home(state: &State, session: u64, now: Moment) -> Option<Arc<str>> {
    state.affinity.lock().unwrap_or_else(PoisonError::into_inner).home(session, now)
}

/// Whether some tier leaves a choice: price or latency between several, or several credentials of one deployment.
fn has_choice(pool: &Pool) -> bool {
    pool.tiers.iter().any(|tier| match pool.order {
        Order::Latency | Order::Price => tier.len() > 1,
        Order::Listed => tier.windows(2).any(|pair| matches!(pair, [one, other] if one.id == other.id)),
    })
}
