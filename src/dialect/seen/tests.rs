use super::*;
use crate::dialect::profile::{ANTHROPIC, GEMINI, OPENAI};

/// What a mark is, in a word.
fn word(mark: &Mark) -> &'static str {
    match mark {
        Mark::Quiet => "quiet",
        Mark::Content => "content",
        Mark::Usage => "usage",
        Mark::End => "end",
        Mark::Garbage => "garbage",
        Mark::Fault(failure) => failure.kind.class(),
    }
}

fn watch(profile: &'static Profile, events: &[&str]) -> (Vec<&'static str>, StreamSeen) {
    let mut seen = StreamSeen::new(profile);
    let marks = events
        .iter()
        .map(|data| {
            let raw = format!("data: {}\n\n", data.replace('\n', "\ndata:"));
            word(&seen.event(&Event::parse(raw.as_bytes())))
        })
        .collect();
    (marks, seen)
}

fn verdict(seen: &StreamSeen) -> &'static str {
    seen.finish().map_or_else(|failure| failure.kind.class(), |()| "ok")
}

const ROLE: &str = r#"{"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#;
const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#;
const TOOL: &str = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
    "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
const DONE: &str = "[DONE]";

const START: &str = r#"{"type":"message_start","message":{"model":"claude-x","content":[],"stop_reason":null,
    "usage":{"input_tokens":7,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,
    "cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":1},"output_tokens":1}}}"#;
const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const DELTA: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
const PING: &str = r#"{"type": "ping"}"#;
const CALL: &str =
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
const STOPPED: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
const OVER: &str = r#"{"type":"message_stop"}"#;

#[test]
fn an_openai_stream_is_marked() {
    let (marks, seen) = watch(&OPENAI, &[ROLE, TEXT, TEXT, TOOL, STOP, USAGE, DONE, TEXT]);
    assert_eq!(marks, ["quiet", "content", "content", "content", "quiet", "usage", "end", "quiet"]);
    assert_eq!((seen.model(), seen.finish_reason(), verdict(&seen)), (Some("gpt-x"), Some("stop"), "ok"));
    assert_eq!(seen.usage(), Some(Usage { fresh: 6, cached: 4, output: 5, reasoning: 2, ..Usage::default() }));
}

#[test]
fn an_anthropic_stream_is_marked() {
    let (marks, seen) = watch(&ANTHROPIC, &[START, BLOCK, PING, DELTA, DELTA, CALL, STOPPED, OVER]);
    assert_eq!(marks, ["quiet", "quiet", "quiet", "content", "content", "content", "quiet", "end"]);
    assert_eq!((seen.model(), seen.finish_reason(), verdict(&seen)), (Some("claude-x"), Some("end_turn"), "ok"));
    assert_eq!(seen.usage(), Some(Usage { fresh: 7, cached: 3, written: 2, written_1h: 1, output: 9, reasoning: 0 }));
}

#[test]
fn content_begins_with_anything_a_client_would_show() {
    let delta = |members: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{{members}}}}}]}}"#);
    for (members, expected) in [
        (r#""content":" ""#, "quiet"),
        (r#""content":null,"tool_calls":[]"#, "quiet"),
        (r#""reasoning_content":"hm""#, "content"),
        (r#""reasoning":"hm""#, "content"),
        (r#""refusal":"no""#, "content"),
        (r#""content":[{"type":"text","text":"Mistral"}]"#, "content"),
        (r#""function_call":{"name":"f"}"#, "content"),
    ] {
        assert_eq!(watch(&OPENAI, &[&delta(members)]).0, [expected], "{members}");
        // the glance that takes over once content has come agrees, but counts white space as progress
        let later = if members == r#""content":" ""# { "content" } else { expected };
        assert_eq!(watch(&OPENAI, &[TEXT, &delta(members)]).0, ["content", later], "{members}");
    }
}

#[test]
fn f_045_errors_in_the_stream_are_told_by_their_inner_type() {
    for (profile, data, expected) in [
        (&OPENAI, r#"{"error":{"message":"x","type":"server_error","code":null}}"#, "server_error"),
        (&OPENAI, r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, "rate_limited"),
        (
            &OPENAI,
            r#"{"error":{"code":502,"message":"x"},"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#,
            "server_error",
        ),
        (&OPENAI, r#"{"error":{"message":"something new"}}"#, "sse_error"),
        (
            &ANTHROPIC,
            r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}"#,
            "overloaded",
        ),
        (&ANTHROPIC, r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#, "rate_limited"),
        (&ANTHROPIC, r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#, "server_error"),
    ] {
        assert_eq!(watch(profile, &[data]).0, [expected], "{data}");
        let content = if profile.name == "openai" { TEXT } else { DELTA };
        assert_eq!(watch(profile, &[content, data]).0, ["content", expected], "{data}");
    }
    let named = b"event: error\ndata: upstream failed\n\n";
    let mark = StreamSeen::new(&OPENAI).event(&Event::parse(named));
    assert_eq!(word(&mark), "sse_error");
}

#[test]
fn a_stream_is_whole_with_its_finish_reason_alone() {
    let tools = STOP.replace("stop", "tool_calls");
    let two = [TEXT.replace("\"index\":0", "\"index\":1"), STOP.replace("\"index\":0", "\"index\":1")];
    let cases: &[(&str, &'static Profile, &[&str], &str)] = &[
        ("f_047 cut after content", &OPENAI, &[ROLE, TEXT], "truncated"),
        ("f_048 no terminator", &OPENAI, &[ROLE, TEXT, STOP], "ok"),
        ("f_048 no terminator", &ANTHROPIC, &[START, DELTA, STOPPED], "ok"),
        ("f_049 terminator alone", &OPENAI, &[ROLE, TEXT, DONE], "truncated"),
        ("f_049 terminator alone", &ANTHROPIC, &[START, DELTA, OVER], "truncated"),
        ("f_050 cut inside the terminator", &ANTHROPIC, &[DELTA, STOPPED, "{\"type\":\"m"], "ok"),
        ("f_050 cut before the finish reason", &ANTHROPIC, &[DELTA, "{\"type\":\"message_d"], "truncated"),
        ("f_060 nothing at all", &OPENAI, &[DONE], "empty"),
        ("f_060 only white space", &OPENAI, &[ROLE, STOP, DONE], "empty"),
        ("f_060 no block", &ANTHROPIC, &[START, STOPPED, OVER], "empty"),
        ("f_060 a finish reason that explains it", &OPENAI, &[ROLE, &tools, DONE], "ok"),
        ("f_062 cut inside a tool call", &OPENAI, &[ROLE, TOOL], "truncated"),
        ("one of two choices finished", &OPENAI, &[TEXT, &two[0], STOP, DONE], "truncated"),
        ("both choices finished", &OPENAI, &[TEXT, &two[0], &two[1], STOP, DONE], "ok"),
    ];
    for (name, profile, events, expected) in cases {
        assert_eq!(verdict(&watch(profile, events).1), *expected, "{name}");
    }
}

#[test]
fn f_049_a_terminator_is_final_where_the_profile_says_so() {
    static FINAL: Profile = Profile { terminator_is_final: true, ..OPENAI };
    assert_eq!(verdict(&watch(&FINAL, &[ROLE, TEXT, DONE]).1), "ok");
    assert_eq!(verdict(&watch(&FINAL, &[ROLE, TEXT]).1), "truncated");
}

#[test]
fn a_finish_reason_that_tells_of_a_failure_is_no_end() {
    for (reason, expected) in [
        ("error", "server_error"),
        ("network_error", "server_error"),
        ("insufficient_system_resource", "overloaded"),
        ("eos", "quiet"),
    ] {
        let stop = STOP.replace("stop", reason);
        assert_eq!(watch(&OPENAI, &[ROLE, TEXT, &stop]).0.last(), Some(&expected), "{reason}");
        let whole = format!(r#"{{"choices":[{{"message":{{"content":"Hi"}},"finish_reason":"{reason}"}}]}}"#);
        let verdict = reply(&OPENAI, whole.as_bytes()).map_or_else(|failure| failure.kind.class(), |_| "quiet");
        assert_eq!(verdict, expected, "{reason}");
    }
    let gemini = |reason: &str| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"Hi"}}]}},"finishReason":"{reason}"}}]}}"#)
    };
    for (reason, expected) in [("MALFORMED_FUNCTION_CALL", "malformed"), ("OTHER", "content")] {
        assert_eq!(watch(&GEMINI, &[&gemini(reason)]).0, [expected], "{reason}");
    }
}

#[test]
fn f_048_the_terminator_that_is_missing_is_known() {
    for (profile, events) in [(&OPENAI, [ROLE, TEXT, STOP]), (&ANTHROPIC, [START, DELTA, STOPPED])] {
        let (_, mut seen) = watch(profile, &events);
        let missing = seen.missing_terminator();
        assert_eq!(word(&seen.event(&Event::parse(missing))), "end");
        assert_eq!(seen.missing_terminator(), b"");
    }
}

#[test]
fn f_056_invalid_events_are_garbage() {
    for data in ["{\"choices\":", "nonsense", "[1]", "{\"a\":NaN}", "{\"a\":\"\u{7}\"}"] {
        assert_eq!(watch(&OPENAI, &[data]).0, ["garbage"], "{data}");
        assert_eq!(watch(&ANTHROPIC, &[DELTA, data]).0, ["content", "garbage"], "{data}");
    }
    let mark = StreamSeen::new(&OPENAI).event(&Event::parse(b"data: {\"a\":\"\xff\"}\n\n"));
    assert_eq!(word(&mark), "garbage");
}

#[test]
fn usage_follows_each_vendors_arithmetic() {
    for (told, expected) in [
        (r#"{"prompt_tokens":9,"completion_tokens":4}"#, (9, 0, 0, 4, 0)),
        // recording 609ee901abf98e02: reasoning is counted apart
        (
            r#"{"prompt_tokens":401,"completion_tokens":44,"total_tokens":702,"completion_tokens_details":{"reasoning_tokens":257}}"#,
            (401, 0, 0, 301, 257),
        ),
        (
            r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":30}}"#,
            (50, 20, 30, 1, 0),
        ),
        (r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":8}"#, (2, 8, 0, 1, 0)),
        (r#"{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":99}}"#, (0, 1, 0, 1, 0)),
    ] {
        let (fresh, cached, written, output, reasoning) = expected;
        let usage = crate::dialect::openai_chat::seen::usage(Value::new(told.as_bytes()));
        assert_eq!(usage, Some(Usage { fresh, cached, written, output, reasoning, ..Usage::default() }), "{told}");
    }
}

#[test]
fn whole_answers_are_judged() {
    let deep = format!(r#"{{"choices":{}}}"#, "[".repeat(100_000));
    let cases: &[(&str, &Profile, &str, &str)] = &[
        ("text", &OPENAI, r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#, "ok"),
        (
            "refusal",
            &OPENAI,
            r#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#,
            "ok",
        ),
        ("tool call", &OPENAI, r#"{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}"#, "ok"),
        ("f_060 excused", &OPENAI, r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}]}"#, "ok"),
        ("f_060 empty", &OPENAI, r#"{"choices":[{"message":{"content":" \n"},"finish_reason":"stop"}]}"#, "empty"),
        (
            "f_060 only reasoning",
            &OPENAI,
            r#"{"choices":[{"message":{"reasoning":"hm","content":""},"finish_reason":"stop"}]}"#,
            "empty",
        ),
        ("f_060 no choice", &OPENAI, r#"{"choices":[]}"#, "empty"),
        ("f_037 page", &OPENAI, "<html><body>Sign in</body></html>", "malformed"),
        ("f_037 text", &OPENAI, "upstream connect error", "malformed"),
        ("f_038 cut", &OPENAI, r#"{"choices":[{"message":{"content":"Hi"#, "truncated"),
        ("f_039 deep", &OPENAI, &deep, "malformed"),
        ("f_039 surrogate", &OPENAI, r#"{"choices":[{"message":{"content":"\ud800"}}]}"#, "malformed"),
        ("empty body", &OPENAI, " ", "empty"),
        ("another dialect", &OPENAI, r#"{"candidates":[]}"#, "malformed"),
        // recording ea259475aa80a036
        ("error inside 200", &OPENAI, r#"{"error":{"message":"x","code":502}}"#, "server_error"),
        (
            "text",
            &ANTHROPIC,
            r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#,
            "ok",
        ),
        ("f_060 empty", &ANTHROPIC, r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#, "empty"),
        ("refusal", &ANTHROPIC, r#"{"type":"message","content":[],"stop_reason":"refusal"}"#, "ok"),
        ("another dialect", &ANTHROPIC, r#"{"choices":[]}"#, "malformed"),
    ];
    for (name, profile, body, expected) in cases {
        let verdict = reply(profile, body.as_bytes()).map_or_else(|failure| failure.kind.class(), |_| "ok");
        assert_eq!(verdict, *expected, "{name}: {body:.80}");
    }
}

#[test]
fn a_whole_answer_tells_model_usage_and_finish() {
    let body =
        br#"{"type":"message","model":"claude-x","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":1}}"#;
    let seen = reply(&ANTHROPIC, body).unwrap();
    assert_eq!((seen.model.as_deref(), seen.finish.as_deref()), (Some("claude-x"), Some("end_turn")));
    assert_eq!(seen.usage.map(|usage| usage.input()), Some(10));
}
