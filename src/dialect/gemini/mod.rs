//! Google's `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI.

pub(super) mod count;
pub(super) mod embed;
pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod signals;
pub(super) mod stream;
pub(super) mod types;

mod ids;
mod media;
mod openapi;
mod seals;

use super::grammar::{Answer, Generate, Grammar, Request, Translation};
use super::json::syntax::check;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::Gemini.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: needs::MEMBERS, note: needs::note, exact: needs::exact, keeps: false },
    answer: Answer {
        excuses: seen::EXCUSES,
        glance: |data, glance| check(data, &mut seen::Look(glance)).is_ok(),
        event: seen::event,
        whole: seen::reply,
        terminator: b"",
        // Google's Python SDK takes a comment for an answer that is no JSON; blank lines it passes over
        ping: b"\r\n\r\n",
    },
    signals: signals::RULES,
    translation: Translation::Generate(Generate {
        read_call: request::read::read_call,
        write_call: |_, call, target| request::write::write_call(call, target.model),
        read_reply: |_, body| response::read_reply(body),
        write_reply: |reply, _| response::write_reply(reply),
        echo: None,
        reader: |_| Box::new(stream::Reader::default()),
        writer: |_| Box::new(stream::Writer::new()),
    }),
};
