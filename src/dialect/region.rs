//! Where a vendor says that it processed a call.

use http::HeaderMap;

/// Headers that name the region of an answer: Azure's (recordings of its chat answers carry `x-ms-region`) and Groq's.
const HEADERS: [&str; 2] = ["x-ms-region", "x-groq-region"];
/// Bytes of a region's name.
const LONGEST: usize = 48;

/// The region that the head of an answer names, in the vendor's words as far as those are plain.
#[must_use]
pub fn observed(headers: &HeaderMap) -> Option<Box<str>> {
    plain(HEADERS.iter().find_map(|name| headers.get(*name))?.to_str().ok()?)
}

/// The name of a region, if it can be one.
pub(super) fn plain(named: &str) -> Option<Box<str>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_' | b'.');
    (!named.is_empty() && named.len() <= LONGEST && named.bytes().all(plain)).then(|| named.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_093_a_plain_region_is_read_and_nothing_else() {
        let check = |name: &'static str, value: &'static str, expected: Option<&str>| {
            let headers = [(name, value)].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            assert_eq!(observed(&HeaderMap::from_iter(headers)).as_deref(), expected, "{name}: {value}");
        };
        check("x-ms-region", "Sweden Central", Some("Sweden Central"));
        check("x-groq-region", "us-east-1", Some("us-east-1"));
        check("x-ms-region", "a\"b", None);
        check("x-ms-region", "", None);
        check("x-region", "us", None);
    }
}
