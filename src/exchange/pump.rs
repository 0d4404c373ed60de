//! A vendor's stream, event by event: what it means, and what of it goes on to the client.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::usage::Usage;
use crate::dialect::framing::Splitter;
use crate::dialect::seen::{Mark, ReplySeen, StreamSeen};
use crate::dialect::translate::{StreamTranslator, Unsaid};
use crate::exchange::charge::Heard;
use crate::exchange::request::Prepared;
use crate::exchange::server_ids::Claimant;
use bytes::{Bytes, BytesMut};

/// Events that are not JSON and were left out, before the stream is taken for broken.
const MOST_GARBAGE: u32 = 16;

/// Reads a stream and writes what the client gets.
pub(crate) struct Pump {
    splitter: Splitter,
    seen: StreamSeen,
    translator: Option<Box<StreamTranslator>>,
    /// The usage chunk is there because we asked for it, not the client.
    cut_usage: bool,
    garbage: u32,
    heard: Heard,
    claimant: Option<Claimant>,
}

/// What came out of one chunk.
#[derive(Default)]
pub(crate) struct Pumped {
    /// What goes on to the client.
    pub(crate) bytes: Bytes,
    /// Whether content was in it.
    pub(crate) content: bool,
    /// Whether the stream is complete, its terminator included.
    pub(crate) complete: bool,
    /// What broke the stream; the bytes before it stand.
    pub(crate) fault: Option<Failure>,
}

impl Pump {
    pub(crate) fn new(prepared: &Prepared, unsaid: Unsaid) -> Self {
        let profile = &prepared.profile;
        let translator = prepared.translated.then(|| {
            Box::new(StreamTranslator::new(profile, prepared.client, prepared.client_wants_usage).unsaid(unsaid))
        });
        Self {
            splitter: Splitter::new(profile.framing),
            seen: StreamSeen::new(profile),
            translator,
            cut_usage: !prepared.client_wants_usage,
            garbage: 0,
            heard: Heard::default(),
            claimant: prepared.claimant.clone(),
        }
    }

    /// After a whole answer that is told as a stream.
    pub(crate) fn whole(prepared: &Prepared, reply: ReplySeen) -> Self {
        Self { seen: StreamSeen::whole(&prepared.profile, reply), ..Self::new(prepared, Unsaid::default()) }
    }

    /// The vendor's count so far.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.seen.usage()
    }

    /// How much of the answer has come, for a vendor that does not count.
    pub(crate) const fn heard(&self) -> Heard {
        self.heard
    }

    /// Takes in the next chunk.
    pub(crate) fn push(&mut self, chunk: Bytes) -> Pumped {
        self.splitter.push(chunk);
        self.drain()
    }

    /// The vendor's bytes have ended.
    pub(crate) fn end(&mut self) -> Pumped {
        self.splitter.end();
        let mut pumped = self.drain();
        if pumped.complete || pumped.fault.is_some() {
            return pumped;
        }
        match verdict(&self.seen, self.garbage) {
            Err(failure) => pumped.fault = Some(failure),
            Ok(()) => self.complete(&mut pumped),
        }
        pumped
    }

    /// Lets an answer without content pass as it is, after another one was empty too: what came of it, and its end.
    pub(crate) fn end_empty(&mut self, found: Pumped) -> Pumped {
        let mut pumped = Pumped { fault: None, ..found };
        self.complete(&mut pumped);
        pumped
    }

    fn drain(&mut self) -> Pumped {
        let mut pumped = Pumped::default();
        let mut written = BytesMut::new();
        loop {
            let event = match self.splitter.take() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    pumped.fault = Some(Failure::new(FailureKind::Malformed, Phase::Content, error.reason()));
                    break;
                }
            };
            let mark = self.seen.event(&event);
            let keep = match mark {
                Mark::Fault(failure) => {
                    pumped.fault = Some(failure);
                    break;
                }
                Mark::Garbage => {
                    self.garbage += 1;
                    if self.garbage > MOST_GARBAGE {
                        pumped.fault = Some(Failure::new(FailureKind::Malformed, Phase::Content, "not_json"));
                        break;
                    }
                    false
                }
                Mark::Usage => !self.cut_usage,
                Mark::Content => {
                    pumped.content = true;
                    self.heard.event(event.data.len());
                    true
                }
                Mark::Quiet => true,
                Mark::End => {
                    if let Err(failure) = verdict(&self.seen, self.garbage) {
                        if failure.kind == FailureKind::Empty {
                            // should it be let pass all the same, its end belongs to it
                            self.splitter.forward();
                        }
                        pumped.fault = Some(failure);
                        break;
                    }
                    pumped.complete = true;
                    true
                }
            };
            if let Some(claimant) = &mut self.claimant {
                claimant.event(&event.data, matches!(mark, Mark::End));
            }
            match &mut self.translator {
                None if keep => self.splitter.forward(),
                None => {}
                Some(translator) if matches!(mark, Mark::Garbage) => {}
                Some(translator) => {
                    if let Err(failure) = translator.event(&event, &mut written) {
                        pumped.fault = Some(failure);
                        break;
                    }
                }
            }
            if pumped.complete {
                break;
            }
        }
        if pumped.complete
            && let Some(translator) = &mut self.translator
        {
            translator.end(&mut written);
        }
        pumped.bytes = if self.translator.is_some() { written.freeze() } else { gather(&mut self.splitter) };
        pumped
    }

    /// Ends a stream whose finish reason came, but not its terminator: the terminator is then written here.
    fn complete(&mut self, pumped: &mut Pumped) {
        let mut written = BytesMut::from(&pumped.bytes[..]);
        match &mut self.translator {
            Some(translator) => translator.end(&mut written),
            None => written.extend_from_slice(self.seen.missing_terminator()),
        }
        pumped.bytes = written.freeze();
        pumped.complete = true;
    }
}

/// Whether the stream is whole, now that it has ended.
fn verdict(seen: &StreamSeen, garbage: u32) -> Result<(), Failure> {
    seen.finish().map_err(|failure| match failure.kind {
        // what could have been content was no JSON
        FailureKind::Empty if garbage > 0 => Failure::new(FailureKind::Malformed, Phase::Headers, "not_json"),
        _ => failure,
    })
}

/// All forwarded bytes; a single run is not copied.
fn gather(splitter: &mut Splitter) -> Bytes {
    let Some(first) = splitter.forwarded() else { return Bytes::new() };
    let Some(second) = splitter.forwarded() else { return first };
    let mut all = BytesMut::with_capacity(first.len() + second.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&second);
    while let Some(more) = splitter.forwarded() {
        all.extend_from_slice(&more);
    }
    all.freeze()
}
