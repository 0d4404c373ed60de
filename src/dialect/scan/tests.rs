use super::*;
use proptest::prelude::*;

fn needs(dialect: Dialect, members: &str) -> Needs {
    let body = format!(r#"{{"model":"m",{members}}}"#);
    scan(dialect, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}")).needs
}

fn check(dialect: Dialect, cases: &[(&str, &[Need])]) {
    for (members, expected) in cases {
        let expected = expected.iter().fold(Needs::NONE, |needs, need| needs.with(*need));
        assert_eq!(needs(dialect, members), expected, "{members}");
        // names in disguise mean the same
        let disguised = members.replace("_", "\\u005f").replace("\"t", "\"\\u0074");
        assert_eq!(needs(dialect, &disguised), expected, "{disguised}");
    }
}

#[test]
fn what_routing_needs_is_noted() {
    let body = br#" { "messages":[], "mod\u0065l" : "gpt\u002d5" ,"stream":true,
        "stream_options":{"include_usage":true}, "max_tokens":100, "max_completion_tokens":50 } "#;
    let scan = scan(Dialect::OpenaiChat, body).unwrap();
    assert_eq!(
        (scan.model.as_str(), scan.stream, scan.include_usage, scan.max_tokens, scan.input_tokens),
        ("gpt-5", true, true, Some(50), body.len() as u64 / 4)
    );
}

#[test]
fn a_conversation_is_told_by_how_it_begins() {
    let check = |dialect, turns: &str, expected: [&str; 2]| {
        let body = format!(r#"{{"model":"m",{turns},"stream":false}}"#);
        let scan = scan(dialect, body.as_bytes()).unwrap();
        assert_eq!(scan.opening(body.as_bytes()).map(|turn| std::str::from_utf8(turn).unwrap()), expected, "{turns}");
    };
    let (system, user, model) = (
        r#"{"role":"system","content":"s"}"#,
        r#"{"role":"user","content":"u"}"#,
        r#"{"role":"assistant","content":"a"}"#,
    );
    check(Dialect::OpenaiChat, &format!(r#""messages":[{system}, {user}, {model}, {user}]"#), [system, user]);
    check(Dialect::OpenaiChat, &format!(r#""messages":[{user}, {model}]"#), [user, ""]);
    check(Dialect::Anthropic, &format!(r#""system":"s","messages":[{user}]"#), [user, ""]);
    check(Dialect::OpenaiResponses, r#""input":"u""#, [r#""u""#, ""]);
    check(Dialect::OpenaiChat, r#""messages":[]"#, ["", ""]);
}

#[test]
fn null_stands_for_absence() {
    let body = br#"{"model":"m","stream":null,"stream_options":null,"store":null,"max_tokens":null,"tools":null,"n":null,
        "seed":null,"response_format":null,"logit_bias":null,"logprobs":null,"audio":null,"service_tier":null,"extra":null}"#;
    let scan = scan(Dialect::OpenaiChat, body).unwrap();
    assert_eq!((scan.stream, scan.include_usage, scan.max_tokens, scan.needs), (false, false, None, Needs::NONE));
}

#[test]
fn needs_of_openai_chat() {
    let tool =
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"image_url","cache_control":1}}}]"#;
    check(
        Dialect::OpenaiChat,
        &[
            (r#""messages":[{"role":"user","content":"\"type\":\"image_url\""}],"temperature":1"#, &[]),
            (r#""temperature":0.5"#, &[Need::Temperature]),
            (r#""top_p":0.9,"temperature":1.0"#, &[Need::Temperature]),
            (tool, &[Need::Tools]),
            (r#""tools":[],"logit_bias":{},"presence_penalty":0,"frequency_penalty":0.0,"n":1"#, &[]),
            (r#""messages":[{"role":"tool","content":"x","tool_call_id":"c"}]"#, &[Need::Tools]),
            (r#""messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}]"#, &[Need::Tools]),
            (r#""messages":[{"role":"assistant","content":"x","tool_calls":null,"audio":null}]"#, &[]),
            (
                r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]"#,
                &[Need::Images],
            ),
            (
                r#""messages":[{"role":"user","content":[{"type":"input_audio"}]}],"modalities":["text","audio"]"#,
                &[Need::Audio],
            ),
            (
                r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"d"}}]}]"#,
                &[Need::Documents],
            ),
            (
                r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]"#,
                &[Need::Documents, Need::ServerIds],
            ),
            (r#""response_format":{"type":"text"}"#, &[]),
            (r#""response_format":{"type":"json_object"}"#, &[Need::JsonObject]),
            (r#""response_format":{"type":"json_schema","json_schema":{}}"#, &[Need::JsonSchema]),
            (r#""logprobs":true,"top_logprobs":3"#, &[Need::Logprobs]),
            (r#""logprobs":false"#, &[]),
            (r#""n":2,"seed":0"#, &[Need::Choices, Need::Seed]),
            (
                r#""logit_bias":{"1":1},"presence_penalty":-0.5,"top_k":5"#,
                &[Need::LogitBias, Need::Penalties, Need::TopK],
            ),
            (r#""reasoning_effort":"low""#, &[Need::Reasoning]),
            (r#""reasoning_effort":"none""#, &[]),
            (r#""store":true"#, &[Need::Stores]),
            (r#""store":false"#, &[]),
            (r#""web_search_options":{}"#, &[Need::HostedTools]),
            (r#""tools":[{"type":"mcp","server_url":"u"}]"#, &[Need::Tools, Need::HostedTools]),
            (r#""prediction":{"type":"content"},"service_tier":"flex""#, &[Need::Prediction, Need::ServiceTier]),
            (r#""service_tier":"auto""#, &[]),
            (r#""messages":[{"role":"user","content":[{"type":"text","cache_control":{}}]}]"#, &[Need::CacheControl]),
            (r#""provider":{"order":[]}"#, &[Need::UnknownMembers]),
        ],
    );
}

#[test]
fn needs_of_anthropic() {
    let lookalike = r#""messages":[{"role":"user","content":[{"type":"tool_use","input":
        {"file_id":"x","cache_control":1,"source":{"file_id":"y"},"list":[{"type":"image","cache_control":{}}]}}]}]"#;
    check(
        Dialect::Anthropic,
        &[
            (r#""messages":[{"role":"user","content":"x"}],"max_tokens":5,"system":"s""#, &[]),
            (lookalike, &[Need::Tools]),
            (r#""messages":[{"role":"user","content":[{"type":"image","source":{}}]}]"#, &[Need::Images]),
            (
                r#""messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]"#,
                &[Need::Tools, Need::Images],
            ),
            (
                r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]"#,
                &[Need::Documents, Need::ServerIds],
            ),
            (
                r#""messages":[{"role":"assistant","content":[{"type":"thinking","signature":"s"}]},{"role":"user","content":"x"}]"#,
                &[],
            ),
            (r#""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"{"}]"#, &[Need::Prefill]),
            (r#""thinking":{"type":"enabled","budget_tokens":1024}"#, &[Need::Reasoning]),
            (r#""thinking":{"type":"adaptive"}"#, &[Need::Reasoning]),
            (r#""thinking":{"type":"disabled"}"#, &[]),
            (r#""output_config":{"format":{"type":"json_schema"}}"#, &[Need::JsonSchema]),
            (r#""output_config":{"effort":"low"}"#, &[]),
            (r#""output_format":{"type":"json_schema"},"top_k":4"#, &[Need::JsonSchema, Need::TopK]),
            (r#""tools":[{"name":"f","input_schema":{"type":"object"}}]"#, &[Need::Tools]),
            (r#""tools":[{"type":"custom","name":"f","cache_control":{}}]"#, &[Need::Tools, Need::CacheControl]),
            (r#""tools":[{"type":"web_search_20250305"}]"#, &[Need::Tools, Need::HostedTools]),
            (r#""tools":[{"type":"custom","type":"web_search_20250305"}]"#, &[Need::Tools, Need::HostedTools]),
            (r#""mcp_servers":[{"url":"u"}]"#, &[Need::HostedTools]),
            (r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]"#, &[Need::CacheControl]),
            (r#""container":"c","inference_geo":"us""#, &[Need::ServerIds, Need::UnknownMembers]),
            (r#""thread":{"type":"create"}"#, &[Need::Stores]),
            (r#""service_tier":"standard_only""#, &[Need::ServiceTier]),
        ],
    );
}

#[test]
fn f_039_bodies_that_two_readers_could_read_differently_are_refused() {
    let refused = |body: &str| {
        let error = scan(Dialect::OpenaiChat, body.as_bytes()).expect_err(body);
        (error.param, error.limit)
    };
    let deep = format!(r#"{{"model":"m","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!(r#"{{"model":"m"{}}}"#, r#","x":1"#.repeat(MEMBERS_MAX));
    let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(MODEL_BYTES_MAX + 1));
    for (body, expected) in [
        (r#"{"model":"a","model":"b"}"#, (Some("model"), None)),
        (r#"{"model":"a","mod\u0065l":"b"}"#, (Some("model"), None)),
        (r#"{"model":"a","stream":true,"stream":false}"#, (Some("stream"), None)),
        (r#"{"model":"a","store":false,"\u0073tore":true}"#, (Some("store"), None)),
        (
            r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
            (Some("stream_options"), None),
        ),
        (r#"{"model":"a\ud800"}"#, (None, None)),
        (r#"{"model":"a","n":NaN}"#, (None, None)),
        (r#"{"model":"a"} x"#, (None, None)),
        (r#"{"model":"a""#, (None, None)),
        (r#"["model"]"#, (None, None)),
        (r#"{"model":"a","stream":1}"#, (Some("stream"), None)),
        (r#"{"model":"a","stream":"true"}"#, (Some("stream"), None)),
        (r#"{"model":["a"]}"#, (Some("model"), None)),
        (r#"{"model":null}"#, (Some("model"), None)),
        (r#"{"model":""}"#, (Some("model"), None)),
        ("{}", (Some("model"), None)),
        (&deep, (None, Some("json_depth"))),
        (&wide, (None, Some("json_members"))),
        (&long, (Some("model"), Some("model_bytes"))),
    ] {
        assert_eq!(refused(body), expected, "{body:.80}");
    }
}

proptest! {
    #[test]
    fn it_never_panics_and_accepts_only_json(tail in r#"[ -~]{0,60}|"(messages|tools)":[\[{"a-z:,}\]]{0,80}"#) {
        for dialect in Dialect::ALL {
            let body = format!(r#"{{"model":"m",{tail}}}"#);
            if scan(dialect, body.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
            }
        }
    }
}
