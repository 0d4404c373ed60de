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
    request: Request {
        members: needs::MEMBERS,
        note: |_: &mut Hints, _, _, _| {},
        exact: |_, _| Needs::NONE,
        keeps: false,
    },
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
        write_reply: |reply, _| response::write_reply(reply),
        echo: None,
        reader: |_| Box::new(stream::Reader::default()),
        writer: |_| Box::new(NoClient),
    }),
};

/// Where a writer of streams would be: no client speaks this dialect.
#[derive(Clone, Debug)]
struct NoClient;

impl WriteDeltas for NoClient {
    fn delta(&mut self, _: Delta<'_>, _: &mut BytesMut) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: &mut BytesMut) {}

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::base::failure::Phase;
    use crate::dialect::profile::clouds::BEDROCK;
    use crate::dialect::seen::{self, StreamSeen};
    use crate::dialect::sse::Event;
    use crate::dialect::translate::{self, StreamReader};
    use crate::dialect::{Dialect, signals};
    use proptest::prelude::*;

    /// JSON that looks like this dialect, and like nothing.
    const PIECES: &str = r#"(\{|\}|\[|\]|,|:|"messages"|"content"|"text"|"toolUse"|"toolResult"|"delta"|"output"|"message"|"reasoningContent"|"usage"|"stopReason"|"cachePoint"|"start"|null|1|-1e9|"a"|\PC){0,30}"#;

    /// Everything of the dialect that reads what strangers write.
    fn read(name: &str, text: &str) {
        let data = text.as_bytes();
        let _ = translate::read_call(Dialect::Bedrock, data);
        if let Ok(reply) = translate::read_reply(&BEDROCK, data) {
            for client in Dialect::ALL {
                let _ = translate::write_reply(client, &reply);
            }
        }
        let _ = seen::reply(&BEDROCK, data);
        let event = Event { name: name.as_bytes(), data: data.into(), raw: b"" };
        let _ = StreamReader::new(&BEDROCK).event(&event, |_| {});
        let mut seen = StreamSeen::new(&BEDROCK);
        seen.event(&event);
        let _ = seen.finish();
        let _ = signals::in_event(&BEDROCK, Phase::Content, name.as_bytes(), data);
    }

    proptest! {
        #[test]
        fn f_075_no_json_makes_it_panic(
            name in "messageStart|contentBlockStart|contentBlockDelta|messageStop|metadata|[a-z]{0,9}Exception",
            noise in PIECES,
            place in any::<prop::sample::Index>(),
            byte in "\\PC",
        ) {
            read(&name, &noise);
            let whole = r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}},"delta":{"text":"a","reasoningContent":{"text":"b"},
                "toolUse":{"input":"{}"}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2},"messages":[{"role":"user",
                "content":[{"text":"a"},{"cachePoint":{"type":"default"}},{"toolResult":{"toolUseId":"t","content":[{"json":{}}]}}]}],
                "output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":"t"}}},{"citationsContent":{"content":[]}}]}}}"#;
            let place = whole.floor_char_boundary(place.index(whole.len()));
            read(&name, whole);
            read(&name, &format!("{}{byte}{}", &whole[..place], whole.get(place + 1..).unwrap_or_default()));
        }
    }
}
