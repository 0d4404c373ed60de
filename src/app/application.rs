//! Hands a client's request from the server to an exchange.

use crate::exchange::{Answer, Caller, Exchanges};
use crate::server::{self, Answering, Peer};
use crate::state::world::State;
use crate::upstream::Connections;
use std::sync::Arc;

/// What one worker serves with.
pub(super) struct Application {
    exchanges: Arc<Exchanges>,
}

impl Application {
    pub(super) fn new(state: Arc<State>, connections: Arc<Connections>) -> Self {
        Self { exchanges: Arc::new(Exchanges::new(state, connections)) }
    }
}

impl server::Application for Application {
    type Body = Answer;

    fn call(&self, request: http::Request<hyper::body::Incoming>, peer: &Arc<Peer>) -> Answering<Answer> {
        let caller = Caller { address: Some(peer.address.ip()), certificate_names: &peer.certificate_names };
        self.exchanges.answer(request, caller)
    }
}
