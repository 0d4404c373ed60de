//! What a simulated vendor says, in either dialect: recorded words, recorded errors, made-up ids.

use super::asked::{Asked, Rest};
use super::script::{RestManner, Script};
use super::{anthropic, bedrock, gemini, openai_chat, openai_responses};
use crate::dialect::eventstream::{event_frame, exception_frame};
use crate::dialect::{Api, Dialect};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// An answer in the parts at which a vendor can break off.
pub(super) struct Answer {
    pub streamed: bool,
    /// What comes before any content.
    pub opening: Vec<Bytes>,
    /// The content; of an unstreamed answer its two halves.
    pub content: Vec<Bytes>,
    /// Finish reason and usage.
    pub closing: Vec<Bytes>,
    /// The last event; empty when the answer is not streamed.
    pub terminator: Bytes,
}

/// What the answer to one call is made of.
pub(super) struct Saying<'a> {
    pub asked: &'a Asked,
    pub model: &'a str,
    /// Unlike from call to call.
    pub id: String,
    pub text: Vec<String>,
    /// The stop sequence that ended the text.
    pub stopped: Option<&'a str>,
}

impl<'a> Saying<'a> {
    /// What `script` says to `asked`, the call number `serial`.
    pub(super) fn new(asked: &'a Asked, script: &'a Script, serial: usize) -> Self {
        let mut text = match &asked.structured {
            Some(value) => pieces(&value.to_string(), 8),
            None => {
                rest(words(script.text, script.words), asked.rest.as_ref().filter(|_| script.rest != RestManner::Anew))
            }
        };
        let stopped = stop(&mut text, &asked.stops);
        let model = script.model.as_deref().unwrap_or(&asked.model);
        Self { asked, model, id: format!("demo{serial:020}"), text, stopped }
    }

    /// The whole text.
    pub(super) fn whole(&self) -> String {
        self.text.concat()
    }

    /// Tokens of the answer: one for each piece.
    pub(super) fn output_tokens(&self) -> usize {
        self.text.len()
    }

    /// The answer in `dialect`.
    pub(super) fn answer(&self, dialect: Dialect) -> Answer {
        match (dialect, self.asked.streamed) {
            (Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings, true) => {
                openai_chat::stream(self)
            }
            (Dialect::OpenaiResponses, true) => openai_responses::stream(self),
            (Dialect::Anthropic | Dialect::AnthropicCount, true) => anthropic::stream(self),
            (Dialect::Bedrock, true) => bedrock::stream(self),
            (Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed, true) => gemini::stream(self),
            (Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings, false) => {
                whole_answer(&openai_chat::reply(self))
            }
            (Dialect::OpenaiResponses, false) => whole_answer(&openai_responses::reply(self)),
            (Dialect::Anthropic | Dialect::AnthropicCount, false) => whole_answer(&anthropic::reply(self)),
            (Dialect::Bedrock, false) => whole_answer(&bedrock::reply(self)),
            (Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed, false) => {
                whole_answer(&gemini::reply(self))
            }
        }
    }
}

/// What is left to say of the words, where only the rest of them is asked for.
fn rest(words: Vec<String>, asked: Option<&Rest>) -> Vec<String> {
    let whole = words.concat();
    let left = asked.and_then(|asked| match asked {
        Rest::Of(beginning) => whole.strip_prefix(beginning.as_str()),
        Rest::From(first) => whole.find(first.as_str()).and_then(|place| whole.get(place..)),
    });
    left.map_or(words, |left| left.split_inclusive([' ', '\n']).map(str::to_owned).collect())
}

/// Ends the text before the first of `stops` that it says, and gives that.
fn stop<'a>(text: &mut Vec<String>, stops: &'a [String]) -> Option<&'a str> {
    let whole = text.concat();
    let (mut left, found) = stops.iter().filter_map(|stop| Some((whole.find(stop.as_str())?, stop.as_str()))).min()?;
    for piece in &mut *text {
        let kept = left.min(piece.len());
        piece.truncate(kept);
        left -= kept;
    }
    text.retain(|piece| !piece.is_empty());
    Some(found)
}

fn whole_answer(reply: &Value) -> Answer {
    let mut body = Bytes::from(reply.to_string());
    let first = body.split_to(body.len() / 2);
    Answer {
        streamed: false,
        opening: Vec::new(),
        content: vec![first, body],
        closing: Vec::new(),
        terminator: Bytes::new(),
    }
}

/// `count` recorded words from text number `from` on, each with the space that follows it; joined, they are the answer.
#[must_use]
pub(super) fn words(from: usize, count: usize) -> Vec<String> {
    let texts = TEXTS.iter().cycle().skip(from % TEXTS.len().max(1)).take(TEXTS.len() * (count / 50 + 2));
    let spaced = texts.flat_map(|text| text.split_inclusive([' ', '\n']));
    let mut words: Vec<String> = spaced.take(count).map(str::to_owned).collect();
    if let Some(last) = words.last_mut() {
        last.truncate(last.trim_end().len());
    }
    words
}

/// `text` in pieces of about `length` bytes.
pub(super) fn pieces(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// An error that a vendor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    ServerError,
    BadGateway,
    Unavailable,
    Overloaded,
    RateLimited,
    Credential,
    Forbidden,
    ModelGone,
    Quota,
    RegionDenied,
    ContextLength,
    ContentPolicy,
    BadRequest,
}

/// An error answer.
pub(super) struct ErrorAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// The error answer of `dialect`: as recorded, else in the vendor's documented shape.
pub(super) fn error(dialect: Dialect, wrong: Wrong) -> ErrorAnswer {
    let (name, status, kind, code, message) = match wrong {
        Wrong::ServerError => ("server_error", 500, "api_error", "server_error", "Internal server error"),
        Wrong::BadGateway => return bad_gateway(),
        Wrong::Unavailable => ("unavailable", 503, "overloaded_error", "server_is_overloaded", "Try again later."),
        Wrong::Overloaded => ("overloaded", 529, "overloaded_error", "server_is_overloaded", "Overloaded"),
        Wrong::RateLimited => ("rate_limited", 429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached"),
        Wrong::Credential => ("credential", 401, "authentication_error", "invalid_api_key", "Incorrect API key"),
        Wrong::Forbidden => ("forbidden", 403, "permission_error", "permission", "Your key may not use this model."),
        Wrong::ModelGone => ("model_gone", 404, "not_found_error", "model_not_found", "No such model"),
        Wrong::Quota => ("quota", 429, "billing_error", "insufficient_quota", "You exceeded your current quota"),
        Wrong::RegionDenied => {
            ("region_denied", 403, "forbidden", "unsupported_country_region_territory", "Country not supported")
        }
        Wrong::ContextLength => ("context_length", 400, "invalid_request_error", "context_length_exceeded", "Too long"),
        Wrong::ContentPolicy => {
            ("content_policy", 400, "invalid_request_error", "content_policy_violation", CONTENT_POLICY)
        }
        Wrong::BadRequest => ("bad_request", 400, "invalid_request_error", "invalid_value", "messages: not acceptable"),
    };
    if let Some(recorded) = ERRORS.iter().find(|error| error.dialect == recorded_as(dialect) && error.error == name) {
        return ErrorAnswer {
            status: recorded.status,
            headers: recorded.headers.clone().into_iter().collect(),
            body: Bytes::from(recorded.body.clone()),
        };
    }
    let status = if dialect.api() == Api::Google { google_status(wrong, status) } else { status };
    let body = match dialect.api() {
        _ if dialect == Dialect::Bedrock => return aws_error(wrong, message),
        Api::Openai => json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
        Api::Anthropic => {
            json!({"type": "error", "error": {"type": kind, "message": anthropic_message(wrong, message)}})
        }
        Api::Google => json!({"error": {"code": status, "message": google_message(wrong, message),
            "status": google_word(status)}}),
    };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    ErrorAnswer { status, headers, body: Bytes::from(body.to_string()) }
}

/// Anthropic tells a country that it does not serve no more than this.
const fn anthropic_message(wrong: Wrong, message: &'static str) -> &'static str {
    match wrong {
        Wrong::RegionDenied => "Request not allowed",
        _ => message,
    }
}

/// AWS's errors: a message alone, and the type in a header.
fn aws_error(wrong: Wrong, message: &str) -> ErrorAnswer {
    let (status, kind, message) = match wrong {
        Wrong::ServerError | Wrong::BadGateway => (500, "InternalServerException", message),
        Wrong::Unavailable | Wrong::Overloaded => {
            (503, "ServiceUnavailableException", "Service capacity limit has been reached. Please try again later.")
        }
        Wrong::RateLimited => (429, "ThrottlingException", "Too many requests, please wait before trying again."),
        Wrong::Quota => (400, "ServiceQuotaExceededException", message),
        Wrong::Credential => {
            (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        Wrong::Forbidden => (403, "AccessDeniedException", "You are not authorized to perform: bedrock:InvokeModel"),
        Wrong::ModelGone => (400, "ValidationException", "The provided model identifier is invalid."),
        Wrong::RegionDenied => (
            403,
            "AccessDeniedException",
            "Access to Anthropic models is not allowed from unsupported countries, regions, or territories.",
        ),
        Wrong::ContextLength => (400, "ValidationException", "Input is too long for requested model."),
        Wrong::ContentPolicy => (400, "ValidationException", message),
        Wrong::BadRequest => (400, "ValidationException", "Malformed input request, please reformat your input."),
    };
    let named = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    let headers = [("content-type", "application/json".to_owned()), ("x-amzn-errortype", named)];
    ErrorAnswer {
        status,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: Bytes::from(json!({ "message": message }).to_string()),
    }
}

/// Dialects of one company tell their errors in the same way.
const fn recorded_as(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => {
            Dialect::OpenaiChat.name()
        }
        Dialect::Anthropic | Dialect::AnthropicCount => Dialect::Anthropic.name(),
        Dialect::Bedrock => Dialect::Bedrock.name(),
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => Dialect::Gemini.name(),
    }
}

/// Google has neither Anthropic's 529 nor OpenAI's 401 for a bad key (recording `4ed2c648d12be7bf`).
const fn google_status(wrong: Wrong, status: u16) -> u16 {
    match wrong {
        Wrong::Overloaded => 503,
        Wrong::Credential | Wrong::RegionDenied => 400,
        _ => status,
    }
}

const fn google_word(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// The words by which Google's errors of one status are told apart.
const fn google_message(wrong: Wrong, message: &'static str) -> &'static str {
    match wrong {
        Wrong::Credential => "API key not valid. Please pass a valid API key.",
        Wrong::RegionDenied => "User location is not supported for the API use.",
        Wrong::ModelGone => "models/demo is not found for API version v1beta.",
        Wrong::Quota => "You exceeded your current quota, limit: 0",
        Wrong::ContextLength => {
            "The input token count (1250060) exceeds the maximum number of tokens allowed (1048575)."
        }
        _ => message,
    }
}

fn bad_gateway() -> ErrorAnswer {
    ErrorAnswer {
        status: 502,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: Bytes::from_static(HTML),
    }
}

/// The sentence by which a refusal for content is known, whoever says it.
const CONTENT_POLICY: &str = "Output blocked by content filtering policy";

/// A page as load balancers show it.
pub(super) const HTML: &[u8] =
    b"<html>\r\n<head><title>Just a moment</title></head>\r\n<body><h1>Please wait</h1></body>\r\n</html>\r\n";

/// An event that says the vendor failed, after the stream had begun with 200.
pub(super) fn error_event(dialect: Dialect) -> Bytes {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => Bytes::from_static(
            b"data: {\"error\":{\"message\":\"The server had an error while processing your request. Sorry about that!\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
        ),
        Dialect::OpenaiResponses => Bytes::from_static(
            b"event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"The server had an error while processing your request. Sorry about that!\",\"param\":null,\"sequence_number\":2}\n\n",
        ),
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => Bytes::from_static(
            b"data: {\"error\":{\"code\":500,\"message\":\"An internal error has occurred.\",\"status\":\"INTERNAL\"}}\r\n\r\n",
        ),
        // recorded as the very first event: afab290997b9f062
        Dialect::Anthropic | Dialect::AnthropicCount => Bytes::from_static(
            b"event: error\ndata: {\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}     }\n\n",
        ),
        Dialect::Bedrock => {
            let message = r#"{"message":"The model encountered an unexpected error. Try again.","originalStatusCode":500}"#;
            exception_frame("modelStreamErrorException", message)
        }
    }
}

/// Something that keeps a stream alive and says nothing.
pub(super) fn ping(dialect: Dialect) -> Bytes {
    match dialect {
        Dialect::OpenaiChat
        | Dialect::OpenaiResponses
        | Dialect::OpenaiCompletions
        | Dialect::OpenaiEmbeddings
        | Dialect::Gemini
        | Dialect::GeminiCount
        | Dialect::GeminiEmbed => Bytes::from_static(b": keep-alive\n\n"),
        Dialect::Anthropic | Dialect::AnthropicCount => {
            Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n")
        }
        Dialect::Bedrock => event_frame("initial-response", "{}"),
    }
}

/// A whole answer with nothing in it.
pub(super) fn empty_reply(dialect: Dialect) -> Bytes {
    let reply = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => {
            json!({"id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": "demo",
            "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}})
        }
        Dialect::OpenaiResponses => json!({"id": "resp_demo", "object": "response", "created_at": 0, "model": "demo",
            "status": "completed", "error": null, "incomplete_details": null, "output": [],
            "usage": {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}}),
        Dialect::Anthropic | Dialect::AnthropicCount => {
            json!({"id": "msg_demo", "type": "message", "role": "assistant", "model": "demo",
            "content": [], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 1, "output_tokens": 0}})
        }
        Dialect::Bedrock => {
            json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 0, "totalTokens": 1}})
        }
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => {
            json!({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}],
            "modelVersion": "demo", "responseId": "demo", "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}})
        }
    };
    Bytes::from(reply.to_string())
}

/// The free listing of models.
pub(super) fn models(dialect: Dialect, model: Option<&str>) -> Bytes {
    let names = model.map_or_else(|| vec!["gpt-5.5", "claude-opus-4-8"], |model| vec![model]);
    let listing = match dialect.api() {
        _ if dialect == Dialect::Bedrock => {
            json!({"modelSummaries": names.iter().map(|name| json!({"modelId": name})).collect::<Vec<_>>()})
        }
        Api::Openai => json!({"object": "list", "data": names.iter().map(|name| {
            json!({"id": name, "object": "model", "created": 1_782_321_905, "owned_by": "demo"})
        }).collect::<Vec<_>>()}),
        Api::Google => json!({"models": names.iter().map(|name| {
            json!({"name": format!("models/{name}"), "version": "001", "displayName": name,
                "supportedGenerationMethods": ["generateContent", "countTokens"]})
        }).collect::<Vec<_>>()}),
        Api::Anthropic => json!({"data": names.iter().map(|name| {
            json!({"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"})
        }).collect::<Vec<_>>(), "has_more": false, "first_id": names.first(), "last_id": names.last()}),
    };
    Bytes::from(listing.to_string())
}

#[derive(Deserialize)]
struct RecordedText {
    text: String,
}

#[derive(Deserialize)]
struct RecordedError {
    dialect: String,
    error: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let texts = lines::<RecordedText>(include_str!("../recordings/texts.jsonl"));
    texts.into_iter().map(|recorded| recorded.text + "\n\n").collect()
});

static ERRORS: LazyLock<Vec<RecordedError>> = LazyLock::new(|| lines(include_str!("../recordings/errors.jsonl")));

/// The recordings are part of the program; a unit test reads every line.
fn lines<T: serde::de::DeserializeOwned>(file: &str) -> Vec<T> {
    file.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_is_read() {
        assert_eq!(TEXTS.len(), include_str!("../recordings/texts.jsonl").lines().count());
        assert_eq!(ERRORS.len(), include_str!("../recordings/errors.jsonl").lines().count());
    }

    #[test]
    fn words_are_as_many_as_asked_for() {
        for count in [0, 1, 60, 500] {
            assert_eq!(words(3, count).len(), count);
        }
        assert_ne!(words(0, 5), words(1, 5));
    }
}
