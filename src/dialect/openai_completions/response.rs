//! Whole answers: read from a vendor as a [`Reply`]; a [`Reply`], written for a client.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::call::reply::{Finish, Reply};
use crate::call::turn::Content;
use crate::call::usage::Usage;
use crate::dialect::object::{Known, Text, object, read_known, said};
use crate::dialect::openai_chat::response::{read_finish, write_finish};
use crate::dialect::openai_chat::types::usage::{UsageOut, WireUsage};
use crate::dialect::profile::Profile;
use crate::dialect::shapes::{Count, First, unfinished};
use serde::Serialize;
use serde_json::value::RawValue;

object! {
    /// A whole answer, or a piece of one.
    Completion<'a> {
        id = "id": Option<Text<'a>>,
        model = "model": Option<Text<'a>>,
        created = "created": Count,
        choices = "choices": First<Known<Choice<'a>>>,
        usage = "usage": Option<Known<WireUsage>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// One choice of it.
    Choice<'a> {
        index = "index": Option<u64>,
        text = "text": Option<Text<'a>>,
        finish_reason = "finish_reason": Option<Text<'a>>,
    }
}

pub(super) fn read_reply(profile: &Profile, body: &[u8]) -> Result<Reply, Failure> {
    let failure = |kind, reason| Failure::new(kind, Phase::Headers, reason);
    let answer: Completion<'_> = read_known(body).ok_or_else(|| failure(FailureKind::Malformed, "not_the_dialect"))?;
    if answer.error.is_some_and(|error| error.get() != "null") {
        return Err(failure(FailureKind::ServerError, "error_inside_200"));
    }
    let First { one: Some(Known(choice)), more: false } = answer.choices else {
        return Err(failure(FailureKind::Malformed, "not_one_choice"));
    };
    let finish = match said(&choice.finish_reason) {
        Some(reason) => read_finish(reason),
        None if profile.terminator_is_final => Finish::Stop,
        None => return Err(unfinished()),
    };
    Ok(Reply {
        id: said(&answer.id).unwrap_or_default().to_owned(),
        model: said(&answer.model).unwrap_or_default().to_owned(),
        created_s: answer.created.unwrap_or(0),
        parts: said(&choice.text).map(|text| Content::text(text).into()).into_iter().collect(),
        finish,
        usage: answer.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

#[derive(Serialize)]
pub(super) struct CompletionOut<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [ChoiceOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<UsageOut>,
}

#[derive(Serialize)]
pub(super) struct ChoiceOut<'a> {
    pub(super) index: u32,
    pub(super) text: &'a str,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: Option<&'static str>,
}

/// Thoughts and citations have no place in it; a refusal is what the model says.
pub(super) fn write_reply(reply: &Reply) -> Vec<u8> {
    let text: String = reply
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let finish_reason = Some(write_finish(&reply.finish, true));
    let out = CompletionOut {
        id: &reply.id,
        object: "text_completion",
        created: reply.created_s,
        model: &reply.model,
        choices: &[ChoiceOut { index: 0, text: &text, logprobs: None, finish_reason }],
        usage: reply.usage.map(UsageOut::from),
    };
    serde_json::to_vec(&out).unwrap_or_default()
}
