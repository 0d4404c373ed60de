//! By how much a call was too long, read out of the vendor's sentence: a deployment with a larger window may take it.

use crate::base::scope::Excess;
use serde_json::{Map, Value};

/// Words that stand before the most that is taken.
const LIMIT_AFTER: [&str; 24] = [
    "context length of only ",
    "configured limit of ",
    "maximum context length is ",
    "maximum context length: ",
    "maximum context length of ",
    "maximum prompt length is ",
    "maximum input length is ",
    "maximum model length of ",
    "maximum number of tokens allowed (",
    "maximum supported sequence length is just ",
    "too large for model with ",
    "the limit for this model is ",
    "model token limit : ",
    "model token limit: ",
    "context window limit (",
    "available context size (",
    "input tokens exceeds ",
    "exceeds the limit of ",
    "per min (tpm): limit ",
    "per minute (tpm): limit ",
    "must be <= ",
    "max size: ",
    "should be [1, ",
    " tokens > ",
];
/// Words that stand before what the call came to.
const ASKED_AFTER: [&str; 14] = [
    "token count of ",
    "you requested about ",
    "you requested ",
    ", requested ",
    "request contains ",
    "resulted in ",
    "prompt contains ",
    "prompt is too long: ",
    "input token count (",
    "prompt (length ",
    "given: ",
    "provided prompt is ",
    "the request (",
    "requested: ",
];

/// Reads a message; `None` where it tells neither number.
pub(super) fn read(message: &str) -> Option<Excess> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("bytes") {
        return None;
    }
    let first = |words: &[&str]| words.iter().find_map(|before| number(lower.split_once(before)?.1));
    let limit_tokens = first(&LIMIT_AFTER).or_else(|| sum_above(&lower).map(|(_, limit)| limit));
    let beyond = lower.split_once("exceeded by ").and_then(|(_, rest)| number(rest));
    let asked_tokens = match (limit_tokens, beyond) {
        (Some(limit), Some(beyond)) => limit.checked_add(beyond),
        _ => first(&ASKED_AFTER).or_else(|| sum_above(&lower).map(|(asked, _)| asked)),
    };
    (limit_tokens.is_some() || asked_tokens.is_some()).then_some(Excess { limit_tokens, asked_tokens })
}

/// llama.cpp tells the numbers in members.
pub(super) fn members(error: &Map<String, Value>) -> Option<Excess> {
    let number = |name| error.get(name).and_then(Value::as_u64);
    let (limit_tokens, asked_tokens) = (number("n_ctx"), number("n_prompt_tokens"));
    (limit_tokens.is_some() && asked_tokens.is_some()).then_some(Excess { limit_tokens, asked_tokens })
}

/// `190000 + 20000 > 200000`: what was asked, and the limit.
fn sum_above(text: &str) -> Option<(u64, u64)> {
    let (before, after) = text.split_once(" > ")?;
    let (rest, second) = before.rsplit_once(" + ")?;
    let first = rest.rsplit(' ').next()?;
    Some((number(first)?.checked_add(number(second)?)?, number(after)?))
}

/// The number that a text begins with; a comma or an underscore may part its thousands.
fn number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '_').unwrap_or(text.len());
    let digits: String = text.get(..end)?.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_and_size_are_read_in_every_wording() {
        for (message, limit, asked) in [
            (
                "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens (1250025 in",
                Some(1_048_565),
                Some(1_250_025),
            ),
            (
                "This endpoint's maximum context length is 200000 tokens. However, you requested about 2500021 tokens",
                Some(200_000),
                Some(2_500_021),
            ),
            (
                "maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
                Some(8192),
                Some(9001),
            ),
            ("prompt is too long: 200016 tokens > 200000 maximum", Some(200_000), Some(200_016)),
            (
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input",
                Some(200_000),
                Some(210_000),
            ),
            (
                "The input token count (1250060) exceeds the maximum number of tokens allowed (1048575).",
                Some(1_048_575),
                Some(1_250_060),
            ),
            (
                "Prompt contains 150004 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
                Some(131_072),
                Some(150_004),
            ),
            (
                "This model's maximum prompt length is 131072 but the request contains 625078 tokens.",
                Some(131_072),
                Some(625_078),
            ),
            (
                "too many tokens: size limit exceeded by 25836 tokens. Try using fewer. The limit for this model is 288000 tokens.",
                Some(288_000),
                Some(313_836),
            ),
            ("User input tokens exceeds 200000 tokens.", Some(200_000), None),
            ("on tokens per min (TPM): Limit 400000, Requested 2500013. The input", Some(400_000), Some(2_500_013)),
            ("The prompt is too long: 131,080, model maximum context length: 131,071", Some(131_071), Some(131_080)),
            ("`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 8251 `inputs` tokens", Some(8193), Some(8251)),
            (
                "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
                Some(4096),
                Some(5000),
            ),
            (
                "the request (9001 tokens) exceeds the available context size (4096 tokens), try increasing it",
                Some(4096),
                Some(9001),
            ),
            (
                "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 1250006 tokens.",
                Some(272_000),
                Some(1_250_006),
            ),
            ("prompt token count of 13000 exceeds the limit of 12288", Some(12_288), Some(13_000)),
            ("Range of input length should be [1, 129024]", Some(129_024), None),
            ("too many total text bytes: 10000002 > 9000000", None, None),
            ("Your input exceeds the context window of this model.", None, None),
            ("maximum context length is 99999999999999999999999 tokens", None, None),
        ] {
            let read = read(message).unwrap_or_default();
            assert_eq!((read.limit_tokens, read.asked_tokens), (limit, asked), "{message}");
        }
    }
}
