//! TCP connections: the first of several addresses that answers, each given a head start over the next (RFC 8305).

use crate::base::failure::{Failure, FailureKind, Phase};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long an address is tried before the next one is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);
/// Silence after which the kernel asks whether the peer is still there, and the pause between its questions.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_PAUSE: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged; the kernel's own limit is minutes.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Connects to the first of `addresses` that answers.
///
/// # Errors
/// `connect_refused` as soon as every address has refused, `connect_timeout` when `within` is over.
pub(super) async fn dial(addresses: &[SocketAddr], within: Duration) -> Result<TcpStream, Failure> {
    let connected = match addresses {
        [address] => tokio::time::timeout(within, TcpStream::connect(*address)).await,
        _ => tokio::time::timeout(within, race(addresses)).await,
    };
    let socket = match connected {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(refused(&error)),
        Err(_) => return Err(Failure::new(FailureKind::ConnectTimeout, Phase::Connect, "")),
    };
    set_options(&socket).map_err(|error| refused(&error))?;
    Ok(socket)
}

/// Tries the addresses one after another, the next when the last failed or had its head start; losers are dropped.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut waiting = alternate(addresses).into_iter();
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let more = waiting.len() > 0;
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        }
        let ended = if more {
            match tokio::time::timeout(HEAD_START, attempts.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        } else {
            attempts.join_next().await
        };
        match ended {
            Some(Ok(Ok(socket))) => return Ok(socket),
            Some(Ok(Err(failed))) => error = failed,
            Some(Err(_)) => {}
            None => return Err(error),
        }
    }
}

/// The addresses with their families taking turns, the first one's first.
fn alternate(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::with_capacity(addresses.len());
    while mixed.len() < addresses.len() {
        mixed.extend(first.next());
        mixed.extend(second.next());
    }
    mixed
}

fn set_options(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_PAUSE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

fn refused(error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => "",
        io::ErrorKind::TimedOut => return Failure::new(FailureKind::ConnectTimeout, Phase::Connect, "kernel"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => "reset",
        _ => "unreachable",
    };
    Failure::new(FailureKind::ConnectRefused, Phase::Connect, reason)
}
