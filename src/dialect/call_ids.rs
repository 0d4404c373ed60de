//! Ids of tool calls. Every vendor makes its own and takes back those of a certain form: `functions.add:0` of one is refused by
//! the next, and so is an id that is longer than its own are.

use crate::base::hash::Digest;
use std::borrow::Cow;
use std::fmt::Write;

/// No limit is known at Anthropic.
pub(crate) const ANTHROPIC_MOST: usize = usize::MAX;
/// `toolUseId` (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html>).
pub(crate) const BEDROCK_MOST: usize = 64;
/// `call_id` of OpenAI's API description.
pub(crate) const RESPONSES_MOST: usize = 64;
/// OpenAI refuses longer ids in `tool_calls`.
pub(crate) const CHAT_MOST: usize = 40;

/// How many bytes of a digest stand for an id.
const DIGEST_BYTES: usize = 12;

/// The id itself where it has letters, digits, dashes and underscores and at most so many; else one that stands for it: the same
/// for a call and its result, and whenever it is asked, so that a result finds its call after a failover and back.
pub(crate) fn fit(id: &str, most: usize) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !id.is_empty() && id.len() <= most && id.bytes().all(is_plain) {
        return id.into();
    }
    let mut other = "call_".to_owned();
    for byte in Digest::of_parts([id.as_bytes()]).0.iter().take(DIGEST_BYTES) {
        // writing to memory does not fail
        let _ = write!(other, "{byte:02x}");
    }
    other.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_a_vendor_would_refuse_becomes_another_every_time() {
        for (id, most, fits) in [
            ("call_AbCdEfGhIjKlMnOpQrStUvWx", CHAT_MOST, true),
            ("toolu_vrtx_01", ANTHROPIC_MOST, true),
            ("functions.add:0", ANTHROPIC_MOST, false),
            ("", CHAT_MOST, false),
            ("gemini-call-2kYhaZ_HHqGmnsEPz6K86QY-and-more-0", CHAT_MOST, false),
            ("gemini-call-2kYhaZ_HHqGmnsEPz6K86QY-and-more-0", BEDROCK_MOST, true),
            ("é", BEDROCK_MOST, false),
        ] {
            let fitted = fit(id, most);
            assert_eq!(fitted == id, fits, "{id}");
            assert_eq!((fit(id, most), fit(&fitted, most)), (fitted.clone(), fitted.clone()), "{id}");
            assert!(fitted.len() <= most, "{id}");
        }
        assert_ne!(fit("functions.add:0", 64), fit("functions.add:1", 64));
    }
}
