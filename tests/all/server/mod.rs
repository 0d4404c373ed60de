//! The client side of the proxy, over real sockets.

mod drain;
mod floods;
mod gone;
mod guard;
mod handshakes;
mod slow;

use std::time::Duration;

const HELLO: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(100);

/// The status of an HTTP/1 answer, 0 without one.
fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
