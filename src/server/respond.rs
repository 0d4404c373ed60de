//! Between hyper and the application: refuses what the guards found, and watches every answer to its end.

use crate::base::event::Event;
use crate::server::drain::StreamCount;
use crate::server::flight::Flight;
use crate::server::head_guard::Fault;
use crate::server::workers::Shared;
use crate::server::{Application, Peer, host};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// An answer's body, and what ends with it.
pub(crate) struct Answer<B> {
    said: Said<B>,
    _ends: Ends,
}

enum Said<B> {
    /// The application's.
    Application(B),
    /// A refusal of ours.
    Refusal(Full<Bytes>),
}

/// Ends when the answer is whole, or given up: the exchange is over.
struct Ends {
    flight: Option<Flight>,
    streams: Option<Streams>,
    _count: StreamCount,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(flight) = &self.flight {
            flight.land();
        }
        if let Some(streams) = &self.streams {
            streams.0.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The streams of one HTTP/2 connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<StreamCounts>);

#[derive(Debug, Default)]
struct StreamCounts {
    open: AtomicUsize,
    begun: AtomicUsize,
}

impl Streams {
    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many have ever begun.
    pub(crate) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers an HTTP/1 request.
pub(crate) async fn http1<A: Application>(
    application: Arc<A>,
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    flight: Flight,
    request: Request<Incoming>,
) -> Response<Answer<A::Body>> {
    let ends = Ends { flight: Some(flight.clone()), streams: None, _count: shared.setting.drain.stream() };
    let mut response = match flight.fault() {
        Some(fault) => refusal(&shared, fault, ends),
        None => application.call(request, peer).await.map(|body| Answer { said: Said::Application(body), _ends: ends }),
    };
    if flight.last() || flight.leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Answers an HTTP/2 request.
pub(crate) async fn http2<A: Application>(
    application: Arc<A>,
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    streams: Streams,
    request: Request<Incoming>,
) -> Response<Answer<A::Body>> {
    streams.begin();
    let ends = Ends { flight: None, streams: Some(streams), _count: shared.setting.drain.stream() };
    match check_http2(&request, &shared) {
        Err(fault) => refusal(&shared, fault, ends),
        Ok(()) => application.call(request, peer).await.map(|body| Answer { said: Said::Application(body), _ends: ends }),
    }
}

/// What the guard of HTTP/1 checks and HTTP/2's framing does not.
fn check_http2<B>(request: &Request<B>, shared: &Shared) -> Result<(), Fault> {
    let bounds = &shared.setting.bounds;
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > bounds.target_bytes) {
        return Err(Fault::TARGET_TOO_LONG);
    }
    if request.headers().len() > bounds.headers {
        return Err(Fault::HEAD_TOO_LARGE);
    }
    host::check_http2(request)
}

fn refusal<B>(shared: &Shared, fault: Fault, ends: Ends) -> Response<Answer<B>> {
    shared.setting.sink.emit(Event::LimitRejected { limit: fault.limit() });
    let text = format!(
        "{{\"error\":{{\"type\":\"invalid_request_error\",\"code\":\"invalid_request\",\"message\":\"The request was refused: {}.\"}}}}\n",
        fault.message
    );
    let mut response = Response::new(Answer { said: Said::Refusal(Full::from(text)), _ends: ends });
    *response.status_mut() = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.said {
            Said::Application(body) => Pin::new(body).poll_frame(cx),
            Said::Refusal(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.said {
            Said::Application(body) => body.is_end_stream(),
            Said::Refusal(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.said {
            Said::Application(body) => body.size_hint(),
            Said::Refusal(body) => body.size_hint(),
        }
    }
}
