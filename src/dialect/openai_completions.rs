//! OpenAI's legacy Completions, `POST /v1/completions`: a text that the model carries on.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::base::rejection::{Refusal, Rejection};
use crate::call::delta::Delta;
use crate::call::needs::{Need, Needs};
use crate::call::reply::{Finish, Reply};
use crate::call::turn::{Content, Foreign, Role, Turn};
use crate::call::usage::Usage;
use crate::call::{Call, Extra};
use crate::dialect::Dialect;
use crate::dialect::emit::write_event;
use crate::dialect::grammar::{Answer, Generate, Grammar, ReadEvents, Request, Translation, WriteDeltas};
use crate::dialect::honour::{Extras, invalid, own_extras, within};
use crate::dialect::json::syntax::{Visitor, check};
use crate::dialect::json::value::Value;
use crate::dialect::members::Rule;
use crate::dialect::object::{Known, Object, Text, TextOr, object, read_known, said};
use crate::dialect::openai_chat::response::{read_created, read_finish, write_finish};
use crate::dialect::openai_chat::seen::usage;
use crate::dialect::openai_chat::signals;
use crate::dialect::openai_chat::types::{StreamOptions, UsageOut, WireUsage};
use crate::dialect::seen::{Glance, Mark, Noted, Told};
use crate::dialect::sse;
use bytes::{BufMut as _, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;

const NAME: &str = Dialect::OpenaiCompletions.name();

pub(super) const GRAMMAR: Grammar = Grammar {
    request: Request { members: MEMBERS, note: |_, _, _, _| {}, exact: |_, _| Needs::NONE, keeps: false },
    answer: Answer {
        excuses: &["stop", "length", "content_filter"],
        glance: |data, glance| check(data, &mut Look(glance)).is_ok(),
        event: chunk_told,
        whole: told,
        terminator: b"data: [DONE]\n\n",
        ping: b": keep-alive\n\n",
    },
    signals: signals::RULES,
    translation: Translation::Generate(Generate {
        read_call,
        write_call: |_, call, target| write_call(call, target.model, target.include_usage),
        read_reply: |_, body| read_reply(body),
        write_reply: |reply, _| write_reply(reply),
        echo: None,
        reader: |_| Box::new(Reader::default()),
        writer: |include_usage| Box::new(Writer { include_usage, ..Writer::default() }),
    }),
};

const MEMBERS: &[(&str, Rule)] = &[
    ("model", Rule::Model),
    ("prompt", Rule::Plain),
    ("stream", Rule::Stream),
    ("stream_options", Rule::StreamOptions),
    ("max_tokens", Rule::MaxTokens("max_tokens")),
    ("temperature", Rule::NotOne(Need::Temperature)),
    ("top_p", Rule::NotOne(Need::Temperature)),
    ("stop", Rule::Plain),
    ("user", Rule::Plain),
    ("n", Rule::AboveOne(Need::Choices)),
    ("best_of", Rule::AboveOne(Need::Choices)),
    ("seed", Rule::Given(Need::Seed)),
    ("logprobs", Rule::Given(Need::Logprobs)),
    ("logit_bias", Rule::Filled(Need::LogitBias)),
    ("frequency_penalty", Rule::NonZero(Need::Penalties)),
    ("presence_penalty", Rule::NonZero(Need::Penalties)),
    ("echo", Rule::True(Need::Prefill)),
    ("suffix", Rule::Given(Need::Prefill)),
];

object! {
    /// What a client asks.
    Wire<'a> {
        model = "model": Option<String>,
        prompt = "prompt": Option<&'a RawValue>,
        stream = "stream": Option<bool>,
        stream_options = "stream_options": Option<Known<StreamOptions>>,
        max_tokens = "max_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        stop = "stop": TextOr<String>,
        user = "user": Option<String>,
    }
}

/// Only a prompt of one text means the same to a model that is asked in turns.
fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Object { known: wire, unknown } = serde_json::from_str::<Object<'_, Wire<'_>>>(text).map_err(invalid)?;
    let mut extras: Vec<Extra> = unknown.iter().filter_map(|(member, value)| extra(member, value)).collect();
    let prompt = wire.prompt.map_or("\"\"", RawValue::get);
    let mut turns = Vec::new();
    let one = if prompt.starts_with('[') {
        serde_json::from_str::<[String; 1]>(prompt).ok().map(|[text]| text)
    } else {
        Some(serde_json::from_str(prompt).map_err(|error| invalid(format_args!("prompt: {error}")).param("prompt"))?)
    };
    match (one, wire.prompt) {
        (Some(text), _) => turns.push(Turn::new(Role::User, vec![Content::text(text).into()])),
        (None, Some(raw)) => {
            extras.push(Extra { within: "", member: "prompt".to_owned(), value: foreign(Need::TokenInputs, raw) });
        }
        (None, None) => {}
    }
    Ok(Call {
        dialect: NAME,
        model: wire.model.unwrap_or_default(),
        stream: wire.stream.unwrap_or(false),
        include_usage: wire.stream_options.and_then(|Known(options)| options.include_usage).unwrap_or(false),
        turns,
        max_tokens: wire.max_tokens,
        temperature: within("temperature", wire.temperature, 2.0)?,
        top_p: within("top_p", wire.top_p, 1.0)?,
        stop: match wire.stop {
            TextOr::Nothing => Vec::new(),
            TextOr::Text(text) => vec![text],
            TextOr::List(texts) => texts,
        },
        user: wire.user,
        extras,
        ..Call::default()
    })
}

/// A member beyond those that all dialects share, unless its value asks for nothing.
fn extra(member: &str, value: &RawValue) -> Option<Extra> {
    let need = match (member, value.get()) {
        ("n" | "best_of", "1")
        | ("echo", "false")
        | ("suffix", "\"\"")
        | ("logit_bias", "{}")
        | ("presence_penalty" | "frequency_penalty", "0" | "0.0") => return None,
        ("n" | "best_of", _) => Need::Choices,
        ("seed", _) => Need::Seed,
        ("logprobs", _) => Need::Logprobs,
        ("logit_bias", _) => Need::LogitBias,
        ("presence_penalty" | "frequency_penalty", _) => Need::Penalties,
        ("echo" | "suffix", _) => Need::Prefill,
        _ => Need::UnknownMembers,
    };
    Some(Extra { within: "", member: member.to_owned(), value: foreign(need, value) })
}

fn foreign(need: Need, raw: &RawValue) -> Foreign {
    Foreign { dialect: NAME, need, json: raw.into() }
}

#[derive(Serialize)]
struct WireOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptionsOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    extras: Extras<'a>,
}

#[derive(Serialize)]
struct StreamOptionsOut {
    include_usage: bool,
}

/// A conversation cannot be asked here: models of this dialect know no turns.
fn write_call(call: &Call, model: &str, include_usage: bool) -> Result<Vec<u8>, Refusal> {
    if call.dialect != NAME {
        return Err(Refusal::Capability(NAME));
    }
    own_extras(&call.extras, NAME)?;
    let prompt = call.turns.first().and_then(|turn| turn.parts.first()).and_then(|part| match &part.content {
        Content::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let wire = WireOut {
        model,
        prompt,
        stream: call.stream.then_some(true),
        stream_options: (call.stream && include_usage).then_some(StreamOptionsOut { include_usage }),
        max_tokens: call.max_tokens,
        temperature: call.temperature,
        top_p: call.top_p,
        stop: &call.stop,
        user: call.user.as_deref(),
        extras: Extras::within("", &call.extras),
    };
    Ok(serde_json::to_vec(&wire).unwrap_or_default())
}

object! {
    /// A whole answer, or a piece of one.
    Completion<'a> {
        id = "id": Option<Text<'a>>,
        model = "model": Option<Text<'a>>,
        created = "created": Option<f64>,
        choices = "choices": Option<Vec<Known<Choice<'a>>>>,
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

fn read_reply(body: &[u8]) -> Result<Reply, Failure> {
    let failure = |kind, reason| Failure::new(kind, Phase::Headers, reason);
    let answer: Completion<'_> = read_known(body).ok_or_else(|| failure(FailureKind::Malformed, "not_the_dialect"))?;
    if answer.error.is_some_and(|error| error.get() != "null") {
        return Err(failure(FailureKind::ServerError, "error_inside_200"));
    }
    let mut choices = answer.choices.unwrap_or_default().into_iter();
    let (Some(Known(choice)), None) = (choices.next(), choices.next()) else {
        return Err(failure(FailureKind::Malformed, "not_one_choice"));
    };
    Ok(Reply {
        id: said(&answer.id).unwrap_or_default().to_owned(),
        model: said(&answer.model).unwrap_or_default().to_owned(),
        created_s: read_created(answer.created),
        parts: said(&choice.text).map(|text| Content::text(text).into()).into_iter().collect(),
        finish: said(&choice.finish_reason).map_or(Finish::Stop, read_finish),
        usage: answer.usage.as_ref().map(|Known(usage)| Usage::from(usage)),
    })
}

#[derive(Serialize)]
struct CompletionOut<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChoiceOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    text: &'a str,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

/// Thoughts and citations have no place in it; a refusal is what the model says.
fn write_reply(reply: &Reply) -> Vec<u8> {
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

/// Reads a vendor's stream.
#[derive(Debug, Default)]
struct Reader {
    started: bool,
}

impl ReadEvents for Reader {
    fn event(&mut self, event: &sse::Event<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<(), Failure> {
        let phase = if self.started { Phase::Content } else { Phase::Headers };
        let data = event.data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Completion<'_> =
            read_known(data).ok_or_else(|| Failure::new(FailureKind::Malformed, phase, "not_the_dialect"))?;
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return Err(Failure::new(FailureKind::SseError, phase, "error_event"));
        }
        if !self.started {
            self.started = true;
            let (id, model) = (said(&chunk.id).unwrap_or_default(), said(&chunk.model).unwrap_or_default());
            sink(Delta::Start { id, model, created_s: read_created(chunk.created) });
        }
        for Known(choice) in chunk.choices.unwrap_or_default() {
            if choice.index.is_some_and(|index| index != 0) {
                return Err(Failure::new(FailureKind::Malformed, phase, "not_one_choice"));
            }
            if let Some(text) = said(&choice.text) {
                sink(Delta::Text(text));
            }
            if let Some(reason) = said(&choice.finish_reason) {
                sink(Delta::Finish(read_finish(reason)));
            }
        }
        if let Some(Known(usage)) = &chunk.usage {
            sink(Delta::Usage(Usage::from(usage)));
        }
        Ok(())
    }
}

/// Writes the stream that a client reads.
#[derive(Clone, Debug, Default)]
struct Writer {
    include_usage: bool,
    id: String,
    model: String,
    created_s: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl WriteDeltas for Writer {
    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        match delta {
            Delta::Start { id, model, created_s } => {
                (self.id, self.model, self.created_s) = (id.to_owned(), model.to_owned(), created_s);
            }
            Delta::Text(text) | Delta::Refusal(text) => self.chunk(text, None, out),
            Delta::Finish(finish) => self.finish = Some(finish),
            Delta::Usage(usage) => self.usage = Some(usage),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut BytesMut) {
        let finish = self.finish.take().unwrap_or_default();
        self.chunk("", Some(write_finish(&finish, true)), out);
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            self.write(&[], Some(usage.into()), out);
        }
        out.put_slice(b"data: [DONE]\n\n");
    }

    fn twin(&self) -> Box<dyn WriteDeltas> {
        Box::new(self.clone())
    }
}

impl Writer {
    fn chunk(&self, text: &str, finish_reason: Option<&'static str>, out: &mut BytesMut) {
        self.write(&[ChoiceOut { index: 0, text, logprobs: None, finish_reason }], None, out);
    }

    fn write(&self, choices: &[ChoiceOut<'_>], usage: Option<UsageOut>, out: &mut BytesMut) {
        let (id, model, created) = (&self.id, &self.model, self.created_s);
        write_event(None, &CompletionOut { id, object: "text_completion", created, model, choices, usage }, out);
    }
}

/// Glances at members: of the chunk (1), of a choice (3).
struct Look<'a>(&'a mut Glance);

impl Visitor for Look<'_> {
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        let given = !rest.starts_with(b"null");
        match (depth, name) {
            (1, b"error" | b"usage") | (3, b"finish_reason") => self.0.matters |= given,
            (3, b"index") => self.0.matters |= !rest.starts_with(b"0"),
            (3, b"text") => self.0.content |= given && !rest.starts_with(b"\"\""),
            _ => {}
        }
    }
}

fn chunk_told(noted: &mut Noted, chunk: Value<'_>) -> Mark {
    let [listed, model, used] = chunk.pick(["choices", "model", "usage"]);
    note_head(noted, model, used);
    let mut choices = 0;
    for choice in listed.into_iter().flat_map(Value::elements) {
        choices += 1;
        let [index, text, finish] = choice.pick(["index", "text", "finish_reason"]);
        let bit = 1 << index.and_then(Value::count).unwrap_or_default().min(63);
        noted.opened |= bit;
        // a completion may begin with white space, which is all the same its text
        if text.and_then(Value::text).is_some_and(|text| !text.is_empty()) {
            noted.text("text");
        }
        if let Some(reason) = finish.and_then(Value::text).filter(|reason| !reason.is_empty()) {
            noted.finish = Some(reason.into());
            noted.finished |= bit;
        }
    }
    match (noted.bears, choices) {
        (true, _) => Mark::Content,
        (false, 0) if used.is_some() => Mark::Usage,
        (false, _) => Mark::Quiet,
    }
}

fn told(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, choices, model, used] = answer.pick(["error", "choices", "model", "usage"]);
    if error.is_some() {
        return Told::Error;
    }
    let Some(choices) = choices.filter(|choices| choices.is_array()) else { return Told::Nothing };
    note_head(noted, model, used);
    for choice in choices.elements() {
        let [text, finish] = choice.pick(["text", "finish_reason"]);
        noted.text(&text.and_then(Value::text).unwrap_or_default());
        noted.finish = finish.and_then(Value::text).map(Into::into).or_else(|| noted.finish.take());
    }
    Told::Answer
}

fn note_head(noted: &mut Noted, model: Option<Value<'_>>, used: Option<Value<'_>>) {
    if noted.model.is_none() {
        noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    }
    noted.usage = used.and_then(usage).or(noted.usage);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::profile::{ANTHROPIC, OPENAI, OPENAI_COMPLETIONS};
    use crate::dialect::sse::Event;
    use crate::dialect::translate::{StreamTranslator, write_call as write};
    use serde_json::{Value as Tree, json};

    fn read(request: &Tree) -> Call {
        read_call(request.to_string().as_bytes()).expect("a valid request")
    }

    #[test]
    fn a_request_survives_its_own_dialect() {
        for prompt in [json!("Once"), json!([1, 2]), json!(["a", "b"])] {
            let request = json!({"model": "m", "prompt": prompt, "max_tokens": 5, "temperature": 0.5, "top_p": 0.9,
                "stop": ["x"], "user": "u", "echo": true, "logprobs": 2, "stream": true});
            let written = write(&OPENAI_COMPLETIONS, &read(&request), "m", 1, false).expect("no refusal");
            assert_eq!(serde_json::from_slice::<Tree>(&written).expect("JSON"), request);
        }
    }

    #[test]
    fn one_text_is_asked_of_a_chat_model_and_the_rest_refused_by_name() {
        let chat = write(&OPENAI, &read(&json!({"prompt": "Once", "max_tokens": 5, "n": 1})), "m", 1, false);
        let chat: Tree = serde_json::from_slice(&chat.expect("no refusal")).expect("JSON");
        assert_eq!(
            chat,
            json!({"model": "m", "messages": [{"role": "user", "content": "Once"}], "max_completion_tokens": 5})
        );
        for (member, value, need) in [
            ("prompt", json!(["a", "b"]), "token_inputs"),
            ("prompt", json!([1]), "token_inputs"),
            ("suffix", json!("end"), "prefill"),
            ("echo", json!(true), "prefill"),
            ("logprobs", json!(1), "logprobs"),
        ] {
            let mut request = json!({"prompt": "Once"});
            request[member] = value;
            assert_eq!(
                write(&ANTHROPIC, &read(&request), "m", 1, false).err().map(|refusal| format!("{refusal:?}")),
                Some(format!("Capability({need:?})")),
                "{request}"
            );
        }
    }

    #[test]
    fn an_answer_is_told_whole_and_in_pieces() {
        let body = json!({"id": "c", "created": 7, "model": "m", "choices": [{"index": 0, "text": " upon", "finish_reason": "length"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
        let reply = read_reply(body.to_string().as_bytes()).expect("an answer");
        let told: Tree = serde_json::from_slice(&write_reply(&reply)).expect("JSON");
        assert_eq!(
            (&told["choices"][0]["text"], &told["choices"][0]["finish_reason"]),
            (&json!(" upon"), &json!("length"))
        );
        assert_eq!((&told["object"], &told["usage"]["total_tokens"]), (&json!("text_completion"), &json!(3)));
        let (mut translator, mut out) =
            (StreamTranslator::new(&OPENAI, Dialect::OpenaiCompletions, true), BytesMut::new());
        for chunk in [
            json!({"id": "c", "created": 7, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}}]}),
            json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            json!({"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ] {
            translator.event(&Event::parse(format!("data: {chunk}\n\n").as_bytes()), &mut out).expect("a chunk");
        }
        translator.end(&mut out);
        let text = String::from_utf8(out.to_vec()).expect("UTF-8");
        let chunks: Vec<_> = text.split_terminator("\n\n").collect();
        assert_eq!((chunks.len(), chunks.last().copied()), (4, Some("data: [DONE]")), "{text}");
        assert!(chunks[0].contains(r#""text":"a""#) && chunks[1].contains(r#""finish_reason":"stop""#), "{text}");
        assert!(chunks[2].contains(r#""choices":[]"#) && chunks[2].contains(r#""prompt_tokens":1"#), "{text}");
    }
}
