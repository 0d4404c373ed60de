//! A full syntax check (RFC 8259) in one pass, which tells a [`Visitor`] of every member on its way.
//!
//! Stricter than some parsers in what leads them to disagree: lone surrogates are refused, and nesting is bounded.

use super::string::{Failed, code_point, special_from};
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
            Self::TooDeep => TOO_DEEP,
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

    /// An array or object that is not empty begins at this offset.
    #[inline]
    fn begun(&mut self, _at: usize) {}

    /// The array or object that began last and has not ended yet ends before this offset.
    #[inline]
    fn ended(&mut self, _at: usize) {}
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
#[derive(Clone, Copy, Debug)]
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
    #[inline(always)]
    pub fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The byte at the cursor.
    #[inline(always)]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    #[inline(always)]
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
        self.member_name().map_err(|failed| self.error(failed))
    }

    /// Takes a whole value that lies `outer` levels deep, and tells the visitor of the members in it.
    ///
    /// # Errors
    /// The first fault in it.
    pub fn value(&mut self, outer: usize, visitor: &mut impl Visitor) -> Result<Range<usize>, SyntaxError> {
        let start = self.at;
        // a copy whose address nobody takes lives in registers, which halves the time of a value
        let mut scanner = *self;
        let taken = scanner.nested(outer, visitor);
        *self = scanner;
        taken.map_err(|failed| self.error(failed))?;
        Ok(start..self.at)
    }

    /// Goes on to an offset that does not lie before the cursor.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = at.max(self.at);
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
        self.error(Failed(words))
    }

    /// Where the text is at its end, that is the fault.
    #[cold]
    fn error(&self, Failed(words): Failed) -> SyntaxError {
        let fault = match words {
            TOO_DEEP => Fault::TooDeep,
            _ if self.at >= self.bytes.len() => Fault::Cut,
            words => Fault::Wrong(words),
        };
        SyntaxError { fault, offset: self.at }
    }

    /// The value at the cursor, with all that is nested in it.
    #[inline(always)]
    fn nested(&mut self, outer: usize, visitor: &mut impl Visitor) -> Result<(), Failed> {
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
                        return Err(Failed(TOO_DEEP));
                    }
                    let start = self.at;
                    self.at += 1;
                    self.space();
                    let object = open == b'{';
                    if !self.take(if object { b'}' } else { b']' }) {
                        visitor.begun(start);
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
                    return Ok(());
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
                    _ => return Err(Failed("expected ',' or the end of the array or object")),
                }
                visitor.ended(self.at);
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    #[inline(always)]
    fn told_name(&mut self, depth: usize, visitor: &mut impl Visitor) -> Result<(), Failed> {
        let name = self.member_name()?;
        visitor.member(depth, name, self.bytes.get(self.at..).unwrap_or_default());
        Ok(())
    }

    #[inline(always)]
    fn member_name(&mut self) -> Result<&'a [u8], Failed> {
        if self.peek() != Some(b'"') {
            return Err(Failed("expected a member's name in double quotes"));
        }
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    /// Takes the colon between a name and its value.
    #[inline(always)]
    pub(super) fn colon(&mut self) -> Result<(), Failed> {
        self.space();
        if !self.take(b':') {
            return Err(Failed("expected ':' after a member's name"));
        }
        self.space();
        Ok(())
    }

    /// Takes a string that is written as it reads, without escapes; tells where it lies between its quotes. The cursor stands
    /// at a quote, and stays there before any other string.
    #[inline(always)]
    pub(super) fn plain_string(&mut self) -> Option<Range<usize>> {
        let start = self.at + 1;
        let end = special_from(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(start..end)
    }

    /// Takes a string; returns what stands between its quotes.
    #[inline(always)]
    fn string(&mut self) -> Result<&'a [u8], Failed> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at = special_from(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    let text = self.bytes.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(Failed("a control character in a string must be escaped")),
            }
        }
    }

    #[inline(always)]
    fn escape(&mut self) -> Result<(), Failed> {
        self.at += 1;
        match self.peek() {
            Some(b'u') => self.code_point(),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Failed("an unknown escape in a string")),
        }
    }

    #[inline(always)]
    fn code_point(&mut self) -> Result<(), Failed> {
        let (at, point) = code_point(self.bytes, self.at + 1);
        self.at = at;
        let ascii = u8::try_from(point?).unwrap_or_default();
        self.disguised |= ascii.is_ascii_alphanumeric() || matches!(ascii, b'_' | b'-');
        Ok(())
    }

    #[inline(always)]
    fn scalar(&mut self) -> Result<(), Failed> {
        match self.peek() {
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(Failed("expected a value")),
        }
    }

    #[inline(always)]
    fn word(&mut self, word: &'static [u8]) -> Result<(), Failed> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        for byte in word {
            if !self.take(*byte) {
                return Err(Failed("expected true, false, null, a number, a string, an array or an object"));
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn number(&mut self) -> Result<(), Failed> {
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

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Failed> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(Failed("expected a digit"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

const TOO_DEEP: &str = "arrays and objects nest deeper than 128";

#[cfg(test)]
mod tests;
