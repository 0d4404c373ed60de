//! What the demonstration says when it begins: where everything is, and lines to copy.

use super::folder::Folder;
use super::screen::{Screen, Tone};
use std::path::Path;

/// Greets, and says what to try.
pub(super) fn greet(
    screen: &Screen,
    folder: &Folder,
    control_port: u16,
    keys: &[(&'static str, String); 2],
    key_help: Option<String>,
) {
    let (proxy, admin) = (folder.ports.proxy, folder.ports.admin);
    let ca = absolute(&folder.client_ca());
    let config = absolute(&folder.config());
    let [(_, anywhere), (_, europe)] = keys;
    let title = |text: &str| screen.line(Tone::Title, text);
    let line = |text: String| screen.line(Tone::Plain, text);

    title("Backstay stands in front of three simulated vendors: openai, openai-eu, anthropic.");
    line(format!("  proxy    https://localhost:{proxy}   trust {ca}"));
    line(format!("  status   http://127.0.0.1:{admin}/   metrics at /metrics"));
    line(format!("  control  http://127.0.0.1:{control_port}/   lists vendors and faults"));
    line(format!("  config   {config}"));
    for note in &folder.notes {
        screen.line(Tone::Warning, format_args!("  note     {note}"));
    }

    title("Ask it something");
    line(format!("  curl --cacert {ca} https://localhost:{proxy}/v1/chat/completions \\"));
    line(format!("    -H 'Authorization: Bearer {anywhere}' -H 'content-type: application/json' \\"));
    line(r#"    -d '{"model": "smart", "messages": [{"role": "user", "content": "Hello"}]}'"#.to_owned());
    title("or with an SDK");
    line(format!("  export SSL_CERT_FILE={ca} NODE_EXTRA_CA_CERTS={ca}"));
    line(format!("  export OPENAI_BASE_URL=https://localhost:{proxy}/v1 OPENAI_API_KEY={anywhere}"));
    line(format!("  export ANTHROPIC_BASE_URL=https://localhost:{proxy} ANTHROPIC_API_KEY={anywhere}"));
    line(r#"  python -c 'import openai; print(openai.OpenAI().chat.completions.create(model="smart", messages=[{"role": "user", "content": "Hello"}]))'"#.to_owned());

    title("Things to try");
    line(format!("  curl -X POST http://127.0.0.1:{control_port}/break/openai/reset    and /heal/openai"));
    line(format!("  break openai-eu: the key `europe` ({europe})"));
    line("    gets an honest 503, because its data may not leave the European Union".to_owned());
    line(format!("  edit {config} (raise an `input` price to 8, reorder a pool)"));
    line("    or the policies beside it: the next call obeys".to_owned());
    if let Some(help) = key_help {
        line(help);
    }
    line("  Ctrl-C ends it.".to_owned());
    title("Who answers");
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
