//! AWS's event stream as bytes (`application/vnd.amazon.eventstream`): where a frame ends, whether it is whole, and what
//! it says. Length, headers and both checksums are read by AWS's own crate
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>).

use crate::dialect::sse::{EVENT_BYTES_MAX, Event};
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::str_bytes::StrBytes;
use bytes::{Buf, Bytes, BytesMut};
use std::borrow::Cow;

/// The media type of such a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The shortest frame: two lengths and two checksums.
const FRAME_BYTES_MIN: usize = 16;
/// The longest frame that is taken: an event with its headers.
const FRAME_BYTES_MAX: usize = EVENT_BYTES_MAX;

/// Why a frame cannot be read. Nothing after it can: where the next begins is not sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It says that it is longer than 1 MiB.
    #[error("a frame of the stream is longer than 1 MiB")]
    TooLong,
    /// A checksum, a length or a header is wrong.
    #[error("a frame of the stream is broken")]
    Broken,
}

impl FrameError {
    /// Our word for it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "event_too_long",
            Self::Broken => "broken_frame",
        }
    }
}

/// Cuts a stream into frames. For each chunk: [`push`](Self::push) it, then [`take`](Self::take) every frame.
#[derive(Debug, Default)]
pub struct Splitter {
    /// What has not been taken yet.
    rest: BytesMut,
    /// The frame last taken.
    frame: Frame,
    /// What made the stream unreadable.
    broken: Option<FrameError>,
}

/// What a frame says.
#[derive(Debug, Default)]
struct Frame {
    name: Name,
    data: Bytes,
    raw: Bytes,
}

/// The name of a frame's event.
#[derive(Debug, Default)]
enum Name {
    #[default]
    None,
    /// As a header has it.
    Told(StrBytes),
    /// Of a frame that is an error without a type.
    Error,
}

impl Name {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::None => b"",
            Self::Told(name) => name.as_bytes(),
            Self::Error => b"unknownException",
        }
    }
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
    }

    /// Whether a frame has begun whose end has not come.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next event, or `None` until more has come. Its name is the event's type, or the exception's; its data is the
    /// payload. A frame that is an error has its message as data.
    ///
    /// # Errors
    /// A frame is too long, or it is not what was sent.
    pub fn take(&mut self) -> Result<Option<Event<'_>>, FrameError> {
        let found = match self.broken {
            Some(error) => Err(error),
            None => self.next(),
        };
        match found {
            Ok(Some(frame)) => self.frame = frame,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.broken = Some(error);
                return Err(error);
            }
        }
        let Frame { name, data, raw } = &self.frame;
        Ok(Some(Event { name: name.bytes(), data: Cow::Borrowed(data), raw }))
    }

    fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.rest.get(..4) else { return Ok(None) };
        let length = usize::try_from(Buf::get_u32(&mut &*length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        if length < FRAME_BYTES_MIN {
            return Err(FrameError::Broken);
        }
        if self.rest.len() < length {
            return Ok(None);
        }
        let raw = self.rest.split_to(length).freeze();
        let message = read_message_from(raw.clone()).map_err(|_| FrameError::Broken)?;
        Ok(Some(Frame::of(&message, raw)))
    }
}

impl Frame {
    fn of(message: &Message, raw: Bytes) -> Self {
        let header = |name: &str| {
            message.headers().iter().find(|header| header.name().as_str() == name).and_then(|header| {
                match header.value() {
                    HeaderValue::String(value) => Some(value.clone()),
                    _ => None,
                }
            })
        };
        let kind = header(":message-type");
        let told = |name: &str| header(name).map_or(Name::Error, Name::Told);
        match kind.as_ref().map_or("event", |kind| kind.as_str()) {
            "event" => Self {
                name: header(":event-type").map_or(Name::None, Name::Told),
                data: message.payload().clone(),
                raw,
            },
            "exception" => Self { name: told(":exception-type"), data: message.payload().clone(), raw },
            _ => {
                let text = header(":error-message");
                let words = serde_json::json!({
                    "type": header(":error-code").as_ref().map_or("", |code| code.as_str()),
                    "message": text.as_ref().map_or("", |text| text.as_str()),
                });
                Self { name: Name::Error, data: words.to_string().into(), raw }
            }
        }
    }
}

/// The frame of an event of JSON, as a vendor writes it. Empty if its name is longer than 32 KiB.
#[must_use]
pub fn event_frame(name: &str, payload: &str) -> Bytes {
    frame("event", ":event-type", name, payload)
}

/// The frame of an exception.
#[must_use]
pub fn exception_frame(name: &str, payload: &str) -> Bytes {
    frame("exception", ":exception-type", name, payload)
}

fn frame(kind: &'static str, named: &'static str, name: &str, payload: &str) -> Bytes {
    let header = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let message = Message::new(Bytes::copy_from_slice(payload.as_bytes()))
        .add_header(header(named, name))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", kind));
    let mut frame = BytesMut::new();
    match write_message_to(&message, &mut frame) {
        Ok(()) => frame.freeze(),
        Err(_) => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every event of a stream in these chunks, as name and data; and how it ended.
    fn run(chunks: &[&[u8]]) -> (Vec<(String, String)>, Result<bool, FrameError>) {
        let mut splitter = Splitter::new();
        let mut told = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            loop {
                match splitter.take() {
                    Ok(Some(event)) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        told.push((text(event.name), text(&event.data)));
                    }
                    Ok(None) => break,
                    Err(error) => return (told, Err(error)),
                }
            }
        }
        (told, Ok(splitter.is_cut()))
    }

    fn stream() -> Vec<u8> {
        [
            event_frame("messageStart", r#"{"role":"assistant","p":"ab"}"#),
            event_frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"é🦀"}}"#),
            event_frame("messageStop", "{}"),
            exception_frame("throttlingException", r#"{"message":"slow"}"#),
        ]
        .concat()
    }

    #[test]
    fn f_045_frames_are_told_alike_wherever_chunks_end() {
        let stream = stream();
        let expected = run(&[&stream]);
        let names: Vec<&str> = expected.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["messageStart", "contentBlockDelta", "messageStop", "throttlingException"]);
        assert_eq!((expected.0[1].1.contains("é🦀"), expected.1), (true, Ok(false)));
        for at in 0..=stream.len() {
            assert_eq!(run(&[&stream[..at], &stream[at..]]), expected, "{at}");
        }
        assert_eq!(run(&stream.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_cut_stream_is_known_as_such() {
        let stream = stream();
        let ends: Vec<usize> = (0..stream.len()).filter(|at| run(&[&stream[..*at]]).1 == Ok(false)).collect();
        assert_eq!(ends.len(), 4, "only between frames nothing is missing: {ends:?}");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let frame = event_frame("messageStart", r#"{"role":"assistant"}"#);
        for bit in 0..frame.len() * 8 {
            let mut broken = frame.to_vec();
            broken[bit / 8] ^= 1 << (bit % 8);
            let (told, ended) = run(&[&broken]);
            assert!(told.is_empty() && ended != Ok(false), "bit {bit}: {told:?}");
        }
    }

    #[test]
    fn f_056_a_frame_is_bounded() {
        let check = |length: u32, expected| assert_eq!(run(&[&length.to_be_bytes()]).1, expected, "{length}");
        check(u32::MAX, Err(FrameError::TooLong));
        check((1 << 20) + 1, Err(FrameError::TooLong));
        check(1 << 20, Ok(true));
        check(15, Err(FrameError::Broken));
        check(0, Err(FrameError::Broken));
    }

    #[test]
    fn an_error_without_a_type_is_an_exception_too() {
        let header = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
        let message = Message::new(Bytes::new())
            .add_header(header(":message-type", "error"))
            .add_header(header(":error-code", "InternalFailure"))
            .add_header(header(":error-message", "oops"));
        let mut frame = BytesMut::new();
        write_message_to(&message, &mut frame).unwrap();
        let (told, _) = run(&[&frame]);
        assert_eq!(
            told,
            [("unknownException".to_owned(), r#"{"type":"InternalFailure","message":"oops"}"#.to_owned())]
        );
    }

    proptest! {
        #[test]
        fn f_075_no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            value: u8,
        ) {
            let _ = run(&[&bytes]);
            let mut stream = stream();
            let place = at.index(stream.len());
            stream[place] = value;
            let _ = run(&[&stream]);
        }
    }
}
