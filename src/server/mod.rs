//! Floor 6: speaks HTTP to clients.
//!
//! A connection's path is the order of the files: [`accept`] takes it, [`workers`] gives it to a core that keeps it,
//! [`handshake`] makes it private with the certificates of today, [`read_ahead`] and [`head_guard`] let nothing through
//! that two readers could understand differently, [`connection`] hands its requests to the [`Application`], and
//! [`drain`] ends it.

pub mod accept;
pub mod bounds;
mod certificates;
mod chunk_guard;
mod connection;
pub mod drain;
mod flight;
mod flush;
mod handshake;
pub mod head_guard;
mod host;
mod read_ahead;
mod respond;
mod streams;
pub mod workers;
mod write_stall;

use crate::base::event::Sink;
use crate::server::bounds::Bounds;
use crate::server::drain::Drain;
use crate::snapshot::listener::Listener;
use bytes::Bytes;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// What a server serves: one instance on every worker thread.
pub trait Application: Send + Sync + 'static {
    /// The body of its answers. An error in it breaks the connection (HTTP/1) or resets the stream (HTTP/2), so that no
    /// client takes a broken answer for a whole one. Dropping it unfinished means that the client is gone.
    type Body: http_body::Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Send + Unpin + 'static;

    /// Answers one request. The future is dropped as soon as the client is gone; a client that has closed its sending side
    /// counts as gone.
    fn call(&self, request: http::Request<hyper::body::Incoming>, peer: &Arc<Peer>) -> Answering<Self::Body>;
}

/// An answer under way: hyper moves about what it is given, and a box is moved as a pointer.
pub type Answering<B> = Pin<Box<dyn Future<Output = http::Response<B>> + Send>>;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address it comes from.
    pub address: SocketAddr,
    /// The listener that it came to.
    pub listener: Arc<str>,
    /// The names of its verified certificate, as in `uri:spiffe://...` or `dns:...`; empty without one.
    pub certificate_names: Vec<String>,
    /// Whether the connection is private.
    pub tls: bool,
}

/// Finds the present listener of a name: asked once for every connection, so that a reload changes new handshakes only.
/// `None` for a listener that is no longer configured, which closes the new connection.
pub type CurrentListener = dyn Fn(&str) -> Option<Arc<Listener>> + Send + Sync;

/// What all connections of a server have in common.
#[derive(Clone)]
pub struct Setting {
    /// The limits.
    pub bounds: Bounds,
    /// How the server ends.
    pub drain: Drain,
    /// Who is told what happens.
    pub sink: Arc<dyn Sink>,
    /// The certificates and trust anchors of today.
    pub current: Arc<CurrentListener>,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("bounds", &self.bounds).field("drain", &self.drain).finish_non_exhaustive()
    }
}
