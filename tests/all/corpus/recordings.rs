//! Recorded exchanges, as translation needs them.

use backstay::dialect::Dialect;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// One recorded exchange.
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) dialect: Dialect,
    pub(super) stream: bool,
    pub(super) request: Bytes,
    pub(super) response: Bytes,
}

/// Every exchange of our dialects that was answered with 200.
pub(super) fn answered() -> impl Iterator<Item = Recording> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside =
        std::env::var_os("BACKSTAY_RECORDINGS").map_or_else(|| here.join("../shared/vendor-traffic"), PathBuf::from);
    of_folders([here.join("tests/recordings"), beside].into_iter().filter(|folder| folder.is_dir()))
}

/// Those of them that are shipped.
pub(super) fn shipped() -> impl Iterator<Item = Recording> {
    of_folders(std::iter::once(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")))
}

fn of_folders(folders: impl Iterator<Item = PathBuf>) -> impl Iterator<Item = Recording> {
    const FILES: [&str; 5] = ["openai", "anthropic", "gemini", "vertex", "mirascope_router"];
    let files = folders.flat_map(|folder| FILES.map(|file| folder.join(file).with_extension("jsonl")));
    // the shipped selection has one file for all that Google's dialect is spoken by
    files.filter(|file| file.is_file()).flat_map(|file| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.lines().filter_map(recording).collect::<Vec<_>>()
    })
}

fn recording(line: &str) -> Option<Recording> {
    let exchange: serde_json::Value = serde_json::from_str(line).expect("recordings are JSON");
    let dialect = match exchange["dialect"].as_str()? {
        "openai_chat" => Dialect::OpenaiChat,
        "anthropic_messages" => Dialect::Anthropic,
        "gemini_generate" => Dialect::Gemini,
        _ => return None,
    };
    if exchange["response"]["status"] != 200 {
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
    let answers: Vec<serde_json::Value> = serde_json::from_str(array).expect("recordings are JSON");
    answers.iter().map(|answer| format!("data: {answer}\r\n\r\n")).collect()
}
