//! Ids of things that are kept at a vendor: those that a request names, and those that an answer creates.
//!
//! A request's are found by the members that carry them, in the vendors' published schemas; what is free-form, such as the
//! arguments of a tool, is passed over. An answer's are taken only from places that the vendor alone writes.

use crate::dialect::json::value::Value;

/// Members whose text is an id.
const TEXTS: [&str; 10] = [
    "previous_response_id",
    "previous_interaction_id",
    "file_id",
    "container_id",
    "vector_store_id",
    "training_file",
    "validation_file",
    "file",
    "cachedContent",
    "cached_content",
];
/// Members that hold ids.
const LISTS: [&str; 4] = ["file_ids", "vector_store_ids", "result_files", "part_ids"];
/// Members that are an id, or an object with its `id`.
const THINGS: [&str; 4] = ["conversation", "container", "prompt", "audio"];
/// Members that hold what a client or a model has made up.
const FREE: [&str; 11] = [
    "metadata",
    "arguments",
    "parameters",
    "input_schema",
    "json_schema",
    "schema",
    "args",
    "response",
    "properties",
    "custom_id",
    "logit_bias",
];
/// How ids begin that vendors give out, and that nobody can choose.
const PREFIXES: [&str; 20] = [
    "file-",
    "file_",
    "resp_",
    "batch_",
    "conv_",
    "msgbatch_",
    "vs_",
    "vsfb_",
    "cntr_",
    "cfile_",
    "container_",
    "upload_",
    "part_",
    "ftjob-",
    "asst_",
    "thread_",
    "run_",
    "eval_",
    "evalrun_",
    "video_",
];
/// The shortest rest behind such a beginning, and the longest id.
const REST_LEAST: usize = 12;
const LONGEST: usize = 128;
/// The most that one answer can create.
const MOST_CREATED: usize = 512;

/// The ids that a request's body names by the members that dialects have for them.
#[must_use]
pub fn named(checked: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    look(Value::new(checked), false, &mut found);
    found
}

/// The same, and every text that looks like an id, wherever it stands: for bodies that no dialect of ours describes.
#[must_use]
pub fn named_anywhere(checked: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    look(Value::new(checked), true, &mut found);
    found
}

fn look(value: Value<'_>, anywhere: bool, found: &mut Vec<String>) {
    for element in value.elements() {
        if anywhere {
            found.extend(element.text().filter(|text| looks_like_one(text)).map(Into::into));
        }
        look(element, anywhere, found);
    }
    let refers = value.get("type").and_then(Value::text).is_some_and(|kind| kind == "item_reference");
    for (name, member) in value.members() {
        let name = &*name;
        // what calls a tool is an object; what a conversation begins with is a text or a list
        if FREE.contains(&name) || (name == "input" && member.is_object()) {
            continue;
        }
        if let Some(text) = member.text() {
            let given = TEXTS.contains(&name) || THINGS.contains(&name) || name.ends_with("_file_id");
            if given || (refers && name == "id") || is_kept_file(name, &text) || (anywhere && looks_like_one(&text)) {
                found.push(text.into_owned());
            }
            continue;
        }
        if THINGS.contains(&name) {
            found.extend(member.get("id").and_then(Value::text).map(Into::into));
        }
        if LISTS.contains(&name) {
            found.extend(member.elements().filter_map(Value::text).map(Into::into));
        } else {
            look(member, anywhere, found);
        }
    }
}

/// Whether a file's address is one of Google's own, and no public one.
fn is_kept_file(name: &str, uri: &str) -> bool {
    matches!(name, "fileUri" | "file_uri")
        && (!uri.starts_with("http") || uri.contains("generativelanguage.googleapis.com"))
}

/// The ids that an answer, or an event of a streamed one, creates.
#[must_use]
pub fn created(answer: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let answer = Value::new(answer);
    of_thing(answer, &mut found);
    for name in ["response", "message", "delta"] {
        if let Some(inner) = answer.get(name) {
            of_thing(inner, &mut found);
        }
    }
    found.retain(|id| !id.is_empty() && id.len() <= 2 * LONGEST);
    found.truncate(MOST_CREATED);
    found
}

fn of_thing(thing: Value<'_>, found: &mut Vec<String>) {
    let text = |value: Value<'_>| value.text().map(|text| text.into_owned());
    let [id, name, output, content, choices] = thing.pick(["id", "name", "output", "content", "choices"]);
    found.extend(id.and_then(text));
    // Google names things by their collection
    found.extend(name.and_then(text).filter(|name| name.contains('/')));
    for member in ["output_file_id", "error_file_id"] {
        found.extend(thing.get(member).and_then(text));
    }
    for member in ["conversation", "container", "file"] {
        let Some(inner) = thing.get(member) else { continue };
        found.extend(["id", "name", "uri"].into_iter().filter_map(|name| inner.get(name).and_then(text)));
    }
    found.extend(thing.get("result_files").into_iter().flat_map(Value::elements).filter_map(text));
    for item in output.into_iter().flat_map(Value::elements) {
        found.extend(item.get("id").and_then(text));
        look(item, false, found);
    }
    for made in content.into_iter().chain(choices) {
        look(made, false, found);
    }
}

/// Whether a text is an id by its beginning: vendors tell the kind of a thing so.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    let rest = PREFIXES.into_iter().find_map(|prefix| text.strip_prefix(prefix));
    let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    text.len() <= LONGEST && rest.is_some_and(|rest| rest.len() >= REST_LEAST && plain(rest))
}

/// Finds what looks like an id in bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Words {
    word: Vec<u8>,
    too_long: bool,
}

impl Words {
    /// The ids that end in this piece.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for byte in bytes {
            if byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-' {
                self.too_long |= self.word.len() >= LONGEST;
                if !self.too_long {
                    self.word.push(*byte);
                }
            } else if !self.word.is_empty() {
                found.extend(self.end());
            }
        }
        found
    }

    /// The id that the bytes end with, if they do.
    pub fn end(&mut self) -> Option<String> {
        let word = std::mem::take(&mut self.word);
        let whole = !std::mem::take(&mut self.too_long);
        String::from_utf8(word).ok().filter(|word| whole && looks_like_one(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_where_requests_have_them_and_nowhere_else() {
        let check = |body: &str, expected: &[&str]| assert_eq!(named(body.as_bytes()), expected, "{body}");
        check(r#"{"previous_response_id":"resp_1","input":"previous_response_id"}"#, &["resp_1"]);
        check(r#"{"conversation":"conv_1"}"#, &["conv_1"]);
        check(r#"{"conversation":{"id":"conv_1"},"prompt":{"id":"pmpt_1","version":"2"}}"#, &["conv_1", "pmpt_1"]);
        check(r#"{"input":[{"type":"item_reference","id":"rs_1"},{"type":"message","id":"msg_1"}]}"#, &["rs_1"]);
        check(r#"{"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}"#, &["file-1"]);
        check(r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1","vs_2"]}]}"#, &["vs_1", "vs_2"]);
        check(
            r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"},{"container":{"type":"auto","file_ids":["file-1"]}}]}"#,
            &["cntr_1", "file-1"],
        );
        check(
            r#"{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
            &["file_1"],
        );
        check(r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}],"audio":{"voice":"a"}}"#, &["audio_1"]);
        check(r#"{"cachedContent":"cachedContents/1"}"#, &["cachedContents/1"]);
        let uri = "https://generativelanguage.googleapis.com/v1beta/files/1";
        check(&format!(r#"{{"contents":[{{"parts":[{{"fileData":{{"fileUri":"{uri}"}}}}]}}]}}"#), &[uri]);
        check(r#"{"contents":[{"parts":[{"fileData":{"fileUri":"https://example.com/a.png"}}]}]}"#, &[]);
        // what clients and models have made up
        check(
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"file_id":"x","container":"y"}}]}],"metadata":{"file_id":"x"},
                "tools":[{"name":"f","input_schema":{"properties":{"file_id":{"type":"string"}}}}]}"#,
            &[],
        );
        check(r#"{"input":[{"type":"function_call","arguments":"{\"file_id\":\"x\"}","id":"fc_1"}]}"#, &[]);
    }

    #[test]
    fn where_no_dialect_says_where_ids_stand_their_look_tells() {
        let body = br#"{"x":[{"y":"file-abcdefghijkl123"},"resp_0123456789abcdef"],"custom_id":"file-abcdefghijkl124","z":"file-1"}"#;
        assert_eq!(named_anywhere(body), ["file-abcdefghijkl123", "resp_0123456789abcdef"]);
    }

    #[test]
    fn an_answer_creates_what_the_vendor_names_in_it() {
        let check = |body: &str, expected: &[&str]| assert_eq!(created(body.as_bytes()), expected, "{body}");
        check(r#"{"id":"file-1","object":"file","filename":"file-2","metadata":{"id":"file-3"}}"#, &["file-1"]);
        check(
            r#"{"id":"batch_1","input_file_id":"file-1","output_file_id":"file-2","error_file_id":null}"#,
            &["batch_1", "file-2"],
        );
        check(
            r#"{"id":"resp_1","conversation":{"id":"conv_1"},"metadata":{"file_id":"x"},"output":[{"type":"message","id":"msg_1",
                "content":[{"annotations":[{"type":"container_file_citation","container_id":"cntr_1","file_id":"cfile_1"}]}]}]}"#,
            &["resp_1", "conv_1", "msg_1", "cntr_1", "cfile_1"],
        );
        check(r#"{"type":"response.created","response":{"id":"resp_1","output":[]}}"#, &["resp_1"]);
        check(
            r#"{"type":"message_start","message":{"id":"msg_1","container":{"id":"container_1"}}}"#,
            &["msg_1", "container_1"],
        );
        check(
            r#"{"file":{"name":"files/1","uri":"https://generativelanguage.googleapis.com/v1beta/files/1"}}"#,
            &["files/1", "https://generativelanguage.googleapis.com/v1beta/files/1"],
        );
        check(r#"{"name":"cachedContents/1","model":"models/m"}"#, &["cachedContents/1"]);
    }

    #[test]
    fn ids_in_a_stream_of_bytes_are_found_however_it_is_cut() {
        let bytes =
            b"--x\r\nname=\"file_id\"\r\n\r\nfile-abcdefghijkl123\r\n--x\r\n\xff\x00 not-file-1 batch_0123456789abc";
        for size in [1, 3, 7, bytes.len()] {
            let mut words = Words::default();
            let mut found: Vec<String> = bytes.chunks(size).flat_map(|chunk| words.push(chunk)).collect();
            found.extend(words.end());
            assert_eq!(found, ["file-abcdefghijkl123", "batch_0123456789abc"], "{size}");
        }
        let mut words = Words::default();
        assert!(words.push(&[b'a'; 4096]).is_empty() && words.word.len() <= LONGEST);
    }
}
