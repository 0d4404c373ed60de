//! A stream as one JSON array, for clients of Google's API that do not ask for events (recording `12df2eac4e7291e6`).

use crate::dialect::sse::Splitter;
use bytes::{BufMut, Bytes, BytesMut};

/// Makes elements of events.
#[derive(Debug, Default)]
pub(crate) struct Array {
    splitter: Splitter,
    begun: bool,
}

impl Array {
    /// The elements of these events; a line break for those that say nothing, which keeps a client awake.
    pub(crate) fn push(&mut self, events: Bytes) -> Bytes {
        let mut out = BytesMut::with_capacity(events.len());
        self.splitter.push(events);
        while let Ok(Some(event)) = self.splitter.take() {
            if event.is_blank() {
                out.put_slice(b"\n");
                continue;
            }
            out.put_slice(if std::mem::replace(&mut self.begun, true) { b",\r\n" } else { b"[" });
            out.put_slice(event.data.trim_ascii());
        }
        out.freeze()
    }

    /// The end of an array whose elements are all there.
    pub(crate) fn end(self) -> Bytes {
        Bytes::from_static(if self.begun { b"]" } else { b"[]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_elements_however_they_come() {
        let stream = b"data: {\"a\": 1}\r\n\r\n: keep-alive\r\n\r\ndata: {\"b\": [2]}\n\n";
        for size in [1, 7, stream.len()] {
            let mut array = Array::default();
            let mut out = BytesMut::new();
            for chunk in stream.chunks(size) {
                out.extend_from_slice(&array.push(Bytes::copy_from_slice(chunk)));
            }
            out.extend_from_slice(&array.end());
            assert_eq!(out, "[{\"a\": 1}\n,\r\n{\"b\": [2]}]", "{size}");
        }
        assert_eq!(Array::default().end(), "[]");
    }
}
