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
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
pub(super) const NONE: &str = "skip_thought_signature_validator";

/// A seal as it is kept in the canonical form. SDKs send either alphabet of Base64, with padding or without.
pub(super) fn read(wire: &str) -> String {
    let unwrapped = wire.strip_prefix(WRAPPED).and_then(|wrapped| {
        let plain = wrapped.trim_end_matches('=').replace('-', "+").replace('_', "/");
        String::from_utf8(STANDARD_NO_PAD.decode(plain).ok()?).ok()
    });
    unwrapped.unwrap_or_else(|| seal::named(NAME, wire))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_seal_comes_back_as_it_was() {
        for seal in ["gemini~CuUG+/98PA0=", "EqQBCkgI+/w==", "bedrock~x", "", "é"] {
            let wire = write(seal);
            assert_eq!(read(&wire), seal);
            if own(seal).is_none() {
                let url_safe = wire.replace('+', "-").replace('/', "_");
                assert_eq!(read(url_safe.trim_end_matches('=')), seal);
            }
        }
        assert_eq!(own(&read("CuUG")), Some("CuUG"));
        assert_eq!(own(&read(&write("EqQB"))), None);
    }
}
