//! The control port: vendors are broken and healed by curl.

use super::stage::Stage;
use super::vendor::Fault;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves the control port until dropped.
pub(super) async fn serve(port: u16, stage: Arc<Stage>) -> io::Result<()> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let stage = Arc::clone(&stage);
                connections.spawn(async move {
                    let service = service_fn(|request: Request<_>| std::future::ready(answer(&request, &stage)));
                    let mut http = hyper::server::conn::http1::Builder::new();
                    // Whoever leaves early is not waited for.
                    let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn answer<B>(request: &Request<B>, stage: &Stage) -> Result<Response<Full<Bytes>>, Infallible> {
    let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let (status, text) = match (request.method(), path.as_slice()) {
        (&Method::GET, [""]) => (StatusCode::OK, format!("{}\n{}", stage.describe(), help())),
        (&Method::POST, ["break", vendor, fault]) => outcome(stage.break_vendor(vendor, fault)),
        (&Method::POST, ["heal", vendor]) => outcome(stage.heal(vendor)),
        (_, ["break", ..] | ["heal", ..]) => {
            (StatusCode::BAD_REQUEST, "try: curl -X POST .../break/VENDOR/FAULT or .../heal/VENDOR".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, help()),
    };
    let mut response = Response::new(Full::from(text + "\n"));
    *response.status_mut() = status;
    Ok(response)
}

fn outcome(result: Result<String, String>) -> (StatusCode, String) {
    match result {
        Ok(said) => (StatusCode::OK, said),
        Err(why) => (StatusCode::BAD_REQUEST, why),
    }
}

fn help() -> String {
    let mut text = "POST /break/VENDOR/FAULT, POST /heal/VENDOR. The faults:\n".to_owned();
    for fault in Fault::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<24} {}", fault.name(), fault.says());
    }
    text
}
