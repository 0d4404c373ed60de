//! Checks an HTTP/1 request's head before hyper sees it: what two readers could understand differently is refused, because
//! a difference between us and a load balancer in front of us is somebody else's request (RFC 9112, 11.2).
//!
//! Lines are checked as they arrive, each once, so that the verdict does not depend on how the bytes were cut.

use crate::server::bounds::Bounds;
use crate::server::host::{is_authority, same_authority};
use memchr::memchr;
use std::ops::Range;

/// Room in the request line for the method, the version and the spaces, beside the target.
const REQUEST_LINE_REST_BYTES: usize = 32;

/// Why a request is refused, and with which status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with the request, for the person who reads it.
    pub message: &'static str,
}

impl Fault {
    /// A head that is not good HTTP.
    #[must_use]
    pub const fn malformed(message: &'static str) -> Self {
        Self { status: 400, message }
    }

    /// The name that events know it by.
    #[must_use]
    pub const fn limit(self) -> &'static str {
        match self.status {
            408 => "head_time",
            414 => "target_bytes",
            431 => "head_bytes",
            _ => "malformed_request",
        }
    }

    /// A request target beyond the bound.
    pub const TARGET_TOO_LONG: Self = Self { status: 414, message: "the request target is too long" };
    /// A head beyond the bounds.
    pub const HEAD_TOO_LARGE: Self = Self { status: 431, message: "the header fields are too many or too large" };
    /// A head that did not become whole in time.
    pub const HEAD_TOO_SLOW: Self = Self { status: 408, message: "the request's head took too long" };
}

/// How a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; 0 without a body.
    Length(u64),
    /// With the last chunk.
    Chunked,
}

/// What is known of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not whole yet.
    More,
    /// It is whole, in so many bytes, and good.
    Whole {
        /// Bytes of the head, its empty line included.
        length: usize,
        /// How the body after it ends.
        framing: Framing,
    },
    /// It must not be served.
    Refused(Fault),
}

/// The check of one head.
#[derive(Debug, Default)]
pub struct HeadCheck {
    /// Where the first line begins that is not checked yet.
    line: usize,
    /// Before this, that line has no end.
    searched: usize,
    skipped_empty_line: bool,
    request: Option<RequestLine>,
    headers: usize,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Debug)]
struct RequestLine {
    is_http_1_0: bool,
    /// The authority of a target in absolute form.
    authority: Option<Range<usize>>,
}

impl HeadCheck {
    /// Looks at `bytes`, everything that has arrived since the head's beginning, the earlier calls' bytes included.
    pub fn advance(&mut self, bytes: &[u8], bounds: &Bounds) -> Verdict {
        loop {
            let unsearched = bytes.get(self.searched..).unwrap_or_default();
            let Some(found) = memchr(b'\n', unsearched) else {
                self.searched = bytes.len();
                return match self.oversize(bytes.len(), bytes.len() - self.line, bounds) {
                    Some(fault) => Verdict::Refused(fault),
                    None => Verdict::More,
                };
            };
            let (start, end) = (self.line, self.searched + found);
            (self.line, self.searched) = (end + 1, end + 1);
            if let Some(fault) = self.oversize(end + 1, end - start, bounds) {
                return Verdict::Refused(fault);
            }
            let Some(line) = bytes.get(start..end).and_then(|line| line.strip_suffix(b"\r")) else {
                return Verdict::Refused(Fault::malformed("a line that ends without CR"));
            };
            if line.is_empty() && self.request.is_some() {
                return match self.framing(bytes) {
                    Ok(framing) => Verdict::Whole { length: end + 1, framing },
                    Err(fault) => Verdict::Refused(fault),
                };
            }
            if let Err(fault) = self.check_line(line, start, bounds) {
                return Verdict::Refused(fault);
            }
        }
    }

    /// Whether the head, or the request line, is larger than its bound. `line_length` counts the line's CR.
    fn oversize(&self, head_length: usize, line_length: usize, bounds: &Bounds) -> Option<Fault> {
        if self.request.is_none() && line_length > bounds.target_bytes + REQUEST_LINE_REST_BYTES + 1 {
            return Some(Fault::TARGET_TOO_LONG);
        }
        (head_length > bounds.head_bytes).then_some(Fault::HEAD_TOO_LARGE)
    }

    fn check_line(&mut self, line: &[u8], start: usize, bounds: &Bounds) -> Result<(), Fault> {
        if self.request.is_some() {
            return self.check_field(line, start, bounds);
        }
        if line.is_empty() {
            // One empty line before a request is forgiven (RFC 9112, 2.2).
            return match std::mem::replace(&mut self.skipped_empty_line, true) {
                false => Ok(()),
                true => Err(Fault::malformed("empty lines instead of a request")),
            };
        }
        self.request = Some(request_line(line, start, bounds)?);
        Ok(())
    }

    fn check_field(&mut self, line: &[u8], start: usize, bounds: &Bounds) -> Result<(), Fault> {
        self.headers += 1;
        if self.headers > bounds.headers {
            return Err(Fault::HEAD_TOO_LARGE);
        }
        // A folded line begins with a space, and a space before the colon ends the name: both are caught here.
        let colon = line.iter().position(|byte| !is_token(*byte)).filter(|end| *end > 0 && line[*end] == b':');
        let Some(colon) = colon else { return Err(Fault::malformed("an invalid header field name")) };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if value.iter().fold(false, |bad, byte| bad | is_control(*byte)) {
            return Err(Fault::malformed("a control character in a header field"));
        }
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"host") => self.take_host(value, start + colon + 1),
            14 if is(b"content-length") => self.take_length(trimmed(value)),
            17 if is(b"transfer-encoding") => self.take_encoding(trimmed(value)),
            _ => Ok(()),
        }
    }

    fn take_host(&mut self, value: &[u8], start: usize) -> Result<(), Fault> {
        let host = trimmed(value);
        let begin = start + value.iter().take_while(|byte| is_blank(**byte)).count();
        if self.host.replace(begin..begin + host.len()).is_some() {
            return Err(Fault::malformed("more than one Host"));
        }
        if is_authority(host) { Ok(()) } else { Err(Fault::malformed("an invalid Host")) }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        const INVALID: Fault = Fault::malformed("an invalid Content-Length");
        // u64 holds every number of 19 digits.
        if !matches!(value.len(), 1..=19) || !value.iter().all(u8::is_ascii_digit) {
            return Err(INVALID);
        }
        let length = value.iter().fold(0_u64, |length, digit| length * 10 + u64::from(digit - b'0'));
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(Fault::malformed("more than one Content-Length")),
        }
    }

    fn take_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::malformed("a Transfer-Encoding other than chunked"));
        }
        match std::mem::replace(&mut self.chunked, true) {
            false => Ok(()),
            true => Err(Fault::malformed("more than one Transfer-Encoding")),
        }
    }

    /// What the head says as a whole.
    fn framing(&self, bytes: &[u8]) -> Result<Framing, Fault> {
        let Some(request) = &self.request else { return Err(Fault::malformed("no request line")) };
        let host = self.host.clone().and_then(|range| bytes.get(range));
        let authority = request.authority.clone().and_then(|range| bytes.get(range));
        match (host, authority) {
            (None, _) if !request.is_http_1_0 => return Err(Fault::malformed("no Host")),
            (Some(host), Some(authority)) if !same_authority(host, authority) => {
                return Err(Fault::malformed("target and Host name different servers"));
            }
            _ => {}
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Fault::malformed("both Content-Length and Transfer-Encoding")),
            (true, None) if request.is_http_1_0 => Err(Fault::malformed("Transfer-Encoding in HTTP/1.0")),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// Reads `METHOD SP target SP HTTP/1.x`, with exactly these spaces.
fn request_line(line: &[u8], start: usize, bounds: &Bounds) -> Result<RequestLine, Fault> {
    const INVALID: Fault = Fault::malformed("an invalid request line");
    let (line, is_http_1_0) = match (line.strip_suffix(b" HTTP/1.1"), line.strip_suffix(b" HTTP/1.0")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return Err(INVALID),
    };
    let Some(space) = memchr(b' ', line) else { return Err(INVALID) };
    let (method, target) = (&line[..space], &line[space + 1..]);
    if target.len() > bounds.target_bytes {
        return Err(Fault::TARGET_TOO_LONG);
    }
    let is_visible = |byte: &u8| matches!(byte, b'!'..=b'~') && *byte != b'#';
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || !target.iter().all(is_visible) {
        return Err(INVALID);
    }
    if target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS") {
        return Ok(RequestLine { is_http_1_0, authority: None });
    }
    let scheme_length = if target.starts_with(b"https://") {
        8
    } else if target.starts_with(b"http://") {
        7
    } else {
        return Err(Fault::malformed("a request target that is neither a path nor an absolute http URI"));
    };
    let rest = &target[scheme_length..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if !is_authority(&rest[..end]) {
        return Err(Fault::malformed("an invalid authority in the request target"));
    }
    let begin = start + space + 1 + scheme_length;
    Ok(RequestLine { is_http_1_0, authority: Some(begin..begin + end) })
}

/// A byte of a method or a field name (RFC 9110, 5.6.2).
const fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let ascii = byte as u8;
            table[byte] = ascii.is_ascii_alphanumeric() || is_token_mark(ascii);
            byte += 1;
        }
        table
    };
    TABLE[byte as usize]
}

const fn is_token_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// A byte that no field value may hold (RFC 9110, 5.5); the tab may stand between words.
const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trimmed(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|byte| !is_blank(*byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on `bytes`, which is the same however they are cut.
    fn check(bytes: &[u8]) -> Verdict {
        let bounds = Bounds { head_bytes: 400, target_bytes: 100, headers: 10, ..Bounds::default() };
        let at_once = HeadCheck::default().advance(bytes, &bounds);
        for cut in 0..bytes.len() {
            let mut check = HeadCheck::default();
            let first = check.advance(&bytes[..cut], &bounds);
            let verdict = if first == Verdict::More { check.advance(bytes, &bounds) } else { first };
            assert_eq!(verdict, at_once, "cut at {cut} of {:?}", String::from_utf8_lossy(bytes));
        }
        let mut check = HeadCheck::default();
        let drip =
            (0..=bytes.len()).map(|end| check.advance(&bytes[..end], &bounds)).find(|found| *found != Verdict::More);
        assert_eq!(drip.unwrap_or(Verdict::More), at_once, "{:?} byte by byte", String::from_utf8_lossy(bytes));
        at_once
    }

    #[test]
    fn whole_heads_tell_their_length_and_framing() {
        let long_target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(99));
        let cases: [(&str, Framing); 9] = [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Length(0)),
            ("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Length(0)),
            ("POST /v1/x?y HTTP/1.1\r\nContent-Length: 0012\r\nHOST:\ta:1 \r\n\r\n", Framing::Length(12)),
            ("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n", Framing::Chunked),
            ("GET / HTTP/1.0\r\n\r\n", Framing::Length(0)),
            ("OPTIONS * HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", Framing::Length(0)),
            ("GET http://A:80?q HTTP/1.1\r\nhost: a:80\r\n\r\n", Framing::Length(0)),
            ("GET / HTTP/1.1\r\nhost: a\r\nempty:\r\nx: \u{e9}\t \r\n\r\n", Framing::Length(0)),
            (&long_target, Framing::Length(0)),
        ];
        for (head, framing) in cases {
            let expected = Verdict::Whole { length: head.len(), framing };
            assert_eq!(check(head.as_bytes()), expected, "{head:?}");
            let with_body = [head.as_bytes(), b"body\nGET / HTTP/1.1\r\n\r\n"].concat();
            let bounds = Bounds { target_bytes: 100, ..Bounds::default() };
            assert_eq!(HeadCheck::default().advance(&with_body, &bounds), expected, "what follows is not looked at");
        }
        assert_eq!(check(b"GET / HTTP/1.1\r\nhost: a\r\n"), Verdict::More);
    }

    #[test]
    fn f_117_f_118_ambiguous_heads_are_refused() {
        let cases = [
            "\r\n\r\n",
            "\n",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\nhost: a\n",
            "GET / HTTP/1.1\r\nhost: a\r\n\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx: \u{0}\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n x: y\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n\tx\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n: y\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nxy\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx(y): z\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost:\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nhost: a/b\r\n",
            "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET http:/// HTTP/1.1\r\n",
            "GET ftp://a/ HTTP/1.1\r\n",
            "GET a HTTP/1.1\r\n",
            "GET * HTTP/1.1\r\n",
            "GET /a b HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\r\n",
            "GET / HTTP/1.1 \r\n",
            "GET / http/1.1\r\n",
            "GET / HTTP/2.0\r\n",
            "PRI * HTTP/2.0\r\n",
            " GET / HTTP/1.1\r\n",
            "G@T / HTTP/1.1\r\n",
            "GET\t/ HTTP/1.1\r\n",
            "/ HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1,1\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n",
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        ];
        for case in cases {
            let verdict = check(case.as_bytes());
            assert!(matches!(verdict, Verdict::Refused(Fault { status: 400, .. })), "{case:?}: {verdict:?}");
        }
    }

    #[test]
    fn f_116_oversize_is_refused_before_it_is_whole() {
        let cases = [
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(100)), Fault::TARGET_TOO_LONG),
            (format!("GET /{}", "x".repeat(200)), Fault::TARGET_TOO_LONG),
            (format!("{} / HTTP/1.1\r\n", "M".repeat(140)), Fault::TARGET_TOO_LONG),
            (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(400)), Fault::HEAD_TOO_LARGE),
            (format!("GET / HTTP/1.1\r\nhost: a\r\n{}", "x: y\r\n".repeat(10)), Fault::HEAD_TOO_LARGE),
        ];
        for (case, fault) in cases {
            assert_eq!(check(case.as_bytes()), Verdict::Refused(fault), "{case:?}");
        }
    }
}
