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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_editors_what_there_is() {
        let schema = document();
        let field = |path: &str| schema.pointer(path).cloned().unwrap_or_default();
        let vendor = "/properties/vendor/additionalProperties";
        assert_eq!(field(&format!("{vendor}/required")), json!(["dialect"]));
        assert_eq!(field(&format!("{vendor}/additionalProperties")), json!(false));
        let order = "/properties/pool/additionalProperties/properties/order";
        assert_eq!(field(&format!("{order}/enum")), json!(["listed", "price", "latency"]));
        assert_eq!(field(&format!("{order}/description")), json!("The order within a tier."));
        let surge = "/properties/pool/additionalProperties/properties/surge/properties/return/type";
        assert_eq!(field(surge), json!("number"));
    }
}
