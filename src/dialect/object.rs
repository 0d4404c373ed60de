//! Reading JSON objects of which we know some members: each is parsed once, and what we do not know is kept as it came.

use crate::dialect::json;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Text that is borrowed from the JSON around it, unless it holds escapes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The members that a type knows; written by [`object!`].
pub(crate) trait Members<'de>: Default {
    /// Reads the value of member `name`, or says that it does not know it.
    fn read<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// An object: the members that `T` knows, and the others by name.
#[derive(Debug, Default)]
pub(crate) struct Object<'a, T> {
    /// What `T` knows.
    pub(crate) known: T,
    /// The others, but for those that are null.
    pub(crate) unknown: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de, T: Members<'de>> Deserialize<'de> for Object<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Self { known: T::default(), unknown: Vec::new() };
        deserializer.deserialize_map(FillObject(&mut object)).map(|()| object)
    }
}

/// Reads members to where they stay: to hand on what is large, from one function to the next, takes longer than to read it.
struct FillObject<'o, 'a, T>(&'o mut Object<'a, T>);

impl<'de, T: Members<'de>> Visitor<'de> for FillObject<'_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Object { known, unknown } = self.0;
        while let Some(Text(name)) = map.next_key()? {
            let is_known =
                known.read(&name, &mut map).map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
            if !is_known {
                let value: &RawValue = map.next_value()?;
                if value.get() != "null" {
                    unknown.push((name, value));
                }
            }
        }
        Ok(())
    }
}

/// Who wrote what is read, which decides about members that we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A client: what it asks is carried as it came, or refused, but never left out.
    Request,
    /// A vendor, whose later versions say more than we know of: what we know is told all the same.
    Answer,
}

impl Reading {
    /// Whether an object with these unknown members is more than what is known of it.
    pub(crate) fn heeds(self, unknown: &[(Cow<'_, str>, &RawValue)]) -> bool {
        self == Self::Request && !unknown.is_empty()
    }
}

/// An object of which only the known members matter: answers, where the rest is skipped unread.
#[derive(Debug, Default)]
pub(crate) struct Known<T>(pub(crate) T);

impl<'de, T: Members<'de>> Deserialize<'de> for Known<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut known = T::default();
        Fill(&mut known).deserialize(deserializer).map(|()| Self(known))
    }
}

/// The same for the members that are known.
struct Fill<'k, T>(&'k mut T);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if !self.0.read(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Defines a struct of members as a table of field, wire name (and its other spellings) and type; a missing member keeps
/// its default.
macro_rules! object {
    ($(#[$doc:meta])* $object:ident { $($field:ident = $wire:literal $(| $also:literal)*: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $object { $(pub(crate) $field: $type,)* }

        $crate::dialect::object::object! { @members 'de, $object, $($field = $wire $(| $also)*,)* }
    };
    ($(#[$doc:meta])* $object:ident<$life:lifetime> {
        $($field:ident = $wire:literal $(| $also:literal)*: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $object<$life> { $(pub(crate) $field: $type,)* }

        $crate::dialect::object::object! { @members $life, $object<$life>, $($field = $wire $(| $also)*,)* }
    };
    (@members $life:lifetime, $object:ty, $($field:ident = $wire:literal $(| $also:literal)*,)*) => {
        impl<$life> $crate::dialect::object::Members<$life> for $object {
            fn read<A: serde::de::MapAccess<$life>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
                match name {
                    $($wire $(| $also)* => self.$field = map.next_value()?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}
pub(crate) use object;

/// Reads a text as a type. What cannot be read is left to `serde_json`, which can say why.
pub(crate) fn read_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    json::read::read(text).map_or_else(|| serde_json::from_str(text), Ok)
}

/// Reads a raw value as a type.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
    read_str(raw.get())
}

/// The longest value that is compared with words.
const WORD_BYTES_MAX: usize = 256;

/// A short value in the one way that an encoder writes it which adds nothing: to be compared with words and defaults, however the
/// client's encoder writes them. Nothing for a long one, which is neither.
pub(crate) fn plain(raw: &RawValue) -> String {
    let text = Some(raw.get()).filter(|text| text.len() <= WORD_BYTES_MAX);
    let value = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    match value {
        Some(serde_json::Value::Number(number)) => {
            number.as_f64().map_or_else(String::new, |number| number.to_string())
        }
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// Reads the known members of an answer, or of one event of it. UTF-8 is checked once and not text by text.
pub(crate) fn read_known<'a, T: Members<'a>>(data: &'a [u8]) -> Option<T> {
    let text = std::str::from_utf8(data).ok()?;
    let mut known = T::default();
    json::read::read_into(text, Fill(&mut known)).map(|()| known)
}

object! {
    /// An object of which the type says all.
    Kind<'a> { kind = "type": Option<Text<'a>>, }
}

/// Whether an event's type is none of those that are `read`: it is then of a later version, and its members may be of any shape.
pub(crate) fn is_of_later_version(data: &[u8], read: &[&str]) -> bool {
    let kind = read_known::<Kind<'_>>(data).and_then(|event| event.kind);
    kind.is_some_and(|Text(kind)| !read.contains(&&*kind))
}

/// A text that says something.
pub(crate) fn said<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|Text(text)| &**text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::shapes::TextOr;

    object! {
        /// An object with another within.
        Outer<'a> { text = "text": Option<Text<'a>>, inner = "inner": Option<Object<'a, Inner>>, list = "list": TextOr<u8>, }
    }

    object! {
        /// The other.
        Inner { number = "number": Option<u64>, }
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_came() {
        let text = r#"{"more": [1,  2], "text": "a\"b", "none": null, "inner": {"number": 3, "odd": {}}}"#;
        let Object { known, unknown } = serde_json::from_str::<Object<'_, Outer<'_>>>(text).expect("valid");
        let kept = |unknown: &[(Cow<'_, str>, &RawValue)]| {
            unknown.iter().map(|(name, value)| format!("{name}={}", value.get())).collect::<Vec<_>>()
        };
        assert_eq!(kept(&unknown), ["more=[1,  2]"]);
        assert_eq!(said(&known.text), Some("a\"b"));
        let inner = known.inner.expect("given");
        assert_eq!((inner.known.number, kept(&inner.unknown)), (Some(3), vec!["odd={}".to_owned()]));
    }

    #[test]
    fn a_word_is_known_however_it_is_written() {
        for (text, expected) in [
            (r#""auto""#, r#""auto""#),
            (r#""\u0061uto""#, r#""auto""#),
            ("[ ]", "[]"),
            (r#"[ "te\u0078t" ]"#, r#"["text"]"#),
            ("1", "1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("0.5", "0.5"),
            ("false", "false"),
        ] {
            let raw: &RawValue = serde_json::from_str(text).expect(text);
            assert_eq!(plain(raw), expected, "{text}");
        }
        let long = serde_json::Value::from("a".repeat(WORD_BYTES_MAX)).to_string();
        assert_eq!(plain(serde_json::from_str(&long).expect("valid")), "");
    }

    #[test]
    fn an_error_tells_the_way_to_the_member() {
        let check = |text: &str, expected: &str| {
            let error = serde_json::from_str::<Object<'_, Outer<'_>>>(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        };
        check(r#"{"inner": {"number": "3"}}"#, "inner: number: invalid type");
        check(r#"{"list": [1, 2, 300]}"#, "list: invalid value");
        check(r#"{"list": 5}"#, "list: invalid type: integer `5`, expected a string or an array");
        check("5", "invalid type: integer `5`, expected an object");
    }
}
