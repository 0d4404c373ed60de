//! Serves: on worker threads, where a core keeps its own connections, or on the runtime that is already there.

use crate::base::event::Event;
use crate::server::accept::{self, Accepted, Door};
use crate::server::bounds::Bounds;
use crate::server::certificates::Certificates;
use crate::server::drain::Phase;
use crate::server::{Application, Setting, connection};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    for index in 0..workers.max(1) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (shared, application) = (Arc::clone(&shared), Arc::clone(&application));
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || runtime.block_on(async { work(queue, shared, Arc::new(application(index))).await }))?;
        queues.push(sender);
    }
    let next = AtomicUsize::new(0);
    let ended = accept_all(doors, &shared, async |accepted| hand_over(&queues, &next, accepted).await).await;
    drop(queues);
    ended
}

/// Serves on the present runtime until the drain is over.
///
/// # Errors
/// When a listener cannot be registered with the runtime.
pub async fn serve_here<A: Application>(doors: Vec<Door>, setting: Setting, application: Arc<A>) -> io::Result<()> {
    let shared = Arc::new(Shared::new(setting));
    accept_all(doors, &shared, async |accepted| {
        tokio::spawn(connection::serve(accepted, Arc::clone(&shared), Arc::clone(&application)));
    })
    .await
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
async fn accept_all<F>(doors: Vec<Door>, shared: &Shared, hand_over: F) -> io::Result<()>
where
    F: AsyncFn(Accepted),
{
    let setting = &shared.setting;
    let drain = &setting.drain;
    let doors = doors.into_iter().map(|door| Box::pin(accept::run(door, setting, &hand_over)));
    let accepting = all(doors.collect());
    let ending = async {
        drain.reached(Phase::Draining).await;
        setting.sink.emit(Event::Drain { left: drain.streams(), done: false });
        tokio::select! {
            () = tokio::time::sleep(setting.bounds.drain) => {}
            () = drain.reached(Phase::Cut) => {}
        }
    };
    let finishing = async {
        accepting.await?;
        drain.emptied().await;
        Ok(())
    };
    let ended = tokio::select! {
        biased;
        ended = finishing => ended,
        () = ending => Ok(()),
    };
    let left = drain.streams();
    drain.cut();
    drain.emptied().await;
    setting.sink.emit(Event::Drain { left, done: true });
    ended
}

/// Runs all futures in one task and ends with the first error or when all have ended.
async fn all<F: Future<Output = io::Result<()>> + Unpin>(mut futures: Vec<F>) -> io::Result<()> {
    std::future::poll_fn(move |cx| {
        let mut index = 0;
        while let Some(future) = futures.get_mut(index) {
            match std::pin::Pin::new(future).poll(cx) {
                std::task::Poll::Ready(Ok(())) => drop(futures.swap_remove(index)),
                std::task::Poll::Ready(Err(error)) => return std::task::Poll::Ready(Err(error)),
                std::task::Poll::Pending => index += 1,
            }
        }
        if futures.is_empty() { std::task::Poll::Ready(Ok(())) } else { std::task::Poll::Pending }
    })
    .await
}

/// Gives a connection to the next worker that has room; when none has, the acceptor waits and the kernel queues.
async fn hand_over(queues: &[mpsc::Sender<Accepted>], next: &AtomicUsize, mut accepted: Accepted) {
    let first = next.fetch_add(1, Ordering::Relaxed);
    let turn = |step: usize| queues.get(first.wrapping_add(step) % queues.len().max(1));
    for queue in (0..queues.len()).filter_map(turn) {
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
