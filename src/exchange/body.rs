//! Reads a request's body whole, within bounds of size and time.

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How large a body may be, and how slowly it may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBounds {
    /// Most bytes.
    pub bytes: usize,
    /// Longest wait for the next bytes.
    pub stall: Duration,
    /// Time before the rate counts.
    pub grace: Duration,
    /// Fewest bytes a second, counted over the time after the grace; it is bytes that count, not frames.
    pub bytes_per_second: u32,
}

impl Default for BodyBounds {
    fn default() -> Self {
        Self {
            bytes: 32 * 1024 * 1024,
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            bytes_per_second: 1024,
        }
    }
}

/// Why a body did not become whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More than the bound, by its declared length or by what came.
    #[error("the request's body is larger than the bound")]
    TooLarge,
    /// Stalled, or slower than the bound.
    #[error("the request's body came too slowly")]
    TooSlow,
    /// The client went away.
    #[error("the client went away while it sent the request's body")]
    Gone,
    /// Not well framed, such as a chunk size that is no number.
    #[error("the request's body is not well framed")]
    Malformed,
}

/// Reads `body` to its end. A body that arrives in one piece is not copied.
///
/// # Errors
/// [`BodyError`]; a declared length beyond the bound is refused before anything is read.
pub async fn collect_bounded<B>(body: B, bounds: &BodyBounds) -> Result<Bytes, BodyError>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let declared = body.size_hint().lower();
    if declared > bounds.bytes as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut body = pin!(body);
    let mut collected = Collected::new(usize::try_from(declared).unwrap_or(0));
    let begin = Instant::now();
    while !body.is_end_stream() {
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        let deadline = deadline(begin, Instant::now(), collected.length(), bounds);
        let frame = match timeout_at(deadline, next).await {
            Err(_) => return Err(BodyError::TooSlow),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(judge(error.into().as_ref())),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are read and forgotten.
        let Ok(mut data) = frame.into_data() else { continue };
        if collected.length() + data.remaining() > bounds.bytes {
            return Err(BodyError::TooLarge);
        }
        collected.push(data.copy_to_bytes(data.remaining()));
    }
    Ok(collected.finish())
}

/// When the next byte must have come: after `stall`, or when the bytes so far no longer cover the time at the lowest rate.
fn deadline(begin: Instant, now: Instant, length: usize, bounds: &BodyBounds) -> Instant {
    let covered_seconds = length as f64 / f64::from(bounds.bytes_per_second.max(1));
    let by_rate = begin + bounds.grace + Duration::from_secs_f64(covered_seconds);
    by_rate.min(now + bounds.stall)
}

/// What an error of the body means: what cannot be read is the client's mistake, all else is its departure.
pub(super) fn judge(error: &(dyn Error + 'static)) -> BodyError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => return BodyError::Malformed,
                _ => {}
            }
        }
        cause = error.source();
    }
    BodyError::Gone
}

/// The pieces so far: one alone is kept as it is.
struct Collected {
    expected: usize,
    first: Bytes,
    all: BytesMut,
}

impl Collected {
    fn new(expected: usize) -> Self {
        Self { expected, first: Bytes::new(), all: BytesMut::new() }
    }

    fn length(&self) -> usize {
        self.first.len() + self.all.len()
    }

    fn push(&mut self, data: Bytes) {
        if self.length() == 0 {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(self.expected.max(self.first.len() + data.len()));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&data);
    }

    fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::{Frame, SizeHint};
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    /// Frames, each after a wait in milliseconds; then the end, or nothing for ever.
    struct Script {
        frames: VecDeque<(u64, Result<&'static [u8], io::ErrorKind>)>,
        declared: u64,
        ends: bool,
        waiting: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl Body for Script {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            let Some((wait_ms, frame)) = self.frames.front().copied() else {
                return if self.ends { Poll::Ready(None) } else { Poll::Pending };
            };
            let wait = Duration::from_millis(wait_ms);
            ready!(self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait))).as_mut().poll(cx));
            self.waiting = None;
            self.frames.pop_front();
            Poll::Ready(Some(frame.map(|data| Frame::data(Bytes::from_static(data))).map_err(io::Error::from)))
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.declared);
            hint
        }
    }

    type Frames<'a> = &'a [(u64, Result<&'static [u8], io::ErrorKind>)];

    async fn check(frames: Frames<'_>, declared: u64, ends: bool, expected: Result<&'static [u8], BodyError>) {
        let bounds =
            BodyBounds { bytes: 10, stall: Duration::from_secs(3), grace: Duration::from_secs(5), bytes_per_second: 1 };
        let script = Script { frames: frames.iter().copied().collect(), declared, ends, waiting: None };
        let collected = collect_bounded(script, &bounds).await;
        assert_eq!(collected, expected.map(Bytes::from_static), "{frames:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whole_bodies_come_as_they_were_sent() {
        check(&[], 0, true, Ok(b"")).await;
        check(&[(0, Ok(b"one"))], 3, true, Ok(b"one")).await;
        check(&[(0, Ok(b"one")), (2_000, Ok(b"")), (2_000, Ok(b"two"))], 0, true, Ok(b"onetwo")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn f_115_bounds_hold_for_size_stalls_and_rate() {
        check(&[], 11, false, Err(BodyError::TooLarge)).await;
        check(&[(0, Ok(b"123456")), (0, Ok(b"78901"))], 0, false, Err(BodyError::TooLarge)).await;
        check(&[(0, Ok(b"1"))], 10, false, Err(BodyError::TooSlow)).await;
        // One byte in two seconds never stalls, and is half of the lowest rate.
        check(&[(2_000, Ok(&b"x"[..])); 10], 10, true, Err(BodyError::TooSlow)).await;
        check(&[(1_000, Ok(&b"x"[..])); 10], 10, true, Ok(b"xxxxxxxxxx")).await;
        // Empty frames are no bytes.
        check(&[(1_000, Ok(&b""[..])); 10], 0, true, Err(BodyError::TooSlow)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_mistake_is_told_from_a_departure() {
        check(&[(0, Err(io::ErrorKind::InvalidData))], 0, false, Err(BodyError::Malformed)).await;
        check(&[(0, Err(io::ErrorKind::InvalidInput))], 0, false, Err(BodyError::Malformed)).await;
        check(&[(0, Ok(b"1")), (0, Err(io::ErrorKind::UnexpectedEof))], 5, false, Err(BodyError::Gone)).await;
        check(&[(0, Err(io::ErrorKind::ConnectionReset))], 0, false, Err(BodyError::Gone)).await;
    }
}
