//! OpenAI Chat Completions, `POST /v1/chat/completions`, and the many vendors that speak it.

pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod signals;
pub(super) mod stream;
pub(super) mod think;
pub(super) mod types;

use super::grammar::{Answer, Generate, Grammar, Request, Translation};
use super::json::syntax::check;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::OpenaiChat.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: needs::MEMBERS, note: needs::note, exact: needs::exact, keeps: false },
    answer: Answer {
        excuses: seen::EXCUSES,
        glance: |data, glance| check(data, &mut seen::Look(glance)).is_ok(),
        event: seen::chunk,
        whole: seen::reply,
        terminator: b"data: [DONE]\n\n",
        ping: b": keep-alive\n\n",
    },
    signals: signals::RULES,
    translation: Translation::Generate(Generate {
        read_call: request::read::read_call,
        write_call: request::write::write_call,
        read_reply: response::read_reply,
        write_reply: |reply, _| response::write_reply(reply),
        echo: None,
        reader: |profile| Box::new(stream::Reader::new(profile)),
        writer: |include_usage| Box::new(stream::Writer::new(include_usage)),
    }),
};
