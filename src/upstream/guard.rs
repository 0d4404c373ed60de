//! Wraps a vendor's socket under hyper's HTTP/1.1 client: every answer is checked before hyper sees it, and no byte that
//! nobody asked for is ever read as an answer.

use crate::upstream::framing::{Fault, Framing};
use crate::upstream::stream::Stream;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whose turn it is on the connection, shared by the guard and whoever holds the connection.
///
/// They are always used from one task at a time, so the orderings carry nothing.
#[derive(Debug, Default)]
pub(super) struct Turn {
    phase: AtomicU8,
    fault: OnceLock<Fault>,
    /// Whom the socket wakes. hyper gets a waker that only notes: what it has laid out is looked at anyway, and woken for that
    /// having been taken the whole request would be polled again in vain.
    waiter: Mutex<Option<Waker>>,
    stirred: AtomicBool,
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
    /// Nobody asks, and nobody waits: the connection goes to the pool.
    pub(super) fn rest(&self) {
        self.set(REST);
        self.waiter().take();
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

    /// The socket wakes `waiter` from now on.
    pub(super) fn wakes(&self, waiter: &Waker) {
        match &mut *self.waiter() {
            Some(current) => current.clone_from(waiter),
            none => *none = Some(waiter.clone()),
        }
        self.stirred.store(false, Ordering::Relaxed);
    }

    /// Whether hyper asked to be polled again since.
    pub(super) fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Relaxed)
    }

    fn waiter(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
    }
}

/// The waker that hyper gets.
impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stirred.store(true, Ordering::Relaxed);
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

    /// Asks the socket for something, on behalf of whoever waits for it.
    fn poll_socket<T>(&mut self, poll: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let waiter = self.turn.waiter();
        let mut cx = Context::from_waker(waiter.as_ref().unwrap_or(Waker::noop()));
        poll(Pin::new(&mut self.stream), &mut cx)
    }

    /// Reads a piece of the answer and lets through what belongs to it.
    fn poll_answer(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.poll_socket(|stream, cx| stream.poll_read(cx, buf)))?;
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
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.turn.get() {
            REST | ANSWERED => Poll::Pending,
            INSPECTED if this.stream.is_quiet() => Poll::Pending,
            // an answer to nobody, or the end of the connection
            INSPECTED => Poll::Ready(Err(this.spoil("something came while nothing was asked"))),
            ASKED | ASKED_HEAD => {
                this.framing = Framing::new(this.turn.get() == ASKED_HEAD);
                this.turn.set(WAITING);
                this.poll_answer(buf)
            }
            WAITING | ANSWERING => this.poll_answer(buf),
            _ if this.framing.is_done() => Poll::Pending,
            _ => Poll::Ready(Err(io::Error::other("the connection is spoiled"))),
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.note_write();
        this.poll_socket(|stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.note_write();
        this.poll_socket(|stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_socket(Stream::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_socket(Stream::poll_shutdown)
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
