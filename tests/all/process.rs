//! The real binary: how it starts, ends, and checks.

use crate::support::client::{Begun, Client, chat_body};
use crate::support::proxy::{KEY, Plan, Prepared, get_plain};
use backstay::demo::vendor::Setup;
use backstay::dialect::Dialect;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Barrier;

const BACKSTAY: &str = env!("CARGO_BIN_EXE_backstay");
const PATH: &str = "/v1/chat/completions";
/// Whatever is to happen happens by then, however busy the machine is.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A running `backstay serve`; killed when dropped before its end.
pub(crate) struct Serving {
    child: Child,
    clients: SocketAddr,
    admin: SocketAddr,
    access_log: JoinHandle<String>,
    client: Client,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Starts it and reads from its log where it listens.
    pub(crate) fn start(prepared: &Prepared) -> Self {
        Self::start_by(Command::new(BACKSTAY), prepared)
    }

    /// The same with so many file descriptors.
    fn start_with_descriptors(count: usize, prepared: &Prepared) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), BACKSTAY]);
        Self::start_by(shell, prepared)
    }

    fn start_by(mut command: Command, prepared: &Prepared) -> Self {
        command.arg("serve").arg("--config").arg(prepared.directory.path().join("backstay.toml"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (clients, admin) = addresses(child.stderr.take().unwrap());
        let mut stdout = child.stdout.take().unwrap();
        let access_log = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let client = Client::new(clients, &prepared.authority, KEY);
        Self { child, clients, admin, access_log, client }
    }

    /// A client of it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) async fn end(self) {
        self.signal("TERM");
        self.signal("TERM");
        self.ended().await;
    }

    /// Ends it in order, and gives its access log.
    pub(crate) async fn log(self) -> Vec<Value> {
        self.signal("TERM");
        self.signal("TERM");
        self.ended().await.1
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until `/readyz` says that clients should go elsewhere.
    async fn not_ready(&self) {
        while get_plain(self.admin, "/readyz").await.0 == 200 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the end. Gives the status and the access log.
    async fn ended(mut self) -> (ExitStatus, Vec<Value>) {
        let mut child = std::mem::replace(&mut self.child, Command::new("true").spawn().unwrap());
        let log = std::mem::replace(&mut self.access_log, std::thread::spawn(String::new));
        let ended = tokio::task::spawn_blocking(move || (child.wait().unwrap(), log.join().unwrap()));
        let (status, log) = tokio::time::timeout(WATCHDOG, ended).await.expect("it does not end").unwrap();
        (status, log.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Opens streams, reads a little of each, and gives them to tasks that read the rest.
    async fn streams(&self, count: usize) -> Vec<tokio::task::JoinHandle<crate::support::client::Answer>> {
        let open = Arc::new(Barrier::new(count + 1));
        let read = |client: Client, open: Arc<Barrier>| async move {
            let mut stream: Begun = client.begin(PATH, &chat_body(true)).await;
            stream.next().await;
            open.wait().await;
            stream.finish().await
        };
        let readers = (0..count).map(|_| tokio::spawn(read(self.client.clone(), Arc::clone(&open)))).collect();
        open.wait().await;
        readers
    }
}

/// The addresses of clients and people, from the lines that tell them. What else is logged is read and forgotten.
fn addresses(stderr: ChildStderr) -> (SocketAddr, SocketAddr) {
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let mut address = |of: &str| {
        let line = lines.find(|line| line.contains(of)).expect("it does not start");
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    };
    let both = (address("serving clients"), address("serving people"));
    std::thread::spawn(move || lines.for_each(drop));
    both
}

async fn prepared(words: usize) -> Prepared {
    let slow = |mut setup: Setup| {
        setup.script.words = words;
        setup.script.pause = Duration::from_millis(100);
        setup
    };
    let plan = Plan::of(&[("only", Dialect::OpenaiChat)]).setup(0, slow).patient();
    plan.server("drain_accept = \"200ms\"").prepare().await
}

#[tokio::test]
async fn f_146_two_hundred_streams_finish_after_sigterm_and_the_process_ends_well() {
    let prepared = prepared(40).await;
    let serving = Serving::start(&prepared);
    assert_eq!(get_plain(serving.admin, "/readyz").await.0, 200);
    let readers = serving.streams(200).await;
    serving.signal("TERM");
    serving.not_ready().await;
    assert!(readers.iter().all(|reader| !reader.is_finished()), "the streams were to be open at the signal");
    let (clients, text) = (serving.clients, prepared.vendors[0].text());
    for reader in readers {
        let answer = reader.await.unwrap();
        assert_eq!((answer.status, answer.clean, answer.said()), (200, true, text.clone()));
    }
    let (status, log) = serving.ended().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(log.iter().filter(|line| line["outcome"] == "served").count(), 200, "no line is lost");
    assert!(TcpStream::connect(clients).await.is_err());
}

#[tokio::test]
async fn f_145_a_second_sigterm_ends_at_once() {
    let prepared = prepared(2_000).await;
    let serving = Serving::start(&prepared);
    let readers = serving.streams(3).await;
    serving.signal("TERM");
    serving.not_ready().await;
    serving.signal("HUP");
    serving.signal("TERM");
    let (status, log) = serving.ended().await;
    assert_eq!((status.code(), log.len()), (Some(0), 3));
    for reader in readers {
        let answer = reader.await.unwrap();
        assert!(
            !answer.clean,
            "what is cut does not look whole: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
}

/// Clients take every connection that they can get: people are answered all the while, and clients again once there is room.
#[tokio::test]
async fn f_123_f_154_clients_that_take_every_connection_do_not_take_the_process() {
    let prepared = prepared(3).await;
    let serving = Serving::start_with_descriptors(256, &prepared);
    let metric = async |name: &str| {
        let (_, text) = get_plain(serving.admin, "/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        line.unwrap_or_default()
    };
    assert_eq!(serving.client().post(PATH, &chat_body(true)).await.status, 200);
    let open_before = metric("process_open_fds ").await;
    let mut taken = Vec::new();
    for _ in 0..400 {
        taken.push(TcpStream::connect(serving.clients).await.unwrap());
    }
    while metric("backstay_limit_rejected_total{limit=\"connections\"}").await < 100.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get_plain(serving.admin, "/livez").await.0, 200);
    assert_eq!(metric("backstay_limit_rejected_total{limit=\"accept\"}").await, 0.0, "descriptors are left");
    drop(taken);
    while metric("process_open_fds ").await > open_before + 9.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(serving.client().post(PATH, &chat_body(true)).await.status, 200);
    serving.signal("TERM");
    let (status, log) = serving.ended().await;
    assert_eq!((status.code(), log.len()), (Some(0), 2));
}

#[tokio::test]
async fn top_shows_the_pools_of_a_running_proxy() {
    let prepared = prepared(1).await;
    let serving = Serving::start(&prepared);
    let look = |address: String| Command::new(BACKSTAY).args(["top", "--admin", &address]).output().unwrap();
    let seen = look(serving.admin.to_string());
    let text = String::from_utf8(seen.stdout).unwrap();
    assert!(
        seen.status.success() && text.contains(", ready;") && text.contains("closed") && !text.contains('\x1b'),
        "{text}"
    );
    serving.end().await;
    let nobody = look("127.0.0.1:1".to_owned());
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("is the proxy running"));
}

#[tokio::test]
async fn check_says_what_is_wrong_and_where() {
    let prepared = prepared(1).await;
    let config = prepared.directory.path().join("backstay.toml");
    let check = || {
        let output = Command::new(BACKSTAY).arg("check").arg("--config").arg(&config).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let (status, text) = check();
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("ok: 1 listener(s), 1 pool(s), 2 deployment(s), 1 key(s)"), "{text}");

    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{good}\n[pool.other]\ndeployments = [\"nobody/m\"]\n")).unwrap();
    let (status, text) = check();
    assert_eq!(status, Some(1), "{text}");
    let line = good.lines().count() + 3;
    assert!(text.contains(&format!("{}:{line}:", config.display())) && text.contains("nobody"), "{text}");
    let serve = Command::new(BACKSTAY).arg("serve").arg("--config").arg(&config).output().unwrap();
    assert_eq!(serve.status.code(), Some(1), "what check refuses does not start");
}
