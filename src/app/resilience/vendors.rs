//! Vendors in this process, who are well but for what befalls them.

use crate::app::simulation::wire::{CHUNK, LAST, STREAM_HEAD, error, read, whole};
use crate::base::random::Random;
use crate::upstream::SimulatedNetwork;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

/// Ports of the vendors begin here.
pub(super) const FIRST_PORT: u16 = 1_000;

/// The time over which a vendor watches how fast its load grows, and the requests of that time that are always taken.
const ACCELERATION_S: usize = 30;
const ACCELERATION_FLOOR: u32 = 150;

/// What is wrong with a vendor for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trouble {
    /// Refuses connections.
    Refuses,
    /// Answers this share of requests with this status.
    Status(u16, f64),
    /// Answers this share with 200, and an error as the first event.
    ErrorEvent(f64),
    /// Takes this share of requests and says nothing.
    Silent(f64),
    /// Answers this share with a head and nothing after it.
    Stalls(f64),
    /// Answers this share with an empty 200.
    Empty(f64),
    /// Takes so many times as long as usual to the first content.
    Slow(f64),
    /// Answers 429 to what comes beyond so many times what it took in the half minute before.
    Accelerates(f64),
    /// Answers 529 to what comes beyond so many at once.
    Bears(u32),
}

impl Trouble {
    /// The share of requests that are answered all the same.
    pub(super) fn lets_through(self) -> f64 {
        match self {
            Self::Refuses => 0.0,
            Self::Status(_, share)
            | Self::ErrorEvent(share)
            | Self::Silent(share)
            | Self::Stalls(share)
            | Self::Empty(share) => 1.0 - share,
            Self::Slow(_) | Self::Accelerates(_) | Self::Bears(_) => 1.0,
        }
    }
}

/// Trouble from one second to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spell {
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    pub(super) trouble: Trouble,
}

/// One second of a vendor's life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    /// Requests that came, the listings of probes not counted.
    pub(super) came: u32,
    /// Those that were refused because they became too many too soon.
    pub(super) throttled: u32,
    /// The most that were under way at once.
    pub(super) peak: u32,
}

pub(super) struct Vendor {
    began: Instant,
    spells: Vec<Spell>,
    /// Requests beyond so many at once are answered with 529.
    capacity: u32,
    random: Random,
    inflight: Mutex<u32>,
    seconds: Mutex<Vec<Second>>,
}

impl Vendor {
    pub(super) fn new(spells: Vec<Spell>, capacity: u32, seed: u64) -> Arc<Self> {
        let (inflight, seconds) = (Mutex::default(), Mutex::default());
        Arc::new(Self { began: Instant::now(), spells, capacity, random: Random::seeded(seed), inflight, seconds })
    }

    pub(super) fn trouble_at(&self, second: f64) -> Option<Trouble> {
        let spell = self.spells.iter().find(|spell| spell.from_s <= second && second < spell.to_s);
        spell.map(|spell| spell.trouble)
    }

    fn trouble(&self) -> Option<Trouble> {
        self.trouble_at(self.began.elapsed().as_secs_f64())
    }

    /// Its life, second by second.
    pub(super) fn seconds(&self) -> Vec<Second> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn enter(self: &Arc<Self>) -> (u32, Place) {
        let mut inflight = self.inflight.lock().unwrap_or_else(PoisonError::into_inner);
        *inflight += 1;
        let second = self.began.elapsed().as_secs() as usize;
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() <= second {
            seconds.resize(second + 1, Second::default());
        }
        seconds[second].came += 1;
        seconds[second].peak = seconds[second].peak.max(*inflight);
        (*inflight, Place(Arc::clone(self)))
    }

    /// Whether this request is beyond so many times what was taken in the half minute before the last.
    fn is_too_soon(&self, factor: f64) -> bool {
        let second = self.began.elapsed().as_secs() as usize;
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = |from: usize, to: usize| {
            let part = seconds.iter().take(to + 1).skip(from);
            part.map(|second| second.came - second.throttled).sum::<u32>()
        };
        let now = taken((second + 1).saturating_sub(ACCELERATION_S), second);
        let before = match second.checked_sub(ACCELERATION_S) {
            Some(end) => taken((end + 1).saturating_sub(ACCELERATION_S), end),
            None => 0,
        };
        let most = ACCELERATION_FLOOR.max((f64::from(before) * factor) as u32);
        let too_soon = now > most;
        seconds[second].throttled += u32::from(too_soon);
        too_soon
    }

    /// Reads one request and does with it what befalls the vendor now.
    async fn serve(self: Arc<Self>, mut pipe: DuplexStream) {
        let Some(request) = read(&mut pipe).await else { return };
        let trouble = self.trouble();
        if request.starts_with("GET") {
            let answer = match trouble {
                Some(Trouble::Status(status, share)) if share >= 1.0 => error(status),
                Some(Trouble::Silent(_)) => return gone(&mut pipe).await,
                _ => whole(r#"{"object":"list","data":[]}"#),
            };
            let _ = pipe.write_all(answer.as_bytes()).await;
            return;
        }
        let (inflight, _place) = self.enter();
        let hit = |share| self.random.unit() < share;
        let factor = match trouble {
            _ if inflight > self.capacity => return say(&mut pipe, 60, &error(529)).await,
            Some(Trouble::Bears(most)) if inflight > most => return say(&mut pipe, 60, &error(529)).await,
            Some(Trouble::Status(status, share)) if hit(share) => return say(&mut pipe, 60, &error(status)).await,
            Some(Trouble::ErrorEvent(share)) if hit(share) => {
                let event =
                    "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":null}}\n\n";
                return say(&mut pipe, 200, &streamed(event)).await;
            }
            Some(Trouble::Empty(share)) if hit(share) => return say(&mut pipe, 200, &streamed(LAST)).await,
            Some(Trouble::Silent(share)) if hit(share) => return gone(&mut pipe).await,
            Some(Trouble::Stalls(share)) if hit(share) => {
                let _ = pipe.write_all(format!("{STREAM_HEAD}content-length: 9999\r\n\r\n").as_bytes()).await;
                return gone(&mut pipe).await;
            }
            Some(Trouble::Accelerates(factor)) if self.is_too_soon(factor) => {
                return say(&mut pipe, 60, &error(429)).await;
            }
            Some(Trouble::Slow(factor)) => factor,
            _ => 1.0,
        };
        let first_content = Duration::from_secs_f64(factor * (0.3 + 0.6 * self.random.unit()));
        tokio::time::sleep(first_content).await;
        let head = format!("{STREAM_HEAD}content-length: {}\r\n\r\n{CHUNK}", CHUNK.len() + LAST.len());
        if pipe.write_all(head.as_bytes()).await.is_ok() {
            say(&mut pipe, 400 + (self.random.unit() * 800.0) as u64, LAST).await;
        }
    }
}

/// One request's place among those under way.
struct Place(Arc<Vendor>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.inflight.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

fn streamed(events: &str) -> String {
    format!("{STREAM_HEAD}content-length: {}\r\n\r\n{events}", events.len())
}

async fn say(pipe: &mut DuplexStream, after_ms: u64, text: &str) {
    tokio::time::sleep(Duration::from_millis(after_ms)).await;
    // whoever asked may have gone
    let _ = pipe.write_all(text.as_bytes()).await;
}

/// Until whoever asked has gone.
async fn gone(pipe: &mut DuplexStream) {
    let _ = tokio::time::timeout(Duration::from_secs(600), pipe.read(&mut [0; 16])).await;
}

/// The network that has these vendors, each at a port of its own.
pub(super) struct Network(pub(super) Vec<Arc<Vendor>>);

impl SimulatedNetwork for Network {
    fn look_up(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        panic!("{host} is looked up, although every vendor has a literal address")
    }

    fn simulate(&self, addresses: &[SocketAddr]) -> Option<io::Result<DuplexStream>> {
        let vendor = Arc::clone(&self.0[usize::from(addresses[0].port() - FIRST_PORT)]);
        if vendor.trouble() == Some(Trouble::Refuses) {
            return Some(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::spawn(vendor.serve(far));
        Some(Ok(near))
    }
}
