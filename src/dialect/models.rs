//! The listing of public models, `GET /v1/models`, in the shape of either dialect.

use crate::dialect::Dialect;
use bytes::Bytes;
use serde_json::{Value, json};

/// The listing of these public names. They have no date of their own: it is the beginning of 1970.
#[must_use]
pub fn listing(dialect: Dialect, names: &[&str]) -> Bytes {
    let listing = match dialect {
        Dialect::OpenaiChat => {
            let data: Vec<Value> = names
                .iter()
                .map(|name| json!({ "id": name, "object": "model", "created": 0, "owned_by": "backstay" }))
                .collect();
            json!({ "object": "list", "data": data })
        }
        Dialect::Anthropic => {
            let data: Vec<Value> = names
                .iter()
                .map(|name| {
                    json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z" })
                })
                .collect();
            json!({ "data": data, "has_more": false, "first_id": names.first(), "last_id": names.last() })
        }
    };
    listing.to_string().into()
}
