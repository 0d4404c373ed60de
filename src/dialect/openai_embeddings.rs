//! OpenAI Embeddings, `POST /v1/embeddings`: vectors for texts.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Extra;
use crate::call::embedding::{EmbeddingCall, EmbeddingReply, Encoding, Input};
use crate::call::needs::{Need, Needs};
use crate::call::turn::Foreign;
use crate::call::usage::Usage;
use crate::dialect::Dialect;
use crate::dialect::grammar::{Answer, Embed, Grammar, Request, Translation};
use crate::dialect::honour::{Extras, invalid, own_extras};
use crate::dialect::json::syntax::check;
use crate::dialect::json::value::Value;
use crate::dialect::members::Rule;
use crate::dialect::object::{Known, Object, Text, object, read, read_known};
use crate::dialect::openai_chat::signals;
use crate::dialect::profile::Profile;
use crate::dialect::seen::{Mark, Noted, Told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

const NAME: &str = Dialect::OpenaiEmbeddings.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: MEMBERS, note: |_, _, _, _| {}, exact: |_, _| Needs::NONE, keeps: false },
    answer: Answer {
        excuses: &[],
        glance: |data, _| check(data, &mut ()).is_ok(),
        event: |_, _| Mark::Quiet,
        whole: told,
        terminator: b"",
        ping: b"",
    },
    signals: signals::RULES,
    translation: Translation::Embed(Embed { read_call, write_call, read_reply, write_reply }),
};

const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("input", Rule::Plain),
    ("encoding_format", Rule::Plain),
    ("dimensions", Rule::Plain),
    ("user", Rule::Plain),
];

object! {
    /// What a client asks.
    Wire<'a> {
        model = "model": Option<String>,
        input = "input": Option<&'a RawValue>,
        encoding = "encoding_format": Option<String>,
        dimensions = "dimensions": Option<u64>,
        user = "user": Option<String>,
    }
}

fn read_call(body: &[u8]) -> Result<EmbeddingCall, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: wire, unknown } = serde_json::from_str::<Object<'_, Wire<'_>>>(text).map_err(invalid)?;
    let input = wire.input.ok_or_else(|| invalid("input: missing").param("input"))?;
    let extras = unknown.into_iter().map(|(member, value)| Extra {
        within: "",
        member: member.into_owned(),
        value: Foreign { dialect: NAME, need: Need::UnknownMembers, json: value.into() },
    });
    Ok(EmbeddingCall {
        dialect: NAME,
        model: wire.model.unwrap_or_default(),
        inputs: read_inputs(input)?,
        dimensions: wire.dimensions,
        encoding: match wire.encoding.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(other) => {
                let message = format!("encoding_format: `{other}` is not one of float, base64");
                return Err(invalid(message).param("encoding_format"));
            }
        },
        user: wire.user,
        alone: input.get().starts_with('"'),
        extras: extras.collect(),
        ..EmbeddingCall::default()
    })
}

/// A text, a list of texts, a list of tokens, or a list of such lists.
fn read_inputs(raw: &RawValue) -> Result<Vec<Input>, Rejection> {
    let wrong = |error: serde_json::Error| invalid(format_args!("input: {error}")).param("input");
    let text = raw.get();
    if text.starts_with('"') {
        return Ok(vec![Input::Text(serde_json::from_str(text).map_err(wrong)?)]);
    }
    let list: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
    let of_numbers = |item: &&RawValue| item.get().starts_with(|first: char| first.is_ascii_digit());
    if list.first().is_some_and(of_numbers) {
        return Ok(vec![Input::Tokens(serde_json::from_str(text).map_err(wrong)?)]);
    }
    let read = |item: &RawValue| match item.get() {
        text if text.starts_with('"') => serde_json::from_str(text).map(Input::Text),
        tokens => serde_json::from_str(tokens).map(Input::Tokens),
    };
    list.into_iter().map(read).collect::<Result<_, _>>().map_err(wrong)
}

#[derive(Serialize)]
struct WireOut<'a> {
    model: &'a str,
    input: InputsOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputsOut<'a> {
    One(&'a str),
    Many(Vec<InputOut<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputOut<'a> {
    Text(&'a str),
    Tokens(&'a [u32]),
}

/// What vectors are for, and a document's title, have no word here: they change the vectors, so they are refused.
fn write_call(_: &Profile, call: &EmbeddingCall, model: &str) -> Result<Vec<u8>, Refusal> {
    own_extras(&call.extras, NAME)?;
    if call.task.is_some() {
        return Err(Refusal::Capability("task_type"));
    }
    if call.title.is_some() {
        return Err(Refusal::Capability("title"));
    }
    let inputs = call.inputs.iter().map(|input| match input {
        Input::Text(text) => InputOut::Text(text),
        Input::Tokens(tokens) => InputOut::Tokens(tokens),
    });
    let wire = WireOut {
        model,
        input: match call.inputs.as_slice() {
            [Input::Text(text)] if call.alone => InputsOut::One(text),
            _ => InputsOut::Many(inputs.collect()),
        },
        encoding_format: (call.encoding == Encoding::Base64).then_some("base64"),
        dimensions: call.dimensions,
        user: call.user.as_deref(),
        extras: Extras::within("", &call.extras),
    };
    Ok(serde_json::to_vec(&wire).unwrap_or_default())
}

object! {
    /// The answer.
    Vectors<'a> {
        model = "model": Option<String>,
        data = "data": Option<Vec<Known<Vector<'a>>>>,
        usage = "usage": Option<Known<Counts>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// One vector.
    Vector<'a> { index = "index": Option<usize>, embedding = "embedding": Option<&'a RawValue>, }
}

object! {
    /// What it took.
    Counts { prompt = "prompt_tokens": Option<u64>, }
}

fn read_reply(body: &[u8]) -> Result<EmbeddingReply, Failure> {
    let malformed = || Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect");
    let answer: Vectors<'_> = read_known(body).ok_or_else(malformed)?;
    if answer.error.is_some_and(|error| error.get() != "null") {
        return Err(Failure::new(FailureKind::ServerError, Phase::Headers, "error_inside_200"));
    }
    let mut vectors = Vec::new();
    for (place, Known(vector)) in answer.data.ok_or_else(malformed)?.into_iter().enumerate() {
        let numbers = vector.embedding.and_then(read_vector).ok_or_else(malformed)?;
        vectors.push((vector.index.unwrap_or(place), numbers));
    }
    vectors.sort_by_key(|(index, _)| *index);
    Ok(EmbeddingReply {
        model: answer.model.unwrap_or_default(),
        vectors: vectors.into_iter().map(|(_, numbers)| numbers).collect(),
        input_tokens: answer.usage.and_then(|Known(usage)| usage.prompt),
    })
}

/// Numbers, or the bytes of 32-bit floats in Base64 (recording `cc1b7c021bd6edd8`).
fn read_vector(raw: &RawValue) -> Option<Vec<f32>> {
    if !raw.get().starts_with('"') {
        return serde_json::from_str(raw.get()).ok();
    }
    // some encoders escape slashes
    let Text(text) = read(raw).ok()?;
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    let (floats, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
}

#[derive(Serialize)]
struct VectorsOut<'a> {
    object: &'static str,
    data: Vec<VectorOut<'a>>,
    model: &'a str,
    usage: CountsOut,
}

#[derive(Serialize)]
struct VectorOut<'a> {
    object: &'static str,
    index: usize,
    embedding: NumbersOut<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NumbersOut<'a> {
    Floats(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct CountsOut {
    prompt_tokens: u64,
    total_tokens: u64,
}

fn write_reply(call: &EmbeddingCall, reply: &EmbeddingReply) -> Vec<u8> {
    let written =
        |numbers: &[f32]| BASE64.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>());
    let data = reply.vectors.iter().enumerate().map(|(index, numbers)| VectorOut {
        object: "embedding",
        index,
        embedding: match call.encoding {
            Encoding::Float => NumbersOut::Floats(numbers),
            Encoding::Base64 => NumbersOut::Base64(written(numbers)),
        },
    });
    let tokens = reply.input_tokens.unwrap_or(0);
    let out = VectorsOut {
        object: "list",
        data: data.collect(),
        model: if reply.model.is_empty() { &call.model } else { &reply.model },
        usage: CountsOut { prompt_tokens: tokens, total_tokens: tokens },
    };
    serde_json::to_vec(&out).unwrap_or_default()
}

fn told(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, data, model, usage] = answer.pick(["error", "data", "model", "usage"]);
    if error.is_some() {
        return Told::Error;
    }
    if data.is_none_or(|data| data.elements().next().is_none()) {
        return Told::Nothing;
    }
    noted.text("a vector");
    noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    if let Some(fresh) = usage.and_then(|usage| usage.get("prompt_tokens")?.count()) {
        noted.usage = Some(Usage { fresh, ..Usage::default() });
    }
    Told::Answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile::{GEMINI_EMBED, OPENAI_EMBEDDINGS};
    use crate::dialect::translate::Asked;
    use serde_json::{Value as Tree, json};

    fn asked(request: &Tree) -> Asked {
        Asked::read(Dialect::OpenaiEmbeddings, request.to_string().as_bytes(), "m", false).expect("a valid request")
    }

    #[test]
    fn every_form_of_input_survives_its_own_dialect() {
        for input in [json!("a"), json!(["a"]), json!(["a", "b"]), json!([[1, 2], [3]])] {
            let request = json!({"model": "m", "input": input, "dimensions": 3, "encoding_format": "base64", "user": "u", "x": 1});
            let written = asked(&request).write(&OPENAI_EMBEDDINGS, "m", 1, false).expect("no refusal");
            assert_eq!(serde_json::from_slice::<Tree>(&written).expect("JSON"), request);
        }
    }

    #[test]
    fn what_another_dialect_cannot_say_is_refused_by_name() {
        let check = |request: Tree, expected: &str| {
            let refused = asked(&request).write(&GEMINI_EMBED, "m", 1, false);
            assert_eq!(
                refused.err(),
                Some(Refusal::Capability(match expected {
                    "token_inputs" => "token_inputs",
                    _ => "unknown_members",
                }))
            );
        };
        check(json!({"input": [1, 2]}), "token_inputs");
        check(json!({"input": "a", "x": 1}), "unknown_members");
        assert!(asked(&json!({"input": ["a", "b"]})).write(&GEMINI_EMBED, "m", 1, false).is_ok());
    }

    #[test]
    fn vectors_come_in_the_order_and_form_that_was_asked_for() {
        let answer = json!({"object": "list", "model": "m-1", "usage": {"prompt_tokens": 7, "total_tokens": 7}, "data":
            [{"index": 1, "embedding": [0.5, -2.0]}, {"index": 0, "embedding": "AACAPwAAAAA="}]});
        let reply = read_reply(answer.to_string().as_bytes()).expect("an answer");
        assert_eq!(reply.vectors, [[1.0, 0.0], [0.5, -2.0]]);
        let told = |encoding| {
            let call = EmbeddingCall { encoding, ..EmbeddingCall::default() };
            serde_json::from_slice::<Tree>(&write_reply(&call, &reply)).expect("JSON")
        };
        assert_eq!(told(Encoding::Float)["data"][0]["embedding"], json!([1.0, 0.0]));
        assert_eq!(told(Encoding::Base64)["data"][0]["embedding"], "AACAPwAAAAA=");
        assert_eq!(told(Encoding::Float)["usage"]["total_tokens"], 7);
        for body in ["{}", r#"{"data": [{"embedding": "AAA="}]}"#, r#"{"data": [{"embedding": 5}]}"#] {
            assert!(read_reply(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_wrong_input_is_named() {
        for body in [
            r#"{"model": "m"}"#,
            r#"{"input": 5}"#,
            r#"{"input": ["a", 5]}"#,
            r#"{"input": "a", "encoding_format": "int8"}"#,
        ] {
            assert!(read_call(body.as_bytes()).is_err(), "{body}");
        }
    }
}
