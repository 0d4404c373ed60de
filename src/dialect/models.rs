//! The listing of public models, `GET /v1/models`, in the shape of either dialect.

use crate::dialect::{Api, Dialect};
use bytes::Bytes;
use serde_json::{Value, json};

/// The listing of these public names. They have no date of their own: it is the beginning of 1970. Anthropic's `lifecycle`
/// is obligatory in the types of its SDK (2.12.0 for Python); a name that is listed may be asked for.
#[must_use]
pub fn listing(dialect: Dialect, names: &[&str]) -> Bytes {
    let data: Vec<Value> = names.iter().map(|name| model(dialect, name)).collect();
    let listing = match dialect.api() {
        Api::Openai => {
            json!({ "object": "list", "data": data })
        }
        Api::Google => json!({ "models": data }),
        Api::Anthropic => {
            json!({ "data": data, "has_more": false, "first_id": names.first(), "last_id": names.last() })
        }
    };
    listing.to_string().into()
}

/// One public model, as `GET /v1/models/{id}` tells it.
#[must_use]
pub fn one(dialect: Dialect, name: &str) -> Bytes {
    model(dialect, name).to_string().into()
}

/// What a model can do is known of each deployment behind the name, not of the name: it takes what clients may ask here.
fn model(dialect: Dialect, name: &str) -> Value {
    match dialect.api() {
        Api::Openai => json!({ "id": name, "object": "model", "created": 0, "owned_by": "backstay" }),
        Api::Anthropic => {
            json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z",
                "lifecycle": "active" })
        }
        Api::Google => {
            json!({ "name": format!("models/{name}"), "baseModelId": name, "version": "1", "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens", "embedContent"] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_names_are_listed_in_either_shape() {
        let tree = |dialect, names| serde_json::from_slice::<Value>(&listing(dialect, names)).unwrap();
        let openai = tree(Dialect::OpenaiChat, &["fast", "smart"]);
        assert_eq!(
            (&openai["object"], &openai["data"][1]["id"], &openai["data"][1]["created"]),
            (&json!("list"), &json!("smart"), &json!(0))
        );
        let anthropic = tree(Dialect::Anthropic, &["fast", "smart"]);
        assert_eq!(
            (&anthropic["first_id"], &anthropic["last_id"], &anthropic["has_more"], &anthropic["data"][0]["id"]),
            (&json!("fast"), &json!("smart"), &json!(false), &json!("fast"))
        );
        assert_eq!(anthropic["data"][0]["lifecycle"], "active");
        assert_eq!(tree(Dialect::Anthropic, &[])["first_id"], Value::Null);
    }
}
