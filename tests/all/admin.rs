//! The admin address over a real socket.

use backstay::admin::{self, Denied, Restricted, Status, Views};
use backstay::base::hash::Digest;
use backstay::base::restriction::{Reach, Restriction};
use http::StatusCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Default)]
struct OneGeneration {
    draining: AtomicBool,
}

impl Views for OneGeneration {
    fn explain(&self, query: &[(String, String)]) -> Result<String, String> {
        query
            .iter()
            .find(|(name, _)| name == "key")
            .map(|(_, key)| format!("{{\"key\":\"{key}\"}}"))
            .ok_or("no key".to_owned())
    }

    fn metrics(&self) -> String {
        "backstay_build_info{version=\"test\"} 1\n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::SeqCst) { Err("draining".to_owned()) } else { Ok(()) }
    }

    fn status(&self) -> Status {
        Status { generation: 7, not_ready: self.ready().err(), ..Status::default() }
    }

    fn operators(&self) -> Vec<Digest> {
        vec![Digest::plain(b"operator-token")]
    }

    fn drain(&self, _: Arc<str>) {
        self.draining.store(true, Ordering::SeqCst);
    }

    fn restrict(&self, _: Reach, _: &str, _: Arc<str>) -> Result<Restricted, Denied> {
        Err((StatusCode::CONFLICT, "this is restricted already".to_owned()))
    }

    fn release(&self, id: &str, _: Arc<str>) -> Result<Arc<Restriction>, Denied> {
        Err((StatusCode::NOT_FOUND, format!("nothing is {id}")))
    }
}

struct Admin {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Admin {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served =
            tokio::spawn(admin::serve(listener, Arc::new(OneGeneration::default()), async { drop(stopped.await) }));
        Self { address, stop, served }
    }

    /// Sends the head, with our `Host`, and reads to the end.
    async fn ask(&self, line: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// Reads until `content` has come.
async fn until(stream: &mut TcpStream, content: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(content) {
        assert!(
            stream.read_buf(&mut read).await.unwrap() > 0,
            "{content} is missing in {}",
            String::from_utf8_lossy(&read)
        );
    }
    String::from_utf8(read).unwrap()
}

fn check(answer: &str, status: u16, content: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(content), "{content} is missing in {answer}");
}

#[tokio::test]
async fn people_scrapers_and_orchestrators_get_their_answers() {
    let admin = Admin::start().await;
    check(&admin.ask("GET /livez", "").await, 200, "alive");
    check(&admin.ask("GET /readyz", "").await, 200, "ready");
    check(&admin.ask("GET /metrics", "").await, 200, "version=0.0.4");
    check(&admin.ask("GET /status", "").await, 200, "\"generation\":7");
    check(&admin.ask("GET /", "").await, 200, "<title>Backstay</title>");
    check(&admin.ask("HEAD /page.js", "").await, 200, "text/javascript");
    check(&admin.ask("POST /status", "").await, 405, "allow: GET, HEAD");
    check(&admin.ask("GET /drain", "").await, 405, "allow: POST");
    check(&admin.ask("GET /nothing", "").await, 404, "/status");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let admin = Admin::start().await;
    for path in ["/", "/page.css", "/page.js"] {
        let answer = admin.ask(&format!("GET {path}"), "").await;
        check(&answer, 200, "content-security-policy: default-src 'none'; script-src 'self'");
        assert!(!answer.contains("://"), "{path} names another place");
    }
}

#[tokio::test]
async fn f_137_path_tricks_reach_nothing() {
    let admin = Admin::start().await;
    for path in ["//status", "/%73tatus", "/v1/../status", "/status/", "/STATUS", "/status;x", "/."] {
        check(&admin.ask(&format!("GET {path}"), "").await, 404, "");
    }
    check(&admin.ask("POST /drain", "X-HTTP-Method-Override: GET\r\n").await, 415, "application/json");
}

#[tokio::test]
async fn f_137_only_an_operator_drains() {
    let admin = Admin::start().await;
    let json = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    let send = async |token: &str| {
        let mut stream = TcpStream::connect(admin.address).await.unwrap();
        let head =
            format!("POST /drain HTTP/1.1\r\nHost: {}\r\n{json}Authorization: {token}\r\n\r\n{{}}", admin.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    check(&send("Bearer client-key").await, 401, "operator's token");
    check(&admin.ask("GET /readyz", "").await, 200, "ready");
    check(&send("Bearer operator-token").await, 202, "\"draining\":true");
    check(&admin.ask("GET /readyz", "").await, 503, "draining");
}

#[tokio::test]
async fn f_138_connections_that_say_nothing_hold_no_place_for_long() {
    let admin = Admin::start().await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(admin.address).await.unwrap());
    }
    // the silent ones take every place; they are closed after two seconds, and whoever asks is served then
    check(&admin.ask("GET /livez", "").await, 200, "alive");
}

#[tokio::test]
async fn who_watches_is_told_of_changes_and_holds_no_place_for_long() {
    let admin = Admin::start().await;
    let mut watching = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(admin.address).await.unwrap();
        stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address).as_bytes()).await.unwrap();
        check(&until(&mut stream, "\n\n").await, 200, "text/event-stream");
        watching.push(stream);
    }
    // every place is taken, until those who watch give theirs back
    let token = "Content-Type: application/json\r\nContent-Length: 0\r\nAuthorization: Bearer operator-token\r\n";
    check(&admin.ask("POST /drain", token).await, 202, "\"draining\":true");
    for mut stream in watching {
        let told = until(&mut stream, "\"generation\":7").await;
        assert!(told.contains("event: status\ndata: {") && told.contains("\"draining\""), "{told}");
    }
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_under_way() {
    let admin = Admin::start().await;
    check(&admin.ask("GET /livez", "").await, 200, "alive");
    let address = admin.address;
    admin.stop.send(()).unwrap();
    admin.served.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
