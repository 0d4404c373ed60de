//! Hands a client's request from the server to an exchange.

use crate::exchange::{Answer, Exchanges};
use crate::server::{self, Peer};
use crate::state::world::State;
use crate::upstream::Connections;
use std::sync::Arc;

/// What one worker serves with.
pub(super) struct Application {
    exchanges: Exchanges,
}

impl Application {
    pub(super) fn new(state: Arc<State>, connections: Arc<Connections>) -> Self {
        Self { exchanges: Exchanges::new(state, connections) }
    }
}

impl server::Application for Application {
    type Body = Answer;

    async fn call(&self, request: http::Request<hyper::body::Incoming>, peer: Arc<Peer>) -> http::Response<Answer> {
        self.exchanges.answer(request, &peer.certificate_names).await
    }
}
