//! A full syntax check (RFC 8259) in one pass, which tells a [`Visitor`] of every member on its way.
//!
//! Stricter than some parsers in what leads them to disagree: lone surrogates are refused, and nesting is bounded.

use std::ops::Range;

/// How deep arrays and objects may nest.
pub const DEPTH_MAX: usize = 128;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It breaks the grammar; in words.
    Wrong(&'static str),
    /// It ends too early.
    Cut,
    /// It nests deeper than [`DEPTH_MAX`].
    TooDeep,
}

impl Fault {
    /// The fault in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Wrong(words) => words,
            Self::Cut => "the text ends too early",
            Self::TooDeep => "arrays and objects nest deeper than 128",
        }
    }
}

/// A fault and the offset of the byte where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub fault: Fault,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// Is told of members as the check passes them.
pub trait Visitor {
    /// A member of an object at `depth` (1 is the outermost), with its name as written and the text from its value on.
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]);
}

impl Visitor for () {
    fn member(&mut self, _: usize, _: &[u8], _: &[u8]) {}
}

/// Checks a whole text.
///
/// # Errors
/// The first fault.
pub fn check(bytes: &[u8], visitor: &mut impl Visitor) -> Result<(), SyntaxError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.space();
    scanner.value(0, visitor)?;
    scanner.end()
}

/// The cursor of a check. Callers that want the members of an object one by one drive it themselves.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    disguised: bool,
}

impl<'a> Scanner<'a> {
    /// A cursor at the beginning of a text.
    ///
    /// # Errors
    /// The text is not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(Self::resume(bytes)),
            Err(error) => Err(SyntaxError { fault: Fault::Wrong("not UTF-8"), offset: error.valid_up_to() }),
        }
    }

    /// A cursor in a text that is known to be UTF-8.
    pub(super) const fn resume(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, disguised: false }
    }

    /// Where the cursor stands.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Whether a letter, digit, `_` or `-` was written as `\u....`, which no encoder does: names may then read otherwise than written.
    #[must_use]
    pub const fn disguised(&self) -> bool {
        self.disguised
    }

    /// Skips white space.
    pub fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The byte at the cursor.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes the name of a member and its colon; the cursor then stands at the value. The name is as written, without quotes.
    ///
    /// # Errors
    /// Something else stands there.
    pub fn name(&mut self) -> Result<&'a [u8], SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("expected a member's name in double quotes"));
        }
        let name = self.string()?;
        self.space();
        if !self.take(b':') {
            return Err(self.wrong("expected ':' after a member's name"));
        }
        self.space();
        Ok(name)
    }

    /// Takes a whole value that lies `outer` levels deep, and tells the visitor of the members in it.
    ///
    /// # Errors
    /// The first fault in it.
    pub fn value(&mut self, outer: usize, visitor: &mut impl Visitor) -> Result<Range<usize>, SyntaxError> {
        let start = self.at;
        let mut depth = outer;
        // one bit a level, the innermost lowest: set in an object, clear in an array
        let mut objects: u128 = 0;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return Err(SyntaxError { fault: Fault::TooDeep, offset: self.at });
                    }
                    self.at += 1;
                    self.space();
                    let object = open == b'{';
                    if !self.take(if object { b'}' } else { b']' }) {
                        depth += 1;
                        objects = objects << 1 | u128::from(object);
                        if object {
                            self.told_name(depth, visitor)?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            loop {
                if depth == outer {
                    return Ok(start..self.at);
                }
                self.space();
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.told_name(depth, visitor)?;
                        }
                        break;
                    }
                    Some(b'}') if object => self.at += 1,
                    Some(b']') if !object => self.at += 1,
                    _ => return Err(self.wrong("expected ',' or the end of the array or object")),
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Makes sure that nothing but white space follows.
    ///
    /// # Errors
    /// Something follows.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("something follows after the end")),
        }
    }

    /// The fault of finding something else than expected at the cursor.
    #[must_use]
    pub fn wrong(&self, words: &'static str) -> SyntaxError {
        let fault = if self.at < self.bytes.len() { Fault::Wrong(words) } else { Fault::Cut };
        SyntaxError { fault, offset: self.at }
    }

    fn told_name(&mut self, depth: usize, visitor: &mut impl Visitor) -> Result<(), SyntaxError> {
        let name = self.name()?;
        visitor.member(depth, name, self.rest());
        Ok(())
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes a string; returns what stands between its quotes.
    fn string(&mut self) -> Result<&'a [u8], SyntaxError> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at += plain(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let text = self.bytes.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.wrong("a control character in a string must be escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                match self.code_unit()? {
                    0xD800..0xDC00 => {
                        if self.take(b'\\') && self.take(b'u') && matches!(self.code_unit()?, 0xDC00..0xE000) {
                            Ok(())
                        } else {
                            Err(self.wrong("a surrogate without its other half"))
                        }
                    }
                    0xDC00..0xE000 => Err(self.wrong("a surrogate without its other half")),
                    unit => {
                        let ascii = u8::try_from(unit).unwrap_or_default();
                        self.disguised |= ascii.is_ascii_alphanumeric() || matches!(ascii, b'_' | b'-');
                        Ok(())
                    }
                }
            }
            _ => Err(self.wrong("an unknown escape in a string")),
        }
    }

    fn code_unit(&mut self) -> Result<u32, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.wrong("expected four hexadecimal digits after \\u"));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn scalar(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wrong("expected a value")),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), SyntaxError> {
        for byte in word {
            if !self.take(*byte) {
                return Err(self.wrong("expected true, false, null, a number, a string, an array or an object"));
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong("expected a digit"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

/// How many bytes at the beginning stand for themselves in a string: neither quote nor backslash nor control character.
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(tail.len())
}

/// Sets the highest bit of every byte that is special; above the lowest such byte it may err.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ ONES * b'"' as u64) | zero(word ^ ONES * b'\\' as u64) | control) & HIGH
}
