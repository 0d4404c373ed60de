//! Changes a few top-level members of a request's body, and leaves every other byte as it is.

use crate::dialect::Dialect;
use crate::dialect::json::value::Value;
use crate::dialect::scan::Scan;
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// What is to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits<'a> {
    /// The vendor's name of the model.
    pub model: Option<&'a str>,
    /// Ask for the usage of a stream; only where the dialect has it and a stream is asked for.
    pub include_usage: bool,
    /// Forbid the vendor to keep the call; only where the dialect has it.
    pub store_false: bool,
    /// Members that every body carries at this vendor, each as JSON; those that are there stay as they are.
    pub members: &'a [(&'a str, &'a str)],
    /// Take the model out: it stands in the path.
    pub without_model: bool,
}

/// One change: the bytes at `range` become `text`.
struct Change {
    range: Range<usize>,
    text: String,
}

/// The body with the edits made; the same bytes, uncopied, when they change nothing.
#[must_use]
pub fn splice(body: &Bytes, scan: &Scan, edits: &Edits<'_>) -> Bytes {
    let mut changes: Vec<Change> = Vec::new();
    let head = scan.spots.head;
    for (name, value) in edits.members.iter().filter(|(name, _)| Value::new(body).get(name).is_none()) {
        changes.push(set(head, name, None, (*value).to_owned()));
    }
    // where no member names the model the path does
    if let Some(range) = &scan.spots.model {
        if edits.without_model {
            changes.push(Change { range: member_of(body, range), text: String::new() });
        } else if let Some(model) = edits.model.filter(|model| *model != scan.model) {
            changes.push(Change { range: range.clone(), text: quoted(model) });
        }
    }
    if scan.dialect == Dialect::OpenaiChat && edits.include_usage && scan.stream && !scan.include_usage {
        changes.push(with_usage(body, head, scan.spots.stream_options.as_ref()));
    }
    if matches!(scan.dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses) && edits.store_false {
        let stored = scan.spots.store.as_ref();
        if stored.and_then(|range| body.get(range.clone())) != Some(b"false") {
            changes.push(set(head, "store", stored, "false".to_owned()));
        }
    }
    let may_be_left_out = scan.dialect.may_leave_model_out() && !edits.without_model;
    if let Some(model) = edits.model.filter(|_| may_be_left_out && scan.spots.model.is_none()) {
        // else the vendor would choose one that nobody has permitted; it comes last, where no comma may follow in an empty body
        let is_empty = body.get(head..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"}"));
        let comma = if is_empty { "" } else { "," };
        changes.push(Change { range: head..head, text: format!("\"model\":{}{comma}", quoted(model)) });
    }
    if changes.is_empty() {
        return body.clone();
    }
    changes.sort_by_key(|change| change.range.start);
    apply(body, &changes)
}

/// Gives the top-level member `name` this value: in its place, or at the head of an object that is never empty, for a model it has.
fn set(head: usize, name: &str, spot: Option<&Range<usize>>, value: String) -> Change {
    match spot {
        Some(range) => Change { range: range.clone(), text: value },
        None => Change { range: head..head, text: format!("\"{name}\":{value},") },
    }
}

/// The member whose value lies at `value`, with the comma behind it, or else the one before it.
fn member_of(body: &[u8], value: &Range<usize>) -> Range<usize> {
    let before = body.get(..value.start).unwrap_or_default();
    let quote = |text: &[u8]| text.iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    let end_of_name = quote(before);
    let start = quote(before.get(..end_of_name).unwrap_or_default());
    let blanks = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let after = body.get(value.end..).unwrap_or_default();
    let space = blanks(after);
    if after.get(space) == Some(&b',') {
        return start..value.end + space + 1;
    }
    let comma = body.get(..start).unwrap_or_default().trim_ascii_end();
    if comma.ends_with(b",") { comma.len() - 1..value.end } else { start..value.end }
}

/// Sets `include_usage` among the `stream_options` that are there, or gives it new ones.
fn with_usage(body: &[u8], head: usize, spot: Option<&Range<usize>>) -> Change {
    let options = spot.and_then(|range| body.get(range.clone())).map(Value::new);
    let mut text = String::from(r#"{"include_usage":true"#);
    for (name, value) in options.into_iter().flat_map(Value::members).filter(|(name, _)| name != "include_usage") {
        text.push(',');
        text.push_str(&quoted(&name));
        text.push(':');
        text.push_str(&String::from_utf8_lossy(value.raw()));
    }
    text.push('}');
    set(head, "stream_options", spot, text)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `changes` are ordered and do not overlap.
fn apply(body: &[u8], changes: &[Change]) -> Bytes {
    let grown: usize = changes.iter().map(|change| change.text.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + grown);
    let mut copied = 0;
    for change in changes {
        out.extend_from_slice(body.get(copied..change.range.start).unwrap_or_default());
        out.extend_from_slice(change.text.as_bytes());
        copied = change.range.end;
    }
    out.extend_from_slice(body.get(copied..).unwrap_or_default());
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::scan::scan;
    use proptest::prelude::*;
    use serde_json::{Map, Value as Tree, json};

    fn check(dialect: Dialect, body: &str, edits: Edits<'_>, expected: &str) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let scan = scan(dialect, &body).unwrap();
        assert_eq!(splice(&body, &scan, &edits), expected);
    }

    const NONE: Edits<'_> =
        Edits { model: None, include_usage: false, store_false: false, members: &[], without_model: false };
    const MODEL: Edits<'_> = Edits { model: Some("new"), ..NONE };
    const USAGE: Edits<'_> = Edits { include_usage: true, ..NONE };
    const STORE: Edits<'_> = Edits { store_false: true, ..NONE };
    const VERTEX: Edits<'_> =
        Edits { members: &[("anthropic_version", "\"vertex-2023-10-16\"")], without_model: true, ..NONE };

    #[test]
    fn only_the_members_asked_for_change() {
        for (body, edits, expected) in [
            (r#"{ "a" : 1.0, "model" : "old" , "b":[ ] }"#, MODEL, r#"{ "a" : 1.0, "model" : "new" , "b":[ ] }"#),
            (r#"{"mod\u0065l":"old"}"#, MODEL, r#"{"mod\u0065l":"new"}"#),
            (
                r#"{"model":"m","stream":true}"#,
                USAGE,
                r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
            ),
            (r#"{"model":"m","stream":false}"#, USAGE, r#"{"model":"m","stream":false}"#),
            (
                r#"{"model":"m","stream":true,"stream_options":{ }}"#,
                USAGE,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream_options":null,"model":"m","stream":true}"#,
                USAGE,
                r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
            ),
            (
                r#"{"stream_options":{"include_obfuscation":false,"include_usage":false},"model":"m","stream":true}"#,
                USAGE,
                r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"m","stream":true}"#,
            ),
            (r#"{"model":"m"}"#, STORE, r#"{"store":false,"model":"m"}"#),
            (r#"{"model":"m","store":true}"#, STORE, r#"{"model":"m","store":false}"#),
        ] {
            check(Dialect::OpenaiChat, body, edits, expected);
        }
        let all = Edits { model: Some("quo\"te\\\n"), include_usage: true, store_false: true, ..NONE };
        check(Dialect::Anthropic, r#"{"model":"m","stream":true}"#, all, r#"{"model":"quo\"te\\\n","stream":true}"#);
    }

    #[test]
    fn a_model_that_is_left_out_is_named_for_the_vendor() {
        let edits = Edits { model: Some("m"), ..NONE };
        check(Dialect::OpenaiResponses, r#"{"input":"x"}"#, edits, r#"{"model":"m","input":"x"}"#);
        check(Dialect::OpenaiResponses, "{}", edits, r#"{"model":"m"}"#);
        let kept_nowhere = Edits { store_false: true, ..edits };
        check(Dialect::OpenaiResponses, "{ }", kept_nowhere, r#"{"store":false,"model":"m" }"#);
        check(Dialect::GeminiCount, r#"{"contents":[]}"#, edits, r#"{"contents":[]}"#);
    }

    #[test]
    fn a_model_that_stands_in_the_path_leaves_the_body() {
        let version = r#""anthropic_version":"vertex-2023-10-16","#;
        for (body, expected) in [
            (r#"{"model":"m","stream":true}"#, format!(r#"{{{version}"stream":true}}"#)),
            (r#"{"stream":true,"model":"m"}"#, format!(r#"{{{version}"stream":true}}"#)),
            (r#"{ "a" : 1 , "model" : "m" , "b" : 2 }"#, format!(r#"{{{version} "a" : 1 ,  "b" : 2 }}"#)),
            (r#"{ "a" : 1 , "mod\u0065l" : "m" }"#, format!(r#"{{{version} "a" : 1  }}"#)),
            (
                r#"{"anthropic_version":"vertex-2023-10-16","model":"m","a":1}"#,
                r#"{"anthropic_version":"vertex-2023-10-16","a":1}"#.to_owned(),
            ),
        ] {
            check(Dialect::Anthropic, body, VERTEX, &expected);
        }
    }

    #[test]
    fn nothing_to_change_costs_no_copy() {
        let body =
            Bytes::from_static(br#"{"model":"m","store":false,"stream":true,"stream_options":{"include_usage":true}}"#);
        let scan = scan(Dialect::OpenaiChat, &body).unwrap();
        let edits = Edits { model: Some("m"), include_usage: true, store_false: true, ..NONE };
        assert_eq!(splice(&body, &scan, &edits).as_ptr(), body.as_ptr());
    }

    fn request() -> impl Strategy<Value = Map<String, Tree>> {
        let extra = prop_oneof![
            any::<i64>().prop_map(Tree::from),
            any::<String>().prop_map(Tree::from),
            Just(json!({"model": "inner", "stream_options": {"include_usage": false}, "list": [1, {"store": true}]})),
        ];
        let options = prop_oneof![
            Just(None),
            Just(Some(Tree::Null)),
            Just(Some(json!({}))),
            Just(Some(json!({"include_obfuscation": true}))),
            any::<bool>().prop_map(|usage| Some(json!({"x": "é", "include_usage": usage})))
        ];
        let store = prop_oneof![Just(None), Just(Some(Tree::Null)), any::<bool>().prop_map(|store| Some(store.into()))];
        let extras = prop::collection::vec(("x[a-z \"é]{0,6}", extra), 0..5);
        (any::<bool>(), options, store, extras, any::<prop::sample::Index>()).prop_map(
            |(stream, options, store, extras, turn)| {
                let mut members: Vec<(String, Tree)> = extras;
                members.push(("model".into(), "old".into()));
                members.push(("stream".into(), stream.into()));
                members.extend(options.map(|options| ("stream_options".into(), options)));
                members.extend(store.map(|store| ("store".into(), store)));
                let by = turn.index(members.len());
                members.rotate_left(by);
                members.into_iter().collect()
            },
        )
    }

    proptest! {
        #[test]
        fn it_does_what_an_edit_of_the_tree_would(tree in request(), model in "\\PC{1,8}", usage: bool, store: bool, pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) };
            let body = Bytes::from(text.unwrap());
            let scan = scan(Dialect::OpenaiChat, &body).unwrap();
            let edits = Edits { model: Some(&model), include_usage: usage, store_false: store, ..NONE };
            let spliced = splice(&body, &scan, &edits);

            let mut edited = tree;
            edited.insert("model".into(), model.into());
            if store {
                edited.insert("store".into(), false.into());
            }
            if usage && edited["stream"] == true {
                let mut options = edited.get("stream_options").and_then(Tree::as_object).cloned().unwrap_or_default();
                options.insert("include_usage".into(), true.into());
                edited.insert("stream_options".into(), options.into());
            }
            prop_assert_eq!(serde_json::from_slice::<Map<String, Tree>>(&spliced).unwrap(), edited);
        }
    }
}
