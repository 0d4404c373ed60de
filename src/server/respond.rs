//! Between hyper and the application: refuses what the guards found, and watches every answer to its end.

use crate::base::event::Event;
use crate::server::drain::StreamCount;
use crate::server::flight::Flight;
use crate::server::flush::Flushes;
use crate::server::head_guard::Fault;
use crate::server::streams::Stream;
use crate::server::workers::Shared;
use crate::server::{Answering, Application, Peer, host};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// An answer's body, and what ends with it.
pub(crate) struct Answer<B> {
    said: Said<B>,
    flushes: Flushes,
    /// The connection's flushes when the last frame went out.
    flushes_before: u64,
    ends: Ends,
}

enum Said<B> {
    /// The application's.
    Application(B),
    /// A refusal of ours.
    Refusal(Full<Bytes>),
    /// It broke, and what it said before is still on its way.
    Breaking { error: Option<BoxError>, flushed: Pin<Box<dyn Future<Output = ()> + Send>> },
}

type BoxError = Box<dyn Error + Send + Sync>;

/// What is over when the answer is whole, or given up.
struct Ends {
    flight: Option<Flight>,
    stream: Option<Stream>,
    _count: StreamCount,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(flight) = &self.flight {
            flight.land();
        }
    }
}

/// What the answers of one connection need.
pub(crate) struct Served<A> {
    pub(crate) application: Arc<A>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) flushes: Flushes,
}

/// What an HTTP/1 connection answers a request.
pub(crate) fn http1<A: Application>(
    served: &Arc<Served<A>>,
    flight: &Flight,
    request: Request<Incoming>,
) -> impl Future<Output = Responded<A>> + use<A> {
    let ends = Ends { flight: Some(flight.clone()), stream: None, _count: served.shared.setting.drain.stream() };
    let asked = flight.fault().map_or_else(|| Ok(served.ask(request)), Err);
    let (served, flight) = (Arc::clone(served), flight.clone());
    async move {
        let mut response = served.answer(asked, ends).await;
        if flight.last() || flight.leaving() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// Answers an HTTP/2 request, on the stream's own task from the first step on: what goes wrong there is no other stream's end.
pub(crate) async fn http2<A: Application>(
    served: Arc<Served<A>>,
    stream: Stream,
    request: Request<Incoming>,
) -> Responded<A> {
    let ends = Ends { flight: None, stream: Some(stream), _count: served.shared.setting.drain.stream() };
    let asked = check_http2(&request, &served.shared).map(|()| served.ask(request));
    Ok(served.answer(asked, ends).await)
}

/// As hyper wants it: what breaks, breaks in the body.
type Responded<A> = Result<Response<Answer<<A as Application>::Body>>, Infallible>;

impl<A: Application> Served<A> {
    fn ask(&self, request: Request<Incoming>) -> Answering<A::Body> {
        self.application.call(request, &self.peer)
    }

    async fn answer(&self, asked: Result<Answering<A::Body>, Fault>, ends: Ends) -> Response<Answer<A::Body>> {
        let response = match asked {
            Ok(asked) => asked.await,
            Err(fault) => return self.refusal(fault, ends),
        };
        let flushes_before = self.flushes.count();
        response.map(|body| Answer {
            said: Said::Application(body),
            flushes: self.flushes.clone(),
            flushes_before,
            ends,
        })
    }

    fn refusal(&self, fault: Fault, ends: Ends) -> Response<Answer<A::Body>> {
        self.shared.setting.sink.emit(Event::LimitRejected { limit: fault.limit() });
        let message = fault.message;
        let said = Said::Refusal(Full::from(format!(
            "{{\"error\":{{\"type\":\"invalid_request_error\",\"code\":\"invalid_request\",\
             \"message\":\"The request was refused: {message}.\"}}}}\n"
        )));
        let mut response = Response::new(Answer { said, flushes: self.flushes.clone(), flushes_before: 0, ends });
        *response.status_mut() = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
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
    host::check_target(request)
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(stream) = &this.ends.stream {
            stream.asked();
        }
        let frame = match &mut this.said {
            Said::Application(body) => ready!(Pin::new(body).poll_frame(cx)),
            Said::Refusal(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|never| match never {}))
            }
            Said::Breaking { error, flushed } => {
                ready!(flushed.as_mut().poll(cx));
                return Poll::Ready(error.take().map(Err));
            }
        };
        if let Some(Err(error)) = frame {
            if this.flushes.count() != this.flushes_before {
                return Poll::Ready(Some(Err(error)));
            }
            // The application's body is dropped here: what it held is free at once.
            this.said = Said::Breaking { error: Some(error), flushed: Box::pin(this.flushes.clone().next()) };
            return self.poll_frame(cx);
        }
        this.flushes_before = this.flushes.count();
        if let Some(stream) = &this.ends.stream {
            stream.handed_over();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.said {
            Said::Application(body) => body.is_end_stream(),
            Said::Refusal(body) => body.is_end_stream(),
            Said::Breaking { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.said {
            Said::Application(body) => body.size_hint(),
            Said::Refusal(body) => body.size_hint(),
            Said::Breaking { .. } => SizeHint::default(),
        }
    }
}
