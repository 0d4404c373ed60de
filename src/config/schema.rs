//! The JSON Schema of the config, for editors.

use crate::config::reader::Read;
use crate::config::tables::Config;
use serde_json::{Value, json};

/// The schema as a document of its own.
#[must_use]
pub fn document() -> Value {
    let mut schema = Config::schema();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("backstay.toml"));
    }
    schema
}
