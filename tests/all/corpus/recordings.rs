//! Recorded exchanges, as translation needs them.

use backstay::dialect::Dialect;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One recorded exchange.
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) dialect: Dialect,
    pub(super) stream: bool,
    pub(super) request: Bytes,
    pub(super) response: Bytes,
}

/// Where exchanges lie; those of the Responses API in a file of their own where they are shipped.
const FILES: [&str; 12] = [
    "openai.jsonl",
    "anthropic.jsonl",
    "responses.jsonl",
    "azure.jsonl",
    "vertex_claude.jsonl",
    "gemini.jsonl",
    "vertex.jsonl",
    "xai.jsonl",
    "deepseek.jsonl",
    "bedrock.jsonl",
    "openrouter.jsonl",
    "mirascope_router.jsonl",
];

/// Every exchange of our dialects that was answered with 200.
pub(super) fn answered() -> impl Iterator<Item = Recording> {
    of_folders(folders())
}

/// Where recordings lie.
fn folders() -> impl Iterator<Item = PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside =
        std::env::var_os("BACKSTAY_RECORDINGS").map_or_else(|| here.join("../shared/vendor-traffic"), PathBuf::from);
    [here.join("tests/recordings"), beside].into_iter().filter(|folder| folder.is_dir())
}

/// An exchange with Bedrock's Converse, whose streams are no text and whose errors are told in headers.
pub(super) struct Binary {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) request: Value,
    pub(super) response: Bytes,
    pub(super) error_class: Option<String>,
}

/// Every exchange with Bedrock's Converse.
pub(super) fn bedrock() -> impl Iterator<Item = Binary> {
    folders().flat_map(|folder| {
        let file = folder.join("bedrock.jsonl");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.lines().filter_map(binary).collect::<Vec<_>>()
    })
}

fn binary(line: &str) -> Option<Binary> {
    let exchange: Value = serde_json::from_str(line).expect("recordings are JSON");
    if exchange["dialect"] != "bedrock_converse" {
        return None;
    }
    let response = &exchange["response"];
    let body = match (response["body_base64"].as_str(), response["body_text"].as_str()) {
        (Some(encoded), _) => STANDARD.decode(encoded).expect("recordings are whole"),
        (None, text) => text?.as_bytes().to_vec(),
    };
    let headers = response["headers"].as_object()?.iter();
    let path = exchange["url"].as_str()?;
    let model = path.split("/model/").nth(1)?.split('/').next()?;
    Some(Binary {
        id: exchange["id"].as_str()?.to_owned(),
        model: model.replace("%3A", ":").replace("%2F", "/"),
        stream: exchange["stream"].as_bool()?,
        status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok())?,
        headers: headers
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value.as_str()?.parse().ok()?)))
            .collect(),
        request: exchange["request"]["body"].clone(),
        response: body.into(),
        error_class: exchange["error_class"].as_str().map(str::to_owned),
    })
}

/// Those of them that are shipped.
pub(super) fn shipped() -> impl Iterator<Item = Recording> {
    of_folders(std::iter::once(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")))
}

fn of_folders(folders: impl Iterator<Item = PathBuf>) -> impl Iterator<Item = Recording> {
    folders.flat_map(|folder| FILES.map(|file| folder.join(file))).filter(|file| file.is_file()).flat_map(|file| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.lines().filter_map(recording).collect::<Vec<_>>()
    })
}

fn recording(line: &str) -> Option<Recording> {
    let exchange: Value = serde_json::from_str(line).expect("recordings are JSON");
    let dialect = match exchange["dialect"].as_str()? {
        "openai_chat" => Dialect::OpenaiChat,
        "openai_responses" => Dialect::OpenaiResponses,
        "anthropic_messages" | "vertex_anthropic" => Dialect::Anthropic,
        "gemini_generate" => Dialect::Gemini,
        _ => return None,
    };
    // an error inside a 200 is no answer: recording da52955f02b5e4ac
    let body: Value =
        exchange["response"]["body_text"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    // what compatible vendors say in OpenAI's older dialect is another matter
    let own = ["openai", "anthropic", "azure", "vertex"].contains(&exchange["vendor"].as_str()?);
    let own = own || matches!(dialect, Dialect::OpenaiResponses | Dialect::Gemini);
    if exchange["response"]["status"] != 200 || !body["error"].is_null() || !own {
        return None;
    }
    let body = exchange["response"]["body_text"].as_str()?;
    let stream = exchange["stream"].as_bool()?;
    Some(Recording {
        id: exchange["id"].as_str()?.to_owned(),
        dialect,
        stream,
        request: exchange["request"]["body"].to_string().into(),
        response: if stream && body.starts_with('[') { events(body) } else { body.to_owned() }.into(),
    })
}

/// A stream that was asked for as one JSON array, as the same answers come in events.
fn events(array: &str) -> String {
    let answers: Vec<Value> = serde_json::from_str(array).expect("recordings are JSON");
    answers.iter().map(|answer| format!("data: {answer}\r\n\r\n")).collect()
}
