//! Counting a call's tokens, `POST /v1beta/models/{model}:countTokens`: a call, bare or as a member, answered with a number.

use super::request::{read, write};
use super::types;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::dialect::anthropic::count::{counted, prompt_of, read_reply, told};
use crate::dialect::grammar::{Answer, Generate, Grammar, NoStream, Request, Translation};
use crate::dialect::honour::invalid;
use crate::dialect::json::syntax::check;
use crate::dialect::members::Rule;
use crate::dialect::object::{Known, Object, object};
use crate::dialect::profile::Profile;
use crate::dialect::seen::Mark;
use serde_json::json;

pub(in crate::dialect) const GRAMMAR: Grammar = Grammar {
    request: Request { members: MEMBERS, note: |_, _, _, _| {}, exact: super::needs::exact, keeps: false },
    answer: Answer {
        excuses: &[],
        glance: |data, _| check(data, &mut ()).is_ok(),
        event: |_, _| Mark::Quiet,
        whole: |noted, answer| told(noted, answer, "totalTokens"),
        terminator: b"",
        ping: b"",
    },
    signals: super::signals::RULES,
    translation: Translation::Generate(Generate {
        read_call,
        write_call: |profile, call, target| write_call(profile, call, target.model),
        read_reply: |_, body| read_reply(body),
        write_reply: |reply, _| json!({ "totalTokens": counted(reply) }).to_string().into_bytes(),
        echo: None,
        reader: |_| Box::new(NoStream),
        writer: |_| Box::new(NoStream),
    }),
};

/// Nothing in a call that is only counted needs more than a vendor that counts.
const MEMBERS: &[(&str, Rule)] = &[
    ("contents", Rule::Plain),
    ("generateContentRequest", Rule::Plain),
    ("systemInstruction", Rule::Plain),
    ("tools", Rule::Plain),
    ("toolConfig", Rule::Plain),
    ("generationConfig", Rule::Plain),
    ("safetySettings", Rule::Plain),
    ("model", Rule::Plain),
    ("generate_content_request", Rule::Plain),
    ("system_instruction", Rule::Plain),
    ("tool_config", Rule::Plain),
    ("generation_config", Rule::Plain),
];

object! {
    /// A call in a call.
    Wrapped<'a> {
        call = "generateContentRequest" | "generate_content_request": Option<Object<'a, types::Request<'a>>>,
    }
}

fn read_call(body: &[u8]) -> Result<Call, Rejection> {
    let text = std::str::from_utf8(body).map_err(|error| invalid(format_args!("the body is not UTF-8: {error}")))?;
    let Known(Wrapped { call }) = serde_json::from_str::<Known<Wrapped<'_>>>(text).map_err(invalid)?;
    call.map_or_else(|| read::read_call(body), read::read_request)
}

/// The Gemini API wants all but the bare conversation as a member that names the model once more; Vertex AI takes the whole
/// at the top (recordings `34a38444c32042ba`, `fc23b3d8da7b2188`).
fn write_call(profile: &Profile, call: &Call, model: &str) -> Result<Vec<u8>, Refusal> {
    let prompt = prompt_of(call);
    let request = write::write_request(&prompt, model)?;
    if profile.path.contains("{project}") {
        return Ok(serde_json::to_vec(&request).unwrap_or_default());
    }
    let mut inner = serde_json::to_value(&request).unwrap_or_default();
    inner["model"] = format!("models/{model}").into();
    Ok(json!({ "generateContentRequest": inner }).to_string().into_bytes())
}
