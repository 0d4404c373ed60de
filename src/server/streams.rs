//! The streams of an HTTP/2 connection: how many there are, and which of them nobody reads.
//!
//! A client that gives a stream no window stalls that stream alone, which no timer on the socket can see.

use crate::base::event::{Event, Sink};
use hyper::rt::Executor;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One connection's streams; clones are the same.
#[derive(Clone)]
pub(crate) struct Streams {
    stall: Duration,
    sink: Arc<dyn Sink>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    open: AtomicUsize,
    begun: AtomicUsize,
    /// The stream that hyper is about to execute: it calls the service and the executor one after the other.
    beginning: Mutex<Option<Arc<Progress>>>,
}

/// One stream; it is open as long as this lives.
#[derive(Debug)]
pub(crate) struct Stream {
    progress: Arc<Progress>,
    shared: Arc<Shared>,
}

/// Whether a stream's answer is taken.
#[derive(Debug, Default)]
struct Progress {
    /// A frame was given to hyper, which has not asked for another yet.
    handed_over: AtomicBool,
    asked: AtomicUsize,
}

impl Streams {
    /// No streams yet; one that nobody reads for `stall` is cut, after twice that at the latest.
    pub(crate) fn new(stall: Duration, sink: Arc<dyn Sink>) -> Self {
        Self { stall, sink, shared: Arc::default() }
    }

    /// A stream begins, which hyper will execute next.
    pub(crate) fn begin(&self) -> Stream {
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        self.shared.begun.fetch_add(1, Ordering::Relaxed);
        let progress = Arc::new(Progress::default());
        *self.shared.beginning.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&progress));
        Stream { progress, shared: Arc::clone(&self.shared) }
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// How many have ever begun.
    pub(crate) fn begun(&self) -> usize {
        self.shared.begun.load(Ordering::Relaxed)
    }
}

impl Stream {
    /// hyper asks for the next frame of the answer.
    pub(crate) fn asked(&self) {
        self.progress.handed_over.store(false, Ordering::Relaxed);
        self.progress.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// hyper got a frame.
    pub(crate) fn handed_over(&self) {
        self.progress.handed_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Progress {
    /// Ends when hyper could not get rid of a frame for a whole `stall`.
    async fn stalled(&self, stall: Duration) {
        let mut asked_before = None;
        loop {
            tokio::time::sleep(stall).await;
            let asked = self.handed_over.load(Ordering::Relaxed).then(|| self.asked.load(Ordering::Relaxed));
            if asked.is_some() && asked == asked_before {
                return;
            }
            asked_before = asked;
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let progress = self.shared.beginning.lock().unwrap_or_else(PoisonError::into_inner).take();
        let progress = progress.unwrap_or_default();
        let (stall, sink) = (self.stall, Arc::clone(&self.sink));
        tokio::spawn(async move {
            let mut stream = pin!(stream);
            tokio::select! {
                biased;
                _ = stream.as_mut() => {}
                () = progress.stalled(stall) => sink.emit(Event::LimitRejected { limit: "write_stall" }),
            }
        });
    }
}
