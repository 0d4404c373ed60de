//! Vendors that answer through pipes in this process, as a schedule says, and note what reaches them.

use super::wire::{cut, error, read, stream, whole};
use crate::snapshot::Snapshot;
use crate::state::world::State;
use crate::upstream::SimulatedNetwork;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Ports of simulated vendors begin here.
pub(super) const FIRST_PORT: u16 = 1_000;

/// What a vendor does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Answer,
    Refuse,
    Close,
    Silence,
    Status(u16),
    Garbage,
    CutStream,
    /// Answers with 500, and another generation serves from then on.
    Reload,
}

pub(super) const ACTS: [Act; 14] = [
    Act::Answer,
    Act::Answer,
    Act::Refuse,
    Act::Close,
    Act::Silence,
    Act::Status(500),
    Act::Status(503),
    Act::Status(429),
    Act::Status(401),
    Act::Status(404),
    Act::Garbage,
    Act::CutStream,
    Act::Reload,
    Act::Status(529),
];

/// What reached a simulated vendor.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) vendor: usize,
    /// The generation that served when the connection was made: what is on its way when another comes arrives.
    pub(super) generation: u64,
    /// `None` for the connection itself, else what was sent.
    pub(super) request: Option<String>,
}

/// The vendors, and what reached them.
pub(super) struct Vendors {
    pub(super) acts: Vec<Act>,
    pub(super) next_act: Mutex<usize>,
    pub(super) contacts: Mutex<Vec<Contact>>,
    pub(super) state: Mutex<Option<Arc<State>>>,
    pub(super) sides: [Arc<Snapshot>; 2],
}

impl Vendors {
    fn act(&self) -> Act {
        let mut next = lock(&self.next_act);
        *next += 1;
        self.acts[*next % self.acts.len()]
    }

    fn state(&self) -> Arc<State> {
        lock(&self.state).clone().expect("a state")
    }

    fn reload(&self) {
        let state = self.state();
        let serving = state.world().snapshot.generation;
        let other = self.sides.iter().find(|side| side.generation != serving).expect("another side");
        state.install(Arc::clone(other));
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Network(pub(super) Arc<Vendors>);

impl SimulatedNetwork for Network {
    fn look_up(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        panic!("{host} is looked up, although every vendor has a literal address")
    }

    fn simulate(&self, addresses: &[SocketAddr]) -> Option<io::Result<DuplexStream>> {
        let vendor = usize::from(addresses[0].port() - FIRST_PORT);
        let made = Contact { vendor, generation: self.0.state().world().snapshot.generation, request: None };
        lock(&self.0.contacts).push(made.clone());
        let act = self.0.act();
        if act == Act::Refuse {
            return Some(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(Arc::clone(&self.0), made, act, far));
        Some(Ok(near))
    }
}

/// Reads one request and does with it what the schedule says.
async fn serve(vendors: Arc<Vendors>, made: Contact, act: Act, mut pipe: DuplexStream) {
    let Some(request) = read(&mut pipe).await else { return };
    let streamed = request.contains("\"stream\":true");
    let listing = request.starts_with("GET");
    lock(&vendors.contacts).push(Contact { request: Some(request), ..made });
    let answer = match act {
        Act::Refuse | Act::Close => return,
        Act::Silence => return tokio::time::sleep(Duration::from_secs(600)).await,
        Act::Garbage => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops".to_owned(),
        Act::Status(status) => error(status),
        Act::Reload => {
            vendors.reload();
            error(500)
        }
        Act::Answer | Act::CutStream if listing => whole(r#"{"object":"list","data":[]}"#),
        Act::CutStream if streamed => cut(),
        Act::Answer if streamed => stream(),
        Act::Answer | Act::CutStream => whole(
            r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
        ),
    };
    // whoever asked may have gone
    let _ = pipe.write_all(answer.as_bytes()).await;
}
