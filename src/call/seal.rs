//! Whose seal it is: a vendor takes back thoughts under its own seal alone.
//!
//! Clients keep a seal as it was given to them and send it back, so it carries its dialect's name with it. One without a
//! name is Claude's, whoever serves it: Anthropic, Vertex AI and Bedrock take each other's
//! (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>).
//!
//! A seal is never sent to whom it means nothing. Sealed thoughts are what one model thought on the way to words and calls
//! that stand beside them in the conversation: every other vendor takes the conversation without them, and none takes them
//! under another's seal. What stands for the conversation itself, as a compaction does, is no thought, and is refused.

/// Between the name and the seal; no seal holds it, as they are Base64.
const MARK: char = '~';

/// A seal of `dialect` with its name.
#[must_use]
pub fn named(dialect: &str, seal: &str) -> String {
    [dialect, seal].join(MARK.encode_utf8(&mut [0; 4]))
}

/// The seal itself, if it is one of `dialect`.
#[must_use]
pub fn of<'a>(dialect: &str, seal: &'a str) -> Option<&'a str> {
    seal.strip_prefix(dialect)?.strip_prefix(MARK)
}

/// Whether it has a name: that dialect's vendors alone read it. Without one it is Claude's.
#[must_use]
pub fn is_named(seal: &str) -> bool {
    seal.contains(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_knows_whose_it_is() {
        let seal = named("gemini", "Cq4=");
        assert_eq!(of("gemini", &seal), Some("Cq4="));
        assert_eq!((of("bedrock", &seal), of("gemini", "Cq4=")), (None, None));
        assert!(is_named(&seal) && !is_named("Cq4="));
    }
}
