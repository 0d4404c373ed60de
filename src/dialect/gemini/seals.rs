//! Seals of thoughts (`thoughtSignature`): Google's own with their name, and those of another vendor in a wrapping that a
//! client of this dialect keeps and sends back.

use super::NAME;
use crate::call::seal;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::borrow::Cow;

/// Six bytes that no seal of Google's begins with, in Base64.
const WRAPPED: &str = "AHNlYWw6";

/// What Google takes for a function call whose seal nobody has, such as another vendor's
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>). Clients are told it with such a call, and send it back: so
/// models that want a seal with every first call take the conversation on.
pub(super) const NONE: &str = "skip_thought_signature_validator";

/// The same from an SDK that takes a text for bytes, and writes those in Base64.
const NONE_ENCODED: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I";

/// Whether a client sends what we wrote for another vendor's answer, which Google's models refuse.
pub(super) fn is_foreign(wire: &[u8]) -> bool {
    wire.starts_with(WRAPPED.as_bytes())
}

/// A seal as it is kept in the canonical form; `None` where it stands for none. SDKs send either alphabet of Base64, with
/// padding or without.
pub(super) fn read(wire: &str) -> Option<String> {
    if wire.is_empty() || wire == NONE || wire.trim_end_matches('=') == NONE_ENCODED {
        return None;
    }
    let unwrapped = wire.strip_prefix(WRAPPED).and_then(|wrapped| {
        let plain = wrapped.trim_end_matches('=').replace('-', "+").replace('_', "/");
        String::from_utf8(STANDARD_NO_PAD.decode(plain).ok()?).ok()
    });
    Some(unwrapped.unwrap_or_else(|| seal::named(NAME, wire)))
}

/// A seal as a vendor of this dialect reads it; `None` for another's.
pub(super) fn own(seal: &str) -> Option<&str> {
    seal::of(NAME, seal)
}

/// A seal as a client of this dialect keeps it.
pub(super) fn write(seal: &str) -> Cow<'_, str> {
    match own(seal) {
        Some(own) => own.into(),
        None => [WRAPPED, &STANDARD.encode(seal)].concat().into(),
    }
}

/// What a client of this dialect keeps with a function call: its seal, or with the first of an answer that it has none.
pub(super) fn of_call(seal: Option<&str>, is_first: bool) -> Option<Cow<'_, str>> {
    seal.map(write).or_else(|| is_first.then_some(NONE.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_seal_comes_back_as_it_was() {
        for seal in ["gemini~CuUG+/98PA0=", "EqQBCkgI+/w==", "bedrock~x", "", "é"] {
            let wire = write(seal);
            assert_eq!(read(&wire).as_deref(), Some(seal));
            if own(seal).is_none() {
                let url_safe = wire.replace('+', "-").replace('/', "_");
                assert_eq!(read(url_safe.trim_end_matches('=')).as_deref(), Some(seal));
            }
        }
        assert_eq!(read("CuUG").as_deref().and_then(own), Some("CuUG"));
        assert_eq!(read(&write("EqQB")).as_deref().and_then(own), None);
        for none in ["", NONE, NONE_ENCODED, &[NONE_ENCODED, "="].concat()] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
