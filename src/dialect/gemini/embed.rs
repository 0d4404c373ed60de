//! Vectors for texts: `POST /v1beta/models/{model}:embedContent` of one, `:batchEmbedContents` of many. Each input names the
//! model once more, so bodies are always written anew.

use super::NAME;
use super::types::Content;
use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Extra;
use crate::call::embedding::{EmbeddingCall, EmbeddingReply, Encoding, Input};
use crate::call::needs::Need;
use crate::call::turn::Foreign;
use crate::dialect::grammar::{Answer, Embed, Grammar, Request, Translation};
use crate::dialect::honour::{Extras, invalid, own_extras, unmet};
use crate::dialect::json::syntax::check;
use crate::dialect::json::value::Value;
use crate::dialect::members::Rule;
use crate::dialect::object::{Known, Object, Text, object, read_known};
use crate::dialect::profile::Profile;
use crate::dialect::seen::{Mark, Noted, Told};
use serde::Serialize;

pub(in crate::dialect) const GRAMMAR: Grammar = Grammar {
    request: Request {
        members: MEMBERS,
        note: |_, _, _, _| {},
        exact: |_, _| crate::call::needs::Needs::NONE,
        keeps: false,
    },
    answer: Answer {
        excuses: &[],
        glance: |data, _| check(data, &mut ()).is_ok(),
        event: |_, _| Mark::Quiet,
        whole: told,
        terminator: b"",
        ping: b"",
    },
    signals: super::signals::RULES,
    translation: Translation::Embed(Embed { read_call, write_call, read_reply, write_reply }),
};

const MEMBERS: &[(&str, Rule)] = &[
    ("content", Rule::Plain),
    ("requests", Rule::Plain),
    ("model", Rule::Plain),
    ("taskType", Rule::Plain),
    ("title", Rule::Plain),
    ("outputDimensionality", Rule::Plain),
    ("task_type", Rule::Plain),
    ("output_dimensionality", Rule::Plain),
];

object! {
    /// One text, or a list of such.
    Wire<'a> {
        requests = "requests": Option<Vec<Object<'a, Wire<'a>>>>,
        model = "model": Option<Text<'a>>,
        content = "content": Option<Known<Content<'a>>>,
        task = "taskType" | "task_type": Option<String>,
        title = "title": Option<String>,
        dimensions = "outputDimensionality" | "output_dimensionality": Option<u64>,
    }
}

fn read_call(body: &[u8]) -> Result<EmbeddingCall, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let mut whole = serde_json::from_str::<Object<'_, Wire<'_>>>(text).map_err(invalid)?;
    let Some(requests) = whole.known.requests.take() else {
        return Ok(EmbeddingCall { alone: true, ..read_one(whole)? });
    };
    let mut requests = requests.into_iter().map(read_one);
    let mut call = requests.next().unwrap_or_else(|| Err(invalid("requests: empty").param("requests")))?;
    for other in requests {
        let mut other = other?;
        call.inputs.append(&mut other.inputs);
        let inputs = std::mem::take(&mut call.inputs);
        if other != call {
            return Err(invalid("requests: they differ in more than their content").param("requests"));
        }
        call.inputs = inputs;
    }
    Ok(call)
}

fn read_one(wire: Object<'_, Wire<'_>>) -> Result<EmbeddingCall, Rejection> {
    let Object { known: wire, unknown } = wire;
    let Known(content) = wire.content.ok_or_else(|| invalid("content: missing").param("content"))?;
    let mut text = String::new();
    for Object { known: part, unknown } in content.parts.0 {
        let only_text = unknown.is_empty() && part.inline_data.or(part.file_data).is_none();
        let Some(Text(more)) = part.text.filter(|_| only_text) else {
            return Err(invalid("content.parts: only texts can be embedded here").param("content"));
        };
        text.push_str(&more);
    }
    let extras = unknown.into_iter().map(|(member, value)| Extra {
        within: "",
        member: member.into_owned(),
        value: Foreign { dialect: NAME, need: Need::UnknownMembers, json: value.into() },
    });
    Ok(EmbeddingCall {
        dialect: NAME,
        inputs: vec![Input::Text(text)],
        dimensions: wire.dimensions,
        encoding: Encoding::Float,
        task: wire.task.map(|task| task.to_ascii_lowercase()),
        title: wire.title,
        extras: extras.collect(),
        ..EmbeddingCall::default()
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    content: ContentOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct ContentOut<'a> {
    parts: [TextOut<'a>; 1],
}

#[derive(Serialize)]
struct TextOut<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct ManyOut<'a> {
    requests: Vec<WireOut<'a>>,
}

/// The Gemini API takes many at once; Vertex AI one, and no model beside the path's.
fn write_call(profile: &Profile, call: &EmbeddingCall, model: &str) -> Result<Vec<u8>, Refusal> {
    own_extras(&call.extras, NAME)?;
    let model = format!("models/{model}");
    let at_vertex = profile.path.contains("{project}");
    let mut requests = Vec::with_capacity(call.inputs.len());
    for input in &call.inputs {
        let Input::Text(text) = input else { return Err(unmet(Need::TokenInputs)) };
        requests.push(WireOut {
            model: (!at_vertex).then_some(&model),
            content: ContentOut { parts: [TextOut { text }] },
            task_type: call.task.as_ref().map(|task| task.to_ascii_uppercase()),
            title: call.title.as_deref(),
            output_dimensionality: call.dimensions,
            extras: Extras::within("", &call.extras),
        });
    }
    let body = match requests.as_slice() {
        [one] if at_vertex => serde_json::to_vec(one),
        _ if at_vertex => return Err(Refusal::Capability("embedding_inputs")),
        _ => serde_json::to_vec(&ManyOut { requests }),
    };
    Ok(body.unwrap_or_default())
}

object! {
    /// One vector, or many.
    Vectors {
        one = "embedding": Option<Known<Vector>>,
        many = "embeddings": Option<Vec<Known<Vector>>>,
        usage = "usageMetadata": Option<Known<Counts>>,
    }
}

object! {
    /// One vector.
    Vector { values = "values": Option<Vec<f32>>, }
}

object! {
    /// What it took.
    Counts { prompt = "promptTokenCount": Option<u64>, }
}

fn read_reply(body: &[u8]) -> Result<EmbeddingReply, Failure> {
    let malformed = || Failure::new(FailureKind::Malformed, Phase::Headers, "not_the_dialect");
    let vectors: Vectors = read_known(body).ok_or_else(malformed)?;
    let list = vectors.many.or(vectors.one.map(|one| vec![one])).ok_or_else(malformed)?;
    let list = list.into_iter().map(|Known(vector)| vector.values);
    Ok(EmbeddingReply {
        model: String::new(),
        vectors: list.collect::<Option<_>>().ok_or_else(malformed)?,
        input_tokens: vectors.usage.and_then(|Known(counts)| counts.prompt),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VectorsOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<VectorOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<VectorOut<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<CountsOut>,
}

#[derive(Serialize)]
struct VectorOut<'a> {
    values: &'a [f32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountsOut {
    prompt_token_count: u64,
}

fn write_reply(call: &EmbeddingCall, reply: &EmbeddingReply) -> Vec<u8> {
    let mut vectors: Vec<VectorOut<'_>> = reply.vectors.iter().map(|values| VectorOut { values }).collect();
    let embedding = if call.alone { vectors.pop() } else { None };
    let out = VectorsOut {
        embeddings: embedding.is_none().then_some(vectors),
        embedding,
        usage_metadata: reply.input_tokens.map(|prompt_token_count| CountsOut { prompt_token_count }),
    };
    serde_json::to_vec(&out).unwrap_or_default()
}

fn told(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, one, many, usage] = answer.pick(["error", "embedding", "embeddings", "usageMetadata"]);
    if error.is_some() {
        return Told::Error;
    }
    if !one.is_some_and(Value::is_object) && many.is_none_or(|many| many.elements().next().is_none()) {
        return Told::Nothing;
    }
    noted.text("a vector");
    if let Some(fresh) = usage.and_then(|usage| usage.get("promptTokenCount")?.count()) {
        noted.usage = Some(crate::call::usage::Usage { fresh, ..Default::default() });
    }
    Told::Answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile::{GEMINI_EMBED, VERTEX_EMBED};
    use serde_json::{Value as Tree, json};

    fn written(profile: &Profile, call: &EmbeddingCall) -> Tree {
        serde_json::from_slice(&write_call(profile, call, "there").expect("no refusal")).expect("JSON")
    }

    #[test]
    fn one_and_many_survive_their_own_dialect() {
        let one =
            json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 3});
        let call = read_call(one.to_string().as_bytes()).expect("a valid request");
        assert_eq!((call.alone, call.task.as_deref()), (true, Some("retrieval_query")));
        assert_eq!(written(&VERTEX_EMBED, &call), one);
        let mut named = one.clone();
        named["model"] = json!("models/there");
        assert_eq!(written(&GEMINI_EMBED, &call), json!({"requests": [named]}));
        let many = json!({"requests": [named, named]});
        let call = read_call(many.to_string().as_bytes()).expect("a valid request");
        assert_eq!((call.alone, call.inputs.len(), written(&GEMINI_EMBED, &call)), (false, 2, many));
        assert!(write_call(&VERTEX_EMBED, &call, "there").is_err());
    }

    #[test]
    fn vectors_are_told_as_they_were_asked_for() {
        let reply = read_reply(br#"{"embeddings": [{"values": [0.020942502, -1]}]}"#).expect("an answer");
        let call = EmbeddingCall { alone: true, ..EmbeddingCall::default() };
        assert_eq!(write_reply(&call, &reply), br#"{"embedding":{"values":[0.020942502,-1.0]}}"#);
        assert_eq!(
            write_reply(&EmbeddingCall::default(), &reply),
            br#"{"embeddings":[{"values":[0.020942502,-1.0]}]}"#
        );
        assert!(read_reply(b"{}").is_err());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for body in [
            r#"{"content": {"parts": [{"inlineData": {}}]}}"#,
            r#"{"requests": []}"#,
            r#"{"requests": [{"content": {"parts": []}}, {"content": {"parts": []}, "title": "t"}]}"#,
            "{}",
        ] {
            assert!(read_call(body.as_bytes()).is_err(), "{body}");
        }
    }
}
