//! What simulated vendors read and write: HTTP/1.1 over a pipe, one request for each.

use tokio::io::{AsyncReadExt, DuplexStream};

/// The head of a request with its body.
pub(in crate::app) async fn read(pipe: &mut DuplexStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let mut chunk = [0; 4096];
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

pub(in crate::app) fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(in crate::app) fn error(status: u16) -> String {
    let body = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;
    format!(
        "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(in crate::app) const CHUNK: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":null}]}\n\n";
pub(in crate::app) const LAST: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
pub(in crate::app) const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";

pub(in crate::app) fn stream() -> String {
    format!("{STREAM_HEAD}content-length: {}\r\n\r\n{CHUNK}{LAST}", CHUNK.len() + LAST.len())
}

pub(in crate::app) fn cut() -> String {
    format!("{STREAM_HEAD}content-length: {}\r\n\r\n{CHUNK}", CHUNK.len() + LAST.len())
}
