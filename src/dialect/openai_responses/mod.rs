//! OpenAI Responses, `POST /v1/responses`, and the vendors that speak it: Azure, xAI, DeepSeek, Bedrock, OpenRouter.

pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod signals;
pub(super) mod stream;
pub(super) mod types;

mod echo;
mod item;
mod namespace;
mod seal;

use super::grammar::{Answer, Generate, Grammar, Request, Translation};
use super::json::syntax::check;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::OpenaiResponses.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: needs::MEMBERS, note: needs::note, exact: needs::exact, keeps: true },
    answer: Answer {
        excuses: seen::EXCUSES,
        glance: |data, glance| check(data, &mut seen::Look(glance)).is_ok(),
        event: seen::event,
        whole: seen::reply,
        // the last event holds the whole answer: nobody but the vendor can write it
        terminator: b"",
        ping: b": keep-alive\n\n",
    },
    signals: signals::RULES,
    translation: Translation::Generate(Generate {
        read_call: request::read::read_call,
        write_call: |_, call, target| request::write::write_call(call, target.model),
        read_reply: |_, body| response::read_reply(body),
        write_reply: response::write_reply,
        echo: Some(echo::of_request),
        reader: |_| Box::new(stream::Reader::default()),
        writer: |_| Box::new(stream::Writer::default()),
    }),
};
