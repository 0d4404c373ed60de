//! How long a client may take, and how much it may send.

use std::time::Duration;

/// Every limit of the client side; the defaults hold for a listener that faces the internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A TLS handshake, from the accepted connection on.
    pub handshake: Duration,
    /// A request's head, from its first byte on; on a new connection from its beginning.
    pub head: Duration,
    /// A connection without a request in flight.
    pub idle: Duration,
    /// A client with an answer on its way that accepts no byte.
    pub write_stall: Duration,
    /// Between two HTTP/2 pings on a quiet connection.
    pub ping_every: Duration,
    /// Wait for the answer to an HTTP/2 ping.
    pub ping_answer: Duration,
    /// TCP keep-alive on a silent connection.
    pub tcp_keepalive: Duration,
    /// The request target of HTTP/1, in bytes; longer is 414.
    pub target_bytes: usize,
    /// A whole HTTP/1 head, in bytes; longer is 431.
    pub head_bytes: usize,
    /// Header fields of a request; more is 431.
    pub headers: usize,
    /// The decoded header list of an HTTP/2 request, in bytes.
    pub http2_header_list_bytes: u32,
    /// Streams at once on an HTTP/2 connection.
    pub http2_streams: u32,
    /// HTTP/2 streams that a client may reset before we looked at them (rapid reset, CVE-2023-44487).
    pub http2_pending_resets: usize,
    /// HTTP/2 streams that a client may make us reset in a connection's life (CVE-2025-8671).
    pub http2_local_resets: usize,
    /// HTTP/2 receive window of a stream, in bytes.
    pub http2_stream_window_bytes: u32,
    /// HTTP/2 receive window of a connection, in bytes.
    pub http2_connection_window_bytes: u32,
    /// Answer bytes that wait for a slow client, on a stream.
    pub send_buffer_bytes: usize,
    /// Bytes that are read behind a request in flight, to notice the end of the connection that they hide.
    pub read_ahead_bytes: usize,
    /// Connections at once, over all listeners.
    pub connections: usize,
    /// How long the accept loop rests when descriptors run out.
    pub accept_pause: Duration,
    /// After a drain has begun: how long new connections are still taken, so that load balancers can notice.
    pub drain_accept: Duration,
    /// After a drain has begun: how long answers may take to finish.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(60),
            ping_every: Duration::from_secs(20),
            ping_answer: Duration::from_secs(10),
            tcp_keepalive: Duration::from_secs(60),
            target_bytes: 8 * 1024,
            head_bytes: 32 * 1024,
            headers: 100,
            http2_header_list_bytes: 16 * 1024,
            http2_streams: 200,
            http2_pending_resets: 20,
            http2_local_resets: 256,
            http2_stream_window_bytes: 256 * 1024,
            http2_connection_window_bytes: 1024 * 1024,
            send_buffer_bytes: 64 * 1024,
            read_ahead_bytes: 64 * 1024,
            connections: 16 * 1024,
            accept_pause: Duration::from_millis(100),
            drain_accept: Duration::from_secs(5),
            drain: Duration::from_secs(600),
        }
    }
}
