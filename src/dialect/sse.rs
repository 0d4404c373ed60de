//! Server-sent events as bytes (WHATWG HTML, section 9.2): where one ends, and what it says.
//!
//! An event that lies within one chunk is never copied, and consecutive events that are forwarded leave as one slice.

use bytes::{Buf as _, Bytes, BytesMut};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// The longest event that is taken, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// What may stand before a stream, and belongs to none of its lines.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event is longer than [`EVENT_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than 1 MiB")]
pub struct EventTooLong;

/// One event, or a block of comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field, or empty.
    pub name: &'a [u8],
    /// The `data` field, its lines joined by line feeds; empty for comments and for events without data.
    pub data: Cow<'a, [u8]>,
    /// The event as it came, with the blank line that ends it.
    pub raw: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads the lines of one event.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Self {
        let mut event = Self { name: b"", data: Cow::Borrowed(b""), raw };
        let mut has_data = false;
        let mut rest = raw;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if let Some(value) = field(line, b"data") {
                if has_data {
                    let joined = event.data.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                } else {
                    event.data = Cow::Borrowed(value);
                    has_data = true;
                }
            } else if let Some(value) = field(line, b"event") {
                event.name = value;
            }
        }
        event
    }

    /// Whether it carries no data: comments, keep-alives, blank lines.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.data.is_empty()
    }

    /// Whether it has a `data` field with nothing in it: no event to a browser, and broken JSON to the vendors' SDKs.
    #[must_use]
    pub fn is_hollow(&self) -> bool {
        let mut lines = self.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
        self.is_blank() && lines.any(|line| field(line, b"data").is_some())
    }
}

/// The value of a line that has this field.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Cuts a stream into events.
///
/// For each chunk: [`push`](Self::push) it, take every event with [`take`](Self::take) and say [`forward`](Self::forward) of those that
/// are to go on, then collect their bytes with [`forwarded`](Self::forwarded).
#[derive(Debug, Default)]
pub struct Splitter {
    /// The chunk in hand.
    chunk: Bytes,
    /// Where in it the next event begins.
    start: usize,
    /// The beginning of an event whose end has not come yet.
    begun: BytesMut,
    /// An event that lay in several chunks, put together.
    joined: Bytes,
    /// Where the event last taken lies.
    taken: Taken,
    /// Forwarded bytes of the chunk that have not been collected.
    run: Range<usize>,
    /// Forwarded bytes before those.
    ready: VecDeque<Bytes>,
    lines: Lines,
    /// How much of a byte order mark has come; all of it, as soon as something else has.
    mark: usize,
}

#[derive(Debug, Default)]
enum Taken {
    #[default]
    Nothing,
    InChunk(Range<usize>),
    Joined,
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it the next chunk; the events of the one before must have been taken.
    pub fn push(&mut self, mut chunk: Bytes) {
        while let (Some(expected), Some(byte)) = (BYTE_ORDER_MARK.get(self.mark), chunk.first()) {
            if byte == expected {
                chunk.advance(1);
                self.mark += 1;
            } else {
                self.mark = BYTE_ORDER_MARK.len();
            }
        }
        self.close_run();
        let rest = self.chunk.split_off(self.start.min(self.chunk.len()));
        self.chunk = if rest.is_empty() { chunk } else { [rest, chunk].concat().into() };
        self.start = 0;
        self.run = 0..0;
        self.taken = Taken::Nothing;
    }

    /// Ends the stream: an event that lacks only its blank line is then complete. A caller must not trust a cut one: its data is not valid.
    pub fn end(&mut self) {
        if self.begun.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
            self.close_run();
            let breaks = self.begun.split().freeze();
            self.ready.extend((!breaks.is_empty()).then_some(breaks));
        } else {
            self.push(Bytes::from_static(b"\n\n"));
        }
    }

    /// The next event, or `None` until more has come.
    ///
    /// # Errors
    /// An event is too long.
    pub fn take(&mut self) -> Result<Option<Event<'_>>, EventTooLong> {
        self.taken = Taken::Nothing;
        let rest = self.chunk.get(self.start..).unwrap_or_default();
        let end = self.lines.event_end(rest);
        let length = self.begun.len() + end.unwrap_or(rest.len());
        if length > EVENT_BYTES_MAX {
            return Err(EventTooLong);
        }
        let Some(end) = end else {
            self.begun.extend_from_slice(rest);
            self.start = self.chunk.len();
            return Ok(None);
        };
        let range = self.start..self.start + end;
        self.start = range.end;
        if self.begun.is_empty() {
            self.taken = Taken::InChunk(range.clone());
            return Ok(Some(Event::parse(self.chunk.get(range).unwrap_or_default())));
        }
        self.begun.extend_from_slice(self.chunk.get(range).unwrap_or_default());
        self.joined = self.begun.split().freeze();
        self.taken = Taken::Joined;
        Ok(Some(Event::parse(&self.joined)))
    }

    /// Lets the event last taken go on to the client.
    pub fn forward(&mut self) {
        match std::mem::take(&mut self.taken) {
            Taken::Nothing => {}
            Taken::InChunk(range) => {
                if self.run.end == range.start && !self.run.is_empty() {
                    self.run.end = range.end;
                } else {
                    self.close_run();
                    self.run = range;
                }
            }
            Taken::Joined => {
                self.close_run();
                self.ready.push_back(std::mem::take(&mut self.joined));
            }
        }
    }

    /// Forwarded bytes, in order; `None` when all have been collected.
    pub fn forwarded(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.close_run();
            if self.start == self.chunk.len() {
                // it would keep all that was read with it, for as long as the vendor says nothing
                (self.chunk, self.start, self.taken) = (Bytes::new(), 0, Taken::Nothing);
            }
        }
        self.ready.pop_front()
    }

    fn close_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if !run.is_empty() {
            self.ready.push_back(self.chunk.slice(run));
        }
    }
}

/// Where in its lines a stream stands, so that an event's end is found across chunks.
#[derive(Debug, Default)]
struct Lines {
    /// The line under way has bytes.
    begun: bool,
    /// The last byte was a carriage return, whose line feed may still come.
    after_return: bool,
}

impl Lines {
    /// The offset behind the first blank line.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if std::mem::take(&mut self.after_return) && rest.first() == Some(&b'\n') {
                at += 1;
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.begun = true;
                return None;
            };
            self.after_return = rest.get(end) == Some(&b'\r');
            let blank = end == 0 && !self.begun;
            self.begun = false;
            at += end + 1;
            if blank {
                // the line feed of a blank line's carriage return belongs to it, when it has come already
                if self.after_return && bytes.get(at) == Some(&b'\n') {
                    self.after_return = false;
                    at += 1;
                }
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One event: its name and its data.
    type Told = (String, String);

    /// Runs a stream through a splitter in these chunks; `keep` says which events go on.
    fn run(chunks: &[&[u8]], keep: impl Fn(&Event<'_>) -> bool) -> (Vec<Told>, Vec<Bytes>) {
        let mut splitter = Splitter::new();
        let (mut told, mut forwarded) = (Vec::new(), Vec::new());
        for index in 0..=chunks.len() {
            match chunks.get(index) {
                Some(chunk) => splitter.push(Bytes::copy_from_slice(chunk)),
                None => splitter.end(),
            }
            while let Some(event) = splitter.take().unwrap() {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let kept = keep(&event);
                if !event.is_blank() {
                    told.push((text(event.name), text(&event.data)));
                }
                if kept {
                    splitter.forward();
                }
            }
            forwarded.extend(std::iter::from_fn(|| splitter.forwarded()));
        }
        (told, forwarded)
    }

    const OPENAI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n: keep-alive\n\ndata: {\"b\":\"é🦀\"}\n\ndata: [DONE]\n\n";
    const ANTHROPIC: &str =
        "event: message_start\ndata: {\"type\":\"message_start\"}   \n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
    const CRLF: &str = "data: {\"a\":1}\r\n\r\nevent: x\r\ndata: 2\r\n\r\n";
    const CR: &str = "data: 1\r\revent: x\rdata: 2\r\r";
    const ODD: &str =
        "data:1\n\ndata: 2\nevent: late\nid: 7\nretry: 5\nother\n\n\n\ndata\n\ndata: a\ndata:\ndata:  b\n\n";

    #[test]
    fn events_are_told_by_name_and_data() {
        for (stream, expected) in [
            (
                OPENAI,
                &[("", r#"{"choices":[{"delta":{"content":"a"}}]}"#), ("", "{\"b\":\"é🦀\"}"), ("", "[DONE]")][..],
            ),
            (ANTHROPIC, &[("message_start", "{\"type\":\"message_start\"}   "), ("ping", "{\"type\": \"ping\"}")]),
            (CRLF, &[("", "{\"a\":1}"), ("x", "2")]),
            (CR, &[("", "1"), ("x", "2")]),
            (ODD, &[("", "1"), ("late", "2"), ("", "a\n\n b")]),
            ("data: whole\n\ndata: no blank line", &[("", "whole"), ("", "no blank line")]),
            ("data: whole\n\ndata: one line end\n", &[("", "whole"), ("", "one line end")]),
        ] {
            let expected: Vec<Told> = expected.iter().map(|(name, data)| ((*name).into(), (*data).into())).collect();
            assert_eq!(run(&[stream.as_bytes()], |_| true).0, expected, "{stream:?}");
        }
    }

    #[test]
    fn f_045_where_chunks_are_cut_makes_no_difference() {
        for stream in [OPENAI, ANTHROPIC, CRLF, CR, ODD] {
            let bytes = stream.as_bytes();
            let (expected, _) = run(&[bytes], |_| true);
            let same = |chunks: &[&[u8]]| {
                let (told, forwarded) = run(chunks, |_| true);
                assert_eq!(told, expected, "{chunks:?}");
                assert_eq!(forwarded.concat(), bytes, "{chunks:?}");
            };
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    same(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
                }
            }
            same(&bytes.chunks(1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn f_056_a_byte_order_mark_is_passed_over_wherever_chunks_end() {
        let marked = ["\u{feff}".as_bytes(), OPENAI.as_bytes()].concat();
        let (expected, _) = run(&[OPENAI.as_bytes()], |_| true);
        for at in 0..8 {
            let (first, second) = marked.split_at(at);
            let (told, forwarded) = run(&[first, second], |_| true);
            assert_eq!((told, forwarded.concat().as_slice()), (expected.clone(), OPENAI.as_bytes()), "{at}");
        }
    }

    #[test]
    fn f_056_data_with_nothing_in_it_is_no_comment() {
        for (event, hollow) in
            [("data:\n\n", true), ("event: x\r\ndata\r\n\r\n", true), ("data: 1\n\n", false), (": data:\n\n", false)]
        {
            assert_eq!(Event::parse(event.as_bytes()).is_hollow(), hollow, "{event:?}");
        }
    }

    #[test]
    fn consecutive_events_leave_as_one_slice_of_their_chunk() {
        let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
        let mut splitter = Splitter::new();
        splitter.push(chunk.clone());
        while let Some(event) = splitter.take().unwrap() {
            if &*event.data != b"3" {
                splitter.forward();
            }
        }
        let forwarded: Vec<Bytes> = std::iter::from_fn(|| splitter.forwarded()).collect();
        assert_eq!(forwarded, [&b"data: 1\n\ndata: 2\n\n"[..], b"data: 4\n\n"]);
        assert_eq!(forwarded[0].as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn a_suppressed_event_is_cut_out_wherever_chunks_end() {
        for at in 0..OPENAI.len() {
            let (first, second) = OPENAI.as_bytes().split_at(at);
            let (_, forwarded) = run(&[first, second], |event| !event.data.starts_with(b"{\"b\""));
            assert_eq!(forwarded.concat(), OPENAI.replace("data: {\"b\":\"é🦀\"}\n\n", "").as_bytes(), "{at}");
        }
    }

    #[test]
    fn f_056_an_event_is_bounded() {
        let mut splitter = Splitter::new();
        let piece = Bytes::from(vec![b'x'; EVENT_BYTES_MAX / 4]);
        for _ in 0..4 {
            splitter.push(piece.clone());
            assert_eq!(splitter.take(), Ok(None));
        }
        splitter.push(Bytes::from_static(b"x"));
        assert_eq!(splitter.take(), Err(EventTooLong));

        let mut splitter = Splitter::new();
        splitter.push([vec![b'x'; EVENT_BYTES_MAX], b"\n\n".to_vec()].concat().into());
        assert_eq!(splitter.take(), Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn any_stream_is_told_alike_however_it_is_cut(
            stream in "(data|event|:| |x|\n|\r|\r\n){0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            let (told, forwarded) = run(&chunks, |_| true);
            prop_assert_eq!(told, run(&[bytes], |_| true).0);
            let forwarded = forwarded.concat();
            prop_assert!(forwarded.starts_with(bytes));
            prop_assert!(forwarded[bytes.len()..].iter().all(|byte| *byte == b'\n'));
        }
    }
}
