//! Follows a chunked body to its end and refuses what chunk readers disagree on (RFC 9112, 7.1).

/// Bytes that chunk extensions and trailers of one body may have together.
const ASIDE_BYTES: usize = 8 * 1024;

/// Digits of a chunk's size: more than any body that we take, and no overflow.
const SIZE_DIGITS: u8 = 15;

/// Where in a chunked body we are.
#[derive(Debug)]
pub(crate) struct ChunkGuard {
    state: State,
    aside_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// Bytes that are no chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl ChunkGuard {
    pub(crate) const fn new() -> Self {
        Self { state: State::Size { size: 0, digits: 0 }, aside_bytes: 0 }
    }

    /// Whether the body is whole.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Follows `bytes`, the next of the connection, and returns how many of them belong to the body.
    ///
    /// # Errors
    /// [`Malformed`] at the first byte that is wrong.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let State::Data { left } = self.state {
                let rest = (bytes.len() - at) as u64;
                let taken = left.min(rest);
                at += usize::try_from(taken).map_err(|_| Malformed)?;
                self.state = if taken == left { State::DataCr } else { State::Data { left: left - taken } };
                continue;
            }
            if self.state == State::Done {
                break;
            }
            self.state = self.step(*byte)?;
            at += 1;
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        match (self.state, byte) {
            (State::Size { size, digits }, byte) if byte.is_ascii_hexdigit() && digits < SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                Ok(State::Size { size: size * 16 + u64::from(digit), digits: digits + 1 })
            }
            (State::Size { size, digits: 1.. } | State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Size { size, digits: 1.. }, b';') => self.aside(State::Extension { size }),
            (State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => self.aside(State::Extension { size }),
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerStart, b'!'..=b'~') | (State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.aside(State::Trailer)
            }
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            _ => Err(Malformed),
        }
    }

    /// Goes on to `next` if what is neither size nor data has not become too much.
    fn aside(&mut self, next: State) -> Result<State, Malformed> {
        self.aside_bytes += 1;
        if self.aside_bytes > ASIDE_BYTES { Err(Malformed) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `body` after a whole chunked body, or the refusal; the same however it is cut.
    fn check(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        let at_once = {
            let mut guard = ChunkGuard::new();
            guard.advance(body).map(|used| guard.is_done().then(|| &body[used..]))
        };
        for cut in 0..body.len() {
            let mut guard = ChunkGuard::new();
            let in_two = guard.advance(&body[..cut]).and_then(|first| {
                let second = guard.advance(&body[first..])?;
                Ok(guard.is_done().then(|| &body[first + second..]))
            });
            assert_eq!(in_two, at_once, "cut at {cut} of {:?}", String::from_utf8_lossy(body));
        }
        at_once
    }

    #[test]
    fn follows_whole_bodies_to_their_last_byte() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"0\r\n\r\n", b""),
            (b"3\r\nabc\r\n0\r\n\r\nGET", b"GET"),
            (b"A;name=value\r\n0123456789\r\n0\r\n\r\n", b""),
            (b"1\r\n\n\r\n00\r\ntrailer: x\r\n\r\nrest", b"rest"),
            (b"0;x=\"a b\"\r\n\r\n", b""),
        ];
        for (body, left) in cases {
            assert_eq!(check(body), Ok(Some(left)));
        }
        assert_eq!(check(b"5\r\nab"), Ok(None));
    }

    #[test]
    fn f_117_chunk_tricks_are_refused() {
        let cases: [&[u8]; 12] = [
            b"0x3\r\nabc\r\n",
            b"3 \r\nabc\r\n",
            b" 3\r\nabc\r\n",
            b"+3\r\nabc\r\n",
            b"\r\nabc",
            b"3\nabc\r\n",
            b"3;a\nb\r\nabc\r\n",
            b"3;a\rb\r\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"10000000000000003\r\nabc\r\n",
            b"0\r\n folded\r\n\r\n",
        ];
        for body in cases {
            assert_eq!(check(body), Err(Malformed), "{:?}", String::from_utf8_lossy(body));
        }
    }
}
