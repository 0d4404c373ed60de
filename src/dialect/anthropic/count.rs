//! Counting a call's tokens, `POST /v1/messages/count_tokens`: a call without its cap, answered with a number.

use super::request::{read, write};
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::Refusal;
use crate::call::reply::Reply;
use crate::call::usage::Usage;
use crate::call::{Call, Sampling};
use crate::dialect::grammar::{Answer, Generate, Grammar, NoStream, Request, Translation};
use crate::dialect::json::syntax::check;
use crate::dialect::json::value::Value;
use crate::dialect::object::{object, read_known};
use crate::dialect::seen::{Mark, Noted, Told};
use serde_json::json;

pub(in crate::dialect) const GRAMMAR: Grammar = Grammar {
    request: Request {
        members: super::needs::MEMBERS,
        note: super::needs::note,
        exact: super::needs::exact,
        keeps: false,
    },
    answer: Answer {
        excuses: &[],
        glance: |data, _| check(data, &mut ()).is_ok(),
        event: |_, _| Mark::Quiet,
        whole: |noted, answer| told(noted, answer, "input_tokens"),
        terminator: b"",
        ping: b"",
    },
    signals: super::signals::RULES,
    translation: Translation::Generate(Generate {
        read_call: read::read_counted,
        write_call: |_, call, target| write_call(call, target.model),
        read_reply: |_, body| read_reply(body),
        write_reply: |reply, _| json!({ "input_tokens": counted(reply) }).to_string().into_bytes(),
        echo: None,
        reader: |_| Box::new(NoStream),
        writer: |_| Box::new(NoStream),
    }),
};

object! {
    /// The answer.
    Counted { tokens = "input_tokens" | "totalTokens": Option<u64>, }
}

/// The vendor takes only what its tokens are counted of.
fn write_call(call: &Call, model: &str) -> Result<Vec<u8>, Refusal> {
    write::write_capped(&prompt_of(call), model, None)
}

/// A call without what is said of its answer alone.
pub(in crate::dialect) fn prompt_of(call: &Call) -> Call {
    Call {
        stream: false,
        max_tokens: None,
        temperature: None,
        top_p: None,
        sampling: Sampling::default(),
        stop: Vec::new(),
        user: None,
        ..call.clone()
    }
}

/// Reads the number, by the name that either dialect has for it.
pub(in crate::dialect) fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let tokens = read_known::<Counted>(body).and_then(|counted| counted.tokens);
    let fresh = tokens.ok_or(Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect"))?;
    Ok(Reply { usage: Some(Usage { fresh, ..Usage::default() }), ..Reply::default() })
}

/// The number.
pub(in crate::dialect) fn counted(reply: &Reply) -> u64 {
    reply.usage.map_or(0, |usage| usage.input())
}

/// Notes a whole answer: a number of this name, or an error. What was counted has not been consumed.
pub(in crate::dialect) fn told(noted: &mut Noted, answer: Value<'_>, name: &str) -> Told {
    if answer.get("error").is_some() {
        return Told::Error;
    }
    if answer.get(name).and_then(Value::count).is_none() {
        return Told::Nothing;
    }
    noted.text("a number");
    Told::Answer
}

#[cfg(test)]
mod tests {
    use crate::dialect::Dialect;
    use crate::dialect::profile::{ANTHROPIC_COUNT, GEMINI_COUNT, Profile};
    use crate::dialect::translate::{Asked, Unsaid};
    use serde_json::{Value, json};

    fn cross(client: Dialect, profile: &Profile, body: &Value) -> Value {
        let asked = Asked::read(client, body.to_string().as_bytes(), "m", false).expect("a valid request");
        serde_json::from_slice(&asked.write(profile, "there", 1000, false).expect("no refusal")).expect("JSON")
    }

    #[test]
    fn calls_are_counted_in_the_other_dialect() {
        let gemini = json!({"generateContentRequest": {"model": "models/there",
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "systemInstruction": {"parts": [{"text": "s"}]}, "generationConfig": {}}});
        let anthropic = json!({"model": "there", "system": "s", "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(cross(Dialect::AnthropicCount, &GEMINI_COUNT, &anthropic), gemini);
        assert_eq!(cross(Dialect::GeminiCount, &ANTHROPIC_COUNT, &gemini), anthropic);
        let bare = json!({"contents": [{"parts": {"text": "hi"}}], "generationConfig": {"temperature": 2}});
        let expected = json!({"model": "there", "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(cross(Dialect::GeminiCount, &ANTHROPIC_COUNT, &bare), expected);
    }

    #[test]
    fn the_number_is_retold() {
        let retold = |client, profile: &Profile, body: &str| {
            let call = br#"{"contents": [{"parts": {"text": "hi"}}]}"#;
            let asked = Asked::read(Dialect::GeminiCount, call, "m", false).expect("a valid request");
            asked
                .retell(profile, client, body.as_bytes(), &Unsaid::default())
                .map(|body| String::from_utf8_lossy(&body).into_owned())
        };
        let gemini = r#"{"totalTokens":8,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]}"#;
        assert_eq!(retold(Dialect::AnthropicCount, &GEMINI_COUNT, gemini).unwrap(), r#"{"input_tokens":8}"#);
        let anthropic = r#"{"input_tokens":8}"#;
        assert_eq!(retold(Dialect::GeminiCount, &ANTHROPIC_COUNT, anthropic).unwrap(), r#"{"totalTokens":8}"#);
        assert!(retold(Dialect::GeminiCount, &ANTHROPIC_COUNT, "{}").is_err());
    }
}
