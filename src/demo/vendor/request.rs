//! Reads an HTTP/1.1 request by hand, and strictly: what a lenient reader would forgive is an error here, because a
//! proxy's peer must not depend on forgiveness (RFC 9112, sections 2 to 7).

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const HEAD_BYTES: usize = 64 << 10;
const BODY_BYTES: usize = 64 << 20;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Read {
    pub head: Bytes,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Read {
    /// Whether the client wants the connection closed after the answer.
    pub(super) fn wants_close(&self) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("connection") && value.split(',').any(|option| option.trim() == "close")
        })
    }
}

/// Reads one request; `None` at a clean end before its first byte.
///
/// # Errors
/// `InvalidData` for what is not HTTP/1.1, `UnexpectedEof` within a request, and what the socket says.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Option<Read>> {
    let head_length = loop {
        if let Some(end) = memmem::find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > HEAD_BYTES {
            return Err(invalid("the head is too long"));
        }
        if from.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let head = buffer.split_to(head_length).freeze();
    let (method, path, headers) = parse_head(&head)?;
    let body = match framing(&headers)? {
        Framing::Length(length) => read_exactly(from, buffer, length).await?,
        Framing::Chunked => read_chunks(from, buffer).await?,
    };
    Ok(Some(Read { head, method, path, headers, body }))
}

type Head = (String, String, Vec<(String, String)>);

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| invalid("the head is not UTF-8"))?;
    let text = text.strip_suffix("\r\n\r\n").ok_or_else(|| invalid("the head has no end"))?;
    let mut lines = text.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1"), None) = (start.next(), start.next(), start.next(), start.next())
    else {
        return Err(invalid("not a request line of HTTP/1.1"));
    };
    if !is_token(method) || !path.starts_with('/') {
        return Err(invalid("not a method and a path"));
    }
    let headers = lines.map(parse_header).collect::<io::Result<Vec<_>>>()?;
    match headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).count() {
        1 => Ok((method.to_owned(), path.to_owned(), headers)),
        _ => Err(invalid("not exactly one Host")),
    }
}

fn parse_header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without a colon"))?;
    if !is_token(name) {
        return Err(invalid("a header's name is not a token"));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(invalid("a control character in a header's value"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

enum Framing {
    Length(usize),
    Chunked,
}

fn framing(headers: &[(String, String)]) -> io::Result<Framing> {
    let all = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str()).collect()
    };
    match (all("transfer-encoding").as_slice(), all("content-length").as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => match length.parse() {
            Ok(length) if length <= BODY_BYTES => Ok(Framing::Length(length)),
            _ => Err(invalid("the body is too long")),
        },
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        _ => Err(invalid("the body's framing is ambiguous")),
    }
}

async fn read_exactly(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    while buffer.len() < length {
        if from.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.split_to(length).freeze())
}

async fn read_chunks(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = read_line(from, buffer).await?;
        let size = std::str::from_utf8(&line).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.filter(|size| body.len() + size <= BODY_BYTES).ok_or_else(|| invalid("a bad chunk size"))?;
        body.extend_from_slice(&read_exactly(from, buffer, size).await?);
        if !read_line(from, buffer).await?.is_empty() {
            return Err(invalid("a chunk without its end, or a trailer"));
        }
        if size == 0 {
            return Ok(body.freeze());
        }
    }
}

async fn read_line(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        if let Some(end) = memmem::find(buffer, b"\r\n") {
            let line = buffer.split_to(end).freeze();
            let _ = buffer.split_to(2);
            return Ok(line);
        }
        if buffer.len() > HEAD_BYTES || from.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &str) -> io::Result<Option<Read>> {
        read(&mut bytes.as_bytes(), &mut BytesMut::new()).await
    }

    #[tokio::test]
    async fn reads_lengths_and_chunks_and_keeps_the_head() {
        for body in
            ["content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"]
        {
            let request =
                parse(&format!("POST /v1 HTTP/1.1\r\nHost: a\r\nX-Key:  b \r\n{body}")).await.unwrap().unwrap();
            assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1"));
            assert_eq!(request.body, "hello");
            assert_eq!(request.headers[1], ("X-Key".to_owned(), "b".to_owned()));
            assert!(request.head.ends_with(b"\r\n\r\n"));
        }
    }

    #[tokio::test]
    async fn forgives_nothing_that_could_smuggle() {
        for request in [
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
            "POST / HTTP/1.1\r\nhost: a\r\n continued: b\r\n\r\n",
            "POST / HTTP/1.1\r\nhost : a\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n",
            "POST  / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.0\r\nhost: a\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\n\r\n",
        ] {
            assert!(parse(request).await.is_err(), "{request:?}");
        }
    }

    #[tokio::test]
    async fn an_empty_connection_is_no_error() {
        assert!(parse("").await.unwrap().is_none());
    }
}
