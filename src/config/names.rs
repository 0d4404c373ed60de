//! What things may be called.

/// Longest name of anything.
pub const MAX_NAME_BYTES: usize = 63;

/// Why `name` cannot be the name of a listener, vendor, endpoint, pool, team or key; `None` when it can.
///
/// Names are lower case letters, digits, `-`, `.` and `_`, and begin with a letter or digit: they become metric labels,
/// parts of paths and words on a command line, so nothing that has a meaning there is let in.
#[must_use]
pub fn wrong(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return Some(format!("the name is longer than {MAX_NAME_BYTES} bytes"));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    if !name.chars().all(plain) || name.starts_with(['-', '.', '_']) || name.contains("..") {
        let shown: String = name.chars().flat_map(char::escape_default).collect();
        return Some(format!("\"{shown}\" cannot be a name"));
    }
    None
}

/// What to try instead of a name that is [`wrong`].
pub const NAME_HELP: &str = "names are made of a-z, 0-9, `-`, `.` and `_`, and begin with a letter or digit";

/// Why `model` cannot be a vendor's model name; `None` when it can. Vendors use slashes and colons in theirs.
#[must_use]
pub fn wrong_model(model: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | ':' | '@' | '+');
    let tricks = model.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.'));
    if model.len() > 256 || !model.chars().all(plain) || tricks {
        let shown: String = model.chars().take(80).flat_map(char::escape_default).collect();
        return Some(format!("\"{shown}\" cannot be a model name"));
    }
    None
}
