//! A server with a small application, and clients that can be rude.

use backstay::base::event::{Event, Sink};
use backstay::exchange::body::{BodyBounds, BodyError, collect_bounded};
use backstay::server::bounds::Bounds;
use backstay::server::drain::Drain;
use backstay::server::{Answering, Application, Peer, Setting, accept, workers};
use backstay::snapshot::listener::{Certificate, Listener};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// Long enough that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Waits for what must happen.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(LONG, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {LONG:?}"),
    }
}

/// Answers by path, and tells the test what happens to its requests.
#[derive(Clone)]
pub(crate) struct TestApplication {
    said: UnboundedSender<String>,
    /// One permit lets one `/wait` or `/stream` go on.
    pub(crate) go_on: Arc<Semaphore>,
    pub(crate) body_bounds: BodyBounds,
}

/// Says that a request was dropped before its answer was whole.
struct Unfinished(Option<UnboundedSender<String>>, String);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(said) = self.0.take() {
            let _ = said.send(format!("dropped {}", self.1));
        }
    }
}

/// What comes after the first frame, if anything does.
type Rest = Pin<Box<dyn Future<Output = Option<Result<Bytes, AnyError>>> + Send>>;

/// A body whose frames come from a stream of results, with what must live as long.
struct Streamed {
    first: Option<Bytes>,
    rest: Rest,
    endless: bool,
    guard: Unfinished,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        if self.endless {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 65536])))));
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match self.rest.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(next) => {
                self.rest = Box::pin(async { None });
                if next.is_none() {
                    self.guard.0 = None;
                }
                Poll::Ready(next.map(|item| item.map(Frame::data)))
            }
        }
    }
}

impl Application for TestApplication {
    type Body = UnsyncBoxBody<Bytes, AnyError>;

    fn call(&self, request: Request<Incoming>, peer: &Arc<Peer>) -> Answering<Self::Body> {
        assert_ne!(request.uri().path(), "/panic-at-once", "a fault of ours");
        Box::pin(self.clone().answer(request, Arc::clone(peer)))
    }
}

impl TestApplication {
    async fn answer(self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<<Self as Application>::Body> {
        let path = request.uri().path().to_owned();
        let _ = self.said.send(format!("called {path}"));
        let guard = Unfinished(Some(self.said.clone()), path.clone());
        match path.as_str() {
            "/names" => text(guard, 200, format!("{} {}", peer.listener, peer.certificate_names.join(" "))),
            "/echo" => match collect_bounded(request.into_body(), &self.body_bounds).await {
                Ok(body) => text(guard, 200, body),
                Err(BodyError::TooLarge) => text(guard, 413, "too large"),
                Err(BodyError::TooSlow) => text(guard, 408, "too slow"),
                Err(BodyError::Malformed) => text(guard, 400, "malformed"),
                Err(BodyError::Gone) => std::future::pending().await,
            },
            "/panic" => panic!("a fault of ours"),
            "/hang" => std::future::pending().await,
            "/wait" => {
                self.go_on.acquire().await.unwrap().forget();
                text(guard, 200, "waited")
            }
            "/stream" | "/hanging-stream" | "/broken" | "/firehose" => self.stream(&path, guard),
            _ => text(guard, 200, "hello"),
        }
    }

    fn stream(&self, path: &str, guard: Unfinished) -> Response<UnsyncBoxBody<Bytes, AnyError>> {
        let go_on = Arc::clone(&self.go_on);
        let rest: Rest = match path {
            "/broken" => Box::pin(async { Some(Err("the vendor broke off".into())) }),
            "/hanging-stream" => Box::pin(std::future::pending()),
            _ => Box::pin(async move {
                go_on.acquire().await.unwrap().forget();
                Some(Ok(Bytes::from_static(b"second")))
            }),
        };
        let streamed =
            Streamed { first: Some(Bytes::from_static(b"first ")), rest, endless: path == "/firehose", guard };
        Response::new(BodyExt::boxed_unsync(streamed))
    }
}

fn text(mut guard: Unfinished, status: u16, text: impl Into<Bytes>) -> Response<UnsyncBoxBody<Bytes, AnyError>> {
    guard.0 = None;
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

/// Remembers events.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>, tokio::sync::Notify);

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
        self.1.notify_waiters();
    }
}

impl Recorder {
    /// Waits for an event that `pick` takes.
    pub(crate) async fn find<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let more = self.1.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                if let Some(found) = self.0.lock().unwrap().iter().find_map(&pick) {
                    return found;
                }
                more.await;
            }
        })
        .await
    }

    /// Waits for a failed handshake's reason.
    pub(crate) async fn tls_failure(&self) -> &'static str {
        self.find("a failed handshake", |event| match event {
            Event::TlsFailed { side: "client", reason } => Some(*reason),
            _ => None,
        })
        .await
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) sink: Arc<Recorder>,
    pub(crate) go_on: Arc<Semaphore>,
    pub(crate) said: UnboundedReceiver<String>,
    pub(crate) listener: watch::Sender<Arc<Listener>>,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
}

/// The listener `main` on a free port.
pub(crate) fn listener(certificates: Vec<Arc<Certificate>>) -> Listener {
    Listener {
        name: Arc::from("main"),
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        certificates,
        client_roots: Vec::new(),
        client_crls: Vec::new(),
    }
}

/// Limits that a test can wait for; a drain accepts nothing new.
pub(crate) fn bounds() -> Bounds {
    Bounds { drain_accept: Duration::ZERO, ..Bounds::default() }
}

/// Serves on the test's own runtime.
pub(crate) fn start(listener: Listener, bounds: Bounds) -> Running {
    start_with(listener, bounds, BodyBounds::default(), None)
}

/// Serves on the test's runtime, or on so many worker threads.
pub(crate) fn start_with(
    listener: Listener,
    bounds: Bounds,
    body_bounds: BodyBounds,
    threads: Option<usize>,
) -> Running {
    let door = accept::bind(&listener).unwrap();
    let address = door.address;
    let (listener, current) = watch::channel(Arc::new(listener));
    let (sink, drain, go_on) = (Arc::new(Recorder::default()), Drain::new(), Arc::new(Semaphore::new(0)));
    let (tell, said) = unbounded_channel();
    let setting = Setting {
        bounds,
        drain: drain.clone(),
        sink: Arc::clone(&sink) as Arc<dyn Sink>,
        current: Arc::new(move |name: &str| Some(current.borrow().clone()).filter(|now| &*now.name == name)),
    };
    let release = Arc::clone(&go_on);
    let application = move || TestApplication { said: tell.clone(), go_on: Arc::clone(&release), body_bounds };
    let served = match threads {
        None => tokio::spawn(workers::serve_here(vec![door], setting, Arc::new(application()))),
        Some(threads) => tokio::spawn(workers::serve(vec![door], setting, threads, move |_| application())),
    };
    Running { address, drain, sink, go_on, said, listener, served }
}

impl Running {
    /// The next thing that the application said.
    pub(crate) async fn heard(&mut self, what: &str) {
        let said = soon(what, self.said.recv()).await.unwrap();
        assert_eq!(said, what);
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        soon("a connection", TcpStream::connect(self.address)).await.unwrap()
    }

    pub(crate) async fn connect_tls(
        &self,
        client: rustls::ClientConfig,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
        soon("a handshake", TlsConnector::from(Arc::new(client)).connect(name, self.connect().await)).await
    }

    /// Sends bytes on a connection of their own and reads to its end.
    pub(crate) async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that has already refused may have closed.
        let _ = stream.write_all(bytes).await;
        read_to_end(&mut stream).await
    }
}

/// Everything until the connection ends, however it ends.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = soon("the connection's end", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `end` has been read.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut bytes = Vec::new();
    soon(&format!("reading {end:?}"), async {
        while !String::from_utf8_lossy(&bytes).contains(end) {
            let read = stream.read_buf(&mut bytes).await.unwrap();
            assert!(read > 0, "the connection ended after {:?}", String::from_utf8_lossy(&bytes));
        }
    })
    .await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Speaks HTTP/2 over a stream.
pub(crate) async fn http2<S>(stream: S) -> hyper::client::conn::http2::SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request without a body to this server's `path`.
pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("https://localhost{path}")).body(Full::default()).unwrap()
}
