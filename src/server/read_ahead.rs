//! Stands between the socket and hyper's HTTP/1: gives hyper one checked request at a time, and goes on reading behind a
//! request in flight, so that the end of the connection is noticed although bytes lie before it.
//!
//! hyper notices that a client is gone by reading, and it reads only while its own buffer is empty. Because it never gets
//! a byte beyond the request in flight, its buffer is empty whenever an answer is awaited, and it always reads.

use crate::server::bounds::Bounds;
use crate::server::chunk_guard::ChunkGuard;
use crate::server::flight::Flight;
use crate::server::head_guard::{Fault, Framing, HeadCheck, Verdict};
use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What is read at once while a head is awaited.
const HEAD_STEP_BYTES: usize = 4 * 1024;

/// What hyper gets at once: one less than its first buffer, because a full buffer makes hyper double it and keep it.
const HAND_OVER_BYTES: usize = 8 * 1024 - 1;

/// What hyper gets in place of a request that is refused, so that the refusal is written by hyper too, in its turn.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\n\r\n";

/// After a refusal, and after an answer to a request that was not read to its end: what is still read, and for how long,
/// before the socket is closed. Closing over unread bytes would reset the connection and take the answer with it.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// The guarded side of an HTTP/1 connection.
pub(crate) struct Guarded<S> {
    io: S,
    flight: Flight,
    bounds: Arc<Bounds>,
    /// Read and not yet handed over; while a request is in flight, what lies behind it.
    buffer: BytesMut,
    check: HeadCheck,
    stage: Stage,
    /// Whether a request has been let through on this connection.
    served: bool,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: Waiting,
    refused: bool,
    overfull: bool,
    write_ended: bool,
    lingered_bytes: usize,
}

enum Stage {
    /// A head is awaited.
    Head,
    /// So many bytes of a checked head are yet to be handed over.
    HandHead { left: usize, framing: Framing },
    /// So many bytes of the body are yet to be handed over.
    Length { left: u64 },
    /// Chunks are handed over.
    Chunks(ChunkGuard),
    /// The request is handed over as a whole, and its answer awaited.
    Answer,
    /// A refusal is on its way; nothing more is read.
    Refused,
}

/// What the timer is set for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Idle,
    Head,
    Linger,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(crate) fn new(io: S, flight: Flight, bounds: Arc<Bounds>) -> Self {
        Self {
            io,
            flight,
            bounds,
            buffer: BytesMut::new(),
            check: HeadCheck::default(),
            stage: Stage::Head,
            served: false,
            timer: None,
            waiting: Waiting::Nothing,
            refused: false,
            overfull: false,
            write_ended: false,
            lingered_bytes: 0,
        }
    }

    /// Awaits a head; ready when one is to be handed over, or with `false` when the connection is to end.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match self.check.advance(&self.buffer, &self.bounds) {
                Verdict::Whole { length, framing } => {
                    self.stage = Stage::HandHead { left: length, framing };
                    self.served = true;
                    // A chunked request is its connection's last: nothing that follows it is ever taken for a request.
                    self.flight.begin(framing == Framing::Chunked);
                    self.waiting = Waiting::Nothing;
                    return Poll::Ready(Ok(true));
                }
                Verdict::Refused(fault) => return Poll::Ready(Ok(self.refuse(fault))),
                Verdict::More => {}
            }
            if self.flight.leaving() && self.served && self.buffer.is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.buffer.reserve(HEAD_STEP_BYTES);
            let read = pin!(self.io.read_buf(&mut self.buffer)).poll(cx);
            match read {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.poll_patience(cx));
                    let nothing_came = self.buffer.is_empty();
                    return Poll::Ready(Ok(!nothing_came && self.refuse(Fault::HEAD_TOO_SLOW)));
                }
            }
        }
    }

    /// Ready when the head has been awaited for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_idle = self.served && self.buffer.is_empty();
        let (waiting, limit) =
            if is_idle { (Waiting::Idle, self.bounds.idle) } else { (Waiting::Head, self.bounds.head) };
        self.poll_timer(cx, waiting, limit)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, waiting: Waiting, limit: Duration) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if self.waiting != waiting {
            self.waiting = waiting;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }

    /// Puts the stand-in in the place of a request that must not be served.
    fn refuse(&mut self, fault: Fault) -> bool {
        self.flight.refuse(fault);
        self.refused = true;
        self.buffer = BytesMut::from(STAND_IN);
        self.stage = Stage::HandHead { left: STAND_IN.len(), framing: Framing::Length(0) };
        self.served = true;
        true
    }

    fn after_head(&self, framing: Framing) -> Stage {
        match framing {
            Framing::Length(0) if self.refused => Stage::Refused,
            Framing::Length(0) => Stage::Answer,
            Framing::Length(left) => Stage::Length { left },
            Framing::Chunked => Stage::Chunks(ChunkGuard::new()),
        }
    }

    /// Hands over at most `left` bytes of a body: what was read with the head first, then straight from the socket.
    fn poll_length(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>, left: u64) -> Poll<io::Result<()>> {
        let most = HAND_OVER_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
        let handed = if self.buffer.is_empty() {
            let room = most.min(out.remaining());
            let mut part = ReadBuf::new(out.initialize_unfilled_to(room));
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            out.advance(read);
            read
        } else {
            hand_over(&mut self.buffer, out, most)
        };
        let left = left - handed as u64;
        self.stage = if left == 0 { Stage::Answer } else { Stage::Length { left } };
        Poll::Ready(Ok(()))
    }

    /// Hands over chunks that are well formed, to the end of the body and not a byte more.
    fn poll_chunks(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            self.buffer.reserve(HEAD_STEP_BYTES);
            if ready!(pin!(self.io.read_buf(&mut self.buffer)).poll(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let Stage::Chunks(guard) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let most = self.buffer.len().min(out.remaining()).min(HAND_OVER_BYTES);
        let malformed = |_| io::Error::new(io::ErrorKind::InvalidData, "the request's body is not well chunked");
        let whole = guard.advance(&self.buffer[..most]).map_err(malformed)?;
        if guard.is_done() {
            self.stage = Stage::Answer;
        }
        hand_over(&mut self.buffer, out, whole);
        Poll::Ready(Ok(()))
    }

    /// Reads behind the request in flight; ready when the connection has ended, or when too much came.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 512];
        while self.buffer.len() < self.bounds.read_ahead_bytes {
            let mut part = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.buffer.extend_from_slice(part.filled());
        }
        if std::mem::replace(&mut self.overfull, true) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        // hyper reads before it calls the service: a request that is answered at once has this chance to be.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads on for a moment after our side has ended, so that the client gets the answer to what it is still sending.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.lingered_bytes < LINGER_BYTES {
            let mut part = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut part) {
                Poll::Ready(Ok(())) if !part.filled().is_empty() => self.lingered_bytes += part.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.poll_timer(cx, Waiting::Linger, LINGER),
            }
        }
        Poll::Ready(())
    }
}

/// Moves at most `most` bytes and says how many it were.
fn hand_over(buffer: &mut BytesMut, out: &mut ReadBuf<'_>, most: usize) -> usize {
    let length = buffer.len().min(out.remaining()).min(most);
    out.put_slice(&buffer[..length]);
    buffer.advance(length);
    length
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.stage {
                Stage::Head => {
                    if !ready!(this.poll_head(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::HandHead { left, framing } => {
                    let left = left - hand_over(&mut this.buffer, out, left.min(HAND_OVER_BYTES));
                    this.stage = if left == 0 { this.after_head(framing) } else { Stage::HandHead { left, framing } };
                    return Poll::Ready(Ok(()));
                }
                Stage::Length { left } => return this.poll_length(cx, out, left),
                Stage::Chunks(_) => return this.poll_chunks(cx, out),
                Stage::Answer if !this.flight.in_flight() && !this.flight.last() => {
                    this.stage = Stage::Head;
                    this.check = HeadCheck::default();
                    this.overfull = false;
                }
                Stage::Answer => return this.poll_gone(cx),
                Stage::Refused => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.write_ended {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.write_ended = true;
        }
        let unread = !matches!(self.stage, Stage::Head | Stage::Answer) || !self.buffer.is_empty();
        if unread {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
