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

/// The ids of a vendor's own listing, and whether these are all of its models; `None` where it is no listing.
///
/// OpenAI's family and Anthropic list `data` with an `id` each, Google `models` with a `name` behind `models/`. Pages say
/// that there are more by `has_more` or `nextPageToken`.
#[must_use]
pub fn listed(body: &[u8]) -> Option<(Vec<String>, bool)> {
    let listing: Value = serde_json::from_slice(body).ok()?;
    let (entries, member) = match (&listing["data"], &listing["models"]) {
        (Value::Array(entries), _) => (entries, "id"),
        (_, Value::Array(entries)) => (entries, "name"),
        _ => return None,
    };
    let id = |entry: &Value| entry[member].as_str().map(|id| id.strip_prefix("models/").unwrap_or(id).to_owned());
    let more = listing["has_more"] == true || listing["nextPageToken"].is_string();
    Some((entries.iter().filter_map(id).collect(), !more))
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
    fn listings_of_vendors_are_read() {
        let check = |body: &str, expected: Option<(&[&str], bool)>| {
            let expected = expected.map(|(ids, whole)| (ids.iter().map(ToString::to_string).collect(), whole));
            assert_eq!(listed(body.as_bytes()), expected, "{body}");
        };
        check(r#"{"object":"list","data":[{"id":"gpt-5.5","object":"model"}]}"#, Some((&["gpt-5.5"], true)));
        check(r#"{"data":[{"type":"model","id":"claude"}],"has_more":true}"#, Some((&["claude"], false)));
        check(r#"{"models":[{"name":"models/gemini-3"}],"nextPageToken":"x"}"#, Some((&["gemini-3"], false)));
        check(r#"{"error":{"message":"no"}}"#, None);
        check("<html>", None);
    }

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
