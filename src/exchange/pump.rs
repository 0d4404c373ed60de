//! A vendor's stream, event by event: what it means, and what of it goes on to the client.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::reply::Reply;
use crate::call::usage::Usage;
use crate::dialect::framing::Splitter;
use crate::dialect::seen::{Mark, ReplySeen, StreamSeen};
use crate::dialect::translate::{self, StreamTranslator, Unsaid};
use crate::exchange::charge::Heard;
use crate::exchange::continuation::{Carrier, Told};
use crate::exchange::request::Prepared;
use crate::exchange::server_ids::Claimant;
use bytes::{Bytes, BytesMut};

/// Events that are not JSON and were left out, before the stream is taken for broken.
const MOST_SKIPPED: u32 = 16;

/// Reads a stream and writes what the client gets.
pub(crate) struct Pump {
    splitter: Splitter,
    seen: StreamSeen,
    teller: Teller,
    /// The usage chunk is there because we asked for it, not the client.
    cut_usage: bool,
    heard: Heard,
    claimant: Option<Claimant>,
}

/// How the client is told.
enum Teller {
    /// Events go on as they came.
    Forward,
    /// They are retold in the client's dialect.
    Translate(Box<StreamTranslator>),
    /// They go on in such a way that another deployment can carry the stream on.
    Carry(Box<Carrier>),
}

/// What came out of one chunk.
#[derive(Default)]
pub(crate) struct Pumped {
    /// What goes on to the client.
    pub(crate) bytes: Bytes,
    /// Whether content was in it.
    pub(crate) content: bool,
    /// Whether content was in it that must still prove to be the rest of what the client has.
    pub(crate) waits: bool,
    /// Whether the stream is complete, its terminator included.
    pub(crate) complete: bool,
    /// What broke the stream; the bytes before it stand.
    pub(crate) fault: Option<Failure>,
}

impl Pump {
    pub(crate) fn new(prepared: &Prepared, unsaid: Unsaid) -> Self {
        let profile = &prepared.profile;
        let teller = match &prepared.told {
            Some(told) => Teller::Carry(Box::new(Carrier::new(profile, told, prepared.manner, unsaid))),
            None if prepared.translated => {
                let translator = StreamTranslator::new(profile, prepared.client, prepared.client_wants_usage);
                Teller::Translate(Box::new(translator.unsaid(unsaid)))
            }
            None => Teller::Forward,
        };
        Self {
            splitter: Splitter::new(profile.framing),
            seen: StreamSeen::new(profile),
            teller,
            cut_usage: !prepared.client_wants_usage,
            heard: Heard::default(),
            claimant: prepared.claimant.clone(),
        }
    }

    /// Tells a whole answer as a stream; with the pump after it.
    ///
    /// # Errors
    /// It has no order in the client's dialect, or is not the rest of what the client has.
    pub(crate) fn tell_whole(
        prepared: &Prepared,
        seen: ReplySeen,
        reply: &Reply,
        unsaid: Unsaid,
    ) -> Result<(Self, Bytes), Failure> {
        let echo = unsaid.echo.clone();
        let mut pump = Self { seen: StreamSeen::whole(&prepared.profile, seen), ..Self::new(prepared, unsaid) };
        let first = match &mut pump.teller {
            Teller::Carry(carrier) => {
                let mut written = BytesMut::new();
                carrier.whole(reply, &mut written)?;
                written.freeze()
            }
            Teller::Forward | Teller::Translate(_) => {
                translate::stream_of(prepared.client, reply, prepared.client_wants_usage, &echo)?
            }
        };
        Ok((pump, first))
    }

    /// What the client was told, where another deployment can carry the stream on.
    pub(crate) const fn told(&self) -> Option<&Told> {
        match &self.teller {
            Teller::Carry(carrier) => Some(carrier.told()),
            Teller::Forward | Teller::Translate(_) => None,
        }
    }

    /// Whether something is held back from the client until it is whole.
    pub(crate) const fn holds(&self) -> bool {
        match &self.teller {
            Teller::Carry(carrier) => carrier.holds(),
            Teller::Forward | Teller::Translate(_) => false,
        }
    }

    /// Whether the answer is the client's: it follows nothing, or has joined what went before it.
    const fn joined(&self) -> bool {
        match &self.teller {
            Teller::Carry(carrier) => carrier.joined(),
            Teller::Forward | Teller::Translate(_) => true,
        }
    }

    /// Whether the vendor has told the end of the answer, but for its terminator.
    pub(crate) fn is_finished(&self) -> bool {
        self.seen.finish().is_ok()
    }

    /// The vendor's count so far.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.seen.usage()
    }

    /// Where the answer itself says that it was made.
    pub(crate) fn region(&self) -> Option<&str> {
        self.seen.region()
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
        match verdict(&self.seen, self.heard.skipped()) {
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
        while pumped.fault.is_none() && !pumped.complete {
            match self.next(&mut written, &mut pumped) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => pumped.fault = Some(failure),
            }
        }
        if pumped.complete
            && let Err(failure) = self.end_telling(&mut written)
        {
            (pumped.fault, pumped.complete) = (Some(failure), false);
        }
        pumped.bytes = match self.teller {
            Teller::Forward => gather(&mut self.splitter),
            Teller::Translate(_) | Teller::Carry(_) => written.freeze(),
        };
        pumped
    }

    /// Takes the next event; `false` when there is none.
    fn next(&mut self, written: &mut BytesMut, pumped: &mut Pumped) -> Result<bool, Failure> {
        let taken = self.splitter.take();
        let taken = taken.map_err(|error| Failure::new(FailureKind::Malformed, Phase::Content, error.reason()));
        let Some(event) = taken? else { return Ok(false) };
        let mark = self.seen.event(&event);
        if let Some(claimant) = &mut self.claimant {
            claimant.event(&event.data, matches!(mark, Mark::End));
        }
        let keep = match mark {
            Mark::Fault(failure) => return Err(failure),
            Mark::Garbage => {
                self.heard.skip();
                // it may have been content, and another deployment can say that for certain; behind the end nothing is lost
                let loses = matches!(self.teller, Teller::Carry(_)) && self.seen.has_content() && !self.is_finished();
                if loses || self.heard.skipped() > MOST_SKIPPED {
                    return Err(Failure::new(FailureKind::Malformed, Phase::Content, "not_json"));
                }
                return Ok(true);
            }
            Mark::Usage => !self.cut_usage,
            Mark::Content => {
                pumped.content = true;
                self.heard.event(event.data.len());
                true
            }
            Mark::Quiet => !event.is_hollow(),
            Mark::End => {
                if let Err(failure) = verdict(&self.seen, self.heard.skipped()) {
                    if failure.kind == FailureKind::Empty {
                        // should it be let pass all the same, its end belongs to it
                        self.splitter.forward();
                    }
                    return Err(failure);
                }
                pumped.complete = true;
                true
            }
        };
        match &mut self.teller {
            Teller::Forward if keep => self.splitter.forward(),
            Teller::Forward => {}
            Teller::Translate(translator) => translator.event(&event, written)?,
            Teller::Carry(carrier) => carrier.event(&event, keep, written)?,
        }
        if !self.joined() {
            (pumped.waits, pumped.content) = (pumped.waits | pumped.content, false);
        }
        Ok(true)
    }

    /// The answer is complete.
    fn end_telling(&mut self, written: &mut BytesMut) -> Result<(), Failure> {
        match &mut self.teller {
            Teller::Forward => {}
            Teller::Translate(translator) => translator.end(written),
            Teller::Carry(carrier) => carrier.end(written)?,
        }
        Ok(())
    }

    /// Ends a stream whose finish reason came, but not its terminator: the terminator is then written here.
    fn complete(&mut self, pumped: &mut Pumped) {
        let mut written = BytesMut::from(&pumped.bytes[..]);
        if let Err(failure) = self.end_telling(&mut written) {
            pumped.fault = Some(failure);
            return;
        }
        let as_it_came = match &self.teller {
            Teller::Forward => true,
            Teller::Translate(_) => false,
            Teller::Carry(carrier) => carrier.passes(),
        };
        if as_it_came {
            written.extend_from_slice(self.seen.missing_terminator());
        }
        pumped.bytes = written.freeze();
        pumped.complete = true;
    }
}

/// Whether the stream is whole, now that it has ended.
fn verdict(seen: &StreamSeen, skipped: u32) -> Result<(), Failure> {
    seen.finish().map_err(|failure| match failure.kind {
        // what could have been content was no JSON
        FailureKind::Empty if skipped > 0 => Failure::new(FailureKind::Malformed, Phase::Headers, "not_json"),
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
