//! The real proxy over real sockets, in front of simulated vendors: files in a folder of its own, TLS on both sides.

use crate::support::client::Client;
use backstay::app::{App, Options};
use backstay::demo::certificates::{Authority, LOOPBACK_NAMES};
use backstay::demo::vendor::{Setup, Vendor};
use backstay::dialect::Dialect;
use backstay::reload::LastReload;
use serde_json::Value;
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The virtual key that every harness knows, and the secret at its vendors.
pub(crate) const KEY: &str = "sk-test-canary-client-5f1a";
pub(crate) const CREDENTIAL: &str = "sk-vendor-canary-9c27";
/// The token of the harnesses' operator.
pub(crate) const OPERATOR: &str = "op-canary-77d0";

/// How a vendor's table names its credential.
const CREDENTIAL_LINE: &str = "credential = { file = \"secrets/vendor\" }\n";

/// And the root that it is trusted by.
const CA_LINE: &str = "ca_file = \"certs/ca.pem\"\n";

/// A vendor of every pool that policy excludes: nobody may ever connect to it, whatever else happens.
const KEPT_OUT: &str = "kept-out";
/// Keeps it out where a test brings policies of its own; the built-in ones do it because of its seat.
const KEPT_OUT_POLICY: &str = "@id(\"kept-out\")\n@reason(\"No test may reach it.\")\n\
    forbid (principal, action, resource in Vendor::\"kept-out\");\n";

/// Timeouts that tests can wait for.
const TIMEOUTS: &str = r#"timeouts = { connect = "300ms", handshake = "400ms", headers = "500ms", first_content = "600ms", idle = "700ms", progress = "1200ms", answer = "1500ms" }"#;

/// What is in front of what.
pub(crate) struct Plan {
    vendors: Vec<(String, Setup)>,
    regions: Vec<&'static str>,
    tables: Vec<String>,
    pool: String,
    keys: String,
    server: String,
    more: String,
    files: Vec<(String, String)>,
    keeps_out: bool,
    plain: bool,
    /// How many of the vendors the pool `smart` has; all of them, if `None`.
    pooled: Option<usize>,
    /// Whether the deployments of the pool `smart` are one tier.
    one_tier: bool,
}

impl Plan {
    /// One pool `smart` over vendors of these names and dialects, in this order.
    pub(crate) fn of(vendors: &[(&str, Dialect)]) -> Self {
        let setup = |dialect| {
            let mut setup = Setup::new(dialect);
            setup.script.oversize_bytes = 2 << 20;
            setup
        };
        let regions = vec!["us"; vendors.len()];
        let tables = vec![String::new(); vendors.len()];
        let vendors = vendors.iter().map(|(name, dialect)| ((*name).to_owned(), setup(*dialect))).collect();
        let keys = "[key.app]\nsecret = { file = \"secrets/app\" }\nresidency = \"any\"\ndata = []\n".to_owned();
        let server = "max_answer = \"1MiB\"\n".to_owned();
        Self {
            vendors,
            regions,
            tables,
            pool: TIMEOUTS.to_owned(),
            keys,
            server,
            more: String::new(),
            files: Vec::new(),
            keeps_out: true,
            plain: false,
            pooled: None,
            one_tier: false,
        }
    }

    /// Two vendors `first` and `second` of one dialect.
    pub(crate) fn two(dialect: Dialect) -> Self {
        Self::of(&[("first", dialect), ("second", dialect)])
    }

    /// Leaves out the vendor that policy excludes, where a test lists all that there is.
    pub(crate) fn without_kept_out(mut self) -> Self {
        self.keeps_out = false;
        self
    }

    /// Leaves only the first so many vendors in the pool `smart`, where a test writes more pools.
    pub(crate) fn pooled(mut self, vendors: usize) -> Self {
        self.pooled = Some(vendors);
        self
    }

    /// Puts the vendors in one tier of the pool `smart`.
    pub(crate) fn one_tier(mut self) -> Self {
        self.one_tier = true;
        self
    }

    /// Lets the vendors speak plain HTTP: where there are hundreds, their handshakes are most of the work.
    pub(crate) fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Changes how a vendor is set up.
    pub(crate) fn setup(mut self, vendor: usize, change: impl FnOnce(Setup) -> Setup) -> Self {
        let (_, setup) = &mut self.vendors[vendor];
        *setup = change(setup.clone());
        self
    }

    /// Says where a vendor processes.
    pub(crate) fn region(mut self, vendor: usize, region: &'static str) -> Self {
        self.regions[vendor] = region;
        self
    }

    /// Adds lines to a vendor's table; one that names its credential takes the place of the usual one.
    pub(crate) fn vendor(mut self, vendor: usize, lines: &str) -> Self {
        self.tables[vendor].push_str(lines);
        self
    }

    /// Leaves the timeouts as they are by default: for tests that load the machine.
    pub(crate) fn patient(mut self) -> Self {
        self.pool = self.pool.replace(TIMEOUTS, "");
        self
    }

    /// Adds lines to the pool's table.
    pub(crate) fn pool(mut self, lines: &str) -> Self {
        self.pool = format!("{}\n{lines}", self.pool);
        self
    }

    /// Adds lines to the key's table.
    pub(crate) fn key(mut self, lines: &str) -> Self {
        self.keys.push_str(lines);
        self.keys.push('\n');
        self
    }

    /// Adds lines to the server's table.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self.server.push('\n');
        self
    }

    /// Adds tables.
    pub(crate) fn with(mut self, tables: &str) -> Self {
        self.more.push_str(tables);
        self.more.push('\n');
        self
    }

    /// Serves these policies.
    pub(crate) fn policy(self, file: &str, text: &str) -> Self {
        self.file(&format!("policies/{file}"), text)
    }

    /// Puts a file beside the config.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Starts vendors and proxy.
    pub(crate) async fn start(self) -> Proxy {
        Proxy::start(self.prepare().await).await
    }

    /// Starts the vendors and writes the files.
    pub(crate) async fn prepare(self) -> Prepared {
        let authority = Authority::new("test authority").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        write(root, "certs/ca.pem", &authority.pem());
        let issued = authority.issue(&LOOPBACK_NAMES).unwrap();
        write(root, "certs/server.pem", &issued.chain_pem);
        write(root, "certs/server.key", &issued.key_pem);
        write(root, "secrets/app", KEY);
        write(root, "secrets/vendor", CREDENTIAL);
        write(root, "secrets/operators", OPERATOR);
        for (path, text) in &self.files {
            write(root, path, text);
        }
        let tls = authority.vendor(&LOOPBACK_NAMES).unwrap();
        let mut vendors = Vec::new();
        let mut config = String::from(
            "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"certs/server.pem\"\nprivate_key = \"certs/server.key\"\n\n\
             [admin]\naddress = \"127.0.0.1:0\"\noperators = { file = \"secrets/operators\" }\n\n",
        );
        let kept_out = self.keeps_out.then(KeptOut::open);
        let mut deployments = Vec::new();
        for (((name, setup), region), more) in self.vendors.iter().zip(&self.regions).zip(&self.tables) {
            let secured = if self.plain { setup.clone() } else { setup.clone().tls(tls.clone()) };
            let vendor = Vendor::start(secured).await.unwrap();
            let mut table = vendor_table(name, setup, region, vendor.address());
            if self.plain {
                table = table.replace("https://", "http://").replace(CA_LINE, "");
            }
            if more.contains("credential") {
                table = table.replace(CREDENTIAL_LINE, "");
            }
            config.push_str(&format!("{}\n{more}\n\n", table.trim_end()));
            deployments.push(format!("\"{name}/model-of-{name}\""));
            vendors.push(vendor);
        }
        deployments.truncate(self.pooled.unwrap_or(deployments.len()));
        let deployments = deployments.join(", ");
        config.push_str(&format!(
            "[pool.smart]\ndeployments = [{}]\n{}\n\n{}\n[server]\n{}\n{}",
            if self.one_tier { format!("[{deployments}]") } else { deployments },
            self.pool,
            self.keys,
            self.server,
            self.more
        ));
        if let Some(kept_out) = &kept_out {
            config = with_kept_out(&config) + &self.kept_out_table(kept_out.address());
            if self.files.iter().any(|(path, _)| path.starts_with("policies/")) {
                write(root, "policies/kept-out.cedar", KEPT_OUT_POLICY);
            }
        }
        write(root, "backstay.toml", &config);
        Prepared { directory, authority, vendors, kept_out }
    }

    /// The tables of the vendor that policy excludes.
    fn kept_out_table(&self, address: SocketAddr) -> String {
        let table = vendor_table(KEPT_OUT, &self.vendors[0].1, "us", address);
        format!("\n{}", table.replace("seat = \"US\"", "seat = \"KP\""))
    }
}

/// The config with the vendor that policy excludes as the last deployment of every pool.
fn with_kept_out(config: &str) -> String {
    let last = |line: &str| match line.strip_prefix("deployments = [").and_then(|list| list.strip_suffix(']')) {
        Some(list) => format!("deployments = [{list}, \"{KEPT_OUT}/model-of-{KEPT_OUT}\"]\n"),
        None => format!("{line}\n"),
    };
    config.lines().map(last).collect()
}

fn vendor_table(name: &str, setup: &Setup, region: &str, address: SocketAddr) -> String {
    let (dialect, path) = match setup.dialect {
        Dialect::OpenaiChat => ("openai\"\nspeaks = [\"chat\", \"embeddings\"]#\"", "/v1"),
        Dialect::OpenaiResponses => ("openai\"\nspeaks = [\"responses\"]#\"", "/v1"),
        Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => ("openai", "/v1"),
        Dialect::Anthropic | Dialect::AnthropicCount => ("anthropic", ""),
        Dialect::Bedrock => ("bedrock", ""),
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => ("gemini", ""),
    };
    let http2 = if setup.http2 { "http2 = true\n" } else { "" };
    format!(
        "[vendor.{name}]\ndialect = \"{dialect}\"\nseat = \"US\"\nregion = \"{region}\"\nbase_url = \"https://{address}{path}\"\n\
         {CA_LINE}{CREDENTIAL_LINE}{http2}\n"
    )
}

/// Running vendors, and files for a proxy in front of them.
pub(crate) struct Prepared {
    pub(crate) directory: TempDir,
    pub(crate) authority: Authority,
    pub(crate) vendors: Vec<Vendor>,
    kept_out: Option<KeptOut>,
}

/// The door of a vendor that policy excludes. Nobody opens it: whoever connects waits in line, and is found at the end.
struct KeptOut(TcpListener);

impl KeptOut {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Drop for KeptOut {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let met = self.0.accept();
            assert!(met.is_err(), "a vendor that policy excludes was connected to: {met:?}");
        }
    }
}

/// A proxy with its vendors.
pub(crate) struct Proxy {
    pub(crate) vendors: Vec<Vendor>,
    pub(crate) app: App,
    pub(crate) authority: Authority,
    pub(crate) log: AccessLog,
    directory: TempDir,
    kept_out: Option<KeptOut>,
}

impl Proxy {
    async fn start(prepared: Prepared) -> Self {
        let Prepared { directory, authority, vendors, kept_out } = prepared;
        let log = AccessLog::default();
        let options = Options {
            config: directory.path().join("backstay.toml"),
            access_log: Some(Box::new(log.clone())),
            workers: Some(1),
        };
        let app = match App::start(options).await {
            Ok(app) => app,
            Err(backstay::app::Fatal::Diagnostics(diagnostics)) => {
                let all: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
                panic!("the test's config does not compile:\n{}", all.join("\n"));
            }
            Err(error) => panic!("{error}"),
        };
        Self { vendors, app, authority, log, directory, kept_out }
    }

    /// Ends the proxy, and starts it again over the same files and vendors.
    pub(crate) async fn restart(self) -> Self {
        Self::start(self.end().await).await
    }

    /// Ends the proxy; its files and vendors stay.
    pub(crate) async fn end(self) -> Prepared {
        let Self { vendors, app, authority, directory, kept_out, .. } = self;
        app.drain();
        app.drain();
        app.ended().await.unwrap();
        Prepared { directory, authority, vendors, kept_out }
    }

    /// What the admin address answers an operator.
    pub(crate) async fn operate(&self, path: &str, body: &Value) -> (u16, String) {
        let body = body.to_string();
        let head = format!(
            "authorization: Bearer {OPERATOR}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        ask_plain(self.app.admin, &format!("POST {path}"), &head, &body).await
    }

    /// Waits until `/status` is as it should be.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        crate::support::serving::soon(what, async {
            loop {
                let status = self.status().await;
                if is(&status) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Where clients are accepted.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.listeners[0].1
    }

    /// A client that trusts the proxy's certificate and has the key.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address(), &self.authority, KEY)
    }

    /// The path of a file beside the config.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Writes a file beside the config.
    pub(crate) fn write(&self, file: &str, text: &str) {
        write(self.directory.path(), file, text);
    }

    /// Reads a file beside the config.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Replaces a passage of a file beside the config.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} does not hold {from:?}:\n{text}");
        self.write(file, &text.replace(from, to));
    }

    /// Changes files and waits until they were accepted or refused.
    pub(crate) async fn change(&self, change: impl FnOnce(&Self)) -> LastReload {
        let mut outcomes = self.app.reloader.outcomes();
        change(self);
        outcomes.changed().await.unwrap();
        outcomes.borrow().clone().unwrap()
    }

    /// The generation that serves.
    pub(crate) fn generation(&self) -> u64 {
        self.app.state.world().snapshot.generation
    }

    /// What the admin address answers with 200.
    pub(crate) async fn admin(&self, path: &str) -> String {
        let (status, body) = get_plain(self.app.admin, path).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// `/status`.
    pub(crate) async fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status").await).unwrap()
    }

    /// The value of a metric with exactly these labels, 0 where it is not there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let metrics = self.admin("/metrics").await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// How many calls each vendor has seen.
    pub(crate) fn calls(&self) -> Vec<usize> {
        self.vendors.iter().map(|vendor| vendor.log().calls()).collect()
    }
}

/// Status and body of what is at a path of an admin address.
pub(crate) async fn get_plain(address: SocketAddr, path: &str) -> (u16, String) {
    ask_plain(address, &format!("GET {path}"), "", "").await
}

async fn ask_plain(address: SocketAddr, line: &str, head: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n{body}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// Puts a file in place at once: on a busy machine one that is written where it lies may be seen empty for a while, which is
/// read, and refused, as it should be.
fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut whole = tempfile::NamedTempFile::new_in(root.parent().unwrap()).unwrap();
    whole.write_all(text.as_bytes()).unwrap();
    whole.persist(path).unwrap();
}

/// The access log as it is written.
#[derive(Clone, Default)]
pub(crate) struct AccessLog(Arc<(Mutex<Vec<u8>>, Notify)>);

impl Write for AccessLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AccessLog {
    /// All of it so far, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    /// Its lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until there are so many lines, and gives them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Value> {
        loop {
            let written = self.0.1.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            let lines = self.lines();
            if lines.len() >= count {
                return lines;
            }
            written.await;
        }
    }
}
