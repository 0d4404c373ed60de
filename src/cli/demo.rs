//! `backstay demo`: the proxy in front of simulated vendors.

use crate::app::{App, Fatal, Options};
use crate::cli::print;
use crate::demo::{self, Screen, Serve};
use crate::observe::logs;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Runs the demonstration until it is told to end.
pub(super) fn run(options: demo::Options) -> ExitCode {
    if let Err(error) = logs::init(!std::io::stderr().is_terminal(), "info") {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(demo::run(options, Screen::stdout(), serve)));
    match ended {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same proxy that `backstay serve` runs; its access log goes into the demonstration's folder.
async fn serve(serve: Serve) -> Result<(), Fatal> {
    let log = serve.config.with_file_name("access.jsonl");
    let log = File::create(&log).map_err(|error| Fatal::Start(format!("{}: {error}", log.display())))?;
    let access_log = Some(Box::new(log) as Box<dyn Write + Send>);
    let app = App::start(Options { config: serve.config, access_log, workers: None }).await.inspect_err(|fatal| {
        if let Fatal::Diagnostics(diagnostics) = fatal {
            print::diagnostics(diagnostics);
        }
    })?;
    print::diagnostics(&app.warnings);
    // Whoever no longer listens will say stop at once.
    let _ = serve.ready.send(());
    let _ = serve.stop.await;
    app.drain();
    app.ended().await.map_err(|error| Fatal::Start(error.to_string()))
}
