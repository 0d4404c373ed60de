//! Floor 6: HTTP for people, scrapers and orchestrators, on an address of its own.
//!
//! Nothing here is reachable from where clients are accepted, and nothing here can crowd clients out: a few connections at
//! a time, each for one answer and two seconds, and a few more that watch. What is shown comes through [`Views`]; this module knows no state.

mod events;
mod guard;
mod operate;
mod routes;
mod status;

pub use status::{BudgetStatus, DeploymentStatus, PoolStatus, ReloadStatus, Status};

use crate::base::hash::Digest;
use crate::base::restriction::{Reach, Restriction};
use http::StatusCode;
use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Connections at once; more wait in the listener's backlog.
const CONCURRENCY: u32 = 8;
/// From the accepted connection to the end of its one answer.
const WITHIN: Duration = Duration::from_secs(2);
/// Who may watch `/events` at once.
const WATCHERS: usize = 16;
/// The pause after a connection could not be accepted, which more descriptors may cure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What can be seen of the process, and the little that can be done to it.
pub trait Views: Send + Sync + 'static {
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;

    /// Whether clients should be sent here.
    ///
    /// # Errors
    /// Why not, for the person who asks.
    fn ready(&self) -> Result<(), String>;

    /// What the status page shows.
    fn status(&self) -> Status;

    /// Where a call may go, as JSON: the query's names and values say which call.
    ///
    /// # Errors
    /// What is wrong with the question, and what to try.
    fn explain(&self, query: &[(String, String)]) -> Result<String, String>;

    /// Digests of the tokens that operators hold; none where no operators are configured.
    fn operators(&self) -> Vec<Digest>;

    /// Begins the drain for this operator; returns at once.
    fn drain(&self, by: Arc<str>);

    /// Restricts what an operator names.
    ///
    /// # Errors
    /// Nothing of that name is there, or it is restricted already.
    fn restrict(&self, reach: Reach, reason: &str, by: Arc<str>) -> Result<Restricted, Denied>;

    /// Releases what has this id.
    ///
    /// # Errors
    /// Nothing has.
    fn release(&self, id: &str, by: Arc<str>) -> Result<Arc<Restriction>, Denied>;
}

/// Why something was not done: the status, and what to do about it.
pub type Denied = (StatusCode, String);

/// What an operator restricted.
#[derive(Clone, Debug)]
pub struct Restricted {
    /// What is in force.
    pub restriction: Arc<Restriction>,
    /// Ids of the deployments that it keeps from being asked.
    pub deployments: Vec<Arc<str>>,
}

/// Answers on `listener` until `shutdown` comes, and then finishes the answers that are under way.
pub async fn serve(listener: TcpListener, views: Arc<dyn Views>, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(CONCURRENCY as usize));
    let watchers = Arc::new(Semaphore::new(WATCHERS));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                tokio::spawn(answer_once(stream, Arc::clone(&views), Arc::clone(&watchers), slot));
            }
            Err(error) => {
                tracing::warn!(%error, "the admin address cannot accept; are there enough file descriptors (ulimit -n)?");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(slots.acquire_many(CONCURRENCY).await);
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// What is not answered within its time is closed, and whoever asked sees just that; but for those who watch, who give their
/// slot back.
async fn answer_once(stream: TcpStream, views: Arc<dyn Views>, watchers: Arc<Semaphore>, slot: OwnedSemaphorePermit) {
    let Ok(local) = stream.local_addr() else { return };
    let watches = AtomicBool::new(false);
    let service = service_fn(|request| {
        let views = Arc::clone(&views);
        let (watchers, watches) = (&watchers, &watches);
        async move {
            let answer = routes::answer(request, local, &views, watchers).await;
            watches.store(matches!(answer.body(), Either::Right(_)), Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(WITHIN)
        .keep_alive(false)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut ended = timeout(WITHIN, &mut connection).await;
    drop(slot);
    if ended.is_err() && watches.load(Ordering::Relaxed) {
        ended = Ok(connection.await);
    }
    if let Ok(Err(error)) = ended {
        tracing::debug!(%error, "an admin connection broke");
    }
}
