//! The listing of public models, `GET /v1/models`, in the shape of either dialect.

use crate::dialect::{Api, Dialect};
use bytes::Bytes;
use serde_json::{Value, json};

/// The listing of these public names. They have no date of their own: it is the beginning of 1970. Anthropic's `lifecycle`
/// is obligatory in the types of its SDK (2.12.0 for Python); a name that is listed may be asked for.
#[must_use]
pub fn listing(dialect: Dialect, names: &[&str]) -> Bytes {
    let listing = match dialect.api() {
        Api::Openai => {
            let data: Vec<Value> = names
                .iter()
                .map(|name| json!({ "id": name, "object": "model", "created": 0, "owned_by": "backstay" }))
                .collect();
            json!({ "object": "list", "data": data })
        }
        Api::Google => json!({ "models": names.iter().map(|name| google_model(name)).collect::<Vec<_>>() }),
        Api::Anthropic => {
            let data: Vec<Value> = names
                .iter()
                .map(|name| {
                    json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z",
                        "lifecycle": "active" })
                })
                .collect();
            json!({ "data": data, "has_more": false, "first_id": names.first(), "last_id": names.last() })
        }
    };
    listing.to_string().into()
}

/// One public model as Google's API describes it.
#[must_use]
pub fn google(name: &str) -> Bytes {
    google_model(name).to_string().into()
}

/// What a model can do is known of each deployment behind the name, not of the name: it takes what clients may ask here.
fn google_model(name: &str) -> Value {
    json!({ "name": format!("models/{name}"), "baseModelId": name, "version": "1", "displayName": name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens", "embedContent"] })
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
