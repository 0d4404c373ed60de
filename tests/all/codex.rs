//! Codex, OpenAI's coding agent, as a client of the Responses API in front of vendors of every dialect: it offers its
//! tools, runs what the vendor calls, sends the result back, and ends with the vendor's words.

use crate::sdk::{SWITCH, installed, run, scripts};
use crate::support::proxy::{KEY, Plan, Proxy};
use backstay::dialect::Dialect;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// Longer than a task of two turns takes on a busy machine.
const TASK_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn codex_does_its_task_with_openai_chat_vendors() {
    does_its_task(Dialect::OpenaiChat).await;
}

#[tokio::test]
async fn codex_does_its_task_with_responses_vendors() {
    does_its_task(Dialect::OpenaiResponses).await;
}

#[tokio::test]
async fn codex_does_its_task_with_anthropic_vendors() {
    does_its_task(Dialect::Anthropic).await;
}

async fn does_its_task(vendor: Dialect) {
    if std::env::var(SWITCH).as_deref() != Ok("1") {
        println!("switched off: Codex is tested with {SWITCH}=1, which installs it");
        return;
    }
    let proxy = Plan::of(&[("only", vendor)]).start().await;
    let home = tempfile::tempdir().unwrap();
    let command = command(&proxy, home.path());
    let (success, said) = tokio::task::spawn_blocking(move || run(command(), TASK_WITHIN)).await.unwrap();
    println!("{said}");
    assert!(success, "Codex failed, see above");
    let last = fs::read_to_string(home.path().join("last")).unwrap_or_default();
    assert_eq!(last.trim(), proxy.vendors[0].text().trim(), "the vendor's words were not Codex's last ones");
    // a call of a tool, and the words after its result
    let served: Vec<_> =
        proxy.log.wait_for(2).await.into_iter().filter(|line| line["dialect"] == "openai_responses").collect();
    assert!(served.len() >= 2 && served.iter().all(|line| line["outcome"] == "served"), "{served:?}");
    assert!(proxy.calls()[0] >= 2, "{:?}", proxy.calls());
}

/// What starts Codex, with a home of its own that knows the proxy alone.
fn command(proxy: &Proxy, home: &Path) -> impl FnOnce() -> Command + Send + 'static {
    let config = format!(
        "model = \"smart\"\nmodel_provider = \"backstay\"\nweb_search = \"disabled\"\n\n[model_providers.backstay]\n\
         name = \"Backstay\"\nbase_url = \"https://{}/v1\"\nenv_key = \"BACKSTAY_KEY\"\nwire_api = \"responses\"\n\
         request_max_retries = 0\nstream_max_retries = 0\n",
        proxy.address()
    );
    fs::write(home.join("config.toml"), config).unwrap();
    let work = home.join("work");
    fs::create_dir(&work).unwrap();
    let authority = proxy.path("certs/ca.pem").display().to_string();
    let environment = [
        ("CODEX_HOME", home.display().to_string()),
        ("HOME", home.display().to_string()),
        ("BACKSTAY_KEY", KEY.to_owned()),
        ("CODEX_CA_CERTIFICATE", authority.clone()),
        ("SSL_CERT_FILE", authority),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
    ];
    let last = home.join("last");
    // the installation may take its time, and the vendors must not wait for it
    move || {
        let mut command = Command::new(CODEX.join("node_modules/.bin/codex"));
        command.args(["exec", "--skip-git-repo-check", "--sandbox", "read-only", "--output-last-message"]).arg(last);
        command.arg("Tell me about dragons.").current_dir(work).env_clear().envs(environment);
        command.stdin(std::process::Stdio::null());
        command
    }
}

/// A folder with Codex.
static CODEX: LazyLock<PathBuf> = LazyLock::new(|| {
    installed("codex", "codex/package.json", |folder| {
        fs::copy(scripts().join("codex/package.json"), folder.join("package.json")).unwrap();
        let mut packages = Command::new("npm");
        packages.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        vec![packages]
    })
});
