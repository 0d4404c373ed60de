//! Wraps a vendor's socket under hyper's HTTP/1.1 client: every answer is checked before hyper sees it, and no byte that
//! nobody asked for is ever read as an answer.

use crate::upstream::framing::{Fault, Framing};
use crate::upstream::stream::Stream;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whose turn it is on the connection, shared by the guard and whoever holds the connection.
///
/// They are always used from one task at a time, so the orderings carry nothing.
#[derive(Debug, Default)]
pub(super) struct Turn {
    phase: AtomicU8,
    fault: OnceLock<Fault>,
}

/// Nobody asked anything: nothing is read.
const REST: u8 = 0;
/// Somebody is about to ask: whatever lies in the socket spoils the connection.
const INSPECTED: u8 = 1;
/// A request goes out.
const ASKED: u8 = 2;
/// A HEAD request goes out.
const ASKED_HEAD: u8 = 3;
/// A request went out, and no byte came back yet.
const WAITING: u8 = 4;
/// An answer is coming in.
const ANSWERING: u8 = 5;
/// The answer was read to its end, and nothing more.
const ANSWERED: u8 = 6;
/// Never to be used again.
const SPOILED: u8 = 7;

impl Turn {
    /// Nobody asks: the connection goes to the pool.
    pub(super) fn rest(&self) {
        self.set(REST);
    }

    /// The next read looks whether anything lies in the socket.
    pub(super) fn inspect(&self) {
        self.set(INSPECTED);
    }

    /// A request goes out next.
    pub(super) fn ask(&self, is_head: bool) {
        self.set(if is_head { ASKED_HEAD } else { ASKED });
    }

    /// Whether an answer was read to its end, and nothing else happened.
    pub(super) fn is_answered(&self) -> bool {
        self.get() == ANSWERED
    }

    /// Whether no byte of an answer came yet.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.get(), ASKED | ASKED_HEAD | WAITING)
    }

    /// What was wrong with the answer's framing, if anything.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    fn get(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
    }
}

/// The socket, guarded.
#[derive(Debug)]
pub(super) struct Guard {
    stream: Stream,
    turn: Arc<Turn>,
    framing: Framing,
}

impl Guard {
    /// Guards `stream`.
    pub(super) fn new(stream: Stream, turn: Arc<Turn>) -> Self {
        Self { stream, turn, framing: Framing::new(false) }
    }

    fn spoil(&self, why: &'static str) -> io::Error {
        self.turn.set(SPOILED);
        io::Error::other(why)
    }

    /// Reads a piece of the answer and lets through what belongs to it.
    fn poll_answer(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        if came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.turn.set(ANSWERING);
        match self.framing.follow(came) {
            Ok(used) => {
                let extra = used < came.len();
                buf.set_filled(before + used);
                if extra {
                    self.turn.set(SPOILED);
                } else if self.framing.is_done() {
                    self.turn.set(ANSWERED);
                }
                Poll::Ready(Ok(()))
            }
            Err(fault) => {
                let _ = self.turn.fault.set(fault);
                self.turn.set(SPOILED);
                buf.set_filled(before);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)))
            }
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.turn.get() {
            REST | ANSWERED => Poll::Pending,
            INSPECTED if this.stream.is_quiet() => Poll::Pending,
            // an answer to nobody, or the end of the connection
            INSPECTED => Poll::Ready(Err(this.spoil("something came while nothing was asked"))),
            ASKED | ASKED_HEAD => {
                this.framing = Framing::new(this.turn.get() == ASKED_HEAD);
                this.turn.set(WAITING);
                this.poll_answer(cx, buf)
            }
            WAITING | ANSWERING => this.poll_answer(cx, buf),
            _ if this.framing.is_done() => Poll::Pending,
            _ => Poll::Ready(Err(io::Error::other("the connection is spoiled"))),
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.note_write();
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.note_write();
        Pin::new(&mut this.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Guard {
    /// A request that is still going up after its answer is complete would run into the next one.
    fn note_write(&self) {
        if self.turn.get() == ANSWERED {
            self.turn.set(SPOILED);
        }
    }
}
