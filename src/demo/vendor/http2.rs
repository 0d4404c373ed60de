//! One HTTP/2 connection of a simulated vendor. The framing is hyper's; what is said on each stream follows the same plan
//! as on HTTP/1.1, where raw bytes, resets and closes become resets of the stream.

use super::Shared;
use super::log::{self, CloseKind, End, Log};
use super::plan::{Head, Step, wait};
use super::script::Lot;
use super::wire::Wire;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::mpsc;

const STREAMS: u32 = 10_000;

/// Serves streams until the connection ends; answers how it ended.
pub(super) async fn serve(wire: Wire, id: usize, shared: &Arc<Shared>, lot: Lot) -> CloseKind {
    let lot = Mutex::new(lot);
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        let lot = std::mem::replace(&mut *lot.lock().unwrap_or_else(PoisonError::into_inner), Lot::Open);
        async move { answer(request, id, &shared, lot).await }
    });
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        // The vendor under test is patient: whoever cancels many streams is not cut off for it.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .max_local_error_reset_streams(None)
        .serve_connection(TokioIo::new(wire), service);
    match served.await {
        Ok(()) => CloseKind::PeerFin,
        Err(_) => CloseKind::PeerReset,
    }
}

/// The request's end is told on drop, unless it was told before: a stream that is dropped was cancelled.
struct Guard {
    log: Log,
    entry: usize,
}

impl Guard {
    fn end(&self, how: End) {
        self.log.ended(self.entry, how);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end(End::Cancelled);
    }
}

async fn answer(
    request: http::Request<Incoming>,
    connection: usize,
    shared: &Arc<Shared>,
    lot: Lot,
) -> Result<http::Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (method, path) =
        (parts.method.to_string(), parts.uri.path_and_query().map_or_else(String::new, ToString::to_string));
    let is_call = method == "POST";
    let fault = match lot {
        Lot::Drawn(fault) if is_call => fault,
        _ => shared.fault_for_request(is_call),
    };
    let steps = shared.plan(&method, &path, &body, fault);
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let entry = shared.log.request(log::Request {
        connection,
        at: Instant::now(),
        head: Bytes::new(),
        method,
        path,
        headers,
        body,
        fault,
        sent: 0,
        ended: None,
    });
    let guard = Guard { log: shared.log.clone(), entry };
    let mut steps = steps.into_iter();
    while let Some(step) = steps.next() {
        match step {
            Step::Head(head) => return respond(head, steps.collect(), guard),
            Step::Wait(pause) => wait(pause).await,
            Step::Hang => std::future::pending().await,
            Step::Raw(_) | Step::Body(_) | Step::End | Step::Repeat(..) | Step::Reset | Step::Close => break,
        }
    }
    guard.end(End::BrokenOff);
    Err(io::Error::other("broken off"))
}

fn respond(head: Head, steps: Vec<Step>, guard: Guard) -> Result<http::Response<Body>, io::Error> {
    let mut response = http::Response::builder().status(head.status);
    // Headers of the connection have no place in HTTP/2 (RFC 9113, section 8.2.2).
    for (name, value) in head.headers.iter().filter(|(name, _)| name != "connection") {
        response = response.header(name, value);
    }
    let (pieces, received) = mpsc::channel(1);
    tokio::spawn(tell(steps, pieces, guard));
    response.body(Body(received)).map_err(io::Error::other)
}

type Piece = Result<Bytes, io::Error>;

/// Takes the rest of the steps; ends at once when the stream is cancelled.
async fn tell(steps: Vec<Step>, pieces: mpsc::Sender<Piece>, guard: Guard) {
    let how = tokio::select! {
        biased;
        () = pieces.closed() => End::Cancelled,
        how = take(steps, &pieces, &guard) => how,
    };
    guard.end(how);
}

async fn take(steps: Vec<Step>, pieces: &mpsc::Sender<Piece>, guard: &Guard) -> End {
    let send = async |piece: Bytes| {
        let length = piece.len();
        if pieces.send(Ok(piece)).await.is_ok() {
            guard.log.sent(guard.entry, length);
        }
    };
    for step in steps {
        match step {
            Step::Body(piece) => send(piece).await,
            Step::End => return End::Answered,
            Step::Wait(pause) => wait(pause).await,
            Step::Hang => std::future::pending().await,
            Step::Repeat(piece, every) => loop {
                send(piece.clone()).await;
                tokio::time::sleep(every).await;
            },
            Step::Raw(_) | Step::Head(_) | Step::Reset | Step::Close => {
                let _ = pieces.send(Err(io::Error::other("broken off"))).await;
                return End::BrokenOff;
            }
        }
    }
    End::Answered
}

/// A body that is told piece by piece.
struct Body(mpsc::Receiver<Piece>);

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
