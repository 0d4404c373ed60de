//! A client's body on its way to a vendor, piece by piece: bounded in size and in silence, and looked through for ids.

use crate::base::rejection::Rejection;
use crate::dialect::ids::Words;
use crate::exchange::body::{BodyBounds, BodyError, judge};
use crate::exchange::ingress::body_rejection;
use crate::exchange::server_ids;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Says of an id whether the key may send it.
pub(crate) type Allowed = Box<dyn Fn(&str) -> bool + Send>;

/// A body on its way.
pub(crate) struct Upload<B> {
    body: Pin<Box<B>>,
    bounds: BodyBounds,
    taken: u64,
    waiting: Option<Instant>,
    /// How long the client was waited for; while the vendor does not read, nobody waits.
    waited: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    words: Words,
    allowed: Allowed,
    watch: Arc<Watch>,
}

/// What became of a body, for whoever sent the request that carries it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    fault: OnceLock<Fault>,
    taken: std::sync::atomic::AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Body(BodyError),
    Id,
}

impl Watch {
    /// Why the request was broken off, where the client's body is the reason.
    pub(crate) fn rejection(&self, bounds: &BodyBounds) -> Option<Rejection> {
        Some(match self.fault.get()? {
            Fault::Body(error) => body_rejection(error, bounds, "max_upload"),
            Fault::Id => server_ids::denied(),
        })
    }

    /// Bytes that the vendor was sent.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the client's body cannot be sent on")]
struct BrokenOff;

impl<B> Upload<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(crate) fn new(body: B, bounds: BodyBounds, allowed: Allowed) -> (Self, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        let (waiting, waited, timer) = (None, Duration::ZERO, None);
        let (body, words, told) = (Box::pin(body), Words::default(), Arc::clone(&watch));
        (Self { body, bounds, taken: 0, waiting, waited, timer, words, allowed, watch }, told)
    }

    fn take(&mut self, data: Bytes) -> Result<Bytes, Fault> {
        self.taken += data.len() as u64;
        self.watch.taken.store(self.taken, std::sync::atomic::Ordering::Relaxed);
        if self.taken > self.bounds.bytes as u64 {
            return Err(Fault::Body(BodyError::TooLarge));
        }
        if self.words.push(&data).iter().all(|id| (self.allowed)(id)) { Ok(data) } else { Err(Fault::Id) }
    }

    /// How long the client may keep us waiting from now on.
    fn patience(&self) -> Duration {
        let covered = Duration::from_secs_f64(self.taken as f64 / f64::from(self.bounds.bytes_per_second.max(1)));
        self.bounds.stall.min((self.bounds.grace + covered).saturating_sub(self.waited))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let until = since + self.patience();
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    fn broken<T>(&self, fault: Fault) -> Poll<Option<Result<T, Box<dyn Error + Send + Sync>>>> {
        let _ = self.watch.fault.set(fault);
        Poll::Ready(Some(Err(Box::new(BrokenOff))))
    }
}

impl<B> Body for Upload<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if this.poll_stalled(cx).is_ready() => {
                    return this.broken(Fault::Body(BodyError::TooSlow));
                }
                Poll::Pending => return Poll::Pending,
            };
            if let Some(since) = this.waiting.take() {
                this.waited += since.elapsed();
            }
            match frame {
                None if this.words.end().is_some_and(|id| !(this.allowed)(&id)) => return this.broken(Fault::Id),
                None => return Poll::Ready(None),
                Some(Err(error)) => return this.broken(Fault::Body(judge(error.into().as_ref()))),
                // trailers are read and forgotten
                Some(Ok(frame)) => {
                    let Ok(mut data) = frame.into_data() else { continue };
                    match this.take(data.copy_to_bytes(data.remaining())) {
                        Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        Err(fault) => return this.broken(fault),
                    }
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};
    use std::convert::Infallible;

    fn bounds(bytes: usize) -> BodyBounds {
        BodyBounds { bytes, stall: Duration::from_secs(3), grace: Duration::from_secs(5), bytes_per_second: 100 }
    }

    async fn send(text: &'static str, most: usize) -> (bool, Option<u16>) {
        let allowed: Allowed = Box::new(|id| id != "file-foreign0000001");
        let (upload, watch) = Upload::new(Full::new(Bytes::from_static(text.as_bytes())), bounds(most), allowed);
        let whole = upload.collect().await.is_ok_and(|all| all.to_bytes() == text);
        (whole, watch.rejection(&bounds(most)).map(|rejection| rejection.status()))
    }

    #[tokio::test]
    async fn a_body_passes_unless_it_is_too_large_or_names_what_is_anothers() {
        assert_eq!(send("file-own000000000001 and more", 100).await, (true, None));
        assert_eq!(send("more than that", 10).await, (false, Some(413)));
        assert_eq!(send("x file-foreign0000001 x", 100).await, (false, Some(403)));
        assert_eq!(send("ends with file-foreign0000001", 100).await, (false, Some(403)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_silent_is_given_up() {
        let (upload, watch) = Upload::new(Nothing, bounds(100), Box::new(|_| true));
        assert!(upload.collect().await.is_err());
        assert_eq!(watch.rejection(&bounds(100)).map(|rejection| rejection.status()), Some(408));
    }

    /// A body that never comes.
    struct Nothing;

    impl Body for Nothing {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
}
