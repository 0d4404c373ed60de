//! A conversation that moves from vendor to vendor while tools are at work: whose thoughts each next vendor is sent, and that
//! every result finds its call.

use backstay::call::turn::{Content, Part};
use backstay::dialect::profile::clouds::BEDROCK;
use backstay::dialect::profile::{ANTHROPIC, GEMINI, OPENAI, OPENAI_RESPONSES, Profile};
use backstay::dialect::scan::scan;
use backstay::dialect::translate::{self, Asked};
use backstay::dialect::{Dialect, splice};
use bytes::Bytes;
use serde_json::{Value, json};

/// What the paper says before this table.
pub(super) const MARK: &str = "<!-- whose thoughts go where: kept by the tests -->\n";

/// Part of every seal.
const SEAL: &str = "c2VhbGVk";
const TOOLS: [&str; 2] = ["weather", "clock"];

/// Who answered first, and who is asked next.
struct Vendor {
    name: &'static str,
    profile: &'static Profile,
    model: &'static str,
    /// The vendors, this one among them, whose thoughts it takes back.
    takes: &'static [&'static str],
    answer: fn() -> Value,
}

const CLAUDES: &[&str] = &["Claude at Anthropic", "Claude at Bedrock"];

const VENDORS: [Vendor; 6] = [
    Vendor {
        name: "Claude at Anthropic",
        profile: &ANTHROPIC,
        model: "claude-sonnet-4-5",
        takes: CLAUDES,
        answer: claudes,
    },
    Vendor {
        name: "Claude at Bedrock",
        profile: &BEDROCK,
        model: "eu.anthropic.claude-sonnet-4-5",
        takes: CLAUDES,
        answer: bedrocks,
    },
    Vendor { name: "others at Bedrock", profile: &BEDROCK, model: "openai.gpt-oss-120b", takes: &[], answer: bedrocks },
    Vendor { name: "Gemini", profile: &GEMINI, model: "gemini-3-pro", takes: &["Gemini"], answer: geminis },
    Vendor {
        name: "OpenAI Responses",
        profile: &OPENAI_RESPONSES,
        model: "gpt-5.5",
        takes: &["OpenAI Responses"],
        answer: responses,
    },
    Vendor { name: "OpenAI chat", profile: &OPENAI, model: "gpt-5.5", takes: &[], answer: chats },
];

/// Those who seal thoughts, and one who has none but ids that others refuse.
fn speakers() -> impl Iterator<Item = &'static Vendor> {
    VENDORS.iter().filter(|vendor| vendor.name != "others at Bedrock")
}

fn claudes() -> Value {
    let call = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [
        {"type": "thinking", "thinking": "Two tools.", "signature": SEAL},
        {"type": "redacted_thinking", "data": SEAL},
        call("toolu_01A", TOOLS[0], json!({"city": "Oslo"})), call("toolu_01B", TOOLS[1], json!({})),
    ], "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 9}})
}

fn bedrocks() -> Value {
    let call = |id: &str, name: &str, input: Value| json!({"toolUse": {"toolUseId": id, "name": name, "input": input}});
    json!({"output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "Two tools.", "signature": SEAL}}},
        call("tooluse_01A", TOOLS[0], json!({"city": "Oslo"})), call("tooluse_01B", TOOLS[1], json!({})),
    ]}}, "stopReason": "tool_use", "usage": {"inputTokens": 9, "outputTokens": 9, "totalTokens": 18}})
}

fn geminis() -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Two tools.", "thought": true},
        {"functionCall": {"name": TOOLS[0], "args": {"city": "Oslo"}}, "thoughtSignature": SEAL},
        {"functionCall": {"name": TOOLS[1], "args": {}}},
    ]}, "finishReason": "STOP", "index": 0}], "modelVersion": "gemini-3-pro", "responseId": "2kYhaZ_HHqGmnsEPz6K86QY2kYhaZ",
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18}})
}

fn responses() -> Value {
    let call = |id: &str, name: &str, arguments: &str| {
        json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments,
               "status": "completed"})
    };
    json!({"id": "resp_1", "object": "response", "created_at": 7, "status": "completed", "model": "gpt-5.5", "error": null,
        "incomplete_details": null, "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Two tools."}],
             "encrypted_content": SEAL},
            call("call_1", TOOLS[0], r#"{"city":"Oslo"}"#), call("call_2", TOOLS[1], "{}"),
        ], "usage": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18}})
}

/// Ids as Kimi gives them, which others refuse.
fn chats() -> Value {
    let call = |place: usize, arguments: &str| {
        json!({"id": format!("functions.{}:{place}", TOOLS[place]), "type": "function",
               "function": {"name": TOOLS[place], "arguments": arguments}})
    };
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "kimi", "choices": [{
        "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "reasoning_content": "Two tools.", "tool_calls": [call(0, r#"{"city":"Oslo"}"#), call(1, "{}")]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}})
}

/// What a client of `dialect` asks after it ran the tools that `answer` called: its question, the answer as it was told, and
/// the results.
fn history(dialect: Dialect, answer: &Value) -> Value {
    let question = json!({"role": "user", "content": "How warm is it in Oslo, and what time is it?"});
    match dialect {
        Dialect::Anthropic => {
            let results = ids(&answer["content"], "tool_use", "id")
                .map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": "done"}));
            let turn = json!({"role": "user", "content": results.collect::<Vec<_>>()});
            json!({"model": "m", "max_tokens": 4000,
                   "messages": [question, {"role": "assistant", "content": answer["content"]}, turn]})
        }
        Dialect::OpenaiResponses => {
            let output = answer["output"].as_array().expect("items");
            let results = ids(&answer["output"], "function_call", "call_id")
                .map(|id| json!({"type": "function_call_output", "call_id": id, "output": "done"}));
            let input: Vec<Value> = [question].into_iter().chain(output.iter().cloned()).chain(results).collect();
            json!({"model": "m", "store": false, "input": input, "include": ["reasoning.encrypted_content"]})
        }
        Dialect::Gemini => {
            let said = &answer["candidates"][0]["content"];
            let calls = said["parts"].as_array().expect("parts").iter().map(|part| &part["functionCall"]);
            let result = |call: &Value| {
                let mut result = json!({"name": call["name"], "response": {"output": "done"}});
                if call["id"].is_string() {
                    result["id"] = call["id"].clone();
                }
                json!({"functionResponse": result})
            };
            let results: Vec<Value> = calls.filter(|call| call.is_object()).map(result).collect();
            json!({"contents": [{"role": "user", "parts": [{"text": "How warm is it in Oslo?"}]}, said, {"role": "user", "parts": results}]})
        }
        _ => {
            let message = &answer["choices"][0]["message"];
            let calls = message["tool_calls"].as_array().expect("calls").iter();
            let results = calls.map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "done"}));
            let messages: Vec<Value> = [question, message.clone()].into_iter().chain(results).collect();
            json!({"model": "m", "messages": messages})
        }
    }
}

fn ids<'a>(list: &'a Value, kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a Value> {
    list.as_array().expect("a list").iter().filter(move |item| item["type"] == kind).map(move |item| &item[name])
}

fn tools(dialect: Dialect) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    let tool = |name: &str| match dialect {
        Dialect::Anthropic => json!({"name": name, "input_schema": schema}),
        Dialect::OpenaiResponses => json!({"type": "function", "name": name, "parameters": schema}),
        Dialect::Gemini => json!({"functionDeclarations": [{"name": name, "parameters": schema}]}),
        _ => json!({"type": "function", "function": {"name": name, "parameters": schema}}),
    };
    TOOLS.map(tool).into_iter().collect()
}

/// What `next` is asked by a client of `dialect` that `first` answered.
fn asked(dialect: Dialect, first: &Vendor, next: &Vendor) -> Bytes {
    asked_with(dialect, first, next, &Value::Null)
}

/// The same for a call with these members.
fn asked_with(dialect: Dialect, first: &Vendor, next: &Vendor, members: &Value) -> Bytes {
    let answer = (first.answer)().to_string();
    let reply = translate::read_reply(first.profile, answer.as_bytes()).expect("an answer");
    // what a vendor of the client's own dialect says passes as it is
    let told =
        if first.profile.dialect == dialect { Bytes::from(answer) } else { translate::write_reply(dialect, &reply) };
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let mut call = history(dialect, &told);
    call["tools"] = tools(dialect);
    for (name, value) in members.as_object().into_iter().flatten() {
        call[name] = value.clone();
    }
    let body = Bytes::from(call.to_string());
    let scan = scan(dialect, &body).expect("a call");
    if next.profile.dialect == dialect && !scan.translated {
        return splice::splice(&body, &scan, &splice::Edits::default());
    }
    let place = format!("{} from {} to {}", dialect.name(), first.name, next.name);
    if let Some(need) = scan.needs.unmet(next.profile.capabilities) {
        panic!("{place}: refused for {}", need.name());
    }
    let asked = Asked::read(dialect, &body, "m", false).unwrap_or_else(|rejection| panic!("{place}: {rejection:?}"));
    let written = asked.write(next.profile, next.model, 4096, false);
    written.unwrap_or_else(|refusal| panic!("{place}: {refusal:?}"))
}

/// Whether the vendor is sent a seal, in either alphabet or wrapping.
fn holds_seal(body: &Bytes) -> bool {
    memchr::memmem::find(body, SEAL.as_bytes()).is_some()
}

pub(super) fn table() -> String {
    let mut table = String::from("| client | answered first |");
    VENDORS.iter().for_each(|vendor| table += &format!(" then {} |", vendor.name));
    table += "\n| --- | --- |";
    table += &" --- |".repeat(VENDORS.len());
    for client in Dialect::CONVERSING {
        for first in speakers().filter(|first| first.name != "OpenAI chat") {
            table += &format!("\n| `{}` | {} |", client.name(), first.name);
            for next in &VENDORS {
                table += if holds_seal(&asked(client, first, next)) { " kept |" } else { " left out |" };
            }
        }
    }
    table + "\n"
}

#[test]
fn thoughts_go_to_whom_they_mean_something_and_to_nobody_else() {
    for client in Dialect::CONVERSING {
        for first in speakers() {
            for next in &VENDORS {
                let place = format!("{} from {} to {}", client.name(), first.name, next.name);
                let body = asked(client, first, next);
                // this dialect has no place for anybody's seal, so its clients send none
                let kept = client != Dialect::OpenaiChat && next.takes.contains(&first.name);
                assert_eq!(holds_seal(&body), kept, "{place}: {}", String::from_utf8_lossy(&body));
                assert!(memchr::memmem::find(&body, b"backstay:").is_none(), "{place}");
            }
        }
    }
}

#[test]
fn after_a_failover_every_result_finds_its_call_under_an_id_that_the_vendor_takes() {
    for client in Dialect::CONVERSING {
        for (first, next) in speakers().flat_map(|first| VENDORS.iter().map(move |next| (first, next))) {
            let place = format!("{} from {} to {}", client.name(), first.name, next.name);
            let body = asked(client, first, next);
            let call = translate::read_call(next.profile.dialect, &body).expect(&place);
            let parts = || call.turns.iter().flat_map(|turn| &turn.parts);
            let called = |part: &Part| match &part.content {
                Content::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
                _ => None,
            };
            let answered = |part: &Part| match &part.content {
                Content::ToolResult { id, .. } => Some(id.clone()),
                _ => None,
            };
            let calls: Vec<_> = parts().filter_map(called).collect();
            let names: Vec<_> = calls.iter().map(|(_, name)| name.as_str()).collect();
            let results: Vec<_> = parts().filter_map(answered).collect();
            assert_eq!(names, TOOLS, "{place}");
            assert_eq!(calls.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), results, "{place}");
            assert_ne!(results[0], results[1], "{place}");
            // a vendor of the client's own dialect gave the ids itself
            let own = first.profile.dialect == next.profile.dialect;
            let most = match next.profile.dialect {
                Dialect::OpenaiChat => 40,
                Dialect::Gemini => usize::MAX,
                _ => 64,
            };
            let plain = |id: &String| {
                id.len() <= most && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            assert!(own || next.profile.dialect == client || results.iter().all(plain), "{place}: {results:?}");
        }
    }
}

/// Claude thinks on within a turn only where that began with its own thoughts: one that another vendor began is ended without.
#[test]
fn a_turn_that_another_vendor_began_is_ended_without_thinking() {
    let (claude, thinking) = (&VENDORS[0], json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}));
    for first in speakers() {
        let body = asked_with(Dialect::Anthropic, first, claude, &thinking);
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["thinking"].is_object(), claude.takes.contains(&first.name), "{}: {body}", first.name);
    }
}

/// Models that want a seal with the first call of a turn take the conversation on from a vendor that has none.
#[test]
fn gemini_is_told_which_calls_nobody_sealed() {
    let gemini = &VENDORS[3];
    for (client, first) in
        Dialect::CONVERSING.into_iter().flat_map(|client| speakers().map(move |first| (client, first)))
    {
        let body: Value = serde_json::from_slice(&asked(client, first, gemini)).expect("JSON");
        let parts = body["contents"][1]["parts"].as_array().expect("parts").iter();
        let first_call = parts.clone().find(|part| part["functionCall"].is_object()).expect("a call");
        let seal = first_call["thoughtSignature"].as_str().unwrap_or_default();
        let expected = if client != Dialect::OpenaiChat && gemini.takes.contains(&first.name) {
            SEAL
        } else {
            "skip_thought_signature_validator"
        };
        assert_eq!(seal, expected, "{} from {}: {body}", client.name(), first.name);
    }
}
