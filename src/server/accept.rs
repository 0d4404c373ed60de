//! Binds the listeners and takes connections; it never handshakes, and it never ends because of a bad moment.

use crate::base::event::Event;
use crate::server::Setting;
use crate::server::drain::{ConnectionCount, Phase};
use crate::server::workers::Shared;
use crate::snapshot::listener::Listener;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 4096;

/// A bound listener, not yet accepting.
#[derive(Debug)]
pub struct Door {
    /// The listener's name in the config.
    pub name: Arc<str>,
    /// The address that it is bound to, with the port that the system chose for port 0.
    pub address: SocketAddr,
    socket: std::net::TcpListener,
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("listener {name}: cannot listen on {address}: {source}\n  help: {}", hint(source))]
pub struct BindError {
    name: Arc<str>,
    address: SocketAddr,
    source: io::Error,
}

/// An accepted connection on its way to whoever serves it.
#[derive(Debug)]
pub struct Accepted {
    pub(crate) socket: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) listener: Arc<str>,
    pub(crate) count: ConnectionCount,
}

/// Binds one listener.
///
/// # Errors
/// [`BindError`] names the address and what to try.
pub fn bind(listener: &Listener) -> Result<Door, BindError> {
    let failed = |source| BindError { name: Arc::clone(&listener.name), address: listener.address, source };
    let socket = listening(listener.address).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Door { name: Arc::clone(&listener.name), address, socket })
}

/// Takes connections until the drain has gone on for its accept time, and gives each to a worker.
///
/// # Errors
/// When the socket cannot be registered with the runtime.
pub(crate) async fn run(door: Door, shared: Arc<Shared>, workers: Arc<Queues>) -> io::Result<()> {
    let listener = TcpListener::from_std(door.socket)?;
    let Setting { bounds, drain, sink, .. } = &shared.setting;
    let mut over = pin!(async {
        drain.reached(Phase::Draining).await;
        tokio::select! {
            () = tokio::time::sleep(bounds.drain_accept) => {}
            () = drain.reached(Phase::Cut) => {}
        }
    });
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut over => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(_) if drain.connections() >= bounds.connections => {
                sink.emit(Event::LimitRejected { limit: "connections" });
            }
            Ok((stream, address)) => {
                // A socket that fails here is already dead, and so is nobody's loss.
                let Ok(socket) = tuned(stream, bounds.tcp_keepalive, bounds.write_stall) else { continue };
                let count = drain.connection();
                workers.hand_over(Accepted { socket, address, listener: Arc::clone(&door.name), count }).await;
            }
            // One client's misfortune; a pause would let such clients hold up the others.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                sink.emit(Event::LimitRejected { limit: "accept" });
                tracing::warn!(listener = %door.name, %error, "accepting failed; pausing");
                tokio::time::sleep(bounds.accept_pause).await;
            }
        }
    }
}

/// The ways to the workers.
#[derive(Debug)]
pub(crate) struct Queues {
    queues: Vec<mpsc::Sender<Accepted>>,
    next: AtomicUsize,
}

impl Queues {
    pub(crate) const fn new(queues: Vec<mpsc::Sender<Accepted>>) -> Self {
        Self { queues, next: AtomicUsize::new(0) }
    }

    /// Gives a connection to the next worker that has room; when none has, the acceptor waits and the kernel queues.
    async fn hand_over(&self, mut accepted: Accepted) {
        let count = self.queues.len().max(1);
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = |step: usize| self.queues.get(first.wrapping_add(step) % count);
        for queue in (0..count).filter_map(turn) {
            match queue.try_send(accepted) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => accepted = back,
            }
        }
        if let Some(queue) = turn(0) {
            // A worker that is gone drops the connection: its client tries again.
            let _ = queue.send(accepted).await;
        }
    }
}

/// Whether accepting failed because of the connection, and not because descriptors or memory ran out.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn listening(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Takes the socket off this runtime and sets what every client's socket has.
fn tuned(stream: tokio::net::TcpStream, keepalive: Duration, user_timeout: Duration) -> io::Result<TcpStream> {
    let socket = stream.into_std()?;
    socket.set_nodelay(true)?;
    let reference = SockRef::from(&socket);
    reference.set_tcp_keepalive(&TcpKeepalive::new().with_time(keepalive).with_interval(keepalive / 4))?;
    #[cfg(target_os = "linux")]
    reference.set_tcp_user_timeout(Some(user_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = user_timeout;
    Ok(socket)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use 0.0.0.0 or [::] for all of its addresses"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose a port such as 8443"
        }
        _ => "check the address in the config",
    }
}
