//! OpenAI's legacy Completions, `POST /v1/completions`: a text that the model carries on.

mod needs;
mod request;
mod response;
mod seen;
mod stream;

use crate::call::needs::Needs;
use crate::dialect::Dialect;
use crate::dialect::grammar::{Answer, Generate, Grammar, Request, Translation};
use crate::dialect::json::syntax::check;
use crate::dialect::openai_chat::signals;

const NAME: &str = Dialect::OpenaiCompletions.name();

pub(in crate::dialect) const GRAMMAR: Grammar = Grammar {
    request: Request { members: needs::MEMBERS, note: |_, _, _, _| {}, exact: |_, _| Needs::NONE, keeps: false },
    answer: Answer {
        excuses: &["stop", "length", "content_filter"],
        glance: |data, glance| check(data, &mut seen::Look(glance)).is_ok(),
        event: seen::chunk,
        whole: seen::reply,
        terminator: b"data: [DONE]\n\n",
        ping: b": keep-alive\n\n",
    },
    signals: signals::RULES,
    translation: Translation::Generate(Generate {
        read_call: request::read_call,
        write_call: |_, call, target| request::write_call(call, target.model, target.include_usage),
        read_reply: response::read_reply,
        write_reply: |reply, _| response::write_reply(reply),
        echo: None,
        reader: |_| Box::new(stream::Reader::default()),
        writer: |include_usage| Box::new(stream::Writer::new(include_usage)),
    }),
};

#[cfg(test)]
mod tests {
    use super::request::read_call;
    use super::response::{read_reply, write_reply};
    use crate::call::Call;
    use crate::dialect::Dialect;
    use crate::dialect::profile::{ANTHROPIC, OPENAI, OPENAI_COMPLETIONS};
    use crate::dialect::sse::Event;
    use crate::dialect::translate::{StreamTranslator, write_call as write};
    use bytes::BytesMut;
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
        let reply = read_reply(&OPENAI_COMPLETIONS, body.to_string().as_bytes()).expect("an answer");
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
