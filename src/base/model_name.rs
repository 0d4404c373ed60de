//! What of a model's name does not tell it from others.

/// Fewest digits of a date behind a model's name: shorter ones (`-2512`, `-0709`) tell models apart.
const DATE_DIGITS: usize = 8;

/// Regions that Bedrock writes before a model's id
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>).
const REGIONS: [&str; 8] = ["global.", "eu.", "us.", "us-gov.", "apac.", "jp.", "au.", "ca."];

/// A model's name without what does not change what it can do: what [`undated`] leaves out, and a region (`eu.`) before it.
#[must_use]
pub fn plain(id: &str) -> String {
    let lower = id.to_lowercase();
    let name = without_folder(&lower);
    bare(REGIONS.iter().find_map(|region| name.strip_prefix(region)).unwrap_or(name))
}

/// A model's name without what does not change what it costs: `models/` and `accounts/.../models/` before it, a date
/// (`-2025-04-14`, `@20250929`), a revision (`-v1:0`) and a tag (`-latest`, `@default`) behind it.
#[must_use]
pub fn undated(id: &str) -> String {
    bare(without_folder(&id.to_lowercase()))
}

fn without_folder(name: &str) -> &str {
    name.rsplit_once("models/").map_or(name, |(_, name)| name)
}

fn bare(name: &str) -> String {
    let name = revision(name).unwrap_or(name);
    let name = ["-latest", "@latest", "@default"].iter().find_map(|tag| name.strip_suffix(tag)).unwrap_or(name);
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let undated = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '-' || letter == '@');
    match name.get(undated.len()..) {
        // the last eight digits are the date; what stands before them (`-4-5-`) belongs to the name
        Some(tail) if digits(tail) >= DATE_DIGITS => without_date(name).trim_end_matches(['-', '@']).to_owned(),
        _ => name.to_owned(),
    }
}

/// What stands before the last eight digits, which hyphens may part.
fn without_date(name: &str) -> &str {
    let start = name.char_indices().rev().filter(|(_, letter)| letter.is_ascii_digit()).nth(DATE_DIGITS - 1);
    start.and_then(|(start, _)| name.get(..start)).unwrap_or(name)
}

/// The name before `-v1` or `-v1:0`, as Bedrock numbers revisions.
fn revision(name: &str) -> Option<&str> {
    let (before, revision) = name.rsplit_once("-v")?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = revision.split_once(':').unwrap_or((revision, "0"));
    (number(major) && number(minor)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain() {
        for (id, expected) in [
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5"),
            ("gpt-5.1-2025-11-13", "gpt-5.1"),
            ("mistral-large-2512", "mistral-large-2512"),
            ("grok-4-0709", "grok-4-0709"),
            ("mistral-small-latest", "mistral-small"),
            ("Meta-Llama/Llama-3", "meta-llama/llama-3"),
            ("claude-sonnet-5@default", "claude-sonnet-5"),
            ("", ""),
        ] {
            assert_eq!(plain(id), expected, "{id}");
        }
        assert_eq!(undated("eu.anthropic.claude-haiku-4-5-20251001-v1:0"), "eu.anthropic.claude-haiku-4-5");
        assert_eq!(undated("accounts/fireworks/models/gpt-oss-120b"), "gpt-oss-120b");
    }
}
