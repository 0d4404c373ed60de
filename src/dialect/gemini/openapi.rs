//! Schemas in the part of OpenAPI 3.0 that `responseSchema` and `parameters` are written in, as JSON Schema
//! (<https://ai.google.dev/api/caching#Schema>).

use crate::call::json::Json;
use serde_json::{Map, Value};

/// The schema of a function's arguments.
pub(super) fn parameters(schema: &str) -> Json {
    rewritten(schema, false)
}

/// The schema of an answer. Google's models add no property that it does not name, which JSON Schema has to be told.
pub(super) fn answer(schema: &str) -> Json {
    rewritten(schema, true)
}

/// Text that is not JSON cannot come here: it is a part of a body that was read.
fn rewritten(schema: &str, close: bool) -> Json {
    let Ok(mut value) = serde_json::from_str::<Value>(schema) else { return Json::default() };
    rewrite(&mut value, close);
    Json::parse(&value.to_string()).unwrap_or_default()
}

fn rewrite(value: &mut Value, close: bool) {
    let Value::Object(schema) = value else { return };
    *schema = std::mem::take(schema).into_iter().filter_map(|(name, value)| member(name, value, close)).collect();
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        allow_null(schema);
    }
    if close && schema.get("type").is_some_and(is_object) && !schema.contains_key("additionalProperties") {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

fn is_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

/// One keyword in JSON Schema's way; `None` for one that it lacks and that asks nothing of the answer.
fn member(name: String, mut value: Value, close: bool) -> Option<(String, Value)> {
    match name.as_str() {
        "propertyOrdering" | "property_ordering" => return None,
        "type" => value = kind(value)?,
        // sizes of numbers, and the mark of an enumeration
        "format" if matches!(value.as_str(), Some("int32" | "int64" | "float" | "double" | "enum")) => return None,
        "properties" | "$defs" | "defs" => {
            if let Value::Object(named) = &mut value {
                named.values_mut().for_each(|schema| rewrite(schema, close));
            }
        }
        "items" | "additionalProperties" | "additional_properties" => rewrite(&mut value, close),
        "anyOf" | "any_of" | "oneOf" | "allOf" | "prefixItems" | "prefix_items" => {
            if let Value::Array(schemas) = &mut value {
                schemas.iter_mut().for_each(|schema| rewrite(schema, close));
            }
        }
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" | "min_items"
        | "max_items" | "min_length" | "max_length" | "min_properties" | "max_properties" => value = count(value),
        _ => {}
    }
    Some((camel(name), value))
}

/// Types are lower-case in JSON Schema.
fn kind(value: Value) -> Option<Value> {
    match value {
        Value::String(kind) if kind == "TYPE_UNSPECIFIED" => None,
        Value::String(kind) => Some(Value::String(kind.to_ascii_lowercase())),
        other => Some(other),
    }
}

/// Google's JSON writes 64-bit counts as strings.
fn count(value: Value) -> Value {
    value.as_str().and_then(|text| text.parse::<u64>().ok()).map_or(value, Value::from)
}

/// Keywords of JSON Schema that Google's SDKs may write in snake case.
fn camel(name: String) -> String {
    let keyword = match name.as_str() {
        "any_of" => "anyOf",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "prefix_items" => "prefixItems",
        "additional_properties" => "additionalProperties",
        "defs" => "$defs",
        _ => return name,
    };
    keyword.to_owned()
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = Value::from(vec![kind.take(), "null".into()]);
    } else if let Some(Value::Array(schemas)) = schema.get_mut("anyOf") {
        schemas.push(serde_json::json!({ "type": "null" }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_are_rewritten() {
        let check = |schema: Value, expected: Value| {
            let rewritten = answer(&schema.to_string());
            assert_eq!(serde_json::from_str::<Value>(rewritten.text()).unwrap(), expected, "{schema}");
            assert_eq!(answer(rewritten.text()), rewritten, "again");
        };
        check(
            json!({"type": "OBJECT", "propertyOrdering": ["type"], "required": ["type"],
                "properties": {"type": {"type": "STRING", "format": "enum", "enum": ["A"], "nullable": true},
                    "many": {"type": "ARRAY", "min_items": "2", "items": {"type": "INTEGER", "format": "int32"}}}}),
            json!({"type": "object", "required": ["type"], "additionalProperties": false,
                "properties": {"type": {"type": ["string", "null"], "enum": ["A", null]},
                    "many": {"type": "array", "minItems": 2, "items": {"type": "integer"}}}}),
        );
        check(
            json!({"any_of": [{"type": "STRING"}, {"type": "OBJECT"}], "nullable": true}),
            json!({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false}, {"type": "null"}]}),
        );
        check(json!({"type": "STRING", "format": "date-time"}), json!({"type": "string", "format": "date-time"}));
    }

    #[test]
    fn arguments_stay_open() {
        assert_eq!(parameters(r#"{"type":"OBJECT","properties":{}}"#).text(), r#"{"type":"object","properties":{}}"#);
    }
}
