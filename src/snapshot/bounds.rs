//! Bounds of what clients may do to this process.

use std::time::Duration;

/// Bounds of what clients may do to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Largest request body, in bytes.
    pub max_body_bytes: u64,
    /// Largest request body that is passed to a vendor as it comes, in bytes.
    pub max_upload_bytes: u64,
    /// Largest answer of a vendor that is not streamed, in bytes.
    pub max_answer_bytes: u64,
    /// Most header lines of a request.
    pub max_headers: usize,
    /// Largest head of a request, in bytes.
    pub max_head_bytes: usize,
    /// Longest path with its query, in bytes.
    pub max_path_bytes: usize,
    /// Most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// Most client connections at once.
    pub max_connections: usize,
    /// TLS handshake with a client.
    pub handshake: Duration,
    /// Arrival of a request's head.
    pub head: Duration,
    /// Longest pause within a request body.
    pub body: Duration,
    /// Slowest request body, in bytes per second, once `body_grace` is over.
    pub body_min_rate_bytes: u64,
    /// How long a request body may be slower than that.
    pub body_grace: Duration,
    /// How long a connection without a request is kept.
    pub idle: Duration,
    /// How long a client may leave an answer unread.
    pub write: Duration,
    /// How long the head of a streamed answer is held before the client gets a sign of life.
    pub ping_after: Duration,
    /// How long new connections are still accepted after the signal to stop.
    pub drain_accept: Duration,
    /// How long open exchanges may take to end after the signal to stop.
    pub drain: Duration,
}
