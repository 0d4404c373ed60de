//! Follows an HTTP/1.1 answer byte by byte, to say where it ends and whether two parsers could disagree about it.
//!
//! RFC 9112 §6.3 leaves room for leniency; a proxy that shares connections between clients has none to give: where the end of
//! an answer is open to doubt, the rest of it becomes somebody else's answer.

use memchr::{memchr, memchr2};
use std::fmt;

/// Most bytes of one head or of the trailers.
const HEAD_BYTES: usize = 64 * 1024;
/// Most header lines of one head or of the trailers.
const HEAD_LINES: usize = 100;
/// Most bytes of a chunk's size line, extensions included.
const CHUNK_LINE_BYTES: usize = 4096;
/// Most interim answers (1xx) before the final one.
const INTERIMS: u32 = 16;

/// What is wrong with an answer's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a status line.
    StatusLine,
    /// A status out of 100..=599, or 101: nothing here upgrades.
    Status,
    /// A line that ends in a bare LF, holds a bare CR or NUL, is folded or is no `name: value`.
    HeaderLine,
    /// More header bytes or lines than we take.
    HeadTooLarge,
    /// A `Content-Length` that is not one number, or two that differ.
    ContentLength,
    /// A `Transfer-Encoding` other than `chunked`, or one where none may be.
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding`.
    TwoLengths,
    /// A chunk that is not one.
    Chunk,
    /// Too many interim answers.
    Interims,
}

impl Fault {
    /// The failure's reason.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::StatusLine => "status_line",
            Self::Status => "status",
            Self::HeaderLine => "header_line",
            Self::HeadTooLarge => "head_too_large",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::TwoLengths => "two_lengths",
            Self::Chunk => "chunk",
            Self::Interims => "interims",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the vendor's answer is malformed: {}", self.reason())
    }
}

impl std::error::Error for Fault {}

/// Where in an answer we are.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// Whether the answer has no body whatever its head says: it answers a HEAD.
    bodiless: bool,
    interims: u32,
    head: Head,
    /// The beginning of a line whose end has not come.
    carry: Vec<u8>,
    /// Bytes and lines of the block that is being read.
    block_bytes: usize,
    block_lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StatusLine,
    HeaderLine,
    Sized(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
    Done,
}

/// What a head has said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    status: u16,
    http_1_0: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// Before the first byte of an answer.
    pub(super) fn new(bodiless: bool) -> Self {
        Self {
            state: State::StatusLine,
            bodiless,
            interims: 0,
            head: Head::default(),
            carry: Vec::new(),
            block_bytes: 0,
            block_lines: 0,
        }
    }

    /// Whether the answer has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Follows `bytes` and says how many of them belong to the answer; fewer than all only when it is done.
    ///
    /// # Errors
    /// The first fault; the bytes must not be handed on.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut rest = bytes;
        while !rest.is_empty() && self.state != State::Done {
            let used = match self.state {
                State::Sized(left) => self.skip(rest, left, State::Sized, State::Done),
                State::ChunkData(left) => self.skip(rest, left, State::ChunkData, State::ChunkEnd),
                State::UntilClose => rest.len(),
                State::StatusLine | State::HeaderLine | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    self.line_of(rest)?
                }
                State::Done => 0,
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }

    /// Counts content.
    fn skip(&mut self, bytes: &[u8], left: u64, more: fn(u64) -> State, then: State) -> usize {
        let here = left.min(bytes.len() as u64);
        self.state = if here == left { then } else { more(left - here) };
        here as usize
    }

    /// Takes one line, or what there is of it; returns how many bytes that were.
    fn line_of(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let end = memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        self.block_bytes += used;
        if self.block_bytes > self.most_bytes() {
            return Err(self.too_large());
        }
        let piece = bytes.get(..used).unwrap_or_default();
        if end.is_none() {
            self.carry.extend_from_slice(piece);
        } else if self.carry.is_empty() {
            self.line(piece)?;
        } else {
            let mut line = std::mem::take(&mut self.carry);
            line.extend_from_slice(piece);
            self.line(&line)?;
        }
        Ok(used)
    }

    fn most_bytes(&self) -> usize {
        match self.state {
            State::ChunkSize | State::ChunkEnd => CHUNK_LINE_BYTES,
            _ => HEAD_BYTES,
        }
    }

    fn too_large(&self) -> Fault {
        match self.state {
            State::ChunkSize | State::ChunkEnd => Fault::Chunk,
            _ => Fault::HeadTooLarge,
        }
    }

    /// Judges one whole line, its line end included.
    fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let fault = match self.state {
            State::StatusLine => Fault::StatusLine,
            State::ChunkSize | State::ChunkEnd => Fault::Chunk,
            _ => Fault::HeaderLine,
        };
        let line = line.strip_suffix(b"\r\n").ok_or(fault)?;
        if memchr2(b'\r', 0, line).is_some() {
            return Err(fault);
        }
        self.block_lines += 1;
        if self.block_lines > HEAD_LINES + 2 {
            return Err(Fault::HeadTooLarge);
        }
        match self.state {
            State::StatusLine => self.status_line(line)?,
            State::HeaderLine if line.is_empty() => self.end_of_head()?,
            State::HeaderLine => self.head.read(line)?,
            State::ChunkSize => self.enter(chunk_size(line).map(|size| match size {
                0 => State::Trailer,
                size => State::ChunkData(size),
            })?),
            State::ChunkEnd if line.is_empty() => self.enter(State::ChunkSize),
            State::Trailer if line.is_empty() => self.enter(State::Done),
            State::Trailer => drop(header(line)?),
            State::ChunkEnd | State::Sized(_) | State::ChunkData(_) | State::UntilClose | State::Done => {
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Begins another block of lines or content.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.block_bytes = 0;
        self.block_lines = 0;
    }

    fn status_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (http_1_0, rest) = match (line.strip_prefix(b"HTTP/1.1 "), line.strip_prefix(b"HTTP/1.0 ")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(Fault::StatusLine),
        };
        let (code, phrase) = rest.split_at_checked(3).ok_or(Fault::StatusLine)?;
        if !matches!(phrase.first(), None | Some(b' ')) {
            return Err(Fault::StatusLine);
        }
        let status = number(code).filter(|status| (100..=599).contains(status) && *status != 101);
        self.head = Head { status: status.ok_or(Fault::Status)? as u16, http_1_0, ..Head::default() };
        self.state = State::HeaderLine;
        Ok(())
    }

    /// RFC 9112 §6.3: how long the body is.
    fn end_of_head(&mut self) -> Result<(), Fault> {
        let Head { status, http_1_0, length, chunked } = self.head;
        if chunked && length.is_some() {
            return Err(Fault::TwoLengths);
        }
        if chunked && http_1_0 {
            return Err(Fault::TransferEncoding);
        }
        let next = match (status, length) {
            (100..=199, _) if chunked => return Err(Fault::TransferEncoding),
            (100..=199, Some(_)) => return Err(Fault::ContentLength),
            (100..=199, None) => {
                self.interims += 1;
                if self.interims > INTERIMS {
                    return Err(Fault::Interims);
                }
                State::StatusLine
            }
            (204, _) if chunked => return Err(Fault::TransferEncoding),
            (204 | 304, _) => State::Done,
            _ if self.bodiless => State::Done,
            _ if chunked => State::ChunkSize,
            (_, Some(0)) => State::Done,
            (_, Some(length)) => State::Sized(length),
            (_, None) => State::UntilClose,
        };
        self.enter(next);
        Ok(())
    }
}

impl Head {
    /// Notes what a header line says about the length.
    fn read(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (name, value) = header(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or(Fault::ContentLength)?;
            if self.length.is_some_and(|before| before != length) {
                return Err(Fault::ContentLength);
            }
            self.length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::TransferEncoding);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

/// Splits a header line; a folded line and a space before the colon are faults.
fn header(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let colon = memchr(b':', line).filter(|colon| *colon > 0).ok_or(Fault::HeaderLine)?;
    let (name, value) = line.split_at(colon);
    // white space and control characters, looked for in all bytes at once
    if name.iter().fold(false, |found, byte| found | (*byte <= b' ') | (*byte == 0x7f)) {
        return Err(Fault::HeaderLine);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// A chunk's size: hexadecimal digits, then nothing or an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    // the sum of what follows must not overflow either, so fifteen digits are enough for anybody
    if digits.is_empty() || digits.len() > 15 {
        return Err(Fault::Chunk);
    }
    digits.iter().try_fold(0, |size: u64, byte| {
        let digit = char::from(*byte).to_digit(16).ok_or(Fault::Chunk)?;
        Ok(size << 4 | u64::from(digit))
    })
}

/// A decimal number of nothing but digits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |number: u64, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows `pieces` in turn; how many bytes belonged to the answer, and whether it is done.
    fn follow<'a>(bodiless: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(usize, bool), Fault> {
        let mut framing = Framing::new(bodiless);
        let mut used = 0;
        for piece in pieces {
            used += framing.follow(piece)?;
        }
        Ok((used, framing.is_done()))
    }

    /// The verdict must be the same in one piece, cut in two at every place, and byte by byte.
    fn check(bodiless: bool, bytes: &str, expected: Result<(usize, bool), Fault>) {
        let bytes = bytes.as_bytes();
        assert_eq!(follow(bodiless, [bytes]), expected, "{}", bytes.escape_ascii());
        for cut in 0..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(follow(bodiless, [left, right]), expected, "cut at {cut}: {}", bytes.escape_ascii());
        }
        assert_eq!(follow(bodiless, bytes.chunks(1)), expected, "byte by byte: {}", bytes.escape_ascii());
    }

    #[test]
    fn f_025_an_answer_ends_where_its_framing_says() {
        let whole = [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.0 200\r\nContent-Length:2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n2\r\n\r\n\r\n0\r\nt: v\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n!",
        ];
        for answer in whole {
            check(false, answer, Ok((answer.len(), true)));
            check(false, &format!("{answer}H"), Ok((answer.len(), true)));
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
        check(true, head, Ok((head.len(), true)));
    }

    #[test]
    fn an_answer_without_a_length_lasts_until_the_end() {
        for answer in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"] {
            check(false, answer, Ok((answer.len(), false)));
        }
    }

    #[test]
    fn f_024_what_two_parsers_could_read_differently_is_a_fault() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
        let cases = [
            (head("content-length: 2\r\ntransfer-encoding: chunked"), Fault::TwoLengths),
            (head("transfer-encoding: chunked\r\ncontent-length: 2"), Fault::TwoLengths),
            (head("content-length: 2\r\ncontent-length: 3"), Fault::ContentLength),
            (head("content-length: 2, 2"), Fault::ContentLength),
            (head("content-length: +2"), Fault::ContentLength),
            (head("content-length: -2"), Fault::ContentLength),
            (head("content-length: 0x2"), Fault::ContentLength),
            (head("content-length:"), Fault::ContentLength),
            (head("content-length: 99999999999999999999"), Fault::ContentLength),
            (head("transfer-encoding: xchunked"), Fault::TransferEncoding),
            (head("transfer-encoding: chunked, identity"), Fault::TransferEncoding),
            (head("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), Fault::TransferEncoding),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), Fault::TransferEncoding),
            ("HTTP/1.1 204 None\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), Fault::TransferEncoding),
            ("HTTP/1.1 103 Hints\r\ncontent-length: 2\r\n\r\n".to_owned(), Fault::ContentLength),
            (head("content-length : 2"), Fault::HeaderLine),
            (head(" content-length: 2"), Fault::HeaderLine),
            (head("a: b\r\n folded: c"), Fault::HeaderLine),
            (head("a: b\rc"), Fault::HeaderLine),
            (head("a: b\0c"), Fault::HeaderLine),
            (head("a: b\nc: d"), Fault::HeaderLine),
            (head("no colon"), Fault::HeaderLine),
            (head(": no name"), Fault::HeaderLine),
            ("HTTP/1.1 200 OK\n\n".to_owned(), Fault::StatusLine),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(), Fault::StatusLine),
            ("HTTP/2 200 OK\r\n\r\n".to_owned(), Fault::StatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), Fault::StatusLine),
            ("HTTP/1.1  200 OK\r\n\r\n".to_owned(), Fault::StatusLine),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), Fault::Status),
            ("HTTP/1.1 099 Odd\r\n\r\n".to_owned(), Fault::Status),
            ("HTTP/1.1 600 Odd\r\n\r\n".to_owned(), Fault::Status),
            (format!("{chunked}\r\n"), Fault::Chunk),
            (format!("{chunked}0x2\r\nok\r\n"), Fault::Chunk),
            (format!("{chunked}-2\r\nok\r\n"), Fault::Chunk),
            (format!("{chunked}2\nok\r\n"), Fault::Chunk),
            (format!("{chunked}2 \r\nok\r\n"), Fault::Chunk),
            (format!("{chunked}2\r\nokk\r\n"), Fault::Chunk),
            (format!("{chunked}ffffffffffffffff\r\nok\r\n"), Fault::Chunk),
            (format!("{chunked}0\r\nno trailer\r\n\r\n"), Fault::HeaderLine),
        ];
        for (answer, fault) in cases {
            check(false, &answer, Err(fault));
        }
    }

    #[test]
    fn f_026_f_139_heads_are_bounded() {
        let interims = |count| "HTTP/1.1 103 Hints\r\n\r\n".repeat(count);
        let lines = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        let long = |length| format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(length));
        let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;{}", "x".repeat(5000));
        let cases = [
            (interims(16), None),
            (interims(17), Some(Fault::Interims)),
            (lines(100), None),
            (lines(101), Some(Fault::HeadTooLarge)),
            (long(65_000), None),
            (long(66_000), Some(Fault::HeadTooLarge)),
            (endless, Some(Fault::Chunk)),
        ];
        for (answer, fault) in cases {
            let whole = follow(false, [answer.as_bytes()]);
            let torn = follow(false, answer.as_bytes().chunks(7));
            assert_eq!((whole.err(), torn.err()), (fault, fault), "{answer:.40}");
        }
    }
}
