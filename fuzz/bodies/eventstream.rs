//! AWS frames of any bytes, cut anywhere: nothing panics, where it is cut changes nothing, and what is read is what the
//! bytes say.

use backstay::dialect::eventstream::Splitter;
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::seen::StreamSeen;
use backstay::dialect::translate::StreamReader;

pub(crate) fn run(input: (Vec<u8>, u8)) {
    let (stream, cut) = input;
    assert_eq!(watch(&stream, stream.len().max(1)), watch(&stream, usize::from(cut).max(1)));
}

/// The name and the data of an event.
type Event = (Vec<u8>, Vec<u8>);

/// The events, and whether the stream ended within or after a broken one.
fn watch(stream: &[u8], cut: usize) -> (Vec<Event>, bool) {
    let (mut splitter, mut events) = (Splitter::new(), Vec::new());
    let (mut seen, mut reader) = (StreamSeen::new(&BEDROCK), StreamReader::new(&BEDROCK));
    for chunk in stream.chunks(cut) {
        splitter.push(chunk);
        while let Ok(Some(event)) = splitter.take() {
            seen.event(&event);
            let _ = reader.event(&event, |_| {});
            events.push((event.name.to_vec(), event.data.to_vec()));
        }
    }
    let broken = splitter.take().is_err();
    (events, broken)
}
