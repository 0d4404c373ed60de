//! What clients of each dialect of conversations read, strictly: one whole answer from its head to its end, or an honest
//! error, and nothing in between. What is wrong is told in words, so that many answers can be judged in one test.

use crate::support::client::Answer;
use backstay::dialect::Dialect;
use serde_json::Value;

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) text: String,
    /// Name and arguments of each call of a tool.
    pub(crate) calls: Vec<(String, String)>,
    /// Why it ended, in the dialect's words.
    pub(crate) finish: String,
    /// The models that the answer names, each once.
    pub(crate) models: Vec<String>,
    /// Tokens of the answer, as far as it tells.
    pub(crate) output_tokens: u64,
}

type Checked<T> = Result<T, String>;

/// Reads one whole answer.
///
/// # Errors
/// What keeps it from being one.
pub(crate) fn whole(client: Dialect, streamed: bool, answer: &Answer) -> Checked<Read> {
    ensure(answer.status == 200, || format!("status {}", answer.status))?;
    ensure(answer.clean, || "the connection broke".to_owned())?;
    let kind = answer.header("content-type");
    ensure(kind.starts_with("text/event-stream") == streamed, || format!("content type {kind:?}"))?;
    if !streamed {
        let body = parsed(&answer.text())?;
        return match client {
            Dialect::OpenaiChat => chat(&body),
            Dialect::OpenaiResponses => response(&body),
            Dialect::Anthropic => message(&body),
            Dialect::Gemini => candidate(&body),
            other => Err(format!("{} is not read", other.name())),
        };
    }
    let mut data = answer.events();
    if client == Dialect::OpenaiChat {
        ensure(data.pop().as_deref() == Some("[DONE]"), || "no [DONE] at the end".to_owned())?;
    }
    let events = data.iter().map(|data| parsed(data)).collect::<Checked<Vec<_>>>()?;
    match client {
        Dialect::OpenaiChat => chat_stream(&events),
        Dialect::OpenaiResponses => response_stream(&events),
        Dialect::Anthropic => message_stream(&events),
        Dialect::Gemini => candidate_stream(&events),
        other => Err(format!("{} is not read", other.name())),
    }
}

/// Reads a refusal: an error body of the dialect. Gives its code.
///
/// # Errors
/// What keeps it from being one.
pub(crate) fn refusal(client: Dialect, answer: &Answer) -> Checked<String> {
    ensure(answer.status >= 400, || format!("status {}", answer.status))?;
    ensure(answer.clean, || "the connection broke".to_owned())?;
    let body = parsed(&answer.text())?;
    let code = error(client, &body)?;
    if client == Dialect::Gemini {
        ensure(body["error"]["code"] == answer.status, || format!("another code than status {}", answer.status))?;
    }
    Ok(code)
}

/// Reads a stream that broke: a beginning of an answer without an end, an error event of the dialect, a broken connection.
/// Gives the text.
///
/// # Errors
/// What keeps it from being one.
pub(crate) fn broken(client: Dialect, answer: &Answer) -> Checked<String> {
    ensure(answer.status == 200, || format!("status {}", answer.status))?;
    ensure(!answer.clean, || "the connection ended cleanly".to_owned())?;
    let events = answer.events().iter().map(|data| parsed(data)).collect::<Checked<Vec<_>>>()?;
    let (last, begun) = events.split_last().ok_or("nothing came")?;
    let told = if client == Dialect::OpenaiResponses { "type" } else { "error" };
    ensure(last.get(told).is_some(), || "no error event at the end".to_owned())?;
    error(client, last)?;
    if client == Dialect::OpenaiResponses {
        ensure(last["type"] == "error" && last["code"].is_string(), || "no error event at the end".to_owned())?;
        let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64()).collect();
        let in_order = numbers.iter().zip(0..).all(|(number, place)| *number == Some(place));
        ensure(in_order, || format!("events are numbered {numbers:?}"))?;
    }
    for event in begun {
        ensure(event.get("error").is_none(), || format!("a second error: {event}"))?;
        let end = event["choices"][0]["finish_reason"].as_str().or(event["candidates"][0]["finishReason"].as_str());
        let end = end.or(event["delta"]["stop_reason"].as_str());
        let ended = ["message_stop", "response.completed", "response.incomplete"];
        let end = end.or(event["type"].as_str().filter(|kind| ended.contains(kind)));
        ensure(end.is_none(), || format!("it looks ended: {event}"))?;
        if event["type"] == "response.function_call_arguments.done" {
            parsed(event["arguments"].as_str().unwrap_or_default())?;
        }
    }
    Ok(answer.said())
}

/// The code of an error in the dialect's shape.
fn error(client: Dialect, body: &Value) -> Checked<String> {
    let told = &body["error"];
    let wrong = || format!("no error of the dialect: {body}");
    ensure(told["message"].as_str().is_some_and(|message| !message.is_empty()), wrong)?;
    match client {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            let foreign = body["type"] == "error" && client == Dialect::OpenaiChat || told["status"].is_string();
            ensure(told["type"].is_string() && told.get("code").is_some() && !foreign, wrong)?;
            Ok(told["code"].as_str().unwrap_or_default().to_owned())
        }
        Dialect::Anthropic => {
            ensure(body["type"] == "error" && told["type"].is_string() && told["status"].is_null(), wrong)?;
            Ok(told["code"].as_str().or(told["type"].as_str()).unwrap_or_default().to_owned())
        }
        Dialect::Gemini => {
            ensure(told["code"].is_u64() && told["status"].is_string() && told["type"].is_null(), wrong)?;
            Ok(told["details"][0]["reason"].as_str().or(told["status"].as_str()).unwrap_or_default().to_owned())
        }
        other => Err(format!("{} is not read", other.name())),
    }
}

fn chat(body: &Value) -> Checked<Read> {
    ensure(body["object"] == "chat.completion" && body["id"].is_string(), || format!("no completion: {body}"))?;
    let choice = &body["choices"][0];
    let message = &choice["message"];
    let called = message["tool_calls"].as_array().into_iter().flatten();
    let called = called.map(|call| (string(&call["function"]["name"]), string(&call["function"]["arguments"])));
    Ok(Read {
        text: string(&message["content"]),
        calls: called.collect(),
        finish: string(&choice["finish_reason"]),
        models: vec![string(&body["model"])],
        output_tokens: count(&body["usage"]["completion_tokens"]),
    })
}

fn chat_stream(events: &[Value]) -> Checked<Read> {
    let mut read = Read::default();
    for event in events {
        ensure(event["object"] == "chat.completion.chunk" && event.get("error").is_none(), || format!("{event}"))?;
        note(&mut read.models, &event["model"]);
        if event["usage"].is_object() {
            ensure(read.output_tokens == 0, || "usage is told twice".to_owned())?;
            read.output_tokens = count(&event["usage"]["completion_tokens"]);
        }
        let Some(choice) = event["choices"].get(0) else { continue };
        let delta = &choice["delta"];
        let says = delta["content"].as_str().is_some_and(|text| !text.is_empty()) || delta["tool_calls"].is_array();
        ensure(read.finish.is_empty() || !says, || format!("content after the end: {event}"))?;
        read.text.push_str(delta["content"].as_str().unwrap_or_default());
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = count(&piece["index"]) as usize;
            if index == read.calls.len() {
                read.calls.push((string(&piece["function"]["name"]), String::new()));
            }
            let call = read.calls.get_mut(index).ok_or_else(|| format!("a call before its own: {event}"))?;
            call.1.push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
        }
        end(&mut read.finish, &choice["finish_reason"])?;
    }
    same(events, "/id")?;
    Ok(read)
}

fn response(body: &Value) -> Checked<Read> {
    ensure(body["object"] == "response" && body["id"].is_string(), || format!("no response: {body}"))?;
    let mut read = Read {
        finish: string(&body["status"]),
        models: vec![string(&body["model"])],
        output_tokens: count(&body["usage"]["output_tokens"]),
        ..Read::default()
    };
    for item in body["output"].as_array().ok_or("no output")? {
        for part in item["content"].as_array().into_iter().flatten() {
            read.text.push_str(part["text"].as_str().unwrap_or_default());
        }
        if item["type"] == "function_call" {
            read.calls.push((string(&item["name"]), string(&item["arguments"])));
        }
    }
    Ok(read)
}

fn response_stream(events: &[Value]) -> Checked<Read> {
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    ensure(numbers == (0..events.len() as u64).collect::<Vec<_>>(), || format!("sequence numbers {numbers:?}"))?;
    let (first, last) = (events.first().ok_or("nothing came")?, events.last().ok_or("nothing came")?);
    ensure(first["type"] == "response.created", || format!("begins with {first}"))?;
    ensure(last["type"] == "response.completed", || format!("ends with {last}"))?;
    same(events, "/response/id")?;
    let read = response(&last["response"])?;
    let (mut text, mut arguments, mut added) = (String::new(), String::new(), Vec::new());
    for event in events {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => text.push_str(event["delta"].as_str().unwrap_or_default()),
            "response.function_call_arguments.delta" => {
                arguments.push_str(event["delta"].as_str().unwrap_or_default());
            }
            "response.output_item.added" => added.push(string(&event["item"]["id"])),
            "error" | "response.failed" => return Err(format!("an error inside: {event}")),
            _ => {}
        }
        let item = event["item_id"].as_str();
        let known = item.is_none_or(|item| added.iter().any(|added| added == item));
        ensure(known, || format!("of an item that was not added: {event}"))?;
    }
    ensure(text == read.text, || format!("pieces {text:?}, whole {:?}", read.text))?;
    let called: String = read.calls.iter().map(|(_, arguments)| arguments.as_str()).collect();
    ensure(arguments == called, || format!("pieces {arguments:?}, whole {called:?}"))?;
    Ok(read)
}

fn message(body: &Value) -> Checked<Read> {
    ensure(body["type"] == "message" && body["role"] == "assistant", || format!("no message: {body}"))?;
    let mut read = Read {
        finish: string(&body["stop_reason"]),
        models: vec![string(&body["model"])],
        output_tokens: count(&body["usage"]["output_tokens"]),
        ..Read::default()
    };
    for block in body["content"].as_array().ok_or("no content")? {
        read.text.push_str(block["text"].as_str().unwrap_or_default());
        if block["type"] == "tool_use" {
            read.calls.push((string(&block["name"]), block["input"].to_string()));
        }
    }
    Ok(read)
}

fn message_stream(events: &[Value]) -> Checked<Read> {
    let (mut read, mut open, mut next, mut stopped) = (Read::default(), None, 0, false);
    for (place, event) in events.iter().filter(|event| event["type"] != "ping").enumerate() {
        let kind = event["type"].as_str().unwrap_or_default();
        ensure(!stopped, || format!("after message_stop: {event}"))?;
        ensure((place == 0) == (kind == "message_start"), || format!("out of place: {event}"))?;
        ensure(read.finish.is_empty() || kind == "message_stop", || format!("after the stop reason: {event}"))?;
        match kind {
            "message_start" => note(&mut read.models, &event["message"]["model"]),
            "content_block_start" => {
                ensure(open.is_none() && event["index"] == next, || format!("a block out of order: {event}"))?;
                (open, next) = (Some(next), next + 1);
                let block = &event["content_block"];
                read.text.push_str(block["text"].as_str().unwrap_or_default());
                if block["type"] == "tool_use" {
                    read.calls.push((string(&block["name"]), String::new()));
                }
            }
            "content_block_delta" => {
                ensure(open.is_some_and(|open| event["index"] == open), || format!("of no open block: {event}"))?;
                read.text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
                let piece = event["delta"]["partial_json"].as_str().unwrap_or_default();
                if let Some(call) = read.calls.last_mut() {
                    call.1.push_str(piece);
                }
            }
            "content_block_stop" => {
                ensure(open.take().is_some_and(|open| event["index"] == open), || format!("of no block: {event}"))?;
            }
            "message_delta" => {
                ensure(open.is_none(), || "a block is open at the end".to_owned())?;
                end(&mut read.finish, &event["delta"]["stop_reason"])?;
                read.output_tokens = count(&event["usage"]["output_tokens"]);
            }
            "message_stop" => stopped = true,
            _ => return Err(format!("unknown: {event}")),
        }
    }
    ensure(stopped, || "no message_stop".to_owned())?;
    Ok(read)
}

fn candidate(body: &Value) -> Checked<Read> {
    let mut read = Read::default();
    candidate_event(&mut read, body)?;
    Ok(read)
}

fn candidate_stream(events: &[Value]) -> Checked<Read> {
    let mut read = Read::default();
    for event in events {
        let says = event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten();
        let says = says.filter(|part| part["text"] != "").count() > 0;
        ensure(read.finish.is_empty() || !says, || format!("content after the end: {event}"))?;
        candidate_event(&mut read, event)?;
    }
    same(events, "/responseId")?;
    Ok(read)
}

fn candidate_event(read: &mut Read, event: &Value) -> Checked<()> {
    ensure(event.get("error").is_none() && event.is_object(), || format!("an error inside: {event}"))?;
    note(&mut read.models, &event["modelVersion"]);
    let told = count(&event["usageMetadata"]["candidatesTokenCount"]);
    read.output_tokens = if told > 0 { told } else { read.output_tokens };
    let candidate = &event["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        let said = part["text"].as_str().filter(|_| part["thought"] != true);
        read.text.push_str(said.unwrap_or_default());
        if part["functionCall"].is_object() {
            read.calls.push((string(&part["functionCall"]["name"]), part["functionCall"]["args"].to_string()));
        }
    }
    end(&mut read.finish, &candidate["finishReason"])
}

/// Notes why the answer ended, which is told once.
fn end(finish: &mut String, told: &Value) -> Checked<()> {
    let Some(told) = told.as_str() else { return Ok(()) };
    ensure(finish.is_empty(), || format!("ended twice: {finish} and {told}"))?;
    finish.push_str(told);
    Ok(())
}

fn note(models: &mut Vec<String>, model: &Value) {
    if let Some(model) = model.as_str().filter(|model| !models.iter().any(|known| known == model)) {
        models.push(model.to_owned());
    }
}

/// A stream has one id from its head to its end.
fn same(events: &[Value], pointer: &str) -> Checked<()> {
    let mut ids: Vec<_> = events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect();
    ids.dedup();
    ensure(ids.len() == 1, || format!("ids {ids:?}"))
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn parsed(text: &str) -> Checked<Value> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text:.200}"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Checked<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
