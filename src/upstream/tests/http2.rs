//! HTTP/2: many streams on few connections, and what happens to the others when some are given up.

use super::*;
use crate::upstream::dial::dial;
use crate::upstream::http2::{Lease, Told};
use crate::upstream::links::{Links, Place};
use crate::upstream::request;
use crate::upstream::stream::Stream;
use crate::upstream::tls::Tls;
use FailureKind::{Goaway, Overloaded, RefusedStream, ResetBeforeHeaders};
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming as ServerBody;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval};
use tokio_rustls::TlsAcceptor;

/// How long a piece of data is under way on the delayed connection.
const ONE_WAY: Duration = Duration::from_millis(40);
/// The pause between two chunks of a stream: about one more comes after each stream was given up.
const CHUNK_EVERY: Duration = Duration::from_millis(80);

/// A vendor that streams to everybody until it is told to end.
struct Vendor2 {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    cancelled: watch::Sender<usize>,
    end: watch::Sender<bool>,
}

/// A stream of 120-byte chunks.
struct Drip {
    /// `None` for as fast as can be.
    every: Option<Interval>,
    end: watch::Receiver<bool>,
    cancelled: watch::Sender<usize>,
    ended: bool,
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(every) = &mut self.every {
            ready!(every.poll_tick(cx));
        }
        if *self.end.borrow() {
            self.ended = true;
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 120])))))
    }
}

impl Drop for Drip {
    fn drop(&mut self) {
        if !self.ended {
            self.cancelled.send_modify(|count| *count += 1);
        }
    }
}

async fn vendor(config: Arc<ServerConfig>, most: u32) -> Vendor2 {
    vendor_with_pauses(config, most, Some(CHUNK_EVERY)).await
}

async fn vendor_with_pauses(config: Arc<ServerConfig>, most: u32, every: Option<Duration>) -> Vendor2 {
    let (listener, address) = listen().await;
    let (end, ending) = watch::channel(false);
    let (cancelled, connections) = (watch::Sender::new(0), Arc::new(AtomicUsize::new(0)));
    let vendor = Vendor2 { address, connections: Arc::clone(&connections), cancelled: cancelled.clone(), end };
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((socket, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            let (acceptor, ending, cancelled) = (acceptor.clone(), ending.clone(), cancelled.clone());
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else { return };
                let answer = service_fn(move |_: Request<ServerBody>| {
                    let every = every.map(interval);
                    let body = Drip { every, end: ending.clone(), cancelled: cancelled.clone(), ended: false };
                    async move { Ok::<_, Infallible>(Response::new(body)) }
                });
                let mut server = http2::Builder::new(TokioExecutor::new());
                server.timer(TokioTimer::new()).max_concurrent_streams(most).max_pending_accept_reset_streams(4096);
                let _ = server.serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    });
    vendor
}

/// Passes bytes on in both directions, each piece `ONE_WAY` late. Returns its address.
async fn delayed(to: SocketAddr) -> SocketAddr {
    async fn pass(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let (queue, mut late) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        tokio::spawn(async move {
            while let Some((due, piece)) = late.recv().await {
                tokio::time::sleep_until(due).await;
                if to.write_all(&piece).await.is_err() {
                    return;
                }
            }
        });
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let _ = queue.send((Instant::now() + ONE_WAY, buffer[..length].to_vec()));
        }
    }
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.expect("the vendor");
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near_read, far_write));
            tokio::spawn(pass(far_read, near_write));
        }
    });
    address
}

/// One connection to `address` that takes any number of streams, and its first stream.
async fn one_link(address: SocketAddr, ca: &Ca, events: &Arc<Events>) -> (Arc<Links>, Lease) {
    let sink = Arc::clone(events) as Arc<dyn Sink>;
    let tls = Tls::new(Arc::clone(&sink));
    let links = Arc::new(Links::limited(1, usize::MAX));
    let Ok(Place::Open(opening)) = links.place(false).await else { panic!("nothing is open yet") };
    let config = tls.config(&ca.roots(), true).expect("a configuration");
    let socket = dial(&[address], WATCHDOG).await.expect("a connection");
    let stream = tls.handshake(&config, &"localhost".into(), socket, WATCHDOG).await.expect("a handshake");
    let told = Told { sink, deployment: "vendor/model".into() };
    let lease = opening.done(Stream::Tls(Box::new(stream)), address, told).await;
    (links, lease.expect("HTTP/2"))
}

/// Opens a stream and waits for its first chunk.
async fn begin(lease: Lease) -> crate::upstream::VendorBody {
    let target = Target { http2: true, ..Target::plain(SocketAddr::from(([127, 0, 0, 1], 1))) };
    let request = request::assemble(&target.deployment(), post("{}")).expect("a request");
    let answered = crate::upstream::ask_http2(lease, request, WATCHDOG).await;
    let Ok(mut incoming) = answered else { panic!("no answer") };
    incoming.body.chunk().await.expect("a chunk").expect("content");
    incoming.body
}

/// Opens `count` streams beside a first one and gives them all up at once, `batches` times; the first one has to come to its end.
async fn give_up(count: usize, batches: usize) {
    let ca = Ca::new();
    let vendor = vendor(ca.server("localhost", 2020..2090, &["h2"]), 4000).await;
    let events = Arc::new(Events::default());
    let (links, first) = one_link(delayed(vendor.address).await, &ca, &events).await;
    let mut control = begin(first).await;
    let mut cancelled = vendor.cancelled.subscribe();
    for batch in 1..=batches {
        let (begun, mut all_begun) = tokio::sync::mpsc::channel(count);
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..count {
            let Ok(Place::Stream(lease)) = links.place(false).await else { panic!("one connection is open") };
            let begun = begun.clone();
            clients.spawn(async move {
                let mut body = begin(lease).await;
                begun.send(()).await.expect("the test waits");
                while let Some(Ok(_)) = body.chunk().await {}
            });
        }
        for _ in 0..count {
            tokio::time::timeout(WATCHDOG, all_begun.recv()).await.expect("a stream in time");
        }
        drop(clients);
        let all = cancelled.wait_for(|cancelled| *cancelled == count * batch);
        tokio::time::timeout(WATCHDOG, all).await.expect("every stream is cancelled in time").expect("the vendor");
    }
    vendor.end.send(true).expect("the vendor");
    while let Some(chunk) = control.chunk().await {
        chunk.expect("the control stream runs to its end");
    }
    assert_eq!(events.count(|event| matches!(event, Event::UpstreamConnectionLost { .. })), 0);
    assert_eq!(vendor.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn f_034_1500_streams_given_up_at_once_spare_the_others() {
    give_up(1500, 1).await;
}

#[tokio::test]
async fn f_034_14_batches_of_60_spare_the_others() {
    give_up(60, 14).await;
}

#[tokio::test]
async fn f_034_14_batches_of_150_spare_the_others() {
    give_up(150, 14).await;
}

#[tokio::test]
async fn clients_that_stop_reading_spare_the_others() {
    let ca = Ca::new();
    let config = ca.server("localhost", 2020..2090, &["h2"]);
    let vendor = vendor_with_pauses(config, 4000, None).await;
    let events = Arc::new(Events::default());
    let (links, first) = one_link(vendor.address, &ca, &events).await;
    let mut control = begin(first).await;
    let mut unread = Vec::new();
    for _ in 0..30 {
        let Ok(Place::Stream(lease)) = links.place(false).await else { panic!("one connection is open") };
        unread.push(begin(lease).await);
    }
    // by then the vendor has filled every window of the others
    for _ in 0..3000 {
        control.chunk().await.expect("a chunk").expect("the control stream is spared");
    }
    vendor.end.send(true).expect("the vendor");
    while let Some(chunk) = control.chunk().await {
        chunk.expect("the control stream runs to its end");
    }
}

#[tokio::test]
async fn f_111_f_112_a_call_or_body_that_is_dropped_resets_its_stream_alone() {
    let ca = Ca::new();
    let vendor = vendor(ca.server("localhost", 2020..2090, &["h2"]), 100).await;
    let deployment = Target { http2: true, ..Target::tls(vendor.address, "localhost", &ca) }.deployment();
    let connections = connections();
    let mut kept = send(&connections, &deployment).await.expect("an answer").body;
    let mut cancelled = vendor.cancelled.subscribe();
    drop(send(&connections, &deployment).await.expect("an answer"));
    let noticed = cancelled.wait_for(|cancelled| *cancelled == 1);
    tokio::time::timeout(Duration::from_millis(250), noticed).await.expect("in time").expect("the vendor");
    vendor.end.send(true).expect("the vendor");
    while let Some(chunk) = kept.chunk().await {
        chunk.expect("the other stream runs to its end");
    }
    assert_eq!(vendor.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn f_032_streams_spread_over_more_connections_when_the_vendor_allows_few() {
    let ca = Ca::new();
    let vendor = vendor(ca.server("localhost", 2020..2090, &["h2"]), 1).await;
    let deployment = Target { http2: true, ..Target::tls(vendor.address, "localhost", &ca) }.deployment();
    let connections = connections();
    let mut bodies = Vec::new();
    for _ in 0..8 {
        let mut body = send(&connections, &deployment).await.expect("an answer").body;
        body.chunk().await.expect("a chunk").expect("content");
        bodies.push(body);
    }
    assert_eq!(vendor.connections.load(Ordering::Relaxed), 8);
    assert_eq!(told(send(&connections, &deployment).await), (Overloaded, "no_free_stream".to_owned()));
    bodies.pop();
    assert!(send(&connections, &deployment).await.is_ok(), "a stream is free again");
}

#[tokio::test]
async fn many_exchanges_at_once_open_no_more_connections_than_they_need() {
    let ca = Ca::new();
    let vendor = vendor(ca.server("localhost", 2020..2090, &["h2"]), 200).await;
    let deployment = Target { http2: true, ..Target::tls(vendor.address, "localhost", &ca) }.deployment();
    let connections = connections();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..250 {
        let (connections, deployment) = (Arc::clone(&connections), Arc::clone(&deployment));
        calls.spawn(async move { send(&connections, &deployment).await.expect("an answer") });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), 250);
    assert_eq!(vendor.connections.load(Ordering::Relaxed), 3);
}

/// What a vendor sends on each connection.
type Script = &'static [Option<&'static [u8]>];

/// HTTP/2 frames by hand: what a vendor sends after the first request of each connection before it closes; nothing for one that
/// falls silent.
async fn raw(ca: &Ca, after_request: Script) -> SocketAddr {
    let config = ca.server("localhost", 2020..2090, &["h2"]);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        let mut silent = Vec::new();
        for frames in after_request {
            let (socket, _) = listener.accept().await.expect("a connection");
            let mut socket = acceptor.accept(socket).await.expect("a handshake");
            socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await.expect("SETTINGS");
            socket.read_exact(&mut [0; 24]).await.expect("the preface");
            loop {
                let mut head = [0; 9];
                socket.read_exact(&mut head).await.expect("a frame");
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                socket.read_exact(&mut vec![0; length]).await.expect("its payload");
                // the end of a stream on a HEADERS or DATA frame
                if head[3] <= 1 && head[4] & 1 == 1 {
                    break;
                }
            }
            if let Some(frames) = frames {
                socket.write_all(frames).await.expect("written");
                socket.shutdown().await.expect("closed");
            }
            silent.push(socket);
        }
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn f_029_f_030_f_031_what_a_vendor_gives_up_is_told_apart() {
    let ca = Ca::new();
    let cases: [(Script, FailureKind, &str, usize); 5] = [
        (&[Some(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07")], RefusedStream, "", 0),
        (&[Some(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02")], ResetBeforeHeaders, "stream", 0),
        (&[Some(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0")], Goaway, "no_error", 1),
        (&[Some(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b")], Goaway, "enhance_your_calm", 1),
        (&[Some(b"")], ResetBeforeHeaders, "", 1),
    ];
    for (frames, kind, reason, lost) in cases {
        let events = Arc::new(Events::default());
        let connections = Connections::new(Arc::clone(&events) as Arc<dyn Sink>, Tokens::new(1));
        let target = Target { http2: true, ..Target::tls(raw(&ca, frames).await, "localhost", &ca) };
        let told = told(send(&connections, &target.deployment()).await);
        assert_eq!(told, (kind, reason.to_owned()), "{frames:?}");
        let events = events.count(|event| matches!(event, Event::UpstreamConnectionLost { .. }));
        assert_eq!(events, lost, "{frames:?}");
    }
}

#[tokio::test]
async fn f_035_a_connection_that_fell_silent_takes_no_further_streams() {
    let ca = Ca::new();
    // HEADERS with `:status: 200` and the stream's end
    let address = raw(&ca, &[None, Some(b"\0\0\x01\x01\x05\0\0\0\x01\x88")]).await;
    let deployment = Target { http2: true, ..Target::tls(address, "localhost", &ca) }.deployment();
    let connections = connections();
    let impatient = Timeouts { headers: Duration::from_millis(50), ..deployment.timeouts };
    let permit = Permit::for_test(Arc::clone(&deployment));
    let sent = connections.send(&permit, post("{}"), &impatient, false).await;
    assert_eq!(told(sent), (FailureKind::HeadersTimeout, String::new()));
    assert_eq!(fetch(&connections, &deployment).await.expect("an answer over another connection"), "");
}
