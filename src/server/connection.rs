//! Serves one connection to its end: HTTP/1 behind its guard, or HTTP/2.

use crate::base::event::Event;
use crate::server::accept::Accepted;
use crate::server::bounds::Bounds;
use crate::server::certificates::Beginning;
use crate::server::drain::Phase;
use crate::server::flight::Flight;
use crate::server::flush::Flushes;
use crate::server::handshake;
use crate::server::read_ahead::Guarded;
use crate::server::respond::{self, Served};
use crate::server::streams::Streams;
use crate::server::workers::Shared;
use crate::server::write_stall::WriteStall;
use crate::server::{Application, Peer};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The smallest buffer that holds the largest head that our guard lets through, and what hyper keeps of an answer that
/// a slow client has not taken.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;

/// Header lines that hyper takes unless told otherwise. The guard counts them anyway, and hyper, told of a bound, allocates for
/// as many with every head.
const HYPER_HEADERS: usize = 100;

/// Serves a connection until it ends, or until the drain cuts it.
pub(crate) async fn serve<A: Application>(accepted: Accepted, shared: Arc<Shared>, application: Arc<A>) {
    let Accepted { socket, address, listener, count } = accepted;
    let served = async {
        // A socket that cannot be registered is closed, and its client tries again.
        let Ok(socket) = TcpStream::from_std(socket) else { return };
        match shared.certificates.beginning(&listener) {
            Ok(Some(Beginning::Plain)) => {
                let peer = Peer { address, listener, certificate_names: Vec::new(), tls: false };
                http1(socket, peer, &shared, application).await;
            }
            Ok(Some(Beginning::Tls(tls))) => match handshake::shake(socket, tls, &shared.setting.bounds).await {
                Ok(private) => {
                    let peer = Peer { address, listener, certificate_names: private.certificate_names, tls: true };
                    match private.http2 {
                        // in a box, so that connections of HTTP/1 carry nothing of it
                        true => Box::pin(http2(private.stream, peer, &shared, application)).await,
                        false => http1(private.stream, peer, &shared, application).await,
                    }
                }
                Err(reason) => shared.setting.sink.emit(Event::TlsFailed { side: "client", reason }),
            },
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%listener, %error, "the listener's TLS settings cannot be used");
                shared.setting.sink.emit(Event::TlsFailed { side: "client", reason: "settings" });
            }
        }
    };
    tokio::select! {
        biased;
        () = served => {}
        () = shared.setting.drain.reached(Phase::Cut) => {}
    }
    drop(count);
}

async fn http1<A, S>(stream: S, peer: Peer, shared: &Arc<Shared>, application: Arc<A>)
where
    A: Application,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let setting = &shared.setting;
    let (flight, flushes) = (Flight::default(), Flushes::default());
    let stalling = WriteStall::new(stream, setting.bounds.write_stall, flushes.clone(), Arc::clone(&setting.sink));
    let guarded = Guarded::new(stalling, flight.clone(), Arc::clone(&shared.bounds));
    let served = Arc::new(Served { application, shared: Arc::clone(shared), peer: Arc::new(peer), flushes });
    let service = service_fn(|request: Request<Incoming>| respond::http1(&served, &flight, request));
    let mut connection = pin!(http1_settings(&setting.bounds).serve_connection(TokioIo::new(guarded), service));
    let mut draining = pin!(setting.drain.reached(Phase::Draining));
    std::future::poll_fn(|cx| {
        if !flight.leaving() && draining.as_mut().poll(cx).is_ready() {
            flight.leave();
        }
        loop {
            match connection.as_mut().poll(cx) {
                // How it ended is the exchange's to tell; here nobody is left to be told.
                Poll::Ready(_) => return Poll::Ready(()),
                // The guard held the next head back while an answer was on its way, and hyper waits to be woken for it.
                Poll::Pending if flight.just_landed() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// hyper's own head timeout stays off: the guard under it has one for heads and another for idle connections.
fn http1_settings(bounds: &Bounds) -> hyper::server::conn::http1::Builder {
    let mut settings = hyper::server::conn::http1::Builder::new();
    settings
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .half_close(false)
        .keep_alive(true)
        .max_buf_size(HTTP1_BUFFER_BYTES.max(bounds.head_bytes + 1));
    if bounds.headers > HYPER_HEADERS {
        settings.max_headers(bounds.headers);
    }
    settings
}

async fn http2<A, S>(stream: S, peer: Peer, shared: &Arc<Shared>, application: Arc<A>)
where
    A: Application,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let setting = &shared.setting;
    let (streams, flushes) = (Streams::new(setting.bounds.write_stall, Arc::clone(&setting.sink)), Flushes::default());
    let stalling = WriteStall::new(stream, setting.bounds.write_stall, flushes.clone(), Arc::clone(&setting.sink));
    let served = Arc::new(Served { application, shared: Arc::clone(shared), peer: Arc::new(peer), flushes });
    let service =
        service_fn(|request: Request<Incoming>| respond::http2(Arc::clone(&served), streams.begin(), request));
    let mut connection =
        pin!(http2_settings(&setting.bounds, streams.clone()).serve_connection(TokioIo::new(stalling), service));
    let mut draining = pin!(setting.drain.reached(Phase::Draining));
    let mut leaving = false;
    let mut idle = pin!(tokio::time::sleep(setting.bounds.idle));
    let mut begun_before = 0;
    loop {
        tokio::select! {
            // As with HTTP/1, the exchanges tell how it ended.
            _ = connection.as_mut() => return,
            () = draining.as_mut(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = idle.as_mut() => {
                let is_idle = streams.open() == 0 && streams.begun() == begun_before;
                if is_idle && leaving {
                    return;
                }
                if is_idle {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                begun_before = streams.begun();
                idle.as_mut().reset(Instant::now() + setting.bounds.idle);
            }
        }
    }
}

fn http2_settings(bounds: &Bounds, streams: Streams) -> hyper::server::conn::http2::Builder<Streams> {
    let mut settings = hyper::server::conn::http2::Builder::new(streams);
    settings
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.http2_streams)
        .max_pending_accept_reset_streams(bounds.http2_pending_resets)
        .max_local_error_reset_streams(bounds.http2_local_resets)
        .max_header_list_size(bounds.http2_header_list_bytes)
        .initial_stream_window_size(bounds.http2_stream_window_bytes)
        .initial_connection_window_size(bounds.http2_connection_window_bytes)
        .max_send_buf_size(bounds.send_buffer_bytes)
        .keep_alive_interval(bounds.ping_every)
        .keep_alive_timeout(bounds.ping_answer);
    settings
}
