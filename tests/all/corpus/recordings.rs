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

/// Where exchanges lie; those of the Responses API in a file of their own where they are shipped.
const FILES: [&str; 9] = [
    "openai.jsonl",
    "anthropic.jsonl",
    "responses.jsonl",
    "azure.jsonl",
    "xai.jsonl",
    "deepseek.jsonl",
    "bedrock.jsonl",
    "openrouter.jsonl",
    "mirascope_router.jsonl",
];

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
    folders.flat_map(|folder| FILES.map(|file| folder.join(file))).filter(|file| file.exists()).flat_map(|file| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.lines().filter_map(recording).collect::<Vec<_>>()
    })
}

fn recording(line: &str) -> Option<Recording> {
    let exchange: serde_json::Value = serde_json::from_str(line).expect("recordings are JSON");
    let dialect = match exchange["dialect"].as_str()? {
        "openai_chat" => Dialect::OpenaiChat,
        "openai_responses" => Dialect::OpenaiResponses,
        "anthropic_messages" => Dialect::Anthropic,
        _ => return None,
    };
    // what compatible vendors say in OpenAI's older dialect is another matter
    let own = ["openai", "anthropic"].contains(&exchange["vendor"].as_str()?);
    if exchange["response"]["status"] != 200 || !(own || dialect == Dialect::OpenaiResponses) {
        return None;
    }
    Some(Recording {
        id: exchange["id"].as_str()?.to_owned(),
        dialect,
        stream: exchange["stream"].as_bool()?,
        request: exchange["request"]["body"].to_string().into(),
        response: exchange["response"]["body_text"].as_str()?.to_owned().into(),
    })
}
