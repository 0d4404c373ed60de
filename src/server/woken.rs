//! Polls a request under way only when it was woken itself.
//!
//! hyper polls the service's future whenever anything happens on its connection, for one right after the last piece of the
//! request was taken from it. Each such poll would walk in vain through everything that a request under way consists of.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Whether what runs on an HTTP/1 connection was woken; one request at a time does.
pub(crate) struct Woken {
    shared: Arc<Shared>,
    /// What the request gets: notes that it was woken, and wakes the connection.
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    woken: AtomicBool,
    connection: Mutex<Option<Waker>>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

impl Default for Woken {
    fn default() -> Self {
        let shared = Arc::<Shared>::default();
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }
}

impl Woken {
    /// Runs a request to its end.
    pub(crate) async fn run<F: Future>(&self, request: F) -> F::Output {
        let mut request = pin!(request);
        let mut begun = false;
        std::future::poll_fn(|cx| {
            self.wakes(cx.waker());
            // the connection's waker is in place before the look: whoever wakes later wakes the connection
            if self.shared.woken.swap(false, Ordering::Acquire) || !begun {
                begun = true;
                return request.as_mut().poll(&mut Context::from_waker(&self.waker));
            }
            Poll::Pending
        })
        .await
    }

    fn wakes(&self, connection: &Waker) {
        let mut current = self.shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *current {
            Some(current) => current.clone_from(connection),
            none => *none = Some(connection.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_request_is_polled_when_it_begins_and_when_it_was_woken() {
        let (polls, woken) = (AtomicUsize::new(0), Woken::default());
        let (send, mut receive) = oneshot::channel();
        let mut request = pin!(woken.run(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            pin!(&mut receive).poll(cx)
        })));
        let mut look = || request.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(Result::ok);
        for _ in 0..3 {
            assert_eq!(look(), Poll::Pending);
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1, "the connection's own events are not the request's");
        send.send(7).expect("somebody waits");
        assert_eq!(look(), Poll::Ready(Some(7)));
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_wakes_a_request_wakes_its_connection() {
        let (send, receive) = oneshot::channel();
        let request = tokio::spawn(async move { Woken::default().run(receive).await });
        tokio::task::yield_now().await;
        send.send(7).expect("somebody waits");
        assert_eq!(request.await.expect("no panic"), Ok(7));
    }

    #[tokio::test]
    async fn the_next_request_begins_though_nobody_woke_it() {
        let woken = Woken::default();
        for number in 0..3 {
            assert_eq!(woken.run(async { number }).await, number);
        }
    }
}
