//! A vendor's error in its own words, from whatever shape it comes in.

use crate::base::scope::Excess;
use crate::dialect::signals::{excess, reset};
use serde_json::{Map, Value};
use std::time::Duration;

/// No more of a body is read, in bytes: errors are short, and what is longer is a page.
const BODY_BYTES_MAX: usize = 64 << 10;
/// The longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;
/// The longest identifier, in bytes: what is longer is a sentence.
const MARK_BYTES_MAX: usize = 80;
/// Identifiers that are kept of one body.
const MARKS_MAX: usize = 16;
/// Bodies within bodies that are read: an aggregator's copy of an aggregator's copy.
const DEPTH_MAX: usize = 2;

/// The shape of an error body, which tells vendors apart whose codes are bare numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::dialect) enum Shape {
    /// Nothing at all.
    #[default]
    Empty,
    /// Text that is not JSON, or a JSON string.
    Text,
    /// A page for people.
    Page,
    /// `{"error": {...}}`, as OpenAI began and most follow.
    Nested,
    /// `{"error": {"code": "1305", ...}}`: four digits and no type, as z.ai does.
    Numbered,
    /// `{"type": "error", "error": {...}}`, as Anthropic.
    Typed,
    /// `{"error": {"code": 400, "status": "INVALID_ARGUMENT", ...}}`, as Google.
    Status,
    /// `{"object": "error", ...}`, as Mistral and early vLLM.
    Object,
    /// `{"base_resp": {"status_code": 1008, ...}}`, as MiniMax.
    BaseResp,
    /// `{"message": ...}`, the type in a header or in the name of the member around it, as AWS.
    Exception,
    /// Any other object.
    Flat,
}

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Words {
    /// Its shape.
    pub shape: Shape,
    /// Its `type`, or what stands for it.
    pub kind: String,
    /// Its `code`.
    pub code: String,
    /// Its message.
    pub message: String,
    /// The parameter it names.
    pub param: String,
    /// The HTTP status that it tells, where it tells one.
    pub status: Option<u16>,
    /// Every identifier in it: type, code, inner codes, reasons.
    pub marks: Vec<String>,
    /// Whatever else tells one error from another: details, quota names.
    pub details: String,
    /// How long it asks us to wait.
    pub wait: Option<Duration>,
    /// By how much the call was too long.
    pub excess: Option<Excess>,
    /// What an aggregator's own vendor had said.
    pub inner: Option<Box<Words>>,
}

impl Words {
    /// Reads an error body. One that is not JSON is its own message, unless it is a page.
    pub(super) fn read(body: &[u8]) -> Self {
        Self::read_within(body, 0)
    }

    fn read_within(body: &[u8], depth: usize) -> Self {
        let body = body.get(..BODY_BYTES_MAX).unwrap_or(body).trim_ascii();
        let mut words = Self::default();
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => words.take_any(&value, depth),
            Err(_) => words.take_text(&String::from_utf8_lossy(body)),
        }
        for text in [&mut words.message, &mut words.details, &mut words.kind, &mut words.code, &mut words.param] {
            cut(text, MESSAGE_BYTES_MAX);
        }
        words.wait = words.wait.or_else(|| reset::in_words(&words.message));
        words.excess = words.excess.or_else(|| excess::read(&words.message));
        words
    }

    /// Everything said, in lower case and with plain apostrophes, for the rows that look for words.
    pub(super) fn lower(&self) -> String {
        let marks = self.marks.join("\n");
        format!("{}\n{}\n{marks}\n{}\n{}", self.kind, self.code, self.message, self.details)
            .to_lowercase()
            .replace('\u{2019}', "'")
    }

    /// Notes an identifier that came beside the body.
    pub(super) fn mark(&mut self, mark: &str) {
        let fits = !mark.is_empty() && mark.len() <= MARK_BYTES_MAX && self.marks.len() < MARKS_MAX;
        if fits && !self.marks.iter().any(|known| known == mark) {
            self.marks.push(mark.to_owned());
        }
    }

    fn take_text(&mut self, text: &str) {
        let text = text.trim();
        match text.as_bytes().first() {
            None => {}
            Some(b'<') => {
                self.shape = Shape::Page;
                text.clone_into(&mut self.details);
            }
            // JSON that is cut or not quite JSON (recording 4ff2c5c9b189ec95 has a comma too many)
            Some(b'{' | b'[') => {
                self.shape = Shape::Flat;
                self.message = member(text, "message").unwrap_or_else(|| text.to_owned());
                for name in ["type", "code", "status"] {
                    self.mark(&member(text, name).unwrap_or_default());
                }
            }
            Some(_) => {
                self.shape = Shape::Text;
                text.clone_into(&mut self.message);
            }
        }
    }

    fn take_any(&mut self, value: &Value, depth: usize) {
        match value {
            // Gemini's compatible endpoint wraps the object in an array
            Value::Array(items) => {
                if let Some(first @ (Value::Object(_) | Value::String(_))) = items.first() {
                    self.take_any(first, depth);
                }
            }
            Value::String(text) => self.take_text(text),
            Value::Object(object) => self.take_object(object, depth),
            _ => {}
        }
    }

    fn take_object(&mut self, object: &Map<String, Value>, depth: usize) {
        self.shape = Shape::Flat;
        let typed = object.get("type").and_then(Value::as_str) == Some("error");
        // Responses tells its error one floor down, in `response.failed`
        let object = object
            .get("response")
            .and_then(Value::as_object)
            .filter(|held| held.contains_key("error"))
            .unwrap_or(object);
        match object.get("error").or_else(|| object.get("errors")).or_else(|| object.get("fault")) {
            Some(Value::Object(error)) => {
                self.take_members(object, depth);
                self.take_members(error, depth);
                self.shape = nested(typed, error);
            }
            // Cloudflare and watsonx send a list of them
            Some(Value::Array(errors)) => {
                self.take_members(object, depth);
                if let Some(first) = errors.first() {
                    self.take_any(first, depth);
                }
            }
            // xAI: the code is a sentence beside an error that is a string
            Some(Value::String(text)) => {
                self.take_members(object, depth);
                text.clone_into(&mut self.message);
                if depth < DEPTH_MAX && text.trim_start().starts_with('{') {
                    self.inner = Some(Box::new(Self::read_within(text.as_bytes(), depth + 1)));
                }
            }
            _ => self.take_bare(object, depth),
        }
    }

    /// An object without an `error` in it.
    fn take_bare(&mut self, object: &Map<String, Value>, depth: usize) {
        if let Some(Value::Object(base)) = object.get("base_resp") {
            self.take_members(base, depth);
            self.shape = Shape::BaseResp;
            return;
        }
        // an AWS exception as the one member of its union
        if let (1, Some((name, Value::Object(exception)))) = (object.len(), object.iter().next())
            && name.ends_with("Exception")
        {
            self.take_members(exception, depth);
            name.clone_into(&mut self.kind);
            self.mark(name);
            self.shape = Shape::Exception;
            return;
        }
        self.take_members(object, depth);
        self.shape = match object.get("object").and_then(Value::as_str) {
            Some("error") => Shape::Object,
            _ if object.keys().all(|name| AWS_MEMBERS.contains(&name.as_str())) => Shape::Exception,
            _ => Shape::Flat,
        };
    }

    /// Takes what the members of one object say; what an inner object says stands above what an outer one said.
    fn take_members(&mut self, error: &Map<String, Value>, depth: usize) {
        let kind = text(error, &["type", "error_type", "__type", "title"]);
        let status = text(error, &["status"]);
        let code = text(error, &["code", "error_code", "errorcode", "status_code"]);
        let marks = [kind.as_str(), status.as_str(), code.as_str()];
        for mark in marks.into_iter().filter(|mark| !mark.eq_ignore_ascii_case("error")) {
            self.mark(mark);
        }
        for name in ["reason", "limit_source", "errorCode", "finish_reason", "originalStatusCode"] {
            self.mark(&text(error, &[name]));
        }
        let kind = if kind.is_empty() && status.parse::<u16>().is_err() { status } else { kind };
        set(&mut self.kind, kind);
        set(&mut self.code, code);
        set(
            &mut self.message,
            text(error, &["message", "Message", "msg", "detail", "status_msg", "faultstring", "error_description"]),
        );
        set(&mut self.param, text(error, &["param"]));
        let told = ["http_code", "http_status", "statusCode", "status_code", "originalStatusCode", "status", "code"];
        let told =
            told.iter().find_map(|name| text(error, &[name]).parse().ok().filter(|code| (400..600).contains(code)));
        self.status = told.or(self.status);
        self.excess = excess::members(error).or(self.excess);
        self.take_details(error, depth);
    }

    fn take_details(&mut self, error: &Map<String, Value>, depth: usize) {
        for name in ["innererror", "inner_error", "metadata", "detail"] {
            let Some(Value::Object(inner)) = error.get(name) else { continue };
            for name in ["code", "type", "error_type", "errorcode", "limit_source", "reason"] {
                self.mark(&text(inner, &[name]));
            }
            self.wait = self.wait.or_else(|| seconds(inner));
            // OpenRouter: what its vendor said, as a string or as it came
            if let Some(raw) = inner.get("raw").filter(|raw| !raw.is_null() && depth < DEPTH_MAX) {
                let raw = raw.as_str().map_or_else(|| raw.to_string(), str::to_owned);
                self.inner = Some(Box::new(Self::read_within(raw.as_bytes(), depth + 1)));
            }
            if let Some(reasons) = inner.get("reasons") {
                self.add(&reasons.to_string());
            }
            set(&mut self.message, text(inner, &["message", "error"]));
        }
        match error.get("details") {
            Some(Value::Array(details)) => details.iter().take(MARKS_MAX).for_each(|detail| self.take_google(detail)),
            Some(Value::String(text)) => self.add(text),
            _ => {}
        }
        self.wait = self.wait.or_else(|| seconds(error));
    }

    /// One of Google's details: <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>.
    fn take_google(&mut self, detail: &Value) {
        let Value::Object(detail) = detail else { return };
        self.mark(&text(detail, &["reason"]));
        if let Some(delay) = detail.get("retryDelay").and_then(Value::as_str) {
            self.wait = reset::parse(delay, 0).or(self.wait);
        }
        for violation in detail.get("violations").and_then(Value::as_array).into_iter().flatten().take(MARKS_MAX) {
            self.add(&violation.to_string());
        }
        self.add(&text(detail, &["detail"]));
    }

    fn add(&mut self, details: &str) {
        self.details.push('\n');
        self.details.push_str(details);
    }
}

/// What AWS puts in the body of an exception.
const AWS_MEMBERS: [&str; 7] =
    ["message", "Message", "__type", "originalStatusCode", "originalMessage", "resourceName", "Type"];

fn nested(typed: bool, error: &Map<String, Value>) -> Shape {
    let digits = |code: &str| code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
    if typed {
        Shape::Typed
    } else if error.get("status").is_some_and(Value::is_string) && error.get("code").is_some_and(Value::is_number) {
        Shape::Status
    } else if !error.contains_key("type") && digits(&text(error, &["code"])) {
        Shape::Numbered
    } else {
        Shape::Nested
    }
}

/// How long an object asks us to wait, in seconds.
fn seconds(object: &Map<String, Value>) -> Option<Duration> {
    let names = ["retry_after", "retry_after_seconds", "retryAfter", "estimated_time"];
    names.iter().find_map(|name| reset::parse(&text(object, &[name]), 0))
}

/// The first of these members that says something, as text.
fn text(object: &Map<String, Value>, names: &[&str]) -> String {
    let said = names.iter().filter_map(|name| object.get(*name)).map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Object(_) => String::new(),
        other => other.to_string(),
    });
    said.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The text of a member in what is not quite JSON.
fn member(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?;
    serde_json::Deserializer::from_str(rest).into_iter::<String>().next()?.ok()
}

fn set(field: &mut String, said: String) {
    if !said.is_empty() {
        *field = said;
    }
}

fn cut(text: &mut String, most: usize) {
    let end = text.floor_char_boundary(most);
    text.truncate(end);
}
