//! Asks a running proxy's admin address, in plain HTTP as it is served there.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use url::Url;

/// How long a proxy may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is taken.
const MAX_ANSWER: u64 = 16 << 20;

/// The body of the answer to a GET.
///
/// # Errors
/// What went wrong, and what to try; the proxy's own words where it refuses.
pub(super) fn get(admin: &str, path: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("--admin {admin}: write the admin address as http://127.0.0.1:9443");
    let url = Url::parse(admin).map_err(|_| wrong())?;
    let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
        return Err(wrong());
    };
    let failed = |error: std::io::Error| format!("{admin} does not answer: {error}; is the proxy running there?");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = (bare, port).to_socket_addrs().map_err(failed)?.next().ok_or_else(wrong)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    // the version that knows no chunks: the answer ends with its connection
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).map_err(failed)?;
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(|| format!("{admin} does not speak HTTP"))?;
    let (head, body) = answer.split_at(end + 4);
    let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status == b"200" { Ok(body.to_vec()) } else { Err(String::from_utf8_lossy(body).trim().to_owned()) }
}
