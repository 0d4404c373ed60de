//! The body of a vendor's answer.

use crate::base::failure::Failure;
use crate::upstream::http1::Wire;
use crate::upstream::http2::Lease;
use crate::upstream::site::Site;
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// The body of a vendor's answer. Dropping it before its end cancels the vendor's work: the connection is closed, or the
/// stream reset.
pub struct VendorBody {
    inner: Inner,
    length: Option<u64>,
    ends_by_close: bool,
}

enum Inner {
    Http1 { wire: Box<Wire>, body: Incoming, site: Arc<Site> },
    Http2 { lease: Lease, body: Incoming },
    Ended,
}

impl VendorBody {
    /// The body of an answer over HTTP/1.1.
    pub(super) fn http1(wire: Box<Wire>, body: Incoming, site: Arc<Site>, ends_by_close: bool) -> Self {
        let length = body.size_hint().exact();
        let mut this = Self { inner: Inner::Http1 { wire, body, site }, length, ends_by_close };
        this.settle();
        this
    }

    /// The body of an answer over HTTP/2.
    pub(super) fn http2(lease: Lease, body: Incoming) -> Self {
        let length = body.size_hint().exact();
        let mut this = Self { inner: Inner::Http2 { lease, body }, length, ends_by_close: false };
        this.settle();
        this
    }

    /// The declared length in bytes, where the head declares one.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the body lasts until the vendor closes the connection, so that its end proves nothing.
    #[must_use]
    pub const fn ends_by_close(&self) -> bool {
        self.ends_by_close
    }

    /// The next piece of the body, `None` at its end. Trailers are skipped.
    ///
    /// Failures say the phase `Headers`: whether content had begun is for the caller to know.
    ///
    /// # Errors
    /// `truncated` when the body ends early, `malformed` when its framing is wrong.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let frame = match &mut self.inner {
                Inner::Http1 { wire, body, .. } => ready!(wire.poll_frame(body, cx)),
                Inner::Http2 { lease, body } => {
                    let frame = ready!(Pin::new(body).poll_frame(cx));
                    frame.map(|frame| frame.map_err(|error| lease.broken(&error)))
                }
                Inner::Ended => return Poll::Ready(None),
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.settle();
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Some(Err(failure)) => {
                    self.inner = Inner::Ended;
                    return Poll::Ready(Some(Err(failure)));
                }
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// The next piece of the body, `None` at its end.
    ///
    /// # Errors
    /// As [`Self::poll_chunk`].
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Failure>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Gives the connection back as soon as the body is known to have ended, which may be with its last piece.
    fn settle(&mut self) {
        let ended = match &self.inner {
            Inner::Http1 { body, .. } | Inner::Http2 { body, .. } => body.is_end_stream(),
            Inner::Ended => false,
        };
        if ended {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Inner::Http1 { wire, site, body } = std::mem::replace(&mut self.inner, Inner::Ended) {
            drop(body);
            site.put(wire);
        }
    }
}

impl Drop for VendorBody {
    /// A caller that stops at the dialect's own end leaves the framing's end unread: when that has come already, the connection
    /// is kept.
    fn drop(&mut self) {
        if let Inner::Http1 { .. } = self.inner {
            let _ = self.poll_chunk(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl fmt::Debug for VendorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorBody")
            .field("length", &self.length)
            .field("ends_by_close", &self.ends_by_close)
            .finish_non_exhaustive()
    }
}
