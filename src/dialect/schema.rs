//! What vendors demand of a strict JSON Schema, so that a call is not sent where its schema would be refused.

use crate::call::json::Json;
use serde_json::Value;

/// Whether every object of the schema forbids further properties, as Anthropic demands.
pub(crate) fn is_closed(schema: &Json) -> bool {
    every_object(schema, |object| object.get("additionalProperties") == Some(&Value::Bool(false)))
}

/// Whether every object of the schema also requires all of its properties, as OpenAI demands.
pub(crate) fn requires_all(schema: &Json) -> bool {
    every_object(schema, |object| {
        let required = object.get("required").and_then(Value::as_array);
        let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|other| other == name));
        object.get("additionalProperties") == Some(&Value::Bool(false))
            && object.get("properties").and_then(Value::as_object).is_none_or(|known| known.keys().all(is_required))
    })
}

type Object = serde_json::Map<String, Value>;

fn every_object(schema: &Json, accepts: impl Fn(&Object) -> bool) -> bool {
    serde_json::from_str(schema.text()).is_ok_and(|value| holds(&value, &accepts))
}

fn holds(value: &Value, accepts: &impl Fn(&Object) -> bool) -> bool {
    match value {
        Value::Object(object) => {
            let describes_object = object.get("type").is_some_and(|kind| kind == "object");
            (!describes_object || accepts(object)) && object.values().all(|value| holds(value, accepts))
        }
        Value::Array(values) => values.iter().all(|value| holds(value, accepts)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictness_is_judged_at_every_depth() {
        let closed = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
        let full = r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#;
        let check = |schema: &str, expected: (bool, bool)| {
            let json = Json::parse(schema).expect("JSON");
            assert_eq!((is_closed(&json), requires_all(&json)), expected, "{schema}");
        };
        check(full, (true, true));
        check(closed, (true, false));
        check(r#"{"type":"object"}"#, (false, false));
        check(r#"{"type":"string"}"#, (true, true));
        check(&format!(r#"{{"type":"array","items":{closed}}}"#), (true, false));
        check(&format!(r#"{{"anyOf":[{full},{{"type":"object"}}]}}"#), (false, false));
    }
}
