//! Seals of thoughts: only the vendor that made one can read it, and a client carries it back unread.
//!
//! In the canonical form, and so in another dialect's thinking blocks, a seal of this dialect has its name (see
//! [`seal`]). In a reasoning item that we wrote for a client, a seal of another dialect begins with [`THEIRS`]: so each
//! finds its way back to the vendor that can read it, and is never sent to one that cannot.

use super::NAME;
use crate::call::seal;
use crate::call::turn::Content;

/// Marks the seal of another dialect, which may be none, where this dialect carries it as `encrypted_content`.
pub(in crate::dialect) const THEIRS: &str = "backstay:";

/// Marks thoughts, behind [`THEIRS`], that only their vendor can read.
const REDACTED: &str = "redacted:";

/// Thoughts as a reasoning item tells them: `None` where it tells nothing.
pub(super) fn read(text: String, encrypted: Option<&str>) -> Option<Content> {
    match encrypted {
        None | Some("") if text.is_empty() => None,
        None | Some("") => Some(Content::Thinking { text, signature: None }),
        Some(sealed) => Some(match sealed.strip_prefix(THEIRS) {
            None => Content::Thinking { text, signature: Some(seal::named(NAME, sealed)) },
            Some("") => Content::Thinking { text, signature: None },
            Some(theirs) => match theirs.strip_prefix(REDACTED) {
                Some(data) => Content::RedactedThinking(data.to_owned()),
                None => Content::Thinking { text, signature: Some(theirs.to_owned()) },
            },
        }),
    }
}

/// The `encrypted_content` that carries a signature of the canonical form.
pub(super) fn write(signature: Option<&str>) -> String {
    match signature {
        Some(signature) => match seal::of(NAME, signature) {
            Some(ours) => ours.to_owned(),
            None => [THEIRS, signature].concat(),
        },
        None => THEIRS.to_owned(),
    }
}

/// The `encrypted_content` that carries thoughts which only their vendor can read.
pub(super) fn write_redacted(data: &str) -> String {
    [THEIRS, REDACTED, data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_finds_its_way_back() {
        for content in [
            Content::Thinking { text: "a".to_owned(), signature: Some("anthropics".to_owned()) },
            Content::Thinking { text: "a".to_owned(), signature: None },
            Content::Thinking { text: String::new(), signature: Some(seal::named(NAME, "gAAA")) },
        ] {
            let Content::Thinking { text, signature } = &content else { continue };
            assert_eq!(read(text.clone(), Some(&write(signature.as_deref()))), Some(content.clone()));
        }
        assert_eq!(read(String::new(), Some(&write_redacted("x"))), Some(Content::RedactedThinking("x".to_owned())));
        assert_eq!(write(Some("openai_responses~gAAA")), "gAAA");
        assert_eq!(read(String::new(), None), None);
    }
}
