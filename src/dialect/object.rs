//! Reading JSON objects of which we know some members: each is parsed once, and what we do not know is kept as it came.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

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
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { known: T::default(), unknown: Vec::new() };
        while let Some(Text(name)) = map.next_key()? {
            let known = object
                .known
                .read(&name, &mut map)
                .map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
            if !known {
                let value: &RawValue = map.next_value()?;
                if value.get() != "null" {
                    object.unknown.push((name, value));
                }
            }
        }
        Ok(object)
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
        deserializer.deserialize_map(KnownVisitor(PhantomData))
    }
}

struct KnownVisitor<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for KnownVisitor<T> {
    type Value = Known<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut known = T::default();
        while let Some(Text(name)) = map.next_key()? {
            if !known.read(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Known(known))
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

/// How many, in an answer; some servers write a fraction. What is no number says nothing: an answer is not lost for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl std::ops::Deref for Count {
    type Target = Option<u64>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told: &RawValue = Deserialize::deserialize(deserializer)?;
        let text = told.get();
        let fraction = || text.parse().ok().filter(|number: &f64| *number >= 0.0).map(|number| number as u64);
        Ok(Self(text.parse().ok().or_else(fraction)))
    }
}

/// What many members allow: nothing, a text, or a list.
#[derive(Debug, Default)]
pub(crate) enum TextOr<L> {
    /// Null or missing.
    #[default]
    Nothing,
    /// A text.
    Text(String),
    /// A list.
    List(Vec<L>),
}

impl<'de, L: Deserialize<'de>> Deserialize<'de> for TextOr<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct TextOrVisitor<L>(PhantomData<L>);

impl<'de, L: Deserialize<'de>> Visitor<'de> for TextOrVisitor<L> {
    type Value = TextOr<L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(TextOr::Nothing)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(1));
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(TextOr::List(list))
    }
}

/// A list, or the one thing that would be in it: Google's parsers take either. Only for objects, and not for raw ones.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Many::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(1));
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Many(list))
    }
}

/// Reads a raw value as a type.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.get())
}

/// Reads the known members of an answer, or of one event of it. UTF-8 is checked once and not text by text.
pub(crate) fn read_known<'a, T: Members<'a>>(data: &'a [u8]) -> Option<T> {
    let text = std::str::from_utf8(data).ok()?;
    serde_json::from_str::<Known<T>>(text).ok().map(|Known(known)| known)
}

/// A text that says something.
pub(crate) fn said<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|Text(text)| &**text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_count_is_read_however_it_is_written() {
        for (text, expected) in
            [("12", Some(12)), ("12.0", Some(12)), ("1.2e1", Some(12)), ("null", None), ("-1", None), ("\"a\"", None)]
        {
            assert_eq!(serde_json::from_str::<Count>(text).expect(text).0, expected, "{text}");
        }
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
