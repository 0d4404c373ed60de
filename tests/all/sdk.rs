//! The vendors' own SDKs, of Python and of Node, against the real proxy: what they make of its answers is what counts.
//!
//! The suites are scripts in `tests/sdk`; they need packages from elsewhere and therefore stand behind a switch.

mod aimock;
mod engine;
mod frameworks;
mod openai_own_suite;

use crate::support::proxy::{KEY, Plan, Proxy};
use backstay::demo::vendor::{Fault, Script};
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::time::Duration;

pub(crate) const SWITCH: &str = "BACKSTAY_SDK_TESTS";
/// Longer than an installation takes over a slow line.
const INSTALL_WITHIN: Duration = Duration::from_secs(600);
/// Longer than a suite takes on a busy machine.
const SUITE_WITHIN: Duration = Duration::from_secs(240);

/// Vendors with their faults. The first one is well; suites ask for a fault by the model that they name.
const VENDORS: [(&str, Option<Fault>); 10] = [
    ("well", None),
    ("resets", Some(Fault::Reset)),
    ("fails", Some(Fault::Status500)),
    ("errs", Some(Fault::ErrorFirst)),
    ("silent", Some(Fault::Silence)),
    ("refuses", Some(Fault::Status400)),
    ("down-a", Some(Fault::Status503)),
    ("down-b", Some(Fault::Status503)),
    ("cut", Some(Fault::CutReset)),
    ("error-late", Some(Fault::ErrorAfterContent)),
];
/// The models beside `smart`, each with its vendors in order.
const MODELS: [(&str, &[&str]); 9] = [
    ("resets", &["resets", "well"]),
    ("fails", &["fails", "well"]),
    ("errs", &["errs", "well"]),
    ("silent", &["silent", "well"]),
    ("silence", &["silent"]),
    ("bad-request", &["refuses", "well"]),
    ("down", &["down-a", "down-b"]),
    ("cut", &["cut"]),
    ("error-late", &["error-late"]),
];
/// Attempts of one call: with no more than vendors, nobody is asked twice, and no pause comes between.
const ATTEMPTS: usize = 2;
const SYSTEM: &str = "Answer as a pirate would.";

#[derive(Clone, Copy)]
enum Runtime {
    Python,
    Node,
}

macro_rules! suites {
    ($($name:ident: $sdk:ident, $runtime:ident, $vendor:ident;)+) => {
        $(#[tokio::test] async fn $name() { suite(Dialect::$sdk, Runtime::$runtime, Dialect::$vendor).await; })+
    };
}

suites! {
    openai_in_python_with_openai_vendors: OpenaiChat, Python, OpenaiChat;
    openai_in_python_with_anthropic_vendors: OpenaiChat, Python, Anthropic;
    openai_in_node_with_openai_vendors: OpenaiChat, Node, OpenaiChat;
    openai_in_node_with_anthropic_vendors: OpenaiChat, Node, Anthropic;
    anthropic_in_python_with_openai_vendors: Anthropic, Python, OpenaiChat;
    anthropic_in_python_with_anthropic_vendors: Anthropic, Python, Anthropic;
    openai_in_python_with_responses_vendors: OpenaiChat, Python, OpenaiResponses;
    openai_in_node_with_responses_vendors: OpenaiChat, Node, OpenaiResponses;
    responses_in_python_with_openai_vendors: OpenaiResponses, Python, OpenaiChat;
    responses_in_python_with_responses_vendors: OpenaiResponses, Python, OpenaiResponses;
    responses_in_python_with_anthropic_vendors: OpenaiResponses, Python, Anthropic;
    responses_in_node_with_openai_vendors: OpenaiResponses, Node, OpenaiChat;
    responses_in_node_with_responses_vendors: OpenaiResponses, Node, OpenaiResponses;
    responses_in_node_with_anthropic_vendors: OpenaiResponses, Node, Anthropic;
    anthropic_in_python_with_responses_vendors: Anthropic, Python, OpenaiResponses;
    anthropic_in_node_with_responses_vendors: Anthropic, Node, OpenaiResponses;
    anthropic_in_node_with_openai_vendors: Anthropic, Node, OpenaiChat;
    anthropic_in_node_with_anthropic_vendors: Anthropic, Node, Anthropic;
    openai_in_python_with_gemini_vendors: OpenaiChat, Python, Gemini;
    anthropic_in_python_with_gemini_vendors: Anthropic, Python, Gemini;
    gemini_in_python_with_gemini_vendors: Gemini, Python, Gemini;
    gemini_in_python_with_openai_vendors: Gemini, Python, OpenaiChat;
    gemini_in_python_with_anthropic_vendors: Gemini, Python, Anthropic;
    gemini_in_node_with_gemini_vendors: Gemini, Node, Gemini;
    gemini_in_node_with_openai_vendors: Gemini, Node, OpenaiChat;
    gemini_in_node_with_anthropic_vendors: Gemini, Node, Anthropic;
}

/// Runs the suite of one SDK in front of vendors of one dialect.
async fn suite(sdk: Dialect, runtime: Runtime, vendor: Dialect) {
    if !installed_suites() {
        return;
    }
    let proxy = proxy(vendor).await;
    let command = command(sdk, runtime, &proxy, vendor);
    let (success, said) = tokio::task::spawn_blocking(move || run(command(), SUITE_WITHIN)).await.unwrap();
    println!("{said}");
    assert!(success, "checks of the suite failed, see above");
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed >= 15, "only {passed} checks ran:\n{said}");
    all_is_logged(&proxy).await;
    nothing_was_tried_again(&proxy, &said);
    failovers_happened(&proxy);
    the_vendor_was_told_the_system_prompt(&proxy, vendor);
}

/// Whether the suites may install what they need.
fn installed_suites() -> bool {
    let asked = std::env::var(SWITCH).as_deref() == Ok("1");
    if !asked {
        println!("switched off: the vendors' SDKs are tested with {SWITCH}=1, which installs them");
    }
    asked
}

async fn proxy(vendor: Dialect) -> Proxy {
    // every call is to meet its fault, and none to be spared by a breaker
    const BREAKER: &str = "breaker = { consecutive = 1000, samples = 1000 }";
    // nothing but silence is to take long enough for clients to be kept awake
    const TIMEOUTS: &str = "timeouts = { headers = \"1500ms\" }";
    const SERVER: &str = "ping_after = \"1s\"";
    let vendors: Vec<_> = VENDORS.iter().map(|(name, _)| (*name, vendor)).collect();
    let plan = MODELS.iter().fold(Plan::of(&vendors), |plan, (model, vendors)| {
        let deployments: Vec<_> = vendors.iter().map(|name| format!("\"{name}/model-of-{name}\"")).collect();
        let deployments = deployments.join(", ");
        plan.with(&format!(
            "[pool.{model}]\ndeployments = [{deployments}]\nattempts = {ATTEMPTS}\n{BREAKER}\n{TIMEOUTS}\n"
        ))
    });
    let proxy = plan.pool(BREAKER).server(SERVER).start().await;
    for (vendor, (_, fault)) in proxy.vendors.iter().zip(VENDORS) {
        fault.into_iter().for_each(|fault| vendor.set_fault(fault));
    }
    proxy
}

/// What starts the suite.
fn command(
    sdk: Dialect,
    runtime: Runtime,
    proxy: &Proxy,
    vendor: Dialect,
) -> impl FnOnce() -> Command + Send + 'static {
    let suite = match sdk {
        Dialect::OpenaiChat => "openai",
        Dialect::OpenaiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        other => panic!("no SDK speaks {} alone", other.name()),
    };
    let environment = environment(proxy, vendor);
    // the installation may take its time, and the vendors must not wait for it
    move || {
        let (mut command, script) = match runtime {
            Runtime::Python => (Command::new(&*PYTHON), scripts().join(format!("{suite}_suite.py"))),
            Runtime::Node => (Command::new("node"), NODE.join(format!("{suite}_suite.mjs"))),
        };
        command.arg(script).env_clear().envs(environment);
        command
    }
}

/// An SDK learns address, key and authority as applications would: by its environment.
fn environment(proxy: &Proxy, vendor: Dialect) -> Vec<(String, String)> {
    let text = proxy.vendors[0].text();
    let stop = text.split_whitespace().nth(30).unwrap().to_owned();
    let before_stop = text.split(&stop).next().unwrap();
    let (vendor, tokens) = (vendor.name(), Script::default().words);
    let expect = json!({ "vendor": vendor, "text": text, "tokens": tokens, "stop": stop, "before_stop": before_stop,
        "system": SYSTEM });
    let authority = proxy.path("certs/ca.pem").display().to_string();
    let mut environment = vec![
        ("SSL_CERT_FILE".to_owned(), authority.clone()),
        ("NODE_EXTRA_CA_CERTS".to_owned(), authority),
        ("BACKSTAY_EXPECT".to_owned(), expect.to_string()),
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
    ];
    environment.push(("GOOGLE_GEMINI_BASE_URL".to_owned(), format!("https://{}", proxy.address())));
    for (company, prefix) in [("OPENAI", "/v1"), ("ANTHROPIC", ""), ("GEMINI", "")] {
        environment.push((format!("{company}_BASE_URL"), format!("https://{}{prefix}", proxy.address())));
        environment.push((format!("{company}_API_KEY"), KEY.to_owned()));
    }
    environment
}

/// Lines are written in order: when one more call's has been, those of the suite have.
async fn all_is_logged(proxy: &Proxy) {
    let last = json!({ "model": "resets", "messages": [{ "role": "user", "content": "Goodbye" }] });
    let id = proxy.client().post("/v1/chat/completions", &last).await.header("x-request-id").to_owned();
    let mut lines = proxy.log.lines();
    while !lines.iter().any(|line| line["request_id"] == *id) {
        lines = proxy.log.wait_for(lines.len() + 1).await;
    }
}

/// The SDK asked once for what must not be asked again, and the vendors were asked no more often than one call may.
fn nothing_was_tried_again(proxy: &Proxy, said: &str) {
    for (check, model, vendors, attempts) in
        [("everybody", "down", ["down-a", "down-b"].as_slice(), ATTEMPTS), ("bad", "bad-request", &["refuses"], 1)]
    {
        // each run of these checks makes a plain and a streamed call
        let made = 2 * said.lines().filter(|line| line.starts_with(&format!("ok {check}"))).count();
        let came = lines(proxy, model).len();
        assert!(made > 0 && came == made, "{model}: {came} calls came, {made} were made");
        let asked: usize = vendors.iter().map(|name| calls(proxy, name)).sum();
        assert!((1..=made * attempts).contains(&asked), "{model}: {made} calls asked vendors {asked} times");
    }
}

fn failovers_happened(proxy: &Proxy) {
    for model in ["resets", "fails", "errs", "silent"] {
        let lines = lines(proxy, model);
        assert!(lines.iter().all(|line| line["served_by"] == "well/model-of-well"), "{lines:?}");
        assert!(calls(proxy, model) >= 2, "{model}: nobody failed");
    }
}

fn the_vendor_was_told_the_system_prompt(proxy: &Proxy, dialect: Dialect) {
    let told = |body: &Value| match dialect {
        Dialect::OpenaiChat => {
            body["messages"][0]["role"] != "user" && body["messages"][0].to_string().contains(SYSTEM)
        }
        Dialect::OpenaiResponses => {
            body["instructions"] == SYSTEM
                || body["input"][0]["role"] != "user" && body["input"][0].to_string().contains(SYSTEM)
        }
        Dialect::Anthropic => body["system"].to_string().contains(SYSTEM),
        Dialect::Gemini => body["systemInstruction"].to_string().contains(SYSTEM),
        other => panic!("{} has no system prompt", other.name()),
    };
    let told = proxy.vendors[0]
        .log()
        .ask(|log| log.calls().filter(|call| told(&serde_json::from_slice(&call.body).unwrap_or_default())).count());
    assert!(told >= 2, "the system prompt came {told} times");
}

fn lines(proxy: &Proxy, model: &str) -> Vec<Value> {
    proxy.log.lines().into_iter().filter(|line| line["model"] == model).collect()
}

fn calls(proxy: &Proxy, vendor: &str) -> usize {
    let place = VENDORS.iter().position(|(name, _)| *name == vendor).unwrap();
    proxy.calls()[place]
}

/// The interpreter of an environment that holds the SDKs.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let python = |folder: &Path| folder.join("bin/python");
    let folder = installed("python", "requirements.txt", |folder| {
        let mut environment = Command::new("python3");
        environment.args(["-m", "venv"]).arg(folder);
        let mut packages = Command::new(python(folder));
        packages.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(scripts().join("requirements.txt"));
        vec![environment, packages]
    });
    python(&folder)
});

/// A folder with the SDKs, and the scripts beside them, because that is where Node looks for what they import.
static NODE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = installed("node", "package.json", |folder| {
        fs::copy(scripts().join("package.json"), folder.join("package.json")).unwrap();
        let mut packages = Command::new("npm");
        packages.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        vec![packages]
    });
    let listed = fs::read_dir(scripts()).unwrap().map(|entry| entry.unwrap().path());
    for script in listed.filter(|path| path.extension().is_some_and(|end| end == "mjs")) {
        fs::copy(&script, folder.join(script.file_name().unwrap())).unwrap();
    }
    folder
});

/// A folder of the build's in which what `list` names is installed. It is kept until the list changes.
pub(crate) fn installed(name: &str, list: &str, install: impl FnOnce(&Path) -> Vec<Command>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk").join(name);
    let wanted = fs::read_to_string(scripts().join(list)).unwrap();
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return folder;
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for command in install(&folder) {
        let shown = format!("{command:?}");
        let (success, said) = run(command, INSTALL_WITHIN);
        assert!(success, "{shown} failed; without a network leave {SWITCH} unset\n{said}");
    }
    fs::write(stamp, wanted).unwrap();
    folder
}

pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// Runs a command to its end, or ends it: whether it succeeded, and all that it said.
pub(crate) fn run(mut command: Command, within: Duration) -> (bool, String) {
    let (mut said, says) = std::io::pipe().unwrap();
    command.stdout(says.try_clone().unwrap()).stderr(says);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    drop(command);
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = said.read_to_end(&mut text);
        send.send(String::from_utf8_lossy(&text).into_owned())
    });
    let said = receive.recv_timeout(within).unwrap_or_else(|_| {
        let _ = child.kill();
        let said = receive.recv().unwrap_or_default();
        format!("{said}\nended after {within:?}")
    });
    (child.wait().unwrap().success(), said)
}
