//! Checkpoints: what a log held at some size, as <https://c2sp.org/tlog-checkpoint> writes it, to be signed as a note.

use crate::base::hash::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;

/// What a log held at some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// The number of its records.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// Reads the text of a note; further lines are extensions and do not matter. `None` where it is no checkpoint.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let decimal = size.bytes().all(|byte| byte.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        if origin.is_empty() || !decimal {
            return None;
        }
        let root: [u8; 32] = BASE64.decode(root).ok()?.try_into().ok()?;
        Some(Self { origin: origin.to_owned(), size: size.parse().ok()?, root: Digest(root) })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_three_lines() {
        // the example of the specification
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!((checkpoint.size, checkpoint.to_string().as_str()), (20_852_163, text));
        assert_eq!(Checkpoint::parse(&format!("{text}an extension\n")), Some(checkpoint));
        for wrong in
            ["", "a\n1\n", "a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "a\n-1\nx\n", "a\n1\nCsUY\n"]
        {
            assert_eq!(Checkpoint::parse(wrong), None, "{wrong:?}");
        }
    }
}
