//! The vendor's listener, which can be shut, blocked and opened again on the same port while somebody waits at it.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tokio::net::{TcpListener, TcpStream};

/// A listener and its port.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    listening: Listening,
    waiting: Option<Waker>,
}

#[derive(Debug)]
enum Listening {
    Open(TcpListener),
    /// Nobody listens: connecting is refused.
    Shut,
    /// Somebody listens whose queue is full: the kernel drops what would connect.
    Blocked {
        _listener: Socket,
        _queued: Vec<Socket>,
    },
}

impl Door {
    /// Opens a door on a loopback port, or on any that is free for 0.
    pub(super) fn open(port: u16) -> io::Result<Self> {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], port)), 1_024)?;
        let listener = into_tokio(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { address, state: Mutex::new(State { listening: Listening::Open(listener), waiting: None }) })
    }

    /// Where it is.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; waits while the door is not open.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            state.waiting = Some(cx.waker().clone());
            match &state.listening {
                Listening::Open(listener) => listener.poll_accept(cx).map_ok(|(stream, _)| stream),
                Listening::Shut | Listening::Blocked { .. } => Poll::Pending,
            }
        })
        .await
    }

    /// Refuses connections from now on.
    pub(super) fn shut(&self) {
        self.lock().listening = Listening::Shut;
    }

    /// Lets connections hang from now on.
    pub(super) fn block(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.listening = Listening::Shut;
        let listener = listen(self.address, 0)?;
        // A queue of zero holds one; the others make sure that it is full.
        let queued = (0..3).map(|_| knock(self.address)).collect::<io::Result<Vec<_>>>()?;
        state.listening = Listening::Blocked { _listener: listener, _queued: queued };
        Ok(())
    }

    /// Opens the door, if it is not open.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let mut state = self.lock();
        if !matches!(state.listening, Listening::Open(_)) {
            state.listening = Listening::Shut;
            state.listening = Listening::Open(into_tokio(listen(self.address, 1_024)?)?);
            if let Some(waiting) = state.waiting.take() {
                waiting.wake();
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn into_tokio(socket: Socket) -> io::Result<TcpListener> {
    TcpListener::from_std(socket.into())
}

/// Begins to connect and does not wait for it.
fn knock(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A connection that is under way answers EINPROGRESS, one that is dropped stays under way.
    let _ = socket.connect(&address.into());
    Ok(socket)
}
