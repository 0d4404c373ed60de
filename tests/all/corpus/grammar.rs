//! The order of events that the strictest SDKs demand, checked on what we write.

use backstay::dialect::Dialect;
use serde_json::Value;

/// Panics, naming `id`, where a retold stream is out of order.
pub(super) fn check(dialect: Dialect, stream: &[u8], id: &str) {
    let text = std::str::from_utf8(stream).expect("we write UTF-8");
    let events: Vec<(&str, &str)> = text.split_terminator("\n\n").map(|event| parts(event, id)).collect();
    match dialect {
        Dialect::OpenaiChat => check_openai(&events, id),
        Dialect::OpenaiResponses => check_responses(&events, id),
        Dialect::Anthropic => check_anthropic(&events, id),
        Dialect::Gemini => check_gemini(&events, id),
        other => panic!("{id}: {} is not streamed to clients", other.name()),
    }
}

/// Numbered events; items one after the other, each added, filled and done; at the end all of them as they were done.
fn check_responses(events: &[(&str, &str)], id: &str) {
    let (mut done, mut open, mut parts): (Vec<Value>, Option<Value>, Vec<Value>) = (Vec::new(), None, Vec::new());
    let (mut said, mut ended) = (String::new(), false);
    for (place, (name, data)) in events.iter().enumerate() {
        let event: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{id}: {error}: {data}"));
        assert!(!ended, "{id}: {data}");
        assert_eq!((&event["type"], &event["sequence_number"]), (&(*name).into(), &place.into()), "{id}: {data}");
        assert_eq!(place < 2, matches!(*name, "response.created" | "response.in_progress"), "{id}: {data}");
        if event.get("output_index").is_some() {
            assert_eq!(event["output_index"], done.len(), "{id}: {data}");
        }
        if let Some(item_id) = event.get("item_id") {
            assert_eq!(Some(item_id), open.as_ref().map(|item| &item["id"]), "{id}: {data}");
        }
        let index = event.get("content_index").or(event.get("summary_index"));
        assert!(index.is_none_or(|index| *index == parts.len()), "{id}: {data}");
        let told = ["text", "refusal", "arguments"].iter().find_map(|member| event[member].as_str());
        match name.strip_prefix("response.").unwrap_or(name) {
            "created" | "in_progress" => assert_eq!(event["response"]["status"], "in_progress", "{id}"),
            "output_item.added" => {
                let begun = event["item"].clone();
                assert!(open.replace(begun).is_none(), "{id}: {data}");
                (parts, said) = (Vec::new(), String::new());
            }
            "content_part.added" | "reasoning_summary_part.added" => said.clear(),
            "output_text.delta"
            | "refusal.delta"
            | "reasoning_summary_text.delta"
            | "function_call_arguments.delta" => {
                said.push_str(event["delta"].as_str().expect("a delta"));
            }
            "output_text.annotation.added" => {}
            "output_text.done" | "refusal.done" | "reasoning_summary_text.done" | "function_call_arguments.done" => {
                assert_eq!(told, Some(said.as_str()), "{id}: {data}");
            }
            "content_part.done" | "reasoning_summary_part.done" => parts.push(event["part"].clone()),
            "output_item.done" => {
                let begun = open.take().unwrap_or_else(|| panic!("{id}: {data}"));
                let item = &event["item"];
                assert_eq!((&begun["id"], &begun["type"]), (&item["id"], &item["type"]), "{id}: {data}");
                match item["type"].as_str() {
                    Some("message") => assert_eq!(item["content"], Value::from(parts.clone()), "{id}: {data}"),
                    Some("reasoning") => assert_eq!(item["summary"], Value::from(parts.clone()), "{id}: {data}"),
                    Some("function_call") => assert_eq!(item["arguments"], said.as_str(), "{id}: {data}"),
                    _ => {}
                }
                done.push(item.clone());
            }
            "completed" | "incomplete" => {
                assert!(open.is_none(), "{id}: {data}");
                assert_eq!(event["response"]["output"], Value::from(done.clone()), "{id}: {data}");
                assert_eq!(Some(&*format!("response.{}", event["response"]["status"].as_str().unwrap())), Some(*name));
                ended = true;
            }
            other => panic!("{id}: {other}"),
        }
    }
    assert!(ended, "{id}");
}

fn parts<'a>(event: &'a str, id: &str) -> (&'a str, &'a str) {
    let (name, data) = event.split_once("data: ").unwrap_or_else(|| panic!("{id}: no data in {event}"));
    (name.trim().trim_start_matches("event: "), data)
}

/// One role first, one finish reason after all content, then the usage alone, then the terminator.
fn check_openai(events: &[(&str, &str)], id: &str) {
    let (last, chunks) = events.split_last().expect("some event");
    assert_eq!(*last, ("", "[DONE]"), "{id}");
    let (mut finished, mut told_usage, mut tool_calls) = (false, false, 0);
    for (place, (name, data)) in chunks.iter().enumerate() {
        assert_eq!(*name, "", "{id}");
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{id}: {error}: {data}"));
        assert_eq!(chunk["object"], "chat.completion.chunk", "{id}");
        assert!(chunk["id"].is_string() && chunk["created"].is_u64() && chunk["model"].is_string(), "{id}");
        let Some(choice) = chunk["choices"].as_array().expect("choices").first() else {
            assert!(finished && !told_usage && chunk["usage"]["total_tokens"].is_u64(), "{id}: {data}");
            told_usage = true;
            continue;
        };
        assert!(!finished && chunk["usage"].is_null() && choice["index"] == 0, "{id}: {data}");
        assert_eq!(choice["delta"]["role"].is_string(), place == 0, "{id}: {data}");
        finished = choice["finish_reason"].is_string();
        for call in choice["delta"]["tool_calls"].as_array().unwrap_or(&Vec::new()) {
            let begins = call["id"].is_string();
            let index = call["index"].as_u64().expect("an index");
            assert_eq!(index, if begins { tool_calls } else { tool_calls - 1 }, "{id}: {data}");
            assert_eq!(call["function"]["name"].is_string(), begins, "{id}: {data}");
            tool_calls += u64::from(begins);
        }
    }
    assert!(finished, "{id}");
}

/// Answers with parts of one kind each, all of the same answer, the last of which alone says why it ends.
fn check_gemini(events: &[(&str, &str)], id: &str) {
    for (place, (name, data)) in events.iter().enumerate() {
        let event: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{id}: {error}: {data}"));
        assert!(
            name.is_empty() && event["responseId"].is_string() && event["modelVersion"].is_string(),
            "{id}: {data}"
        );
        let candidate = &event["candidates"][0];
        let is_last = place + 1 == events.len();
        assert_eq!(candidate["finishReason"].is_string(), is_last, "{id}: {data}");
        assert_eq!((&candidate["content"]["role"], &candidate["index"]), (&"model".into(), &0.into()), "{id}: {data}");
        assert_eq!(candidate["content"]["parts"].as_array().map(Vec::len), Some(1), "{id}: {data}");
    }
}

/// One message; blocks one after the other, each opened, filled by deltas of its kind, closed; the end once.
fn check_anthropic(events: &[(&str, &str)], id: &str) {
    let (mut open, mut blocks, mut ended, mut stopped) = (None::<String>, 0, false, false);
    for (place, (name, data)) in events.iter().enumerate() {
        let event: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{id}: {error}: {data}"));
        assert_eq!(event["type"], *name, "{id}");
        assert_eq!(*name == "message_start", place == 0, "{id}");
        assert!(!stopped && (!ended || *name == "message_stop"), "{id}: {data}");
        if name.starts_with("content_block") {
            assert_eq!(event["index"], blocks, "{id}: {data}");
        }
        match *name {
            "message_start" => assert!(event["message"]["usage"]["input_tokens"].is_u64(), "{id}: {data}"),
            "content_block_start" => {
                let kind = event["content_block"]["type"].as_str().expect("a type").to_owned();
                assert!(open.replace(kind).is_none(), "{id}: {data}");
            }
            "content_block_delta" => {
                let fits = match event["delta"]["type"].as_str().expect("a type") {
                    "text_delta" | "citations_delta" => "text",
                    "thinking_delta" | "signature_delta" => "thinking",
                    "input_json_delta" => "tool_use",
                    other => panic!("{id}: {other}"),
                };
                assert_eq!(open.as_deref(), Some(fits), "{id}: {data}");
            }
            "content_block_stop" => {
                assert!(open.take().is_some(), "{id}: {data}");
                blocks += 1;
            }
            "message_delta" => {
                assert!(open.is_none() && event["delta"]["stop_reason"].is_string(), "{id}: {data}");
                assert!(event["usage"]["output_tokens"].is_u64(), "{id}: {data}");
                ended = true;
            }
            "message_stop" => stopped = true,
            other => panic!("{id}: {other}"),
        }
    }
    assert!(stopped, "{id}");
}
