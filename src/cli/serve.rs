//! `backstay serve`: runs the proxy until a signal ends it.

use crate::app::{App, Fatal, Options, Signals};
use crate::cli::print;
use crate::observe::logs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the proxy.
pub(super) fn run(config: PathBuf, access_log: bool, log: &str, workers: Option<usize>) -> ExitCode {
    if let Err(error) = logs::init(!std::io::stderr().is_terminal(), log) {
        eprintln!("--log {log}: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let access_log = access_log.then(|| Box::new(std::io::stdout()) as Box<dyn Write + Send>);
    runtime.block_on(async {
        let signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(error) => {
                eprintln!("signals cannot be caught: {error}");
                return ExitCode::FAILURE;
            }
        };
        match App::start(Options { config, access_log, workers }).await {
            Ok(app) => serve(app, signals).await,
            Err(Fatal::Diagnostics(diagnostics)) => {
                print::diagnostics(&diagnostics);
                ExitCode::FAILURE
            }
            Err(Fatal::Start(message)) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
        }
    })
}

async fn serve(app: App, signals: Signals) -> ExitCode {
    print::diagnostics(&app.warnings);
    for (name, address) in &app.listeners {
        tracing::info!(listener = %name, %address, "serving clients");
    }
    tracing::info!(address = %app.admin, "serving people: /, /status, /metrics, /readyz");
    match app.run(signals).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
