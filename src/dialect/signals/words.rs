//! A vendor's error in its own words, from whatever shape it comes in.

use serde_json::Value;

/// The longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Words {
    /// Its `type`, or what stands for it.
    pub kind: String,
    /// Its `code`.
    pub code: String,
    /// Its message.
    pub message: String,
    /// The parameter it names.
    pub param: String,
    /// Whatever else tells one error from another: an inner code, an aggregator's copy of its vendor's body.
    pub inner: String,
    /// Whether the body was JSON at all.
    pub json: bool,
}

impl Words {
    /// Reads an error body. One that is not JSON is its own message, unless it is a page for people.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut words = Self::default();
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                words.json = true;
                words.take_any(&value);
            }
            Err(_) => {
                let text = String::from_utf8_lossy(body);
                if !text.trim_start().starts_with('<') {
                    words.message = text.trim().to_owned();
                }
            }
        }
        let end = words.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        words.message.truncate(end);
        words
    }

    /// These words; the type is `named` where they do not tell one. AWS adds a colon and a URL to it, or puts a name space
    /// before it.
    pub(super) fn or_type(mut self, named: &str) -> Self {
        if self.kind.is_empty() {
            self.kind = named.to_owned();
        }
        if let Some((kind, _)) = self.kind.split_once("Exception:") {
            self.kind = format!("{kind}Exception");
        }
        if let Some((_, kind)) = self.kind.split_once('#') {
            self.kind = kind.to_owned();
        }
        self
    }

    /// Everything said, in lower case, for the tables that look for words.
    pub(super) fn lower(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.kind, self.code, self.message, self.inner).to_lowercase()
    }

    fn take_any(&mut self, value: &Value) {
        match value {
            // Gemini's compatible endpoint wraps the object in an array
            Value::Array(items) => {
                if let Some(first) = items.first() {
                    self.take_any(first);
                }
            }
            Value::String(text) => text.clone_into(&mut self.message),
            Value::Object(_) => match value.get("error").filter(|error| !error.is_null()) {
                Some(error @ Value::Object(_)) => self.take_object(error),
                // xAI: the code is a sentence beside an error that is a string
                Some(Value::String(text)) => {
                    self.take_object(value);
                    text.clone_into(&mut self.message);
                }
                _ => self.take_object(value),
            },
            _ => {}
        }
    }

    fn take_object(&mut self, error: &Value) {
        self.kind = text(error, &["type", "error_type", "status", "__type"]);
        self.code = text(error, &["code"]);
        self.message = text(error, &["message", "msg", "detail", "Message"]);
        self.param = text(error, &["param"]);
        self.inner = text(error, &["details", "failed_generation"]);
        if let Some(inner) = error.get("innererror") {
            self.inner.push_str(&text(inner, &["code"]));
        }
        // OpenRouter: what its vendor said, as a string
        if let Some(raw) = error.pointer("/metadata/raw").and_then(Value::as_str) {
            self.inner.push_str(raw);
        }
    }
}

/// The first of these members that says something, as text.
fn text(object: &Value, names: &[&str]) -> String {
    let said = names.iter().filter_map(|name| object.get(name)).map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    });
    said.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
