//! What every writer shares: honour a demand or refuse it by name, never drop it.

use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::json::Json;
use crate::call::needs::Need;
use crate::call::seal;
use crate::call::turn::{Content, Foreign, Role};
use crate::call::{Call, Extra, Reasoning, ReasoningMode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// The refusal of a deployment that cannot meet `need`.
pub(crate) const fn unmet(need: Need) -> Refusal {
    Refusal::Capability(need.name())
}

/// What only one dialect knows, for a writer of dialect `name`: as it came, or refused by its need.
pub(crate) fn own<'a>(foreign: &'a Foreign, name: &str) -> Result<&'a Json, Refusal> {
    if foreign.dialect == name { Ok(&foreign.json) } else { Err(unmet(foreign.need)) }
}

/// Refuses members that another dialect than `name` alone knows.
pub(crate) fn own_extras(extras: &[Extra], name: &str) -> Result<(), Refusal> {
    extras.iter().find(|extra| extra.value.dialect != name).map_or(Ok(()), |extra| Err(unmet(extra.value.need)))
}

/// Members that only one dialect knows, to be written beside others with `#[serde(flatten)]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras<'a> {
    extras: &'a [Extra],
    within: &'static str,
}

impl<'a> Extras<'a> {
    /// Those of `extras` that lie in the member `within`, or at the top where it is empty.
    pub(crate) const fn within(within: &'static str, extras: &'a [Extra]) -> Self {
        Self { extras, within }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    fn iter(self) -> impl Iterator<Item = &'a Extra> {
        self.extras.iter().filter(move |extra| extra.within == self.within)
    }
}

impl Serialize for Extras<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for extra in self.iter() {
            map.serialize_entry(&extra.member, &extra.value.json)?;
        }
        map.end()
    }
}

/// The effort in the words of OpenAI's dialects. A budget of tokens becomes the effort that comes nearest; a vendor that
/// leaves the amount to the model thinks as with `high`.
pub(crate) fn effort(reasoning: &Reasoning) -> Option<&str> {
    match (reasoning.mode, reasoning.effort.as_deref()) {
        (ReasoningMode::Off, _) => Some("none"),
        (_, Some(effort)) => Some(effort),
        (ReasoningMode::Budget(..4096), None) => Some("low"),
        (ReasoningMode::Budget(..16_384), None) => Some("medium"),
        (ReasoningMode::Budget(_) | ReasoningMode::Adaptive, None) => Some("high"),
        (ReasoningMode::Unsaid, None) => None,
    }
}

/// Whether Claude can be asked to think now. With a budget it thinks on within a turn only if that began with its own thoughts;
/// a turn that another vendor began, and that waits for the results of its tools, is ended without. Its maker does the same
/// where such thoughts are missing, or answers 400 (`Expected thinking or redacted_thinking, but found tool_use`):
/// <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>.
pub(crate) fn may_think(call: &Call) -> bool {
    let with_budget = call.reasoning.as_ref().is_some_and(|asked| matches!(asked.mode, ReasoningMode::Budget(_)));
    let turn = call.turns.iter().rfind(|turn| turn.role == Role::Assistant);
    let Some(turn) = turn.filter(|_| with_budget) else { return true };
    let calls = turn.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
    let begun = turn.parts.first().is_some_and(|part| match &part.content {
        Content::Thinking { signature: Some(seal), .. } => !seal::is_named(seal),
        content => matches!(content, Content::RedactedThinking(_)),
    });
    begun || !calls
}

/// A parser repeats the value that it cannot take, which may be a whole image.
const MESSAGE_CHARACTERS: usize = 300;

/// The rejection of a body that the client's dialect does not allow; `what` names the member.
pub(crate) fn invalid(what: impl fmt::Display) -> Rejection {
    let mut message = what.to_string();
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARACTERS) {
        message.truncate(end);
        message.push_str(" ...");
    }
    Rejection::new(RejectionCode::InvalidRequest, message)
}

/// A number that the client's dialect allows from 0 to `most`.
pub(crate) fn within(member: &'static str, value: Option<f64>, most: f64) -> Result<Option<f64>, Rejection> {
    match value {
        Some(number) if !(0.0..=most).contains(&number) => {
            Err(invalid(format_args!("{member}: {number} is not between 0 and {most}")).param(member))
        }
        _ => Ok(value),
    }
}

/// Arguments of a tool call as a JSON object. A model may write none at all, which means none are needed, or something
/// that is no JSON object; that is kept whole under one member, so that whoever reads it sees what the model wrote.
pub(crate) fn arguments_object(arguments: &str) -> Json {
    let text = arguments.trim();
    if text.starts_with('{')
        && let Some(json) = Json::parse(text)
    {
        return json;
    }
    let wrapped = if text.is_empty() {
        "{}".to_owned()
    } else {
        serde_json::json!({ "_unparsed_arguments": arguments }).to_string()
    };
    Json::parse(&wrapped).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_kept_whatever_the_model_wrote() {
        let check = |arguments: &str, expected: &str| assert_eq!(arguments_object(arguments).text(), expected);
        check(r#"{"a": 1}"#, r#"{"a": 1}"#);
        check(" {}\n", "{}");
        check("", "{}");
        check(r#"{"a": "#, r#"{"_unparsed_arguments":"{\"a\": "}"#);
        check("[1]", r#"{"_unparsed_arguments":"[1]"}"#);
        check(r#"{"a": 1} and more"#, r#"{"_unparsed_arguments":"{\"a\": 1} and more"}"#);
    }

    #[test]
    fn a_message_repeats_no_whole_image() {
        let message = invalid("é".repeat(10_000)).message;
        assert_eq!(message.chars().count(), MESSAGE_CHARACTERS + 4);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let check = |value: f64, accepted: bool| {
            let told = within("top_p", Some(value), 1.0);
            assert_eq!(told.is_ok(), accepted, "{value}");
            assert!(told.err().is_none_or(|rejection| rejection.param == Some("top_p")), "{value}");
        };
        check(0.0, true);
        check(1.0, true);
        check(1.01, false);
        check(-0.1, false);
        check(f64::NAN, false);
    }
}
