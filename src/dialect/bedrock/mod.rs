//! AWS Bedrock's own dialect: `POST /model/{id}/converse` and `/converse-stream`.
//!
//! No client speaks it, only vendors do. Streams come in frames (`dialect/eventstream`), each of which names its event.

pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod stream;
pub(super) mod types;

use super::grammar::{Answer, Generate, Grammar, Request, Translation, WriteDeltas};
use super::json::syntax::check;
use super::members::Hints;
use crate::base::failure::Failure;
use crate::call::delta::Delta;
use crate::call::needs::Needs;
use bytes::BytesMut;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::Bedrock.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: needs::MEMBERS, note: |_: &mut Hints, _, _, _| {}, exact: |_, _| Needs::NONE },
    answer: Answer {
        excuses: seen::EXCUSES,
        glance: |data, glance| check(data, &mut seen::Look(glance)).is_ok(),
        event: seen::event,
        whole: seen::reply,
        terminator: b"",
        ping: b"",
    },
    // exceptions are read by the rows of the vendor, which is the only one that speaks so
    signals: &[],
    translation: Translation::Generate(Generate {
        read_call: request::read::read_call,
        write_call: |_, call, target| request::write::write_call(call, target.model),
        read_reply: |_, body| response::read_reply(body),
        write_reply: response::write_reply,
        reader: |_| Box::new(stream::Reader::default()),
        writer: |_| Box::new(NoClient),
    }),
};

/// Where a writer of streams would be: no client speaks this dialect.
#[derive(Debug)]
struct NoClient;

impl WriteDeltas for NoClient {
    fn delta(&mut self, _: Delta<'_>, _: &mut BytesMut) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: &mut BytesMut) {}
}
