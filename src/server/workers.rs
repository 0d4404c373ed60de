//! Serves: on worker threads, where a core keeps its own connections, or on the runtime that is already there.

use crate::base::event::Event;
use crate::server::accept::{self, Accepted, Door, Queues};
use crate::server::bounds::Bounds;
use crate::server::certificates::Certificates;
use crate::server::drain::Phase;
use crate::server::{Application, Setting, connection};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Accepted connections that wait for a worker.
const QUEUE: usize = 64;

/// Serves on `workers` threads, each with its own runtime and its own application, until the drain is over.
///
/// `application` is called once on each thread, inside its runtime, with the thread's number.
///
/// # Errors
/// When a thread or a runtime cannot be made.
pub async fn serve<A, F>(doors: Vec<Door>, setting: Setting, workers: usize, application: F) -> io::Result<()>
where
    A: Application,
    F: Fn(usize) -> A + Send + Sync + 'static,
{
    let shared = Arc::new(Shared::new(setting));
    let application = Arc::new(application);
    let mut queues = Vec::with_capacity(workers.max(1));
    let (alive, mut all_ended) = mpsc::channel::<Infallible>(1);
    for index in 0..workers.max(1) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let alive = alive.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (shared, application) = (Arc::clone(&shared), Arc::clone(&application));
        thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(async { work(queue, shared, Arc::new(application(index))).await });
            drop((runtime, alive));
        })?;
        queues.push(sender);
    }
    drop(alive);
    let ended = accept_all(doors, shared, queues).await;
    // Nothing is ever sent: the channel closes when the last thread has let go of its end.
    let _ = all_ended.recv().await;
    ended
}

/// Serves on the present runtime until the drain is over.
///
/// # Errors
/// When a listener cannot be registered with the runtime.
pub async fn serve_here<A: Application>(doors: Vec<Door>, setting: Setting, application: Arc<A>) -> io::Result<()> {
    let shared = Arc::new(Shared::new(setting));
    let (sender, queue) = mpsc::channel(QUEUE);
    tokio::spawn(work(queue, Arc::clone(&shared), application));
    accept_all(doors, shared, vec![sender]).await
}

/// What the connections of one server share.
pub(crate) struct Shared {
    pub(crate) setting: Setting,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) certificates: Certificates,
}

impl Shared {
    fn new(setting: Setting) -> Self {
        let certificates = Certificates::new(Arc::clone(&setting.current));
        let bounds = Arc::new(setting.bounds.clone());
        Self { setting, bounds, certificates }
    }
}

/// Accepts at all doors until the drain closes them, then waits for the connections as long as the drain may take.
async fn accept_all(doors: Vec<Door>, shared: Arc<Shared>, queues: Vec<mpsc::Sender<Accepted>>) -> io::Result<()> {
    let Setting { bounds, drain, sink, .. } = &shared.setting;
    let queues = Arc::new(Queues::new(queues));
    let mut acceptors = JoinSet::new();
    for door in doors {
        acceptors.spawn(accept::run(door, Arc::clone(&shared), Arc::clone(&queues)));
    }
    let finishing = async {
        while let Some(ended) = acceptors.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        drain.emptied().await;
        Ok(())
    };
    let overdue = async {
        drain.reached(Phase::Draining).await;
        sink.emit(Event::Drain { left: drain.streams(), done: false });
        tokio::select! {
            () = tokio::time::sleep(bounds.drain) => {}
            () = drain.reached(Phase::Cut) => {}
        }
    };
    let ended = tokio::select! {
        ended = finishing => ended,
        () = overdue => Ok(()),
    };
    let left = drain.streams();
    drain.cut();
    drain.emptied().await;
    sink.emit(Event::Drain { left, done: true });
    ended
}

/// One worker's life: it ends when the acceptors are gone and its connections have ended.
async fn work<A: Application>(mut queue: mpsc::Receiver<Accepted>, shared: Arc<Shared>, application: Arc<A>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = queue.recv() => match accepted {
                Some(accepted) => {
                    connections.spawn(connection::serve(accepted, Arc::clone(&shared), Arc::clone(&application)));
                }
                None => break,
            },
            Some(ended) = connections.join_next() => log_panic(ended),
        }
    }
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
}

/// A panic ends its own connection and nothing else.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended by a panic");
    }
}
