//! The `openai` Python package's own tests, run through the proxy in front of a mock of OpenAI's API description: what passes
//! directly passes through us, both by the dialects that we speak and as it is.
//!
//! They need that description beside the clone (`../shared/openai-api/openapi.yml`, unless `BACKSTAY_OPENAI_API` names another
//! place), and stand behind a switch of their own beside [`SWITCH`]: they install the package's source archive, what it is tested with, and the mock.

use super::{SWITCH, installed, run, scripts};
use crate::support::proxy::{Plan, Proxy};
use backstay::base::hash::Digest;
use backstay::dialect::Dialect;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

const OWN_SWITCH: &str = "BACKSTAY_OPENAI_SUITE";
/// The key that the tests send.
const KEY: &str = "My API Key";
/// Longer than the tests take on a busy machine.
const WITHIN: Duration = Duration::from_secs(900);
/// Chat, embeddings, models; and the rest that applications use.
const SPOKEN: [&str; 3] = ["chat", "test_embeddings.py", "test_models.py"];
const REST: [&str; 11] = [
    "test_responses.py",
    "responses",
    "test_completions.py",
    "test_moderations.py",
    "test_batches.py",
    "test_files.py",
    "test_images.py",
    "audio",
    "test_uploads.py",
    "uploads",
    "test_conversations.py",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_at_the_vendor_passes_through_us() {
    if [SWITCH, OWN_SWITCH].iter().any(|switch| std::env::var(switch).as_deref() != Ok("1")) {
        println!(
            "switched off: the openai package's own tests run with {SWITCH}=1 {OWN_SWITCH}=1, which installs them"
        );
        return;
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/openai-api/openapi.yml");
    let description = std::env::var_os("BACKSTAY_OPENAI_API").map_or(beside, PathBuf::from);
    if !description.exists() {
        println!("left out: {} is not there", description.display());
        return;
    }
    let mock = tokio::task::spawn_blocking(move || Mock::start(&description)).await.unwrap();
    let proxy = proxy(mock.address).await;
    let plain = format!("http://{}", proxy.app.listeners.iter().find(|(name, _)| **name == *"plain").unwrap().1);
    let direct = format!("http://{}", mock.address);
    for tests in [SPOKEN.as_slice(), &REST] {
        let expected = outcome(&direct, tests).await;
        assert!(expected.contains(" passed") && !expected.contains("failed"), "the mock itself fails: {expected}");
        for base in [format!("{plain}/vendor/mock"), format!("{plain}/v1")] {
            let seen = outcome(&base, tests).await;
            assert_eq!(counts(&seen), counts(&expected), "{base}: {seen}");
        }
    }
}

/// `225 passed, 3 skipped`, without the time.
fn counts(outcome: &str) -> &str {
    outcome.lines().last().unwrap_or_default().split(" in ").next().unwrap_or_default()
}

async fn proxy(mock: SocketAddr) -> Proxy {
    let secret = Digest::plain(KEY.as_bytes());
    let tables = format!(
        "[listener.plain]\naddress = \"127.0.0.1:0\"\n\
         [vendor.mock]\ndialect = \"openai\"\nseat = \"US\"\nregion = \"us\"\nbase_url = \"http://{mock}\"\nreserved_for = \"suite\"\n\
         credential = {{ file = \"secrets/vendor\" }}\n\
         [deployment.\"mock/gpt-5.4\"]\noffers = [\"audio\", \"prediction\", \"documents\"]\n\
         [pool.any]\naliases = [\"gpt-5.4\", \"gpt-5.1\", \"gpt-5.6-sol\", \"gpt-3.5-turbo-instruct\", \"gpt-4o\", \"gpt-4o-mini\", \
         \"text-embedding-3-small\", \"model\"]\ndeployments = [\"mock/gpt-5.4\"]\n\
         [key.suite]\nsecret = {{ sha256 = \"{secret}\" }}\nresidency = \"any\"\ndata = []\nmodels = [\"any\"]\n\
         vendor_paths = [\"GET /mock/**\", \"POST /mock/**\", \"DELETE /mock/**\"]\n"
    );
    let plan = Plan::of(&[("first", Dialect::OpenaiChat)]).patient().key("models = [\"smart\"]");
    plan.with(&tables).start().await
}

/// The last line of the tests' own report.
async fn outcome(base: &str, tests: &[&str]) -> String {
    let mut command = Command::new(SUITE.join("venv/bin/python"));
    command.args(["-m", "pytest", "-n", "0", "-q", "-p", "no:logging", "--tb=line"]);
    command.args(tests.iter().map(|test| format!("tests/api_resources/{test}")));
    command.current_dir(SUITE.join("source")).env("TEST_API_BASE_URL", base);
    let (_, said) = tokio::task::spawn_blocking(move || run(command, WITHIN)).await.unwrap();
    let failed = said.lines().filter(|line| line.contains("FAILED") || line.contains("Error code"));
    failed.take(40).for_each(|line| println!("{line}"));
    said.trim_end().lines().last().unwrap_or_default().to_owned()
}

/// A server that answers as the description says.
struct Mock {
    child: Child,
    address: SocketAddr,
}

impl Mock {
    fn start(description: &Path) -> Self {
        // it takes a port and tells none
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(SUITE.join("node_modules/.bin/steady"));
        command.args(["--host", "127.0.0.1", "-p", &address.port().to_string()]);
        for of in ["query-array", "form-array", "query-object", "form-object"] {
            command.arg(format!("--validator-{of}-format=brackets"));
        }
        command.arg(description).stdout(Stdio::piped()).stderr(Stdio::null());
        // what it starts in turn must end with it
        let mut child = command.process_group(0).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("Ready to accept")), "the mock did not start");
        // what it says later must find a reader
        std::thread::spawn(move || said.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// A folder with the package's source, an environment to test it in, and the mock.
static SUITE: LazyLock<PathBuf> = LazyLock::new(|| {
    installed("openai-suite", "openai_suite/requirements.txt", |folder| {
        let list = scripts().join("openai_suite");
        fs::copy(list.join("package.json"), folder.join("package.json")).unwrap();
        let pip = || {
            let mut pip = Command::new(folder.join("venv/bin/python"));
            pip.args(["-m", "pip", "--quiet"]).current_dir(folder);
            pip
        };
        let mut environment = Command::new("python3");
        environment.args(["-m", "venv", "venv"]).current_dir(folder);
        let mut packages = pip();
        packages.args(["install", "--requirement"]).arg(list.join("requirements.txt"));
        let mut archive = pip();
        archive.args(["download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "openai==3.3.1"]);
        let mut source = Command::new("sh");
        source.args(["-c", "tar xzf openai-3.3.1.tar.gz && mv openai-3.3.1 source"]).current_dir(folder);
        let mut mock = Command::new("npm");
        mock.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        vec![environment, packages, archive, source, mock]
    })
});
